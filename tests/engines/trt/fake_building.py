"""The half of a pretended TensorRT that parses and builds; `fake_tensorrt.py` tells of what.

Every class has `_of`, the module it belongs to.
"""

import enum
import json

import onnx
from google.protobuf.message import DecodeError

MAGIC = b"fake plan "


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
        typed = self._of.NetworkDefinitionCreationFlag.STRONGLY_TYPED
        assert flags == 1 << int(typed), "networks must be strongly typed"
        return self._of.INetworkDefinition()

    def create_builder_config(self):
        return self._of.IBuilderConfig()

    def create_optimization_profile(self):
        return self._of.IOptimizationProfile()

    def build_serialized_network(self, network, config):
        if self._of.faults.build:
            self._log.log(ILogger.Severity.WARNING, "a warning that is not the reason")
            self._log.log(ILogger.Severity.ERROR, self._of.faults.build)
            return None
        if config.progress_monitor is not None:
            config.progress_monitor.phase_start("Building engine", None, 2)
            for step in range(2):
                assert config.progress_monitor.step_complete("Building engine", step)
            config.progress_monitor.phase_finish("Building engine")
        plan = {
            "version": self._of.__version__,
            "onnx": network._path,
            "profile": config._profile._shapes,
            "targets": config._targets,
        }
        return self._of.IHostMemory(MAGIC + json.dumps(plan).encode())


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


CLASSES = (
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
)
