"""What `make-pairs` can be told, and the file that says where footage comes from."""

from __future__ import annotations

from dataclasses import fields
from fnmatch import fnmatch
from pathlib import Path
from typing import Annotated, Literal

import yaml
from cyclopts import Parameter
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from engines.editors.magicface.training.examples.pairs import LEAST_SIZE, Provenance
from jobs.command_line.command import one_line
from jobs.command_line.options.engines import EngineOptions
from jobs.command_line.options.words import (
    ESTIMATOR_HELP,
    TRACKER_HELP,
    CacheSize,
    Flag,
    Inputs,
    OnFiles,
    Place,
    Said,
)
from jobs.errors import JobError
from pipeline.pairs.pictures import CropSettings
from pipeline.pairs.rules import PairRules
from pipeline.storage.copies import DEFAULT_BYTES, fetch
from pipeline.storage.urls import path_of, told

SYNTHETIC = ("warp", "heads")
USUAL_SHARE = 0.5


class PairOptions(BaseModel):
    """Everything `jobs/make_pairs.py` can be told."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    inputs: Inputs = Field(description="Files, folders or globs.")
    output: OnFiles = Field(description="Folder of the pairs, and of the state to go on from.")
    cache_size: CacheSize = DEFAULT_BYTES
    provenance: Place | None = Field(
        default=None,
        description="YAML or JSON: file name or pattern → licence, consent, may_train, person.",
    )
    without_provenance: Flag = Field(
        default=False, description="Also cut footage of which nobody says where it comes from."
    )
    size: int = Field(
        default=512, ge=LEAST_SIZE, description="Side of the pictures, pixels, as the weights are."
    )
    mask: Literal["person", "face"] = Field(
        default="person", description="What the background picture blacks out."
    )
    dots: Literal["target", "source"] = Field(
        default="target",
        description="Whose jaw is drawn on it: target is the paper's, source is what the model is "
        "shown where it is used.",
    )
    held_out: float = Field(
        default=0.1, ge=0, le=0.9, description="Share of people who are held out of training."
    )
    pairs_per_face: int = Field(
        default=PairRules.pairs_per_face, ge=1, description="Of each face of a shot, at most."
    )
    min_distance_s: float = Field(
        default=PairRules.min_distance_s, ge=0, description="Seconds between the two frames."
    )
    max_distance_s: float = Field(default=PairRules.max_distance_s, ge=0, description="The same.")
    min_pose_change: float = Field(
        default=PairRules.min_pose_change, ge=0, description="Degrees; this, or the next."
    )
    min_background_change: float = Field(
        default=PairRules.min_background_change, ge=0, description="Levels of 255, on average."
    )
    min_au_change: float = Field(
        default=PairRules.min_au_change, ge=0, description="Length of the AU difference."
    )
    min_score: float = Field(
        default=PairRules.min_score, ge=0, le=1, description="Of the tracker's presence."
    )
    min_face_px: float = Field(
        default=PairRules.min_face_px, ge=0, description="Width of the face in the footage."
    )
    max_yaw: float = Field(default=PairRules.max_yaw, ge=0, description="Degrees.")
    min_sharpness: float = Field(
        default=PairRules.min_sharpness,
        ge=0,
        description="Variance of the Laplacian of the crop at 256 px.",
    )
    synthetic: Annotated[tuple[Said, ...], Parameter(consume_multiple=1, negative=())] = Field(
        default=(),
        description="Also pairs with a known AU change: `warp` (one frame, moved by the preview's "
        "rig), `heads` (drawn people); each with its share of all pairs, as in `warp=0.6 "
        f"heads=0.3`, {USUAL_SHARE:g} where none is said.",
    )
    seed: int = Field(default=PairRules.seed, ge=0, description="Of candidates and of the split.")
    tracker: Said = Field(default="auto", description=TRACKER_HELP)
    au: Said = Field(
        default="auto",
        description=f"{ESTIMATOR_HELP} The paper's is libreface; mesh is no ground truth.",
    )
    tracker_options: EngineOptions = EngineOptions()
    au_options: EngineOptions = EngineOptions()

    def rules(self) -> PairRules:
        """Which frames make a pair.

        Raises:
            JobError: kinds or shares of synthetic pairs that do not exist.
        """
        own = {f.name for f in fields(PairRules)} - {"warped_share"}
        shares = self.shares()
        warped = round(shares["warp"] / (1 - shares["heads"]), 6)
        return PairRules(**{name: getattr(self, name) for name in own}, warped_share=warped)

    def shares(self) -> dict[str, float]:
        """Of all pairs, by kind of synthetic ones.

        Raises:
            JobError: an unknown kind, a share that is none, or more than there is.
        """
        shares: dict[str, float] = dict.fromkeys(SYNTHETIC, 0.0)
        for word in self.synthetic:
            kind, _, said = word.partition("=")
            shares[_known_kind(kind, word)] = _share(said, word) if said else USUAL_SHARE
        if sum(shares.values()) > 1 or shares["heads"] == 1:
            raise JobError(
                f"--synthetic {' '.join(self.synthetic)}: {sum(shares.values()):g} of all pairs; "
                "expected 1 at most, and less of heads alone"
            )
        return shares

    def crops(self) -> CropSettings:
        """How they are cut out."""
        return CropSettings(self.size, self.mask, self.dots)


def _known_kind(kind: str, word: str) -> str:
    if kind not in SYNTHETIC:
        raise JobError(f"--synthetic {word}: no such kind; expected {' or '.join(SYNTHETIC)}")
    return kind


def _share(said: str, word: str) -> float:
    try:
        share = float(said)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise JobError(f"--synthetic {word}: got share {said}; expected 0…1, as in warp=0.6")
    return share


class _Said(BaseModel):
    """What the file says of some footage."""

    model_config = ConfigDict(extra="forbid", strict=True)

    licence: str = ""
    consent: str = ""
    may_train: bool = False
    person: str = ""


def read_provenance(path: str | None) -> dict[str, _Said]:
    """File names or patterns, as they stand there, → what is said of them.

    Raises:
        JobError: not readable, or it says something else.
    """
    if path is None:
        return {}
    try:
        said = yaml.safe_load(fetch(path_of(path)).read_text(encoding="utf-8"))
        return TypeAdapter(dict[str, _Said]).validate_python(said)
    except ValidationError as error:
        raise JobError(
            f"--provenance {path}: {one_line(error)}; expected file name or pattern → licence, "
            "consent, may_train, person"
        ) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise JobError(f"--provenance {path}: not readable: {error}") from None


def provenance_of(video: Path, said: dict[str, _Said]) -> tuple[Provenance, str]:
    """Of one file, and the person in it: by its name, else by the first pattern that fits; an
    object in a store by its URL."""
    names = video.name, told(str(video))
    name = next((key for key in said if key in names), None)
    name = name or next((k for k in said if any(fnmatch(n, k) for n in names)), None)
    if name is None:
        return Provenance(video.name), ""
    found = said[name]
    known = Provenance(video.name, found.licence, found.consent, found.may_train)
    return known, found.person
