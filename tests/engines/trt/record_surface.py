"""Writes what a TensorRT Python module has: names of classes' members and values of enums.

    python tests/engines/trt/record_surface.py tensorrt_bindings surfaces/tensorrt-11.4.json

`ExecutionContextAllocationStrategy` came later and stands in TensorRT for RTX's record only.
The classic module was recorded from NVIDIA's wheels `tensorrt-cu13-bindings` 10.16.1.11 and
11.4.0.106, whose extension module imports where its libraries are replaced by empty ones: the
classes and enums are all there, no object of them can be made. TensorRT for RTX was recorded as
installed.
"""

import importlib
import json
import sys
from pathlib import Path

CLASSES = (
    "Builder",
    "IBuilderConfig",
    "ICudaEngine",
    "IExecutionContext",
    "IHostMemory",
    "ILogger",
    "INetworkDefinition",
    "IOptimizationProfile",
    "IProgressMonitor",
    "IRuntimeCache",
    "IRuntimeConfig",
    "ITensor",
    "OnnxParser",
    "ParserError",
    "Runtime",
)
ENUMS = (
    "BuilderFlag",
    "ComputeCapability",
    "CudaGraphStrategy",
    "DataType",
    "DynamicShapesKernelSpecializationStrategy",
    "ExecutionContextAllocationStrategy",
    "NetworkDefinitionCreationFlag",
    "TensorIOMode",
)


def surface_of(module):
    """JSON-able: version, class → public members, enum → name → value."""
    return {
        "version": module.__version__,
        "classes": {
            name: sorted(n for n in dir(getattr(module, name)) if not n.startswith("_"))
            for name in CLASSES
            if hasattr(module, name)
        },
        "enums": {
            name: {n: int(v) for n, v in getattr(module, name).__members__.items()}
            for name in ENUMS
            if hasattr(module, name)
        },
    }


if __name__ == "__main__":
    found = surface_of(importlib.import_module(sys.argv[1]))
    Path(sys.argv[2]).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
