"""A seeded run of disturbances over a batch of clips, and the comparison of all that is published.

Runs of `animate` follow each other over one output and one run folder, each disturbed as chance has
it, until as many disturbances as asked for have met a run under way. After each run, every output
that stands must be, byte for byte, that of an undisturbed run of one of the curves and takes it can
have been made from; after one that ended well, all are there.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobs.disturbances.calls import Call
from jobs.disturbances.events import EVENTS, Event, Scene
from jobs.disturbances.footage import TAKES, Footage

EDITOR = "jobs.disturbances.paced:PacedEditor"
CURVES = (
    "version: 1\nchannels: {AU12: [[0s, 0], [0.4s, 3], [1.2s, 3], [1.5s, 0]]}\n",
    "version: 1\nchannels: {AU15: [[0s, 1], [0.8s, 4]]}\n",
)
NAME = "look"
"""Of all curves, so that their outputs have the same names."""
DISK = "size=64m"
MOST_MISSES = 8
PACE_S = 0.1
"""What each edit of a disturbed run takes longer, so that disturbances meet it under way."""


@dataclass
class Outcome:
    """What came of it.

    Attributes:
        met: disturbances that met a run under way, by kind.
        compared_bytes: of all outputs, each time they were compared.
        faults: what went wrong, in sentences.
    """

    met: dict[str, int] = field(default_factory=dict[str, int])
    runs: int = 0
    compared_bytes: int = 0
    faults: list[str] = field(default_factory=list[str])


def disturb(
    folder: Path, *, seed: int, events: int, clips: int, kinds: Sequence[str],
    say: Callable[[str], None],
) -> Outcome:  # fmt: skip
    """Disturbs runs until `events` disturbances have met one, or something has gone wrong.

    Args:
        folder: empty; takes footage, outputs and all that the runs say.
        kinds: keys of EVENTS; `disk` is left out, and that is said, where none can be mounted.
        say: takes a line per run.
    """
    with _small_disk(folder / "disk", wanted="disk" in kinds) as is_small:
        if "disk" in kinds and not is_small:
            say("disk: left out; a small disk can be mounted by root only")
            kinds = [kind for kind in kinds if kind != "disk"]
        return _Campaign(folder, random.Random(seed), clips, kinds, say).run(events)


@contextmanager
def _small_disk(place: Path, *, wanted: bool) -> Generator[bool]:
    place.mkdir()
    if not wanted:
        yield False
        return
    mount = ["mount", "-t", "tmpfs", "-o", DISK, "none", str(place)]
    try:
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(place)], check=True)


class _Campaign:
    def __init__(
        self,
        folder: Path,
        chance: random.Random,
        clips: int,
        kinds: Sequence[str],
        say: Callable[[str], None],
    ) -> None:
        self._folder = folder
        self._chance = chance
        self._kinds = list(kinds)
        self._say = say
        self._output, self._work = folder / "disk/out", folder / "disk/work"
        (folder / "logs").mkdir()
        for number, text in enumerate(CURVES):
            path = self._curve_file(number)
            path.parent.mkdir(parents=True)
            path.write_text(text)
        self._footage = Footage(folder / "footage", clips)
        self._known: set[int] = set()
        self._outcome = Outcome()
        self._curve = 0
        self._target = ""
        self._start_anew()

    def run(self, events: int) -> Outcome:
        deck: list[str] = []
        misses = 0
        while sum(self._outcome.met.values()) < events and not self._outcome.faults:
            deck = deck or self._dealt()
            before = len(deck)
            self._disturbed_run(deck, events)
            misses = misses + 1 if len(deck) == before else 0
            if misses > MOST_MISSES:
                self._fault(f"{deck[0]}: never met a run under way")
        if not (self._outcome.faults or self._is_whole):
            self._last_run()
        return self._outcome

    def _dealt(self) -> list[str]:
        """All kinds in an order of chance, each as often as it comes in a row."""
        kinds = self._chance.sample(self._kinds, len(self._kinds))
        return [kind for kind in kinds for _ in range(EVENTS[kind].times)]

    def _start_anew(self) -> None:
        """Forgets all that was made, curves and takes with it."""
        for place in (self._output, self._work):
            shutil.rmtree(place, ignore_errors=True)
        self._must_replace = self._is_whole = False
        self._curves = {self._curve}
        self._takes = {name: {take} for name, take in self._footage.takes.items()}

    def _disturbed_run(self, deck: list[str], events: int) -> None:
        """One run, and those of the deck's disturbances, from its top, that meet it."""
        if self._is_whole:
            self._change()
        before = {path for place in (self._output, self._work) for path in place.rglob("*")}
        call = self._begin(self._curve, self._output)
        scene = self._scene(call, before)
        met: list[str] = []
        while deck and sum(self._outcome.met.values()) < events and not self._outcome.faults:
            event = EVENTS[deck[0]]
            if not scene.reached(event) or not event.do(scene):
                break
            met.append(deck.pop(0))
            self._outcome.met[met[-1]] = self._outcome.met.get(met[-1], 0) + 1
            if event.ends:
                break
        self._target = scene.target if met and deck[:1] == met[-1:] else ""
        for name in scene.swapped:
            self._takes[name].add(self._footage.takes[name])
            self._must_replace = True
        status = call.ended()
        self._say(f"run {self._outcome.runs}: {', '.join(met) or 'nothing'}: status {status}")
        self._judge(call, status, [EVENTS[kind] for kind in met], scene.swapped)

    def _change(self) -> None:
        """Begins anew, or goes on with another curve for the same outputs."""
        if len(self._known) < len(CURVES) or self._chance.random() < 0.5:
            self._start_anew()
            return
        self._curve = 1 - self._curve
        self._curves.add(self._curve)
        self._must_replace, self._is_whole = True, False

    def _last_run(self) -> None:
        for _ in range(MOST_MISSES):
            call = self._begin(self._curve, self._output)
            status = call.ended()
            self._say(f"run {self._outcome.runs}: undisturbed: status {status}")
            self._judge(call, status, [], set())
            if not call.never_ran:
                return
        self._fault("Ray never started again")

    def _scene(self, call: Call, before: set[Path]) -> Scene:
        def begin(is_beside: bool) -> Call:
            place = self._folder / "disk/beside" if is_beside else self._output
            return self._begin(1 - self._curve, place, replace=False)

        return Scene(
            call=call,
            chance=self._chance,
            footage=self._footage,
            output=self._output,
            work=self._work,
            begin=begin,
            settle_beside=self._settle_beside,
            fault=self._fault,
            swapped=set(),
            before=before,
            target=self._target,
        )

    def _settle_beside(self, call: Call) -> bool:
        status = call.ended()
        if call.never_ran:
            return False
        if status != 0:
            self._fault(f"a run beside the other ended with status {status}: {call.said}")
        place, curves = self._folder / "disk/beside", {1 - self._curve}
        takes = {name: {take} for name, take in self._footage.takes.items()}
        self._compare(place, curves, takes, whole=True)
        shutil.rmtree(place, ignore_errors=True)
        return True

    def _judge(self, call: Call, status: int, events: list[Event], swapped: set[str]) -> None:
        """Holds a run's end, its report and all outputs against what must be."""
        if events and events[-1].ends:
            allowed = set(events[-1].statuses)
        else:
            allowed = {0}.union(*(event.statuses for event in events))
        self._is_whole = False
        if call.never_ran:
            return
        if status not in allowed:
            hangs = "hung, and was killed; " if call.hangs else ""
            self._fault(f"{hangs}status {status}, expected {sorted(allowed)}: {call.said}")
        if call.has_begun and status >= 0:
            is_cut = any(event is EVENTS["raylet"] for event in events)
            self._check_report(call, status, swapped, is_cut=is_cut)
        ended_itself = status >= 0 and not self._was_cut(call)
        whole = self._is_whole = status == 0 and not swapped
        curves = {self._curve} if whole else self._curves
        now = {name: {take} for name, take in self._footage.takes.items()}
        self._compare(self._output, curves, now if whole else self._takes, whole=whole)
        if ended_itself:
            litter = [p for place in (self._output, self._work) for p in place.rglob(".aureel-*")]
            if litter:
                self._fault(f"left behind, with status {status}: {', '.join(map(str, litter))}")

    def _was_cut(self, call: Call) -> bool:
        """Whether Ray ended the process from below, which then could not tidy up."""
        try:
            return "not ended" in call.report.read_text()
        except OSError:
            return call.has_begun

    def _check_report(self, call: Call, status: int, swapped: set[str], *, is_cut: bool) -> None:
        """Every video has its line, and a reason where it was not made.

        Args:
            is_cut: Ray ended the process from below, and the report is that of the last moment.
        """
        try:
            report: Any = json.loads(call.report.read_text())
            videos = {Path(v["input"]).stem: v for v in report["videos"]}
        except (OSError, ValueError) as error:
            self._fault(f"no report after status {status}: {error}")
            return
        if set(videos) != set(self._footage.names):
            self._fault(f"the report tells of {sorted(videos)}")
        if status not in (0, 1):
            return
        for name, video in videos.items():
            is_told = name in swapped and "while the job ran" in video["error"]
            is_told |= is_cut and any(word in video["error"] for word in ("not ended", "Ray"))
            if video["status"] == "failed" and not is_told:
                self._fault(f"{name} failed: {video['error']}")

    def _compare(
        self, place: Path, curves: set[int], takes: dict[str, set[int]], *, whole: bool
    ) -> None:
        """Holds each output against those of undisturbed runs that it may be."""
        for name in self._footage.names:
            output = place / f"{name}.{NAME}.mp4"
            if not output.is_file():
                if whole:
                    self._fault(f"{output}: is missing after a run that ended well")
                continue
            made = output.read_bytes()
            self._outcome.compared_bytes += len(made)
            right = [self._right(curve, name, take) for curve in curves for take in takes[name]]
            if made not in [path.read_bytes() for path in right if path.is_file()]:
                kept = shutil.copy2(output, self._folder / f"wrong-{output.name}")
                self._fault(f"{kept}: is not what an undisturbed run makes, {right}")

    def _right(self, curve: int, name: str, take: int) -> Path:
        """What an undisturbed run makes of a take."""
        place = self._folder / f"undisturbed{curve}"
        if curve not in self._known:
            self._known.add(curve)
            wanted = range(TAKES) if "swap" in self._kinds else (0,)
            takes = [self._footage.take(n, t) for n in self._footage.names for t in wanted]
            call = self._begin(curve, place, inputs=takes)
            for _ in range(MOST_MISSES):
                call.ended()
                if not call.never_ran:
                    break
                call = self._begin(curve, place, inputs=takes)
            if (status := call.ended()) != 0:
                self._fault(f"an undisturbed run ended with status {status}: {call.said}")
        return place / f"{name}-{take}.{NAME}.mp4"

    def _begin(
        self,
        curve: int,
        output: Path,
        *,
        inputs: Sequence[Path] = (),
        replace: bool | None = None,
    ) -> Call:
        self._outcome.runs += 1
        work = output / "_work" if inputs else self._work
        arguments = ["--curve", str(self._curve_file(curve)), "--editor", EDITOR]
        arguments += ["--output", f"{output}/", "--work", str(work)]
        arguments += ["--input", *map(str, inputs or (self._footage.folder,))]
        replace = self._must_replace if replace is None else replace
        arguments += ["--overwrite"] if replace and not inputs else []
        log = self._folder / f"logs/{self._outcome.runs:04d}.txt"
        return Call(arguments, log, 0.0 if inputs else PACE_S)

    def _curve_file(self, number: int) -> Path:
        return self._folder / f"curve{number}/{NAME}.yaml"

    def _fault(self, sentence: str) -> None:
        self._outcome.faults.append(" ".join(sentence.split()))
