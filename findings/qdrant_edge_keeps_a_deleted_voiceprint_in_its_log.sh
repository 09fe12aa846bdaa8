#!/usr/bin/env bash
# Qdrant Edge 0.9.0 (qdrant-edge-py: the engine inside the process), seen 2026-11-29 (Python 3.11, x86-64).
#
# Behaviour: a point that was deleted stays in the shard's folder, vector and payload in plain bytes, after everything
# that the interface offers: `flush()`; `optimize()`, by the strictest settings for vacuum, which answers True and does
# clean the segments; `close()`; `load()` and `optimize()` once more. It is the write-ahead log that keeps it. Its files
# are made in 32 MiB and go as whole files, once tens of MiB more were written: beside voiceprints of 256 numbers, after
# some fifty thousand more of them. A shard with `wal_enabled=False` is clean after `optimize()`. (By default settings a
# shard of less than a thousand vectors is not vacuumed either, and keeps them twice.)
#
# What one would have guessed: that a deletion is a mark at first and real after the compaction that one asks for, and
# that a log is done with once its changes are flushed. What the interface's comments say of `flush`, `optimize` and
# `wal_enabled` is of durability alone. A voiceprint is biometric data: who promised to delete it, and backs the folder
# up or hands the device on, has not.
#
# Output seen:
#   stored and flushed: name in the log, the segments; vector in the log, the segments
#   deleted and flushed: name in the log, the segments; vector in the log, the segments
#   optimized (True): name in the log; vector in the log
#   closed, loaded and optimized again (False), 150 points, the deleted one not found: name in the log; vector in the log
#   the same without a log, optimized (True): name nowhere; vector nowhere
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check qdrant-edge-py==0.9.0
cat >"$folder/seen.py" <<'PY'
import pathlib
import struct
import sys

import qdrant_edge as edge

NAME = "Ada Example"
VECTOR = [0.12345678, 0.3, 0.5, 0.7]
ID = 1_000
# Segments hold a number as the machine does, the log as CBOR does.
FIRST = (struct.pack("<f", VECTOR[0]), b"\xfa" + struct.pack(">f", VECTOR[0]))


def places(folder):
    """Where in the shard's folder the name is, and where the vector's first number."""
    found = {"name": set(), "vector": set()}
    for path in (path for path in folder.rglob("*") if path.is_file()):
        held = path.read_bytes()
        top = path.relative_to(folder).parts[0]
        place = {"wal": "the log", "segments": "the segments"}.get(top, top)
        if NAME.encode() in held:
            found["name"].add(place)
        if any(number in held for number in FIRST):
            found["vector"].add(place)
    return found


def told(label, folder):
    found = places(folder)
    shown = [f"{what} in {', '.join(sorted(where))}" if where else f"{what} nowhere" for what, where in found.items()]
    print(f"{label}: {'; '.join(shown)}")
    return found["name"], found["vector"]


def life(folder, **more):
    """A point is stored, deleted and vacuumed among 150 others."""
    folder.mkdir()
    vacuum = edge.EdgeOptimizersConfig(deleted_threshold=0.0001, vacuum_min_vector_number=1)
    vectors = edge.EdgeVectorParams(size=len(VECTOR), distance=edge.Distance.Dot)
    shard = edge.EdgeShard.create(str(folder), edge.EdgeConfig(vectors=vectors, optimizers=vacuum, **more))
    others = [edge.Point(id, [0.1, 0.2, 0.3, float(id)], {"name": "other"}) for id in range(150)]
    shard.update(edge.UpdateOperation.upsert_points(others))
    shard.update(edge.UpdateOperation.upsert_points([edge.Point(ID, VECTOR, {"name": NAME})]))
    shard.flush()
    yield shard, "stored and flushed"
    shard.update(edge.UpdateOperation.delete_points([ID]))
    shard.flush()
    yield shard, "deleted and flushed"
    optimized = shard.optimize()
    shard.flush()
    yield shard, f"optimized ({optimized})"


def again(folder):
    shard = edge.EdgeShard.load(str(folder))
    optimized = shard.optimize()
    shard.flush()
    found = shard.retrieve([ID], True, True)
    points = shard.info().points_count
    shard.close()
    assert not found and points == 150
    return f"closed, loaded and optimized again ({optimized}), {points} points, the deleted one not found"


base = pathlib.Path(sys.argv[1])
seen = []
for shard, label in life(base / "logged"):
    seen.append(told(label, base / "logged"))
shard.close()
seen.append(told(again(base / "logged"), base / "logged"))
for shard, label in life(base / "unlogged", wal_enabled=False):
    pass
without = told(f"the same without a log, {label}", base / "unlogged")

both, log = {"the log", "the segments"}, {"the log"}
assert seen == [(both, both), (both, both), (log, log), (log, log)]
assert without == (set(), set())
PY
"$folder/venv/bin/python" "$folder/seen.py" "$folder"
