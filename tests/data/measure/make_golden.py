"""Reference values for src/measure, by another road: numpy, scipy and scikit-learn.

    python tests/data/measure/make_golden.py     (numpy 2.4, scipy 1.17, scikit-learn 1.9)

Nothing here is translated from the Rust. The plain EER comes from sklearn's roc_curve and a root finder, the hull's
from scipy's ConvexHull, the least cost from every threshold tried, the best calibration from sklearn's isotonic
regression, quantiles from numpy. The draws of the bootstrap repeat SplitMix64 and are then scored trial by trial,
with repeated trials instead of weights; so are those of searches. Rates of searches are counted from their
definition, every threshold tried. The tails of extrapolated rosters are scipy's generalised Pareto and exponential distributions.
"""

import json
from pathlib import Path

import numpy as np
from scipy.optimize import brentq
from scipy.spatial import ConvexHull
from scipy.stats import expon, genpareto
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import roc_curve

LN2 = np.log(2.0)
M64 = (1 << 64) - 1


def softplus(x):
    return np.logaddexp(0.0, x)


def cllr(t, n):
    with np.errstate(over="ignore"):
        return (np.mean(softplus(-t)) + np.mean(softplus(n))) / (2 * LN2)


def finite(t, n):
    """Infinite scores as finite ones beyond the rest: the order is all that counts."""
    both = np.concatenate([t, n])
    edge = np.abs(both[np.isfinite(both)]).max() + 1.0
    return np.clip(t, -edge, edge), np.clip(n, -edge, edge)


def roc(t, n):
    t, n = finite(t, n)
    labels = np.r_[np.ones(len(t)), np.zeros(len(n))]
    fpr, tpr, _ = roc_curve(labels, np.r_[t, n], drop_intermediate=False)
    return fpr, 1 - tpr


def eer_plain(t, n):
    fa, miss = roc(t, n)
    # Along the curve, not over the false alarms: a vertical stretch has no function.
    along = np.arange(len(fa))
    gap = lambda s: np.interp(s, along, miss) - np.interp(s, along, fa)
    s = brentq(gap, 0, len(fa) - 1, xtol=1e-14) if gap(0) > 0 > gap(len(fa) - 1) else (0 if gap(0) <= 0 else len(fa) - 1)
    return float(np.interp(s, along, miss))


def eer_hull(t, n):
    fa, miss = roc(t, n)
    points = np.unique(np.c_[np.r_[fa, 1.0], np.r_[miss, 1.0]], axis=0)  # (1, 1) makes the upper side harmless
    hull = ConvexHull(points)
    best = 1.0
    for a, b in hull.simplices:
        (x1, y1), (x2, y2) = points[a], points[b]
        d1, d2 = y1 - x1, y2 - x2
        if d1 * d2 <= 0 and d1 != d2:
            best = min(best, x1 + (x2 - x1) * d1 / (d1 - d2))
    return float(best)


BAND = [0.0001, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4]


def hull_misses(t, n):
    """The lower side of the hull at each false-alarm rate of the band: the lowest edge above it."""
    fa, miss = roc(t, n)
    points = np.unique(np.c_[np.r_[fa, 1.0], np.r_[miss, 1.0]], axis=0)
    found = np.ones(len(BAND))
    for a, b in ConvexHull(points).simplices:
        (x1, y1), (x2, y2) = points[a], points[b]
        for at, x in enumerate(BAND):
            if min(x1, x2) <= x <= max(x1, x2) and x1 != x2:
                found[at] = min(found[at], y1 + (y2 - y1) * (x - x1) / (x2 - x1))
    return found


def dcf(p, cm, cf, miss, fa):
    return (cm * p * miss + cf * (1 - p) * fa) / min(cm * p, cf * (1 - p))


def min_dcf(t, n, p, cm, cf):
    thresholds = np.r_[np.unique(np.r_[t, n]), np.inf]
    costs = [dcf(p, cm, cf, np.mean(t < x), np.mean(n >= x)) for x in thresholds]
    return float(min(costs + [dcf(p, cm, cf, 1.0, 0.0)]))


def act_dcf(t, n, p, cm, cf):
    x = np.log((1 - p) * cf / (p * cm))
    return float(dcf(p, cm, cf, np.mean(t < x), np.mean(n >= x)))


def min_cllr(t, n):
    ft, fn = finite(t, n)
    scores, labels = np.r_[ft, fn], np.r_[np.ones(len(t)), np.zeros(len(n))]
    share = IsotonicRegression(y_min=0, y_max=1).fit(scores, labels).predict(scores)
    with np.errstate(divide="ignore"):
        llr = np.log(share) - np.log1p(-share) - np.log(len(t) / len(n))
    return float(cllr(llr[: len(t)], llr[len(t):]))


COSTS = [(0.01, 1.0, 1.0), (0.05, 1.0, 1.0), (0.005, 1.0, 1.0), (0.5, 10.0, 1.0), (0.9, 1.0, 3.0)]


def case(name, t, n):
    t, n = np.asarray(t, float), np.asarray(n, float)
    whole = cllr(t, n)
    written = lambda x: [str(v) for v in x.tolist()]  # JSON has no infinity
    return {
        "name": name,
        "targets": written(t),
        "nontargets": written(n),
        "eer": eer_hull(t, n),
        "eer_plain": eer_plain(t, n),
        "cllr": None if np.isinf(whole) else float(whole),
        "min_cllr": min_cllr(t, n),
        "costs": [{"p": p, "c_miss": cm, "c_fa": cf, "min": min_dcf(t, n, p, cm, cf), "act": act_dcf(t, n, p, cm, cf)}
                  for p, cm, cf in COSTS],
    }


class Rng:
    def __init__(self, seed, task):
        self.s = seed ^ (task * 0xD6E8FEB86659FD93 & M64)
        self.next()

    def next(self):
        self.s = (self.s + 0x9E3779B97F4A7C15) & M64
        z = self.s
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & M64
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB & M64
        return z ^ (z >> 31)

    def below(self, sides):
        return self.next() * sides >> 64


def bootstrap(rng):
    speakers, replicates, seed = 14, 60, 20261122
    pairs = [(e, s) for e in range(speakers) for s in range(speakers) for _ in range(3 if e == s else 1)]
    scores = [round(float(rng.normal(1.5 if e == s else -1.5, 1.6)), 1) for e, s in pairs]
    figures = []
    for task in range(replicates):
        rng_of_task = Rng(seed, task)
        times = [0] * speakers
        for _ in range(speakers):
            times[rng_of_task.below(speakers)] += 1
        t, n = [], []
        for (e, s), score in zip(pairs, scores):
            if e == s:
                t += [score] * times[e]
            else:
                n += [score] * (times[e] * times[s])
        t, n = np.array(t), np.array(n)
        figures.append([eer_hull(t, n), min_dcf(t, n, 0.01, 1, 1), cllr(t, n), min_cllr(t, n), *hull_misses(t, n)])
    low, high = np.percentile(np.array(figures), [2.5, 97.5], axis=0)
    names = ["eer", "min_dcf", "cllr", "min_cllr"]
    return {
        "speakers": speakers, "replicates": replicates, "seed": seed,
        "enrolled": [e for e, _ in pairs], "tested": [s for _, s in pairs], "scores": scores,
        "intervals": {k: [float(a), float(b)] for k, a, b in zip(names, low, high)},
        "miss": [[float(a), float(b)] for a, b in zip(low[4:], high[4:])],
    }


def identification(rng):
    searches = []
    for at in range(240):
        roster = np.round(rng.normal(-1.0, 1.2, 6), 1)
        mate = int(rng.integers(6)) if at % 2 else None
        if mate is not None:
            roster[mate] = round(float(rng.normal(1.5, 1.3)), 1)
        searches.append((roster, mate))
    at = []
    for threshold in [-2.0, -0.3, 0.0, 0.5, 1.1, 2.0, 9.0]:
        known = [(r, m) for r, m in searches if m is not None]
        unknown = [r for r, m in searches if m is None]
        first = lambda r, m: all(r[m] > r[o] for o in range(6) if o != m)
        second = lambda r, m: sum(r[o] >= r[m] for o in range(6) if o != m) <= 1
        at.append({
            "threshold": threshold,
            "fpir": float(np.mean([max(r) > threshold for r in unknown])),
            "fnir": float(np.mean([not (first(r, m) and r[m] > threshold) for r, m in known])),
            "fnir_rank_2": float(np.mean([not (second(r, m) and r[m] > threshold) for r, m in known])),
            "misidentification": float(np.mean([not first(r, m) and max(r) > threshold for r, m in known])),
        })
    fpirs = [0.0, 0.001, 0.01, 0.05, 0.1, 0.5, 1.0]
    at_fpir = [dict(fpir_wanted=fpir, **rates_at_fpir(searches, fpir)) for fpir in fpirs]
    return {"rosters": [r.tolist() for r, _ in searches], "mates": [m for _, m in searches], "at": at, "at_fpir": at_fpir}


def search_bootstrap(rng):
    """A hundred callers, half of them enrolled, make four calls each."""
    searches = []
    for at in range(400):
        roster = np.round(rng.normal(-1.0, 1.2, 3), 3)
        mate = int(rng.integers(3)) if at % 2 else None
        if mate is not None:
            roster[mate] = round(float(rng.normal(3.0, 1.3)), 3)
        searches.append((roster, mate))
    speakers, replicates, seed = 100, 80, 7
    callers = [at % speakers for at in range(len(searches))]
    figures = []
    for task in range(replicates):
        rng_of_task = Rng(seed, task)
        drawn = [rng_of_task.below(speakers) for _ in range(speakers)]
        calls = [search for caller in drawn for search, own in zip(searches, callers) if own == caller]
        low, usual = rates_at_fpir(calls, 0.001), rates_at_fpir(calls, 0.01)
        known = [(r, m) for r, m in calls if m is not None]
        top1 = np.mean([all(r[m] > r[o] for o in range(3) if o != m) for r, m in known])
        figures.append([top1, low["fnir"], low["misidentification"], usual["fnir"], usual["misidentification"]])
    ends = np.percentile(np.array(figures), [2.5, 97.5], axis=0).T.tolist()
    names = ["top1", "fnir_0_001", "misidentification_0_001", "fnir_0_01", "misidentification_0_01"]
    return {
        "rosters": [r.tolist() for r, _ in searches], "mates": [m for _, m in searches], "callers": callers,
        "speakers": speakers, "replicates": replicates, "seed": seed, "intervals": dict(zip(names, ends)),
    }


def rates_at_fpir(searches, fpir):
    """The rates at the lowest threshold at which no more strangers than wanted are named, of all that differ."""
    known = [(r, m) for r, m in searches if m is not None]
    best = np.array([max(r) for r, m in searches if m is None])
    candidates = [x for x in [-np.inf, *np.unique(best)] if np.mean(best > x) <= fpir + 1e-12]
    threshold = min(candidates)
    first = lambda r, m: all(r[m] > r[o] for o in range(len(r)) if o != m)
    return {
        "fpir": float(np.mean(best > threshold)),
        "fnir": float(np.mean([not (first(r, m) and r[m] > threshold) for r, m in known])),
        "misidentification": float(np.mean([not first(r, m) and max(r) > threshold for r, m in known])),
    }


def extrapolation(rng):
    """Rates of rosters that were not tried, as independent comparisons would have them, by two tails."""
    t, n = rng.normal(0.7, 0.12, 120).round(6), rng.normal(0.1, 0.13, 1500).round(6)
    edge = np.quantile(n, 0.95)
    excess = np.sort(n[n > edge] - edge)
    share = len(excess) / len(n)
    # Hosking and Wallis 1987, section 2: alpha_s is the mean of x (1 - F(x))^s, with plotting positions (i - .35) / n.
    rank = np.arange(1, len(excess) + 1)
    alpha_0, alpha_1 = np.mean(excess), np.mean(excess * (1 - (rank - 0.35) / len(excess)))
    k = alpha_0 / (alpha_0 - 2 * alpha_1) - 2
    assert k > 0, k
    tails = {"at_fpir": genpareto(c=-k, scale=2 * alpha_0 * alpha_1 / (alpha_0 - 2 * alpha_1)), "exponential": expon(scale=alpha_0)}
    cases = []
    for name, tail in tails.items():
        false_match = lambda x: share * tail.sf(x - edge) if x > edge else np.mean(n > x)
        for size in [1, 10, 1000, 10000]:
            for fpir in [0.001, 0.01, 0.3]:
                wanted = 1 - (1 - fpir) ** (1 / size)
                if wanted < share:
                    threshold = edge + tail.isf(wanted / share)
                else:
                    threshold = min(x for x in [-np.inf, *n] if np.mean(n > x) <= wanted)
                others = lambda x: (1 - false_match(x)) ** (size - 1)
                found = np.mean([(own > threshold) * others(own) for own in t])
                misnamed = np.mean([1 - others(max(own, threshold)) for own in t])
                cases.append({"tail": name, "size": size, "fpir": fpir, "threshold": float(threshold), "dir": float(found),
                              "misidentification": float(misnamed)})
    return {"targets": t.tolist(), "nontargets": n.tolist(), "cases": cases}


def main():
    rng = np.random.default_rng(20261122)
    normal = lambda mean, deviation, count: rng.normal(mean, deviation, count).round(6)
    inf = float("inf")
    cases = [
        case("normal", normal(2, 1.5, 60), normal(-2, 1.5, 300)),
        case("many ties", normal(1, 1.5, 80).round(0), normal(-1, 1.5, 200).round(0)),
        case("badly calibrated", normal(9, 4, 50), normal(3, 4, 150)),
        case("separable", [1.0, 2.0, 3.0], [-1.0, -2.0, 0.5]),
        case("upside down", [-1.0, -2.0, -0.5], [1.0, 2.0, 0.0]),
        case("all the same", [0.3] * 4, [0.3] * 6),
        case("one of each", [1.0], [0.0]),
        case("one of each, tied", [0.0], [0.0]),
        case("cosines", normal(0.6, 0.15, 70), normal(0.1, 0.12, 400)),
        case("sure and right at the ends", [inf, inf, 2.0, -0.5], [-inf, 0.7, -3.0, -inf, 0.1]),
        case("sure and wrong once", [-inf, 1.0, 4.0], [-2.0, 0.0, 1.0]),
        case("far out", normal(500, 400, 40), normal(-500, 400, 90)),
    ]
    waits = [round(float(x), 3) for x in rng.gamma(2.0, 1.4, 41)]
    golden = {
        "cases": cases,
        "bootstrap": bootstrap(rng),
        "identification": identification(rng),
        "search_bootstrap": search_bootstrap(np.random.default_rng(20261124)),
        "extrapolation": extrapolation(np.random.default_rng(20261123)),
        "wait": {"decided": waits, "undecided": 9,
                 "median": float(np.percentile(waits, 50)), "p95": float(np.percentile(waits, 95))},
    }
    out = Path(__file__).with_name("golden.json")
    out.write_text(json.dumps(golden, allow_nan=False, separators=(",", ":")).replace('{"name"', '\n{"name"') + "\n")
    print(f"{out}: {out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
