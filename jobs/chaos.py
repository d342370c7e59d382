"""Break runs on purpose, by seed, and compare every byte they publish with an undisturbed run's.

python jobs/chaos.py --seed 7 --events 30
python jobs/chaos.py --kinds power --kinds second --events 5

A batch of small clips is animated again and again while workers, the raylet and the driver are
killed, runs are stopped by signals, paused, begun twice, beside each other, over a source that is
replaced, and on a disk that is full.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

if not __package__:  # run as a file: import from the checkout, not from jobs/
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from cyclopts import App, Parameter
from cyclopts.validators import Number

from jobs.command_line.command import main_of
from jobs.disturbances.events import EVENTS
from jobs.errors import JobError
from jobs.ray_cluster.cluster import be_quiet

be_quiet()
app = App(name="chaos", help=__doc__, help_format="plaintext", version_flags=())
Count = Annotated[int, Parameter(validator=Number(gte=1))]


@app.default
def chaos(
    *,
    seed: int = 0,
    events: Count = 10,
    clips: Count = 3,
    kinds: Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative=())] = (),
    folder: Path | None = None,
) -> int:
    """Disturb runs. Exit status: 0 all was right, 1 something was lost or wrong, 2 a wrong call.

    Args:
        seed: Of what happens, and when.
        events: Disturbances that must meet a run under way.
        clips: In the batch.
        kinds: Of disturbances. Without: all.
        folder: New; keeps footage, outputs and what each run said. Without: kept only when
            something was wrong.
    """
    from jobs.disturbances.campaign import disturb

    if unknown := [kind for kind in kinds if kind not in EVENTS]:
        raise JobError(f"--kinds {unknown[0]}: known: {' '.join(EVENTS)}")
    place = _new_folder(folder)
    begun = time.monotonic()
    outcome = disturb(
        place, seed=seed, events=events, clips=clips, kinds=kinds or tuple(EVENTS), say=print
    )
    for fault in outcome.faults:
        print(f"WRONG: {fault}")
    met = ", ".join(f"{kind} ×{count}" for kind, count in outcome.met.items())
    print(
        f"{sum(outcome.met.values())} disturbances ({met}) in {outcome.runs} runs and "
        f"{time.monotonic() - begun:.0f} s; {outcome.compared_bytes} bytes compared; "
        f"{len(outcome.faults)} wrong; seed {seed}"
    )
    if outcome.faults or folder:
        print(f"all of it: {place}")
    else:
        shutil.rmtree(place)
    return 1 if outcome.faults else 0


def _new_folder(folder: Path | None) -> Path:
    if folder is None:
        return Path(tempfile.mkdtemp(prefix="aureel-chaos-"))
    place = folder.expanduser().absolute()
    try:
        place.mkdir(parents=True)
    except FileExistsError:
        raise JobError(f"--folder {folder}: is there already; expected a new one") from None
    return place


if __name__ == "__main__":
    main_of(app)
