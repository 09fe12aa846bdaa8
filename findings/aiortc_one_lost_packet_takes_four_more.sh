#!/usr/bin/env bash
# aiortc 1.16.0 over PyAV 18.1.0, WebRTC for Python, on which voice agents take calls from browsers, seen 2026-11-29
# (Debian 12, Python 3.11, x86-64).
#
# Behaviour: of an audio track each packet that is lost on the way takes the four before it along, which did arrive. The
# jitter buffer hands a packet out when four later ones stand behind it without a gap. A lost packet is such a gap: the
# four before it wait for it until the buffer of 16 is full, and are then thrown away together with the gap. Where one
# packet of 50 is lost, a tenth of the call is missing, in holes of 100 ms; where one of 25, a fifth; where one of 10,
# half of it. The frames' `pts` have the holes, the samples do not: written one behind the other they close up. There is
# no error and no warning, and `getStats()` counts as lost what the network lost. (Issue 543 of the repository, from
# 2021, has a listing in which the four are missing, and speaks of the delay, which comes as well.)
#
# What one would have guessed: that a lost packet costs its own 20 ms, or less, where it is concealed as browsers do,
# and that a buffer against jitter is there to keep what comes late, let alone what came in time. On a mobile or a busy
# wireless network losses of one in 50 are no exception. A recogniser that asks for 10 s of speech gets them later than
# need be, and syllables with the middle cut out, which no codec makes; what was enrolled on a good line is then
# compared with that.
#
# Output seen:
#   none lost: 0.0 % of the packets lost, 0.0 % of the call missing
#   one in 50 lost: 2.0 % of the packets lost, 10.0 % of the call missing, all in holes of 5, the lost one last
#   one in 25 lost: 4.0 % of the packets lost, 20.0 % of the call missing, all in holes of 5, the lost one last
#   one in 10 lost: 10.0 % of the packets lost, 50.0 % of the call missing, all in holes of 5, the lost one last
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pinned=(aiortc==1.16.0 aioice==0.13.0 av==18.1.0 numpy==2.4.6)
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "${pinned[@]}"
cat >"$folder/seen.py" <<'PY'
import asyncio
import fractions

import av
import numpy as np
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCRtpSender
from aiortc.mediastreams import MediaStreamError

RATE = 8_000
PACKET = 160
PACKETS = 500


class Caller(MediaStreamTrack):
    kind = "audio"
    count = 0

    def __init__(self, answered):
        super().__init__()
        self.answered = answered

    async def recv(self):
        """A frame of 20 ms every 20 ms, once the other end hears."""
        await self.answered.wait()
        loop = asyncio.get_running_loop()
        if self.count == 0:
            self.begin = loop.time()
        await asyncio.sleep(max(0, self.begin + self.count * PACKET / RATE - loop.time()))
        frame = av.AudioFrame.from_ndarray(np.full((1, PACKET), 1_000, "<i2"), format="s16", layout="mono")
        frame.sample_rate, frame.time_base = RATE, fractions.Fraction(1, RATE)
        frame.pts = self.count * PACKET
        self.count += 1
        return frame


async def call(every):
    """A call between two ends in this process, over UDP. Every so many-th packet is not sent."""
    caller, called = (RTCPeerConnection(RTCConfiguration(iceServers=[])) for _ in range(2))
    sent, lost, heard, answered = [], [], [], asyncio.Event()

    @called.on("connectionstatechange")
    def connected():
        if called.connectionState == "connected":
            answered.set()

    @called.on("track")
    def listen(track):
        async def run():
            try:
                while True:
                    heard.append(await track.recv())
            except MediaStreamError:
                pass

        asyncio.ensure_future(run())

    transceiver = caller.addTransceiver(Caller(answered), "sendonly")
    codecs = RTCRtpSender.getCapabilities("audio").codecs
    transceiver.setCodecPreferences([codec for codec in codecs if codec.mimeType == "audio/PCMU"])
    transport = transceiver.sender.transport
    send = transport._send_rtp

    async def lossy(data):
        if data[1] & 0x7F == 0:  # the payload type of PCMU; reports of RTCP pass
            stamp = int.from_bytes(data[4:8], "big")
            sent.append(stamp)
            if every and len(sent) % every == 0:
                lost.append(stamp)
                return
        await send(data)

    transport._send_rtp = lossy
    await caller.setLocalDescription(await caller.createOffer())
    await called.setRemoteDescription(caller.localDescription)
    await called.setLocalDescription(await called.createAnswer())
    await caller.setRemoteDescription(called.localDescription)
    while len(sent) < PACKETS:
        await asyncio.sleep(0.1)
    await asyncio.sleep(0.1)
    (told,) = [stat for stat in (await called.getStats()).values() if stat.type == "inbound-rtp"]
    # A loss shows once there is a packet behind it.
    assert len(lost) - 1 <= told.packetsLost <= len(lost)
    await caller.close()
    await called.close()
    return sent, lost, heard


async def main():
    rates = [0, 50, 25, 10]
    for every, (sent, lost, heard) in zip(rates, await asyncio.gather(*map(call, rates))):
        assert all((frame.samples, frame.sample_rate) == (PACKET, RATE) for frame in heard)
        # Packets by number: both ends count time from the first.
        got = {frame.pts // PACKET for frame in heard}
        gone = {(stamp - sent[0]) // PACKET for stamp in lost}
        label = f"one in {every} lost" if every else "none lost"
        # Whole rounds of losses, up to the last that was heard to its end.
        until = max(got) // 50 * 50
        assert until >= 350
        missing = set(range(until)) - got
        gone = {number for number in gone if number < until}
        of_packets, of_call = (f"{100 * len(numbers) / until:.1f} %" for numbers in (gone, missing))
        holes = ", all in holes of 5, the lost one last" if every else ""
        print(f"{label}: {of_packets} of the packets lost, {of_call} of the call missing{holes}")
        assert missing == {number - back for number in gone for back in range(5)}
        assert len(missing) == 5 * len(gone) and bool(missing) == bool(every)


asyncio.run(main())
PY
"$folder/venv/bin/python" "$folder/seen.py"
