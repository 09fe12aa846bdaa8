#!/usr/bin/env bash
# confidence_intervals 0.0.3, a package for bootstrapped intervals by authors from speaker recognition, over
# scikit-learn 1.9.1, seen 2026-11-30 (Debian 12, Python 3.11, x86-64).
#
# Behaviour: `evaluate_with_conf_int` with `conditions`, by the README the speaker of each sample for instance, draws
# speakers with replacement, and then of each one drawn the samples, with replacement as well. For each speaker the dice
# are seeded anew, with the number of the set. All speakers with equally many samples so get the same draw: the fourth
# of each three times and the second of none. Where it means something which sample is the fourth, as in lists that are
# sorted by line or by label, the interval is too wide, and more speakers do not narrow it. With few samples of a kind
# whole sets have none: of 40 genuine calls, one of each speaker, not one is in a third of the sets, and an equal error
# rate has no interval at all. The same rows in another order have another interval, and that one is right. There is no
# error. Neither README nor docstrings speak of the order, and no issue was found that does. (The README says that
# trials with a speaker on both sides need another bootstrap; here there is one speaker to a call.)
#
# What one would have guessed: that each speaker's draw is its own, and that rows have no order. An interval decides
# whether a system is good enough for callers, and whether another is better. With this one the difference has to be
# several times as large, and calls of more people, which are what is hard to come by, do not help.
#
# Output seen:
#   10 callers, 5.0 % wrong: 0.0 to 16.0 %, a draw for each caller: 0.0 to 13.0 %
#   40 callers, 4.2 % wrong: 0.0 to 13.8 %, a draw for each caller: 1.5 to 8.0 %
#     the same rows in another order: 1.2 to 8.0 %
#     calls taken from each place: 40 0 40 120 40 80 0 40 0 40; 80 40 0 0 0 80 40 40 40 80
#   EER 7.5 %: nan to nan %, a draw for each caller: 2.0 to 15.9 %
#     sets without one genuine call of 40: 342 of 1000
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pinned=(confidence_intervals==0.0.3 scikit-learn==1.9.1 numpy==2.4.6)
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "${pinned[@]}"
cat >"$folder/seen.py" <<'PY'
from statistics import NormalDist

import numpy as np
from confidence_intervals import evaluate_with_conf_int, get_bootstrap_indices

CALLS, SETS = 10, 1000


def apart(callers, metric, *columns):
    """The same two steps, callers and then calls of each, with a draw of its own for each caller."""
    dice, values = np.random.default_rng(1), []
    for _ in range(SETS):
        drawn, times = np.unique(dice.integers(callers, size=callers), return_counts=True)
        rows = (drawn[:, None] * CALLS + dice.integers(CALLS, size=(len(drawn), CALLS))).repeat(times, axis=0).ravel()
        values.append(metric(*(column[rows] for column in columns)))
    return np.percentile(values, [2.5, 97.5])


def percent(bounds):
    return f"{100 * bounds[0]:.1f} to {100 * bounds[1]:.1f} %"


def eer(genuine, scores):
    """The least that both errors can be held to by one threshold; no number where one kind is missing."""
    own, played = np.sort(scores[genuine == 1]), np.sort(scores[genuine == 0])
    if not len(own) or not len(played):
        return np.nan
    refused = np.searchsorted(own, scores, side="left") / len(own)
    passed = 1 - np.searchsorted(played, scores, side="left") / len(played)
    return float(np.maximum(refused, passed).min())


# Who calls? Ten calls of each caller, from the same ten places in the same order; the last is a car.
widths = {}
for callers in (10, 40):
    caller, call = np.divmod(np.arange(callers * CALLS), CALLS)
    wrong = np.where(call == CALLS - 1, caller % 10 < 4, (caller + call) % 50 == 0).astype(float)
    rate, bounds = evaluate_with_conf_int(wrong, np.mean, conditions=caller)
    fair = apart(callers, np.mean, wrong)
    widths[callers] = bounds[1] - bounds[0], fair[1] - fair[0]
    print(f"{callers} callers, {100 * rate:.1f} % wrong: {percent(bounds)}, a draw for each caller: {percent(fair)}")
mixed = np.random.default_rng(2).permutation(caller.size)
_, bounds_mixed = evaluate_with_conf_int(wrong[mixed], np.mean, conditions=caller[mixed])
print(f"  the same rows in another order: {percent(bounds_mixed)}")
taken = [np.bincount(call[get_bootstrap_indices(caller.size, caller, seed)], minlength=CALLS) for seed in range(2)]
print("  calls taken from each place:", "; ".join(" ".join(map(str, counts)) for counts in taken))

# A voice or a recording of it? One genuine call of each caller, and nine that were played.
genuine = (call == 0).astype(int)
bell = np.array([NormalDist().inv_cdf(((at * 147) % caller.size + 0.5) / caller.size) for at in range(caller.size)])
none = []


def counted(labels, scores):
    none.append(not labels.any())
    return eer(labels, scores)


error, bounds = evaluate_with_conf_int(bell + 3 * genuine, counted, genuine, caller)
fair = apart(callers, eer, genuine, bell + 3 * genuine)
print(f"EER {100 * error:.1f} %: {percent(bounds)}, a draw for each caller: {percent(fair)}")
print(f"  sets without one genuine call of {callers}: {sum(none)} of {SETS}")

(few, few_fair), (many, many_fair) = widths.values()
assert many > 0.8 * few and many_fair < 0.6 * few_fair and many > 1.8 * many_fair
assert abs(bounds_mixed[1] - bounds_mixed[0] - many_fair) < 0.15 * many_fair
assert all((counts % callers == 0).all() for counts in taken)
assert np.isnan(bounds).all() and sum(none[1:]) > SETS / 4 and 0 < fair[0] < error < fair[1] < 0.2
PY
"$folder/venv/bin/python" "$folder/seen.py"
