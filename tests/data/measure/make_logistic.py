"""Reference values for src/measure/logistic.rs, by another road: scikit-learn and scipy.

    python tests/data/measure/make_logistic.py     (numpy 2.4, scipy 1.17, scikit-learn 1.9)

At a prior of 1/2 there is no offset, and scikit-learn's LogisticRegression (lbfgs, no intercept of its own) fits the
same thing; at other priors scipy's trust-exact minimises the weighted cost as it is defined.
Nothing here is translated from the Rust.
"""

import json
from pathlib import Path

import numpy as np
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

RIDGE = 1e-8


def balanced(weight, target, prior):
    scaled = weight.astype(float).copy()
    scaled[target] *= prior / weight[target].sum()
    scaled[~target] *= (1 - prior) / weight[~target].sum()
    return scaled


def by_scipy(terms, target, weight, prior):
    weight, shift = balanced(weight, target, prior), np.log(prior / (1 - prior))
    sign = np.where(target, 1.0, -1.0)

    def cost(beta):
        margin = sign * (terms @ beta + shift)
        p = 1 / (1 + np.exp(margin))
        return weight @ np.logaddexp(0, -margin) + RIDGE / 2 * beta @ beta, -terms.T @ (weight * sign * p) + RIDGE * beta

    def bend(beta):
        p = 1 / (1 + np.exp(-(terms @ beta + shift)))
        return terms.T @ (terms * (weight * p * (1 - p))[:, None]) + RIDGE * np.eye(terms.shape[1])

    start = np.zeros(terms.shape[1])
    found = minimize(cost, start, jac=True, hess=bend, method="trust-exact", options={"gtol": 1e-13, "maxiter": 10_000})
    return found.x


def by_sklearn(terms, target, weight):
    model = LogisticRegression(C=1 / RIDGE, fit_intercept=False, tol=1e-14, max_iter=100_000, solver="newton-cholesky")
    return model.fit(terms, target, sample_weight=balanced(weight, target, 0.5)).coef_[0]


def main():
    random = np.random.default_rng(20261122)
    cases = []
    for prior, targets, others in ((0.5, 80, 300), (0.005, 120, 900), (0.03, 60, 200)):
        size = targets + others
        target = np.arange(size) < targets
        quality = np.log(random.uniform(1.2, 6.0, size))
        score = np.where(target, random.normal(1.2, 0.35, size), random.normal(0.6, 0.3, size)) + 0.1 * quality * target
        terms = np.round(np.stack([score, quality * score, np.ones(size), quality], axis=1), 6)
        weight = np.round(random.uniform(0.2, 3.0, size), 6)
        beta = by_scipy(terms, target, weight, prior)
        if prior == 0.5:
            apart = np.abs(beta - by_sklearn(terms, target, weight)).max()
            assert apart < 1e-6, apart
            beta = by_sklearn(terms, target, weight)
        cases.append({
            "prior": prior,
            "terms": terms.tolist(),
            "target": target.tolist(),
            "weight": weight.tolist(),
            "beta": beta.tolist(),
        })
    Path(__file__).with_name("logistic.json").write_text(json.dumps(cases, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
