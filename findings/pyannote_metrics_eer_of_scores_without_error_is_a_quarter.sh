#!/usr/bin/env bash
# pyannote.metrics 4.2.0 over scikit-learn 1.9.1, seen 2026-11-29 (Debian 12, Python 3.11, x86-64).
#
# Behaviour: `pyannote.metrics.binary_classification.det_curve` returns an equal error rate as its fourth value. Of
# scores that make no error at all, where every target trial lies above every other, it returns 0.25, however many
# trials there are. As a system gets better, the figure falls to nearly zero and then jumps to a quarter. It is the mean
# of two neighbouring points of the curve on both sides of the crossing, and the curve comes from scikit-learn's
# `roc_curve`, which leaves out points on straight pieces unless it is told not to: the neighbours of a perfect curve's
# only corner are the curve's ends. Short of perfect, with few trials, the figure is off as well, to either side. The
# docstring promises the "Equal error rate" and nothing else.
#
# What one would have guessed: nought, or at the least never more than the errors of a threshold that one can name.
# Small tests are where speaker recognition on the telephone begins: a household of four, ten calls each. There the best
# of several models has the worst figure, and whoever chooses by it takes a worse one; whoever averages the figure over
# many households has mostly the quarters of the faultless ones in it. With `roc_curve(drop_intermediate=False)` the
# same mean is nearly nought for them.
#
# "At most" below is what some threshold holds both errors to at once; an equal error rate cannot lie above it.
#
# Output seen:
#   40 targets, 400 others, 4.0 deviations apart: EER at most 2.50 %, det_curve 2.56 %, all points kept 2.56 %
#   40 targets, 400 others, 5.0 deviations apart: EER at most 0.25 %, det_curve 0.75 %, all points kept 0.75 %
#   40 targets, 400 others, 6.0 deviations apart: EER at most 0.00 %, det_curve 25.00 %, all points kept 0.06 %
#   10 targets, 30 others, cosines apart: EER at most 0.00 %, det_curve 25.00 %, all points kept 0.83 %
#   10000 targets, 10000 others, cosines apart: EER at most 0.00 %, det_curve 25.00 %, all points kept 0.00 %
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pinned=(pyannote.metrics==4.2.0 scikit-learn==1.9.1 numpy==2.4.6)
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "${pinned[@]}"
cat >"$folder/seen.py" <<'PY'
from statistics import NormalDist

import numpy as np
from pyannote.metrics.binary_classification import det_curve
from sklearn.metrics import roc_curve


def bell(count):
    """A normal distribution's values at equal steps of probability: no dice."""
    return np.array([NormalDist().inv_cdf((at + 0.5) / count) for at in range(count)])


def at_most(targets, others):
    """The least that both errors can be held to by one threshold."""
    ordered_targets, ordered_others = np.sort(targets), np.sort(others)
    thresholds = np.concatenate([targets, others])
    misses = np.searchsorted(ordered_targets, thresholds, side="left") / len(targets)
    alarms = 1 - np.searchsorted(ordered_others, thresholds, side="left") / len(others)
    return float(np.maximum(misses, alarms).min())


def crossing(false_alarms, misses):
    """The mean of the two points around the crossing."""
    after = int(np.argmax(false_alarms > misses))
    return float(np.mean([false_alarms[after - 1], false_alarms[after], misses[after - 1], misses[after]]))


def figures(label, targets, others):
    is_target = np.repeat([True, False], [len(targets), len(others)])
    scores = np.concatenate([targets, others])
    bound = at_most(targets, others)
    eer = float(det_curve(is_target, scores)[3])
    alarms, hits, _ = roc_curve(is_target, scores, drop_intermediate=False)
    kept = crossing(alarms, 1 - hits)
    sizes = f"{len(targets)} targets, {len(others)} others"
    shown = f"EER at most {100 * bound:.2f} %, det_curve {100 * eer:.2f} %, all points kept {100 * kept:.2f} %"
    print(f"{sizes}, {label}: {shown}")
    return bound, eer, kept


better = [figures(f"{apart:.1f} deviations apart", bell(40) + apart, bell(400)) for apart in (4, 5, 6)]
few = figures("cosines apart", np.linspace(0.6, 0.9, 10), np.linspace(-0.1, 0.4, 30))
many = figures("cosines apart", np.linspace(0.6, 0.9, 10_000), np.linspace(-0.1, 0.4, 10_000))

assert [bound for bound, _, _ in better] == sorted((bound for bound, _, _ in better), reverse=True)
assert better[1][0] < 0.003 < 0.007 < better[1][1] < 0.008
for bound, eer, kept in (better[2], few, many):
    assert bound == 0 and eer == 0.25 and kept < 0.01
PY
"$folder/venv/bin/python" "$folder/seen.py"
