"""Where the rows of a stage that takes time run: tasks on cores, or actors on GPUs by Ray Data."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import ray

from pipeline import actors
from pipeline.edit.segments import Hands
from pipeline.flow.flow import Cores, Place
from pipeline.flow.homes import Homes
from pipeline.flow.tasks import Tasks
from pipeline.settings import AnalysisSettings, RenderSettings
from pipeline.studies.shares import StudySettings

if TYPE_CHECKING:  # Ray Data takes a second to import, and only actors on GPUs are its
    from ray.data import ActorPoolStrategy, Dataset

    from pipeline.flow.pool import Build, Pool

CALLS_PER_ACTOR = 3
"""Segments at once in a GPU actor, most: 92 % GPU busy, 66 % with one."""
SLOW_CALLS, SLOW_EDIT_S = 2, 0.1
"""Where a frame takes so long, one segment feeds the GPU while the next is opened: 99.3 % busy at
0.2 s, as with three. What an actor holds no other can take: with two, actors end more evenly."""
IN_FLIGHT = 2
"""Rows bound to an actor that does one at a time: the next lies ready."""
RETRIES = 10
"""Of work that counts its own deaths: three of them end it, lost machines come on top."""
MOST_FOR_GPUS = 0.5
"""Of a node's cores: what actors on GPUs may keep to decode and encode; the rest is analysis's."""

PART_FOR_ANALYSIS = 1 / 8
"""Of the GPUs, where an editor wants them too: finding faces takes far less than editing them."""

Gpus = Callable[[], float]
"""How many GPUs there are for a stage now."""
ToCome = Callable[[], int | None]
"""How many rows will still come, where that is known: a pool holds no more GPUs."""


def unknown() -> None:
    """More rows may come than are known."""


def on_cores(stage: str, work: Callable[..., Any], *settings: Any, **needs: Any) -> Tasks:
    """Tasks that count their own deaths; `needs` by Ray's names."""
    return Tasks(stage, work, *settings, retries=RETRIES, **needs)


def for_analysis(
    settings: AnalysisSettings,
    gpus: Gpus,
    to_come: ToCome,
    homes: Homes | None = None,
    cpus: float = 0.0,
) -> Place:
    """Where chunks are analysed; `cpus` as `cpus_of_actors`."""
    if not settings.gpu_share:
        return on_cores("analyse", actors.analyse_row, settings, homes=homes)

    def operator(rows: Dataset, size: int) -> Dataset:
        return _mapped(rows, size, actors.Analyse, settings, settings.gpu_share, cpus)

    how = {"calls": 1, "bound": IN_FLIGHT, "num_cpus": cpus}
    return _pool("analyse", operator, gpus, settings.gpu_share, to_come, **how)


def for_rendering(
    settings: RenderSettings | None,
    gpus: Gpus,
    to_come: ToCome,
    homes: Homes | None = None,
    cpus: float = 0.0,
) -> Place:
    """Where segments are rendered: several at once in an actor, whose batches mix them."""
    share = settings.editor.gpu_share if settings else 0.0
    if settings is None or not share:
        needs = _room_for(settings)
        return on_cores("render", actors.render_row, settings, homes=homes, **needs)

    calls = calls_of(settings)

    def operator(rows: Dataset, size: int) -> Dataset:
        pool, needs = _several_calls(size, calls_each(to_come(), size, calls))
        return rows.map_batches(
            actors.Render,
            fn_constructor_args=(settings,),
            batch_size=1,
            num_gpus=share,
            num_cpus=cpus,
            compute=pool,
            **needs,
        )

    how = {"calls": calls, "bound": calls, "num_cpus": cpus}
    return _pool("render", operator, gpus, share, to_come, **how)


def _pool(
    stage: str, build: Build, gpus: Gpus, share: float, to_come: ToCome, **needs: Any
) -> Pool:
    from pipeline.flow.pool import Pool

    return Pool(stage, build, lambda: actors_on(gpus(), share), to_come, **needs)


def calls_of(settings: RenderSettings) -> int:
    """Segments at once in an actor that renders."""
    return CALLS_PER_ACTOR if settings.editor.seconds_per_edit < SLOW_EDIT_S else SLOW_CALLS


def calls_each(rows: int | None, size: int, calls: int) -> int:
    """Segments at once in each actor: few are shared out, so that the first ready takes no more."""
    return calls if rows is None else min(calls, max(1, -(-rows // size)))


def _several_calls(size: int, calls: int) -> tuple[ActorPoolStrategy, dict[str, Any]]:
    """Actors that take several rows at once, and what each needs for it, by Ray's names."""
    from ray.data import ActorPoolStrategy

    how: dict[str, Any] = {"size": size, "enable_true_multi_threading": True}
    how["max_tasks_in_flight_per_actor"] = calls  # no stealing: a queued one is bound
    try:
        return ActorPoolStrategy(**how, max_concurrent_calls_per_actor=calls), {}
    except TypeError:  # Ray 2.54 has no such argument, and takes the actor's own
        return ActorPoolStrategy(**how), {"max_concurrency": calls}


def for_study(settings: StudySettings, gpus: float) -> Place:
    """Where shares of a study are made."""
    share = max(engine.gpu_share for engine in settings.engines)
    if not share:
        return Tasks("study", actors.study_row, settings)
    cpus = cpu_beside_gpu(share, _nodes())

    def operator(rows: Dataset, size: int) -> Dataset:
        return _mapped(rows, size, actors.Study, settings, share, cpus)

    how = {"calls": 1, "bound": IN_FLIGHT, "num_cpus": cpus}
    return _pool("study", operator, lambda: gpus, share, unknown, **how)


def _mapped(
    rows: Dataset, size: int, actor: Any, settings: Any, share: float, cpus: float
) -> Dataset:
    from ray.data import ActorPoolStrategy

    return rows.map(
        actor,
        fn_constructor_args=(settings,),
        num_gpus=share,
        num_cpus=cpus,  # Ray Data's default is a whole core, and tasks would wait for ever
        compute=ActorPoolStrategy(size=size, max_tasks_in_flight_per_actor=IN_FLIGHT),
    )


def part_for_analysis(gpus: float, analysis: float, rendering: float) -> float:
    """GPUs for analysis while rendering has the others; 0 where both do not fit at once.

    Each of its actors may come to lie on a GPU of its own: one GPU at least is left whole.

    Args:
        analysis, rendering: shares of a GPU, of one actor.
    """
    if gpus < 2:
        return analysis if analysis + rendering <= gpus else 0.0
    return analysis * max(1, min(int(PART_FOR_ANALYSIS * gpus / analysis), int(gpus) - 1))


def actors_on(gpus: float, share: float) -> int:
    """Actors that GPUs hold, one at least; 0 where an actor needs none."""
    return max(1, int(gpus / share)) if share else 0


def cores_each(settings: RenderSettings | None, *, stays: bool) -> float:
    """Of the cluster's cores: how many there are for each task of one video that may render."""
    nodes = len([node for node in _nodes() if node.get("CPU")]) if stays else 1
    return max(1, nodes) * _room_for(settings).get("num_cpus", 1.0)


def hands_there(settings: RenderSettings | None, cores: Cores, each: float) -> Hands:
    """All that may render one video at once: actors on GPUs, or tasks on so many cores each."""
    if settings is not None and (share := settings.editor.gpu_share):
        return Hands(actors_on(cores.gpus(), share), calls_of(settings))
    return Hands(max(1, int(cores.there() / each)))


def _room_for(settings: RenderSettings | None) -> dict[str, float]:
    needs = settings and settings.editor.cpu_needs
    return cpu_room(needs.memory, _nodes()) if needs else {}


def _nodes() -> list[dict[str, float]]:
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def cpus_of_actors(analysis: AnalysisSettings, render: RenderSettings | None) -> float:
    """Cores that each actor of a job keeps, as if all of a node's had the smallest share of a GPU.

    So those of both stages together leave a core, wherever Ray puts them.
    """
    shares = analysis.gpu_share, render.editor.gpu_share if render else 0.0
    return cpu_beside_gpu(min(filter(None, shares)), _nodes()) if any(shares) else 0.0


def cpu_room(memory: int, nodes: list[dict[str, float]]) -> dict[str, float]:
    """What Ray is to keep for a task that takes so much memory: as many at once as nodes hold.

    They share a node's cores; of unlike nodes, the one with fewest per task says how many. A task
    larger than every node runs alone on the largest.

    Args:
        memory: bytes of one task.
        nodes: their resources, as Ray counts them.
    """
    able = [node for node in nodes if node.get("CPU") and node.get("memory")]
    if not able:
        return {}
    largest = max(node["memory"] for node in able)
    able = [node for node in able if node["memory"] >= min(memory, largest)]
    at_once = [(int(node["CPU"]), max(1, int(node["memory"] // memory))) for node in able]
    cpus = min(max(1, cores // count) for cores, count in at_once)
    return {"num_cpus": cpus, "memory": min(memory, int(largest))}


def cpu_beside_gpu(share: float, nodes: list[dict[str, float]]) -> float:
    """Cores that an actor on a share of a GPU keeps, so that analysis does not take them all.

    One is enough to decode and encode beside an editor; where cores are few, the actors of a node
    share half of them, and leave a whole one: a task would wait for ever on less.

    Args:
        share: of a GPU, of one actor.
        nodes: their resources, as Ray counts them.
    """
    able = [node for node in nodes if node.get("GPU") and node.get("CPU")]
    parts = [(min(MOST_FOR_GPUS * n["CPU"], n["CPU"] - 1), n["GPU"] / share) for n in able]
    each = [max(0.0, cores / actors) for cores, actors in parts]
    return int(100 * min(1.0, *each)) / 100 if each else 0.0
