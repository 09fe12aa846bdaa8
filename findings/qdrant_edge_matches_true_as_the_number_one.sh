#!/usr/bin/env bash
# Qdrant Edge 0.9.0 (qdrant-edge-py: the engine inside the process), beside the local mode of qdrant-client 1.20.0, seen
# 2026-11-29 (Python 3.11, x86-64).
#
# Behaviour: Edge's `MatchValue` is declared for a str, an int or a bool, but keeps a bool as a whole number:
# `MatchValue(True)` holds 1. A filter for "this field is true" finds the points whose field is the number 1 and none
# whose field is true, without an error, and no otherwise once the field has a boolean index. Under `must` nobody is
# found; under `must_not` everybody stays. The client's local mode, given the same points and the same filter, goes by
# the booleans. That they are stored as such is seen by `facet`.
#
# What one would have guessed: that a declared kind of value is matched as what it is, or refused; and that local mode
# and engine, of one house, agree on the simplest of filters. A gallery of voiceprints is full of such marks (consented,
# withdrawn, suspected of being synthetic). A word in place of the boolean is matched rightly.
#
# Output seen:
#   must consented = True: local [1, 4], Edge [3], Edge with a boolean index [3]
#   must_not withdrawn = True: local [1, 2, 3], Edge [1, 2, 3, 4], Edge with a boolean index [1, 2, 3, 4]
#   must word = "yes": local [1, 4], Edge [1, 4], Edge with a boolean index [1, 4]
#   MatchValue(True).value in Edge: 1
#   stored in Edge, booleans counted by facet: True 2, False 1
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check qdrant-edge-py==0.9.0 qdrant-client==1.20.0 numpy==2.4.6
cat >"$folder/seen.py" <<'PY'
import sys

import qdrant_edge as edge
from qdrant_client import QdrantClient, models

# Number 3 holds whole numbers where the others hold booleans.
PRINTS = {
    1: {"consented": True, "withdrawn": False, "word": "yes"},
    2: {"consented": False, "withdrawn": False, "word": "no"},
    3: {"consented": 1, "withdrawn": 0, "word": "no"},
    4: {"consented": True, "withdrawn": True, "word": "yes"},
}
VECTOR = [0.6, 0.8]

local = QdrantClient(":memory:")
local.create_collection("prints", vectors_config=models.VectorParams(size=2, distance=models.Distance.COSINE))
local.upsert("prints", [models.PointStruct(id=id, vector=VECTOR, payload=payload) for id, payload in PRINTS.items()])

shard = edge.EdgeShard.create(
    sys.argv[1], edge.EdgeConfig(vectors=edge.EdgeVectorParams(size=2, distance=edge.Distance.Cosine))
)
shard.update(edge.UpdateOperation.upsert_points([edge.Point(id, VECTOR, payload) for id, payload in PRINTS.items()]))


def in_local(rule, field, value):
    condition = models.FieldCondition(key=field, match=models.MatchValue(value=value))
    found = local.query_points("prints", query=VECTOR, query_filter=models.Filter(**{rule: [condition]}))
    return sorted(point.id for point in found.points)


def in_edge(rule, field, value):
    condition = edge.FieldCondition(key=field, match=edge.MatchValue(value))
    found = shard.query(
        edge.QueryRequest(query=edge.Query.Nearest(VECTOR), limit=10, filter=edge.Filter(**{rule: [condition]}))
    )
    return sorted(point.id for point in found)


FILTERS = [("must", "consented", True), ("must_not", "withdrawn", True), ("must", "word", "yes")]
plain = [in_edge(*each) for each in FILTERS]
for field in ("consented", "withdrawn"):
    shard.update(edge.UpdateOperation.create_field_index(field, edge.PayloadSchemaType.Bool))
indexed = [in_edge(*each) for each in FILTERS]
seen = [(in_local(*each), *found) for each, found in zip(FILTERS, zip(plain, indexed))]
for (rule, field, value), (here, there, then) in zip(FILTERS, seen):
    shown = f'"{value}"' if isinstance(value, str) else value
    print(f"{rule} {field} = {shown}: local {here}, Edge {there}, Edge with a boolean index {then}")
kept = edge.MatchValue(True).value
print(f"MatchValue(True).value in Edge: {kept}")
facet = {hit.value: hit.count for hit in shard.facet(edge.FacetRequest("consented", exact=True)).hits}
print("stored in Edge, booleans counted by facet: " + ", ".join(f"{value} {facet[value]}" for value in (True, False)))

assert seen == [([1, 4], [3], [3]), ([1, 2, 3], [1, 2, 3, 4], [1, 2, 3, 4]), ([1, 4], [1, 4], [1, 4])]
assert kept == 1 and type(kept) is int
assert facet == {True: 2, False: 1} and all(type(value) is bool for value in facet)
PY
"$folder/venv/bin/python" "$folder/seen.py" "$folder/shard"
