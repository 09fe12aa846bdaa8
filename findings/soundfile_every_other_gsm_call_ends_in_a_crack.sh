#!/usr/bin/env bash
# soundfile 0.14.0 with the libsndfile in its wheel (1.2.2), seen 2026-11-30 (Debian 12, Python 3.11, x86-64). PyAV
# 18.1.0 stands beside it.
#
# Behaviour: of a WAV file in GSM 06.10, in which exchanges keep voice mail and calls (Asterisk's `wav49`), a block is
# 65 bytes and holds 320 samples. Where the number of blocks is odd, RIFF puts one byte behind the sound that is none.
# libsndfile takes it for the beginning of one more block, fills that up with what its buffer still holds or with
# whatever stands behind, and decodes it. `sf.info` and `sf.read` have 320 samples more than the file's own `fact` chunk
# says, and these 40 ms are a crack: over the end of a quiet line by 19 to 38 dB, and where a call was cut off in speech
# louder than all that was said in it in every other case, up to five times. So it is with files that soundfile itself
# writes, with those whose length counts the byte, as Asterisk writes it, and with those that have a tag behind the
# sound, which is decoded along. With an even number of blocks the file is right. There is no error and no warning.
#
# What one would have guessed: that a file is as long as it states, as FFmpeg has it, and that a pad byte is no sound. A
# test with a recording of whole seconds sees nothing: 2, 4 or 10 s are an even number of blocks. Of calls as they come
# every other one is odd. Whoever levels them by their peak makes those quieter than their twins, by up to 14 dB; a
# measure of clipping or of noise finds what nobody sent; a detector of speech or of tones has a click behind the last
# word.
#
# Output seen:
#   cut off in speech: 100 calls of an even number of blocks are as long as they state
#     100 of an odd number have 320 samples more: -33 dB, then -21 dB (-39 to -6)
#     the call's loudest sample is among them in 53, by up to 4.9 times
#   cut off in speech, length counts the pad byte: 100 calls of an even number of blocks are as long as they state
#     100 of an odd number have 320 samples more: -33 dB, then -21 dB (-39 to -6)
#     the call's loudest sample is among them in 53, by up to 4.9 times
#   cut off in speech, a tag behind: 100 calls of an even number of blocks are as long as they state
#     100 of an odd number have 320 samples more: -33 dB, then -4 dB (-5 to -4)
#     the call's loudest sample is among them in 100, by up to 5.0 times
#   quiet at the end: 100 calls of an even number of blocks are as long as they state
#     100 of an odd number have 320 samples more: -61 dB, then -30 dB (-42 to -23)
#     the call's loudest sample is among them in 0, by up to 1.0 times
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check soundfile==0.14.0 av==18.1.0 numpy==2.4.6
cat >"$folder/seen.py" <<'PY'
import io
import struct

import av
import numpy as np
import soundfile as sf

RATE, BLOCK, BYTES = 8_000, 320, 65
COUNTS = range(50, 250)


def call(blocks, ends):
    """A voice's harmonics below 2 kHz on a line with a little noise; cut off, or with half a second of the line."""
    time = np.arange(blocks * BLOCK) / RATE
    phase = 2 * np.pi * np.cumsum(130 - 20 * (time % 1)) / RATE
    voice = sum(np.sin(k * phase + k * k) / k**0.7 for k in range(1, 14))
    voice *= np.sin(np.pi * 4 * time) ** 2 * (time % 1 < 0.75)
    if ends == "quiet":
        voice *= time < time[-1] - 0.5
    return 0.2 * voice / np.abs(voice).max() + np.random.default_rng(1).normal(0, 0.001, len(voice))


def parts(data):
    at = 12
    while at + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, at)
        yield name, data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2


def part(name, body, length=None):
    return struct.pack("<4sI", name, len(body) if length is None else length) + body + b"\0" * (len(body) % 2)


def by_soundfile(blocks, ends="cut off"):
    file = io.BytesIO()
    sf.write(file, call(blocks, ends), RATE, subtype="GSM610", format="WAV")
    return file.getvalue()


def by_hand(blocks, counts_pad=False, behind=b""):
    coded = dict(parts(by_soundfile(blocks)))[b"data"]
    form = part(b"fmt ", struct.pack("<HHIIHHHH", 0x31, 1, RATE, 1_625, BYTES, 0, 2, BLOCK))
    fact = part(b"fact", struct.pack("<I", blocks * BLOCK))
    data = part(b"data", coded, len(coded) + len(coded) % 2 if counts_pad else None)
    return part(b"RIFF", b"WAVE" + form + fact + data + behind)


def level(samples):
    return 10 * np.log10(np.mean(np.square(samples)))


tag = part(b"LIST", b"INFO" + part(b"ISFT", b"exchange"))
kinds = {
    "cut off in speech": by_soundfile,
    "cut off in speech, length counts the pad byte": lambda blocks: by_hand(blocks, counts_pad=True),
    "cut off in speech, a tag behind": lambda blocks: by_hand(blocks, behind=tag),
    "quiet at the end": lambda blocks: by_soundfile(blocks, "quiet"),
}
for kind, make in kinds.items():
    right, before, crack, over = 0, [], [], []
    for blocks in COUNTS:
        data = make(blocks)
        (stated,) = struct.unpack("<I", dict(parts(data))[b"fact"])
        assert stated == blocks * BLOCK
        samples, rate = sf.read(io.BytesIO(data))
        assert rate == RATE and len(samples) == sf.info(io.BytesIO(data)).frames
        if "counts" not in kind:
            with av.open(io.BytesIO(data)) as file:
                other = np.concatenate([frame.to_ndarray().ravel() for frame in file.decode(audio=0)]) / 32_768
            assert np.array_equal(other, samples[:stated])
        if blocks % 2 == 0:
            assert len(samples) == stated
            right += 1
            continue
        assert len(samples) == stated + BLOCK
        before.append(level(samples[-2 * BLOCK : -BLOCK]))
        crack.append(level(samples[-BLOCK:]))
        over.append(np.abs(samples[-BLOCK:]).max() / np.abs(samples[:-BLOCK]).max())
    louder = sum(one > 1 for one in over)
    print(f"{kind}: {right} calls of an even number of blocks are as long as they state")
    text = f"{np.median(before):.0f} dB, then {np.median(crack):.0f} dB ({min(crack):.0f} to {max(crack):.0f})"
    print(f"  {len(crack)} of an odd number have {BLOCK} samples more: {text}")
    print(f"  the call's loudest sample is among them in {louder}, by up to {max(over):.1f} times")
    if kind == "quiet at the end":
        assert min(crack) > max(before) + 10 and np.median(crack) > np.median(before) + 20
    else:
        assert louder > 20 and max(over) > 2
PY
"$folder/venv/bin/python" "$folder/seen.py"
