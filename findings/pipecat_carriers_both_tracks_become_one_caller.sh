#!/usr/bin/env bash
# pipecat-ai 1.14.0, the framework for voice agents, seen 2026-11-29 (Debian 12, Python 3.11, x86-64).
#
# Behaviour: Twilio, Telnyx and Plivo can send both sides of a call over one WebSocket (`both_tracks`, `both`), and say
# in each message which side it is, as `track`. Pipecat's `TwilioFrameSerializer`, `TelnyxFrameSerializer` and
# `PlivoFrameSerializer` do not read it. Every 20 ms of either side become an `InputAudioRawFrame`, one behind the other
# and with the same empty `transport_source`: a second of a call is two seconds of input, in which two voices take turns
# 50 times a second. Messages are handed on as they come besides, where Telnyx says that their order is not guaranteed
# and is to be had from `chunk`. There is no error and no warning.
#
# What one would have guessed: that the other side is left out, or is named in `transport_source`, which is there for
# several audio sources of one transport, by the frame's docstring. An agent that is to hear both, to take notes or to
# tell who is speaking, hears neither, and a voiceprint made of it is nobody's. Where the agent is the other side, it
# hears itself.
#
# Output seen:
#   Twilio, inbound: 1.0 s of input audio, caller 100 %, other side 0 %
#   Twilio, both: 2.0 s of input audio, caller 50 %, other side 50 %
#   Telnyx, inbound: 1.0 s of input audio, caller 100 %, other side 0 %
#   Telnyx, both: 2.0 s of input audio, caller 50 %, other side 50 %
#   Plivo, inbound: 1.0 s of input audio, caller 100 %, other side 0 %
#   Plivo, both: 2.0 s of input audio, caller 50 %, other side 50 %
#   sources named: none
#   Telnyx, chunks sent 1, 3, 2, 4: heard 1, 3, 2, 4
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pinned=(pipecat-ai==1.14.0 numpy==2.4.6)
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "${pinned[@]}"
cat >"$folder/seen.py" <<'PY'
import asyncio
import audioop
import base64
import json
from types import SimpleNamespace

import numpy as np
from pipecat.frames.frames import InputAudioRawFrame
from pipecat.serializers.plivo import PlivoFrameSerializer
from pipecat.serializers.telnyx import TelnyxFrameSerializer
from pipecat.serializers.twilio import TwilioFrameSerializer

RATE = 8_000
MESSAGES = 50  # 1 s
CALLER, OTHER = 1_000, -1_000
SIDES = {"inbound": CALLER, "outbound": OTHER}
SERIALIZERS = {
    "Twilio": lambda: TwilioFrameSerializer("MZ1", params=TwilioFrameSerializer.InputParams(auto_hang_up=False)),
    "Telnyx": lambda: TelnyxFrameSerializer(
        "1", "PCMU", "PCMU", params=TelnyxFrameSerializer.InputParams(auto_hang_up=False)
    ),
    "Plivo": lambda: PlivoFrameSerializer("1", params=PlivoFrameSerializer.InputParams(auto_hang_up=False)),
}


def message(carrier, sequence, track, chunk, level):
    ulaw = audioop.lin2ulaw(np.full(RATE // 50, level, np.int16).tobytes(), 2)
    media = {"track": track, "chunk": str(chunk), "timestamp": str(20 * chunk)}
    media["payload"] = base64.b64encode(ulaw).decode()
    numbered = {"Twilio": "sequenceNumber", "Telnyx": "sequence_number", "Plivo": "sequenceNumber"}[carrier]
    stream = {"Twilio": "streamSid", "Telnyx": "stream_id", "Plivo": "streamId"}[carrier]
    return json.dumps({"event": "media", numbered: str(sequence), "media": media, stream: "1"})


async def frames(carrier, messages):
    serializer = SERIALIZERS[carrier]()
    await serializer.setup(SimpleNamespace(audio_in_sample_rate=RATE))
    got = [await serializer.deserialize(one) for one in messages]
    assert all(isinstance(one, InputAudioRawFrame) and one.sample_rate == RATE for one in got)
    return got


async def heard(carrier, label, tracks):
    pairs = [(chunk, track) for chunk in range(1, MESSAGES + 1) for track in tracks]
    sent = [message(carrier, at, track, chunk, SIDES[track]) for at, (chunk, track) in enumerate(pairs, 1)]
    got = await frames(carrier, sent)
    audio = np.frombuffer(b"".join(one.audio for one in got), np.int16)
    seconds, caller, other = len(audio) / RATE, 100 * np.mean(audio > 500), 100 * np.mean(audio < -500)
    print(f"{carrier}, {label}: {seconds} s of input audio, caller {caller:.0f} %, other side {other:.0f} %")
    return (seconds, caller, other), {one.transport_source for one in got}


async def main():
    named = set()
    for carrier in SERIALIZERS:
        one, sources = await heard(carrier, "inbound", ["inbound"])
        both, more = await heard(carrier, "both", ["inbound", "outbound"])
        assert one == (1, 100, 0) and both == (2, 50, 50)
        named |= sources | more
    print("sources named:", ", ".join(named - {None}) or "none")
    assert named == {None}
    order = [1, 3, 2, 4]
    got = await frames("Telnyx", [message("Telnyx", chunk, "inbound", chunk, 1_000 * chunk) for chunk in order])
    levels = [round(np.frombuffer(one.audio, np.int16)[0] / 1_000) for one in got]
    print("Telnyx, chunks sent", ", ".join(map(str, order)) + ": heard", ", ".join(map(str, levels)))
    assert levels == order


asyncio.run(main())
PY
"$folder/venv/bin/python" -W ignore "$folder/seen.py" 2>"$folder/log" || { cat "$folder/log" >&2; exit 1; }
