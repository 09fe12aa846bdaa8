#!/usr/bin/env python3
"""What the bytes cost: two graphs' embeddings of real telephone calls beside each other.

    quantise_check.py SHARED fp32.onnx int8.onnx [--seconds 3 20]

Prints, for each length of clip, the cosine of the two embeddings of one clip (mean, least), the deviation of the
cosines of pairs of clips, and the EER of both graphs over pairs of real_us: the same caller on two days, against
different callers. Clips are cut from the start of each call, of what is loud in it; a call that is too short gives
all it has. Pairs are not weighted: a caller of many calls counts for more.
"""

import argparse
import os
from pathlib import Path

import numpy as np

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before it is loaded, or it reports on its use

import onnxruntime
import torch

import voices
from campplus import RATE, fbank

SHORTEST = 1.5  # seconds; calls with less speech are left out


def session(graph, threads=1):
    """A graph (a path, or its bytes) under the options of the service (src/onnx)."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = threads, 1, 3
    graph = graph if isinstance(graph, bytes) else str(graph)
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def calls(shared, longest):
    """(set, caller, call, samples): the first `longest` seconds of speech of every call."""
    for name in ("real_us", "real_in"):
        for path in sorted((Path(shared) / "audio" / name).rglob("*.flac")):
            samples = voices.without_pauses(voices.load(path))[: int(longest * RATE)]
            if len(samples) >= SHORTEST * RATE:
                yield name, path.parent.name, path.stem, samples


def embeddings(graph, clips):
    """[clips, size], of length one."""
    said = [graph.run(None, {"feats": fbank(torch.from_numpy(clip)[None]).numpy()})[0][0] for clip in clips]
    said = np.stack(said).astype(np.float64)
    return said / np.linalg.norm(said, axis=1, keepdims=True)


def eer(targets, others):
    """Equal error rate in %, where the two staircases cross."""
    scores = np.concatenate([targets, others])
    same = np.concatenate([np.ones(len(targets)), np.zeros(len(others))])[np.argsort(scores, kind="stable")]
    missed = np.cumsum(same) / len(targets)
    passed = 1 - np.cumsum(1 - same) / len(others)
    place = int(np.argmin(np.abs(missed - passed)))
    return 50 * (missed[place] + passed[place])


def trials(heard):
    """Index pairs of real_us: (the same caller on two days, different callers)."""
    day = lambda call: call.split("-")[0]
    us = [place for place, call in enumerate(heard) if call[0] == "real_us"]
    pairs = [(a, b) for a in us for b in us if a < b]
    same = [(a, b) for a, b in pairs if heard[a][1] == heard[b][1] and day(heard[a][2]) != day(heard[b][2])]
    return np.array(same), np.array([(a, b) for a, b in pairs if heard[a][1] != heard[b][1]])


def compare(heard, exact, bytes_, label):
    """One line of figures for two sets of embeddings of the same clips."""
    cosine = (exact * bytes_).sum(1)
    score = lambda said, pairs: (said[pairs[:, 0]] * said[pairs[:, 1]]).sum(1)
    same, others = trials(heard)
    noise = [np.std(score(bytes_, pairs) - score(exact, pairs)) for pairs in (same, others)]
    rates = [eer(score(said, same), score(said, others)) for said in (exact, bytes_)]
    print(
        f"{label}: {len(heard)} clips, cosine mean {cosine.mean():.5f} least {cosine.min():.5f}; pairs' cosines deviate"
        f" by {noise[0]:.4f} (same), {noise[1]:.4f} (others); EER {rates[0]:.3f} -> {rates[1]:.3f} %"
        f" ({len(same)} and {len(others)} pairs)",
        flush=True,
    )
    return cosine.mean(), rates[1] - rates[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shared", type=Path)
    parser.add_argument("exact", type=Path)
    parser.add_argument("bytes", type=Path)
    parser.add_argument("--seconds", type=float, nargs="+", default=[3, 20])
    args = parser.parse_args()
    heard = list(calls(args.shared, max(args.seconds)))
    exact, bytes_ = session(args.exact), session(args.bytes)
    for seconds in args.seconds:
        clips = [call[3][: int(seconds * RATE)] for call in heard]
        compare(heard, embeddings(exact, clips), embeddings(bytes_, clips), f"{seconds:g} s")


if __name__ == "__main__":
    main()
