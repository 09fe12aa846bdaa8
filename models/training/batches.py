"""Training examples without end, made by processes of their own."""

import json
import os
from queue import Full

import numpy as np
import torch

import channel
from audio import HOP, load, mel

CLIPS, LENGTH = 128, 160  # views in a batch; frames in a view, the teacher's window


def cut(samples, start, size, speed):
    """`size` samples from `start` on, spoken `speed` times as fast: another pitch, another vocal tract."""
    source = samples[start : start + int(size * speed) + 2].astype(np.float32) / 32_768
    if len(source) < size * speed + 2:
        source = np.pad(source, (0, int(size * speed) + 2 - len(source)), mode="wrap")
    return np.interp(np.arange(size) * speed, np.arange(len(source)), source).astype(np.float32)


def batch(voices, noises, random):
    """Mel windows [n, 160, 40] of voices as they arrive by telephone, and of the same moments before it.

    To match the teacher as a function and not only on the few voices there are (Beyer et al. 2022, "Knowledge
    distillation: a good teacher is patient and consistent"), voices are sped up and slowed down at will, and many
    are two people's at once: the teacher hears the same mixture, clean.
    """
    size = LENGTH * HOP
    clean, heard, sounds, babble = [], [], [], []
    is_coded = random.random(CLIPS) < 0.4
    for row, which in enumerate(random.choice(len(voices), CLIPS)):
        voice = voices[which]
        if not voice["coded"]:
            is_coded[row] = False
        speed = random.uniform(0.85, 1.18) if random.random() < 0.7 else 1.0
        start = int(random.integers(max(1, len(voice["clean"]) - int(size * speed) - 2)))
        taken = cut(voice["clean"], start, size, speed)
        if is_coded[row]:
            heard.append(cut(voice["coded"][random.integers(len(voice["coded"]))], start, size, speed))
        else:
            if random.random() < 0.3:
                other = voices[random.integers(len(voices))]["clean"]
                other = cut(other, int(random.integers(max(1, len(other) - size - 2))), size, 1.0)
                ratio = np.sqrt(np.mean(taken**2) / (np.mean(other**2) + 1e-9))
                taken = taken + other * ratio * 10 ** (-random.uniform(0, 15) / 20)
            heard.append(taken)
        clean.append(taken)
        noise = noises[random.integers(len(noises))]
        sounds.append(np.resize(np.roll(noise, random.integers(len(noise))), size))
        others = [voices[i]["clean"] for i in random.integers(len(voices), size=3)]
        babble.append(sum(np.resize(np.roll(o, random.integers(len(o))), size).astype(np.float32) for o in others))
    stack = lambda rows: torch.from_numpy(np.stack(rows).astype(np.float32))
    clean = stack(clean)
    arrived = channel.distort(
        clean, stack(heard), torch.from_numpy(is_coded), stack(sounds), stack(babble), random
    )
    level = 10 ** (-30 / 20) / (clean.pow(2).mean(1, keepdim=True).sqrt() + 1e-6)
    return mel(arrived)[:, :LENGTH], mel(clean * level)[:, :LENGTH]


def held_out(reader):
    """Readers (by their place in train.txt) that no student hears: the calibration is fitted on them."""
    return reader % 7 in (0, 3)


def voices_in(pool):
    """The voices of a pool, left on disk: processes share what they read of them."""
    samples = np.memmap(pool.with_suffix(".i16"), dtype="<i2", mode="r")
    span = lambda at: samples[at[0] : at[0] + at[1]]
    return [
        {"clean": span(voice["clean"]), "coded": [span(at) for at in voice["coded"]]}
        for voice in json.loads(pool.with_suffix(".json").read_text())
        if not held_out(voice["reader"])
    ]


def produce(pool, noise_paths, seed, queue):
    """Runs in a process of its own for as long as its parent lives."""
    torch.set_num_threads(1)
    voices, noises = voices_in(pool), [load(path) for path in noise_paths]
    random, parent = np.random.default_rng(seed), os.getppid()
    while os.getppid() == parent:
        made = tuple(part.numpy() for part in batch(voices, noises, random))
        try:
            queue.put(made, timeout=60)
        except Full:
            continue
