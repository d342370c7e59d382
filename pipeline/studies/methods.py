"""A methods paragraph for a paper: what was done, with which versions and numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.studies.design import LETTERS
from pipeline.studies.stimuli import StimuliSettings, apex_figures


def methods(
    settings: StimuliSettings,
    stimuli: Sequence[Mapping[str, Any]],
    people: int,
    people_words: str,
    versions: Mapping[str, str],
) -> str:
    """The paragraph; every number in it is of these stimuli.

    Args:
        people_words: what the faces are, e.g. `photographs in faces/`.
        versions: package → version.
    """
    timing, editor, judge = settings.timing, settings.editor, settings.judge.estimator
    asked = [s for s in stimuli if s["aus"]]
    units = sorted({au for s in asked for au in s["aus"]})
    levels = sorted({level for s in asked for level in s["levels"]})
    how = (
        "added to what each face showed (levels are changes)"
        if settings.mode == "delta"
        else "set as the intensity to be shown (the change asked for is level minus what was "
        "measured)"
    )
    text = (
        f"Stimuli were made with aureel {versions.get('aureel', '(a checkout)')} (editor "
        f"{editor.name}{_told(editor.settings)}{_weights(editor.weights_digest)}; "
        f"seed {settings.seed}; Python {versions['python']}, NumPy {versions['numpy']}, OpenCV "
        f"{versions['opencv-python-headless']}, PyAV {versions['av']}"
        f"{_torch(versions, editor.settings)}) from {people} faces ({people_words}). "
        f"{_list([f'AU{au}' for au in units])} were asked for at FACS levels "
        f"{_list([LETTERS[level - 1] for level in levels])} (intensity "
        f"{_list([str(level) for level in levels])} of 5), {how}, "
        f"{len(asked)} stimuli and {len(stimuli) - len(asked)} neutral ones. "
    )
    if settings.form == "video":
        text += (
            f"Each is a video of {timing.total_s:g} s at {_rate(settings)} frames/s: onset "
            f"{1000 * timing.onset:g} ms, apex {1000 * timing.apex:g} ms, offset "
            f"{1000 * timing.offset:g} ms"
            + (f", {1000 * timing.before:g} ms before" if timing.before else "")
            + (f", {1000 * timing.after:g} ms after" if timing.after else "")
            + f", {settings.easing} interpolation, H.264 at CRF 10. "
        )
    else:
        text += "Each is a lossless still (PNG) of the apex. "
    return text + _achieved(asked, settings, judge.name) + "\n"


def _achieved(asked: Sequence[Mapping[str, Any]], settings: StimuliSettings, judge: str) -> str:
    read: list[float] = []
    error: list[float] = []
    for stimulus in asked:
        apex = apex_figures(dict(stimulus), settings.timing.apex_s)
        for change, before, after in zip(
            apex["asked"], apex["measured"], apex["achieved"], strict=True
        ):
            if after is not None:
                read.append(after - before)
                error.append(abs(after - min(max(before + change, 0.0), 5.0)))
    if not read:
        return "No face was found in any of them, so what was achieved is not known."
    by = f"AU intensities achieved were read by {judge} from the written files"
    own = (
        " (which reads the very points that this editor moves: they are not an independent measure)"
        if judge == "mesh" and settings.editor.name in ("previz", "plate")
        else ""
    )
    return (
        f"{by}{own}: at the apex, the mean change of the units asked for was "
        f"{np.mean(read):.2f} (SD {np.std(read):.2f}), the mean absolute error against what can be "
        f"read within 0–5 was {np.mean(error):.2f}."
    )


def _rate(settings: StimuliSettings) -> str:
    rate = settings.rate
    return str(rate) if rate.denominator == 1 else f"{rate} ({float(rate):.3f})"


def _told(said: Mapping[str, Any]) -> str:
    plain = {k: v for k, v in said.items() if k not in ("weights", "base")}
    return "".join(f", {name} {value}" for name, value in plain.items())


def _weights(digest: str) -> str:
    return f", weights {digest[:12]}" if digest else ""


def _torch(versions: Mapping[str, str], said: Mapping[str, Any]) -> str:
    return f", PyTorch {versions['torch']}" if "weights" in said and "torch" in versions else ""


def _list(words: Sequence[str]) -> str:
    return ", ".join(words[:-1]) + (" and " if len(words) > 1 else "") + words[-1] if words else "—"
