#!/usr/bin/env bash
# werift 0.25.2 (npm), WebRTC for Node without a browser, seen 2026-11-30 (Debian 12, Node 20, Python 3.11, x86-64). FFmpeg
# 9.0.2, as imageio-ffmpeg 0.8.1 brings it, makes the call and reads the recordings.
#
# Behaviour: `MediaRecorder` of werift/nonstandard writes tracks to a WebM file. Of video it asks the track for its codec,
# and turns down one that it does not know. Of sound it does not ask: every track is named A_OPUS, with a clock of 48 kHz.
# A track knows that it is µ-law at 8 kHz (G.711, PCMU), the one other codec of sound that a connection of werift offers
# by itself, and what gateways to the telephone answer with. Its packets are written as they are, as if they were Opus,
# and 20 ms of them count as 3: the file is a sixth as long as the call. FFmpeg decodes it and exits with 0: packets of a
# pause are no Opus and are dropped, some of a voice happen to be, and come out as noise at full scale. Nothing is left
# of what was said. `onError` tells nothing. Besides, any file of the recorder states a length of 3 bytes more than it
# has, for which Symphonia 0.6.1 refuses it, of Opus too ("missing segment element"). (A README of the repository had Opus
# on its list of what the recorder does, and no word of what becomes of the rest; that of 0.25.2 does not speak of it. No
# issue was found that does.)
#
# What one would have guessed: one of the names that Matroska has for such sound, or an error, as for video. Who tries it
# with a browser gets Opus and, by FFmpeg, a good recording. Calls of the telephone are not to be heard any more, unless
# somebody knows what they are and takes the packets out again. What listens to the file by itself does not see that
# anything is wrong: it has a voice's length, is loud, and has no pauses, and is enrolled as somebody's.
#
# Output seen:
#   offered by itself: OPUS/48000, PCMU/8000
#   OPUS: track of OPUS at 48000 Hz, file of A_OPUS, 10.0 s; decoded 10.0 s, 5.0 s of them the call's tone, peak 0.10
#   PCMU: track of PCMU at 8000 Hz, file of A_OPUS, 1.5 s; decoded 5.0 s, 0.0 s of them the call's tone, peak 1.00
#   bytes that the two files state and do not have: 3 and 3
#   PCMU's packets by themselves: decoded 10.0 s, 5.0 s of them the call's tone, peak 0.10
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check imageio-ffmpeg==0.8.1 numpy==2.4.6
(cd "$folder" && npm init -y >/dev/null && npm install --silent --no-audit --no-fund werift@0.25.2)
cat >"$folder/record.cjs" <<'JS'
const { readFileSync } = require('node:fs')
const { MediaStreamTrack, RTCPeerConnection, RtpHeader, RtpPacket, useOPUS, usePCMU } = require('werift')
const { MediaRecorder } = require('werift/nonstandard')

const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds))

async function record(codec, payloadType, ticks) {
  codec.payloadType = payloadType
  const track = new MediaStreamTrack({ kind: 'audio', codec })
  const options = { path: `${codec.name}.webm`, tracks: [track], disableLipSync: true, disableNtp: true }
  const recorder = new MediaRecorder(options)
  recorder.onError.subscribe(() => process.exit(1))
  await pause(300)
  for (const [index, packet] of JSON.parse(readFileSync(`${codec.name}.json`)).entries()) {
    const header = new RtpHeader({ payloadType, sequenceNumber: 100 + index, timestamp: 1000 + index * ticks, ssrc: 5 })
    track.writeRtp(new RtpPacket(header, Buffer.from(packet, 'hex')))
    await pause(1)
  }
  await recorder.stop()
  console.log(`${track.codec.name} at ${track.codec.clockRate} Hz`)
}

async function all() {
  const connection = new RTCPeerConnection({ iceServers: [] })
  console.log(connection.config.codecs.audio.map(({ name, clockRate }) => `${name}/${clockRate}`).join(', '))
  await connection.close()
  await record(useOPUS(), 96, 960)
  await record(usePCMU(), 0, 160)
  process.exit(0)
}
all()
JS
cat >"$folder/seen.py" <<'PY'
import json
import pathlib
import re
import subprocess

import imageio_ffmpeg
import numpy as np

FFMPEG, RATE = imageio_ffmpeg.get_ffmpeg_exe(), 8_000
time = np.arange(10 * RATE) / RATE
# A tone on a line that is not quite quiet, for half of each second.
call = 0.1 * np.sin(2 * np.pi * 437 * time) * (time % 1 < 0.5) + np.random.default_rng(1).normal(0, 0.001, len(time))
call = (32767 * call).astype("<i2").tobytes()


def ffmpeg(*arguments, given=None):
    return subprocess.run([FFMPEG, "-hide_banner", *arguments], input=given, capture_output=True, check=True)


def tell(label, *source):
    """How many seconds FFmpeg decodes, and how many of them are the call's tone, by its level in each 20 ms."""
    raw = ffmpeg("-v", "error", *source, "-f", "s16le", "-ac", "1", "-ar", str(RATE), "-").stdout
    samples = np.frombuffer(raw, "<i2") / 32768
    blocks = samples[: len(samples) // 160 * 160].reshape(-1, 160)
    spectrum = np.square(np.abs(np.fft.rfft(blocks * np.hanning(160))))
    toned = spectrum[:, 6:12].sum(axis=1) > 0.9 * spectrum.sum(axis=1)
    seconds, tone, peak = len(samples) / RATE, 0.02 * float(toned.sum()), float(np.abs(samples).max())
    print(f"{label} decoded {seconds:.1f} s, {tone:.1f} s of them the call's tone, peak {peak:.2f}")
    return seconds, tone, peak


raw = ("-v", "error", "-f", "s16le", "-ar", str(RATE), "-ac", "1", "-i", "-")
codes = ffmpeg(*raw, "-f", "mulaw", "-", given=call).stdout
pathlib.Path("PCMU.json").write_text(json.dumps([codes[at : at + 160].hex() for at in range(0, len(codes), 160)]))
pathlib.Path("PCMU.raw").write_bytes(codes)
# With a page of Ogg for each packet, the packet is what stands behind the page's table of segments.
ogg = ffmpeg(*raw, "-c:a", "libopus", "-page_duration", "20000", "-f", "ogg", "-", given=call).stdout
pages, at = [], 0
while at < len(ogg):
    body = at + 27 + ogg[at + 26]
    at = body + sum(ogg[at + 27 : body])
    pages.append(ogg[body:at])
pathlib.Path("OPUS.json").write_text(json.dumps([page.hex() for page in pages[2:]]))

told = subprocess.run(["node", "record.cjs"], capture_output=True, text=True, check=True).stdout.splitlines()
print("offered by itself:", told[0])
assert told == ["OPUS/48000, PCMU/8000", "OPUS at 48000 Hz", "PCMU at 8000 Hz"]
heard, beyond = {}, []
for name, track in (("OPUS", told[1]), ("PCMU", told[2])):
    shown = subprocess.run([FFMPEG, "-hide_banner", "-i", f"{name}.webm"], capture_output=True, text=True).stderr
    minutes, seconds = re.search(r"Duration: 00:(\d\d):(\d\d\.\d\d)", shown).groups()
    length = 60 * int(minutes) + float(seconds)
    written = re.search(rb"A_[A-Z_/]+", pathlib.Path(f"{name}.webm").read_bytes()).group().decode()
    # The size of the Segment is a number whose first byte says by its zeros how many more there are (RFC 8794).
    data = pathlib.Path(f"{name}.webm").read_bytes()
    at = data.index(b"\x18\x53\x80\x67") + 4
    width = 9 - data[at].bit_length()
    size = int.from_bytes(data[at : at + width], "big") - (1 << 7 * width)
    beyond.append(at + width + size - len(data))
    label = f"{name}: track of {track}, file of {written}, {length:.1f} s;"
    heard[name] = written, round(length, 1), *tell(label, "-i", f"{name}.webm")
print(f"bytes that the two files state and do not have: {beyond[0]} and {beyond[1]}")
known = tell("PCMU's packets by themselves:", "-f", "mulaw", "-ar", str(RATE), "-i", "PCMU.raw")
assert heard["OPUS"][:2] == ("A_OPUS", 10.0) and heard["OPUS"][3] > 4.5 and heard["OPUS"][4] < 0.2
assert heard["PCMU"][0] == "A_OPUS" and heard["PCMU"][1] < 2 and heard["PCMU"][3] < 0.2 and heard["PCMU"][4] > 0.99
assert known[1] > 4.5 and known[2] < 0.2
assert beyond == [3, 3]
PY
(cd "$folder" && "$folder/venv/bin/python" "$folder/seen.py")
