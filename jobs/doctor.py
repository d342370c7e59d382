"""Say what this machine can do, and what to do next; nothing is started, fetched or written.

python jobs/doctor.py
python jobs/doctor.py --weights DIR --json

Exit status: 0 a run can be made here, if only a preview; 1 it cannot; 2 the call is wrong.
"""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:  # run as a file: import from the checkout, not from jobs/
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from cyclopts import App

from jobs.command_line.command import main_of
from jobs.command_line.options.doctor import DoctorOptions
from jobs.command_line.options.given import takes
from jobs.ray_cluster.cluster import be_quiet

NOTHING_SAID = DoctorOptions()
be_quiet()
app = App(name="doctor", help=__doc__, help_format="plaintext", version_flags=())


@app.default
@takes(DoctorOptions)
def doctor(*, options: DoctorOptions = NOTHING_SAID) -> int:
    """Look at engines, GPU, weights, codecs and disk."""
    from jobs.checkup.checkup import check

    said = {
        "editor": options.editor_options.given(),
        "tracker": options.tracker_options.given(),
        "AU estimator": options.au_options.given(),
    }
    found = check(said)
    if options.json_output:
        print(found.model_dump_json(indent=1))
        return 0 if found.is_ready else 1
    for finding in found.findings:
        print(finding.line())
    for kind, name in found.takes.items():
        print(f"{kind} auto takes: {name or 'none can run here'}")
    print(f"next, since {found.why}:\n  {found.next_step}")
    return 0 if found.is_ready else 1


if __name__ == "__main__":
    main_of(app)
