"""Small wrong changes to the code that the tests must catch: `make mutants`, some minutes.

Each is made in a copy of the tree, where the tests beside it must fail. They stand here because
somebody once made them and every test stayed green. A text that is no longer in its file is an
error too: then the code has moved on, and so must the line here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from mutants_of_copying import COPYING

ROOT = Path(__file__).resolve().parents[1]
COPIED = (
    "keyframes",
    "engines",
    "pipeline",
    "jobs",
    "tests",
    "docs",
    "pyproject.toml",
    "README.md",
)
FAILED = 1
"""pytest's exit status for tests that ran and failed; everything else is a fault of the list."""


@dataclass(frozen=True)
class Mutant:
    """One wrong change: `text` of `file` becomes `replacement`; `tests` are pytest's arguments."""

    what: str
    file: str
    text: str
    replacement: str
    tests: tuple[str, ...]


MUTANTS = (
    Mutant(
        "committed pieces are rendered again",
        "pipeline/stages/plan.py",
        "    if marker:\n",
        "    if False:\n",
        ("tests/jobs/test_animate.py", "-k", "killed_run"),
    ),
    Mutant(
        "an output that another run is writing is claimed",
        "pipeline/run_folder/lease.py",
        "                raise BusyError(_busy(output, owner, path))\n",
        "                pass\n",
        ("tests/pipeline/run_folder/test_lease.py",),
    ),
    Mutant(
        "a piece is published whatever its bytes",
        "pipeline/pieces.py",
        "return marker if [sha256_of(file) for file in files] == known else None",
        "return marker",
        ("tests/pipeline/test_stages.py", "-k", "vouches"),
    ),
    Mutant(
        "a source that changed is taken for the one the job began with",
        "pipeline/source.py",
        "    if now == before:\n",
        "    if True:\n",
        ("tests/pipeline/test_source.py",),
    ),
    Mutant(
        "deaths in another run count as strikes",
        "pipeline/run_folder/store.py",
        """f"{work}.{self.run or 'run'}.try.*\"""",
        'f"{work}.*.try.*"',
        ("tests/pipeline/run_folder/test_store.py",),
    ),
    Mutant(
        "a face may grow without bound from one sighting to the next",
        "pipeline/faces/track.py",
        " & (scale <= MAX_SCALE)",
        "",
        ("tests/pipeline/faces/test_track.py",),
    ),
    Mutant(
        "gaps are bridged over a cut",
        "pipeline/faces/track.py",
        " & (\n        shot[a] == shot[b]\n    )",
        "",
        ("tests/pipeline/faces/test_track.py",),
    ),
    Mutant(
        "two inputs may have one output",
        "jobs/command_line/outputs.py",
        "        if place in taken:\n",
        "        if False:\n",
        ("tests/jobs/test_outputs.py",),
    ),
    Mutant(
        "footage may be overwritten under another of its names",
        "jobs/command_line/outputs.py",
        "    if _identity(made) in footage:\n",
        "    if False:\n",
        ("tests/jobs/test_outputs.py",),
    ),
    Mutant(
        "a performance's gap is counted in the table's seconds at any speed",
        "keyframes/sources/performance.py",
        "return self.gap.at(timeline) * self.speed",
        "return self.gap.at(timeline)",
        ("tests/keyframes/sources/test_performance.py",),
    ),
    Mutant(
        "what a hub sends is taken unseen",
        "engines/weights/hub.py",
        "    if fault:\n",
        "    if False:\n",
        ("tests/engines/weights/test_hub.py",),
    ),
    Mutant(
        "a folder of weights is asked for again though it is whole",
        "engines/weights/hub.py",
        "if not (folder / name / COMPLETE).is_file()]",
        "]",
        ("tests/engines/weights/test_hub.py",),
    ),
    Mutant(
        "decord reads what it shows otherwise",
        "pipeline/media/read/decoding/reader.py",
        "        if reason:\n",
        "        if False:\n",
        ("tests/pipeline/media/read/decoding/test_reader.py",),
    ),
    Mutant(
        "decord reads every range from the start",
        "pipeline/media/read/decoding/reader.py",
        "    _idle[key] = video\n",
        "",
        ("tests/pipeline/media/read/decoding/test_reader.py",),
    ),
    Mutant(
        "a frame is edited in buffers that other frames still refer to",
        "pipeline/edit/composite.py",
        "    frame.make_writable()\n",
        "",
        ("tests/pipeline/media/write/encoding/test_encode.py", "-k", "predicted_from_it"),
    ),
    Mutant(
        "the encoder is told the source's picture types",
        "pipeline/media/write/encoding/encode.py",
        "            given.pict_type = 0\n",
        "",
        ("tests/pipeline/media/write/encoding/test_encode.py", "-k", "its_own_groups"),
    ),
    Mutant(
        "an output of another request counts as up to date",
        "pipeline/run_folder/store.py",
        ' or done.get("request") != request',
        "",
        ("tests/pipeline/run_folder/test_store.py",),
    ),
    Mutant(
        "training is shown AU deltas with the wrong sign",
        "engines/editors/magicface/training/loop.py",
        "shown = condition(asked.au, draws",
        "shown = condition(-asked.au, draws",
        ("tests/engines/editors/magicface/training/test_learning.py", "-k", "with_its_sign"),
    ),
    Mutant(
        "no AU vector is dropped",
        "engines/editors/magicface/training/examples/draws.py",
        "torch.where(draws.dropped.to(au.device)[:, None], 0.0, shown)",
        "shown",
        ("tests/engines/editors/magicface/training/test_training.py",),
    ),
    Mutant(
        "draws do not depend on the step",
        "engines/editors/magicface/training/examples/draws.py",
        "np.random.SeedSequence([recipe.seed, step, place])",
        "np.random.SeedSequence([recipe.seed, place])",
        ("tests/engines/editors/magicface/training/test_training.py",),
    ),
    Mutant(
        "a resumed run begins its averages anew",
        "engines/editors/magicface/training/saved/checkpoints.py",
        '                    value.copy_(state["averages"][name])\n',
        "                    pass\n",
        ("tests/engines/editors/magicface/training/test_training.py",),
    ),
    Mutant(
        "what the ID encoder does not need is not saved",
        "engines/editors/magicface/training/network/trainee.py",
        '        states["ID_enc"] |= self.tail\n',
        "",
        ("tests/engines/editors/magicface/training/test_training.py",),
    ),
    Mutant(
        "a loss that is not finite goes on",
        "engines/editors/magicface/training/loop.py",
        "        self._check_finite(step, loss, float(norm))\n",
        "",
        ("tests/engines/editors/magicface/training/test_training.py",),
    ),
    Mutant(
        "footage without consent is trained on",
        "engines/editors/magicface/training/examples/pairs.py",
        "        if fault:\n            name",
        "        if False:\n            name",
        ("tests/engines/editors/magicface/training/examples/test_pairs.py",),
    ),
    Mutant(
        "a person may be on both sides of the split",
        "engines/editors/magicface/training/examples/pairs.py",
        "    if both:\n",
        "    if False:\n",
        ("tests/engines/editors/magicface/training/examples/test_pairs.py",),
    ),
    Mutant(
        "pairs cross cuts",
        "pipeline/pairs/rules.py",
        "    return np.cumsum(analysis.cut.astype(np.int64))\n",
        "    return np.zeros(analysis.frames, np.int64)\n",
        ("tests/pipeline/pairs/test_rules.py",),
    ),
    *(Mutant(*each) for each in COPYING),
)


def copied_tree(folder: Path) -> Path:
    """The tree's own files, where a change harms nobody."""
    for name in COPIED:
        source, target = ROOT / name, folder / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, target)
    return folder


def status_of(tree: Path, tests: tuple[str, ...]) -> int:
    """pytest's exit status in a tree."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, check=False)
    return done.returncode


def verdict(tree: Path, mutant: Mutant) -> str:
    """`caught`, or what is wrong."""
    path = tree / mutant.file
    whole = path.read_text("utf-8")
    if whole.count(mutant.text) != 1:
        return f"its text is in {mutant.file} {whole.count(mutant.text)} times; expected once"
    path.write_text(whole.replace(mutant.text, mutant.replacement), "utf-8")
    try:
        status = status_of(tree, mutant.tests)
    finally:
        path.write_text(whole, "utf-8")
    if status == FAILED:
        return "caught"
    return "SURVIVED" if status == 0 else f"pytest ended with status {status}"


def main(words: list[str]) -> int:
    """Tries the mutants whose description or file holds one of the words (all without any)."""
    chosen = [m for m in MUTANTS if not words or any(w in f"{m.what} {m.file}" for w in words)]
    with tempfile.TemporaryDirectory(prefix="aureel-mutants-") as folder:
        tree = copied_tree(Path(folder) / "tree")
        (Path(folder) / "shared").symlink_to(ROOT.parent / "shared")
        for tests in dict.fromkeys(mutant.tests for mutant in chosen):
            if status := status_of(tree, tests):
                print(f"without any change {' '.join(tests)} ends with status {status}")
                return 1
        missed = 0
        for mutant in chosen:
            said = verdict(tree, mutant)
            missed += said != "caught"
            print(f"{said:9} {mutant.file}: {mutant.what}", flush=True)
    print(f"{len(chosen) - missed} of {len(chosen)} caught")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
