#!/usr/bin/env python3
# Needs Python 3.11 or newer and numpy==2.4.6 (any numpy 2 gives the same figures to four digits).
"""Measure a calibration on scores it was not fitted on.

    evaluate.py CALIBRATION.toml [--narrow SCORES.tsv...] [--wide SCORES.tsv...] [--calls FIT.tsv]

SCORES.tsv is what `trials --protocol` writes. Printed for each: EER, Cllr and its least value after the
best monotone recalibration (PAV), and the normalised detection cost at target priors of 0.01 and 0.05,
actual (Bayes threshold) and least. FIT.tsv is what `trials --speakers --callers` writes: its callers are
put before random rosters, and each is decided as src/decision decides.
"""

import argparse
import tomllib
from pathlib import Path

import numpy as np


def ratios(curve, cosine, net):
    q = np.log(np.clip(net, *curve["net_seconds"]))
    llr = (curve["scale"] + curve["scale_per_log"] * q) * cosine + curve["offset"] + curve["offset_per_log"] * q
    return np.clip(llr, *curve["llr_bounds"])


def pav(values):
    """Pool adjacent violators: the non-decreasing sequence nearest to `values`."""
    means, sizes = [], []
    for value in values:
        means.append(value)
        sizes.append(1)
        while len(means) > 1 and means[-2] >= means[-1]:
            size = sizes[-2] + sizes[-1]
            mean = (means[-2] * sizes[-2] + means[-1] * sizes[-1]) / size
            means[-2:], sizes[-2:] = [mean], [size]
    return np.repeat(means, sizes)


def cllr(targets, nontargets):
    return (np.logaddexp(0, -targets).mean() + np.logaddexp(0, nontargets).mean()) / (2 * np.log(2))


def min_cllr(targets, nontargets):
    scores = np.concatenate([targets, nontargets])
    label = np.concatenate([np.ones(len(targets)), np.zeros(len(nontargets))])
    order = np.lexsort((label, scores))
    with np.errstate(divide="ignore"):
        p = pav(label[order])
        llr = np.log(p) - np.log1p(-p) - np.log(len(targets) / len(nontargets))
    back = np.empty_like(llr)
    back[order] = llr
    return cllr(back[: len(targets)], back[len(targets) :])


def error_rates(targets, nontargets):
    """Thresholds, with the miss and the false-alarm rate of accepting scores at or above each."""
    thresholds = np.append(np.unique(np.concatenate([targets, nontargets])), np.inf)
    miss = np.searchsorted(np.sort(targets), thresholds, side="left") / len(targets)
    alarm = 1 - np.searchsorted(np.sort(nontargets), thresholds, side="left") / len(nontargets)
    return thresholds, miss, alarm


def costs(targets, nontargets, prior):
    """Detection cost at equal costs of both errors, actual and least, over that of never listening."""
    weigh = lambda miss, alarm: (prior * miss + (1 - prior) * alarm) / min(prior, 1 - prior)
    threshold = np.log((1 - prior) / prior)
    actual = weigh((targets < threshold).mean(), (nontargets >= threshold).mean())
    _, miss, alarm = error_rates(targets, nontargets)
    return actual, weigh(miss, alarm).min()


def measure(path, curve):
    rows = [line.split("\t") for line in path.read_text().splitlines()]
    target = np.array([row[2] == "target" for row in rows])
    cosine, net = (np.array([float(row[column]) for row in rows]) for column in (3, 4))
    llr = ratios(curve, cosine, net)
    targets, nontargets = llr[target], llr[~target]
    _, miss, alarm = error_rates(cosine[target], cosine[~target])
    nearest = np.abs(miss - alarm).argmin()
    row = [100 * (miss[nearest] + alarm[nearest]) / 2, cllr(targets, nontargets), min_cllr(targets, nontargets)]
    for prior in (0.01, 0.05):
        row += costs(targets, nontargets, prior)
    row += [np.quantile(nontargets, 0.999), nontargets.max(), np.median(targets)]
    return row


def decide(llr, net, accept, unknown_share, enough, reject=0.99):
    """As src/decision/posterior.rs: index of the named, -1 unknown, -2 inconclusive."""
    odds = np.exp(llr) * (1 - unknown_share) / len(llr)
    total = unknown_share + odds.sum()
    best = odds.argmax()
    if odds[best] / total >= accept:
        return best
    nobody = unknown_share / total
    if 1 - nobody >= accept:
        return -2
    return -1 if nobody >= reject or net >= enough else -2


def simulate(path, curves, accept, unknown_share, enough, marks, sizes, lines, draws=40, seed=1):
    """Rates over calls of the list, each put before `draws` random rosters of each size.

    A call ends at the first of its `marks` at which it is decided, as on a live line."""
    random = np.random.default_rng(seed)
    calls = {}
    with open(path) as file:
        for line in file:
            kind, on, model, caller, label, cosine, net = line.rstrip("\n").split("\t")
            if on in lines:
                looks = calls.setdefault((on, caller), {}).setdefault(float(net), {})
                looks[model] = (kind, float(cosine), label)
    out = {}
    for size in sizes:
        counts = {"enrolled": np.zeros(4, int), "stranger": np.zeros(4, int)}
        for (_, caller), looks in calls.items():
            ordered = [looks[net] for net in sorted(looks)]
            nets = [net for net in sorted(looks) if marks[0] - 0.05 <= net <= marks[1] + 0.3]
            if not nets:
                continue
            names = sorted(next(iter(looks.values())))
            stranger = next(iter(ordered[0].values()))[2] == "stranger"
            others = [name for name in names if name != caller]
            table = {
                net: dict(zip(names, ratios(curves[next(iter(looks[net].values()))[0]],
                    np.array([looks[net][name][1] for name in names]), net))) for net in nets
            }
            for _ in range(draws):
                enrolled = not stranger
                roster = list(random.choice(others, size - enrolled, replace=False)) + [caller] * enrolled
                result = -2
                for net in nets:
                    llr = np.array([table[net][name] for name in roster])
                    result = decide(llr, net, accept, unknown_share, enough)
                    if result != -2:
                        break
                right = enrolled and result == size - 1
                slot = 0 if right else 1 if result >= 0 else 2 if result == -1 else 3
                counts["enrolled" if enrolled else "stranger"][slot] += 1
        out[size] = {key: value / max(value.sum(), 1) for key, value in counts.items()}
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("calibration", type=Path)
    parser.add_argument("--narrow", type=Path, nargs="*", default=[])
    parser.add_argument("--wide", type=Path, nargs="*", default=[])
    parser.add_argument("--calls", type=Path)
    parser.add_argument("--accept", type=float, default=0.99)
    parser.add_argument("--unknown-share", type=float, default=0.5)
    parser.add_argument("--enough-speech", type=float, default=4.0)
    parser.add_argument("--from-net", type=float, default=1.2)
    parser.add_argument("--to-net", type=float, default=6.0)
    parser.add_argument("--lines", nargs="*", default=["phone"], help="phone, noisy-phone, wide")
    parser.add_argument("--sizes", type=int, nargs="*", default=[5, 20, 100])
    arguments = parser.parse_args()
    calibration = tomllib.loads(arguments.calibration.read_text())
    if arguments.narrow or arguments.wide:
        print("scores                   EER %   Cllr  least | cost .01 least | cost .05 least | non-t. 99.9 %  max  median t.")
    for kind, paths in (("narrow", arguments.narrow), ("wide", arguments.wide)):
        for path in paths:
            figures = measure(path, calibration[kind])
            print(f"{path.stem:24} {figures[0]:5.2f}  {figures[1]:5.3f}  {figures[2]:5.3f} |   "
                  f"{figures[3]:6.3f} {figures[4]:5.3f} |   {figures[5]:6.3f} {figures[6]:5.3f} |        "
                  f"{figures[7]:6.2f} {figures[8]:5.2f}  {figures[9]:5.2f}")
    if arguments.calls:
        rates = simulate(arguments.calls, calibration, arguments.accept, arguments.unknown_share,
                         arguments.enough_speech, (arguments.from_net, arguments.to_net), arguments.sizes,
                         arguments.lines)
        print("roster  caller      right  wrong name  unknown  inconclusive   (%)")
        for size, kinds in rates.items():
            for kind, (right, wrong, unknown, open_) in kinds.items():
                print(f"{size:6}  {kind:9} {100*right:7.2f} {100*wrong:11.3f} {100*unknown:8.2f} {100*open_:13.2f}")


if __name__ == "__main__":
    main()
