#!/usr/bin/env python3
"""Are these callers told apart at all? Prints each call's cosine to each enrolled user, as in README.md.

An independent look with the GE2E graph and Silero's voice detection, in Python: enrolment through a
simulated telephone, a voiceprint the mean of its clips. Run it as `python3 enrollment_samples/check.py`
after scripts/provision.py. Needs numpy, scipy, librosa, soundfile, onnxruntime.
"""

import os
import sys
import tomllib
from pathlib import Path

import librosa
import numpy as np

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before it is loaded, or it reports on its use

import onnxruntime
import soundfile
from scipy.signal import resample_poly

import make

FOLDER = Path(__file__).resolve().parent
MODELS = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER.parent / "models"
GE2E = onnxruntime.InferenceSession(MODELS / "ge2e/ge2e.onnx")
SILERO = onnxruntime.InferenceSession(MODELS / "silero_vad/weights/silero_vad.onnx")
RATE = 16_000


def main():
    manifest = tomllib.loads((FOLDER / "manifest.toml").read_text())
    numbers = {user["key"]: user["number"] for user in manifest["user"]}
    prints = {user["key"]: voiceprint(user) for user in manifest["user"]}
    print("| call | speech | " + " | ".join(prints) + " | on the number dialed |")
    print("|---|--:|" + "--:|" * len(prints) + "---|")
    for call in manifest["call"]:
        speech = speech_of(resample_poly(soundfile.read(FOLDER / call["file"])[0], 2, 1))
        name = Path(call["file"]).stem
        if len(speech) < 0.2 * RATE:
            print(f"| {name} | {len(speech) / RATE:.1f} s |" + " |" * len(prints) + " no speech |")
            continue
        cosine = {user: float(unit(embed(speech)) @ point) for user, point in prints.items()}
        roster = {user: cosine[user] for user in cosine if numbers[user] == call["number"]}
        cells = " | ".join(f"**{c:.2f}**" if user == call.get("caller") else f"{c:.2f}" for user, c in cosine.items())
        print(f"| {name} | {len(speech) / RATE:.1f} s | {cells} | {judged(call, roster)} |")


def judged(call, roster):
    """The margin of the right user over the number's others; for anybody else, the best of the number."""
    user = call.get("user")
    others = {other: cosine for other, cosine in roster.items() if other != user}
    rival = max(others, key=others.get)
    if user is None:
        return f"best {rival} {roster[rival]:.2f}"
    return f"{roster[user] - roster[rival]:+.2f} over {rival}"


def voiceprint(user):
    clips = [speech_of(telephone(soundfile.read(FOLDER / file)[0])) for file in user["signup"]]
    seconds = sum(map(len, clips)) / RATE
    print(f"{user['key']}: {seconds:.1f} s of speech in {len(clips)} clips", file=sys.stderr)
    return unit(np.mean([unit(embed(clip)) for clip in clips], axis=0))


def telephone(samples):
    """To 8 kHz, 300 to 3400 Hz, mu-law there and back, to 16 kHz."""
    narrow = make.telephone_band(resample_poly(samples, 1, 2), tilt_db=0.0)
    code = ~np.frombuffer(make.mulaw_encode(narrow), np.uint8)
    magnitude = (((code & 0x0F).astype(int) << 3) + 132 << ((code >> 4) & 7)) - 132
    return resample_poly(np.where(code & 0x80, -magnitude, magnitude) / 32768, 2, 1)


def speech_of(samples):
    """The 32-ms windows in which Silero finds speech, each widened by three windows on either side."""
    state, context, voiced = np.zeros((2, 1, 128), "f4"), np.zeros(64, "f4"), []
    blocks = samples[: len(samples) // 512 * 512].reshape(-1, 512).astype("f4")
    for block in blocks:
        feed = {"input": np.concatenate([context, block])[None], "state": state, "sr": np.array(RATE)}
        probability, state = SILERO.run(None, feed)
        voiced.append(probability[0, 0] > 0.5)
        context = block[-64:]
    near = np.convolve(np.array(voiced, float), np.ones(7), "same") > 0.5
    return blocks[near].ravel()


def embed(speech):
    """Resemblyzer's front end (raised to -30 dBFS, mel power), windows of 1.6 s, their mean."""
    speech = speech * max(1.0, make.gain(-30.0) / make.rms(speech))
    mel = librosa.feature.melspectrogram(y=speech, sr=RATE, n_fft=400, hop_length=160, n_mels=40).T
    mel = np.pad(mel, ((0, max(0, 160 - len(mel))), (0, 0)))
    windows = np.stack([mel[start : start + 160] for start in range(0, len(mel) - 159, 77)])
    return GE2E.run(None, {"mel": windows.astype("f4")})[0].mean(axis=0)


def unit(vector):
    return vector / np.linalg.norm(vector)


if __name__ == "__main__":
    main()
