#!/usr/bin/env python3
"""Our speed beside that of others, on this machine, in turns.

    make bench-peers          or, once that was run:
    .venv-bench/bin/python benches/compare.py [--rounds 40] [--seconds 5] [GRAPH.onnx...]

Measured, one thread each, each kept loaded, samples of the same speech in memory; from the others' times is
taken what their Python bindings spend on turning a list into floats, which is no part of their work:

  * the filter bank: ours and kaldi-native-fbank's C++ (sherpa-onnx uses the same library), 10 s
  * samples to embedding: ours and sherpa-onnx on the same graphs, whose answers must agree; its own wheel's
    ONNX Runtime is the one it uses
  * the default model, in ms for a second of speech

Others at work on the machine slow everybody: the competitors take turns within each round, and what is
reported is the median and the median of the rounds' ratios. Graphs: those given, else those of
$VOXLINE_SHARED (or ../shared) that are there.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import wave
from collections.abc import Callable
from pathlib import Path

# Before either's ONNX Runtime is loaded: it would report on its use.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import kaldi_native_fbank
import numpy as np
import sherpa_onnx

PROJECT = Path(__file__).resolve().parent.parent
RATE = 16_000
SHARED = Path(os.environ.get("VOXLINE_SHARED", PROJECT.parent / "shared"))


def main() -> None:
    parser = argparse.ArgumentParser(description="Our speed beside that of others.")
    parser.add_argument("graphs", nargs="*", type=Path, help="WeSpeaker-like ONNX files with sherpa-onnx's keys")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=5.0, help="of speech, for the embeddings")
    asked = parser.parse_args()
    found = sorted((SHARED / "models/random_weights").glob("*.onnx"))
    graphs = asked.graphs or found
    default = Ours(PROJECT / "models/voxline-phone-2", asked.seconds)
    print(f"{asked.rounds} rounds in turns, one thread; medians, and the middle half of the ratios")
    if graphs:
        bank = Ours(graphs[0], 10.0)
        compare("filter bank, 10 s", "ours", bank.timer("front"), "kaldi-native-fbank", kaldi(10.0), asked.rounds)
    else:
        print("no graphs to compare on: the filter bank and sherpa-onnx are left out", file=sys.stderr)
    for graph in graphs:
        ours, theirs = Ours(graph, asked.seconds), Sherpa(graph, asked.seconds)
        alike = float(np.dot(ours.embedding(), theirs.embedding()))
        assert alike > 0.9999, f"{graph.name}: the embeddings do not agree: cosine {alike}"
        name = f"{graph.stem}, {asked.seconds:g} s (cosine {alike:.6f})"
        compare(name, "ours", ours.timer("embed"), "sherpa-onnx", theirs.time, asked.rounds)
    spent = [default.timer("embed")() for _ in range(asked.rounds)]
    print(f"default model, {asked.seconds:g} s: {statistics.median(spent) / asked.seconds:.2f} ms for each second of speech")
    print(f"default model, front end alone: {median(default.timer('front'), asked.rounds) / asked.seconds:.3f} ms")


def compare(what: str, one: str, first: Callable, other: str, second: Callable, rounds: int) -> None:
    """Takes turns, each going first in every other round, and prints medians and ratios."""
    for _ in range(3):
        first(), second()
    pairs = []
    for at in range(rounds):
        if at % 2:
            late = second()
            pairs.append((first(), late))
        else:
            pairs.append((first(), second()))
    ratios = sorted(a / b for a, b in pairs)
    quarter = len(ratios) // 4
    print(
        f"{what}: {one} {statistics.median(a for a, _ in pairs):.2f} ms, {other} "
        f"{statistics.median(b for _, b in pairs):.2f} ms, ratio {statistics.median(ratios):.3f} "
        f"({ratios[quarter]:.3f} to {ratios[-1 - quarter]:.3f})",
        flush=True,
    )


def median(timer: Callable[[], float], rounds: int) -> float:
    return statistics.median(timer() for _ in range(rounds))


class Ours:
    """A running `embed_speed`."""

    def __init__(self, model: Path, seconds: float) -> None:
        program = PROJECT / "target/release/examples/embed_speed"
        library = next((PROJECT / "runtime").glob("libonnxruntime*"), None)
        if not program.exists() or library is None:
            sys.exit("run `make bench-peers`, which builds what is measured")
        self.process = subprocess.Popen(
            [program, model, str(seconds), library], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, what: str) -> str:
        self.process.stdin.write(what + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline()

    def timer(self, what: str) -> Callable[[], float]:
        """A function that does it once and says how many milliseconds it took."""
        return lambda: float(self.ask(what))

    def embedding(self) -> np.ndarray:
        return np.array(json.loads(self.ask("print")), dtype=np.float64)


class Sherpa:
    """sherpa-onnx with a graph loaded."""

    def __init__(self, graph: Path, seconds: float) -> None:
        config = sherpa_onnx.SpeakerEmbeddingExtractorConfig(model=str(graph), num_threads=1)
        self.extractor = sherpa_onnx.SpeakerEmbeddingExtractor(config)
        self.samples = speech(seconds)

    def compute(self) -> list[float]:
        stream = self.extractor.create_stream()
        stream.accept_waveform(RATE, self.samples)
        stream.input_finished()
        return self.extractor.compute(stream)

    def time(self) -> float:
        binding = conversion(self.samples)
        before = time.perf_counter()
        self.compute()
        return (time.perf_counter() - before) * 1e3 - binding

    def embedding(self) -> np.ndarray:
        values = np.array(self.compute(), dtype=np.float64)
        return values / np.linalg.norm(values)


def kaldi(seconds: float) -> Callable[[], float]:
    """kaldi-native-fbank with sherpa-onnx's constants."""
    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.dither = 0
    options.frame_opts.snip_edges = False
    options.mel_opts.num_bins = 80
    options.mel_opts.high_freq = -400
    samples = (np.array(speech(seconds)) * 32768).tolist()

    def once() -> float:
        binding = conversion(samples)
        before = time.perf_counter()
        bank = kaldi_native_fbank.OnlineFbank(options)
        bank.accept_waveform(RATE, samples)
        bank.input_finished()
        assert bank.num_frames_ready == round(seconds * 100)
        return (time.perf_counter() - before) * 1e3 - binding

    return once


def conversion(samples: list[float]) -> float:
    """Milliseconds that a binding takes to hand over the samples: by a bank with frames so long that none
    is ever ready. (All of these bindings convert alike, by pybind11.)"""
    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.dither = 0
    options.frame_opts.frame_length_ms = 2000 * len(samples) / RATE
    bank = kaldi_native_fbank.OnlineFbank(options)
    before = time.perf_counter()
    bank.accept_waveform(RATE, samples)
    spent = (time.perf_counter() - before) * 1e3
    assert bank.num_frames_ready == 0
    return spent


def speech(seconds: float) -> list[float]:
    """The sentence of the tests over and over. (A list: it is converted four times faster than an array.)"""
    with wave.open(str(PROJECT / "tests/data/golden/speech.wav")) as file:
        assert file.getframerate() == RATE and file.getsampwidth() == 2
        clip = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").astype(np.float32) / 32768
    return np.resize(clip, int(seconds * RATE)).tolist()


if __name__ == "__main__":
    main()
