#!/usr/bin/env bash
# python-soxr 1.1.0 with the libsoxr in its wheel (0.1.3-14-ga66f3ee), seen 2026-11-29 (Debian 12, Python 3.11, x86-64).
#
# Behaviour: to samples of 16 bits libsoxr adds dither, pseudo-random noise of the last bit. `soxr.resample` draws the
# same noise for the same array every time. `soxr.ResampleStream` does not: one call, fed in the same chunks to 20
# streams with other calls in between, comes out in 16 ways, which differ in up to half of their samples. The noise
# hangs on what the memory held before: where glibc fills all memory with one byte (MALLOC_PERTURB_), the 20 are alike.
# Dither comes on digital silence too, a quarter of which is no longer zero, and at equal rates, where there is nothing
# to resample. Samples of 32 bits and floats get none. Neither docstring speaks of it; the package's issue 10 (2023,
# output differs from run to run) was closed as solved, which holds for `resample` alone.
#
# What one would have guessed: that resampling is arithmetic, and that one caller's samples do not depend on who called
# before; that silence stays silence, and that 8 to 8 kHz is a copy. From such a stream a recording has now one hash,
# now another; a verdict near its threshold is not had again by playing the call again; zeros that the network put into
# a gap cannot be told from a quiet line. Feeding the stream floats and rounding at the end is repeatable.
#
# Output seen:
#   int16 in one piece: 1 result of 20
#   int16 in streams: 16 results of 20, up to 44 % of the samples differ
#   float32 in streams: 1 result of 20
#   int16 silence from 8 to 16 kHz: 23 % of the samples are not zero
#   int16 silence from 8 to 8 kHz: 23 % of the samples are not zero
#   int16 in streams, memory filled: 1 result of 20
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check soxr==1.1.0 numpy==2.4.6
cat >"$folder/seen.py" <<'PY'
import sys

import numpy as np
import soxr

TIMES = 20
CHUNK = 160  # 20 ms
SECONDS = 2
noise = np.random.default_rng(1)
time = np.arange(SECONDS * 8_000) / 8_000
# Streams stay open, as those of simultaneous calls do.
streams = []
call = (9_000 * np.sin(2 * np.pi * 440 * time) * np.sin(np.pi * time)).astype(np.int16)


def whole(samples):
    return soxr.resample(samples, 8_000, 16_000)


def streamed(samples):
    stream = soxr.ResampleStream(8_000, 16_000, 1, dtype=samples.dtype)
    streams.append(stream)
    starts = range(0, len(samples), CHUNK)
    parts = [stream.resample_chunk(samples[at : at + CHUNK], last=at + CHUNK >= len(samples)) for at in starts]
    return np.concatenate(parts)


def results(label, resample, samples):
    """How many different results the same samples have, and the greatest share of samples in which two differ."""
    each = []
    for number in range(TIMES):
        each.append(resample(samples))
        # Another call, of another length each time.
        resample(noise.normal(0, 3_000, 4_000 + 1_000 * number).astype(samples.dtype))
    assert all(len(one) == SECONDS * 16_000 and one.dtype == samples.dtype for one in each)
    different = len({one.tobytes() for one in each})
    share = max(np.mean(one != other) for one in each for other in each)
    more = f"s of {TIMES}, up to {100 * share:.0f} % of the samples differ" if different > 1 else f" of {TIMES}"
    print(f"{label}: {different} result{more}")
    return different, share


def noisy(rate):
    resampled = soxr.resample(np.zeros_like(call), 8_000, rate)
    assert len(resampled) == SECONDS * rate and np.abs(resampled).max() <= 1
    share = np.mean(resampled != 0)
    print(f"int16 silence from 8 to {rate // 1000} kHz: {100 * share:.0f} % of the samples are not zero")
    return share


if sys.argv[1:] == ["filled"]:
    assert results("int16 in streams, memory filled", streamed, call) == (1, 0)
    sys.exit()
assert results("int16 in one piece", whole, call) == (1, 0)
different, share = results("int16 in streams", streamed, call)
assert different >= 5 and 0.2 < share < 0.6
assert results("float32 in streams", streamed, call.astype(np.float32)) == (1, 0)
assert 0.2 < noisy(16_000) < 0.27
assert 0.2 < noisy(8_000) < 0.27
PY
env -u MALLOC_PERTURB_ "$folder/venv/bin/python" "$folder/seen.py"
MALLOC_PERTURB_=85 "$folder/venv/bin/python" "$folder/seen.py" filled
