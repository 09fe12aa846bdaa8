#!/usr/bin/env python3
# Needs Python 3.11 or newer, numpy==2.4.6 and scikit-learn==1.9.1.
"""What each further thing known of a trial is worth in the calibration.

    terms.py --fit TRAIN.tsv --judge DEV.tsv... [--shipped ../voxline-phone-1/calibration.toml]

The tables are what `voxline calibrate --trials` writes. Lines are fitted on the looks of TRAIN as `voxline calibrate`
fits its own (Fisher's z of the cosine, prior 0.005, each look of each condition of each protocol the same weight), once
for each set of terms, and judged on the whole calls of each DEV. Printed for each protocol, all its conditions together:
Cllr less its least value (PAV), the actual and the least detection cost at 0.01, and the share of enrolled callers who
are missed (not first, or not above the threshold) when 1 % of strangers are named on random rosters of 5 and 20. The
verification figures are of the models that have target trials; the others fill rosters. `--shipped` checks that the
lines of the shipped terms come out as they stand in the file.
"""

import argparse
import csv
import tomllib
from pathlib import Path

import numpy as np
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

PRIOR = 0.005
BOUND = 8.438222  # as shipped: the rule of three over 168 speakers' pairs
SHIPPED_CONDITIONS = ("clean", "phone", "alaw", "opus:6", "noise:20+phone")
CODECS = ("gsm", "amr:12.2", "opus:6")  # beside G.711 and none, which are the rest
DRAWS = 20

TEXT = ("protocol", "condition", "look", "model", "test", "model_speaker", "test_speaker", "bandwidth")


def read(path, wanted):
    """The columns of a table's lines that are `wanted`; a dash is not a number."""
    with path.open() as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if wanted(row["look"])]
    table = {}
    for name in rows[0]:
        values = [row[name] for row in rows]
        if name in TEXT:
            table[name] = np.array(values)
        else:
            table[name] = np.array([np.nan if value == "-" else float(value) for value in values])
    table["z"] = np.arctanh(np.clip(table["cosine"], -0.9999, 0.9999))
    return table


def pick(table, rows):
    return {name: values[rows] for name, values in table.items()}


class Terms:
    """A line's terms: the similarity and one, each also times every quality; further scores and offsets."""

    def __init__(self, name, qualities=("speech",), scores=("z",), offsets=(), conditions=SHIPPED_CONDITIONS):
        self.name, self.qualities, self.scores = name, qualities, scores
        self.offsets, self.conditions = offsets, conditions

    def matrix(self, table):
        qualities = [column for name in self.qualities for column in quality(name, table)]
        scores = [similarity(name, table) for name in self.scores]
        offsets = [column for name in self.offsets for column in quality(name, table)]
        columns = []
        for score in scores:
            columns += [score, *(score * one for one in qualities)]
        return np.column_stack([*columns, *qualities, *offsets])


def quality(name, table):
    if name == "speech":
        return [np.log(np.clip(table["call_s"], 1.2, 6.0))]
    if name == "enrolment":
        return [np.log(np.clip(table["enrolled_s"], 3.0, 20.0))]
    if name == "clips":
        return [np.log(np.clip(table["clips"], 1, 3))]
    if name == "noise":
        return [np.clip(np.nan_to_num(table["snr_db"], nan=25.0), 0.0, 40.0) / 10.0]
    if name == "codec":
        return [(table["condition"] == codec).astype(float) for codec in CODECS]
    if name == "cohort":
        return [table["enrolled_mean"], table["call_mean"]]
    raise ValueError(name)


def similarity(name, table):
    if name == "z":
        return table["z"]
    sides = [(table["cosine"] - table[f"{side}_mean"]) / table[f"{side}_sd"] for side in ("enrolled", "call")]
    return (sides[0] + sides[1]) / 20.0  # as large as a cosine, so that the fit is well conditioned


def fit(terms, table):
    """The line of each bandwidth, as `voxline calibrate` fits it."""
    lines = {}
    rows = np.isin(table["condition"], terms.conditions)
    for band in ("narrow", "wide"):
        part = pick(table, rows & (table["bandwidth"] == band))
        marks = np.array([1.2, 1.6, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0])
        nearest = np.abs(np.log(part["call_s"])[:, None] - np.log(marks)).argmin(1)
        target = part["target"] == 1
        case = np.array([f"{a}|{b}|{c}|{d}" for a, b, c, d in zip(part["protocol"], part["condition"], nearest, target)])
        _, which, counts = np.unique(case, return_inverse=True, return_counts=True)
        weight = 1.0 / counts[which]
        weight[target] *= PRIOR / weight[target].sum()
        weight[~target] *= (1 - PRIOR) / weight[~target].sum()
        matrix = terms.matrix(part)
        middle, spread = matrix.mean(0), matrix.std(0) + 1e-12
        # A term that never changes where it is fitted is worth nothing.
        moves = matrix.std(0) > 1e-9
        scaled = (matrix[:, moves] - middle[moves]) / spread[moves]
        model = LogisticRegression(C=np.inf, tol=1e-10, max_iter=20000, solver="newton-cholesky")
        model.fit(scaled, target, sample_weight=weight * len(weight))
        slope = np.zeros(matrix.shape[1])
        slope[moves] = model.coef_[0] / spread[moves]
        offset = model.intercept_[0] - slope @ middle - np.log(PRIOR / (1 - PRIOR))
        lines[band] = (slope, offset)
    return lines


def ratios(terms, lines, table):
    llr = np.empty(len(table["z"]))
    for band, (slope, offset) in lines.items():
        rows = table["bandwidth"] == band
        matrix = terms.matrix(pick(table, rows))
        llr[rows] = matrix @ slope + offset
    return llr


def cllr(llr, target):
    return (np.logaddexp(0, -llr[target]).mean() + np.logaddexp(0, llr[~target]).mean()) / (2 * np.log(2))


def least_cllr(llr, target):
    odds = np.log(target.sum() / (~target).sum())
    fitted = IsotonicRegression(y_min=0, y_max=1).fit_transform(llr, target.astype(float))
    with np.errstate(divide="ignore"):
        best = np.log(fitted) - np.log1p(-fitted) - odds
    return cllr(np.clip(best, -1e3, 1e3), target)


def costs(llr, target, prior=0.01):
    price = (1 - prior) / prior
    at = -np.log(prior / (1 - prior))
    actual = (llr[target] < at).mean() + price * (llr[~target] >= at).mean()
    order = np.argsort(llr, kind="stable")
    sorted_llr, is_target = llr[order], target[order]
    misses = np.concatenate([[0], np.cumsum(is_target)]) / target.sum()
    alarms = 1 - np.concatenate([[0], np.cumsum(~is_target)]) / (~target).sum()
    steps = np.concatenate([[True], sorted_llr[1:] != sorted_llr[:-1], [True]])
    return actual, (misses + price * alarms)[steps].min()


def missed(table, llr, size, seed=1):
    """FNIR at an FPIR of 1 % over random rosters: every call of an enrolled caller with and without them."""
    calls = {}
    for row, (condition, test) in enumerate(zip(table["condition"], table["test"])):
        calls.setdefault((condition, test), []).append(row)
    dice = np.random.default_rng(seed)
    strangers, own_scores, ranks = [], [], []
    for rows in calls.values():
        rows = np.array(rows)
        own, others = rows[table["target"][rows] == 1], rows[table["target"][rows] == 0]
        if len(others) < size:
            continue
        for _ in range(DRAWS):
            drawn = dice.choice(others, size, replace=False)
            strangers.append(llr[drawn].max())
            if len(own):
                own_scores.append(llr[own[0]])
                ranks.append(llr[drawn[1:]].max() < llr[own[0]])
    if not strangers:
        return np.nan
    strangers = np.sort(strangers)[::-1]
    threshold = strangers[int(0.01 * len(strangers))]
    own_scores, ranks = np.array(own_scores), np.array(ranks)
    return 1 - (ranks & (own_scores > threshold)).mean()


def middle(llr, before, table, seed=1, draws=500):
    """What the Cllr changed by when speakers are drawn again: the middle 95 %."""
    target = table["target"] == 1
    cost = lambda values: np.where(target, np.logaddexp(0, -values), np.logaddexp(0, values)) / np.log(2)
    change = cost(llr) - cost(before)
    names, which = np.unique(np.concatenate([table["model_speaker"], table["test_speaker"]]), return_inverse=True)
    enrolled, tested = np.split(which, 2)
    dice, found = np.random.default_rng(seed), []
    for _ in range(draws):
        times = np.bincount(dice.integers(len(names), size=len(names)), minlength=len(names))
        weight = np.where(target, times[enrolled], times[enrolled] * times[tested]).astype(float)
        if weight[target].sum() and weight[~target].sum():
            found.append(sum((weight * change)[kind].sum() / weight[kind].sum() for kind in (target, ~target)) / 2)
    return np.percentile(found, [2.5, 97.5])


EVERY_CODEC = (*SHIPPED_CONDITIONS, "gsm", "amr:12.2")
VARIANTS = (
    Terms("no term", qualities=()),
    Terms("duration (shipped)"),
    Terms("+ signal to noise", qualities=("speech", "noise")),
    Terms("+ enrolment speech", qualities=("speech", "enrolment")),
    Terms("+ clips", qualities=("speech", "clips")),
    Terms("duration, fitted on GSM and AMR too", conditions=EVERY_CODEC),
    Terms("+ codec, fitted on GSM and AMR too", qualities=("speech", "codec"), conditions=EVERY_CODEC),
    Terms("AS-norm in place of the cosine", scores=("asnorm",)),
    Terms("AS-norm beside the cosine", scores=("z", "asnorm")),
    Terms("+ cohort means", offsets=("cohort",)),
    Terms("+ cohort means, enrolment speech", qualities=("speech", "enrolment"), offsets=("cohort",)),
)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fit", type=Path, required=True)
    parser.add_argument("--judge", type=Path, nargs="+", required=True)
    parser.add_argument("--shipped", type=Path, help="a calibration.toml to hold the shipped terms' lines against")
    parser.add_argument("--tests", default="", help="judge only calls whose path begins with this")
    parser.add_argument("--by-condition", action="store_true", help="the loss of each condition too")
    arguments = parser.parse_args()
    # The last look of a recording ends where it does and not at a mark: it is not fitted on, and alone judged.
    train = read(arguments.fit, lambda look: look != "end")
    judged = [(path.stem, read(path, lambda look: look == "end")) for path in arguments.judge]
    fitted = [(terms, fit(terms, train)) for terms in VARIANTS]
    if arguments.shipped:
        compare(arguments.shipped, dict((terms.name, lines) for terms, lines in fitted)["duration (shipped)"])
    for name, table in judged:
        table = pick(table, np.char.startswith(table["test"], arguments.tests))
        mates = np.unique(table["model_speaker"][table["target"] == 1])
        trials = pick(table, np.isin(table["model_speaker"], mates))
        target = trials["target"] == 1
        print(f"\n{name}: {target.sum()} target trials of {len(mates)} readers, {len(target)} in all")
        print(f"{'':38}{'loss':>8}{'least':>8}{'act':>8}{'min':>8}{'FNIR 5':>9}{'FNIR 20':>9}{'  Cllr beside shipped':>30}")
        shipped = None
        for terms, lines in fitted[1:2] + fitted[:1] + fitted[2:]:
            llr = np.clip(ratios(terms, lines, trials), -BOUND, BOUND)
            shipped = llr if shipped is None else shipped
            actual, least = costs(llr, target)
            lowest = least_cllr(llr, target)
            everybody = ratios(terms, lines, table)
            change = cllr(llr, target) - cllr(shipped, target)
            low, high = middle(llr, shipped, trials)
            print(f"{terms.name:38}{cllr(llr, target) - lowest:8.3f}{lowest:8.3f}{actual:8.3f}{least:8.3f}"
                  f"{100 * missed(table, everybody, 5):8.1f}%{100 * missed(table, everybody, 20):8.1f}%"
                  f"{change:+10.3f} ({low:+.3f} to {high:+.3f})")
            if arguments.by_condition:
                for condition in np.unique(trials["condition"]):
                    rows = trials["condition"] == condition
                    loss = cllr(llr[rows], target[rows]) - least_cllr(llr[rows], target[rows])
                    print(f"    {condition:34}{loss:8.3f}")


def compare(path, lines):
    shipped = tomllib.loads(path.read_text())
    for band, (slope, offset) in lines.items():
        known = [shipped[band][name] for name in ("scale", "scale_per_log", "offset", "offset_per_log")]
        ours = [slope[0], slope[1], offset, slope[2]]
        print(f"{band}: the shipped line {np.round(known, 3)}, here {np.round(ours, 3)}")


if __name__ == "__main__":
    main()
