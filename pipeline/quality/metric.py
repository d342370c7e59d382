"""What each measure is: its unit, its range, where it comes from, what it can't say."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """One measure of an edited shot.

    Attributes:
        key: its name in JSON and CSV.
        title: for people.
        unit: of its values.
        best: the value of a perfect edit.
        range: the values it can take, in words.
        source: where it comes from.
        silent: what it can't say.
    """

    key: str
    title: str
    unit: str
    best: float
    range: str
    source: str
    silent: str


METRICS: tuple[Metric, ...] = (
    Metric(
        "au_error",
        "Action units",
        "intensity units",
        0.0,
        "0…5: |achieved − reachable|, mean over the frames and units asked for",
        "MagicFace (2025), Table I, which squares it; reachable = measured + asked, within 0…5",
        "nothing beyond what its estimator reads; none reads above 5, and where the editor moves "
        "the very points that the estimator reads it measures itself",
    ),
    Metric(
        "identity",
        "Identity",
        "L2 distance of 128 numbers",
        0.0,
        "0 the same picture; the same person in one shot 0.22 (at most 0.45); two people 0.46 at "
        "least, 0.84 in the middle (17 people)",
        "MagicFace (2025): dlib's face recognition ResNet, here with 8-bit weights (face-api)",
        "whether a change is flattering or right: an expression alone moves it by 0.1 to 0.2",
    ),
    Metric(
        "background",
        "Background",
        "RMSE, 0…1 of full scale",
        0.0,
        "0…1, outside the grown hulls of the face before and after",
        "MagicFace (2025), with the encoder's own part subtracted (it is measured on this shot)",
        "where the picture differs: the worst block says that; the paper's 0.044 is of whole "
        "generated pictures and not comparable",
    ),
    Metric(
        "rotation",
        "Head rotation",
        "degrees of yaw and roll",
        0.0,
        "0…180",
        "head matrix of the face mesh, before against after",
        "pitch: an expression alone reads as 1.7–4.3° of it, so it is listed apart; not FLAME's "
        "pose coefficients",
    ),
    Metric(
        "flicker",
        "Flicker",
        "ratio, edit over plate",
        1.0,
        "0 and up; 1 = as steady as the plate",
        "warp error along DIS optical flow (Kroeger et al. 2016) inside the face, each clip "
        "along its own flow",
        "slow drifts; and a plate with heavy grain hides small flicker",
    ),
    Metric(
        "jitter",
        "Landmark jitter",
        "ratio, edit over plate",
        1.0,
        "0 and up",
        "second differences of 68 points with head motion removed",
        "more than the tracker sees: its own noise is in both",
    ),
    Metric(
        "sharpness",
        "Sharpness",
        "ratio, edit over plate",
        1.0,
        "0 and up; below 1 softer, above 1 harder",
        "RMS of the Laplacian where the face was changed",
        "whether detail is right: noise counts as sharpness",
    ),
    Metric(
        "seam",
        "Seam",
        "8-bit levels per pixel",
        0.0,
        "0 and up: steepness on the border of the change, less the plate's there; a hard paste 12 "
        "levels off gives about 1",
        "mean gradient on the border of the changed area (smoothed difference of 5 levels)",
        "anything where strong texture hides the border, or a dark mouth opens beside it",
    ),
    Metric(
        "outside",
        "Untouched outside",
        "8-bit levels",
        0.0,
        "0…255: the worst 16-pixel block outside the face",
        "against the same shot encoded again without an edit",
        "that samples are bit-identical, unless it says so: after a lossy encoder only a "
        "comparison with that encoder's own error is possible",
    ),
    Metric(
        "expression",
        "Expression",
        "probability",
        1.0,
        "seven classes, 0…1",
        "face-api's expression network (MIT, training data undisclosed), independent of all AUs",
        "accuracy: it noticed 16 of 32 preview smiles; read it as yes or no",
    ),
)
BY_KEY = {metric.key: metric for metric in METRICS}
