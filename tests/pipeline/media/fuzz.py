"""Damaged files: each gives a good output or one clear line. No crash, hang, leak or leftover.

python -m tests.pipeline.media.fuzz --cases 500 --seed 1 FILE…

Cases are seeded, so a number names one for good. They run in a process of their own, a batch at a
time: a decoder that brings its process down is found by the number that was printed last.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import resource
import signal
import subprocess
import sys
import tempfile
import traceback
from collections import Counter
from pathlib import Path

from pipeline.errors import MediaError
from pipeline.media.compare.findings import Verdict
from pipeline.media.compare.witness import compare_files
from pipeline.media.write.verify import FATAL
from tests.pipeline.media.write.round_trip import round_trip

SECONDS = 60
BATCH = 250
MEMORY = 6 << 30
GROWTH_BYTES = 200 << 20
"""By which a process may grow from its 20th case to its last."""
SETTLED = 20
UNSURE = "alpha samples"
"""A damaged FFV1 slice is patched with what lies in memory, otherwise every time."""


def damaged(data: bytes, rng: random.Random) -> bytes:
    """A file with bytes flipped, a stretch blanked, cut, or moved."""
    changed = bytearray(data)
    kind = rng.choice(("flip", "flip", "head", "blank", "cut", "splice"))
    if kind in ("flip", "head"):
        reach = min(len(changed), 4096) if kind == "head" else len(changed)
        for _ in range(rng.randint(1, 24)):
            changed[rng.randrange(reach)] ^= 1 << rng.randrange(8)
        return bytes(changed)
    at, length = rng.randrange(len(changed)), rng.randint(1, 2000)
    if kind == "blank":
        changed[at : at + length] = bytes(len(changed[at : at + length]))
    elif kind == "cut":
        return bytes(changed[:at])
    else:
        other = rng.randrange(len(changed))
        changed[at : at + length] = changed[other : other + length]
    return bytes(changed)


def outcome(source: Path, seed: int, folder: Path) -> str:
    """`made`, `refused`, or what went wrong."""
    rng = random.Random(seed)
    case = folder / f"case{source.suffix}"
    case.write_bytes(damaged(source.read_bytes(), rng))
    work = folder / "work"
    work.mkdir()
    name = f"out{source.suffix}"
    try:
        round_trip(str(case), work, [], name)
    except MediaError as error:
        kept = set[str]()
        result = "refused" if "\n" not in str(error) else f"several lines: {error}"
    else:
        kept = {name}
        result = _judged(str(case), str(work / name))
    pieces = {path.name for path in work.glob("0*.mp4")}
    left = {path.name for path in work.iterdir()} - pieces - kept
    return f"left behind: {sorted(left)}" if left else result


def _judged(case: str, output: str) -> str:
    """Whether an output is good, by all its pictures, where the finish looked at a few."""
    lost = {f.topic: f.words for f in compare_files(case, output).of(Verdict.LOST)}
    wrong = [f"{topic}: {lost[topic]}" for topic in FATAL if topic in lost and topic != UNSURE]
    return f"a bad output: {wrong}" if wrong else "made"


def _open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def _left_open(before: int) -> int:
    """Files that stay open once nothing refers to them."""
    if _open_files() > before:
        gc.collect()
    return _open_files() - before


def _held_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def batch(sources: list[Path], first: int, last: int, seed: int) -> None:
    """Prints one line per case."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    settled = 0
    for number in range(first, last):
        source = sources[number % len(sources)]
        print(json.dumps({"case": number, "file": source.name}), flush=True)
        signal.alarm(SECONDS)
        files = _open_files()
        with tempfile.TemporaryDirectory() as folder:
            try:
                result = outcome(source, seed * 1_000_003 + number, Path(folder))
            except Exception:  # noqa: BLE001 - whatever it is, it is what is looked for
                result = f"crash: {traceback.format_exc()}"
        signal.alarm(0)
        if (left := _left_open(files)) > 0:
            names = [str(f.readlink()) for f in Path("/proc/self/fd").iterdir() if f.exists()]
            result = f"leaves files open: {left}: {names[-left:]}"
        settled = _held_bytes() if number == first + SETTLED else settled
        if number == last - 1 and settled and _held_bytes() - settled > GROWTH_BYTES:
            result = f"the process grew by {(_held_bytes() - settled) >> 20} MiB"
        print(json.dumps({"case": number, "result": result}), flush=True)


def fuzz(sources: list[Path], cases: int, seed: int) -> tuple[Counter[str], list[str]]:
    """How the cases ended, and what went wrong, one line each."""
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    for first in range(0, cases, BATCH):
        last = min(first + BATCH, cases)
        while first < last:
            run = subprocess.run(
                [sys.executable, "-m", __spec__.name if __spec__ else "tests.pipeline.media.fuzz",
                 "--batch", f"{first}:{last}", "--seed", str(seed), *map(str, sources)],
                capture_output=True, text=True, check=False, cwd=Path(__file__).parents[3],
            )  # fmt: skip
            lines = [json.loads(line) for line in run.stdout.splitlines() if line[:1] == "{"]
            ended = [line for line in lines if "result" in line]
            for line in ended:
                known = line["result"] in ("made", "refused")
                counts[line["result"] if known else "wrong"] += 1
                if not known:
                    wrong.append(f"case {line['case']}: {line['result']}")
            if len(ended) == last - first:
                break
            died = first + len(ended)
            counts["wrong"] += 1
            how = "hung" if run.returncode == -signal.SIGALRM else f"died ({run.returncode})"
            file = next((x["file"] for x in lines if x["case"] == died and "file" in x), "?")
            wrong.append(f"case {died} ({file}): {how}; {run.stderr[-300:]}")
            first = died + 1  # noqa: PLW2901
    return counts, wrong


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--batch", default="")
    parser.add_argument("files", nargs="+", type=Path)
    asked = parser.parse_args()
    if asked.batch:
        first, last = map(int, asked.batch.split(":"))
        batch(asked.files, first, last, asked.seed)
        return 0
    counts, wrong = fuzz(asked.files, asked.cases, asked.seed)
    print(dict(counts))
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
