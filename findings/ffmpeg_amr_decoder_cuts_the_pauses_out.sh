#!/usr/bin/env bash
# FFmpeg 9.0.2, the static build in imageio-ffmpeg 0.8.1, seen 2026-11-29 (x86-64). Debian 12's FFmpeg 5.1.9 and the
# 8.1.2 in PyAV 18.1.0 lose the same frames (PyAV raises an error where the program goes on).
#
# Behaviour: AMR with discontinuous transmission (DTX) sends no speech frames while nobody speaks: a comfort-noise frame
# (SID) now and then, "no data" frames between them, each standing for 20 ms (RFC 4867). FFmpeg's own decoder, the one
# it takes unless told otherwise, knows neither kind: every such frame is an error and gives no samples. The program
# joins what is left and exits with 0. So pauses are cut out, and whatever is said after one comes too early. The same
# build decodes the whole time with `-c:a libopencore_amrnb` before the input; with FFmpeg's own decoder, `-af
# aresample=async=1` puts silence where the time stamps leap.
#
# What one would have guessed: that a decoder of the mobile networks' codec keeps its time under DTX, which is how those
# networks use it; or that losing a third of a recording is an exit status. A test on AMR made by the encoder's defaults
# shows nothing, because there DTX is off. Who cuts a caller's speech out of such a recording by the times of a
# transcript, or by the other side's recording, cuts out the wrong words, and the wrong person's.
#
# Output seen:
#   frames of 20 ms: 309 speech, 25 comfort noise, 167 no data
#   encoded without DTX, default decoder: 10.02 s, the second voice from 7.0 s, exit 0
#   encoded with DTX, default decoder: 6.18 s, the second voice from 3.2 s, exit 0
#   encoded with DTX, libopencore_amrnb: 10.02 s, the second voice from 7.0 s, exit 0
#   encoded with DTX, default decoder, aresample=async=1: 10.02 s, the second voice from 7.0 s, exit 0
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check imageio-ffmpeg==0.8.1
cat >"$folder/seen.py" <<'PY'
import array
import pathlib
import subprocess
import sys

import imageio_ffmpeg

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
FOLDER = pathlib.Path(sys.argv[1])
# Bytes behind a frame's head, by its type.
SIZES = [12, 13, 15, 17, 19, 20, 26, 31, 5, 6, 5, 5, 0, 0, 0, 0]


def ffmpeg(*arguments):
    return subprocess.run([FFMPEG, "-v", "error", "-nostdin", "-y", *arguments], capture_output=True)


# Two buzzing voices of 3 s, 4 s apart, in a faint hiss.
voice = "+".join(f"sin(2*PI*{120 * k}*t)/{k}" for k in range(1, 25))
sound = f"0.001*(random(0)-0.5)+if(gt(mod(t,7),3),0,0.05*(1+sin(2*PI*3*t))*({voice}))"
source = ["-f", "lavfi", "-i", f"aevalsrc='{sound}':s=8000:d=10", "-c:a", "libopencore_amrnb", "-b:a", "12.2k"]
for dtx in ("0", "1"):
    ffmpeg(*source, "-dtx", dtx, str(FOLDER / f"{dtx}.amr")).check_returncode()

frames = (FOLDER / "1.amr").read_bytes()
at, kinds = len(b"#!AMR\n"), []
while at < len(frames):
    kinds.append(frames[at] >> 3 & 15)
    at += 1 + SIZES[kinds[-1]]
speech, noise, nothing = sum(kind < 8 for kind in kinds), kinds.count(8), kinds.count(15)
print(f"frames of 20 ms: {speech} speech, {noise} comfort noise, {nothing} no data")


def decoded(label, dtx, before=(), after=()):
    """What comes of a file: its length in frames, when the second voice starts, the exit status."""
    ended = ffmpeg(*before, "-i", str(FOLDER / f"{dtx}.amr"), *after, "-f", "s16le", "-ac", "1", "-")
    samples = array.array("h", ended.stdout)
    energies = [sum(sample * sample for sample in samples[at : at + 160]) for at in range(0, len(samples), 160)]
    last = max(at for at, energy in enumerate(energies) if energy > 160 * 500**2)
    # The second voice is the last thing heard and lasts 3 s.
    start = round((last + 1) / 50 - 3, 1)
    print(f"{label}: {len(samples) / 8000:.2f} s, the second voice from {start} s, exit {ended.returncode}")
    return len(energies), start, ended.returncode


whole = (len(kinds), 7.0, 0)
assert noise > 10 and nothing > 100 and speech + noise + nothing == len(kinds) == 501
assert decoded("encoded without DTX, default decoder", 0) == whole
cut = decoded("encoded with DTX, default decoder", 1)
assert cut[0] == speech and 3.0 <= cut[1] <= 3.5 and cut[2] == 0
assert decoded("encoded with DTX, libopencore_amrnb", 1, before=["-c:a", "libopencore_amrnb"]) == whole
assert decoded("encoded with DTX, default decoder, aresample=async=1", 1, after=["-af", "aresample=async=1"]) == whole
PY
"$folder/venv/bin/python" "$folder/seen.py" "$folder"
