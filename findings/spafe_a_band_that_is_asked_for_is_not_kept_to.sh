#!/usr/bin/env bash
# spafe 0.3.3, features of speech in Python, over NumPy 2.4.6 and SciPy 1.17.1, seen 2026-11-30 (Debian 12, Python 3.11,
# x86-64).
#
# Behaviour: `mfcc`, `lfcc` and the filter banks under them take `low_freq` and `high_freq`, by the docstrings the
# lowest and the highest band edge of the filters, in Hz. The filters are laid out over that band. But the bins of the
# spectrum that they weigh are taken to begin and end with it too, where they go from 0 to half the rate, and so any
# band is stretched over all of the spectrum. The linear filters of `lfcc` are the same with a band and without, to the
# bit. Mel filters of 300 to 3400 Hz have their peaks at 156 to 7406 Hz in a recording at 16 kHz, and up to 22 kHz in
# one at 48 kHz. The Bark filters of the same package (`bfcc`) keep to the band. There is no error and no warning, and
# no issue was found that tells of it. By default the band is all of the spectrum, and then it is right.
#
# What one would have guessed: that features of 300 to 3400 Hz see what a telephone lets through, so that a recording in
# wide band is measured as a call is. Instead all that lies above decides along with the voice: hiss from 4.5 kHz up,
# which no call has, moves them by more than the voice does from frame to frame, though it is 30 dB under it. And the
# same number is another pitch at each rate: 1 kHz is the tenth filter at 8 kHz, the sixth at 16 and the second at 48.
# Calls and enrolments in wide band are compared by different things that look alike, and rated as different voices.
#
# Output seen:
#   8000 Hz, filters of 300 to 3400 Hz: mel 78 to 3703 Hz, linear 156 to 3844 Hz, Bark 297 to 3141 Hz
#   16000 Hz, filters of 300 to 3400 Hz: mel 156 to 7406 Hz, linear 312 to 7688 Hz, Bark 281 to 3156 Hz
#   48000 Hz, filters of 300 to 3400 Hz: mel 469 to 22219 Hz, linear 938 to 23062 Hz, Bark 281 to 3188 Hz
#   mel filter, of 24, of a tone of 1000 Hz: 10 at 8 kHz, 6 at 16 kHz, 2 at 48 kHz
#   features of 300 to 3400 Hz, by hiss of 4500 to 7500 Hz that is 30 dB under the voice
#     mfcc moves by 4.9, from frame to frame the voice moves it by 3.7
#     lfcc moves by 5.3, from frame to frame the voice moves it by 3.9
#     bfcc moves by 0.0, from frame to frame the voice moves it by 1.5
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check spafe==0.3.3 numpy==2.4.6 scipy==1.17.1
cat >"$folder/seen.py" <<'PY'
import numpy as np
from scipy.signal import butter, sosfilt
from spafe.fbanks.bark_fbanks import bark_filter_banks
from spafe.fbanks.linear_fbanks import linear_filter_banks
from spafe.fbanks.mel_fbanks import mel_filter_banks
from spafe.features.bfcc import bfcc
from spafe.features.lfcc import lfcc
from spafe.features.mfcc import mfcc

BAND = {"low_freq": 300, "high_freq": 3_400}
BANKS = {"mel": mel_filter_banks, "linear": linear_filter_banks, "Bark": bark_filter_banks}
TONE = 1_000

place = {}
for rate in (8_000, 16_000, 48_000):
    peaks = {}
    for name, bank in BANKS.items():
        filters, _ = bank(fs=rate, **BAND)
        pitches = np.linspace(0, rate / 2, filters.shape[1])
        peaks[name] = pitches[filters.argmax(axis=1)]
        if name == "mel":
            place[rate] = filters[:, np.abs(pitches - TONE).argmin()].argmax() + 1
        if name == "linear":
            assert np.array_equal(filters, bank(fs=rate)[0])
    ends = ", ".join(f"{name} {all_of[0]:.0f} to {all_of[-1]:.0f} Hz" for name, all_of in peaks.items())
    print(f"{rate} Hz, filters of 300 to 3400 Hz: {ends}")
    for name in ("mel", "linear"):
        assert peaks[name][-1] > 0.9 * rate / 2
    assert 250 < peaks["Bark"][0] < peaks["Bark"][-1] < 3_400
at_rates = ", ".join(f"{filter_} at {rate // 1000} kHz" for rate, filter_ in place.items())
print(f"mel filter, of 24, of a tone of {TONE} Hz: {at_rates}")
assert list(place.values()) == [10, 6, 2]

RATE = 16_000
dice = np.random.default_rng(1)
time = np.arange(3 * RATE) / RATE
# A voice's harmonics up to 3.3 kHz in syllables of a quarter of a second, on a quiet line.
phase = 2 * np.pi * (150 * time + 3 * np.sin(2 * np.pi * 0.7 * time))
voice = sum(np.sin(k * phase + k) / k for k in range(1, 22)) * (0.55 + 0.45 * np.sin(2 * np.pi * 4 * time))
voice += dice.normal(0, 0.01, len(time))
high = butter(8, (4_500, 7_500), "bandpass", fs=RATE, output="sos")
hiss = 0.03 * sosfilt(high, dice.normal(0, 1, len(time)))
above = 10 * np.log10(np.square(voice).mean() / np.square(hiss).mean())


def far(features):
    """How far they are from nothing, without the first, which is the loudness."""
    return np.sqrt(np.square(features[:, 1:]).sum(axis=1)).mean()


print(f"features of 300 to 3400 Hz, by hiss of 4500 to 7500 Hz that is {above:.0f} dB under the voice")
for name, of in (("mfcc", mfcc), ("lfcc", lfcc), ("bfcc", bfcc)):
    clean = of(voice, fs=RATE, **BAND)
    moved, own = far(of(voice + hiss, fs=RATE, **BAND) - clean), far(clean - clean.mean(axis=0))
    print(f"  {name} moves by {moved:.1f}, from frame to frame the voice moves it by {own:.1f}")
    assert moved < 0.1 if name == "bfcc" else moved > own
PY
"$folder/venv/bin/python" "$folder/seen.py"
