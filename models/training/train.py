#!/usr/bin/env python3
"""Teach a student on telephone audio what GE2E says of the clean recording, and to tell speakers apart.

    train.py SHARED --out FOLDER [--steps N] [--resume]

SHARED holds audio/ and protocols/. Only the recordings of train.txt, voices made of them, and noise are learned
from; the dev protocols are looked at, never fitted. README.md has the recipe and what each part of it is worth.
"""

import argparse
import copy
import json
import math
import multiprocessing
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

import batches
import evaluate
import pool
from audio import at_level, load, mel
from ge2e import Ge2e, Student, published_weights


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shared", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=2_000)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--decay", type=float, default=0.45, help="share of the steps in which the rate falls")
    parser.add_argument("--ge2e-share", type=float, default=0.2, help="rate of GE2E's own weights, of the whole")
    parser.add_argument("--look", type=int, default=300, help="steps between two looks at the dev protocols")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--producers", type=int, default=2)
    parser.add_argument("--start", type=Path, help="a student to go on from")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


@torch.no_grad()
def middle_of(teacher, voices):
    """[256]: the mean of what the teacher says of the first seconds of each clean voice."""
    cuts = [voice["clean"][: 160 * 160].astype(np.float32) / 32_768 for voice in voices]
    views = torch.stack([torch.from_numpy(at_level(cut)) for cut in cuts if len(cut) == 160 * 160])
    said = [teacher(mel(views[at : at + 64])[:, :160])[1] for at in range(0, len(views), 64)]
    return torch.cat(said).mean(0)


class Loss:
    """How far the student is from the teacher before the window was distorted, everywhere on the way: the
    repaired spectrum, what every layer says of every frame, and the embedding, seen from the origin and from
    the middle of all voices. The frames are what keeps a student of few speakers from learning those by heart."""

    def __init__(self, middle):
        self.middle = middle

    def __call__(self, heard, taught, clean):
        (spectrum, layers, said), (wanted_layers, wanted) = heard, taught
        clear = torch.log(clean * math.exp(-Student.LEVEL) + Student.FLOOR)
        mel = (spectrum - clear).abs().mean()
        frames = sum(
            (own[:, ::3].float() - theirs[:, ::3].float()).pow(2).mean() / theirs[:, ::3].float().var()
            for own, theirs in zip(layers, wanted_layers)
        ) / len(layers)
        plain = 1 - (said * wanted).sum(1).mean()
        centred = 1 - F.cosine_similarity(said - self.middle, wanted - self.middle, dim=1).mean()
        parts = {"mel": mel, "frames": frames, "plain": plain, "centred": centred}
        return 0.2 * mel + frames + plain + centred, {name: part.item() for name, part in parts.items()}


class Replay:
    """The next batch, or one of the last few hundred over again when none is ready: making them takes longer
    than learning from them."""

    def __init__(self, queue, size=400):
        self.queue, self.size, self.kept = queue, size, []
        self.random, self.fresh = np.random.default_rng(0), 0

    def next(self):
        if len(self.kept) < 20 or not self.queue.empty():
            self.fresh += 1
            self.kept.append(self.queue.get())
            if len(self.kept) > self.size:
                self.kept.pop(0)
            return self.kept[-1]
        return self.kept[self.random.integers(len(self.kept))]


def main():
    args = arguments()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    noise_paths = sorted((args.shared / "audio/noise").rglob("*.ogg"))
    cache = args.out / "voices"
    if not cache.with_suffix(".json").exists():
        noises = [load(path) for path in noise_paths]
        pool.build(args.shared / "audio/train.txt", args.shared / "audio", noises, cache)
    dev_file = args.out / "dev.pt"
    if not dev_file.exists():
        torch.save(evaluate.Dev(args.shared), dev_file)
    dev = torch.load(dev_file, weights_only=False)

    teacher, student = Ge2e(published_weights()).eval(), Student()
    middle = middle_of(teacher, batches.voices_in(cache))
    if args.start:
        student.load_state_dict(torch.load(args.start, weights_only=True))
    mean = copy.deepcopy(student)  # of the recent past's weights; it is what is kept
    own = [{"params": student.repair.parameters(), "share": 1.0}]
    own.append({"params": student.ge2e.parameters(), "share": args.ge2e_share})
    optimiser = torch.optim.AdamW(own, args.rate, weight_decay=0.01)
    loss, first, log = Loss(middle), 0, open(args.out / "log.jsonl", "a")
    checkpoint = args.out / "checkpoint.pt"
    if args.resume and checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        student.load_state_dict(state["student"])
        mean.load_state_dict(state["mean"])
        optimiser.load_state_dict(state["optimiser"])
        first = state["step"]

    context = multiprocessing.get_context("spawn")
    queue = context.Queue(8)
    producers = [
        context.Process(
            target=batches.produce, args=(cache, noise_paths, (args.seed, first, number), queue), daemon=True
        )
        for number in range(args.producers)
    ]
    for producer in producers:
        producer.start()

    started, recent, seen = time.time(), [], Replay(queue)
    for step in range(first, args.steps):
        warm = min(1.0, (step + 1) / 200)
        rate = args.rate * warm * max(0.02, min(1.0, (args.steps - step) / (args.decay * args.steps + 1e-9)))
        for group in optimiser.param_groups:
            group["lr"] = rate * group["share"]
        views, clean = (torch.from_numpy(part) for part in seen.next())
        student.train()
        with torch.autocast("cpu", torch.bfloat16):
            with torch.no_grad():
                taught = teacher(clean)
            heard = student.listen(views)
        total, parts = loss(heard, taught, clean)
        optimiser.zero_grad(set_to_none=True)
        total.backward()
        torch.nn.utils.clip_grad_norm_(student.parameters(), 3.0)
        optimiser.step()
        keep = min(0.999, step / (step + 20))
        with torch.no_grad():
            for kept, now in zip(mean.parameters(), student.parameters()):
                kept.lerp_(now, 1 - keep)
        recent.append(parts)
        if (step + 1) % 50 == 0:
            shown = "; ".join(f"{name} {sum(parts[name] for parts in recent) / len(recent):.4f}" for name in recent[0])
            recent.clear()
            left = (time.time() - started) / (step + 1 - first) * (args.steps - step - 1)
            print(f"step {step + 1}: {shown}; {seen.fresh} batches made; {left / 60:.1f} min left", flush=True)
        if (step + 1) % args.look == 0 or step + 1 == args.steps:
            found = dev.figures(mean.eval())
            print(f"step {step + 1}, {time.time() - started:.0f} s: {evaluate.line(found)}", flush=True)
            log.write(json.dumps({"step": step + 1, "seconds": time.time() - started, "dev": found}) + "\n")
            log.flush()
            torch.save(mean.state_dict(), args.out / "student.pt")
            state = {"student": student.state_dict(), "mean": mean.state_dict(), "optimiser": optimiser.state_dict()}
            torch.save(state | {"step": step + 1}, checkpoint.with_suffix(".new"))
            checkpoint.with_suffix(".new").replace(checkpoint)
    for producer in producers:
        producer.terminate()


if __name__ == "__main__":
    main()
