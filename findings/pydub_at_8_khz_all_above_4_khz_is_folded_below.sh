#!/usr/bin/env bash
# pydub 0.25.1, its newest, over the audioop of Python 3.11, seen 2026-11-29 (Debian 12, x86-64). SciPy 1.17.1 stands
# beside it.
#
# Behaviour: `AudioSegment.set_frame_rate(8000)` draws straight lines between the samples and reads them off at the new
# rate. No filter takes out before what 8 kHz cannot hold. From 48 kHz there remains every sixth sample,
# as it was. What was above 4 kHz stays at its level, mirrored at 4 kHz: 7 kHz is 1 kHz. There is no warning. The
# documentation does not say how the rate is changed (issue 817 of the repository, which asks, has been open since
# 2024); nor does Python's of `audioop.ratecv`, which does it.
#
# What one would have guessed: that a method which changes a recording's rate keeps its sound as far as the new rate
# reaches, and no more, as resamplers do. With a vowel, or a test tone below 4 kHz, it is right. But s, sh and f have
# most of their energy above 4 kHz, where a telephone takes it away; here they come out as loud hiss in the middle of
# the telephone's band. Voices that are enrolled from studio recordings brought to 8 kHz in this way are compared with
# calls in which they never sound so, and what hisses behind a voice lies over it a second time.
#
# Output seen:
#   tones of 1000, 3000, 5000, 6000, 7000 Hz from 48000 Hz
#     pydub: 1000 Hz 0.0 dB, 3000 Hz 0.0 dB, 3000 Hz 0.0 dB, 2000 Hz 0.0 dB, 1000 Hz 0.0 dB
#     SciPy: 1000 Hz 0.0 dB, 3000 Hz 0.0 dB, nothing, nothing, nothing
#   tones of 1000, 3000, 5000, 6000, 7000 Hz from 44100 Hz
#     pydub: 1000 Hz 0.0 dB, 3000 Hz -0.1 dB, 3000 Hz -0.4 dB, 2000 Hz -0.5 dB, 1000 Hz -0.7 dB
#     SciPy: 1000 Hz 0.0 dB, 3000 Hz 0.0 dB, nothing, nothing, nothing
#   tones of 1000, 3000, 5000, 6000, 7000 Hz from 16000 Hz
#     pydub: 1000 Hz 0.0 dB, 3000 Hz 0.0 dB, 3000 Hz 0.0 dB, 2000 Hz 0.0 dB, 1000 Hz 0.0 dB
#     SciPy: 1000 Hz 0.0 dB, 3000 Hz 0.0 dB, nothing, nothing, nothing
#   an s from 4.5 to 7.5 kHz from 48000 Hz: pydub 0.0 dB, SciPy -36.6 dB
#   of pydub it is every sixth sample, as it was: True
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pinned=(pydub==0.25.1 numpy==2.4.6 scipy==1.17.1 'audioop-lts==0.2.2; python_version >= "3.13"')
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "${pinned[@]}"
cat >"$folder/seen.py" <<'PY'
import warnings

import numpy as np
from scipy.signal import butter, resample_poly, sosfilt

warnings.simplefilter("ignore")  # pydub looks for an FFmpeg, which none of this needs
from pydub import AudioSegment

PHONE = 8_000
TONES = (1_000, 3_000, 5_000, 6_000, 7_000)


def level(samples):
    return 10 * np.log10(np.mean(np.square(samples[200:-200].astype(np.float64))))


def loudest(samples):
    """The frequency with the most energy, in whole hundreds of Hz."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return round(float(np.argmax(spectrum)) * PHONE / len(samples) / 100) * 100


def by_pydub(samples, rate):
    segment = AudioSegment(samples.tobytes(), sample_width=2, frame_rate=rate, channels=1)
    narrow = segment.set_frame_rate(PHONE)
    assert narrow.frame_rate == PHONE
    return np.array(narrow.get_array_of_samples(), dtype=np.int16)


def by_scipy(samples, rate):
    common = np.gcd(rate, PHONE)
    return resample_poly(samples.astype(np.float64), PHONE // common, rate // common)


for rate in (48_000, 44_100, 16_000):
    time = np.arange(2 * rate) / rate
    print(f"tones of {', '.join(map(str, TONES))} Hz from {rate} Hz")
    for name, narrow in (("pydub", by_pydub), ("SciPy", by_scipy)):
        shown = []
        for tone in TONES:
            wide = np.round(8_000 * np.sin(2 * np.pi * tone * time)).astype("<i2")
            result = narrow(wide, rate)
            gain = level(result) - level(wide)
            at = loudest(result)
            shown.append(f"{at} Hz {round(gain, 1) + 0:.1f} dB" if gain > -30 else "nothing")
            if tone < PHONE / 2:
                assert at == tone and abs(gain) < 0.5
            elif name == "pydub":
                assert at == PHONE - tone and abs(gain) < 1
            else:
                assert gain < -30
        print(f"  {name}: {', '.join(shown)}")

# An s: noise from 4.5 to 7.5 kHz, as a microphone at 48 kHz takes it down.
rate = 48_000
noise = np.random.default_rng(1).normal(0, 1, 2 * rate)
hiss = sosfilt(butter(8, (4_500, 7_500), btype="bandpass", fs=rate, output="sos"), noise)
hiss = np.round(hiss * 3_000 / hiss.std()).astype("<i2")
folded, filtered = by_pydub(hiss, rate), by_scipy(hiss, rate)
sixth = np.array_equal(folded, hiss[5::6]) or np.array_equal(folded, hiss[::6])
kept, left = level(folded) - level(hiss), level(filtered) - level(hiss)
print(f"an s from 4.5 to 7.5 kHz from {rate} Hz: pydub {round(kept, 1) + 0:.1f} dB, SciPy {left:.1f} dB")
print(f"of pydub it is every sixth sample, as it was: {sixth}")
assert abs(kept) < 0.5 and left < -30
assert sixth
PY
"$folder/venv/bin/python" "$folder/seen.py"
