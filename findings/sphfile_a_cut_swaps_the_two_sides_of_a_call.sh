#!/usr/bin/env bash
# sphfile 1.0.3 over NumPy 2.2.6, and the libsndfile in soundfile 0.14.0 to write and read, seen 2026-11-29 (Debian 12,
# Python 3.11, x86-64). From NumPy 2.3 on `write_wav` ends in an error, for it calls `tostring`; `time_range` does not.
#
# Behaviour: `SPHFile.write_wav(file, start, stop)` and `time_range` cut a SPHERE file, the format of telephone speech
# corpora, by seconds. They multiply seconds, rate and channels and drop the fraction, so that a cut begins at a whole
# sample but not at a whole frame. Where the number is odd, a cut of a call with a side in each channel begins with the
# second side's sample: caller and called party change places, all through the WAV file, and there is no error. It
# happens to half of the starts that a detector gives, and to each hundredth one of two decimals, as transcripts have
# them: 2.01 s is 32159.999… samples. Of files in µ-law, which the README names as the encoding that is supported, the
# codes are written as linear samples of 8 bits: digital silence is then nearly at full scale.
#
# What one would have guessed: that a cut lies a sample early or late at worst, and that a channel stays a channel.
# Whoever enrolls speakers by a list of segments has the other party's voice under some of the names, and some of the
# targets in a list of trials are none. Who listens to it hears two sound voices.
#
# Output seen:
#   whole file: caller left, agent right
#   from 2.00 s: caller left, agent right
#   from 2.01 s: agent left, caller right
#   swapped, of all starts in 5 minutes by hundredths: 1.0 %
#   swapped, of 10000 starts anywhere: 49.9 %
#   whole file in µ-law: written as PCM_U8, silence is read as 0.99
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pinned=(sphfile==1.0.3 numpy==2.2.6 soundfile==0.14.0)
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "${pinned[@]}"
cat >"$folder/seen.py" <<'PY'
import random
import sys
import warnings

import numpy as np
import soundfile
from sphfile import SPHFile

# `tostring` was deprecated before it went.
warnings.simplefilter("ignore", DeprecationWarning)
RATE = 8_000
MINUTES = 5
CALLER, AGENT = 100, 200
NAMES = {CALLER: "caller", AGENT: "agent"}
folder = sys.argv[1]
call = np.empty((MINUTES * 60 * RATE, 2), np.int16)
call[:] = CALLER, AGENT
soundfile.write(f"{folder}/call.sph", call, RATE, format="NIST", subtype="PCM_16")
assert soundfile.info(f"{folder}/call.sph").channels == 2
sphere = SPHFile(f"{folder}/call.sph")


def sides(label, *times):
    sphere.write_wav(f"{folder}/cut.wav", *times)
    cut, rate = soundfile.read(f"{folder}/cut.wav", dtype="int16")
    assert rate == RATE and all((channel == channel[0]).all() for channel in cut.T)
    left, right = (NAMES[int(sample)] for sample in cut[0])
    print(f"{label}: {left} left, {right} right")
    return left, right


def swapped(label, starts):
    first = [sphere.time_range(start, start + 0.1)[0] for start in starts]
    share = np.mean(np.array(first) == AGENT)
    print(f"swapped, of {label}: {100 * share:.1f} %")
    return share


seen = [sides("whole file"), sides("from 2.00 s", 2.00, 5.00), sides("from 2.01 s", 2.01, 5.00)]
assert seen == [("caller", "agent"), ("caller", "agent"), ("agent", "caller")]
hundredths = [at / 100 for at in range(MINUTES * 60 * 100 - 100)]
assert 0.005 < swapped(f"all starts in {MINUTES} minutes by hundredths", hundredths) < 0.02
dice = random.Random(1)
anywhere = [dice.uniform(0, MINUTES * 60 - 1) for _ in range(10_000)]
assert 0.48 < swapped("10000 starts anywhere", anywhere) < 0.52

lines = ["NIST_1A", "   1024", "channel_count -i 2", f"sample_count -i {RATE}", f"sample_rate -i {RATE}"]
lines += ["sample_n_bytes -i 1", "sample_byte_format -s1 1", "sample_coding -s4 ulaw", "end_head", ""]
with open(f"{folder}/quiet.sph", "wb") as quiet:
    quiet.write("\n".join(lines).encode().ljust(1024) + b"\xff" * (2 * RATE))
assert np.abs(soundfile.read(f"{folder}/quiet.sph")[0]).max() == 0
SPHFile(f"{folder}/quiet.sph").write_wav(f"{folder}/quiet.wav")
kind, silence = soundfile.info(f"{folder}/quiet.wav").subtype, soundfile.read(f"{folder}/quiet.wav")[0]
print(f"whole file in µ-law: written as {kind}, silence is read as {silence[0, 0]:.2f}")
assert kind == "PCM_U8" and silence.min() > 0.99
PY
"$folder/venv/bin/python" "$folder/seen.py" "$folder"
