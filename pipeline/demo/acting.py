"""What the demo's actor does: speech-like syllables, and the face's motion in time with them.

One schedule of syllables drives both the sound and the picture, so they cannot drift apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.signal import lfilter

PITCH_HZ = 195.0
FORMANT_BANDWIDTHS_HZ = (80.0, 110.0, 160.0, 250.0, 300.0)
UPPER_FORMANTS_HZ = (3900.0, 4900.0)  # the same for every vowel; without them the voice is muffled


@dataclass(frozen=True)
class Vowel:
    """Three formants in Hz, and the mouth that goes with them: opening 0…1, spread −1…1."""

    formants_hz: tuple[float, float, float]
    opening: float
    spread: float


# Source of the formants: Peterson & Barney 1952, averages of women.
VOWELS = (
    Vowel((850.0, 1220.0, 2810.0), 1.0, 0.0),
    Vowel((610.0, 2330.0, 2990.0), 0.6, 0.5),
    Vowel((310.0, 2790.0, 3310.0), 0.25, 1.0),
    Vowel((590.0, 920.0, 2710.0), 0.7, -0.7),
    Vowel((370.0, 950.0, 2670.0), 0.35, -1.0),
)


@dataclass(frozen=True)
class Syllable:
    """One vowel sounding over `start_s`…`start_s + duration_s`; `phrase` counts from 0."""

    start_s: float
    duration_s: float
    vowel: int
    phrase: int


def schedule(seconds: float) -> list[Syllable]:
    """Phrases of four to seven syllables with pauses between; the same for every call."""
    rng = np.random.default_rng(1964)
    start, syllables = min(0.4, seconds / 6), []
    for phrase in range(int(seconds) + 1):
        for _ in range(rng.integers(4, 8)):
            duration = rng.uniform(0.17, 0.27)
            vowel = int(rng.integers(len(VOWELS)))
            if start + duration <= seconds:
                syllables.append(Syllable(start, duration, vowel, phrase))
            start += duration * 0.9
        start += rng.uniform(0.35, 0.6)
    return syllables


def _bump(times_s: NDArray[np.float64], start_s: float, duration_s: float) -> NDArray[np.float64]:
    """A raised cosine over `start_s`…`start_s + duration_s`, 0 elsewhere."""
    phase = np.clip((times_s - start_s) / duration_s, 0.0, 1.0)
    return 0.5 - 0.5 * np.cos(2.0 * np.pi * phase)


def vowel_levels(syllables: list[Syllable], times_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """`(5, N)` loudness of each vowel at each time, 0…about 1."""
    levels = np.zeros((len(VOWELS), len(times_s)))
    for s in syllables:
        first, last = np.searchsorted(times_s, [s.start_s, s.start_s + s.duration_s])
        levels[s.vowel, first:last] += _bump(times_s[first:last], s.start_s, s.duration_s)
    return levels


def _resonator(frequency_hz: float, bandwidth_hz: float, rate_hz: int) -> tuple[list[float], ...]:
    """Two-pole filter coefficients with unit gain at 0 Hz (Klatt 1980, a cascade's resonator)."""
    radius = np.exp(-np.pi * bandwidth_hz / rate_hz)
    second = -2.0 * radius * np.cos(2.0 * np.pi * frequency_hz / rate_hz)
    return [1.0 + second + radius**2], [1.0, second, radius**2]


def voice(syllables: list[Syllable], samples: int, rate_hz: int) -> NDArray[np.float32]:
    """`(samples,)` float32 mono, peak 0.5: a glottal pulse train through each vowel's formants."""
    times_s = np.arange(samples) / rate_hz
    glide = 1.0 + 0.09 * np.sin(2.0 * np.pi * 0.41 * times_s) + 0.02 * np.sin(33.0 * times_s)
    cycles = np.cumsum(PITCH_HZ * glide / rate_hz)
    pulses = np.diff(np.floor(cycles), prepend=0.0)
    breath = np.random.default_rng(2).normal(0.0, 0.01, samples)
    flow = np.asarray(lfilter([1.0], [1.0, -0.9], pulses)) + breath
    source = np.asarray(lfilter([1.0, -1.0], [1.0, -0.99], flow))  # no sound below the pitch
    sound = np.zeros(samples)
    for vowel, level in zip(VOWELS, vowel_levels(syllables, times_s), strict=True):
        voiced = source
        resonances = (*vowel.formants_hz, *UPPER_FORMANTS_HZ)
        for frequency, bandwidth in zip(resonances, FORMANT_BANDWIDTHS_HZ, strict=True):
            numerator, denominator = _resonator(frequency, bandwidth, rate_hz)
            voiced = np.asarray(lfilter(numerator, denominator, voiced))
        sound += level * voiced / np.sqrt(np.mean(voiced**2))
    return (0.5 * sound / max(np.abs(sound).max(), 1e-9)).astype(np.float32)


@dataclass(frozen=True)
class Performance:
    """What the face does at each of N frames, `(N,)` float64 each.

    Attributes:
        opening: of the jaw, 0 (as photographed)…about 1.
        spread: of the mouth's corners, −1 (rounded)…1 (wide).
        brow: raised, 0…1.
        blink: lids down, 0 (open)…1 (closed).
        sway, nod: of the head, −1…1.
    """

    opening: NDArray[np.float64]
    spread: NDArray[np.float64]
    brow: NDArray[np.float64]
    blink: NDArray[np.float64]
    sway: NDArray[np.float64]
    nod: NDArray[np.float64]


def performance(syllables: list[Syllable], times_s: NDArray[np.float64]) -> Performance:
    """The mouth follows the syllables; the brows rise and the lids blink at phrase boundaries."""
    levels = vowel_levels(syllables, times_s)
    brow, blink = np.zeros(len(times_s)), np.zeros(len(times_s))
    for before, s in zip([None, *syllables], syllables, strict=False):
        if before is None or before.phrase != s.phrase:
            brow += _bump(times_s, s.start_s - 0.1, 0.9)
            blink += _bump(times_s, s.start_s - 0.3, 0.28)
    opening = np.array([v.opening for v in VOWELS]) @ levels
    spread = gaussian_filter1d(np.array([v.spread for v in VOWELS]) @ levels, 0.8)
    sway = 0.7 * np.sin(2.0 * np.pi * times_s / 4.3) + 0.3 * np.sin(2.0 * np.pi * times_s / 1.9)
    nod = 0.5 * np.sin(2.0 * np.pi * times_s / 2.7) + 0.5 * brow
    return Performance(opening, spread, np.clip(brow, 0, 1), np.clip(blink, 0, 1), sway, nod)
