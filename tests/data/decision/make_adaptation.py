"""Reference values for src/decision/adaptation.rs, by numpy.

    python tests/data/decision/make_adaptation.py     (numpy 2.4)

Three batches of calls of sixteen callers, some of whom call again, in eight dimensions; the line's mean and weight after
each, and a voice aligned by it. Nothing here is translated from the Rust: each quantity is written down as its definition.
"""

import json
from pathlib import Path

import numpy as np

HALF_LIFE, SHRINKAGE, CALLERS = 400.0, 200.0, 16


def unit(values):
    return values / np.linalg.norm(values, axis=-1, keepdims=True)


def main():
    rng = np.random.default_rng(20261122)
    line = rng.normal(size=8)
    reference = 0.4 * unit(rng.normal(size=8))
    voice = unit(rng.normal(size=8) + line).astype(np.float32)
    batches, means = [], []
    for _ in range(3):
        again = rng.integers(0, CALLERS - 1, size=9)
        callers = np.r_[np.arange(CALLERS - 1), again]
        rng.shuffle(callers)
        # The sixteenth caller's first call ends the batch.
        callers = np.r_[callers, CALLERS - 1]
        calls = unit(rng.normal(size=(len(callers), 8)) + line).astype(np.float32)
        own = [calls[callers == one].astype(float).mean(axis=0) for one in range(CALLERS)]
        means.append(np.mean(own, axis=0))
        # A weight for every caller there ever was: it halves with each 400 that come after.
        ages = CALLERS * np.arange(len(means))[::-1]
        weights = CALLERS * 0.5 ** (ages / HALF_LIFE)
        mean = np.average(means, axis=0, weights=weights)
        weight = weights.sum()
        aligned = unit(voice + weight / (weight + SHRINKAGE) * (reference - mean))
        batches.append(
            {
                "callers": callers.tolist(),
                "calls": calls.tolist(),
                "weight": float(weight),
                "mean": mean.tolist(),
                "aligned": aligned.tolist(),
            }
        )
    out = {"reference": reference.tolist(), "voice": voice.tolist(), "batches": batches}
    Path(__file__).with_name("adaptation.json").write_text(json.dumps(out, indent=1) + "\n")


main()
