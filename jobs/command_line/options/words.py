"""Types of what is said, with the help that several commands share: choices, places, parts."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from cyclopts import Parameter
from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from jobs.command_line.options.engines import names_help
from keyframes.clock.part import parse_part
from keyframes.errors import KeyframeError
from pipeline.settings import Moments
from pipeline.storage.copies import DEFAULT_BYTES
from pipeline.storage.urls import here, url_of

Preset = Literal[
    "auto",
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
]


FieldMoments = Annotated[
    Moments,
    Field(
        description="How many moments the two fields of an interlaced frame show: `two`, `one` "
        "(PsF, edited as whole frames), or `auto`: told shot by shot by how faces move."
    ),
]
Border = Literal["replicate", "reflect", "black"]
BitDepth = Annotated[
    Literal[8, 10, 12, 16],
    BeforeValidator(lambda told: int(told) if str(told).isdigit() else told),
]
"""A choice of numbers, which a command line gives as text."""
Flag = Annotated[bool, Parameter(negative=())]
"""A switch without a `--no-` form."""
Said = Annotated[str, StringConstraints(min_length=1)]
"""A word that may not be empty: an empty path would mean this folder."""
Place = Annotated[Said, AfterValidator(here)]
"""A path, or a URL, which becomes the path of an object's copy (pipeline/storage)."""


def _on_files(word: str) -> str:
    if url_of(here(word)):
        raise ValueError("expected a place on a file system, not in a store")
    return here(word)


OnFiles = Annotated[Said, AfterValidator(_on_files)]
"""A path, or a file's URL."""


def _bytes(told: str | int) -> int:
    """`50GB` as a number of bytes."""
    match = re.fullmatch(r"([0-9.]+)\s*([KMGT]?)B?", str(told).strip(), re.IGNORECASE)
    if match is None:
        raise ValueError("expected a size as 200GB or 800MB")
    return int(float(match[1]) * UNITS[match[2].upper()])


def _part(word: str) -> str:
    """The words of a part, once they are understood."""
    try:
        parse_part(word)
    except KeyframeError as error:
        raise ValueError(str(error)) from None
    return word


UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
CacheSize = Annotated[
    int,
    BeforeValidator(_bytes),
    Field(
        default=DEFAULT_BYTES,
        gt=0,
        description="What copies of objects in stores (s3://, gs://, …) may take on each machine, "
        "as 200GB; the longest unused go first. They lie in $AUREEL_CACHE.",
    ),
]
Inputs = Annotated[tuple[Place, ...], Parameter("--input", consume_multiple=1, negative=())]
"""One or more: an option without a value is not the absence of the option."""
StuckAfter = Annotated[
    float | None,
    Field(
        gt=0,
        description="Seconds without a new frame after which a piece of work counts as hung: its "
        "process is ended and it is begun again, three times at most. Without: 20 times what its "
        "frames should take, 300 at least.",
    ),
]
EventLines = Annotated[
    OnFiles | None,
    Parameter("--log-json"),
    Field(
        description="Also write a line of JSON here for each stage of each video and each part of "
        "one, as it ends: what, when, how long, how many frames, the error.",
    ),
]
Timeline = Annotated[
    OnFiles | None,
    Field(
        description="Also draw the whole run here, as a .json that ui.perfetto.dev and "
        "chrome://tracing open: what ran at once, and who waited.",
    ),
]
ClipPart = Annotated[
    Said,
    AfterValidator(_part),
    Field(
        description="Make only this part of each clip, as 12s..15s, 25%..50% or 01:00:02:00..end: "
        "a short file of its own, named <name>.<curve>.only-12s-15s.<ext>, whatever --output says.",
    ),
]
View = Annotated[
    Said,
    Field(
        description="What engines and people are shown of the footage: auto (PQ and HLG by their "
        "tags), a camera's log curve (slog3, logc3, logc4, vlog, clog2, clog3, log3g10, flog2, "
        "nlog, applelog), a table FILE.cube from its code values to BT.709, or none.",
    ),
]
TRACKER_HELP = f"What finds faces. {names_help('tracker')}"
ESTIMATOR_HELP = f"What measures action units. {names_help('AU estimator')}"
EditorWord = Annotated[Said, Field(description=f"What changes faces. {names_help('editor')}")]
TrackerWord = Annotated[Said, Field(description=TRACKER_HELP)]
EstimatorWord = Annotated[Said, Field(description=ESTIMATOR_HELP)]
JudgeWord = Annotated[
    Said,
    Field(
        description="The judge of action units. auto: libreface where its weights are (on a CPU "
        "too), else mesh.",
    ),
]
ReaderWord = Annotated[
    Literal["auto", "av", "decord", "nvdec"],
    Field(
        description="What reads the frames for measuring. auto is av (PyAV); decord, of the extra "
        "[decord], only where it shows the same frames; nvdec, a GPU's decoder, where a file's "
        "first frames are the CPU's to the bit, else av.",
    ),
]
Seed = Annotated[int, Field(ge=0, lt=2**63, description="Seed of the editor's noise.")]
OPTION_OF = {"inputs": "input"}
"""Fields that have another name on the command line."""
