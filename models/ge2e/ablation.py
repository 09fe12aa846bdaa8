#!/usr/bin/env python3
# Needs Python 3.11 or newer with numpy, scipy, librosa, soundfile and onnxruntime 1.31.1.
"""What the level rule and the last window of the GE2E front end are worth: the table of models/README.md.

    ablation.py SHARED            SHARED is the folder that holds audio/ and protocols/
    ablation.py SHARED --lines    what a common voice band is worth between different telephone lines

An implementation of its own (librosa, scipy), so that it also checks the Rust one. EER in %: mean of miss and
false-alarm rate at the score where they are nearest, on the trials of dev-phone-3s.
"""

import os
import sys
from pathlib import Path

import librosa
import numpy as np

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before it is loaded, or it reports on its use

import onnxruntime
import soundfile
from scipy.signal import butter, fftconvolve, firwin, resample_poly, sosfilt

SHARED = Path(sys.argv[1])
SESSION = onnxruntime.InferenceSession(Path(__file__).with_name("ge2e.onnx"))
FILTERS = librosa.filters.mel(sr=16_000, n_fft=400, n_mels=40)
BAND = butter(4, [300, 3400], "band", fs=8_000, output="sos")
RANDOM = np.random.default_rng(1)
CONDITIONS = ("clean", "phone", "phone at random levels", "phone, noise at 20 dB", "cross")


def telephone(samples):
    line = np.clip(sosfilt(BAND, resample_poly(samples, 1, 2)), -1, 1)
    companded = np.round(np.log1p(255 * abs(line)) / np.log(256) * 127) / 127
    return resample_poly(np.sign(line) * (256**companded - 1) / 255, 2, 1)


def at_level(samples, rule):
    rms, target = np.sqrt(np.mean(samples**2)), 10 ** ((-30 if rule == "raise" else rule) / 20)
    return samples if rule == "raise" and rms >= target else samples * target / rms


def embedding(samples, rule, last):
    samples = at_level(samples, rule)
    samples = np.pad(samples, (0, max(0, 25_600 - len(samples)))).astype(np.float32)
    spectrum = librosa.stft(samples, n_fft=400, hop_length=160, window="hann", center=True, pad_mode="constant")
    mel = (FILTERS @ abs(spectrum) ** 2).T
    starts = list(range(0, max(1, len(mel) - 159), 77))
    if last == "align_end" and len(mel) - 160 - starts[-1] >= 20:
        starts.append(len(mel) - 160)
    windows = np.stack([mel[start : start + 160] for start in starts]).astype(np.float32)
    mean = SESSION.run(None, {"mel": windows})[0].mean(axis=0)
    return mean / np.linalg.norm(mean)


def eer(targets, nontargets):
    thresholds = np.sort(np.concatenate([targets, nontargets]))
    miss = np.searchsorted(np.sort(targets), thresholds) / len(targets)
    false_alarm = 1 - np.searchsorted(np.sort(nontargets), thresholds) / len(nontargets)
    nearest = abs(miss - false_alarm).argmin()
    return 50 * (miss[nearest] + false_alarm[nearest])


def lines(file):
    return [line.split("\t") for line in (SHARED / "protocols/dev-phone-3s" / file).read_text().splitlines()]


def load(path):
    return soundfile.read(SHARED / "audio" / path)[0]


def call(samples, condition, gain, noise):
    if condition == "phone at random levels":
        samples = samples * gain
    if condition == "phone, noise at 20 dB":
        samples = samples + noise[: len(samples)] * np.sqrt(np.mean(samples**2)) * 10 ** (-20 / 20)
    return samples if condition == "clean" else telephone(samples)


def over_line(samples, line):
    """5 s at most, at 8 kHz: `plain` keeps everything, `ours` is src/samples/telephone.rs."""
    narrow = resample_poly(samples, 1, 2)
    if line == "ours":
        band = firwin(157, [225, 3475], pass_zero=False, fs=8_000, window=("kaiser", 4.55))
        narrow = fftconvolve(narrow, band, mode="same")
    if line == "butterworth":
        narrow = sosfilt(BAND, narrow)
    if line == "soft":
        for edge, kind in ((300, "high"), (3_400, "low")):
            narrow = sosfilt(butter(2, edge, kind, fs=8_000, output="sos"), narrow)
    narrow = np.clip(narrow, -1, 1)
    companded = np.round(np.log1p(255 * abs(narrow)) / np.log(256) * 127) / 127
    return resample_poly(np.sign(narrow) * (256**companded - 1) / 255, 2, 1)


def between_lines():
    enrolments = {}
    for model, path, *_ in lines("enroll.tsv"):
        enrolments.setdefault(model, []).append(over_line(load(path), "ours"))
    trials = [(model, path, label == "target") for model, path, label, *_ in lines("trials.tsv")]
    target = np.array([is_target for *_, is_target in trials])
    tests = {path: load(path)[:80_000] for path in sorted({path for _, path, _ in trials})}
    for edges in (None, (225, 3475), (300, 3400), (350, 3400), (400, 3400)):
        band = edges and firwin(313, edges, pass_zero=False, fs=16_000, window=("kaiser", 4.55))

        def heard(samples):
            return embedding(samples if band is None else fftconvolve(samples, band, mode="same"), -30, "align_end")

        prints = {model: np.mean([heard(clip) for clip in clips], axis=0) for model, clips in enrolments.items()}
        row = []
        for line in ("plain", "ours", "butterworth", "soft"):
            calls = {path: heard(over_line(samples, line)) for path, samples in tests.items()}
            scores = [prints[model] @ calls[path] / np.linalg.norm(prints[model]) for model, path, _ in trials]
            scores = np.array(scores)
            row.append(f"{line} {eer(scores[target], scores[~target]):.2f}")
        print(f"band {edges}: {'; '.join(row)}", flush=True)


def main():
    enrolments = {}
    for model, path, *_ in lines("enroll.tsv"):
        enrolments.setdefault(model, []).append(load(path))
    trials = [(model, path, label == "target") for model, path, label, *_ in lines("trials.tsv")]
    tests = {path: load(path)[:48_000] for path in sorted({path for _, path, _ in trials})}
    gains = {path: 10 ** (RANDOM.uniform(-12, 6) / 20) for path in tests}
    noises = {path: RANDOM.normal(size=48_000) for path in tests}
    target = np.array([is_target for *_, is_target in trials])
    for rule in ("raise", -30, -26, -22):
        for last in ("drop", "align_end"):
            row = []
            for condition in CONDITIONS:
                side = (lambda clip: clip) if condition in ("clean", "cross") else telephone
                prints = {
                    model: np.mean([embedding(side(clip), rule, last) for clip in clips], axis=0)
                    for model, clips in enrolments.items()
                }
                heard = {
                    path: embedding(call(samples, condition, gains[path], noises[path]), rule, last)
                    for path, samples in tests.items()
                }
                scores = [prints[model] @ heard[path] / np.linalg.norm(prints[model]) for model, path, _ in trials]
                scores = np.array(scores)
                row.append(f"{condition} {eer(scores[target], scores[~target]):.2f}")
            print(f"level {rule}, last window {last}: {'; '.join(row)}", flush=True)


if __name__ == "__main__":
    between_lines() if "--lines" in sys.argv else main()
