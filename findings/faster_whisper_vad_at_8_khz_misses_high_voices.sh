#!/usr/bin/env bash
# faster-whisper 1.2.1 with the Silero VAD that it brings, seen 2026-11-29 (Debian 12, Python 3.11, x86-64).
#
# Behaviour: `faster_whisper.vad.get_speech_timestamps(audio, sampling_rate=8000)` takes the rate for pads, pauses and
# lengths only. The model gets the 8 kHz samples as if they were 16 kHz: speech at double speed and double pitch. It has
# no input for a rate. With a low voice all looks well, and the times are right. The higher the voice, the less of it is
# found, down to nearly nothing; the same recording, brought to 16 kHz first, is found whole, however high. There is no
# error and no warning. The docstring has "Sampling rate of the audio" and no word of which. (`WhisperModel` uses 16 kHz
# throughout and is not concerned.)
#
# What one would have guessed: that a rate is taken or refused. Silero's own function of this name, which this one is
# adapted from, takes 8000, and `decode_audio` of the same package gives any rate that is asked for. In telephone calls
# it is high voices that are cut out, so women and children most, before anything that comes after can notice: figures
# of who speaks for how long are wrong by sex, and some people's enrollment never has enough speech.
#
# The speech is espeak-ng's: one voice and one text, with nothing but the pitch changed. "As 16 kHz" is the recording of
# 8 kHz, resampled.
#
# Output seen:
#   pitch about 163 Hz: of 7.8 s, speech at 8 kHz 7.7 s, as 16 kHz 7.7 s, recorded at 16 kHz 7.7 s
#   pitch about 195 Hz: of 7.8 s, speech at 8 kHz 3.6 s, as 16 kHz 7.7 s, recorded at 16 kHz 7.7 s
#   pitch about 235 Hz: of 7.8 s, speech at 8 kHz 2.9 s, as 16 kHz 7.7 s, recorded at 16 kHz 7.7 s
#   pitch about 296 Hz: of 7.8 s, speech at 8 kHz 0.6 s, as 16 kHz 7.6 s, recorded at 16 kHz 7.7 s
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pinned=(faster-whisper==1.2.1 ctranslate2==4.8.5 onnxruntime==1.32.0 av==18.1.0 numpy==2.4.6 espeakng-loader==0.2.4)
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "${pinned[@]}"
cat >"$folder/seen.py" <<'PY'
import ctypes
import sys
import wave

import espeakng_loader
import numpy as np
from faster_whisper.audio import decode_audio
from faster_whisper.vad import VadOptions, get_speech_timestamps

TEXT = (
    b"Hello, this is a call about the order that I made last Tuesday. Could you please tell me when it is going to "
    b"arrive? I would like to be at home."
)
RETRIEVAL, PITCH, UTF8 = 1, 3, 1
OPTIONS = VadOptions(min_silence_duration_ms=300, speech_pad_ms=30)
folder = sys.argv[1]
espeak = ctypes.CDLL(espeakng_loader.get_library_path())
rate = espeak.espeak_Initialize(RETRIEVAL, 0, espeakng_loader.get_data_path().encode(), 0)
spoken = []


@ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
def keep(samples, count, _events):
    if samples and count > 0:
        spoken.append(np.ctypeslib.as_array(samples, (count,)).copy())
    return 0


def write(name, samples, its_rate):
    with wave.open(f"{folder}/{name}", "wb") as file:
        file.setparams((1, 2, its_rate, 0, "NONE", ""))
        file.writeframes(samples.astype("<i2").tobytes())
    return f"{folder}/{name}"


def say(pitch):
    spoken.clear()
    # Its breath is noise.
    espeak.espeak_ng_SetRandSeed(ctypes.c_long(1))
    assert espeak.espeak_SetParameter(PITCH, pitch, 0) == 0
    assert espeak.espeak_Synth(TEXT, len(TEXT) + 1, 0, 0, 0, UTF8, None, None) == 0
    espeak.espeak_Synchronize()
    return write("said.wav", np.concatenate(spoken), rate)


def pitch_of(audio):
    """The median over frames of 40 ms of where the autocorrelation peaks, between 80 and 400 Hz."""
    frames = audio[: len(audio) // 320 * 320].reshape(-1, 320)
    loud = frames[np.std(frames, axis=1) > np.std(audio)]
    peaks = [np.argmax(np.correlate(one, one, "full")[319 + 20 : 319 + 101]) + 20 for one in loud]
    return 8_000 / np.median(peaks)


def found(audio, its_rate):
    return sum(one["end"] - one["start"] for one in get_speech_timestamps(audio, OPTIONS, its_rate)) / its_rate


espeak.espeak_SetSynthCallback(keep)
assert espeak.espeak_SetVoiceByName(b"en+f2") == 0
shares = []
for setting in (30, 50, 70, 90):
    said = say(setting)
    narrow = decode_audio(said, sampling_rate=8_000)
    call = write("call.wav", 32_767 * narrow, 8_000)
    each = [found(narrow, 8_000), found(decode_audio(call), 16_000), found(decode_audio(said), 16_000)]
    whole = len(narrow) / 8_000
    texts = [f"{at} {seconds:.1f} s" for at, seconds in zip(("at 8 kHz", "as 16 kHz", "recorded at 16 kHz"), each)]
    print(f"pitch about {pitch_of(narrow):.0f} Hz: of {whole:.1f} s, speech {', '.join(texts)}")
    shares.append([seconds / whole for seconds in each])
shares = np.array(shares)
assert shares[:, 1:].min() > 0.9
assert shares[0, 0] > 0.9 and shares[-1, 0] < 0.25 and (np.diff(shares[:, 0]) < 0).all()
PY
HOME="$folder" ORT_DISABLE_TELEMETRY=1 "$folder/venv/bin/python" "$folder/seen.py" "$folder"
