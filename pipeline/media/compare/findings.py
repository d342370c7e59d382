"""What a comparison found, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """How one thing fared."""

    KEPT = "kept"
    NOTE = "note"
    """Differs, and no promise was made of it (how large the file is, which encoder)."""
    LIMITED = "limited"
    """Cannot be held by the output's container or codec."""
    LOST = "lost"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        topic: what, in a word or two: `frame times`, `sound 1`, `captions`.
        verdict: how it fared.
        words: one line for people; where something differs, what it was and what it is.
    """

    topic: str
    verdict: Verdict
    words: str


@dataclass(frozen=True)
class Comparison:
    """All findings about two files, and the figures of their pictures."""

    source: str
    output: str
    findings: tuple[Finding, ...]
    figures: dict[str, Any]

    def of(self, *verdicts: Verdict) -> list[Finding]:
        return [f for f in self.findings if f.verdict in verdicts]

    @property
    def exit_status(self) -> int:
        """0: every promise holds; 1: something differs; 3: only what could not be held does."""
        if self.of(Verdict.LOST):
            return 1
        return 3 if self.of(Verdict.LIMITED) else 0

    @property
    def summary(self) -> str:
        """One line."""
        lost, limited = self.of(Verdict.LOST), self.of(Verdict.LIMITED)
        kept = len(self.of(Verdict.KEPT))
        if lost:
            return f"differs: {_topics(lost)} ({kept} things kept)"
        if limited:
            return f"kept but for what it cannot hold: {_topics(limited)} ({kept} things kept)"
        return f"the same footage: all {kept} things kept"

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "schema": "aureel-verify/1",
            **asdict(self),
            "summary": self.summary,
            "exit_status": self.exit_status,
        }


def _topics(findings: Sequence[Finding]) -> str:
    return ", ".join(dict.fromkeys(f.topic for f in findings))


def kept(topic: str, words: str) -> Finding:
    """Something is as it was."""
    return Finding(topic, Verdict.KEPT, words)


def note(topic: str, words: str) -> Finding:
    """Something differs that no promise was made of."""
    return Finding(topic, Verdict.NOTE, words)


def limited(topic: str, words: str) -> Finding:
    """Something differs that the container or codec cannot hold."""
    return Finding(topic, Verdict.LIMITED, words)


def lost(topic: str, words: str) -> Finding:
    """Something differs."""
    return Finding(topic, Verdict.LOST, words)
