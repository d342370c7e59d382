"""The whole job, on one screen: every video goes its own way through the stages, all at once.

    inspect   1 task per video   packets only                        tiny
    analyse   1 row per chunk    faces, AUs → run folder             tasks, or actors on GPUs
    plan      1 task per video   curve → deltas → segments           as soon as its last chunk lands
    render    1 row per segment  decode → edit → encode → piece      tasks, or actors on GPUs
    finish    1 task per video   join, copy, verify, publish         as soon as its last piece lands

No stage waits for another video: while the first clip is rendered, the next is analysed. Later
stages go first, and only as many videos are begun as keep all of them busy, so what waits in
between does not grow with the job. Tasks are Ray's; the actors that keep GPUs busy are operators of
Ray Data, fed while they run (pipeline/flow).

Rows are descriptors (pipeline/rows.py); pixels never leave the process that decoded them, since
one frame costs about 20 ms of CPU against 50 ms to 5 s of GPU. As datasets, descriptors were
measured at +14 % over a plain loop, frames as rows at +57 to +74 %.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any

from pipeline import actors
from pipeline.edit.segments import Hands, hands_for
from pipeline.flow.counts import Countdown, UnderWay
from pipeline.flow.flow import Cores, Flow, Stage
from pipeline.flow.homes import Homes
from pipeline.flow.order import after_each, by_source, longest_first
from pipeline.flow.places import (
    cores_each,
    cpus_of_actors,
    for_analysis,
    for_rendering,
    hands_there,
    on_cores,
    part_for_analysis,
)
from pipeline.flow.tasks import Tasks
from pipeline.metrics import Count, count_row, counter
from pipeline.rows import SpanRow, StageRow, VideoRow, is_still_to_do
from pipeline.settings import AnalysisSettings, JudgeSettings, RenderSettings

TURN_VIDEOS = 250
"""Analysed, then rendered, where both need the same GPU."""

OnRow = Callable[[StageRow], None]


@dataclass(frozen=True)
class Job:
    """Everything a run needs to know.

    Attributes:
        render: None when only tables are asked for.
        stays: each video stays on the node that begins it, since no other sees its run folder; then
            all of its work is on cores.
        after: `after_each` of all videos of the call, also of those that are made already; empty =
            of those of the run. It says how each is cut (`hands_for`).
    """

    analysis: AnalysisSettings
    render: RenderSettings | None
    qa: JudgeSettings | None = None
    stays: bool = False
    after: Mapping[str, int] = field(default_factory=dict[str, int])

    def part_for_analysis(self, gpus: float) -> float:
        """Of so many GPUs, where rendering wants them too; 0 where they take turns."""
        shares = self.analysis.gpu_share, self.render.editor.gpu_share if self.render else 0.0
        return part_for_analysis(gpus, *shares) if all(shares) else gpus

    def takes_turns(self, gpus: float) -> bool:
        """Whether analysis and rendering exclude each other on so many GPUs."""
        return gpus > 0 and self.part_for_analysis(gpus) == 0


def run(videos: list[VideoRow], job: Job, on_row: OnRow) -> None:
    """Takes every video through all stages; every verdict goes to `on_row` as it is reached."""
    if count := counter():
        on_row = partial(_counted, count, on_row)
    line = longest_first(videos)
    job = replace(job, after=job.after or after_each(videos))
    turns = job.takes_turns(Cores().gpus()) if job.analysis.gpu_share else False
    for turn in _waves(line, TURN_VIDEOS if turns else max(1, len(videos))):
        _Course(turn, job, on_row, turns=turns).run()


def _counted(count: Count, on_row: OnRow, row: StageRow) -> None:
    count_row(count, row)
    on_row(row)


class _Course:
    """All videos of a run: what lands of a stage leads on to the next."""

    def __init__(self, videos: list[VideoRow], job: Job, on_row: OnRow, *, turns: bool) -> None:
        self._job, self._on_row, self._turns = job, on_row, turns
        self._videos = {video["video"]: video for video in videos}
        self._rank = {name: number for number, name in enumerate(self._videos)}
        self._sharing = by_source(videos)
        self._chunks = Countdown(self._tell_all)
        self._growth = Countdown(on_row)
        self._pieces = Countdown(on_row)
        self._beside: Counter[str] = Counter()
        self._cores_each = cores_each(job.render, stays=job.stays)
        self._under_way = UnderWay(self._sharing)
        self._flow = flow = Flow()
        both = job.analysis, job.render
        homes = Homes() if job.stays else None
        finishing = on_cores("finish", actors.finish_row, job.render, homes=homes)
        plans = on_cores("plan", actors.plan_row, *both, homes=homes)
        where: dict[str, Any] = {"homes": homes, "cpus": cpus_of_actors(*both)}
        renderers = for_rendering(job.render, self._gpus_to_render, self._segments_left, **where)
        analysers = for_analysis(job.analysis, self._gpus_to_analyse, self._chunks_left, **where)
        # The last stages first: videos end rather than begin; what lies beside an output is last.
        self._finish = flow.stage(finishing, self._finished)
        self._render = flow.stage(renderers, self._rendered, self._gpus_are_free)
        self._plan = flow.stage(plans, self._planned, self._lacks)
        self._analyse = flow.stage(analysers, self._analysed)
        inspections = Tasks("inspect", actors.inspect_row, *both, homes=homes)
        self._inspect = flow.stage(inspections, self._inspected, self._may_begin)
        plots = Tasks("plot", actors.plot_row, *both, homes=homes)
        self._plot = flow.stage(plots, self._told)
        self._judge = flow.stage(Tasks("qa", actors.qa_row, job.qa, homes=homes), self._told)

    def run(self) -> None:
        """Takes every video through all stages."""
        for first in self._sharing:
            self._put(self._inspect, self._videos[first])
        self._flow.run()

    def _inspected(self, rows: list[StageRow]) -> None:
        summary, *chunks = rows
        first = summary["video"]
        self._tell_all(summary)
        self._chunks.expect(first, len(chunks))
        for chunk in chunks:
            self._tell_all(chunk)
            self._put(self._analyse, _span(self._videos[first], chunk))
        if summary["error"]:
            self._under_way.end_all(first)
        elif not chunks:
            self._plan_all(first)

    def _analysed(self, rows: list[StageRow]) -> None:
        (row,) = rows
        if self._growth.waits(row["video"]):
            self._grown(row)
        elif self._chunks.landed(row):
            self._plan_all(row["video"])
        elif not self._chunks.waits(row["video"]):
            self._under_way.end_all(row["video"])

    def _grow(self, video: VideoRow, chunks: list[StageRow]) -> None:
        """A shot with an edit goes on beyond what is analysed: that, then its plan again."""
        self._growth.expect(video["video"], len(chunks))
        for chunk in chunks:
            self._on_row(chunk)
            self._put(self._analyse, _span(video, chunk))

    def _grown(self, row: StageRow) -> None:
        if self._growth.landed(row):
            self._put_plan(self._videos[row["video"]])
        elif not self._growth.waits(row["video"]):
            self._under_way.end(row["video"])

    def _plan_all(self, first: str) -> None:
        for video in self._sharing[first]:
            self._put_plan(video)

    def _put_plan(self, video: VideoRow) -> None:
        hands = hands_for(self._hands(), self._job.after[video["video"]])
        self._put(self._plan, {**video, **asdict(hands)})

    def _planned(self, rows: list[StageRow]) -> None:
        video = self._videos[rows[0]["video"]]
        if rows[0]["stage"] == "inspect":
            self._grow(video, rows)
            return
        todo = [_span(video, row) for row in rows if is_still_to_do(row)]
        for row in rows:
            self._on_row(row)
        self._pieces.expect(video["video"], len(todo))
        for segment in todo:
            self._put(self._render, segment)
        if self._job.render is None or any(row["error"] for row in rows):
            self._under_way.end(video["video"])
        elif not todo:
            self._put(self._finish, video)

    def _rendered(self, rows: list[StageRow]) -> None:
        (row,) = rows
        if self._pieces.landed(row):
            self._put(self._finish, self._videos[row["video"]])
        elif not self._pieces.waits(row["video"]):
            self._under_way.end(row["video"])

    def _finished(self, rows: list[StageRow]) -> None:
        (row,) = rows
        self._on_row(row)
        settings = self._job.render
        asked = {self._plot: settings and settings.plot, self._judge: self._job.qa}
        beside = [stage for stage, wanted in asked.items() if wanted and not row["error"]]
        self._beside[row["video"]] = len(beside)
        for stage in beside:
            self._put(stage, self._videos[row["video"]])
        if not beside:
            self._under_way.end(row["video"])

    def _told(self, rows: list[StageRow]) -> None:
        for row in rows:
            self._on_row(row)
        self._beside[rows[0]["video"]] -= 1
        if not self._beside[rows[0]["video"]]:
            self._under_way.end(rows[0]["video"])

    def _tell_all(self, row: StageRow) -> None:
        for video in self._sharing[row["video"]]:
            self._on_row({**row, "video": video["video"]})

    def _put(self, stage: Stage, row: Any) -> None:
        stage.put(row, self._rank[row["video"]])

    def _may_begin(self) -> bool:
        """Back-pressure: whether another source may be begun."""
        begun = len(self._sharing) - len(self._inspect) - self._under_way.ended
        return self._turns or begun < self._enough()

    def _lacks(self) -> bool:
        """Back-pressure: whether too few segments wait for being rendered."""
        return self._turns or len(self._render) < self._enough()

    def _enough(self) -> int:
        """Twice what can run at once: so much waits for each stage that none must wait."""
        hands = self._hands()
        calls = hands.workers * hands.calls if hands.calls > 1 else 0
        return 2 * int(self._flow.cores.there() + calls) + 2

    def _hands(self) -> Hands:
        return hands_there(self._job.render, self._flow.cores, self._cores_each)

    def _gpus_are_free(self) -> bool:
        """Whether rendering has GPUs: where it takes turns with analysis, after that."""
        return not self._turns or self._is_analysed()

    def _gpus_to_analyse(self) -> float:
        gpus = self._flow.cores.gpus()
        return gpus if self._turns else self._job.part_for_analysis(gpus)

    def _gpus_to_render(self) -> float:
        gpus = self._flow.cores.gpus()
        if self._turns or not self._job.analysis.gpu_share or self._is_analysed():
            return gpus
        return gpus - self._job.part_for_analysis(gpus)

    def _is_analysed(self) -> bool:
        """Whether all are, and no GPU is held for it any more."""
        if self._comes_from(self._inspect, self._analyse, self._plan):
            return False
        self._analyse.place.close(at_once=False)
        return True

    def _comes_from(self, *stages: Stage) -> bool:
        return any(len(stage) or stage.place.is_busy() for stage in stages)

    def _chunks_left(self) -> int | None:
        return None if self._comes_from(self._inspect) else len(self._analyse) + 1

    def _segments_left(self) -> int | None:
        before = self._inspect, self._analyse, self._plan
        return None if self._comes_from(*before) else len(self._render) + 1


def _span(video: VideoRow, row: StageRow) -> SpanRow:
    return {
        **video,
        "number": row["number"],
        "first": row["first"],
        "last": row["last"],
        "digest": row["digest"],
    }


def _waves(rows: list[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
