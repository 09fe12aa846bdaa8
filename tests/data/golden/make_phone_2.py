#!/usr/bin/env python3
"""Write the golden values of the shipped speaker model: its front end by PyTorch, and its embeddings by ONNX Runtime's
Python package behind that front end.

    python tests/data/golden/make_phone_2.py

Needs torch, numpy, onnxruntime and soundfile (models/training/requirements.txt); nothing of Voxline's but the graph.

In:   speech.wav               3 s, 16 kHz
Out:  fbank_voxline.f32        its filter bank, mean of the utterance taken off: [300, 80] little-endian float32
      voxline-phone-2.json     embeddings of clips; sample i of one is gain * speech[i mod its length]
"""

import json
import os
import sys
from pathlib import Path

import numpy as np
import soundfile
import torch

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent.parent
CLIPS = [(48_000, 1.0), (19_200, 1.0), (128_000, 1.0), (48_000, 0.05)]  # samples, gain


def main() -> None:
    sys.path.insert(0, str(PROJECT / "models/training"))
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before it is loaded, or it reports on its use
    import campplus
    import onnxruntime

    speech, rate = soundfile.read(HERE / "speech.wav", dtype="float32")
    assert rate == 16_000 and len(speech) == 48_000
    graph = onnxruntime.InferenceSession(PROJECT / "models/voxline-phone-2/voxline-phone-2.onnx")
    campplus.fbank(torch.from_numpy(speech)[None])[0].numpy().astype("<f4").tofile(HERE / "fbank_voxline.f32")
    found = []
    for samples, gain in CLIPS:
        clip = torch.from_numpy(np.resize(speech, samples) * np.float32(gain))[None]
        embedding = graph.run(None, {"feats": campplus.fbank(clip).numpy()})[0][0].astype(np.float64)
        embedding /= np.linalg.norm(embedding)
        numbers = [float(f"{value:.7g}") for value in embedding.tolist()]
        found.append({"samples": samples, "gain": gain, "embedding": numbers})
    (HERE / "voxline-phone-2.json").write_text(json.dumps(found, indent=1) + "\n")


main()
