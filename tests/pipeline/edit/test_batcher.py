import threading
import time

import numpy as np
import pytest

from engines.errors import EngineError
from engines.interface import AlignedCrops, EditedCrops
from keyframes.au import AUDelta
from pipeline.edit.batcher import CropRequest, MicroBatcher


class Recorder:
    """An editor that adds each crop's own AU1 delta to it, and remembers its calls."""

    crop_size = 8

    def __init__(self, batch_size: int, fail_on: int | None = None) -> None:
        self.batch_size = batch_size
        self.fail_on = fail_on
        self.batches: list[list[int]] = []

    def edit(self, crops: AlignedCrops, delta: AUDelta, *, seed: int) -> EditedCrops:
        self.batches.append(crops.frame_index.tolist())
        if self.fail_on in crops.frame_index:
            raise EngineError("the editor is out of paint")
        edited = crops.images.astype(np.float32) + delta.values[:, :1, None, None]
        return EditedCrops(edited, crops.images, np.ones(crops.images.shape[:3], np.float32))


def request(frame: int, dtype: type = np.uint8) -> CropRequest:
    image = np.full((8, 8, 3), frame, dtype)
    delta = np.zeros(12, np.float32)
    delta[0] = frame % 7
    points, pose, lids = np.zeros((68, 2)), np.zeros(3), np.zeros(2)
    known = (part.astype(np.float32) for part in (pose, lids))
    return CropRequest(image, points.astype(np.float32), frame, delta, *known)


def test_every_crop_gets_its_own_edit_back():
    with MicroBatcher(Recorder(4), seed=1) as batcher:
        futures = [batcher.submit(request(n)) for n in range(10)]
        for n, future in enumerate(futures):
            assert np.all(future.result().edited == n + n % 7)
            assert np.allclose(future.result().residual, (n % 7) / 255)


def test_the_editor_only_ever_sees_full_batches():
    editor = Recorder(4)
    with MicroBatcher(editor, seed=1) as batcher:
        for future in [batcher.submit(request(n)) for n in range(6)]:
            future.result()
    assert {len(batch) for batch in editor.batches} == {4}


@pytest.mark.parametrize(("batches", "expected"), [(1, 0.0), (2, 0.5), (3, 0.75)])
def test_what_a_crop_takes_is_told_without_the_first_batch(monkeypatch, batches, expected):
    taken = iter([0.0, 30.0, 30.0, 32.0, 32.0, 36.0])  # the first batch compiles
    monkeypatch.setattr("pipeline.edit.batcher.time.perf_counter", lambda: next(taken))
    with MicroBatcher(Recorder(4), seed=1) as batcher:
        for _ in range(batches):
            for future in [batcher.submit(request(n)) for n in range(4)]:
                future.result()
    assert batcher.edit_s == expected


def test_batches_mix_the_segments_that_run_at_once():
    editor = Recorder(3)
    with MicroBatcher(editor, seed=1, patience_s=1.0) as batcher:
        segments = [
            threading.Thread(target=lambda n=n: batcher.submit(request(n)).result())
            for n in (10, 20, 30)
        ]
        for segment in segments:
            segment.start()
        for segment in segments:
            segment.join()
    assert [sorted(batch) for batch in editor.batches] == [[10, 20, 30]]


def test_crops_of_the_oldest_segment_go_first_and_others_fill_its_batches():
    editor, go_on = Recorder(2), threading.Event()
    edit = editor.edit
    editor.edit = lambda *given, **how: (go_on.wait(), edit(*given, **how))[1]
    with MicroBatcher(editor, seed=1) as batcher:
        first, older, younger = batcher.turn(), batcher.turn(), batcher.turn()
        under_way = [batcher.submit(request(n), first) for n in (1, 2)]
        waiting = [batcher.submit(request(n), younger) for n in (30, 31, 32)]
        waiting += [batcher.submit(request(n), older) for n in (20, 21, 22)]
        go_on.set()
        for future in under_way + waiting:
            future.result()
    assert editor.batches == [[1, 2], [20, 21], [22, 30], [31, 32]]


def test_a_lonely_crop_does_not_wait_for_ever():
    with MicroBatcher(Recorder(8), seed=1) as batcher:
        begun = time.monotonic()
        batcher.submit(request(1)).result(timeout=5)
        assert time.monotonic() - begun < 2


def test_eight_bit_and_deeper_crops_never_share_a_batch():
    editor = Recorder(4)
    with MicroBatcher(editor, seed=1) as batcher:
        futures = [batcher.submit(request(n, np.uint16 if n % 2 else np.uint8)) for n in range(4)]
        scales = [future.result().full_scale for future in futures]
    assert scales == [255, 65535, 255, 65535]
    assert all(len({n % 2 for n in batch}) == 1 for batch in editor.batches)


def test_an_editors_error_reaches_the_segment_that_waits_and_the_batcher_goes_on():
    with MicroBatcher(Recorder(1, fail_on=5), seed=1) as batcher:
        with pytest.raises(EngineError, match="out of paint"):
            batcher.submit(request(5)).result()
        assert np.all(batcher.submit(request(6)).result().edited == 12)


class Miser(Recorder):
    """Keeps the last crop of a batch to itself."""

    def edit(self, crops, delta, *, seed):
        made = super().edit(crops, delta, seed=seed)
        return EditedCrops(made.edited[:-1], made.reference[:-1], made.mask[:-1])


def test_an_editor_that_gives_too_little_is_told_on_and_leaves_nobody_waiting():
    with MicroBatcher(Miser(2), seed=1) as batcher:
        futures = [batcher.submit(request(n)) for n in (1, 2)]
        for future in futures:
            with pytest.raises(EngineError, match="gave 1 crops; expected 2"):
                future.result(timeout=5)


class Staged(Recorder):
    """The same editor in three stages; its networks wait until the next batch is ready."""

    def __init__(self, batch_size: int, batches: int, fail_in: str = "") -> None:
        super().__init__(batch_size)
        self.fail_in = fail_in
        self.readied = [threading.Event() for _ in range(batches + 1)]
        self.readied[batches].set()
        self.finishing = threading.Event()
        self.calls = 0

    def ready(self, crops: AlignedCrops, delta: AUDelta):
        self.readied[self.calls].set()
        self.calls += 1
        self._fail("ready")
        return crops, delta

    def run(self, readied, *, seed: int):
        number = len(self.batches)
        assert self.readied[number + 1].wait(60), "the next batch is not made ready meanwhile"
        assert number < 2 or self.finishing.wait(60), "the last one is not finished meanwhile"
        self._fail("run")
        return self.edit(*readied, seed=seed)

    def finish(self, made):
        self.finishing.set()
        self._fail("finish")
        return made

    def _fail(self, stage: str) -> None:
        if self.fail_in == stage:
            raise EngineError(f"out of paint in {stage}")


def test_one_batch_is_made_ready_and_another_finished_while_a_third_is_run():
    editor = Staged(2, batches=4)
    with MicroBatcher(editor, seed=1) as batcher:
        futures = [batcher.submit(request(n)) for n in range(8)]
        for n, future in enumerate(futures):
            assert np.all(future.result(timeout=60).edited == n + n % 7)
    assert editor.batches == [[0, 1], [2, 3], [4, 5], [6, 7]]


def test_a_batch_that_is_not_full_waits_for_the_one_that_is_run():
    """Networks that are busy lose nothing by it, and half a batch would cost them a whole one."""
    editor, go_on = Staged(4, batches=1), threading.Event()
    running, run = threading.Event(), editor.run

    def held_back(readied, *, seed):
        running.set()
        assert go_on.wait(60)
        return run(readied, seed=seed)

    editor.readied += [threading.Event()]
    editor.run = held_back
    with MicroBatcher(editor, seed=1, patience_s=0.001) as batcher:
        futures = [batcher.submit(request(n)) for n in range(4)]
        assert running.wait(60)
        futures.append(batcher.submit(request(4)))
        time.sleep(0.05)  # many times its patience: it would leave now
        futures += [batcher.submit(request(n)) for n in range(5, 8)]
        for event in editor.readied:
            event.set()
        go_on.set()
        for future in futures:
            future.result(timeout=60)
    assert editor.batches == [[0, 1, 2, 3], [4, 5, 6, 7]]


@pytest.mark.parametrize("stage", ["ready", "run", "finish"])
def test_what_a_stage_raises_reaches_those_who_wait_and_the_next_batch_goes_on(stage):
    editor = Staged(1, batches=0, fail_in=stage)
    editor.readied = [threading.Event() for _ in range(4)]
    for event in editor.readied:
        event.set()
    with MicroBatcher(editor, seed=1) as batcher:
        with pytest.raises(EngineError, match=f"out of paint in {stage}"):
            batcher.submit(request(1)).result(timeout=60)
        editor.fail_in = ""
        assert np.all(batcher.submit(request(2)).result(timeout=60).edited == 4)
