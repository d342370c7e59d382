"""Judge an edited shot: how true is the edit, and where does it want a look?

python jobs/evaluate.py shot.mp4 shot.smile.mp4 --curve smile.yaml --html verdict.html
python jobs/evaluate.py --run out/report.json
python jobs/evaluate.py protocol --identities people/ --editor magicface --weights DIR --output p/
"""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:  # run as a file: import from the checkout, not from jobs/
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from cyclopts import App
from rich.console import Console

from jobs.command_line.command import main_of
from jobs.command_line.options.evaluate import JudgeOptions
from jobs.command_line.options.given import takes
from jobs.command_line.options.studies import ProtocolOptions
from jobs.errors import JobError
from jobs.ray_cluster import cluster
from jobs.ray_cluster.cluster import be_quiet
from keyframes.sheet import KeyframeSheet
from pipeline.settings import AnalysisSettings

be_quiet()
app = App(name="evaluate", help=__doc__, help_format="plaintext", version_flags=())
NOTHING_SAID = JudgeOptions()


@app.default
@takes(JudgeOptions)
def evaluate(source: str = "", output: str = "", /, *, options: JudgeOptions = NOTHING_SAID) -> int:
    """Judge one output, or all of a run.

    Exit status: 0 nothing wants a look, 1 something does (or, of a run, a shot could not be
    judged), 2 the call is wrong.

    Args:
        source: The footage as it was.
        output: What was made of it.
        options: jobs/command_line/options/evaluate.py describes them.
    """
    from jobs.evaluation.shots import evaluate_pair, evaluate_run

    if options.run is not None and not source:
        return evaluate_run(options.run, options, _with_driving_videos)
    if not source or not output or options.run is not None:
        raise JobError("expected SOURCE and OUTPUT, or --run report.json alone")
    return evaluate_pair(source, output, options, _with_driving_videos)


def _with_driving_videos(
    sheet: KeyframeSheet, work: Path, engines: AnalysisSettings, screen: Console
) -> KeyframeSheet:
    """The sheet with the driving videos it names measured; starts Ray only for a sheet with any."""
    if not sheet.videos():
        return sheet
    cluster.start()
    from jobs.animation.driving import with_driving_videos
    from pipeline.graph import Job

    return with_driving_videos(sheet, work, Job(engines, None), screen)


@app.command
@takes(ProtocolOptions)
def protocol(*, options: ProtocolOptions) -> int:
    """The paper's protocol: 20 people × (12 units × 5 levels + 387 combinations), measured.

    Exit status: 0 all is made, 2 the call is wrong or a share could not be made; the same command
    goes on where it stopped.

    Args:
        options: jobs/command_line/options/studies.py describes them.
    """
    from jobs.studies.protocol import run_protocol

    return run_protocol(options)


if __name__ == "__main__":
    main_of(app)
