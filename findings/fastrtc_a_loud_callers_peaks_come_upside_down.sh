#!/usr/bin/env bash
# fastrtc 0.0.34 (Python), audio streams for browsers and for a carrier's media streams, with librosa 0.11.0 and soxr
# 1.1.0, seen 2026-11-30 (Debian 12, Python 3.11, x86-64).
#
# Behaviour: its `/telephone/handler` takes a carrier's media stream and hands each packet to a handler at the rate
# that the handler asks for. Two things befall a call on the way up from 8 kHz. First, resampled samples are floats,
# which go somewhat past full scale where the voice is loud. They are made 16 bits by a cast without a limit, and what
# should be the highest sample is the lowest, or the other way round. A call that just reaches full scale has a few
# dozen of them in ten seconds. One that is clipped by 6 dB, as of somebody close to the telephone, has thousands, and
# the voice is only 2 dB above what was added to it. Second, each packet of 20 ms is resampled by itself, as if there
# was silence before it and after it, so that something is wrong at each edge, fifty times a second: of a quiet call,
# too, some 27 dB are left, and there is sound above 4 kHz, where a telephone has none. There is no error and no
# warning. For a handler of 8 kHz the call comes as it was sent. The guide and the reference say nothing of either.
# Issue 284, on bad sound at 8 kHz over a WebSocket, was about a client's rate taken for another and is closed; none
# was found of these.
#
# What one would have guessed: one resampler for as long as the call lasts, and a peak that is cut at full scale, as
# soxr has it when it is given 16 bits. A speaker who raises the voice, or whose line is loud, is enrolled with a
# noise about as loud as the voice, and a recording of the line itself has nothing of it. Whoever tries it with a soft
# voice hears at most a faint buzz, which is in every print that is taken.
#
# "Ratio" is that of the call to what differs from it: the call resampled by soxr in one, and cut at full scale.
# "Upside down" are samples that are off by more than full scale.
#
# Output seen:
#   quiet, to 8000 Hz: as sent
#   quiet, to 16000 Hz: ratio 29 dB, 0 upside down, above 4.4 kHz -36 dB (right: -139)
#   quiet, to 48000 Hz: ratio 27 dB, 0 upside down, above 4.4 kHz -31 dB (right: -137)
#   just at full scale, to 8000 Hz: as sent
#   just at full scale, to 16000 Hz: ratio 21 dB, 17 upside down, above 4.4 kHz -25 dB (right: -82)
#   just at full scale, to 48000 Hz: ratio 20 dB, 71 upside down, above 4.4 kHz -23 dB (right: -77)
#   clipped by 6 dB, to 8000 Hz: as sent
#   clipped by 6 dB, to 16000 Hz: ratio 2 dB, 4719 upside down, above 4.4 kHz -10 dB (right: -35)
#   clipped by 6 dB, to 48000 Hz: ratio 2 dB, 14030 upside down, above 4.4 kHz -8 dB (right: -37)
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pinned=(fastrtc==0.0.34 gradio==5.50.0 fastapi==0.163.2 librosa==0.11.0 soxr==1.1.0 numpy==2.4.6)
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "${pinned[@]}"
cat >"$folder/seen.py" <<'PY'
import asyncio
import audioop
import base64

import numpy as np
import soxr
from fastapi import FastAPI
from fastapi.testclient import TestClient
from fastrtc import AsyncStreamHandler, Stream
from starlette.websockets import WebSocketDisconnect

LINE, SECONDS, PACKET = 8_000, 10, 160
time = np.arange(SECONDS * LINE) / LINE
# A voice's harmonics below 4 kHz, in syllables of a quarter of a second, for two of every three seconds.
phase = 2 * np.pi * (150 * time + 3 * np.sin(2 * np.pi * 0.7 * time))
voice = sum(np.sin(k * phase + k) / k for k in range(1, 24)) * (0.5 + 0.5 * np.sin(2 * np.pi * 4 * time))
voice *= time % 3 < 2
voice /= np.abs(voice).max()


class Listener(AsyncStreamHandler):
    """Keeps what it is given, and says nothing."""

    heard = []

    def copy(self):
        return Listener(input_sample_rate=self.input_sample_rate)

    async def start_up(self):
        pass

    async def receive(self, frame):
        Listener.heard.append(frame)

    async def emit(self):
        await asyncio.sleep(1)


def heard_by(codes, rate):
    """What a handler of that rate hears of such a call, whose packets come as a carrier sends them."""
    Listener.heard = []
    app = FastAPI()
    Stream(Listener(input_sample_rate=rate), modality="audio", mode="send-receive").mount(app)
    with TestClient(app).websocket_connect("/telephone/handler") as socket:
        socket.send_json({"event": "start", "streamSid": "call"})
        for at in range(0, len(codes), PACKET):
            payload = base64.b64encode(codes[at : at + PACKET]).decode()
            socket.send_json({"event": "media", "streamSid": "call", "media": {"payload": payload}})
        socket.send_json({"event": "stop"})
        try:
            raise AssertionError(socket.receive_json())
        except WebSocketDisconnect:
            pass
    assert {given for given, _ in Listener.heard} == {rate}
    return np.concatenate([np.ravel(samples) for _, samples in Listener.heard]) / 2**15


def above(samples, rate):
    """How much of the sound is above 4.4 kHz, in dB of all of it."""
    power = np.square(np.abs(np.fft.rfft(samples * np.hanning(len(samples)))))
    high = np.fft.rfftfreq(len(samples), 1 / rate) > 4400
    return 10 * np.log10(power[high].sum() / power.sum())


seen = {}
for label, gain in (("quiet", 0.1), ("just at full scale", 1), ("clipped by 6 dB", 2)):
    samples = (32767 * np.clip(gain * voice, -1, 1)).astype("<i2")
    codes = audioop.lin2ulaw(samples.tobytes(), 2)
    sent = np.frombuffer(audioop.ulaw2lin(codes, 2), "<i2") / 2**15
    for rate in (8_000, 16_000, 48_000):
        right = np.clip(soxr.resample(sent, LINE, rate), -1, 1) if rate > LINE else sent
        came = heard_by(codes, rate)
        off = came - right
        turned, noise = int((np.abs(off) > 1).sum()), np.square(off).sum()
        ratio = 10 * np.log10(np.square(right).sum() / noise) if noise else np.inf
        told = "as sent"
        if noise:
            told = f"ratio {ratio:.0f} dB, {turned} upside down"
            told += f", above 4.4 kHz {above(came, rate):.0f} dB (right: {above(right, rate):.0f})"
        print(f"{label}, to {rate} Hz: {told}")
        seen[label, rate] = ratio, turned

for (label, rate), (ratio, turned) in seen.items():
    if rate == LINE:
        assert ratio == np.inf
    elif label == "quiet":
        assert 20 < ratio < 35 and turned == 0
    elif label == "clipped by 6 dB":
        assert ratio < 5 and turned > 1000
    else:
        assert ratio < 25 and turned > 5
PY
export GRADIO_ANALYTICS_ENABLED=False HF_HUB_OFFLINE=1
"$folder/venv/bin/python" -W ignore::DeprecationWarning "$folder/seen.py"
