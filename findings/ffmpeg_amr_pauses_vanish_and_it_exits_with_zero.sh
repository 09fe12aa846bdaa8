#!/usr/bin/env bash
# FFmpeg 9.0.2 as imageio-ffmpeg 0.8.1 brings it, seen 2026-11-29 (Debian 12, Python 3.11, x86-64); Debian's FFmpeg
# 5.1.9 does the same.
#
# Behaviour: FFmpeg's own decoder of AMR, the codec of mobile telephones, is the one it takes by itself, and it knows no
# pauses. With discontinuous transmission, as mobile networks use it, a pause is a frame of comfort noise now and then
# and empty frames between. The decoder turns each of them down (the first as not implemented, the second as a corrupt
# bitstream, by lines on stderr), and `ffmpeg` puts what is left together without a gap and exits with 0. Of 10 s of a
# call 4.6 s are left, and what was said at 5 s is heard at 2.3 s. Only where pauses are more than two thirds of all
# does it exit with 69 (`-max_error_rate`). So it is with `.amr` and `.3gp`, and with files that the same program wrote
# by its encoder's option `-dtx 1`. `-af aresample=async=1` gives the inner pauses back, as silence, and the last one
# not. The decoder `libopencore_amrnb`, in the same program, gives all of it, where it is named before `-i`.
#
# What one would have guessed: comfort noise, or silence as long as the pause, or an exit with something else than 0.
# FFmpeg lists AMR-NB as decoded, without a reserve. Whoever calls it as most do, and asks for the exit status alone,
# has a shorter recording: who spoke when is wrong from the first pause on, two sides of a call no longer fit together,
# and one utterance runs into the next.
#
# Output seen:
#   pauses coded as speech, .amr: exit 0, 10.0 s of 10.0, talk begins at 0.0 5.0 s
#   pauses as comfort noise, .amr: exit 0, 4.6 s of 10.0, talk begins at 0.0 2.3 s
#   pauses as comfort noise, .3gp: exit 0, 4.6 s of 10.0, talk begins at 0.0 2.3 s
#   pauses as comfort noise, .amr, talk 1 s of 5: exit 69, 2.6 s of 10.0, talk begins at 0.0 1.3 s
#   pauses as comfort noise, .amr, aresample=async=1: exit 0, 7.3 s of 10.0, talk begins at 0.0 5.0 s
#   pauses as comfort noise, .amr, libopencore_amrnb: exit 0, 10.0 s of 10.0, talk begins at 0.0 5.0 s
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check imageio-ffmpeg==0.8.1 numpy==2.4.6
cat >"$folder/seen.py" <<'PY'
import os
import subprocess
import sys

import imageio_ffmpeg
import numpy as np

RATE = 8_000
SECONDS = 10
os.chdir(sys.argv[1])
time = np.arange(SECONDS * RATE) / RATE
# A voice's harmonics, syllables of a quarter of a second; under it the noise of a line.
voice = sum(np.sin(2 * np.pi * 150 * k * time + k) for k in range(1, 12)) * (1 + 0.8 * np.sin(2 * np.pi * 4 * time))
noise = np.random.default_rng(1).normal(0, 60, len(time))


def call(talk):
    """Two times so many seconds of talk, at 0 and at 5 s."""
    return np.clip(1_500 * voice * (time % 5 < talk) + noise, -32_000, 32_000).astype("<i2")


def ffmpeg(*arguments, given=b""):
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", *arguments]
    return subprocess.run(command, input=given, capture_output=True)


def write(name, dtx, talk=2):
    raw = ("-f", "s16le", "-ar", str(RATE), "-ac", "1", "-i", "-")
    done = ffmpeg(*raw, "-c:a", "libopencore_amrnb", "-b:a", "12.2k", "-dtx", dtx, name, given=call(talk).tobytes())
    done.check_returncode()


def read(label, name, *, before=(), after=()):
    """How it exits, how many seconds there are, and when talk begins after 0.1 s or more of quiet."""
    done = ffmpeg(*before, "-i", name, *after, "-f", "s16le", "-ar", str(RATE), "-ac", "1", "-")
    heard = np.frombuffer(done.stdout, "<i2").astype(float)
    level = np.sqrt(np.mean(heard[: len(heard) // 160 * 160].reshape(-1, 160) ** 2, axis=1))
    loud = np.flatnonzero(level > 700)
    begins = [round(float(at) * 0.02, 1) for at, last in zip(loud, np.r_[-99, loud]) if at - last > 5]
    seconds = round(len(heard) / RATE, 1)
    said = " ".join(map(str, begins))
    print(f"{label}: exit {done.returncode}, {seconds} s of {SECONDS}.0, talk begins at {said} s")
    return done.returncode, seconds, begins


write("speech.amr", "0")
write("pauses.amr", "1")
write("pauses.3gp", "1")
write("silent.amr", "1", talk=1)
plain = read("pauses coded as speech, .amr", "speech.amr")
amr = read("pauses as comfort noise, .amr", "pauses.amr")
gp3 = read("pauses as comfort noise, .3gp", "pauses.3gp")
silent = read("pauses as comfort noise, .amr, talk 1 s of 5", "silent.amr")
padded = read("pauses as comfort noise, .amr, aresample=async=1", "pauses.amr", after=("-af", "aresample=async=1"))
other = read("pauses as comfort noise, .amr, libopencore_amrnb", "pauses.amr", before=("-c:a", "libopencore_amrnb"))
assert plain == other == (0, 10.0, [0.0, 5.0])
assert amr == gp3 == (0, 4.6, [0.0, 2.3])
assert silent == (69, 2.6, [0.0, 1.3])
assert padded == (0, 7.3, [0.0, 5.0])
PY
"$folder/venv/bin/python" "$folder/seen.py" "$folder"
