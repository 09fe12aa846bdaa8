#!/usr/bin/env bash
# audio-decode 3.12.0 (npm), which decodes audio files of any format, with its @audio/decode 3.16.2 and @audio/decode-caf
# 1.4.1, seen 2026-11-30 (Debian 12, Node 20, Python 3.11, x86-64). The libsndfile in soundfile 0.14.0 (1.2.2) and FFmpeg
# 9.0.2, as imageio-ffmpeg 0.8.1 brings it, write the files and read them back.
#
# Behaviour: a Core Audio file (CAF), Apple's container, may hold telephone sound as it is, in µ-law or A-law (G.711).
# The package has both on its list of what it decodes there. It does not decode to 16 bits as elsewhere, but to the 14
# bits that G.711 gives to µ-law and the 13 of A-law, and divides by 32768 all the same. µ-law comes out at a quarter of
# its level, 12 dB too quiet, and A-law at an eighth, 18 dB too quiet. Of A-law the sign is the other way round besides,
# plus for minus. The same codes in WAV, AIFF and MOV, which the package decodes as well, are right to the bit.
# Linear samples in CAF are right. There is no error, the README names both laws without a reserve, and no issue was found
# that tells of it. (Mediabunny, another package for such files, had the same levels and the same turned sign, in all
# containers, and mended them: its pull request 517, of September 2026.)
#
# What one would have guessed: that the same bytes are the same sound, whatever they are wrapped in, and that full scale
# is 1. Whoever listens hears a clean voice on a quiet line. But a talker at -35 dB is at -53, below what detectors of
# speech take for a voice: the file has nobody in it, or whoever was nearest to the microphone. How loud and how noisy
# lines are is told wrongly for one kind of file, and callers that come by an app of Apple's are refused as too quiet
# where others pass.
#
# Output seen:
#   ulaw in CAF of libsndfile:     -12.0 dB, upright
#   ulaw in CAF of FFmpeg:         -12.0 dB, upright
#   ulaw in WAV of FFmpeg:           0.0 dB, upright
#   ulaw in AIFF of libsndfile:      0.0 dB, upright
#   ulaw in MOV of FFmpeg:           0.0 dB, upright
#   alaw in CAF of libsndfile:     -18.1 dB, upside down
#   alaw in CAF of FFmpeg:         -18.1 dB, upside down
#   alaw in WAV of FFmpeg:           0.0 dB, upright
#   alaw in AIFF of libsndfile:      0.0 dB, upright
#   alaw in MOV of FFmpeg:           0.0 dB, upright
#   linear in CAF of libsndfile:     0.0 dB, upright
#   blocks of speech above -45 dB: ulaw 200 of 200 in WAV, 0 in CAF; alaw 200 of 200 in WAV, 0 in CAF
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pinned=(imageio-ffmpeg==0.8.1 numpy==2.4.6 soundfile==0.14.0)
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "${pinned[@]}"
packages=(audio-decode@3.12.0 @audio/decode@3.16.2 @audio/decode-caf@1.4.1)
(cd "$folder" && npm init -y >/dev/null && npm install --silent --no-audit --no-fund "${packages[@]}")
cat >"$folder/decoded.mjs" <<'JS'
import { readFileSync, writeFileSync } from 'node:fs'
import decode from 'audio-decode'

const [, , from, to] = process.argv
const { channelData, sampleRate } = await decode(readFileSync(from))
if (channelData.length !== 1 || sampleRate !== 8000) process.exit(1)
writeFileSync(to, Buffer.from(Float32Array.from(channelData[0]).buffer))
JS
cat >"$folder/seen.py" <<'PY'
import subprocess

import imageio_ffmpeg
import numpy as np
import soundfile

RATE, SECONDS = 8_000, 4
time = np.arange(SECONDS * RATE) / RATE
# A voice's harmonics, at -35 dB, with more above zero than below, as voices have.
phase = 2 * np.pi * (150 * time + 3 * np.sin(2 * np.pi * 0.7 * time))
call = 0.0095 * sum(np.cos(k * phase) for k in range(1, 8))
soundfile.write("call.wav", call, RATE, subtype="PCM_16")


def ffmpeg(*arguments):
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *arguments]
    return subprocess.run(command, capture_output=True, check=True).stdout


def decoded(name):
    subprocess.run(["node", "decoded.mjs", name, "heard.f32"], check=True)
    return np.fromfile("heard.f32", np.float32).astype(np.float64)


def level(samples):
    return 10 * np.log10(np.square(samples).mean())


def tell(label, samples, known):
    assert len(samples) == len(known) and abs(level(known) - level(call)) < 0.1
    turned = samples @ known < 0
    louder = level(samples) - level(known)
    print(f"{label + ':':<30} {round(louder, 1) + 0:5.1f} dB, {'upside down' if turned else 'upright'}")
    return louder, turned


spoken = {}
for law, subtype, codec, quieter in (("ulaw", "ULAW", "pcm_mulaw", 12.0), ("alaw", "ALAW", "pcm_alaw", 18.1)):
    soundfile.write(f"{law}.caf", call, RATE, format="CAF", subtype=subtype)
    soundfile.write(f"{law}.aiff", call, RATE, format="AIFF", subtype=subtype)
    for name in (f"{law}_too.caf", f"{law}.wav", f"{law}.mov"):
        ffmpeg("-i", "call.wav", "-c:a", codec, name)
    for name, label in (
        (f"{law}.caf", "CAF of libsndfile"),
        (f"{law}_too.caf", "CAF of FFmpeg"),
        (f"{law}.wav", "WAV of FFmpeg"),
        (f"{law}.aiff", "AIFF of libsndfile"),
        (f"{law}.mov", "MOV of FFmpeg"),
    ):
        known = np.frombuffer(ffmpeg("-i", name, "-f", "f32le", "-"), np.float32).astype(np.float64)
        if not name.endswith("mov"):
            assert np.array_equal(known, soundfile.read(name)[0])
        heard = decoded(name)
        louder, turned = tell(f"{law} in {label}", heard, known)
        if name.endswith("caf"):
            assert abs(louder + quieter) < 0.2 and turned == (law == "alaw")
        else:
            assert np.array_equal(heard, known)
        blocks = 10 * np.log10(np.square(heard).reshape(-1, 160).mean(axis=1))
        spoken[name] = int((blocks > -45).sum())
soundfile.write("linear.caf", call, RATE, format="CAF", subtype="PCM_16")
louder, turned = tell("linear in CAF of libsndfile", decoded("linear.caf"), soundfile.read("linear.caf")[0])
assert abs(louder) < 0.01 and not turned
total = SECONDS * RATE // 160
shown = [f"{law} {spoken[law + '.wav']} of {total} in WAV, {spoken[law + '.caf']} in CAF" for law in ("ulaw", "alaw")]
print(f"blocks of speech above -45 dB: {'; '.join(shown)}")
assert all(spoken[f"{law}.wav"] > 0.9 * total and spoken[f"{law}.caf"] < 0.1 * total for law in ("ulaw", "alaw"))
PY
(cd "$folder" && "$folder/venv/bin/python" "$folder/seen.py")
