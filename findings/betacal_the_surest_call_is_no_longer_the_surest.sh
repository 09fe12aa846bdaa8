#!/usr/bin/env bash
# betacal 1.1.0, beta calibration by the authors of the method, over scikit-learn 1.9.1, seen 2026-11-30 (Debian 12,
# Python 3.11, x86-64).
#
# Behaviour: `BetaCalibration(parameters)` makes probabilities of scores between 0 and 1. Its map rises as long as its
# two coefficients, one for each end of the scale, are not negative. For "abm", the default, the package sees to that: a
# negative one becomes nought and the other is fitted anew. For "ab", which the docstring offers beside it (its middle
# is fixed, a probability of one half for a score of one half), it does not, and the probability falls again towards one
# end. Cosines of voices, laid from -1..1 to 0..1, are such scores: from a cosine of 0.6 upwards the surer call gets the
# lower probability, at 0.9 a lower one than at 0.1. There is no error and no warning. A warning could not come: each
# `fit`, of "abm" as well, turns off Python's warnings for the whole process and leaves them off. README and docstrings
# speak of neither, and no issue was found that does.
#
# What one would have guessed: that calibration keeps the order of scores, or that the kinds are guarded alike. Here a
# threshold takes callers of middling likeness and turns down those who are like themselves beyond doubt, and measures
# that need the order alone are worse after calibration than before. Whoever looks at costs alone sees a poor fit. And a
# service that calibrates once hears no more of numbers that overflow, or of anything else.
#
# "Taken" are the caller's own calls with a probability of 0.7 or more, and their cosines; "in order" pairs of an own
# call and another's of which the own one has the higher probability; "unsigned" is "ab" fitted by hand
# with coefficients that are not negative.
#
# Output seen:
#   cosine: 0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8 0.9
#   abm: 0.00 0.03 0.22 0.74 0.97 1.00 1.00 1.00 1.00; taken at 0.7 76 of 100, 0.40 to 0.89; in order 99.1 %
#   am: 0.00 0.03 0.22 0.74 0.97 1.00 1.00 1.00 1.00; taken at 0.7 76 of 100, 0.40 to 0.89; in order 99.1 %
#   ab: 0.57 0.63 0.67 0.70 0.71 0.71 0.69 0.63 0.47; taken at 0.7 63 of 100, 0.40 to 0.67; in order 98.2 %
#   unsigned: 0.56 0.62 0.67 0.71 0.75 0.78 0.81 0.83 0.85; taken at 0.7 81 of 100, 0.37 to 0.89; in order 99.1 %
#   warned of a logarithm of nought: before yes, after no
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pinned=(betacal==1.1.0 scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1)
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "${pinned[@]}"
cat >"$folder/seen.py" <<'PY'
import warnings
from statistics import NormalDist

import numpy as np
from betacal import BetaCalibration
from scipy.optimize import minimize

GRID = np.arange(1, 10) / 10
NEEDED = 0.7


def bell(count, mean):
    """A normal distribution's values at equal steps of probability: no dice."""
    return np.array([NormalDist(mean, 0.15).inv_cdf((at + 0.5) / count) for at in range(count)])


def warned():
    with warnings.catch_warnings(record=True) as seen:
        np.log(np.zeros(1))
    return len(seen) == 1


def by_hand(scores, is_own):
    """The most likely two coefficients of "ab" that are not negative."""

    def log_odds(two, at):
        return two[0] * np.log(2 * at) - two[1] * np.log(2 - 2 * at)

    def surprise(two):
        sides = log_odds(two, scores)
        return np.logaddexp(0, np.where(is_own, -sides, sides)).sum()

    found = minimize(surprise, [1, 1], bounds=[(0, None)] * 2).x
    return lambda at: 1 / (1 + np.exp(-log_odds(found, at)))


def score(cosines):
    return (1 + cosines) / 2


own, others = bell(100, 0.5), bell(1000, 0)
scores, is_own = score(np.concatenate([own, others])), np.repeat([True, False], [len(own), len(others)])
before = warned()
maps = {name: BetaCalibration(name).fit(scores, is_own).predict for name in ("abm", "am", "ab")}
after = warned()
maps["unsigned"] = by_hand(scores, is_own)

print("cosine:", *GRID)
seen = {}
for name, predict in maps.items():
    curve = predict(score(GRID))
    taken = own[predict(score(own)) >= NEEDED]
    order = np.searchsorted(np.sort(predict(score(others))), predict(score(own))).mean() / len(others)
    seen[name] = curve, taken, order
    span = f"{len(taken)} of {len(own)}, {taken.min():.2f} to {taken.max():.2f}; in order {100 * order:.1f} %"
    print(f"{name}: {' '.join(f'{value:.2f}' for value in curve)}; taken at {NEEDED} {span}")
print(f"warned of a logarithm of nought: before {'yes' if before else 'no'}, after {'yes' if after else 'no'}")

raw = np.searchsorted(others, own).mean() / len(others)
for name in ("abm", "am", "unsigned"):
    curve, taken, order = seen[name]
    assert (np.diff(curve) > 0).all() and taken.max() == own.max() and abs(order - raw) < 1e-9
curve, taken, order = seen["ab"]
assert curve[-1] < curve[0] < curve[4] > NEEDED and taken.max() < 0.7 < own.max() and order < raw - 0.005
assert before and not after
PY
"$folder/venv/bin/python" "$folder/seen.py"
