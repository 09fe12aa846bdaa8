"""What may happen to a voice between a mouth and the service, drawn anew for every training example."""

import numpy as np
import torch

from audio import RATE


def uniform(random, low, high, *shape):
    return torch.from_numpy(random.uniform(low, high, shape).astype(np.float32))


def some(random, share, count):
    return torch.from_numpy(random.random(count) < share)


GRID = torch.linspace(0, RATE / 2, 801)  # Hz, every 10: fine enough for what is drawn here


def spread(gains, bins):
    """[clips, 801] gains on the grid -> [clips, bins]."""
    return torch.nn.functional.interpolate(gains[:, None], bins, mode="linear", align_corners=True)[:, 0]


def edges(low, high, steepness):
    """[clips, 801] gains of band edges in Hz, each edge a raised cosine of `steepness` Hz."""
    rise = ((GRID - low[:, None]) / steepness[:, None] + 0.5).clamp(0, 1)
    fall = ((high[:, None] - GRID) / steepness[:, None] + 0.5).clamp(0, 1)
    return torch.sin(rise * np.pi / 2) ** 2 * torch.sin(fall * np.pi / 2) ** 2


def rooms(random, count, length):
    """[clips, length] impulse responses: a direct sound and an exponentially dying tail (Polack 1988)."""
    decay = uniform(random, 0.1, 0.7, count, 1)  # s to -60 dB
    time = torch.arange(length) / RATE
    tail = torch.from_numpy(random.standard_normal((count, length), dtype=np.float32)) * torch.exp(-6.9 * time / decay)
    tail[:, : RATE // 400] = 0
    tail *= 10 ** (-uniform(random, 0, 14, count, 1) / 20) / tail.norm(dim=1, keepdim=True)
    tail[:, 0] = 1
    return tail


def tilts(random, count):
    """[clips, 801] smooth frequency responses of handsets: 4 dB or so up and down over the octaves."""
    knots = torch.from_numpy((random.standard_normal((count, 9)) * 4).astype(np.float32))
    place = (torch.log2(GRID.clamp(min=60) / 60) / np.log2(8000 / 60) * 8).clamp(0, 7.999)
    left = place.long()
    decibels = knots[:, left] + (knots[:, left + 1] - knots[:, left]) * (place - left)
    return 10 ** (decibels / 20)


def companded(samples, mulaw):
    """Eight bits a sample, by mu-law or something like A-law (a coarser mu-law near zero)."""
    mu = torch.where(mulaw, 255.0, 87.6)[:, None]
    squeezed = torch.round(torch.log1p(mu * samples.abs()) / torch.log1p(mu) * 127) / 127
    return samples.sign() * ((1 + mu) ** squeezed - 1) / mu


def crackle(samples, random, chosen):
    """Lost packets of 20 ms, one to three in a row, as silence."""
    frame = RATE // 50
    count = samples.shape[1] // frame
    for clip in torch.nonzero(chosen).ravel().tolist():
        for place in np.flatnonzero(random.random(count) < random.uniform(0.01, 0.08)):
            samples[clip, place * frame : (place + random.integers(1, 4)) * frame] = 0
    return samples


def distort(clean, coded, is_coded, noises, babble, random, wide_share=0.35):
    """[clips, samples] of clean and of coded voices -> what arrives. `is_coded` says which to take; `noises`
    and `babble` are other sounds of the same shape."""
    count, length = clean.shape
    wide = some(random, wide_share, count) & ~is_coded
    samples = torch.where(is_coded[:, None], coded, clean)
    samples = samples / (samples.pow(2).mean(1, keepdim=True).sqrt() + 1e-6)

    # The room: its echo, and noise in it: sounds, other voices or hiss.
    reverberant = some(random, 0.3, count) & ~is_coded
    if reverberant.any():
        size = length + RATE // 2
        echo = torch.fft.rfft(rooms(random, int(reverberant.sum()), RATE // 2), size)
        samples[reverberant] = torch.fft.irfft(torch.fft.rfft(samples[reverberant], size) * echo, size)[:, :length]
    sounds = torch.where(some(random, 0.25, count)[:, None], babble, noises)
    hiss = some(random, 0.35, count)
    sounds[hiss] = torch.from_numpy(random.standard_normal((int(hiss.sum()), length), dtype=np.float32))
    sounds = sounds / (sounds.pow(2).mean(1, keepdim=True).sqrt() + 1e-6)
    snr = torch.where(is_coded, uniform(random, 15, 40, count), uniform(random, 4, 30, count))
    gain = torch.where(some(random, 0.5, count), 10 ** (-snr / 20), torch.zeros(count))
    samples = samples + sounds * gain[:, None]

    # The line: a handset, a band, a codec of its own, clipping, losses.
    low, high = uniform(random, 40, 420, count), uniform(random, 2_900, 4_000, count)
    low = torch.where(some(random, 0.35, count), 300.0, low)
    high = torch.where(some(random, 0.35, count), 3_400.0, high)
    line = torch.where(wide[:, None], 1.0, edges(low, high, uniform(random, 30, 400, count)))
    line = line * torch.where(some(random, 0.5, count)[:, None], tilts(random, count), 1.0)
    spectrum = torch.fft.rfft(samples)
    samples = torch.fft.irfft(spectrum * spread(line, spectrum.shape[1]), length)
    samples = samples / (samples.abs().amax(1, keepdim=True) + 1e-6)
    clipped = some(random, 0.1, count)
    samples = torch.where(clipped[:, None], (samples * uniform(random, 1.2, 4, count, 1)).clamp(-1, 1), samples)
    squeezed = ~wide & some(random, 0.7, count)
    quiet = 10 ** (-uniform(random, 1, 26, int(squeezed.sum()), 1) / 20)
    samples[squeezed] = companded(samples[squeezed] * quiet, some(random, 0.7, len(quiet))) / quiet
    samples = crackle(samples, random, some(random, 0.12, count) & ~wide)

    # What the service does to a narrow call: eight kilohertz, often the voice band alone.
    band = some(random, 0.6, count)
    low, high = torch.where(band, 225.0, -1e3), torch.where(band, 3_475.0, 3_950.0)
    service = torch.where(wide[:, None], 1.0, edges(low, high, torch.full((count,), 150.0)))
    spectrum = torch.fft.rfft(samples)
    return torch.fft.irfft(spectrum * spread(service, spectrum.shape[1]), length)
