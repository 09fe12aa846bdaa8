#!/usr/bin/env bash
# livekit 1.2.1, LiveKit's package for Python, with the WebRTC that it brings, seen 2026-11-30 (Debian 12, Python 3.11,
# x86-64).
#
# Behaviour: `rtc.AudioProcessingModule(noise_suppression=True)` processes frames of one channel or more. Of each
# frequency it works out how much is to be taken away in each channel, and then takes the most that it found in any of
# them away in all. Of a call with a side in each channel, as recorders and carriers give it, one side is silent most of
# the time, and of what is silent all is noise. So whoever talks is turned down by 10 to 12 dB, nearly as noise is,
# while the other side listens, and comes back by 7 dB where the other side talks too. It makes no difference how loud
# the noise of the line is, or that there is none. There is no error. One channel at a time, all is right. LiveKit's
# documentation says nothing of channels. It is WebRTC's doing; of a Rust package over it, tonarino's
# webrtc-audio-processing, pull request 95 of 2026 tells it and adds a switch. LiveKit has none.
#
# What one would have guessed: that the noise of a channel is found in that channel, or that two are refused. The voices
# of a call that was cleaned so have a quarter of their height, and are hardly further above the noise than before.
# Detectors with a fixed threshold pass them over, and what is loudest is what both sides say at once, which is fit for
# nobody's voiceprint.
#
# Output seen:
#   caller at 8000 Hz, noise 0: in one channel -0.2 dB, beside a silent agent -10.0 dB, beside one who talks -4.0 dB
#   caller at 8000 Hz, noise 30: in one channel -0.2 dB, beside a silent agent -11.8 dB, beside one who talks -4.1 dB
#   caller at 8000 Hz, noise 100: in one channel -0.3 dB, beside a silent agent -11.9 dB, beside one who talks -4.5 dB
#   caller at 16000 Hz, noise 0: in one channel -0.2 dB, beside a silent agent -10.0 dB, beside one who talks -4.2 dB
#   caller at 16000 Hz, noise 30: in one channel -0.2 dB, beside a silent agent -11.4 dB, beside one who talks -4.0 dB
#   caller at 16000 Hz, noise 100: in one channel -0.2 dB, beside a silent agent -11.1 dB, beside one who talks -4.4 dB
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check livekit==1.2.1 numpy==2.4.6
cat >"$folder/seen.py" <<'PY'
import numpy as np
from livekit import rtc

TURN, TURNS, LEARNT = 4, 6, 8
dice = np.random.default_rng(1)


def voice(time, height):
    """A voice's harmonics up to where a telephone cuts them, in syllables of a quarter of a second."""
    phase = 2 * np.pi * (height * time + 3 * np.sin(2 * np.pi * 0.7 * time))
    harmonics = sum(np.sin(k * phase + k) / k for k in range(1, int(3_400 / height)))
    return 3_000 * harmonics * (0.5 + 0.5 * np.sin(2 * np.pi * 4 * time))


def suppressed(samples, rate):
    """What comes out, 10 ms at a time, of samples of a shape (time, channels)."""
    module, size = rtc.AudioProcessingModule(noise_suppression=True), rate // 100
    done = []
    for at in range(0, len(samples), size):
        frame = rtc.AudioFrame(samples[at : at + size].tobytes(), rate, samples.shape[1], size)
        module.process_stream(frame)
        done.append(np.frombuffer(bytes(frame.data), np.int16).reshape(-1, samples.shape[1]))
    return np.concatenate(done)


def level(samples):
    return 10 * np.log10(np.square(samples, dtype=np.float64).mean() + 1e-9)


for rate in (8_000, 16_000):
    time = np.arange(TURN * TURNS * rate) / rate
    learnt = time >= LEARNT
    callers_turn = time // TURN % 2 == 0
    for noise in (0, 30, 100):
        hiss = dice.normal(0, noise, (len(time), 2)) if noise else np.zeros((len(time), 2))
        caller, agent = voice(time, 120), voice(time, 210)
        turns = np.stack((caller * callers_turn, agent * ~callers_turn), axis=1) + hiss
        together = np.stack((caller, agent), axis=1) + hiss
        changed = []
        for call in (turns[:, :1], turns, together):
            call = np.round(call).astype(np.int16)
            chosen = learnt & callers_turn
            changed.append(level(suppressed(call, rate)[chosen, 0]) - level(call[chosen, 0]))
        alone, silent, talking = changed
        print(
            f"caller at {rate} Hz, noise {noise}: in one channel {alone:.1f} dB,"
            f" beside a silent agent {silent:.1f} dB, beside one who talks {talking:.1f} dB"
        )
        assert alone > -1 and silent < -9 and talking > silent + 4
        chosen = learnt & ~callers_turn
        call = np.round(turns).astype(np.int16)
        as_agent = level(suppressed(call, rate)[chosen, 1]) - level(call[chosen, 1])
        assert as_agent < -9
# By itself the module leaves two channels as they are.
plain = rtc.AudioProcessingModule()
frame = rtc.AudioFrame(call[:160].tobytes(), 16_000, 2, 160)
plain.process_stream(frame)
assert bytes(frame.data) == call[:160].tobytes()
PY
"$folder/venv/bin/python" "$folder/seen.py"
