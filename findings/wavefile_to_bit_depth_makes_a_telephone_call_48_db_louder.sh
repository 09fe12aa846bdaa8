#!/usr/bin/env bash
# wavefile 11.0.0 (npm), which reads and writes WAV files, seen 2026-11-30 (Debian 12, Node 20, Python 3.11, x86-64).
# The libsndfile in soundfile 0.14.0 (1.2.2) writes and reads the files.
#
# Behaviour: `toBitDepth` changes the width of samples. Of a file in µ-law or A-law, as telephone networks and recorders
# have it, it makes samples of 16 bits first (a comment in the source says so), and then scales them as if they still
# had the 8 bits of the file. They come out 256 times too large. As floats (`"32f"`) they keep their shape, and a quiet
# caller is at 27 where 1 is full scale. In whole numbers of 16 to 32 bits all is held to full scale: three of four
# samples of the voice lie there, and it is no longer 30 dB over its line but 10. There is no error and no warning.
# `fromMuLaw("32f")` and `fromALaw("32f")`, which the README has for such files, are right. IMA ADPCM is refused. No
# issue of the repository was found that tells of it.
#
# What one would have guessed: that a method which takes a file and a width gives the same sound in that width, as it
# does of all files that are not compressed. Much public code that transcribes or embeds voices in Node, by
# Transformers.js, reads a recording with the two lines `toBitDepth("32f")` and `toSampleRate(16000)`. The second by
# itself refuses such files; behind the first it takes them. Recordings of a microphone are right. Calls are cut off to
# square waves wherever 16 bits are written or 1 is the limit, and what goes by loudness, such as a detector with a
# threshold, hears a voice in every pause.
#
# Output seen:
#   ULAW as it is: voice -30 dB, pauses -60 dB, peak 0.10, 0 % at full scale or above
#   ULAW, toBitDepth(32f): voice 18 dB, pauses -11 dB, peak 26.68, 50 % at full scale or above
#   ULAW, fromMuLaw(32f): as it is
#   ULAW, toBitDepth(16): voice -1 dB, pauses -11 dB, peak 1.00, 50 % at full scale or above
#   ULAW, fromMuLaw(16): as it is
#   ALAW as it is: voice -30 dB, pauses -58 dB, peak 0.10, 0 % at full scale or above
#   ALAW, toBitDepth(32f): voice 18 dB, pauses -10 dB, peak 26.71, 50 % at full scale or above
#   ALAW, fromALaw(32f): as it is
#   ALAW, toBitDepth(16): voice -1 dB, pauses -10 dB, peak 1.00, 50 % at full scale or above
#   ALAW, fromALaw(16): as it is
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 soundfile==0.14.0
(cd "$folder" && npm init -y >/dev/null && npm install --silent --no-audit --no-fund wavefile@11.0.0)
cat >"$folder/changed.js" <<'JS'
const { readFileSync, writeFileSync } = require('node:fs')
const { WaveFile } = require('wavefile')

const [, , from, to, method, width] = process.argv
const call = new WaveFile(readFileSync(from))
call[method](width)
writeFileSync(to, call.toBuffer())
JS
cat >"$folder/seen.py" <<'PY'
import subprocess

import numpy as np
import soundfile

RATE, SECONDS = 8_000, 6
time = np.arange(SECONDS * RATE) / RATE
# A voice's harmonics in syllables of a quarter of a second, for two of every three seconds, on a quiet line.
phase = 2 * np.pi * (150 * time + 3 * np.sin(2 * np.pi * 0.7 * time))
voice = 0.06 * sum(np.sin(k * phase + k) / k for k in range(1, 12)) * (0.5 + 0.5 * np.sin(2 * np.pi * 4 * time))
talks = time % 3 < 2
call = voice * talks + np.random.default_rng(1).normal(0, 0.001, len(time))


def changed(kind, method, width):
    subprocess.run(["node", "changed.js", f"{kind}.wav", "changed.wav", method, width], check=True)
    samples, rate = soundfile.read("changed.wav")
    assert rate == RATE and len(samples) == len(call)
    return samples


def level(samples):
    return 10 * np.log10(np.square(samples).mean())


def tell(label, samples):
    full = (np.abs(samples) > 0.99).mean()
    print(
        f"{label}: voice {level(samples[talks]):.0f} dB, pauses {level(samples[~talks]):.0f} dB,"
        f" peak {np.abs(samples).max():.2f}, {100 * full:.0f} % at full scale or above"
    )
    return full


for kind, method in (("ULAW", "fromMuLaw"), ("ALAW", "fromALaw")):
    soundfile.write(f"{kind}.wav", call, RATE, subtype=kind)
    known, _ = soundfile.read(f"{kind}.wav")
    assert tell(f"{kind} as it is", known) == 0
    for width in ("32f", "16"):
        louder = changed(kind, "toBitDepth", width)
        assert tell(f"{kind}, toBitDepth({width})", louder) > 0.4
        if width == "32f":
            assert abs(level(louder) - level(known) - 20 * np.log10(256)) < 0.1
        else:
            assert level(louder[talks]) - level(louder[~talks]) < 12
        assert np.abs(changed(kind, method, width) - known).max() < 1e-4
        print(f"{kind}, {method}({width}): as it is")
PY
(cd "$folder" && "$folder/venv/bin/python" "$folder/seen.py")
