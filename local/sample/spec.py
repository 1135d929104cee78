"""The arguments that determine every byte of a sample."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date
from random import Random


@dataclass(frozen=True)
class Spec:
    """The arguments of a sample. ``days`` are whole UTC days from ``start``."""

    start: date = date(2018, 11, 1)
    days: int = 30
    scale: float = 1.0
    seed: int = 1
    songs: int | None = None
    """The number of songs, or None for 1,000 times ``scale``."""

    @property
    def song_count(self) -> int:
        """Return the number of songs."""
        return self.songs or max(1, round(1_000 * self.scale))

    def random(self, purpose: str) -> Random:
        """Return the random generator of a purpose, so that the number of songs does not change who listens when."""
        # Seed from a SHA-256 hash, because Python's hash() of a text differs from process to process.
        return Random(int.from_bytes(hashlib.sha256(f"{self.seed} {purpose}".encode()).digest()[:8]))
