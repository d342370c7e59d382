"""The half of a pretended TensorRT that loads plans and runs them, and what RTX adds to both.

Every class has `_of`, the module it belongs to.
"""

import ctypes
import json
import math

import numpy as np
import onnxruntime

from tests.engines.trt.fake_building import MAGIC, IBuilderConfig

ELEMENTS = {"tensor(float)": 1, "tensor(float16)": 10, "tensor(bfloat16)": 16, "tensor(int64)": 7}
TRT_DTYPES = {
    "tensor(float)": "FLOAT",
    "tensor(float16)": "HALF",
    "tensor(bfloat16)": "BF16",
    "tensor(int64)": "INT64",
}


class Runtime:
    __slots__ = ("_log",)

    def __init__(self, log):
        self._log = log

    def deserialize_cuda_engine(self, plan):
        fault = self._of.faults.load
        told = json.loads(plan[len(MAGIC) :]) if plan.startswith(MAGIC) else {}
        if not fault and told.get("version") != self._of.__version__:
            fault = "IRuntime::deserializeCudaEngine: Version tag does not match"
        if fault:
            self._log.log(self._of.ILogger.Severity.ERROR, fault)
            return None
        return self._of.ICudaEngine(told, self._log)


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
    def device_memory_size_v2(self):
        return self._of.seen.activations

    @property
    def num_io_tensors(self):
        return len(self._ports)

    def get_tensor_name(self, index):
        return self._ports[index][0].name

    def get_tensor_mode(self, name):
        mode = self._of.TensorIOMode
        return mode.INPUT if self._port(name)[1] else mode.OUTPUT

    def get_tensor_dtype(self, name):
        return self._of.DataType[TRT_DTYPES[self._port(name)[0].type]]

    def get_tensor_shape(self, name):
        return [-1 if isinstance(n, str) else n for n in self._port(name)[0].shape]

    def get_tensor_profile_shape(self, name, profile):
        assert profile == 0
        return self._profile[name]

    def create_execution_context(self, *config):
        if self._of.faults.context:
            self._log.log(self._of.ILogger.Severity.ERROR, self._of.faults.context)
            return None
        self._of.seen.contexts += 1
        self._of.seen.managed.append(bool(config and getattr(config[0], "_managed", False)))
        return self._of.IExecutionContext(self)


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

    def set_device_memory(self, memory, size):
        assert size >= self._engine.device_memory_size_v2
        self._of.seen.lent.append((memory, size))

    def execute_async_v3(self, stream):
        if self._of.faults.run:
            self._engine._log.log(self._of.ILogger.Severity.ERROR, self._of.faults.run)
            return False
        self._of.seen.runs += 1
        session = self._engine._session
        binding = session.io_binding()
        batch = next(s[0] for s in self._shapes.values() if s)
        for port, is_input in self._engine._ports:
            shape = [batch if isinstance(n, str) else n for n in port.shape]
            bind = binding.bind_input if is_input else binding.bind_output
            element = ELEMENTS[port.type]
            bind(port.name, "cpu", 0, element, shape, self._addresses[port.name])
        session.run_with_iobinding(binding)
        if self._of.faults.spoil:
            self._spoil(batch)
        return True

    def _spoil(self, batch):
        for port, is_input in self._engine._ports:
            if is_input:
                continue
            kind = {"tensor(float16)": np.float16, "tensor(float)": np.float32}[port.type]
            shape = [batch, *port.shape[1:]]
            size = math.prod(shape) * np.dtype(kind).itemsize
            memory = (ctypes.c_char * size).from_address(self._addresses[port.name])
            np.frombuffer(memory, kind)[:] += kind(self._of.faults.spoil)


class IRuntimeCache:
    __slots__ = ("_known",)

    def __init__(self):
        self._known = b""

    def serialize(self):
        return self._of.IHostMemory(b"kernels of this GPU")

    def deserialize(self, blob):
        self._of.seen.caches.append(bytes(blob))
        return True


class IRuntimeConfig:
    __slots__ = ("_cache", "_kernels", "_managed", "_strategy")

    def create_runtime_cache(self):
        return self._of.IRuntimeCache()

    def set_runtime_cache(self, cache):
        assert isinstance(cache, IRuntimeCache)
        self._cache = cache
        return True

    def set_execution_context_allocation_strategy(self, strategy):
        self._managed = strategy == self._of.ExecutionContextAllocationStrategy.USER_MANAGED

    @property
    def cuda_graph_strategy(self):
        return self._strategy

    @cuda_graph_strategy.setter
    def cuda_graph_strategy(self, strategy):
        self._of.seen.strategies.append(self._of.CudaGraphStrategy(strategy).name)
        self._strategy = strategy

    @property
    def dynamic_shapes_kernel_specialization_strategy(self):
        return self._kernels

    @dynamic_shapes_kernel_specialization_strategy.setter
    def dynamic_shapes_kernel_specialization_strategy(self, strategy):
        known = self._of.DynamicShapesKernelSpecializationStrategy
        self._of.seen.kernels.append(known(strategy).name)
        self._kernels = strategy


class RtxEngine(ICudaEngine):
    __slots__ = ()

    def create_runtime_config(self):
        return self._of.IRuntimeConfig()


class RtxBuilderConfig(IBuilderConfig):
    __slots__ = ("num_compute_capabilities",)

    def set_compute_capability(self, capability, index):
        assert 0 <= index < self.num_compute_capabilities
        self._targets.append(self._of.ComputeCapability(capability).name)
        return True


CLASSES = (Runtime, ICudaEngine, IExecutionContext)
RTX = {
    "IRuntimeCache": IRuntimeCache,
    "IRuntimeConfig": IRuntimeConfig,
    "ICudaEngine": RtxEngine,
    "IBuilderConfig": RtxBuilderConfig,
}
