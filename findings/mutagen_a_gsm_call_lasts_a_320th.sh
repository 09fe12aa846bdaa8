#!/usr/bin/env bash
# mutagen 1.48.1, which tells the length of audio files without decoding them, seen 2026-11-29 (Debian 12, Python 3.11,
# x86-64). The libsndfile in soundfile 0.14.0 writes the files, tinytag 2.3.2 stands beside it.
#
# Behaviour: of a WAV file mutagen divides the bytes of the sound by the size of a block and takes what comes out for
# samples. So it is for PCM and µ-law. In GSM 06.10, in which exchanges keep voice mail and calls (Asterisk's `wav49`),
# a block is 65 bytes and holds 320 samples: `info.length` is a 320th of the seconds, and an hour is 11.25 of them. Of
# IMA's and Microsoft's ADPCM it is about a 500th at 8 kHz. Their headers say how many samples a block holds, and the
# chunk `fact` how many there are in all; mutagen reads neither. There is no error, and the docstring promises the
# length in seconds. Of GSM `info.bitrate` is 0 besides, where the header has 1625 bytes a second.
#
# What one would have guessed: the length, as tinytag has it of the same files, or none. PCM and µ-law are right, so
# that nothing warns whoever tries it with those. Where a least length guards an enrollment, nobody's voice mail is ever
# long enough; where minutes are billed, or recordings below a second thrown away, calls are lost.
#
# Output seen:
#   PCM: mutagen 60.000 s, tinytag 60.000 s, fact none
#   µ-law: mutagen 60.000 s, tinytag 60.000 s, fact 60.000 s
#   GSM 06.10: mutagen 0.188 s, tinytag 60.000 s, fact 60.000 s
#   IMA ADPCM: mutagen 0.119 s, tinytag 60.032 s, fact 60.032 s
#   Microsoft ADPCM: mutagen 0.120 s, tinytag 60.000 s, fact 60.000 s
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pinned=(mutagen==1.48.1 tinytag==2.3.2 soundfile==0.14.0 numpy==2.4.6)
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "${pinned[@]}"
cat >"$folder/seen.py" <<'PY'
import os
import struct
import sys

import numpy as np
import soundfile
from mutagen.wave import WAVE
from tinytag import TinyTag

RATE = 8_000
SECONDS = 60
os.chdir(sys.argv[1])
call = np.random.default_rng(1).normal(0, 0.05, SECONDS * RATE)


def fact(name):
    """The seconds that the chunk `fact` states, where there is one before the sound."""
    with open(name, "rb") as file:
        head = file.read().split(b"data")[0]
    at = head.find(b"fact")
    return struct.unpack_from("<I", head, at + 8)[0] / RATE if at >= 0 else None


def lengths(label, subtype):
    soundfile.write("call.wav", call, RATE, subtype=subtype)
    told, beside, stated = WAVE("call.wav").info, TinyTag.get("call.wav").duration, fact("call.wav")
    decoded = soundfile.info("call.wav").duration
    assert (told.sample_rate, told.channels) == (RATE, 1)
    assert SECONDS <= decoded < SECONDS + 0.1 and stated in (None, decoded)
    of_fact = "none" if stated is None else f"{stated:.3f} s"
    print(f"{label}: mutagen {told.length:.3f} s, tinytag {beside:.3f} s, fact {of_fact}")
    assert abs(beside - decoded) < 0.001
    return decoded / told.length, told.bitrate


assert lengths("PCM", "PCM_16") == (1, 128_000)
assert lengths("µ-law", "ULAW") == (1, 64_000)
assert lengths("GSM 06.10", "GSM610") == (320, 0)
assert lengths("IMA ADPCM", "IMA_ADPCM")[0] == 505
assert lengths("Microsoft ADPCM", "MS_ADPCM")[0] == 500
PY
"$folder/venv/bin/python" "$folder/seen.py" "$folder"
