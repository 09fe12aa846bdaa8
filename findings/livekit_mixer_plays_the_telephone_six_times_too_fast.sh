#!/usr/bin/env bash
# livekit 1.2.1, LiveKit's package for Python, seen 2026-11-30 (Debian 12, Python 3.11, x86-64).
#
# Behaviour: `rtc.AudioMixer(48000, 1)` makes one stream of several, and writes its own rate and channels on what comes
# out. Each frame that goes in says its rate and its channels, and the mixer looks at neither: it takes the samples as
# they stand for its own. A telephone's frames at 8 kHz are played six times as fast and as high, so that ten seconds of
# the caller are over in 1.7 of the mix, and the rest of it is the agent alone. Frames of two channels come at half the
# speed, an octave too low, left and right in turn, and the mix lasts twice as long as the call. There is no error and
# no warning. The docstring has a rate for the mixer and nothing of that of its streams. `rtc.combine_audio_frames`,
# beside it in the package, refuses a frame of another rate. No issue was found that tells of it.
#
# What one would have guessed: that a frame which knows its rate is brought to the mixer's, or refused as its neighbour
# does. A browser at 48 kHz and a caller from the telephone network are what such a mix is made of. The recording is as
# long as the call and the agent in it sounds right, so that a look at it shows nothing; what the caller said is a
# twitter at its beginning, and gone for transcripts and voiceprints.
#
# Output seen:
#   caller at 48000 Hz, 1 channel: 10.0 s of the mix have the caller, at 300 Hz; it lasts 10.0 s
#   caller at 16000 Hz, 1 channel: 3.4 s of the mix have the caller, at 900 Hz; it lasts 10.0 s
#   caller at 8000 Hz, 1 channel: 1.7 s of the mix have the caller, at 1800 Hz; it lasts 10.0 s
#   caller at 48000 Hz, 2 channels: 20.0 s of the mix have the caller, at 150 Hz; it lasts 20.0 s
#   frames of 48000 and 8000 Hz, combined: Sample rate mismatch: expected 48000, got 8000
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check livekit==1.2.1 numpy==2.4.6
cat >"$folder/seen.py" <<'PY'
import asyncio

import numpy as np
from livekit import rtc

RATE, SECONDS, CALLER, AGENT = 48_000, 10, 300, 440
BLOCK = RATE // 10  # 100 ms, of which the spectrum has a line every 10 Hz


def frames(pitch, rate, channels=1):
    """A tone, 20 ms at a time, alike in all channels."""
    size = rate // 50
    for at in range(0, SECONDS * rate, size):
        tone = np.round(8_000 * np.sin(2 * np.pi * pitch * np.arange(at, at + size) / rate)).astype(np.int16)
        yield rtc.AudioFrame(np.repeat(tone, channels).tobytes(), rate, channels, size)


async def stream(pitch, rate, channels=1):
    for frame in frames(pitch, rate, channels):
        yield frame


async def mixed(*streams):
    mixer = rtc.AudioMixer(RATE, 1)
    for each in streams:
        mixer.add_stream(each)
    mixer.end_input()
    done = []
    async for frame in mixer:
        assert (frame.sample_rate, frame.num_channels) == (RATE, 1)
        done.append(np.frombuffer(bytes(frame.data), np.int16))
    return np.concatenate(done)


async def main():
    pitches = np.fft.rfftfreq(BLOCK, 1 / RATE)
    for rate, channels in ((48_000, 1), (16_000, 1), (8_000, 1), (48_000, 2)):
        mix = await mixed(stream(AGENT, RATE), stream(CALLER, rate, channels))
        spectra = np.abs(np.fft.rfft(mix.reshape(-1, BLOCK) * np.hanning(BLOCK)))
        # The caller is whatever is loud and is not the agent.
        spectra[:, np.abs(pitches - AGENT) < 100] = 0
        heard = BLOCK * (spectra.max(axis=1) > 1e6).sum() / RATE
        pitch, lasts = pitches[spectra.sum(axis=0).argmax()], len(mix) / RATE
        kind = f"caller at {rate} Hz, {channels} channel{'s' if channels > 1 else ''}"
        print(f"{kind}: {heard:.1f} s of the mix have the caller, at {pitch:.0f} Hz; it lasts {lasts:.1f} s")
        faster = RATE / rate / channels
        assert pitch == CALLER * faster and abs(heard - SECONDS / faster) < 0.2
        assert lasts == max(SECONDS, SECONDS / faster)
    try:
        rtc.combine_audio_frames([next(frames(AGENT, RATE)), next(frames(CALLER, 8_000))])
        raise AssertionError("frames of two rates were combined")
    except ValueError as refused:
        print(f"frames of 48000 and 8000 Hz, combined: {refused}")


asyncio.run(main())
PY
"$folder/venv/bin/python" "$folder/seen.py"
