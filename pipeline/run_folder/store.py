"""The run folder: all durable state of a run, under names that say what it is.

    WORK/curves/<hash>.curve                         a video's own curve, where a job has many
    WORK/<state>/inspection-<version>.npz            headers, presentation times and key frames
    WORK/<state>/chunks/<digest>-<first>-<last>.npz  analysed chunks, removed once all are assembled
    WORK/<state>/analysis-<digest>.parquet           faces and AUs of the shots that curves touched
    WORK/<state>/<job>/plan-<request>.parquet        asked-for change per edited frame
    WORK/<state>/<job>/spans-<request>.json          the segments, each with its digest
    WORK/<state>/<job>/<segment>-<digest>.<ext>      an encoded piece
    WORK/<state>/<job>/<segment>-<digest>.json       its commit marker, which holds the piece's hash
    WORK/<state>/<job>/<work>.<run>.try.<k>          start marks: of work whose process died or hung
    WORK/<state>/<job>/no-room.<pid>                 a worker waits for room (guards/room.py)
    WORK/<state>/<job>/ready-<request>.<ext>         an output that is still to be sent into a store
    WORK/<state>/<job>/ready-<request>.json          what it is, written once it is whole
    WORK/<state>/<job>/done.json                     what the published output was made from

`<state>` stands for the source's content (pipeline/source.py) and what engines are shown of it,
`<job>` for one output path, so two curves on one clip share the analysis and nothing else. Only the
run that has claimed an output (pipeline/run_folder/lease.py) works in its job's folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import PipelineError
from pipeline.files import read_json, sha256_of, state_of, write_json
from pipeline.guards.room import NOTES
from pipeline.partials import sweep_partials
from pipeline.rows import VideoRow
from pipeline.settings import digest_of
from pipeline.source import Identity, identify
from pipeline.storage.copies import DEFAULT_BYTES, sent_sha256
from pipeline.storage.urls import url_of

MAX_STRIKES = 3
"""Deaths within one run after which a piece of work is given up."""
INSPECTION_VERSION = 2
"""Raise when headers or packets are read otherwise: inspections on disk are then made anew."""


def video_row(
    source: Path,
    output: Path,
    work: Path,
    *,
    run: str = "",
    identity: Identity | None = None,
    cache: int = DEFAULT_BYTES,
    view: str = "",
) -> VideoRow:
    """The row of one video, its source identified now.

    Args:
        run: names the run, for its start marks and claims; without one, nothing is claimed.
        identity: of the source, where it has just been asked for.
        cache: bytes that copies of objects in stores may take on a machine.
        view: of `pipeline.media.views.choice.checked_view`; the default is by the source's tags.
    Raises:
        OSError: the source cannot be read.
    """
    identity = identity or identify(source)
    return {
        "video": digest_of(identity.state, str(source), str(output)),
        "source": str(source),
        "identity": str(identity),
        "output": str(output),
        "work": str(work),
        "request": "",
        "run": run,
        "curve": "",
        "cache": cache,
        "view": view,
    }


def shown_state(row: VideoRow) -> str:
    """16 hex digits for what is known of a source as it is shown: its state by its tags alone."""
    state = Identity.parse(row["identity"]).state
    return digest_of(state, row["view"]) if row["view"] else state


@dataclass(frozen=True)
class VideoFolder:
    """Paths of one video's state in the run folder."""

    root: Path
    job: str
    run: str

    @classmethod
    def of(cls, row: VideoRow) -> VideoFolder:
        return cls(Path(row["work"]) / shown_state(row), digest_of(row["output"])[:8], row["run"])

    @property
    def inspection(self) -> Path:
        return self.root / f"inspection-{INSPECTION_VERSION}.npz"

    def chunk(self, digest: str, first: int, last: int) -> Path:
        return self.root / "chunks" / f"{digest}-{first:08d}-{last:08d}.npz"

    def analysis(self, digest: str) -> Path:
        return self.root / f"analysis-{digest}.parquet"

    @property
    def job_folder(self) -> Path:
        return self.root / self.job

    def plan(self, request: str) -> Path:
        return self.job_folder / f"plan-{request}.parquet"

    def lent(self, request: str) -> Path:
        return self.job_folder / f"library-{request}.npz"

    def spans(self, request: str) -> Path:
        return self.job_folder / f"spans-{request}.json"

    def ready(self, request: str, suffix: str) -> Path:
        """A finished output that is still to be sent into its store."""
        return self.job_folder / f"ready-{request}{suffix}"

    @property
    def done(self) -> Path:
        return self.job_folder / "done.json"

    def piece(self, number: int, digest: str, container: str) -> Path:
        return self.job_folder / f"{number:06d}-{digest}.{container}"

    def marker(self, number: int, digest: str) -> Path:
        return self.job_folder / f"{number:06d}-{digest}.json"

    def frames_so_far(self, number: int) -> Path:
        return self.job_folder / f"{number:06d}.frames"

    def strikes(self, work: str) -> list[Path]:
        """This run's start marks of a piece of work, `render-000003`."""
        return sorted(self.job_folder.glob(f"{work}.{self.run or 'run'}.try.*"))

    def strike(self, work: str) -> Path:
        """Leaves a start mark beside those before it in this run."""
        before = len(self.strikes(work))
        self.job_folder.mkdir(parents=True, exist_ok=True)
        mark = self.job_folder / f"{work}.{self.run or 'run'}.try.{before}"
        mark.touch()
        return mark

    def clear_strikes(self, work: str) -> None:
        for mark in self.strikes(work):
            mark.unlink(missing_ok=True)

    def sweep_job(self, request: str) -> None:
        """Removes all of a job but the plan of its last request; `done.json` is written after."""
        kept = (self.plan(request), self.spans(request))
        for entry in self.job_folder.glob("*"):
            if entry not in kept and entry.is_file():
                entry.unlink(missing_ok=True)

    def sweep_chunks(self, digest: str) -> None:
        """Removes an analysis's chunk files, once they are assembled."""
        for entry in (self.root / "chunks").glob(f"{digest}-*.npz"):
            entry.unlink(missing_ok=True)

    @property
    def shared_folders(self) -> tuple[Path, Path]:
        """Where other runs over the same source write too."""
        return self.root, self.root / "chunks"

    def sweep_orphans(self) -> None:
        """Removes what was left half-written: in the job's own folder, all there is.

        Start marks stay until the job is done: those of other runs count for nothing.
        """
        for folder in self.shared_folders:
            sweep_partials(folder)
        sweep_partials(self.job_folder, every=True)
        for note in self.job_folder.glob(NOTES):
            note.unlink(missing_ok=True)


def written_folders(rows: Sequence[VideoRow]) -> tuple[set[Path], set[Path]]:
    """Where work on videos writes: folders that only the run with their claims does, and others."""
    folders = [VideoFolder.of(row) for row in rows]
    shared = {place for folder in folders for place in folder.shared_folders}
    shared |= {Path(row["output"]).parent for row in rows}
    return {folder.job_folder for folder in folders}, shared


def write_done(folder: VideoFolder, output: Path, request: str) -> None:
    """Notes what a published output was made from, and what it is."""
    state = state_of(output)
    if state is None:
        raise PipelineError(f"{output}: went away as soon as it was published; run again")
    made = {"output": str(output), "bytes": state.size, "changed_ns": state.changed_ns}
    made["sha256"] = sent_sha256(output) if url_of(output) else sha256_of(output)
    write_json(folder.done, {"request": request, "tag": state.tag, **made})


def up_to_date(folder: VideoFolder, output: Path, request: str) -> bool:
    """Whether the output stands and was made from exactly this request.

    Its bytes are read only where its time has changed since; of an object, not even then.
    """
    done: Any = read_json(folder.done)
    if not isinstance(done, dict) or done.get("request") != request:
        return False
    state = state_of(output)
    if state is None or state.size != done.get("bytes"):
        return False
    if (state.changed_ns, state.tag) == (done.get("changed_ns"), done.get("tag", "")):
        return True
    return not url_of(output) and sha256_of(output) == done.get("sha256")
