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

import onnx
import onnxruntime
from google.protobuf.message import DecodeError

SURFACES = Path(__file__).parent / "surfaces"
NAMES = ("tensorrt-10.16", "tensorrt-11.4", "tensorrt-rtx-1.7")
MAGIC = b"fake plan "
ELEMENTS = {"tensor(float)": 1, "tensor(float16)": 10, "tensor(bfloat16)": 16, "tensor(int64)": 7}
TRT_DTYPES = {
    "tensor(float)": "FLOAT",
    "tensor(float16)": "HALF",
    "tensor(bfloat16)": "BF16",
    "tensor(int64)": "INT64",
}


def surface(name):
    """What `record_surface.py` wrote of a version."""
    return json.loads((SURFACES / f"{name}.json").read_text(encoding="utf-8"))


def fake_tensorrt(name):
    """A module of that version.

    Its `faults` (a namespace) make it fail: `build`, `load`, `context`, `run` hold what the library
    would log, `spoil` is added to every output.
    """
    told = surface(name)
    module = SimpleNamespace(__version__=told["version"])
    module.faults = SimpleNamespace(build="", load="", context="", run="", spoil=0.0)
    module.told = SimpleNamespace(contexts=0, strategies=[], caches=[], phases=[])
    for enum_name, values in told["enums"].items():
        setattr(module, enum_name, enum.IntEnum(enum_name, values))
    _add_build_side(module)
    _add_run_side(module)
    if "IRuntimeCache" in told["classes"] and "ComputeCapability" in told["enums"]:
        _add_rtx_side(module)
    return module


def _add_build_side(module):  # noqa: C901  a family of small classes
    class ILogger:
        Severity = enum.IntEnum(
            "Severity", ["INTERNAL_ERROR", "ERROR", "WARNING", "INFO", "VERBOSE"], start=0
        )

        def __init__(self):
            pass

    class IProgressMonitor:
        def __init__(self):
            pass

    class Builder:
        __slots__ = ("_log",)

        def __init__(self, log):
            self._log = log

        def create_network(self, flags=0):
            typed = module.NetworkDefinitionCreationFlag.STRONGLY_TYPED
            assert flags == 1 << int(typed), "networks must be strongly typed"
            return INetworkDefinition()

        def create_builder_config(self):
            return IBuilderConfig()

        def create_optimization_profile(self):
            return IOptimizationProfile()

        def build_serialized_network(self, network, config):
            if module.faults.build:
                self._log.log(ILogger.Severity.WARNING, "a warning that is not the reason")
                self._log.log(ILogger.Severity.ERROR, module.faults.build)
                return None
            if config.progress_monitor is not None:
                config.progress_monitor.phase_start("Building engine", None, 2)
                for step in range(2):
                    assert config.progress_monitor.step_complete("Building engine", step)
                config.progress_monitor.phase_finish("Building engine")
            plan = {
                "version": module.__version__,
                "onnx": network._path,
                "profile": config._profile._shapes,
                "targets": config._targets,
            }
            return IHostMemory(MAGIC + json.dumps(plan).encode())

    class IHostMemory(bytes):
        __slots__ = ()

    class INetworkDefinition:
        __slots__ = ("_inputs", "_path")

        def _read(self, path):
            self._path = path
            self._inputs = [
                ITensor(i.name, [d.dim_param or d.dim_value for d in i.type.tensor_type.shape.dim])
                for i in onnx.load(path, load_external_data=False).graph.input
            ]

        @property
        def num_inputs(self):
            return len(self._inputs)

        def get_input(self, index):
            return self._inputs[index]

    class ITensor:
        __slots__ = ("name", "shape")

        def __init__(self, name, shape):
            self.name = name
            self.shape = [-1 if isinstance(n, str) else n for n in shape]

    class IOptimizationProfile:
        __slots__ = ("_shapes",)

        def __init__(self):
            self._shapes = {}

        def set_shape(self, name, least, best, most):
            self._shapes[name] = [list(least), list(best), list(most)]

    class IBuilderConfig:
        __slots__ = ("_profile", "_targets", "progress_monitor")

        def __init__(self):
            self._targets = []
            self.progress_monitor = None

        def add_optimization_profile(self, profile):
            self._profile = profile
            return 0

    class OnnxParser:
        __slots__ = ("_errors", "_network")

        def __init__(self, network, log):
            self._network = network
            self._errors = []

        def parse_from_file(self, path):
            try:
                self._network._read(path)
            except (DecodeError, OSError) as error:
                self._errors.append(ParserError(str(error)))
            return not self._errors

        @property
        def num_errors(self):
            return len(self._errors)

        def get_error(self, index):
            return self._errors[index]

    class ParserError:
        __slots__ = ("_text",)

        def __init__(self, text):
            self._text = text

        def desc(self):
            return self._text

    for found in (
        ILogger,
        IProgressMonitor,
        Builder,
        IHostMemory,
        INetworkDefinition,
        ITensor,
        IOptimizationProfile,
        IBuilderConfig,
        OnnxParser,
        ParserError,
    ):
        setattr(module, found.__name__, found)


def _add_run_side(module):  # noqa: C901  a family of small classes
    class Runtime:
        __slots__ = ("_log",)

        def __init__(self, log):
            self._log = log

        def deserialize_cuda_engine(self, plan):
            fault = module.faults.load
            told = json.loads(plan[len(MAGIC) :]) if plan.startswith(MAGIC) else {}
            if not fault and told.get("version") != module.__version__:
                fault = "IRuntime::deserializeCudaEngine: Version tag does not match"
            if fault:
                self._log.log(module.ILogger.Severity.ERROR, fault)
                return None
            return ICudaEngine(told, self._log)

    class ICudaEngine:
        __slots__ = ("_log", "_ports", "_profile", "_session")

        def __init__(self, plan, log):
            self._log = log
            self._session = onnxruntime.InferenceSession(plan["onnx"])
            self._profile = plan["profile"]
            inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
            self._ports = [(i, True) for i in inputs] + [(o, False) for o in outputs]

        def _port(self, name):
            return next(p for p in self._ports if p[0].name == name)

        @property
        def num_io_tensors(self):
            return len(self._ports)

        def get_tensor_name(self, index):
            return self._ports[index][0].name

        def get_tensor_mode(self, name):
            mode = module.TensorIOMode
            return mode.INPUT if self._port(name)[1] else mode.OUTPUT

        def get_tensor_dtype(self, name):
            return module.DataType[TRT_DTYPES[self._port(name)[0].type]]

        def get_tensor_shape(self, name):
            return [-1 if isinstance(n, str) else n for n in self._port(name)[0].shape]

        def get_tensor_profile_shape(self, name, profile):
            assert profile == 0
            return self._profile[name]

        def create_execution_context(self, *config):
            if module.faults.context:
                self._log.log(module.ILogger.Severity.ERROR, module.faults.context)
                return None
            module.told.contexts += 1
            return IExecutionContext(self)

    class IExecutionContext:
        __slots__ = ("_addresses", "_engine", "_shapes")

        def __init__(self, engine):
            self._engine, self._shapes, self._addresses = engine, {}, {}

        def set_input_shape(self, name, shape):
            if name in self._engine._profile:
                least, _, most = self._engine._profile[name]
                if not least[0] <= shape[0] <= most[0]:
                    return False
            self._shapes[name] = list(shape)
            return True

        def set_tensor_address(self, name, address):
            self._addresses[name] = address
            return True

        def execute_async_v3(self, stream):
            if module.faults.run:
                self._engine._log.log(module.ILogger.Severity.ERROR, module.faults.run)
                return False
            session = self._engine._session
            binding = session.io_binding()
            batch = next(s[0] for s in self._shapes.values() if s)
            for port, is_input in self._engine._ports:
                shape = [batch if isinstance(n, str) else n for n in port.shape]
                bind = binding.bind_input if is_input else binding.bind_output
                element = ELEMENTS[port.type]
                bind(port.name, "cpu", 0, element, shape, self._addresses[port.name])
            session.run_with_iobinding(binding)
            if module.faults.spoil:
                self._spoil(batch)
            return True

        def _spoil(self, batch):
            import ctypes
            import math

            import numpy as np

            for port, is_input in self._engine._ports:
                if is_input:
                    continue
                kind = {"tensor(float16)": np.float16, "tensor(float)": np.float32}[port.type]
                shape = [batch, *port.shape[1:]]
                size = math.prod(shape) * np.dtype(kind).itemsize
                memory = (ctypes.c_char * size).from_address(self._addresses[port.name])
                np.frombuffer(memory, kind)[:] += kind(module.faults.spoil)

    module.Runtime = Runtime
    module.ICudaEngine = ICudaEngine
    module.IExecutionContext = IExecutionContext


def _add_rtx_side(module):  # noqa: C901  a family of small classes
    class IRuntimeCache:
        __slots__ = ("_known",)

        def __init__(self):
            self._known = b""

        def serialize(self):
            return module.IHostMemory(b"kernels of this GPU")

        def deserialize(self, blob):
            module.told.caches.append(bytes(blob))
            return True

    class IRuntimeConfig:
        __slots__ = ("_cache", "_strategy")

        def create_runtime_cache(self):
            return IRuntimeCache()

        def set_runtime_cache(self, cache):
            assert isinstance(cache, IRuntimeCache)
            self._cache = cache
            return True

        @property
        def cuda_graph_strategy(self):
            return self._strategy

        @cuda_graph_strategy.setter
        def cuda_graph_strategy(self, strategy):
            module.told.strategies.append(module.CudaGraphStrategy(strategy).name)
            self._strategy = strategy

    class ICudaEngine(module.ICudaEngine):
        __slots__ = ()

        def create_runtime_config(self):
            return IRuntimeConfig()

    class Runtime(module.Runtime):
        __slots__ = ()

        def deserialize_cuda_engine(self, plan):
            engine = super().deserialize_cuda_engine(plan)
            if engine is not None:
                engine.__class__ = ICudaEngine
            return engine

    class IBuilderConfig(module.IBuilderConfig):
        __slots__ = ("num_compute_capabilities",)

        def set_compute_capability(self, capability, index):
            assert 0 <= index < self.num_compute_capabilities
            self._targets.append(module.ComputeCapability(capability).name)
            return True

    def create_builder_config(self):
        return IBuilderConfig()

    module.Builder.create_builder_config = create_builder_config
    for found in (IRuntimeCache, IRuntimeConfig, ICudaEngine, Runtime, IBuilderConfig):
        setattr(module, found.__name__, found)
