#!/usr/bin/env python3
"""What back ends are worth: EER, and FNIR at FPIR 1 % on rosters of five, of readers no student heard.

    backends.py SHARED FOLDER/student.pt [--blend 0.75]

`dev`: ten readers of three telephone clips each; `held`: the 48 readers of train.txt no student hears, each enrolled
with the first half of the recording, with impostors.txt as strangers. Calls of 3 s over the telephone, the same with
noise through a codec (`hard`), and of 10 s. Nothing is fitted on any of them; the cohort is the readers the student
heard. README.md shows what this prints.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

import backend
import batches
from audio import RATE, eer, load
from evaluate import Views, embeddings, telephone
from export import BLEND, blended

COLUMNS = ("dev phone", "dev hard", "dev 10 s", "held phone", "held hard")


def unit(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def pieces(samples, start, least, step):
    for at in range(start, len(samples) - least + 1, step):
        yield samples[at : at + 3 * RATE]


def calls(shared, noises, random):
    """Voices to enrol {(set, reader): [views]} and calls {(set, kind): [(reader, views)]}."""
    enrolled, heard = {}, {}

    def call(kinds, reader, cut):
        heard.setdefault((kinds, "phone"), []).append((reader, Views(telephone(cut), 160, 160)))
        heard.setdefault((kinds, "hard"), []).append((reader, Views(backend.hard(cut, noises, random), 160, 160)))

    for folder in sorted((shared / "audio/librispeech_dev").iterdir()):
        for place, path in enumerate(sorted(folder.glob("*.flac"))):
            samples = load(path)
            if place < 3:
                enrolled.setdefault(("dev", folder.name), []).append(Views(telephone(samples), 160, 160))
                continue
            heard.setdefault(("dev", "10 s"), []).append((folder.name, Views(telephone(samples[: 10 * RATE]), 160, 160)))
            for cut in pieces(samples[: 10 * RATE], 0, 3 * RATE, 3 * RATE):
                call("dev", folder.name, cut)
    for number, path in enumerate((shared / "audio/train.txt").read_text().split()):
        if batches.held_out(number):
            samples = load(shared / "audio" / path)
            half = len(samples) // 2
            enrolled["held", path] = [Views(telephone(samples[:half]), 160, 160)]
            for cut in pieces(samples, half, 5 * RATE // 2, 3 * RATE // 2):
                call("held", path, cut)
    for path in (shared / "audio/impostors.txt").read_text().split():
        for cut in pieces(load(shared / "audio" / path), 0, 3 * RATE, 3 * RATE):
            call("held", None, cut)
    return enrolled, heard


def searched(scores, readers, callers, size=5, draws=100):
    """FNIR in % at FPIR 1 % over random rosters."""
    random, known, unknown = np.random.default_rng(1), [], []
    for _ in range(draws):
        roster = random.choice(len(readers), size, replace=False)
        best, names = scores[roster].max(axis=0), readers[roster][scores[roster].argmax(axis=0)]
        on = np.isin(callers, readers[roster])
        known.append(np.where(names == callers, best, -np.inf)[on])
        unknown.append(best[~on])
    return 100 * np.mean(np.concatenate(known) <= np.quantile(np.concatenate(unknown), 0.99))


def adapted(prints, probes, cohort, top):
    """Adaptive symmetric score normalisation (Matějka et al. 2017) against the `top` nearest of the cohort."""

    def side(rows):
        near = np.sort(rows @ cohort.T, axis=1)[:, -top:]
        return near.mean(axis=1), near.std(axis=1)

    scores, (pm, ps), (tm, ts) = prints @ probes.T, side(prints), side(probes)
    return 0.5 * ((scores - pm[:, None]) / ps[:, None] + (scores - tm) / ts)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shared", type=Path)
    parser.add_argument("student", type=Path)
    parser.add_argument("--blend", type=float, default=BLEND)
    args = parser.parse_args()
    random = np.random.default_rng(5)
    noises = [load(path) for path in sorted((args.shared / "audio/noise").rglob("*.ogg"))]
    student = blended(torch.load(args.student, weights_only=True), args.blend)
    fit = embeddings(student, backend.cuts(args.shared, random))
    rows, readers = np.stack(list(fit.values())), np.array([reader for reader, _ in fit])
    cohort = np.stack([rows[readers == reader].mean(axis=0) for reader in np.unique(readers)])
    enrolled, heard = calls(args.shared, noises, random)
    flat = {(*who, place): views for who, clips in enrolled.items() for place, views in enumerate(clips)}
    prints = embeddings(student, flat)
    said = {}
    for kind, tests in heard.items():
        found = embeddings(student, {place: views for place, (_, views) in enumerate(tests)})
        said[kind] = np.stack(list(found.values())), np.array([reader or "-" for reader, _ in tests])

    def figures(through, top=None):
        for column in COLUMNS:
            kinds, kind = column.split(" ", 1)
            names = np.array(sorted(name for which, name in enrolled if which == kinds))
            clips = lambda name: [row for key, row in prints.items() if key[:2] == (kinds, name)]
            models = unit(np.stack([through(np.stack(clips(name))).mean(axis=0) for name in names]))
            probes, callers = through(said[kinds, kind][0]), said[kinds, kind][1]
            scores = models @ probes.T if top is None else adapted(models, probes, through(cohort), top)
            same = names[:, None] == callers[None]
            yield f"{eer(scores[same], scores[~same]):.1f} / {searched(scores, names, callers):.0f}"

    def show(name, *how):
        print(f"| {name} | " + " | ".join(figures(*how)) + " |", flush=True)

    def turned(ridge, centre):
        backend.RIDGE, backend.CENTRE = ridge, centre
        middle, turn = backend.fitted(rows, readers)
        return lambda given: unit((given - middle) @ turn)

    print("| | " + " | ".join(COLUMNS) + " |\n|" + "---|" * (len(COLUMNS) + 1))
    show("cosine alone", unit)
    for top in (20, 50, 119):
        show(f"AS-norm, {top} nearest of 120", unit, top)
    for centre in (0.5, 1.0):
        show(f"centred, {centre:.0%} of the way", turned(1.0, centre))
    for ridge, centre in ((0.9, 0.8), (0.6, 0.0), (0.6, 0.8), (0.6, 1.0), (0.3, 0.8)):
        show(f"WCCN, {1 - ridge:.0%} of the covariance, centred {centre:.0%}", turned(ridge, centre))
    show("WCCN 40 %, centred 80 %, then AS-norm, 50 nearest", turned(0.6, 0.8), 50)


if __name__ == "__main__":
    main()
