#!/usr/bin/env python3
"""Write the golden values that the Rust front end and embedder are tested against.

Nothing here is Voxline's own arithmetic: the mel values are librosa's, the embeddings and the places of
the windows are those of the original Resemblyzer in PyTorch. (segmentation.json is written by
models/segmentation/export.py.) Run from anywhere, after scripts/provision.py:

    python3.11 -m venv /tmp/golden && . /tmp/golden/bin/activate
    pip install torch==2.15.0 numpy==2.4.6 scipy==1.17.1 librosa==0.11.0 soundfile==0.14.0
    pip install --no-deps Resemblyzer==0.1.4
    python tests/data/golden/make_golden.py

In:   speech.wav              3 s, 16 kHz, a sentence spoken by flite 2.2, voice slt:
                              "Good morning. I am calling about the parcel."
Out:  speech_telephone.wav    the same through a simulated telephone, 8 kHz mu-law
      filterbank.f32          Slaney mel filters, [40, 201] little-endian float32
      mel.f32                 mel power of the first half second of speech.wav, [51, 40], level untouched
      ge2e.json               window places for many lengths; embeddings of several clips. The telephone one
                              was resampled to 16 kHz by scipy; soxr and an FFT come within cosine 0.99999
"""

import json
import re
import sys
import types
import warnings
from pathlib import Path

import librosa
import numpy as np

import scipy.signal
import soundfile
import torch

# Resemblyzer imports webrtcvad (a C extension) and a scipy name that is on its way out; neither is used.
sys.modules["webrtcvad"] = types.ModuleType("webrtcvad")
warnings.simplefilter("ignore")
import resemblyzer  # noqa: E402

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent.parent
RATE = 16_000


def main() -> None:
    speech, rate = soundfile.read(HERE / "speech.wav", dtype="float32")
    assert rate == RATE and speech.shape == (3 * RATE,)
    telephone = through_a_telephone(speech)
    mel(speech)
    write_json("ge2e.json", {"windows": windows(), "embeddings": embeddings(speech, telephone)})


def through_a_telephone(speech: np.ndarray) -> np.ndarray:
    """Write speech_telephone.wav; returns it at 16 kHz, by a polyphase filter of scipy's."""
    # The telephone of the benchmark's "phone" condition: 8 kHz, 300 to 3400 Hz, then G.711 mu-law.
    band = scipy.signal.butter(4, [300, 3400], "bandpass", fs=RATE // 2, output="sos")
    narrow = scipy.signal.sosfilt(band, scipy.signal.resample_poly(speech.astype(float), 1, 2))
    pcm = np.clip(np.round(narrow * 32768), -32768, 32767).astype(np.int16)
    path = HERE / "speech_telephone.wav"
    soundfile.write(path, pcm, RATE // 2, subtype="ULAW")
    heard, _ = soundfile.read(path, dtype="float64")
    return scipy.signal.resample_poly(heard, 2, 1).astype(np.float32)


def mel(speech: np.ndarray) -> None:
    """Write the filter bank and the mel frames of the first half second."""
    shape = {"sr": RATE, "n_fft": 400, "n_mels": 40}
    librosa.filters.mel(**shape).astype("<f4").tofile(HERE / "filterbank.f32")
    # In double precision up to the end, so that the golden is more exact than what is tested with it.
    clip = speech[: RATE // 2].astype(np.float64)
    frames = librosa.feature.melspectrogram(y=clip, hop_length=160, **shape).T
    assert frames.shape == (51, 40)
    frames.astype("<f4").tofile(HERE / "mel.f32")


def windows() -> list[dict]:
    """Where Resemblyzer cuts utterances of many lengths: at the edges of its rules and in between."""
    lengths = [1, 159, 160, 8_000, 16_000, 25_439, 25_440, 25_599, 25_600, 25_760]
    # A second window counts from 12320 + 0.75 x 25600 = 31520 samples on, a third from 43840 on.
    lengths += [31_519, 31_520, 31_521, 37_920, 43_839, 43_840, 48_000, 128_000, 160_000, 959_999]
    cut = resemblyzer.VoiceEncoder.compute_partial_slices
    return [
        {"samples": n, "start_frames": [int(part.start) for part in cut(n, rate=1.3, min_coverage=0.75)[1]]}
        for n in lengths
    ]


def embeddings(speech: np.ndarray, telephone: np.ndarray) -> list[dict]:
    """Embeddings by the original network. Sample i of a clip is gain * audio[i mod its length]."""
    encoder = resemblyzer.VoiceEncoder("cpu", verbose=False)
    clips = [
        ("one second, padded to a window", "speech.wav", speech, RATE, 1.0),
        ("three seconds", "speech.wav", speech, 3 * RATE, 1.0),
        ("eight seconds, the clip end to end", "speech.wav", speech, 8 * RATE, 1.0),
        ("three quiet seconds, raised to -30 dBFS", "speech.wav", speech, 3 * RATE, 0.01),
        ("three seconds by telephone", "speech_telephone.wav", telephone, 3 * RATE, 1.0),
    ]
    found = []
    for name, file, audio, samples, gain in clips:
        wave = np.resize(audio, samples) * np.float32(gain)
        wave = resemblyzer.normalize_volume(wave, -30, increase_only=True)
        embedding, parts, _ = encoder.embed_utterance(wave, return_partials=True)
        found.append(
            {
                "name": name,
                "audio": file,
                "samples": samples,
                "gain": gain,
                "windows": len(parts),
                "embedding": [float(f"{value:.8g}") for value in embedding],
            }
        )
    return found


def write_json(name: str, value: dict) -> None:
    """Indented, with each list of numbers on one line, so that a change can be read."""
    text = json.dumps(value, indent=1)
    text = re.sub(r"\[[-+.,e\d\s]+\]", lambda numbers: "[" + " ".join(numbers[0][1:-1].split()) + "]", text)
    (HERE / name).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
