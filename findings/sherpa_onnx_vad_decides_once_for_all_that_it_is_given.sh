#!/usr/bin/env bash
# sherpa-onnx 2.0.1, the wheel for Linux, with Silero VAD as livekit-plugins-silero 1.8.9 brings it, seen 2026-11-30
# (Debian 12, Python 3.11, x86-64).
#
# Behaviour: `VoiceActivityDetector.accept_waveform(samples)` cuts what it is given into windows of 32 ms and asks the
# model about each, but decides once for all of them: if one is speech, all are. And speech begins at their end, less
# 0.3 s. Given window by window, a call of 22 s with two turns gives the two turns. In pieces of 5 s the pause of 4 s
# between them is speech, and the first 3.7 s of the first are missing. Given whole, the call is a third of a second of
# silence at its very end, and of 15 s of speech there is nothing. There is no error and no warning. The docstring asks
# for float32 samples at the right rate. That they are usually one window, and should not be many, stands in comments of
# the C++.
#
# What one would have guessed: that a detector which keeps what is left over for the next call finds the same speech
# however the audio is cut, as pieces of 10 and 32 ms suggest, which agree. A recording is at hand as a whole, and the
# method takes it. A speaker recogniser is then given silence to enrol, or half of what was said. With buffers of 0.1 to
# 1 s, as they come from a socket, nobody notices: turns begin up to 0.7 s late and end up to 1.9 s late.
#
# Output seen:
#   a call of 22.0 s, somebody speaks from 1.0 to 8.5 s and from 12.5 to 20.0 s
#     in pieces of 0.01 s: 1.0 to 8.6 s and 12.5 to 20.1 s; of 15.0 s of speech 15.0 s, and 0.2 s of pauses
#     in pieces of 0.03 s: 1.0 to 8.6 s and 12.5 to 20.1 s; of 15.0 s of speech 15.0 s, and 0.2 s of pauses
#     in pieces of 0.10 s: 1.1 to 8.7 s and 12.6 to 20.3 s; of 15.0 s of speech 14.9 s, and 0.4 s of pauses
#     in pieces of 1.00 s: 1.7 to 10.5 s and 12.7 to 21.5 s; of 15.0 s of speech 14.2 s, and 3.4 s of pauses
#     in pieces of 5.00 s: 4.7 to 22.0 s; of 15.0 s of speech 11.4 s, and 6.0 s of pauses
#     in pieces of 10.00 s: 9.7 to 22.0 s; of 15.0 s of speech 7.5 s, and 4.8 s of pauses
#     in pieces of 22.04 s: 21.7 to 22.0 s; of 15.0 s of speech 0.0 s, and 0.3 s of pauses
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pinned=(sherpa-onnx==2.0.1 numpy==2.4.6 scipy==1.17.1 espeakng-loader==0.2.4)
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "${pinned[@]}"
# Of this package Silero's graph alone.
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps livekit-plugins-silero==1.8.9
cat >"$folder/seen.py" <<'PY'
import ctypes
import sysconfig
from pathlib import Path

import espeakng_loader
import numpy as np
import sherpa_onnx
from scipy.signal import resample_poly

TEXT = (
    b"Hello, this is a call about the order that I made last Tuesday. Could you please tell me when it is going to "
    b"arrive? I would like to be at home."
)
RETRIEVAL, UTF8, RATE, WINDOW = 1, 1, 16_000, 512
espeak = ctypes.CDLL(espeakng_loader.get_library_path())
rate = espeak.espeak_Initialize(RETRIEVAL, 0, espeakng_loader.get_data_path().encode(), 0)
spoken = []


@ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
def keep(samples, count, _events):
    if samples and count > 0:
        spoken.append(np.ctypeslib.as_array(samples, (count,)).copy())
    return 0


espeak.espeak_SetSynthCallback(keep)
espeak.espeak_ng_SetRandSeed(ctypes.c_long(1))
assert espeak.espeak_SetVoiceByName(b"en+m3") == 0
assert espeak.espeak_Synth(TEXT, len(TEXT) + 1, 0, 0, 0, UTF8, None, None) == 0
espeak.espeak_Synchronize()
talk = resample_poly(np.concatenate(spoken) / 32_768, RATE, rate).astype(np.float32)
talk = talk[: len(talk) // WINDOW * WINDOW]


def pause(seconds):
    return np.random.default_rng(1).normal(0, 1e-4, int(seconds * RATE)).astype(np.float32)


call = np.concatenate([pause(1), talk, pause(4), talk, pause(2)])
second = 1 + len(talk) / RATE + 4
speech = [(1, 1 + len(talk) / RATE), (second, second + len(talk) / RATE)]
texts = [f"{start:.1f} to {end:.1f} s" for start, end in speech]
print(f"a call of {len(call) / RATE:.1f} s, somebody speaks from {' and from '.join(texts)}")

graph = Path(sysconfig.get_path("purelib")) / "livekit/plugins/silero/resources/silero_vad.onnx"
config = sherpa_onnx.VadModelConfig()
config.sample_rate = RATE
config.silero_vad.model = str(graph)
config.silero_vad.window_size = WINDOW
config.silero_vad.max_speech_duration = 30


def segments(piece):
    vad = sherpa_onnx.VoiceActivityDetector(config, buffer_size_in_seconds=60)
    for at in range(0, len(call), piece):
        vad.accept_waveform(call[at : at + piece])
    vad.flush()
    found = []
    while not vad.empty():
        start, length = vad.front.start, len(vad.front.samples)
        # What it hands out is the call, at that place.
        assert np.allclose(vad.front.samples, call[start : start + length])
        found.append((start / RATE, (start + length) / RATE))
        vad.pop()
    return found


def shared(found):
    return sum(max(0, min(end, b) - max(start, a)) for start, end in found for a, b in speech)


whole = sum(end - start for start, end in speech)
heard, kept = [], []
for seconds in (0.01, WINDOW / RATE, 0.1, 1, 5, 10, len(call) / RATE):
    found = segments(round(seconds * RATE))
    text = " and ".join(f"{start:.1f} to {end:.1f} s" for start, end in found)
    heard.append(found)
    kept.append(shared(found))
    rest = sum(end - start for start, end in found) - kept[-1]
    text += f"; of {whole:.1f} s of speech {kept[-1]:.1f} s, and {rest:.1f} s of pauses"
    print(f"  in pieces of {seconds:.2f} s: {text}")
tiny, window, tenth, second, five, ten, at_once = heard
assert tiny == window and len(window) == len(tenth) == len(second) == 2 and min(kept[:3]) > 0.97 * whole
assert second[0][0] > window[0][0] + 0.5 and second[0][1] > window[0][1] + 1
# The pause of 4 s is speech, and the beginning is not.
assert len(five) == len(ten) == 1 and five[0][0] > window[0][0] + 3 and ten[0][0] > window[0][0] + 8
assert sum(end - start for start, end in at_once) < 0.5 and kept[-1] == 0
PY
HOME="$folder" ORT_DISABLE_TELEMETRY=1 "$folder/venv/bin/python" "$folder/seen.py"
