#!/usr/bin/env bash
# pyAudioAnalysis 0.3.14, its newest, over SciPy 1.17.1, seen 2026-11-30 (Debian 12, Python 3.11, x86-64).
#
# Behaviour: the filters of its MFCC are laid out from 133 to 6854 Hz, as in the package that they were taken from.
# There `mfcc_filter_banks` is told the length of the whole Fourier transform. pyAudioAnalysis tells it half of that,
# for it keeps only the lower half of the spectrum, and so each filter lies at half its frequency: they reach from 67 to
# 3427 Hz, whatever the rate. What is above is in no coefficient: an s of 20 dB over the rest changes none of the 12
# that tell of the shape. Below, the scale is mel at twice the frequency, which is not mel. The spectral centroid and
# the chroma in the same vector have the right frequencies. There is no error, and neither the documentation nor an
# issue that was found says so.
#
# What one would have guessed: that MFCC of recordings at 16 or 44.1 kHz are of all that filters to 6854 Hz hear, on the
# scale that MFCC are on. Speakers who differ above 3.4 kHz are the same to it, and to its diarization; a recording from
# a studio tells it no more than a call; and models of other packages' MFCC, or bounds from papers, do not fit. With
# calls at 8 kHz nothing is seen of it, since the filters happen to end where telephones do.
#
# Output seen:
#   8000 Hz: filters of 133 to 6854 Hz hear 80 to 3420 Hz
#     1000 Hz is loudest in the filter of 1988 Hz, by the whole length 1000 Hz, spectral centroid 1020 Hz
#     3000 Hz is loudest in the filter of 5973 Hz, by the whole length 3004 Hz, spectral centroid 3020 Hz
#   16000 Hz: filters of 133 to 6854 Hz hear 80 to 3420 Hz
#     1000 Hz is loudest in the filter of 1988 Hz, by the whole length 1000 Hz, spectral centroid 1020 Hz
#     3000 Hz is loudest in the filter of 5973 Hz, by the whole length 3004 Hz, spectral centroid 3020 Hz
#   44100 Hz: filters of 133 to 6854 Hz hear 80 to 3422 Hz
#     1000 Hz is loudest in the filter of 1988 Hz, by the whole length 1000 Hz, spectral centroid 1020 Hz
#     3000 Hz is loudest in the filter of 5973 Hz, by the whole length 3004 Hz, spectral centroid 3020 Hz
#   an s of 20 dB over the rest: a coefficient changes by up to 0.02 (as it is)
#   an s of 20 dB over the rest: a coefficient changes by up to 4.51 (by the whole length)
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pinned=(pyAudioAnalysis==0.3.14 numpy==2.4.6 scipy==1.17.1 matplotlib==3.11.2 tqdm==4.70.1)
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "${pinned[@]}"
cat >"$folder/seen.py" <<'PY'
import numpy as np
from pyAudioAnalysis import ShortTermFeatures
from scipy.signal import butter, sosfilt

WINDOW = 0.05
laid_out = ShortTermFeatures.mfcc_filter_banks


def by_whole_length(rate, half):
    """The filters as they are laid out for the whole transform, of which the lower half is kept."""
    bank, frequencies = laid_out(rate, 2 * half)
    return bank[:, :half], frequencies


def features(samples, rate, banks=laid_out):
    ShortTermFeatures.mfcc_filter_banks = banks
    size = WINDOW * rate
    values, names = ShortTermFeatures.feature_extraction(samples, rate, size, size, deltas=False)
    # The first coefficient is the loudness.
    return values[[names.index(f"mfcc_{at}") for at in range(2, 14)]], values[names.index("spectral_centroid")]


for rate in (8_000, 16_000, 44_100):
    half = int(WINDOW * rate / 2)
    bank, frequencies = laid_out(rate, half)
    lines = np.flatnonzero(bank.sum(axis=0)) * rate / (2 * half)
    named = f"{frequencies[0]:.0f} to {frequencies[-1]:.0f} Hz"
    print(f"{rate} Hz: filters of {named} hear {lines[0]:.0f} to {lines[-1]:.0f} Hz")
    assert frequencies[-1] > 6_800 and 3_350 < lines[-1] < 3_450
    time = np.arange(4 * half) / rate
    rightly = by_whole_length(rate, half)[0]
    for tone in (1_000, 3_000):
        samples = 8_000 * np.sin(2 * np.pi * tone * time)
        spectrum = np.abs(np.fft.fft(samples[: 2 * half]))[:half]
        as_it_is, by_length = (frequencies[1:-1][np.argmax(filters @ spectrum)] for filters in (bank, rightly))
        centroid = features(samples, rate)[1].mean() * rate / 2
        print(f"  {tone} Hz is loudest in the filter of {as_it_is:.0f} Hz,", end=" ")
        print(f"by the whole length {by_length:.0f} Hz, spectral centroid {centroid:.0f} Hz")
        assert abs(as_it_is / tone - 2) < 0.1 and abs(by_length / tone - 1) < 0.1 and abs(centroid / tone - 1) < 0.1

# Noise below 3 kHz, and the same with an s from 4.5 to 6.5 kHz over it, ten times as high.
rate = 16_000
dice = np.random.default_rng(1)
low, high = (
    sosfilt(butter(10, band, btype=kind, fs=rate, output="sos"), dice.normal(0, 1, 3 * rate))
    for band, kind in ((3_000, "lowpass"), ((4_500, 6_500), "bandpass"))
)
low, high = 300 * low / low.std(), 3_000 * high / high.std()
for name, banks in (("as it is", laid_out), ("by the whole length", by_whole_length)):
    without, within = (features(samples, rate, banks)[0].mean(axis=1) for samples in (low, low + high))
    change = np.abs(within - without).max()
    print(f"an s of 20 dB over the rest: a coefficient changes by up to {change:.2f} ({name})")
    assert change < 0.1 if banks is laid_out else change > 1
PY
"$folder/venv/bin/python" "$folder/seen.py"
