#!/usr/bin/env python3
"""Fit a student's back end: the directions in which one voice differs from itself, from line to line, weigh less.

    backend.py SHARED FOLDER/student.pt --out FOLDER/backend.npz [--blend 0.75]

Within-class covariance normalisation (Hatch, Kajarekar and Stolcke 2006), `(embedding - middle) @ turn`, over 3-s
cuts of the recordings of the readers the student heard, each as it is, over the telephone, and four times noisy
and through a codec drawn at random. export.py puts it into the graph. README.md says what it is worth.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

import batches
import pool
from audio import RATE, load
from evaluate import Views, embeddings, telephone
from export import BLEND, blended

SECONDS = 3
HARD = 4  # copies through noise and codecs
# How far the covariance is drawn towards equal in all directions: 120 readers say little of 256 directions.
RIDGE = 0.6
# How far the origin moves to the middle of all voices. All the way, a voice near the middle has no direction.
CENTRE = 0.8


def hard(cut, noises, random):
    """A sound around it or white noise, 10 to 30 dB below the voice, then a codec."""
    if random.integers(2):
        return pool.coded(pool.in_noise(cut, noises, random), random)
    noise = random.standard_normal(len(cut)).astype(np.float32) * np.sqrt(np.mean(cut**2))
    return pool.coded(cut + noise * 10 ** (-random.uniform(10, 30) / 20), random)


def cuts(shared, random):
    """(reader, number) -> mel windows of one line's version of one cut."""
    found = {}
    noises = [load(path) for path in sorted((shared / "audio/noise").rglob("*.ogg"))]
    for reader, path in enumerate((shared / "audio/train.txt").read_text().split()):
        if batches.held_out(reader):
            continue
        samples = load(shared / "audio" / path)
        for start in range(0, len(samples) - SECONDS * RATE + 1, SECONDS * RATE):
            cut = samples[start : start + SECONDS * RATE]
            for version in (cut, telephone(cut), *(hard(cut, noises, random) for _ in range(HARD))):
                found[reader, len(found)] = Views(version, 160, 160)
    return found


def fitted(rows, readers):
    """middle [256], turn [256, 256]: (row - middle) @ turn has, within a reader, the same spread every way."""
    every = np.unique(readers)
    means = {reader: rows[readers == reader].mean(axis=0) for reader in every}
    within = np.mean([np.cov(rows[readers == reader].T, bias=True) for reader in every], axis=0)
    even = np.trace(within) / len(within)
    spread, ways = np.linalg.eigh((1 - RIDGE) * within + RIDGE * even * np.eye(len(within)))
    # Turned back into the embedding's own directions: symmetric, and near to doing nothing where it can be.
    turn = (ways * spread**-0.5) @ ways.T * np.sqrt(even)
    return CENTRE * np.mean(list(means.values()), axis=0), turn


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shared", type=Path)
    parser.add_argument("student", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--blend", type=float, default=BLEND)
    args = parser.parse_args()
    student = blended(torch.load(args.student, weights_only=True), args.blend)
    heard = embeddings(student, cuts(args.shared, np.random.default_rng(5)))
    middle, turn = fitted(np.stack(list(heard.values())), np.array([reader for reader, _ in heard]))
    np.savez(args.out, middle=middle.astype(np.float32), turn=turn.astype(np.float32))
    print(f"{args.out}: {len(heard)} cuts of {len({reader for reader, _ in heard})} readers")


if __name__ == "__main__":
    main()
