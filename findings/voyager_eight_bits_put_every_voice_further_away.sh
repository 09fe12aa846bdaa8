#!/usr/bin/env bash
# voyager 2.2.3, Spotify's search for nearest neighbours, seen 2026-11-30 (Debian 12, Python 3.11, x86-64). usearch
# 2.26.6 stands beside it.
#
# Behaviour: `StorageDataType.Float8` keeps a number in 8 bits, as 127ths, cut off towards zero and not rounded. The
# numbers of a voiceprint of length one are small, some 0.06 where there are 256, and half a 127th, which each loses on
# average, is 6 percent of that. All become smaller, voiceprint and query, and nothing sets the length back to one,
# while cosine distance is 1 less their product. With 256 numbers a voice is 0.095 from itself, with 512 it is 0.132,
# and a caller's next call is further away by two thirds of that: of 84 in 100 that were within the threshold, none is.
# The order stays right: the nearest is still the caller. E4M3, the other type of 8 bits, rounds, and so do usearch's:
# their distances are off by some thousandths. The documentation says of Float8 "8-bit fixed-point decimal values" and
# their range, and warns of E4M3, that a cosine distance may come out negative (pull requests 74 and 75 of the
# repository).
#
# What one would have guessed: that what 8 bits lose goes up as often as down, and that in `Space.Cosine` a vector is at
# 0 from itself, in each type. A test of the order, as recall is, passes. Whoever accepts a caller by a distance that
# was calibrated before turns nearly all away once the index is kept in a quarter of the memory, and the more, the
# larger the model's voiceprints are.
#
# Output seen:
#   128 numbers: a call is 0.384 from its caller, 66% are within 0.4
#     voyager Float32: a voice is 0.000 from itself, a call 0.384 from its caller, 66% within 0.4
#     voyager E4M3: a voice is 0.000 from itself, a call 0.384 from its caller, 66% within 0.4
#     voyager Float8: a voice is 0.069 from itself, a call 0.427 from its caller, 26% within 0.4
#     usearch i8: a voice is 0.000 from itself, a call 0.384 from its caller, 66% within 0.4
#   192 numbers: a call is 0.378 from its caller, 74% are within 0.4
#     voyager Float32: a voice is 0.000 from itself, a call 0.378 from its caller, 74% within 0.4
#     voyager E4M3: a voice is 0.000 from itself, a call 0.378 from its caller, 73% within 0.4
#     voyager Float8: a voice is 0.083 from itself, a call 0.431 from its caller, 18% within 0.4
#     usearch i8: a voice is 0.000 from itself, a call 0.379 from its caller, 73% within 0.4
#   256 numbers: a call is 0.380 from its caller, 76% are within 0.4
#     voyager Float32: a voice is 0.000 from itself, a call 0.380 from its caller, 76% within 0.4
#     voyager E4M3: a voice is 0.001 from itself, a call 0.380 from its caller, 75% within 0.4
#     voyager Float8: a voice is 0.095 from itself, a call 0.440 from its caller, 7% within 0.4
#     usearch i8: a voice is 0.000 from itself, a call 0.381 from its caller, 74% within 0.4
#   512 numbers: a call is 0.379 from its caller, 84% are within 0.4
#     voyager Float32: a voice is 0.000 from itself, a call 0.379 from its caller, 84% within 0.4
#     voyager E4M3: a voice is 0.004 from itself, a call 0.378 from its caller, 85% within 0.4
#     voyager Float8: a voice is 0.132 from itself, a call 0.464 from its caller, 0% within 0.4
#     usearch i8: a voice is 0.000 from itself, a call 0.382 from its caller, 81% within 0.4
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check voyager==2.2.3 usearch==2.26.6 numpy==2.4.6
cat >"$folder/seen.py" <<'PY'
import numpy as np
from usearch.index import Index as Usearch
from voyager import Index, Space, StorageDataType

CALLERS, THRESHOLD = 1_000, 0.4
rng = np.random.default_rng(1)


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


for size in (128, 192, 256, 512):
    enrolled = unit(rng.normal(size=(CALLERS, size)))
    # Each calls once more, at a cosine of 0.62 with the voiceprint, give or take a little.
    other = unit(rng.normal(size=(CALLERS, size)))
    calls = unit(0.62 * enrolled + np.sqrt(1 - 0.62**2) * other)
    true = 1 - (calls * enrolled).sum(axis=1)
    known = np.mean(true < THRESHOLD)
    print(f"{size} numbers: a call is {true.mean():.3f} from its caller, {known:.0%} are within {THRESHOLD}")
    rows = {}
    for kind in ("Float32", "E4M3", "Float8"):
        index = Index(Space.Cosine, size, storage_data_type=getattr(StorageDataType, kind))
        index.add_items(enrolled, np.arange(CALLERS), num_threads=1)
        # So wide a search is exact.
        own, itself = index.query(enrolled, 1, num_threads=1, query_ef=CALLERS)
        ids, far = index.query(calls, 1, num_threads=1, query_ef=CALLERS)
        assert np.array_equal(own.ravel(), np.arange(CALLERS)) and np.array_equal(ids, own)
        rows[f"voyager {kind}"] = itself.ravel(), far.ravel()
        if kind == "Float8":
            # 127ths, cut off towards zero and not rounded.
            kept = np.array([index.get_vector(number) for number in range(CALLERS)])
            assert np.allclose(kept, np.trunc(enrolled * 127) / 127, atol=1e-6)
    index = Usearch(ndim=size, metric="cos", dtype="i8")
    index.add(np.arange(CALLERS), enrolled, threads=1)
    searches = [index.search(queries, 1, exact=True, threads=1) for queries in (enrolled, calls)]
    rows["usearch i8"] = tuple(search.distances.ravel() for search in searches)
    for name, (itself, far) in rows.items():
        within = np.mean(far < THRESHOLD)
        text = f"a voice is {abs(itself.mean()):.3f} from itself, a call {far.mean():.3f} from its caller"
        print(f"  {name}: {text}, {within:.0%} within {THRESHOLD}")
        if name == "voyager Float8":
            assert itself.min() > 0.03 and itself.mean() > 0.06 and within < 0.6 * known
        else:
            assert abs(itself.mean()) < 0.01 and abs(within - known) < 0.05
PY
"$folder/venv/bin/python" "$folder/seen.py"
