"""A TensorRT that runs on a CPU: the Python surface of a recorded version, over onnxruntime.

Its classes have no member that the recorded version has not, and forbid new attributes as the real
ones do, so code that runs here does not lean on anything a version lacks. Addresses are real: a
run reads and writes the memory it was given.

What it does not show: anything about kernels, CUDA streams or CUDA graphs.
"""

import enum
import json
from pathlib import Path
from types import SimpleNamespace

from engines.trt.binding import Binding
from tests.engines.trt import fake_building, fake_running

SURFACES = Path(__file__).parent / "surfaces"
NAMES = ("tensorrt-10.16", "tensorrt-11.4", "tensorrt-rtx-1.7")


def surface(name):
    """What `record_surface.py` wrote of a version."""
    return json.loads((SURFACES / f"{name}.json").read_text(encoding="utf-8"))


def fake_tensorrt(name):
    """A module of that version.

    Its `faults` (a namespace) make it fail: `build`, `load`, `context`, `run` hold what the library
    would log, `spoil` is added to every output.
    """
    found = surface(name)
    module = SimpleNamespace(__version__=found["version"])
    module.faults = SimpleNamespace(build="", load="", context="", run="", spoil=0.0)
    module.seen = SimpleNamespace(contexts=0, runs=0, strategies=[], kernels=[], caches=[])
    module.seen.managed, module.seen.lent, module.seen.activations = [], [], 1000
    for enum_name, values in found["enums"].items():
        setattr(module, enum_name, enum.IntEnum(enum_name, values))
    classes = {c.__name__: c for c in (*fake_building.CLASSES, *fake_running.CLASSES)}
    if "ComputeCapability" in found["enums"]:
        classes |= fake_running.RTX
    for class_name, base in classes.items():
        own = type(class_name, (base,), {"__slots__": (), "_of": module})
        setattr(module, class_name, own)
    return module


def fake_binding(name):
    """The same behind our own thin layer."""
    return Binding("tensorrt-rtx" if "rtx" in name else "tensorrt", fake_tensorrt(name))
