#!/usr/bin/env bash
# ONNX Runtime 1.31.1, the wheel for Linux, seen 2026-11-28 (Debian 12, Python 3.11, x86-64).
#
# Behaviour: `import onnxruntime` by itself writes a persistent device id and a SQLite queue with a "ProcessInfo" event
# (system, program, library version) under the home folder. `onnxruntime.disable_telemetry_events()`, called in the
# first line after the import and before any session, takes neither back: the same files are there, with the
# event in the queue. Only ORT_DISABLE_TELEMETRY=1, set before the import, leaves nothing.
#
# What one would have guessed: that the call named "disable telemetry events" disables telemetry, as it did while there was
# none on Linux; and that importing a library does nothing yet. Who handles recordings of people's voices promises
# somebody that no process reports on its own.
#
# Output seen:
#   import alone: deviceid onnxruntime.db, ProcessInfo events queued: 1
#   disable_telemetry_events() first: deviceid onnxruntime.db, ProcessInfo events queued: 1
#   ORT_DISABLE_TELEMETRY=1: nothing
set -euo pipefail
unset ORT_DISABLE_TELEMETRY CI

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check onnxruntime==1.31.1 numpy==2.4.6

# In an empty home, what a few lines of Python leave there.
left() {
	local home="$folder/home"
	rm -rf "$home" && mkdir "$home"
	HOME=$home TMPDIR=$home XDG_CACHE_HOME=$home XDG_DATA_HOME=$home "$folder/venv/bin/python" -c "$1"
	python3 - "$home" <<-'PY'
		import pathlib, sqlite3, sys

		files = {path.name: path for path in pathlib.Path(sys.argv[1]).rglob("*") if path.name in ("deviceid", "onnxruntime.db")}
		if not files:
		    print("nothing")
		else:
		    rows = sqlite3.connect(files["onnxruntime.db"]).execute("select payload from events").fetchall()
		    queued = sum(b"ProcessInfo" in payload for payload, in rows)
		    print(" ".join(sorted(files)) + f", ProcessInfo events queued: {queued}")
	PY
}

alone=$(left 'import onnxruntime, time; time.sleep(2)')
called=$(left 'import onnxruntime, time; onnxruntime.disable_telemetry_events(); time.sleep(2)')
switched=$(ORT_DISABLE_TELEMETRY=1 left 'import onnxruntime, time; time.sleep(2)')
echo "import alone: $alone"
echo "disable_telemetry_events() first: $called"
echo "ORT_DISABLE_TELEMETRY=1: $switched"
kept="deviceid onnxruntime.db, ProcessInfo events queued: 1"
[ "$alone" = "$kept" ] && [ "$called" = "$kept" ] && [ "$switched" = nothing ]
