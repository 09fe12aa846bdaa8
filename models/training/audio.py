"""Recordings, the mel front end and the protocols: what training and evaluation share."""

from pathlib import Path

import numpy as np
import soundfile
import torch
from scipy.signal import resample_poly

RATE = 16_000
HOP = 160
N_FFT = 400
BANDS = 40


def load(path):
    """Mono samples at 16 kHz, float32."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    if rate != RATE:
        samples = resample_poly(samples, RATE // np.gcd(rate, RATE), rate // np.gcd(rate, RATE), axis=0)
    return samples.mean(axis=1).astype(np.float32)


def mel_filters():
    """[40, 201]: Slaney's mel scale from 0 to 8 kHz, triangles of equal area (Auditory Toolbox)."""

    def to_mel(hertz):
        hertz = np.asarray(hertz, dtype=np.float64)
        return np.where(hertz < 1000, 3 * hertz / 200, 15 + 27 * np.log(np.maximum(hertz, 1000) / 1000) / np.log(6.4))

    def to_hertz(mel):
        return np.where(mel < 15, 200 * mel / 3, 1000 * np.exp(np.log(6.4) * (np.maximum(mel, 15) - 15) / 27))

    edges = to_hertz(np.linspace(to_mel(0.0), to_mel(RATE / 2), BANDS + 2))
    bins = np.arange(N_FFT // 2 + 1) * RATE / N_FFT
    rise = (bins[None] - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - bins[None]) / (edges[2:] - edges[1:-1])[:, None]
    area = 2 / (edges[2:] - edges[:-2])
    return torch.tensor(np.clip(np.minimum(rise, fall), 0, None) * area[:, None], dtype=torch.float32)


FILTERS = mel_filters()
WINDOW = torch.hann_window(N_FFT)


def mel(samples):
    """[clips, samples] -> [clips, frames, 40] mel power; frame t is centred on sample 160 t."""
    spectrum = torch.stft(samples, N_FFT, HOP, window=WINDOW, center=True, pad_mode="constant", return_complex=True)
    return (FILTERS @ (spectrum.real**2 + spectrum.imag**2)).transpose(1, 2)


def at_level(samples, dbfs=-30.0):
    """One loudness for all, as src/verdict/listener.rs has it."""
    return samples * (10 ** (dbfs / 20) / (np.sqrt(np.mean(samples**2)) + 1e-9))


def windows(frames, length, hop, least=20):
    """Starts of the windows of an utterance: whole ones, and one more that ends where the speech ends
    (src/voiceprint/front_end)."""
    starts = list(range(0, max(1, frames - length + 1), hop))
    if frames - length - starts[-1] >= least:
        starts.append(frames - length)
    return starts


class Protocol:
    """A benchmark protocol folder: enrolment clips and trials."""

    def __init__(self, folder):
        folder = Path(folder)
        read = lambda name: [line.split("\t") for line in (folder / name).read_text().splitlines()]
        self.enrolments = {}
        for model, path, *_ in read("enroll.tsv"):
            self.enrolments.setdefault(model, []).append(path)
        self.trials = [(model, path, label == "target") for model, path, label, *_ in read("trials.tsv")]
        self.searches = [(path, None if model == "-" else model, number) for path, model, number in read("search.tsv")]
        self.rosters = {}
        for number, model in read("rosters.tsv"):
            self.rosters.setdefault(number, []).append(model)
        self.tests = sorted({path for _, path, _ in self.trials} | {path for path, *_ in self.searches})


def eer(targets, nontargets):
    """Equal error rate in %: mean of miss and false-alarm rate where they are nearest."""
    thresholds = np.sort(np.concatenate([targets, nontargets]))
    miss = np.searchsorted(np.sort(targets), thresholds) / len(targets)
    false_alarm = 1 - np.searchsorted(np.sort(nontargets), thresholds) / len(nontargets)
    nearest = abs(miss - false_alarm).argmin()
    return 50 * (miss[nearest] + false_alarm[nearest])


def fnir(known, unknown, fpir=0.01):
    """Share in % of enrolled callers missed at the threshold that lets `fpir` of the others pass."""
    threshold = np.quantile(unknown, 1 - fpir)
    return 100 * np.mean(np.asarray(known) <= threshold)
