"""What the paper published, and why ours beside it is not the same number.

Source: Wei et al., "MagicFace: High-Fidelity Facial Expression Editing with Action-Unit Control"
(2025), Tables I and IV.
"""

from __future__ import annotations

from typing import Any

TABLE_1: dict[str, float] = {
    "au_mse": 0.261,
    "identity": 0.473,
    "background": 0.044,
    "pose": 0.032,
}
"""MagicFace's row."""
TABLE_4: dict[float, float] = {1.5: 0.333, 3.0: 0.261}
"""Guidance → AU error, where we know it."""


def differences(judge: str, editor: str, is_drawn: bool) -> list[str]:
    """What stands between these figures and the published ones, in sentences.

    Args:
        judge, editor: names of the engines.
        is_drawn: the people are drawn.
    """
    told = [
        "The paper's 387 combinations and its 20 people are published nowhere: the combinations "
        "are ours (aureel-387, frozen, its hash in the manifest), the people those named here.",
        "Head rotation is in degrees of yaw and roll of our face mesh; the paper's is of FLAME's "
        "coefficients. Pitch is listed apart: an expression alone reads as 1.7–4.3° of it.",
        "AU error counts the units asked for, against what an estimator can reach (measured + "
        "asked, within 0…5); the paper does not say which units it averages. All twelve are beside "
        "it.",
        "Only the face is pasted into the picture, so the background is the picture's own; the "
        "paper's 0.044 is of whole generated pictures.",
        "Identity is the paper's network with 8-bit weights (0.036 from dlib on average).",
    ]
    if judge != "libreface":
        told.append(
            f"AU intensities are read by {judge}, not by LibreFace as in the paper (its weights "
            "were not at hand), so the AU errors of the two cannot be compared."
        )
    if judge == "mesh":
        told.append(
            "The mesh estimator measures against a face at rest and takes the picture for it: what "
            "was there reads as 0, so a level as target is nearly a level as delta."
        )
    if judge == "mesh" and editor in ("previz", "plate"):
        told.append(
            f"Self-measured: {editor} moves the very points that {judge} reads; the share moved by "
            "geometry is read by another ruler, from the same tracker's points."
        )
    if is_drawn:
        told.append(
            "The people are drawn: their identity distances mean nothing across people, and within "
            "one they are those of a network that has never seen a drawn face."
        )
    return told


def beside(figures: dict[str, Any]) -> list[tuple[str, str, float | None, float | None]]:
    """Table I: column, unit of ours, the paper's value, ours."""
    return [
        ("AU error, squared", "intensity²", TABLE_1["au_mse"], figures["au_mse"]),
        ("Identity", "L2 of 128", TABLE_1["identity"], figures["identity"]),
        ("Background", "RMSE of full scale", TABLE_1["background"], figures["background"]),
        ("Head pose", "RMS degrees (paper: FLAME)", TABLE_1["pose"], figures["rotation"]),
    ]
