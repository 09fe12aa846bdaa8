"""The voices to learn from: the listed recordings, each also at other speeds (another pitch and another vocal tract:
another speaker)."""

import json
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import resample_poly

from campplus import RATE

SPEEDS = ((1, 1), (9, 10), (10, 9), (5, 6), (6, 5), (20, 21), (21, 20))  # new length / old length


def load(path):
    """Mono samples at 16 kHz, float32."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    samples = samples.mean(axis=1)
    if rate != RATE:
        step = np.gcd(rate, RATE)
        samples = resample_poly(samples, RATE // step, rate // step)
    return samples.astype(np.float32)


def held_out(place):
    """Readers (by their place in train.txt) that no student hears: calibrations are fitted on them."""
    return place % 7 in (0, 3)


def recordings(shared):
    """Paths of all recordings that may be learned from."""
    audio = Path(shared) / "audio"
    listed = [audio / line for line in (audio / "train.txt").read_text().split()]
    return [path for place, path in enumerate(listed) if not held_out(place)] + sorted((audio / "train_more").iterdir())


def without_pauses(samples, frame=480):
    """Speech alone, as a speech detector leaves it: frames within 32 dB of the loud ones, and their neighbours."""
    count = len(samples) // frame
    power = 10 * np.log10(np.mean(samples[: count * frame].reshape(count, frame) ** 2, axis=1) + 1e-12)
    speech = power > np.percentile(power, 95) - 32
    speech = np.convolve(speech, np.ones(5), mode="same") > 0
    return samples[: count * frame].reshape(count, frame)[speech].ravel()


def build(shared, pool, report=print):
    """Writes all voices as `pool`.i16 (samples, end to end) and `pool`.json (whose they are and where)."""
    index, at = [], 0
    paths = recordings(shared)
    with open(pool.with_suffix(".i16"), "wb") as file:
        for number, path in enumerate(paths):
            original = without_pauses(load(path))
            for new, old in SPEEDS:
                voice = original if new == old else resample_poly(original, new, old).astype(np.float32)
                voice = voice / (np.abs(voice).max() + 1e-9) * 0.9
                file.write((voice * 32_767).astype("<i2").tobytes())
                index.append({"reader": number, "start": at, "length": len(voice)})
                at += len(voice)
            if (number + 1) % 50 == 0:
                report(f"voices of {number + 1} of {len(paths)} recordings", flush=True)
    pool.with_suffix(".json").write_text(json.dumps(index))


def voices_in(pool):
    """The voices of a pool, left on disk: processes share what they read of them."""
    samples = np.memmap(pool.with_suffix(".i16"), dtype="<i2", mode="r")
    return [samples[v["start"] : v["start"] + v["length"]] for v in json.loads(pool.with_suffix(".json").read_text())]
