"""Folders of footage through the whole job, and what the witness says of every output.

python -m tests.jobs.corpora FOLDER --editor previz --output OUT

Status of a file: `whole` every promise holds, `said` what its container or codec cannot hold
differs, `short` something else differs, `refused` in one line. The same call goes on where it
stopped.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from jobs.animate import app
from jobs.command_line.command import run_command
from pipeline.media.compare.findings import Verdict
from pipeline.media.compare.witness import compare_files

WORDS = {0: "whole", 1: "short", 3: "said"}
NO_FOOTAGE = (".json", ".md")
CURVE = "version: 1\nchannels:\n  AU12: [[0s, 1], [0.3s, 3], [1.4s, 3], [1.8s, 0]]\n"


@dataclass(frozen=True)
class Outcome:
    """What became of one file.

    Attributes:
        status: a word of WORDS, or `refused`.
        told: the error, or what differs.
    """

    name: str
    status: str
    told: str
    frames: int = 0
    copied: int = 0

    def __str__(self) -> str:
        copied = f"{self.copied:4} of {self.frames:4} copied"
        return f"{self.status:8}{self.name:36}{copied}  {self.told}"


def through_the_job(folder: Path, editor: str, out: Path) -> list[Outcome]:
    """Every file of a folder by one `animate`, each named: a folder is not searched for sound."""
    files = sorted(str(p) for p in folder.iterdir() if p.suffix not in NO_FOOTAGE)
    out.mkdir(parents=True, exist_ok=True)
    curve = out / "smile.yaml"
    curve.write_text(CURVE)
    said = ("--curve", str(curve), "--editor", editor, "--preset-encode", "veryfast")
    run_command(app, (*said, "--input", *files, "--output", str(out / "made")))
    report = json.loads((out / "made" / "report.json").read_text())
    return [_outcome(entry) for entry in report["videos"]]


def _outcome(entry: dict[str, object]) -> Outcome:
    name = Path(str(entry["input"])).name
    if entry["status"] == "failed":
        return Outcome(name, "refused", str(entry["error"]))
    seen = compare_files(str(entry["input"]), str(entry["output"]))
    told = "; ".join(f.words for f in seen.findings if f.verdict != Verdict.KEPT)
    numbers = (int(str(entry[key])) for key in ("frames", "copied_frames"))
    return Outcome(name, WORDS[seen.exit_status], told, *numbers)


def main() -> None:
    """Prints a line per file, and how many of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--editor", default="identity")
    parser.add_argument("--output", type=Path, required=True)
    given = parser.parse_args()
    outcomes = through_the_job(given.folder, given.editor, given.output)
    print(*outcomes, sep="\n")
    print(dict(Counter(one.status for one in outcomes)))


if __name__ == "__main__":
    main()
