#!/usr/bin/env bash
# pedalboard 0.9.26, Spotify's audio effects for Python, seen 2026-11-29 (Debian 12, Python 3.11, x86-64).
#
# Behaviour: `GSMFullRateCompressor` puts audio through GSM 06.10, the codec of the first digital mobile telephones. Of
# audio with two channels it takes the mean, puts that through the codec, and gives it back as both channels, equal to
# the last bit. Of a call with a side in each channel, both sides are in both. Where one side is silent, its channel has
# the other's voice, at the same level as the other's own channel, which is 6 dB too low. The shape of the array stays,
# and there is no error and no warning. `MP3Compressor`, `Resample` and `Bitcrush`, the other effects for worse lines,
# keep the channels apart. The docstring speaks of the codec and of its 8 kHz, and of no channels. (Who wrote it calls
# it an effect for mono in pull request 77 of the repository, open since 2022.)
#
# What one would have guessed: that a channel of the result is the same channel of the input, degraded, as with the
# other effects. So one makes mobile calls out of clean recordings of two channels, to train or to test a speaker
# recogniser. The caller's channel then has the called party in it: both are enrolled as one person, what is cut by who
# speaks when has the other's turns as well, and a test blames the codec for what the mixing did.
#
# Output seen:
#   caller -24.8 dB, called party silent
#   GSMFullRateCompressor: -31.1 dB, -31.1 dB, channels are equal
#   MP3Compressor: -24.8 dB, silent
#   Resample: -24.8 dB, silent
#   Bitcrush: -24.8 dB, silent
#   a channel at a time: -25.0 dB, silent
#   the mean of the channels, as mono, is what GSM makes of both: True
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pedalboard==0.9.26 numpy==2.4.6
cat >"$folder/seen.py" <<'PY'
import numpy as np
from pedalboard import Bitcrush, GSMFullRateCompressor, MP3Compressor, Resample

RATE = 8_000
SECONDS = 4
time = np.arange(SECONDS * RATE) / RATE
# A voice's harmonics below 1.1 kHz, three syllables a second.
voice = sum(np.sin(2 * np.pi * 150 * k * time + k) for k in range(1, 8)) * (1 + np.sin(2 * np.pi * 3 * time)) / 2
caller = (0.05 * voice).astype(np.float32)
call = np.stack([caller, np.zeros_like(caller)])


def level(channel):
    """In dB of full scale; None is silence, of which GSM makes -66 dB."""
    root = float(np.sqrt(np.mean(np.square(channel.astype(np.float64)))))
    return 20 * np.log10(root) if root > 0.001 else None


def text(channel):
    return "silent" if level(channel) is None else f"{level(channel):.1f} dB"


print(f"caller {text(call[0])}, called party {text(call[1])}")
gsm = GSMFullRateCompressor()(call, RATE)
assert gsm.shape == call.shape
assert np.array_equal(gsm[0], gsm[1])
print(f"GSMFullRateCompressor: {text(gsm[0])}, {text(gsm[1])}, channels are equal")
assert 5.5 < level(call[0]) - level(gsm[0]) < 7

for effect in (MP3Compressor(2.0), Resample(RATE), Bitcrush(8)):
    worse = effect(call, RATE)
    print(f"{type(effect).__name__}: {text(worse[0])}, {text(worse[1])}")
    assert abs(level(worse[0]) - level(call[0])) < 0.5 and level(worse[1]) is None

apart = [GSMFullRateCompressor()(side, RATE) for side in call]
print(f"a channel at a time: {text(apart[0])}, {text(apart[1])}")
assert abs(level(apart[0]) - level(call[0])) < 0.5 and level(apart[1]) is None
same = np.array_equal(GSMFullRateCompressor()(call.mean(axis=0), RATE), gsm[0])
print(f"the mean of the channels, as mono, is what GSM makes of both: {same}")
assert same
PY
"$folder/venv/bin/python" "$folder/seen.py"
