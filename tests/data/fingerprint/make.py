"""The fingerprint of a sound by numpy, for the test in src/speech/fingerprint.rs: `python3 make.py > golden.txt`.

Haitsma and Kalker (ISMIR 2002), with the frames, bands and hop that Voxline uses, in 64-bit floats.
"""

import numpy as np

RATE, FRAME, HOP, BANDS = 16000, 4096, 256, 33
EDGES = np.round(300.0 * 10.0 ** (np.arange(BANDS + 1) / BANDS) * FRAME / RATE).astype(int)


def sound(samples):
    t = np.arange(samples) / RATE
    phase = np.cumsum((130.0 + 40.0 * np.sin(2.1 * t)) / RATE)
    voice = sum((1.0 + np.sin(3.7 * t + n)) / n * np.sin(2.0 * np.pi * n * phase) for n in range(1, 20))
    return 0.05 * voice


def energies(frame):
    hann = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(FRAME) / FRAME)
    power = np.abs(np.fft.rfft(frame * hann)) ** 2
    return np.array([power[a:b].sum() for a, b in zip(EDGES[:-1], EDGES[1:])])


def main():
    samples = sound(32000)
    starts = range(0, len(samples) - FRAME + 1, HOP)
    steps = [-np.diff(energies(samples[at : at + FRAME])) for at in starts]
    print("00000000")
    for before, now in zip(steps, steps[1:]):
        print(f"{sum(1 << m for m in range(BANDS - 1) if now[m] > before[m]):08x}")


main()
