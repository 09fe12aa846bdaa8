#!/usr/bin/env bash
# sherpa-onnx 2.0.1, the wheel for Linux, seen 2026-11-29 (Debian 12, Python 3.11, x86-64).
#
# Behaviour: `SpeakerEmbeddingExtractor.compute(stream)` uses up the audio that it embeds. Called again after more
# audio, it embeds the new audio alone. A caller's stream that is asked after 1, 2, 3 and 4 s gives four embeddings of
# one second each, not one that rests on more and more. The docstrings speak of the stream and its audio; that features
# count only once stands in a comment of the C++ header.
#
# What one would have guessed: that a stream which is fed for the length of a call holds the call, and that asking again
# later makes the answer surer, as streaming identification wants it. Instead the fourth answer is no surer than the
# first, and a threshold made for 4 s of speech is laid on 1 s. A new stream with all of the audio gives what was meant.
#
# The model made here puts out, for an embedding, how many frames of 10 ms it was shown.
#
# Output seen:
#   one stream, embedded after 1, 2, 3 and 4 s: 99, 100, 100, 100 frames
#   a new stream each time: 99, 199, 299, 399 frames
#   the one stream is ready again without new audio: False
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check sherpa-onnx==2.0.1 onnx==1.23.2 numpy==2.4.6
cat >"$folder/seen.py" <<'PY'
import sys

import numpy as np
import onnx
import sherpa_onnx
from onnx import TensorProto, helper

RATE = 16_000
METADATA = {
    "framework": "wespeaker",
    "language": "English",
    "url": "none",
    "comment": "counts frames",
    "sample_rate": str(RATE),
    "output_dim": "1",
    "normalize_samples": "0",
    "feature_normalize_type": "global-mean",
}


def counter(path):
    """Writes what has the form of a speaker model and counts its frames."""
    nodes = [
        helper.make_node("Shape", ["feats"], ["frames"], start=1, end=2),
        helper.make_node("Cast", ["frames"], ["count"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["count", "first"], ["embs"]),
    ]
    feats = helper.make_tensor_value_info("feats", TensorProto.FLOAT, ["B", "T", 80])
    embs = helper.make_tensor_value_info("embs", TensorProto.FLOAT, [1, 1])
    first = helper.make_tensor("first", TensorProto.INT64, [1], [0])
    graph = helper.make_graph(nodes, "counter", [feats], [embs], [first])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    helper.set_model_props(model, METADATA)
    onnx.save(model, path)


counter(sys.argv[1])
extractor = sherpa_onnx.SpeakerEmbeddingExtractor(sherpa_onnx.SpeakerEmbeddingExtractorConfig(model=sys.argv[1]))
call = np.random.default_rng(1).normal(0, 0.1, 4 * RATE).astype(np.float32)


def frames(stream):
    assert extractor.is_ready(stream)
    return round(extractor.compute(stream)[0])


growing = extractor.create_stream()
one, anew = [], []
for second in range(4):
    growing.accept_waveform(RATE, call[second * RATE : (second + 1) * RATE])
    one.append(frames(growing))
    fresh = extractor.create_stream()
    fresh.accept_waveform(RATE, call[: (second + 1) * RATE])
    anew.append(frames(fresh))
again = extractor.is_ready(growing)
print("one stream, embedded after 1, 2, 3 and 4 s: " + ", ".join(map(str, one)) + " frames")
print("a new stream each time: " + ", ".join(map(str, anew)) + " frames")
print(f"the one stream is ready again without new audio: {again}")
assert one == [99, 100, 100, 100] and anew == [99, 199, 299, 399] and not again
PY
"$folder/venv/bin/python" "$folder/seen.py" "$folder/counter.onnx"
