#!/usr/bin/env python3
# Needs Python 3.11 or newer and numpy==2.4.6 (any numpy 2 gives the same figures to four digits).
"""Fit a speaker model's calibration: cosine and net speech to log-likelihood ratio.

    fit.py FIT.tsv --model models/voxline-phone-1 --id voxline-phone-1-2026-11-22 --on "what the recordings are"

FIT.tsv is what `trials --speakers` writes. For each bandwidth, with q = ln(net speech of the call, s),

    llr = (scale + scale_per_log q) cosine + offset + offset_per_log q

by prior-weighted logistic regression (Brümmer and du Preez 2006; duration as a quality measure after
Mandasari et al. 2013). README.md says why the prior, the share of noisy calls and the bounds are what
they are. Strangers are never fitted on.
"""

import argparse
import csv
import tomllib
from pathlib import Path

import numpy as np

MARKS = (1.2, 1.6, 2.0, 3.0, 4.0, 6.0)  # s of net speech, as in examples/trials/fit.rs
PRIOR = 0.005  # where the line has to be right: the least of the usual operating points (NIST SRE 2016)
NOISY_SHARE = 0.25  # of telephone calls


def read(path):
    """Columns of FIT.tsv as arrays, strangers left out."""
    with open(path, newline="") as file:
        rows = [row for row in csv.reader(file, delimiter="\t") if row[4] != "stranger"]
    kind, line, model, call, label, cosine, net = map(np.array, zip(*rows))
    return {
        "kind": kind,
        "line": line,
        "model": model,
        "call": call,
        "target": label == "target",
        "cosine": cosine.astype(float),
        "net": net.astype(float),
    }


def design(cosine, net):
    """The regressors [cos, q cos, 1, q] of each trial."""
    q = np.log(np.clip(net, MARKS[0], MARKS[-1]))
    return np.stack([cosine, q * cosine, np.ones_like(q), q], axis=1)


def weights(target, line, net, prior=PRIOR, noisy_share=NOISY_SHARE):
    """All together 1, however many trials each case has: targets weigh `prior`, noisy telephone calls
    `noisy_share` of their bandwidth, and all durations the same."""
    mark = np.abs(np.log(net)[:, None] - np.log(MARKS)[None, :]).argmin(axis=1)
    noisy = line == "noisy-phone"
    cell = (mark * 2 + noisy) * 2 + target
    weight = 1.0 / np.bincount(cell, minlength=4 * len(MARKS))[cell]
    if noisy.any():
        weight *= np.where(noisy, noisy_share, 1 - noisy_share)
    weight *= np.where(target, prior, 1 - prior)
    return weight / weight.sum()


def logistic(x, target, weight, prior=PRIOR, ridge=1e-8):
    """Weighted logistic regression of log-likelihood ratios by Newton's method."""
    beta, log_odds = np.zeros(x.shape[1]), np.log(prior / (1 - prior))
    sign = np.where(target, -1.0, 1.0)
    loss = lambda beta: weight @ np.logaddexp(0, sign * (x @ beta + log_odds)) + ridge / 2 * beta @ beta
    for _ in range(200):
        p = np.exp(-np.logaddexp(0, -x @ beta - log_odds))
        gradient = x.T @ (weight * (p - target)) + ridge * beta
        hessian = (x * (weight * p * (1 - p))[:, None]).T @ x + ridge * np.eye(len(beta))
        step = np.linalg.solve(hessian, gradient)
        while loss(beta - step) > loss(beta) and np.abs(step).max() > 1e-9:
            step /= 2
        beta = beta - step
        if np.abs(step).max() < 1e-7:
            return beta
    raise SystemExit("the fit did not converge")


def bounds(speakers):
    """What this many speakers can support, by the rule of three: with no error among n independent
    trials, an error rate of 3/n cannot be excluded at 95 %. Upwards (a stranger this like a user) the
    independent trials are pairs of speakers, downwards (a user this unlike themself) they are speakers."""
    pairs = speakers * (speakers - 1) / 2
    return -np.log(speakers / 3), np.log(pairs / 3)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("fit", type=Path)
    parser.add_argument("--model", type=Path, required=True, help="the model's folder, with its card.toml")
    parser.add_argument("--id", required=True, help="the calibration's name, reported with every decision")
    parser.add_argument("--on", required=True, help="what it was fitted on, in words")
    parser.add_argument("--line-on", type=Path, help="fit the line on these speakers alone, a name a line")
    arguments = parser.parse_args()

    card = tomllib.loads((arguments.model / "card.toml").read_text())
    trials = read(arguments.fit)
    text = [
        "# Written by models/calibration/fit.py; models/calibration/README.md says how. Do not edit.",
        f'id = "{arguments.id}"',
        f'model = "{card["id"]}"',
        f'model_sha256 = "{card.get("weights", card["graph"])["sha256"]}"',
        f'fitted_on = "{arguments.on}"',
    ]
    for kind in ("narrow", "wide"):
        here = trials["kind"] == kind
        lowest, highest = bounds(len(np.unique(trials["model"][here])))
        if arguments.line_on:
            unheard = arguments.line_on.read_text().split()
            here &= np.isin(trials["model"], unheard) & np.isin(trials["call"], unheard)
        cosine, net, target, line = (trials[key][here] for key in ("cosine", "net", "target", "line"))
        beta = logistic(design(cosine, net), target, weights(target, line, net))
        text += [
            "",
            f"[{kind}]",
            f"scale = {beta[0]:.4f}",
            f"scale_per_log = {beta[1]:.4f}",
            f"offset = {beta[2]:.4f}",
            f"offset_per_log = {beta[3]:.4f}",
            f"net_seconds = [{MARKS[0]}, {MARKS[-1]}]",
            f"llr_bounds = [{lowest:.2f}, {highest:.2f}]",
            f"target_trials = {target.sum()}",
            f"nontarget_trials = {(~target).sum()}",
        ]
    (arguments.model / "calibration.toml").write_text("\n".join(text) + "\n")


if __name__ == "__main__":
    main()
