"""What this machine can do: engines, GPU, weights, footage, disk, and what to do next."""

from __future__ import annotations

import shutil
from importlib import metadata
from pathlib import Path
from typing import Any

from engines.choice import resolve, unavailable_reason
from engines.editors.magicface.folders import HUB, to_fetch
from engines.errors import EngineError
from engines.registry import KINDS, missing
from engines.weights.file_hash import cache_folder
from jobs.checkup import gpu
from jobs.checkup.finding import Checkup, Finding
from pipeline.media.write.encoding.encoders import ENCODERS, missing_encoders

CALL = "aureel animate --curve smile --editor magicface"
WEIGHTS_GB = 8.0
"""MagicFace and SD 1.5, as the hub has them."""
ROOM_GB = 2.0
"""Under this, a run of any length is at risk."""
Said = dict[str, dict[str, Any]]
"""Kind of engine → what its options say."""


def check(said: Said) -> Checkup:
    """Looks at everything; starts no Ray, downloads and writes nothing."""
    gpus = gpu.look()
    said = {**said, "editor": with_known_weights(said.get("editor", {}))}
    takes: dict[str, str] = {}
    found: list[Finding] = []
    for kind, names in KINDS.items():
        takes[kind] = _taken(kind, said.get(kind, {}), gpus.usable)
        found += [_engine(kind, name, said.get(kind, {}), gpus.usable) for name in names]
    found += [*gpu.findings(gpus), *gpu.video_findings(), _footage(), *_disk(), *_packages()]
    why, step = next_step(gpus, said["editor"])
    return Checkup(findings=found, takes=takes, next_step=step, why=why)


def with_known_weights(settings: dict[str, Any]) -> dict[str, Any]:
    """What was said to the editor, with the hub's weights where they were fetched before."""
    if not settings.get("weights") and not to_fetch(HUB):
        return {**settings, "weights": HUB}
    return settings


def _to_fetch(settings: dict[str, Any]) -> list[str]:
    weights, base = settings.get("weights"), settings.get("base")
    return to_fetch(weights, base) if weights else []


def _reason(kind: str, name: str, settings: dict[str, Any], gpus: float | None) -> str | None:
    if (kind, name) == ("editor", "magicface") and missing(kind, name) is None:
        absent = _to_fetch(settings)
        if absent:
            return f"not fetched yet: {', '.join(absent)}"  # asking the class would fetch them
    try:
        return unavailable_reason(kind, name, settings, gpus=gpus)
    except EngineError as error:
        return str(error)


def _taken(kind: str, settings: dict[str, Any], gpus: float) -> str:
    reasons = {name: _reason(kind, name, settings, gpus) for name in KINDS[kind]}
    lines = KINDS[kind]
    return next((n for n, r in reasons.items() if r is None and not lines[n].by_name_only), "")


def _engine(kind: str, name: str, settings: dict[str, Any], gpus: float) -> Finding:
    why = _reason(kind, name, settings, None)
    if why is not None:
        told, _, advice = why.partition("; ")
        return Finding(area=kind, name=name, state="no", told=told, advice=advice)
    why = _reason(kind, name, settings, gpus)
    if why is not None:
        told = f"can run by name; auto passes it over: {why}"
        return Finding(area=kind, name=name, state="limited", told=told)
    return Finding(area=kind, name=name, state="yes", told="can run")


def _footage() -> Finding:
    absent = missing_encoders()
    if absent:
        told = f"cannot write {', '.join(f'{codec} ({name})' for codec, name in absent.items())}"
        advice = "pip install --force-reinstall av"
        state = "no" if "h264" in absent else "limited"
        return Finding(
            area="footage", name="codecs", state=state, told=told, advice=advice, is_needed=True
        )
    told = f"writes {', '.join(ENCODERS)}"
    return Finding(area="footage", name="codecs", state="yes", told=told, is_needed=True)


def _disk() -> list[Finding]:
    places = {"here": Path.cwd(), "cache": cache_folder(), "/tmp": Path("/tmp")}
    return [_room(name, path) for name, path in places.items()]


def _room(name: str, path: Path) -> Finding:
    there = path
    while not there.exists():
        there = there.parent
    free = shutil.disk_usage(there).free / 1e9
    told = f"{free:.1f} GB free in {path}"
    if free < ROOM_GB:
        return Finding(
            area="disk", name=name, state="no", told=told, advice="make room", is_needed=True
        )
    if name == "cache" and free < WEIGHTS_GB:
        advice = f"MagicFace's weights take {WEIGHTS_GB:g} GB; $AUREEL_CACHE names another folder"
        return Finding(area="disk", name=name, state="limited", told=told, advice=advice)
    return Finding(area="disk", name=name, state="yes", told=told, is_needed=True)


def _packages() -> list[Finding]:
    return [
        Finding(area="packages", name=name, state="yes", told=metadata.version(name))
        for name in ("ray", "av")
    ]


def next_step(gpus: gpu.Gpus, settings: dict[str, Any]) -> tuple[str, str]:
    """Why, and the next command towards a MagicFace result.

    Args:
        settings: what is said to the editor; `weights` where they are known.
    """
    weights = settings.get("weights")
    base = f" --base {settings['base']}" if settings.get("base") else ""
    call = f"{CALL} --weights {weights or HUB}{base}"
    absent = missing("editor", "magicface")
    if absent is not None:
        return f"MagicFace's packages are not all here: {absent}", (
            "pip install 'aureel[magicface]'"
        )
    if gpus.counted and not gpus.usable:
        return "Ray counts a GPU that torch does not see", gpu.mend(gpus)
    if not weights or _to_fetch(settings):
        return (
            f"the weights are not here; this fetches them once ({WEIGHTS_GB:g} GB) and edits the "
            "demo clip",
            f"{call} --quality draft",
        )
    try:
        resolve("editor", "magicface", settings, gpus=gpus.usable)
    except EngineError as error:
        return f"these weights cannot be used: {error}; the hub has a whole set", (
            f"{CALL} --weights {HUB} --quality draft"
        )
    if not gpus.usable:
        return "without a GPU a frame takes minutes; few steps show that it works", (
            f"{call} --quality draft"
        )
    return "everything is here; the TensorRT plans are built before the first frame", call
