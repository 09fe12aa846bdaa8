#!/usr/bin/env python3
"""Makes the fixtures of the mobile codecs: samples, and what the reference decoder makes of the encoder's frames.

    tests/data/audio/make_mobile.py        (needs sox with libgsm and opencore-amrnb, numpy)

gsm.s16 is 2 s at 8 kHz, 16-bit little-endian: speech (tests/data/golden/speech.wav), the same far too loud, noise
as loud as can be, silence, a tone and clicks, so that every branch of the codec is taken. gsm.golden.s16 is what
libgsm gives back of it. amr.golden.s16 is what opencore-amrnb gives back of its first 6400 samples, speech, at 12.2,
then at 4.75 kbit/s. (Where samples overflow, opencore-amrnb is not the standard's to the last bit.)

Fixtures are committed; this script is only run to make them anew.
"""

import pathlib
import subprocess

import numpy as np

HERE = pathlib.Path(__file__).parent
RAW = ["-t", "raw", "-r", "8000", "-c", "1", "-e", "signed", "-b", "16"]


def sox(data, *arguments):
    return subprocess.run(["sox", *arguments], input=data, check=True, capture_output=True).stdout


def there_and_back(pcm, kind, *options):
    frames = sox(pcm, *RAW, "-", "-t", kind, *options, "-")
    return sox(frames, "-t", kind, "-r", "8000", "-c", "1", "-", *RAW, "-")[: len(pcm)]


def main():
    speech = sox(b"", "-D", HERE.parent / "golden" / "speech.wav", *RAW, "-", "rate", "-h", "8000")
    speech = np.frombuffer(speech, "<i2")[4000:].astype(float)
    rng = np.random.default_rng(610)
    at = np.arange(1600)
    clicks = np.zeros(1600)
    clicks[::233] = 30000 * np.where(np.arange(len(clicks[::233])) % 2, 1, -1)
    parts = [
        speech[:6400],
        6 * speech[6400:8000],
        rng.uniform(-32768, 32767, 1600),
        np.zeros(800),
        12000 * np.sin(2 * np.pi * 440 * at / 8000),
        clicks,
        speech[8000:10400] / 30,
    ]
    samples = np.clip(np.concatenate(parts).round(), -32768, 32767).astype("<i2")
    assert len(samples) % 160 == 0
    pcm = samples.tobytes()
    (HERE / "gsm.s16").write_bytes(pcm)
    (HERE / "gsm.golden.s16").write_bytes(there_and_back(pcm, "gsm"))
    amr = [there_and_back(pcm[:12800], "amr-nb", "-C", mode) for mode in ("7", "0")]
    (HERE / "amr.golden.s16").write_bytes(b"".join(amr))


if __name__ == "__main__":
    main()
