#!/usr/bin/env python3
"""Write the golden values that the Rust voice detector is tested against: those of Silero's TorchScript model for 8 kHz,
seen to agree with its ONNX graph, of a signal filtered by scipy. Run from anywhere, after scripts/provision.py:

    python3.11 -m venv /tmp/golden && . /tmp/golden/bin/activate
    pip install torch==2.15.0 numpy==2.4.6 scipy==1.17.1 soundfile==0.14.0 onnxruntime==1.31.1
    pip install --no-deps silero-vad==6.2.3
    python tests/data/golden/make_golden.py

In:   speech.wav              3 s, 16 kHz, a sentence spoken by flite 2.2, voice slt:
                              "Good morning. I am calling about the parcel."
Out:  silero.json             speech probability of each 32-ms window of silence, speech.wav, silence
"""

import importlib.util
import json
import os
import re
from pathlib import Path

import numpy as np

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before it is loaded, or it reports on its use

import onnxruntime
import scipy.signal
import soundfile
import torch

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent.parent
RATE = 16_000
FED = 8_000


def main() -> None:
    speech, rate = soundfile.read(HERE / "speech.wav", dtype="float32")
    assert rate == RATE and speech.shape == (3 * RATE,)
    write_json("silero.json", silero(speech))


def silero(speech: np.ndarray) -> dict:
    """Speech probabilities with a second of silence before the sentence and a second and a half after."""
    before, after = RATE, RATE * 3 // 2
    wave = np.concatenate([np.zeros(before, np.float32), speech, np.zeros(after, np.float32)])
    steps = fed(wave[: len(wave) // 512 * 512].reshape(-1, 512))
    original = silero_original(steps)
    graph = silero_graph(steps)
    apart = float(np.abs(original - graph).max())
    print(f"Silero: TorchScript and ONNX differ by at most {apart:.2g}")
    assert apart < 1e-4
    return {
        "silence_before": before,
        "silence_after": after,
        "window": 512,
        "probabilities": [round(float(value), 6) for value in original],
    }


def fed(windows: np.ndarray) -> np.ndarray:
    """Windows of 512 samples as the model hears them: 256 at 8 kHz, the loudest of late raised to -20 dBFS RMS."""
    taps = scipy.signal.firwin(41, 0.5, window="hann")
    narrow = scipy.signal.lfilter(taps, 1.0, windows.reshape(-1).astype(np.float64))[::2].reshape(-1, 256)
    loudest, gains = -20.0, []
    for window in windows.astype(np.float64):
        level = 10 * np.log10(max(np.mean(window**2), 1e-20))
        # It falls by 10 dB a second, and 36 dB are the most that is given.
        loudest = max(level, loudest - 10 * 512 / RATE, -56.0)
        gains.append(10 ** (max(-20.0 - loudest, 0.0) / 20))
    return (narrow * np.array(gains)[:, None]).astype(np.float32)


def silero_original(steps: np.ndarray) -> np.ndarray:
    """By the TorchScript model, which keeps context and state itself."""
    package = Path(importlib.util.find_spec("silero_vad").origin).parent
    model = torch.jit.load(package / "data" / "silero_vad.jit")
    model.reset_states()
    with torch.no_grad():
        return np.array([model(torch.from_numpy(step)[None], FED).item() for step in steps])


def silero_graph(steps: np.ndarray) -> np.ndarray:
    """By the provisioned ONNX graph, with the 32 samples of context and the state carried by hand."""
    session = onnxruntime.InferenceSession(PROJECT / "models/silero_vad/weights/silero_vad.onnx")
    state, context, found = np.zeros((2, 1, 128), np.float32), np.zeros(32, np.float32), []
    for step in steps:
        heard = np.concatenate([context, step])[None]
        output, state = session.run(None, {"input": heard, "state": state, "sr": np.array(FED, np.int64)})
        context = step[-32:]
        found.append(output[0, 0])
    return np.array(found)


def write_json(name: str, value: dict) -> None:
    """Indented, with each list of numbers on one line, so that a change can be read."""
    text = json.dumps(value, indent=1)
    text = re.sub(r"\[[-+.,e\d\s]+\]", lambda numbers: "[" + " ".join(numbers[0][1:-1].split()) + "]", text)
    (HERE / name).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
