"""What may happen to a run under way, and how the run may end then."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from jobs.disturbances.calls import Call, kill
from jobs.disturbances.footage import Footage

BUSY = "is writing this"
BLOCK_BYTES = 1 << 20
OUTPUT = "*.mp4"
RENDERS = "*/*/render-*.try.*"
COME_AGAIN = (RENDERS, "*/*/0*-*.json", OUTPUT)
POINTS = ("*/*/analyse-*.try.*", "*/analysis-*", "*/*/spans-*.json", *COME_AGAIN)
"""Files by which a run shows how far it is: work begun, a table, a plan, a piece made."""


@dataclass
class Scene:
    """A run under way, and what is around it.

    Attributes:
        output, work: folders of the run.
        begin: starts another call: by another curve into the same output, or into one of its own.
        settle_beside: waits for that call into an output of its own, and compares what it made;
            False where it never ran.
        fault: takes what went wrong, in a sentence.
        swapped: clips that were replaced while this run went on.
        before: all files that were there when it began.
        target: the piece of work at which an event that happens some times meets each run.
    """

    call: Call
    chance: random.Random
    footage: Footage
    output: Path
    work: Path
    begin: Callable[[bool], Call]
    settle_beside: Callable[[Call], bool]
    fault: Callable[[str], None]
    swapped: set[str]
    before: set[Path]
    target: str = ""

    def reached(self, event: Event) -> bool:
        """Waits for the event's point of the run, or one that chance names.

        Returns:
            False where the run ended before.
        """
        chosen = "" if event.is_slow else self.chance.choice(["", *self._points_ahead()])
        point = event.point or chosen
        if event.times > 1 and self.target:
            point = f"{self.target}.*"

        def has_come() -> bool:
            return self._is_claimed() and (not point or bool(set(self._at(point)) - self.before))

        if not self.call.until(has_come):
            return False
        if event.times > 1 and not self.target:
            fresh = next(iter(set(self._at(point)) - self.before), None)
            self.target = _work_of(fresh.relative_to(self.work)) if fresh else ""
        return True

    def _points_ahead(self) -> list[str]:
        """Those that this run can still come to: a table that is there is not made again."""
        firsts = [point for point in POINTS if point not in COME_AGAIN]
        passed = [n for n, point in enumerate(firsts) if self.before.intersection(self._at(point))]
        all_stand = len(self.before.intersection(self._at(OUTPUT))) == len(self.footage.names)
        again = [point for point in COME_AGAIN if point != OUTPUT or not all_stand]
        return [*firsts[max(passed, default=-1) + 1 :], *again]

    def _at(self, point: str) -> list[Path]:
        return list((self.output if point == OUTPUT else self.work).glob(point))

    def _is_claimed(self) -> bool:
        claims = self.output.glob(".aureel-*.lease")
        with suppress(FileNotFoundError):
            return any(f'"pid": {self.call.pid},' in claim.read_text() for claim in claims)
        return False


def _work_of(mark: Path) -> str:
    """`<state>/<job>/render-000003` of its start mark."""
    return str(mark.with_name(mark.name.partition(".")[0]))


def kill_worker(scene: Scene) -> bool:
    """One process that works for the run; its work is done again."""
    if not scene.call.until(lambda: bool(scene.call.workers())):
        return False
    workers = scene.call.workers()
    busy = [worker for worker in workers if "IDLE" not in worker.name()] or workers
    if busy:
        kill(scene.chance.choice(busy))
    return bool(busy)


def kill_raylet(scene: Scene) -> bool:
    """The process that gives the workers their work: the run ends, and says so in its report."""
    if not scene.call.until(lambda: scene.call.raylet() is not None):
        return False
    raylet = scene.call.raylet()
    if raylet is not None:
        kill(raylet)
    return raylet is not None


def kill_driver(scene: Scene) -> bool:
    """The process that was started; what it started is left to itself."""
    scene.call.tell(signal.SIGKILL)
    return True


def cut_power(scene: Scene) -> bool:
    """All processes of the run, at once."""
    scene.call.kill_all()
    return True


def stop(scene: Scene) -> bool:
    """SIGTERM, as a scheduler stops a job."""
    scene.call.tell(signal.SIGTERM)
    return True


def interrupt(scene: Scene) -> bool:
    """Ctrl-C."""
    scene.call.tell(signal.SIGINT)
    return True


def begin_second(scene: Scene) -> bool:
    """Another curve for the same outputs: refused by a line that names the first run."""
    second = scene.begin(False)
    status = second.ended()
    if second.never_ran:
        return False
    if not scene.call.is_running:
        return False  # it may rightly have found the outputs standing
    if status != 2 or BUSY not in second.said:
        scene.fault(f"a second run of the same outputs ended with status {status}: {second.said}")
    return True


def begin_beside(scene: Scene) -> bool:
    """Another curve, into its own outputs, over the same run folder: both are made."""
    return scene.settle_beside(scene.begin(True))


def pause(scene: Scene) -> bool:
    """A stopped driver keeps its outputs."""
    scene.call.tell(signal.SIGSTOP)
    try:
        return begin_second(scene)
    finally:
        scene.call.tell(signal.SIGCONT)


def swap_source(scene: Scene) -> bool:
    """Another take under a clip's name."""
    name = scene.chance.choice(scene.footage.names)
    scene.footage.swap(name)
    scene.swapped.add(name)
    return True


def fill_disk(scene: Scene) -> bool:
    """The disk of outputs and run folder, until work waits for room or the run ends."""
    with _filled(scene.output.parent / "filler"):
        scene.call.until(lambda: any(True for _ in scene.work.glob("*/*/no-room.*")))
    return True


@contextmanager
def _filled(filler: Path) -> Generator[None]:
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        for size in (BLOCK_BYTES, 1 << 12):
            with suppress(OSError):
                while file.write(bytes(size)):
                    pass
    try:
        yield
    finally:
        filler.unlink(missing_ok=True)


@dataclass(frozen=True)
class Event:
    """A kind of disturbance.

    Attributes:
        do: to a run that has reached a point; False where the run had ended before.
        ends: the run; it then ends with one of `statuses`, else these are allowed beside 0.
        is_slow: it starts a process, so it begins as early as can be.
        point: files by which a run shows that it is where this is to meet it, instead of chance.
        times: in a row that it happens, at the same piece of work, each to a run of its own.
    """

    do: Callable[[Scene], bool]
    ends: bool = False
    statuses: tuple[int, ...] = ()
    is_slow: bool = False
    point: str = ""
    times: int = 1


EVENTS = {
    "worker": Event(kill_worker),
    "raylet": Event(kill_raylet, True, (0, 1, 2)),
    "driver": Event(kill_driver, True, (-signal.SIGKILL,)),
    "power": Event(cut_power, True, (-signal.SIGKILL,)),
    "sigterm": Event(stop, True, (128 + signal.SIGTERM,)),
    "sigint": Event(interrupt, True, (128 + signal.SIGINT,)),
    "stubborn": Event(cut_power, True, (-signal.SIGKILL,), point=RENDERS, times=3),
    "second": Event(begin_second, is_slow=True),
    "beside": Event(begin_beside, is_slow=True),
    "pause": Event(pause),
    "swap": Event(swap_source, statuses=(1,)),
    "disk": Event(fill_disk, statuses=(2,)),
}
