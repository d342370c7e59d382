"""MagicFace: the AU-steered Stable Diffusion 1.5 editor, on stock diffusers networks.

Importing this package switches the telemetry of the Hugging Face libraries off: footage tools do
not call home, and weights are downloaded by engines/weights/hub.py alone, when asked.
"""

import os

os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("DISABLE_TELEMETRY", "1")
