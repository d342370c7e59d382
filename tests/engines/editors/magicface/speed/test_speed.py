"""Compiled and graph-replayed networks give the eager ones' numbers; memory faults shrink a batch.

What only a GPU can show is marked `gpu`; the logic around it runs here with a replay that runs the
network again instead of a captured graph.
"""

import weakref

import numpy as np
import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from engines.devices.batches import ShrinkingBatch
from engines.devices.torch_device import resolve_device
from engines.devices.transfer import start_download, upload
from engines.editors.magicface.folders import find_folders
from engines.editors.magicface.model.torch_networks import load_modules
from engines.editors.magicface.speed import speed
from engines.editors.magicface.speed.speed import (
    ATTENTION_ORDER,
    attention_order,
    resolve_dtype,
    running,
    steady_kernels,
    torch_networks,
)
from engines.editors.magicface.speed.static_call import (
    CudaCapture,
    StaticCall,
    map_tensors,
    out_of_memory_as_itself,
    tensors_of,
)
from engines.errors import EngineError, EngineUnavailableError

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def modules(tiny_weights):
    return load_modules(find_folders(tiny_weights))


def _inputs(modules, frames=2):
    generator = torch.Generator().manual_seed(2)
    latents, source = torch.randn((2, frames, 4, 8, 8), generator=generator)
    au = torch.randn((frames, 12), generator=generator)
    return latents, source, torch.tensor(400), au, modules.id_encoder(source)


class _Replays:
    """Stands for CUDA's capture: notes captures and runs the network anew at each replay."""

    def __init__(self):
        self.captures = 0
        self.replays = 0

    def __call__(self, run):
        self.captures += 1

        def replay():
            self.replays += 1
            return run()

        return replay


def test_a_static_call_gives_the_networks_own_answers(modules):
    replays = _Replays()
    call = StaticCall(modules.denoiser, replays)
    latents, source, t, au, id_kv = _inputs(modules)
    expected = modules.denoiser(latents, source, t, au, id_kv)
    assert torch.equal(call(latents, source, t, au, id_kv), expected)
    assert torch.equal(call(latents, source, t, au, id_kv), expected)
    other = modules.denoiser(latents * 0.5, source, torch.tensor(3), -au, id_kv)
    assert torch.equal(call(latents * 0.5, source, torch.tensor(3), -au, id_kv), other)
    assert (replays.captures, replays.replays) == (1, 3)


def test_each_batch_size_is_captured_once(modules):
    replays = _Replays()
    call = StaticCall(modules.id_encoder, replays)
    for frames in (2, 1, 2, 1):
        _, source, *_ = _inputs(modules, frames)
        expected = modules.id_encoder(source)
        for (key, value), (k, v) in zip(call(source), expected, strict=True):
            assert torch.equal(key, k)
            assert torch.equal(value, v)
    assert replays.captures == 2
    call.forget()
    call(source)
    assert replays.captures == 3


def test_an_input_that_stays_the_same_is_copied_once():
    copied = []

    class Watched(torch.Tensor):
        def copy_(self, source):
            copied.append(tuple(source.shape))
            return super().copy_(source)

        def clone(self):
            return super().clone().as_subclass(Watched)

    call = StaticCall(lambda a, pairs: a + pairs[0][0], lambda run: run)
    kept = torch.ones(3).as_subclass(Watched)
    for value in (1.0, 2.0, 3.0):
        changing = torch.full((1,), value).as_subclass(Watched)
        assert torch.equal(call(changing, ((kept,),)), torch.full((3,), value + 1))
    assert copied == [(1,), (1,)]


def test_outputs_are_not_overwritten_by_the_next_call():
    place = torch.zeros(2)

    def capture(run):
        def replay():
            place.copy_(run())
            return place

        return replay

    call = StaticCall(lambda x: x * 2, capture)
    first = call(torch.ones(2))
    call(torch.full((2,), 5.0))
    assert torch.equal(first, torch.full((2,), 2.0))


def test_trees_of_tensors_are_walked_in_order():
    a, b, c = torch.tensor([1.0]), torch.tensor([2.0]), torch.tensor([3.0])
    tree = (a, ((b, c),))
    assert tensors_of(tree) == [a, b, c]
    assert map_tensors(tree, lambda t: t + 1)[1][0][1].item() == 4


@pytest.mark.slow
@pytest.mark.parametrize("network", ["id_encoder", "denoiser"])
def test_the_unets_compile_as_one_graph(modules, network):
    """Tracing alone (backend eager): a graph break would cost much of what compiling gains."""
    latents, source, t, au, id_kv = _inputs(modules)
    inputs = {"id_encoder": (source,), "denoiser": (latents, source, t, au, id_kv)}[network]
    module = getattr(modules, network)
    traced = torch.compile(module, backend="eager", dynamic=False, fullgraph=True)
    for ours, expected in zip(
        tensors_of(traced(*inputs)), tensors_of(module(*inputs)), strict=True
    ):
        assert torch.equal(ours, expected)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated:DeprecationWarning")
def test_compiled_networks_agree_with_eager_ones(modules):
    networks = torch_networks(modules, "compiled", compile_mode="default")
    latents, source, t, au, id_kv = _inputs(modules)
    with running(CPU):
        eps = networks.denoiser(latents, source, t, au, id_kv)
        assert (eps - modules.denoiser(latents, source, t, au, id_kv)).abs().max() < 1e-4
        image = networks.codec.decode(source)
        assert (image - modules.vae_decoder(source)).abs().max() < 1e-4


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU")
def test_captured_graphs_agree_with_eager_networks(tiny_weights):
    modules = load_modules(find_folders(tiny_weights), "cuda", torch.float16)
    networks = torch_networks(modules, "graphs")
    inputs = map_tensors(_inputs(load_modules(find_folders(tiny_weights)))[:4], torch.clone)
    latents, source, t, au = (x.cuda() if x.ndim == 0 else x.cuda().half() for x in inputs)
    with running(torch.device("cuda")):
        id_kv = networks.id_encoder(source)
        for _ in range(2):
            eps = networks.denoiser(latents, source, t, au, id_kv)
            expected = modules.denoiser(latents, source, t, au, id_kv)
            assert (eps - expected).abs().max() < 1e-2


def test_running_changes_nothing_that_stays():
    before = torch.backends.cudnn.deterministic, torch.is_grad_enabled()
    with running(CPU):
        assert torch.backends.cudnn.deterministic
        assert not torch.backends.cudnn.allow_tf32
    assert before == (torch.backends.cudnn.deterministic, torch.is_grad_enabled())
    with pytest.raises(EngineError), steady_kernels():
        raise EngineError("x")
    assert before[0] == torch.backends.cudnn.deterministic


def test_after_memory_ran_out_graphs_are_captured_in_a_new_pool():
    pools = iter("abc")
    capture = CudaCapture(new_pool=lambda: next(pools))
    graphs = {"denoiser": StaticCall(lambda x: x, capture)}
    before = capture.pool
    speed._forget(graphs, capture)
    assert (before, capture.pool) == ("a", "b")


def test_attention_is_tried_out_at_the_sizes_of_the_networks():
    widest = max(queries for width, queries, _ in speed.ATTENTION_SHAPES if width == 40)
    assert widest == (512 // 8) ** 2
    assert (40, 4096, 8192) in speed.ATTENTION_SHAPES, "a block's own tokens and the identity's"
    assert (160, 64, 128) in speed.ATTENTION_SHAPES
    assert (40, 4096, 77) in speed.ATTENTION_SHAPES


def test_auto_is_fp32_on_a_cpu_and_fp16_on_a_gpu():
    assert resolve_dtype("auto", CPU) == "fp32"
    assert resolve_dtype("auto", torch.device("cuda")) == "fp16"
    assert resolve_dtype("bf16", CPU) == "bf16"


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_a_gpu_that_is_not_here_is_one_clear_line():
    assert resolve_device("auto") == CPU
    with pytest.raises(EngineUnavailableError, match=r"device 'cuda:1': .* finds 0 CUDA GPUs here"):
        resolve_device("cuda:1")


def test_arrays_go_up_and_come_back_unchanged():
    array = np.random.default_rng(0).random((2, 3, 4), np.float32)
    wait = start_download(upload(array[:, ::-1], CPU))
    assert np.array_equal(wait(), array[:, ::-1])
    assert wait().dtype == np.float32


def _out_of_memory_above(most):
    seen = []

    def work(rows):
        seen.append(rows.tolist())
        if len(rows) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB. GPU 0 has")
        return rows * 10

    return work, seen


def test_a_batch_that_does_not_fit_is_halved_on_the_same_rows_and_stays_so():
    forgotten = []
    batch = ShrinkingBatch(8, lambda: forgotten.append(1))
    work, seen = _out_of_memory_above(2)
    made = batch.run(np.arange(5), work)
    assert seen == [[0, 1, 2, 3, 4, 4, 4, 4], [0, 1, 2, 3], [0, 1], [2, 3], [4, 4]]
    assert [(rows.tolist(), answer[: len(rows)].tolist()) for rows, answer in made] == [
        ([0, 1], [0, 10]),
        ([2, 3], [20, 30]),
        ([4], [40]),
    ]
    assert len(forgotten) == 2
    assert batch.note == "batch 8 did not fit the GPU's memory, continued with 2"
    seen.clear()
    batch.run(np.arange(4), work)
    assert seen == [[0, 1], [2, 3]]


def test_the_failed_attempts_tensors_are_gone_when_its_memory_is_given_back():
    """An error's traceback holds the frames it went through, and they hold their tensors."""
    left = []

    def work(rows):
        large = torch.zeros(len(rows))
        left.append(weakref.ref(large))
        if len(rows) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return rows

    gone = []
    batch = ShrinkingBatch(4, lambda: gone.append(left[-1]() is None))
    batch.run(np.arange(1), work)
    assert gone == [True, True]


def test_memory_that_runs_out_in_a_capture_is_told_as_such():
    def spoiled_capture(reason):
        with out_of_memory_as_itself():
            try:
                raise reason
            finally:
                raise RuntimeError("operation failed due to a previous error during capture")

    with pytest.raises(torch.OutOfMemoryError, match="tried 2 GiB"):
        spoiled_capture(torch.OutOfMemoryError("tried 2 GiB"))
    with pytest.raises(RuntimeError, match="previous error"):
        spoiled_capture(RuntimeError("misaligned address"))


def test_an_attention_kernel_that_raises_is_not_asked_again(monkeypatch):
    monkeypatch.setattr(speed, "ATTENTION_SHAPES", ((40, 64, 128), (80, 32, 77)))  # a CPU's time
    attention_order.cache_clear()
    assert attention_order(CPU) == ATTENTION_ORDER
    attention_order.cache_clear()
    calls = []

    def raises_in_order(*tensors):
        calls.append(tensors)
        if len(calls) == 4:  # the second shape, by the kernel on trial
            raise RuntimeError("No valid execution plans built.")
        return scaled_dot_product_attention(*tensors)

    monkeypatch.setattr(speed, "scaled_dot_product_attention", raises_in_order)
    assert attention_order(CPU) == ATTENTION_ORDER[1:]
    attention_order.cache_clear()


def test_memory_that_runs_out_later_loses_no_finished_rows():
    batch = ShrinkingBatch(4)
    calls = []

    def work(rows):
        calls.append(rows.tolist())
        if len(calls) == 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return rows

    made = batch.run(np.arange(8), work)
    assert calls == [[0, 1, 2, 3], [4, 5, 6, 7], [4, 5], [6, 7]]
    assert np.concatenate([rows for rows, _ in made]).tolist() == list(range(8))


def test_one_frame_that_does_not_fit_is_one_clear_line():
    batch = ShrinkingBatch(2)
    work, seen = _out_of_memory_above(0)
    with pytest.raises(EngineUnavailableError, match="one frame at a time") as error:
        batch.run(np.arange(2), work)
    assert [len(rows) for rows in seen] == [2, 1]
    assert "Tried to allocate 2 GiB" in str(error.value)
    assert "\n" not in str(error.value)


def test_no_rows_are_no_work():
    work, seen = _out_of_memory_above(4)
    assert ShrinkingBatch(4).run(np.arange(0), work) == []
    assert seen == []
    assert ShrinkingBatch(4).note is None
