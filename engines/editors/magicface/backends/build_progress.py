"""What a build is doing, how far it is and how long it will take, as lines for people."""

from __future__ import annotations

import time
from collections.abc import Callable

from engines.editors.magicface.backends.ports import COMPONENTS

MAIN_PHASE = "building: Building engine"
"""The phase of TensorRT that lasts; the others are steps inside it."""
QUARTERS = 4
"""On a plain log the main phase is told in quarters."""
STEPS = ("exporting", "computing in fp32", "building")
SECONDS = {
    "vae_encoder": (14, 40, 7),
    "vae_decoder": (37, 80, 3),
    "id_encoder": (127, 75, 33),
    "denoiser": (117, 105, 97),
}
"""What the steps took beside each other (docs/performance.md); only their shares count."""
WHOLE = float(sum(map(sum, SECONDS.values())))


def usual_s(component: str, kind: str) -> float:
    """Seconds that a graph or a plan took where it was measured."""
    export, reference, build = SECONDS[component]
    return float({"graph": export + reference, "plan": build}[kind])


def told_step(what: str, fraction: float | None) -> tuple[str, int] | None:
    """A builder's report as people hear it: the step, and its quarter; None for inner phases."""
    if what.startswith("building: ") and what != MAIN_PHASE:
        return None
    step = what.partition(":")[0] if what == MAIN_PHASE else what
    return step, 0 if fraction is None else int(fraction * QUARTERS)


class BuildClock:
    """Turns a builder's reports into lines that say what, how far and how long.

    Args:
        now: seconds, of a clock that never goes back.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._began = now()
        self._last: tuple[str, str, int] | None = None
        self._found = 0.0

    def line(self, component: str, what: str, fraction: float | None) -> str | None:
        """The line for a report of `PlanBuilder`; None where nothing new is to be told."""
        step = told_step(what, fraction)
        if step is None or (component, *step) == self._last:
            return None
        self._last = (component, *step)
        done = _before(component, step[0]) + _share(component, step[0], fraction)
        part = f"{COMPONENTS.index(component) + 1} of {len(COMPONENTS)}"
        return f"{component} ({part}): {step[0]}; {self._how_long(done)}"

    def found(self, component: str, *kinds: str) -> None:
        """A graph or a plan was there already: it tells nothing of how fast this machine is."""
        self._found += sum(usual_s(component, kind) for kind in kinds)

    def _how_long(self, done: float) -> str:
        elapsed = self._now() - self._began
        worked = done - self._found
        text = f"{done / WHOLE:.0%} done, {elapsed:.0f} s so far"
        if worked <= 0 or elapsed < 1:
            return text
        return f"{text}, about {elapsed * (WHOLE - done) / worked:.0f} s left"


def _before(component: str, step: str) -> float:
    """What comes before a step; a step that is none of `STEPS` belongs to the one after it."""
    at = COMPONENTS.index(component)
    earlier = float(sum(sum(SECONDS[name]) for name in COMPONENTS[:at]))
    own = STEPS.index(step) if step in STEPS else len(STEPS) if "plan" in step else 0
    return earlier + sum(SECONDS[component][:own])


def _share(component: str, step: str, fraction: float | None) -> float:
    if fraction is None or step not in STEPS:
        return 0.0
    return fraction * SECONDS[component][STEPS.index(step)]
