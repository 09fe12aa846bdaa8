#!/usr/bin/env bash
# pyeer 0.5.6 (Python), measures of biometric systems, over NumPy 2.4.6, seen 2026-11-30 (Debian 12, Python 3.11,
# x86-64).
#
# Behaviour: `get_eer_stats` gives a system's operating points, each with its threshold: the lowest rate of own
# callers turned away at which no other is let in (ZeroFMR), at most one in a thousand (FMR1000), in a hundred and so
# on. So the docstring defines them. What is given is the point whose rate of others is nearest, be it above what was
# asked for. With 600 trials of others, FMR1000 is always the point with one of them let in, 1.7 in a thousand. If
# scores come in steps, the nearest may be far: of cosines in twentieths it makes one in fifteen out of one in twenty.
# And where another's score is as high as any (a brother's at 100 percent, beside own calls at 100), ZeroFMR is the
# rate at 100 percent, where the brother is let in. There is no error and no warning, and the rate of others at the
# point is not given beside it. README and docstrings do not speak of it, and no issue was found that does.
#
# What one would have guessed: a rate of others that is not above what the point is named for, and, where there is no
# such threshold, all own callers turned away, or nothing. A service that takes its threshold from here lets in more
# than it was decided that it may, and a system whose scores are coarser looks better than the same one with fine
# scores.
#
# "Right" is the lowest rate of own callers turned away of all thresholds that keep to what is allowed.
#
# Output seen:
#   3000 cosines, fmr0: 0 of 3000 let in, 0 allowed; own turned away 60.0 %, right 60.0 %
#   3000 cosines, fmr1000: 3 of 3000 let in, 3 allowed; own turned away 38.5 %, right 38.5 %
#   3000 cosines, fmr20: 150 of 3000 let in, 150 allowed; own turned away 4.5 %, right 4.5 %
#   600 cosines, fmr0: 0 of 600 let in, 0 allowed; own turned away 42.5 %, right 42.5 %
#   600 cosines, fmr1000: 1 of 600 let in, 0 allowed; own turned away 30.0 %, right 42.5 %
#   600 cosines, fmr20: 30 of 600 let in, 30 allowed; own turned away 4.5 %, right 4.5 %
#   3000 cosines in twentieths, fmr0: 0 of 3000 let in, 0 allowed; own turned away 69.0 %, right 69.0 %
#   3000 cosines in twentieths, fmr1000: 2 of 3000 let in, 3 allowed; own turned away 43.5 %, right 43.5 %
#   3000 cosines in twentieths, fmr20: 200 of 3000 let in, 150 allowed; own turned away 3.5 %, right 6.5 %
#   600 percents, one a brother's 100, fmr0: 1 of 600 let in, 0 allowed; own turned away 31.0 %, right 100.0 %
#   600 percents, one a brother's 100, fmr1000: 1 of 600 let in, 0 allowed; own turned away 31.0 %, right 100.0 %
#   600 percents, one a brother's 100, fmr20: 30 of 600 let in, 30 allowed; own turned away 4.5 %, right 4.5 %
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pyeer==0.5.6 numpy==2.4.6
cat >"$folder/seen.py" <<'PY'
from statistics import NormalDist

import numpy as np
from pyeer.eer_info import get_eer_stats

POINTS = {"fmr0": 0, "fmr1000": 1 / 1000, "fmr20": 1 / 20}


def bell(count, mean):
    """A normal distribution's values at equal steps of probability: no dice."""
    return np.array([NormalDist(mean, 0.15).inv_cdf((at + 0.5) / count) for at in range(count)])


def percent(cosines):
    return np.round(100 / (1 + np.exp(-30 * (cosines - 0.35))))


def steps(cosines):
    return np.round(20 * cosines) / 20


def tell(label, own, others):
    stats = get_eer_stats(own, others)
    thresholds = np.append(np.unique(np.concatenate([own, others])), np.inf)
    seen = {}
    for name, share in POINTS.items():
        given, threshold = getattr(stats, name), getattr(stats, f"{name}_th")
        kept = [at for at in thresholds if np.mean(others >= at) <= share]
        right = min(np.mean(own < at) for at in kept)
        count, allowed = int(np.sum(others >= threshold)), int(share * len(others))
        assert abs(np.mean(own < threshold) - given) < 1e-9
        print(f"{label}, {name}: {count} of {len(others)} let in, {allowed} allowed;", end=" ")
        print(f"own turned away {100 * given:.1f} %, right {100 * right:.1f} %")
        seen[name] = count, allowed, round(float(given), 4), round(float(right), 4)
    return seen


own, many, few = bell(200, 0.6), bell(3000, 0.1), bell(600, 0.1)
fine = tell("3000 cosines", own, many)
short = tell("600 cosines", own, few)
coarse = tell("3000 cosines in twentieths", steps(own), steps(many))
brother = tell("600 percents, one a brother's 100", percent(own), np.append(percent(few)[:-1], 100))

for count, allowed, given, right in fine.values():
    assert count <= allowed and given == right
assert short["fmr1000"][:2] == (1, 0) and short["fmr1000"][2] < short["fmr1000"][3]
assert coarse["fmr20"][0] > 1.3 * coarse["fmr20"][1] and coarse["fmr20"][2] < coarse["fmr20"][3]
for name in ("fmr0", "fmr1000"):
    count, allowed, given, right = brother[name]
    assert count > allowed == 0 and given < 0.6 and right == 1
PY
"$folder/venv/bin/python" "$folder/seen.py"
