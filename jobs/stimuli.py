"""Make stimuli for research: faces that show action units at set levels and times.

python jobs/stimuli.py --identities faces/ --aus 1,4,12 --levels A..E --output stimuli/
python jobs/stimuli.py --aus 6+12 --levels C --timing onset=500ms,apex=1s,offset=500ms --output s/
"""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:  # run as a file: import from the checkout, not from jobs/
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from cyclopts import App

from jobs.command_line.command import main_of
from jobs.command_line.options.given import takes
from jobs.command_line.options.studies import StimuliOptions
from jobs.ray_cluster.cluster import be_quiet

be_quiet()
app = App(name="stimuli", help=__doc__, help_format="plaintext", version_flags=())


@app.default
@takes(StimuliOptions)
def stimuli(*, options: StimuliOptions) -> int:
    """Every person × unit × level, and everybody's neutral face.

    Exit status: 0 all is made, 2 the call is wrong or a stimulus could not be made; the same call
    goes on where it stopped.

    Args:
        options: jobs/command_line/options/studies.py describes them.
    """
    from jobs.studies.stimuli import run_stimuli

    return run_stimuli(options)


if __name__ == "__main__":
    main_of(app)
