"""The number formats that networks run in, by the names users write. Imports nothing."""

TORCH_NAMES = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}
"""Our name → torch's."""
DTYPE_NAMES = tuple(TORCH_NAMES)
BYTES_OF = {"fp32": 4, "fp16": 2, "bf16": 2}
