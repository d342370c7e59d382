"""What the benchmark measured, row by row."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One way of computing, timed.

    Attributes:
        way: `official` or `ours`.
        mode: `eager`, `graphs` (captured), `compile` (compiled; captured too on a GPU).
        ms_per_frame: the best of the repeats, wall clock.
        cpu_ms_per_frame: processor time of the same run; on a CPU that others use, the better
            figure.
        tflop_per_frame: of the algebra that this way computes.
        tflops: reached, TFLOP/s.
        share_of_floor: tflops over the rate of dense products in this dtype, measured in this run.
        reference_ms: what the editor's reference (one more decode) adds per frame; 0 for official.
        peak_gb: memory: allocated on the GPU, or the process's peak so far on a CPU.
        apart: largest difference of the final latents from the official way's, relative; None
            where it was not computed.
        fault: why there are no figures (out of memory).
    """

    way: str
    dtype: str
    mode: str
    batch: int
    steps: int
    ms_per_frame: float = 0.0
    cpu_ms_per_frame: float = 0.0
    frames_per_s: float = 0.0
    tflop_per_frame: float = 0.0
    tflops: float = 0.0
    share_of_floor: float = 0.0
    reference_ms: float = 0.0
    peak_gb: float = 0.0
    speedup: float | None = None
    apart: float | None = None
    fault: str = ""
