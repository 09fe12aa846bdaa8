#!/usr/bin/env bash
# auditok 0.5.2, which cuts recordings at their pauses, seen 2026-11-29 (Debian 12, Python 3.11, x86-64).
#
# Behaviour: samples of 8 bits in a WAV file are without a sign, and silence is 128. auditok takes files of 8 bits (what
# it cannot read, 24 bits or µ-law, it turns down) and reads these samples as signed. Silence is then -128, the loudest
# sample that there is, and the louder somebody speaks, the lower is the energy. Of a call at 8 kHz a threshold between
# the two finds the pauses and nothing else. The threshold that the package estimates by itself ("otsu") takes the
# recording as one piece of talk, "percentile" and the fixed one of 50 find nobody in it. The same call in 16 bits is
# cut rightly by all three. There is no error and no warning, and what is saved of a region sounds right, for its bytes
# go through as they are.
#
# What one would have guessed: that a width which is taken is read as WAV has it, or is turned down as others are. By
# its docstrings, energies and thresholds are to mean the same for all widths. 8 bits are what older recorders and
# announcement systems of telephone exchanges write. Who enrolls speakers by such cuts has everybody's silence, or the
# pauses with the talk and a length of speech that nobody spoke, or nothing.
#
# Output seen:
#   talk: 2.0-5.0 8.0-11.0 of 12.0 s
#   16 bits, silence is read as 0: fixed 50: 2.0-5.3 8.0-11.3; otsu: 2.0-5.2 8.0-11.2; percentile: 2.0-5.3 8.0-11.3
#   8 bits, silence is read as -128: fixed 50: nothing; otsu: 0.0-12.0; percentile: nothing
#   8 bits, a threshold between the two levels: 0.0-2.0 5.0-8.0 11.0-12.0
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check auditok==0.5.2 numpy==2.4.6
cat >"$folder/seen.py" <<'PY'
import os
import sys
import wave

import auditok
import numpy as np

RATE = 8_000
SECONDS = 12
TALK = [(2.0, 5.0), (8.0, 11.0)]
PAUSES = [(0.0, 2.0), (5.0, 8.0), (11.0, 12.0)]
os.chdir(sys.argv[1])
time = np.arange(SECONDS * RATE) / RATE
talks = sum((time >= begin) & (time < end) for begin, end in TALK)
# A voice's harmonics, syllables of a quarter of a second; between the talk digital silence.
voice = sum(np.sin(2 * np.pi * 150 * k * time + k) for k in range(1, 12)) * (1 + 0.8 * np.sin(2 * np.pi * 4 * time))
call = 0.05 * voice * talks
assert 0.5 < np.abs(call).max() < 1


def write(name, samples):
    with wave.open(name, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(samples.itemsize)
        file.setframerate(RATE)
        file.writeframes(samples.tobytes())


def found(name, **options):
    """Where it finds talk. The end has 0.3 s of pause with it unless it is told otherwise."""
    regions = auditok.split(name, max_dur=60, **options)
    return [(round(region.start, 1), round(region.end, 1)) for region in regions]


def text(spans):
    return " ".join(f"{begin}-{end}" for begin, end in spans) or "nothing"


def three(label, name):
    silence = auditok.load(name).numpy()[0, 0]
    spans = [found(name), found(name, validator="otsu"), found(name, validator="percentile")]
    shown = "; ".join(f"{way}: {text(of)}" for way, of in zip(("fixed 50", "otsu", "percentile"), spans))
    print(f"{label}, silence is read as {silence:.0f}: {shown}")
    return silence, spans


write("16.wav", np.round(call * 32_767).astype("<i2"))
write("8.wav", (np.round(call * 127) + 128).astype("u1"))
print(f"talk: {text(TALK)} of {SECONDS:.1f} s")
wide = three("16 bits", "16.wav")
narrow = three("8 bits", "8.wav")
between = found("8.wav", energy_threshold=42, max_silence=0, strict_min_dur=True)
print(f"8 bits, a threshold between the two levels: {text(between)}")

assert wide[0] == 0
for spans in wide[1]:
    assert [begin for begin, _ in spans] == [begin for begin, _ in TALK]
    assert all(end <= got <= end + 0.3 for (_, end), (_, got) in zip(TALK, spans))
assert narrow == (-128, [[], [(0.0, 12.0)], []])
assert between == PAUSES
whole = auditok.load("8.wav")
whole.save("again.wav")
with wave.open("8.wav") as before, wave.open("again.wav") as after:
    assert before.readframes(SECONDS * RATE) == after.readframes(SECONDS * RATE)
PY
"$folder/venv/bin/python" "$folder/seen.py" "$folder"
