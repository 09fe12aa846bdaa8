#!/usr/bin/env python3
"""What ONNX Runtime's session options are worth for speaker graphs: time, memory, start-up.

The Rust service and this script load the same shared library (onnxruntime 1.31.1 of the wheel), so what
an option is worth here it is worth there. Each line of the report is a process of its own, because memory
once taken by an arena is never seen to go away; times are the best of fifteen, for others may be at work on
the machine. One thread, except where the line says otherwise.

    make bench-peers                                   # once: the environment in .venv-bench
    .venv-bench/bin/python benches/session_options.py GRAPH.onnx...

Graphs: [batch, frames, 80] -> [batch, dimension], such as ../shared/models/random_weights/*.onnx.
"""

import json
import os
import subprocess
import sys
import tempfile
import time

import numpy as np

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before it is loaded, or it reports on its use

import onnxruntime as ort

LEVELS = {
    "all": ort.GraphOptimizationLevel.ORT_ENABLE_ALL,
    "extended": ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    "basic": ort.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "none": ort.GraphOptimizationLevel.ORT_DISABLE_ALL,
}
FRAMES = 500  # 5 s


def main() -> None:
    if sys.argv[1] == "--one":
        print(json.dumps(one(json.loads(sys.argv[2]))))
        return
    lines = [
        {},
        {"level": "extended"},
        {"level": "basic"},
        {"level": "none"},
        {"threads": 2},
        {"pattern": False},
        {"arena": False},
        {"arena": False, "pattern": False},
        {"bucket": 25},
        {"bucket": 100},
        {"batch": 2},
        {"batch": 4},
        {"cached": True},
    ]
    print("graph options | load ms | 5 s, ms | RSS MB after load, after 5 s, after 60 lengths")
    for graph in sys.argv[1:]:
        for options in lines:
            got = ask(graph, options)
            said = ", ".join(f"{key} {value}" for key, value in options.items()) or "as the service"
            print(
                f"{os.path.basename(graph)} {said} | {got['load']:.0f} | {got['five']:.1f} | "
                + ", ".join(f"{size:.0f}" for size in got["rss"]),
                flush=True,
            )


def ask(graph: str, options: dict) -> dict:
    """The figures of one set of options, from a process of its own."""
    asked = json.dumps({"graph": graph, **options})
    command = [sys.executable, os.path.abspath(__file__), "--one", asked]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def one(asked: dict) -> dict:
    graph, batch = asked["graph"], asked.get("batch", 1)
    with tempfile.TemporaryDirectory() as folder:
        if asked.get("cached"):
            kept = os.path.join(folder, "optimised.onnx")
            options = settings(asked)
            options.optimized_model_filepath = kept
            ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
            graph = kept
            asked["level"] = "none"
        before = time.perf_counter()
        session = ort.InferenceSession(graph, settings(asked), providers=["CPUExecutionProvider"])
        load = (time.perf_counter() - before) * 1e3
    memory = [resident()]
    name = session.get_inputs()[0].name
    rng = np.random.default_rng(1)

    def run(frames: int) -> float:
        feats = rng.standard_normal((batch, frames, 80), dtype=np.float32)
        before = time.perf_counter()
        session.run(None, {name: feats})
        return (time.perf_counter() - before) * 1e3 / batch

    five = min(run(FRAMES) for _ in range(15))
    memory.append(resident())
    bucket = asked.get("bucket", 1)
    for frames in rng.integers(100, 1500, 60):
        run(int(frames) // bucket * bucket)
    memory.append(resident())
    return {"load": load, "five": five, "rss": memory}


def settings(asked: dict) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.graph_optimization_level = LEVELS[asked.get("level", "all")]
    options.intra_op_num_threads = asked.get("threads", 1)
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = asked.get("pattern", True)
    options.enable_cpu_mem_arena = asked.get("arena", True)
    options.log_severity_level = 3
    return options


def resident() -> float:
    """Memory of this process in RAM, in MB."""
    with open("/proc/self/status", encoding="ascii") as status:
        line = next(line for line in status if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1e3


if __name__ == "__main__":
    main()
