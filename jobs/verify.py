"""Say what of one file another one holds: frames, times, colours, tracks, tags and pictures.

python jobs/verify.py shot.mov shot.smile.mov
python jobs/verify.py --json a.mp4 b.mkv
python jobs/verify.py shot.mov shot.smile.only-12s-15s.mov --only 12s..15s
python jobs/verify.py s3://footage/shot.mov s3://results/shot.smile.mov

Exit status: 0 every promise holds, 1 something differs, 3 only what the output's container or codec
cannot hold differs, 2 the call or a file is wrong.
"""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

if not __package__:  # run as a file: import from the checkout, not from jobs/
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from cyclopts import App, Parameter

from jobs.command_line.command import main_of

app = App(name="verify", help=__doc__, help_format="plaintext", version_flags=())


@app.default
def verify(
    source: str,
    output: str,
    /,
    *,
    as_json: Annotated[bool, Parameter("--json", negative=())] = False,
    quiet: Annotated[bool, Parameter("--quiet", negative=())] = False,
    only: str | None = None,
) -> int:
    """Compare two files, whoever made them.

    Args:
        source: The footage as it was; a file or a URL, as is the output.
        output: What was made of it.
        as_json: Print one JSON object.
        quiet: Print only what differs.
        only: The part of the footage that was made of it, as `animate --only` was told.
    """
    from keyframes.clock.part import parse_part
    from pipeline.media.compare.findings import Verdict
    from pipeline.media.compare.witness import compare_files
    from pipeline.source import at_hand
    from pipeline.storage.copies import DEFAULT_BYTES
    from pipeline.storage.urls import here

    part = parse_part(only) if only else None
    with ExitStack() as held:
        for path in map(here, (source, output)):
            held.enter_context(at_hand(path, "", DEFAULT_BYTES))
        comparison = compare_files(here(source), here(output), only=part)
    if as_json:
        print(json.dumps(comparison.as_json(), indent=2, ensure_ascii=False))
        return comparison.exit_status
    shown = [f for f in comparison.findings if not quiet or f.verdict != Verdict.KEPT]
    width = max((len(f.topic) for f in shown), default=0)
    for finding in shown:
        print(f"{finding.verdict.value:8}{finding.topic:{width}}  {finding.words}")
    print(comparison.summary)
    return comparison.exit_status


if __name__ == "__main__":
    main_of(app)
