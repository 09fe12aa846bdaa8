"""Voices that nobody has: a recording's pitch and vocal tract changed apart from each other (WORLD; Morise et al.
2016), so that a student meets far more speakers than were recorded."""

import numpy as np
import pyworld

from audio import RATE

KNOTS = np.array([0, 400, 800, 1_300, 1_900, 2_700, 3_600, 5_000, 8_000], dtype=np.float64)  # Hz


class Voice:
    """The parts of a recording."""

    def __init__(self, samples):
        samples = samples.astype(np.float64)
        pitch, times = pyworld.dio(samples, RATE, f0_floor=55.0, f0_ceil=500.0)
        self.pitch = pyworld.stonemask(samples, pitch, times, RATE)
        self.tract = np.log(pyworld.cheaptrick(samples, self.pitch, times, RATE) + 1e-16)
        self.breath = pyworld.d4c(samples, self.pitch, times, RATE)

    def morphed(self, random):
        """Somebody else who says the same: another pitch and range of it, formants moved together by up to a
        fifth and each on its own by a few percent, more or less breath."""
        voiced = self.pitch > 0
        if voiced.sum() < 50:
            return None
        middle = np.exp(np.log(self.pitch[voiced]).mean())
        wanted, spread = middle * np.exp(random.normal(0, 0.28)), random.uniform(0.6, 1.5)
        wanted = np.clip(wanted, 70, 330)
        pitch = np.where(voiced, wanted * (np.maximum(self.pitch, 1) / middle) ** spread, 0.0)
        bins = np.linspace(0, RATE / 2, self.tract.shape[1])
        moved = KNOTS * random.uniform(0.83, 1.2) * np.exp(random.normal(0, 0.05, len(KNOTS)))
        moved = np.maximum.accumulate(np.clip(moved, 0, RATE / 2))
        source = np.interp(np.interp(bins, moved + np.arange(len(moved)) * 1e-3, KNOTS), bins, np.arange(len(bins)))
        left = np.minimum(source.astype(int), len(bins) - 2)
        part = source - left
        tract = self.tract[:, left] * (1 - part) + self.tract[:, left + 1] * part
        breath = np.clip(self.breath[:, np.round(source).astype(int)] ** random.uniform(0.6, 1.6), 1e-3, 1)
        parts = (np.ascontiguousarray(part) for part in (np.exp(tract), breath))
        return pyworld.synthesize(pitch, *parts, RATE).astype(np.float32)
