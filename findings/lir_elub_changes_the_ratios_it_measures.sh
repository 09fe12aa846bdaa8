#!/usr/bin/env bash
# lir 1.3.1, the Netherlands Forensic Institute's package for likelihood ratios, seen 2026-11-29 (Debian 12, Python
# 3.11, x86-64). It is the newest for Python 3.11; in 1.8.0, for 3.12 and later, the lines in question read the same.
#
# Behaviour: `lir.algorithms.bayeserror.elub` returns the two bounds that ratios should be held to, by the trials that
# they come from. In doing so it writes into the caller's array: what is above 9 or below -9 in powers of ten, infinite
# ratios included, is 9 or -9 from then on. `ELUBBounder().fit`, which calls it, does so to the data that it is fitted
# on. Whatever is measured afterwards is measured of other ratios. A system that was infinitely sure of a wrong caller
# has an infinite cost (Cllr), and that is what this measure is for; after a look at the bounds it has an ordinary one.
# The docstrings speak of substitutes for extreme ratios, and not of whose.
#
# What one would have guessed: that a function which returns two numbers leaves its input alone, and that the order in
# which figures are asked for does not matter. Infinite ratios are no rarity: isotonic calibration, as this package
# has it, gives them to every score beyond the last one of the other kind, and now and then a stranger's lies there.
#
# Output seen:
#   Cllr, then the bounds: inf, bounds -2.06 to 2.28
#   the bounds, then Cllr: bounds -2.06 to 2.28, 0.243
#   ELUBBounder fitted first: Cllr 0.243
#   the wrong caller's ratio, before: 10^inf, after: 10^9
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pinned=(lir==1.3.1 numpy==2.4.6 scikit-learn==1.9.1 scipy==1.17.1)
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "${pinned[@]}"
cat >"$folder/seen.py" <<'PY'
from statistics import NormalDist

import numpy as np
from lir.algorithms.bayeserror import ELUBBounder, elub
from lir.algorithms.isotonic_regression import IsotonicCalibrator
from lir.data.models import LLRData
from lir.metrics import cllr


def bell(count):
    """A normal distribution's values at equal steps of probability: no dice."""
    return np.array([NormalDist().inv_cdf((at + 0.5) / count) for at in range(count)])


same, other = bell(200) + 3, bell(1000)
is_same = np.repeat([1, 0], [len(same), len(other)])
calibrator = IsotonicCalibrator().fit(np.concatenate([same, other]), is_same)
# The same distributions in new calls, and one of somebody who sounds like the one called.
test_labels = np.append(is_same, 0)
test_scores = np.concatenate([same, other, [5.5]])
WRONG = -1


def trials():
    return LLRData(features=calibrator.transform(test_scores), labels=test_labels)


def bounds_of(data):
    return elub(data.llrs, data.labels)


def text(bounds):
    return f"bounds {bounds[0]:.2f} to {bounds[1]:.2f}"


data = trials()
before = data.llrs[WRONG]
cost = cllr(data)
bounds = bounds_of(data)
after = data.llrs[WRONG]
print(f"Cllr, then the bounds: {cost}, {text(bounds)}")

again = trials()
bounds_first = bounds_of(again)
cost_after = cllr(again)
print(f"the bounds, then Cllr: {text(bounds_first)}, {cost_after:.3f}")

fitted = trials()
ELUBBounder().fit(fitted)
cost_fitted = cllr(fitted)
print(f"ELUBBounder fitted first: Cllr {cost_fitted:.3f}")
print(f"the wrong caller's ratio, before: 10^{before:g}, after: 10^{after:g}")
assert np.isposinf(cost) and np.isposinf(before) and after == 9
assert bounds == bounds_first and cost_after == cost_fitted < 0.5
PY
"$folder/venv/bin/python" -W ignore "$folder/seen.py"
