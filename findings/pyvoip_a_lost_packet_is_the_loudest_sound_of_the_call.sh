#!/usr/bin/env bash
# pyVoIP 1.6.8, its newest, a telephone in pure Python, seen 2026-11-30 (Debian 12, Python 3.11, x86-64).
#
# Behaviour: what `read_audio` gives are samples of 8 bits without a sign, in which silence is 128 and 0 is full scale,
# below. Packets are laid by their RTP timestamps into an `io.BytesIO`. Where one is missing, the next is written behind
# a gap, and BytesIO fills gaps with zero bytes. So each packet that the network loses is 20 ms at full scale, negative:
# with one in 50 lost the whole call is 14 dB louder, though 2 % of it are missing. A telephone that sends nothing while
# its user listens, as RFC 3551 allows, makes each pause full scale from end to end, 30 dB over the voice. Only where
# the reader runs ahead of what came does pyVoIP give 128. There is no error. Issues of the repository tell of much
# noise (148 and 159, both open); the cause was found in none.
#
# What one would have guessed: silence, or the last packet once more, and 128 where nothing came, as the package itself
# has it a few lines further up. On the same machine, or in an office, no packet is lost and nothing is seen of it. On a
# mobile network a caller has bangs in every sentence; a detector of speech by energy finds the pauses, and not the
# voice; what is brought to a common peak stays as quiet as it was; and where pauses are not sent, a quarter and more of
# what goes into a voiceprint is a constant.
#
# Output seen:
#   PCMU, all packets came: level -31.0 dB, voice -29.7 dB, pauses -45.6 dB, 0.0 % of the samples at full scale
#   PCMU, one in 50 lost: level -16.8 dB, voice -16.8 dB, pauses -17.0 dB, 2.0 % of the samples at full scale
#   PCMU, pauses not sent: level -5.6 dB, voice -29.7 dB, pauses 0.0 dB, 27.3 % of the samples at full scale
#   PCMA, all packets came: level -31.0 dB, voice -29.7 dB, pauses -45.1 dB, 0.0 % of the samples at full scale
#   PCMA, one in 50 lost: level -16.8 dB, voice -16.8 dB, pauses -17.0 dB, 2.0 % of the samples at full scale
#   PCMA, pauses not sent: level -5.6 dB, voice -29.7 dB, pauses 0.0 dB, 27.3 % of the samples at full scale
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 pyVoIP==1.6.8
cat >"$folder/seen.py" <<'PY'
import struct

import numpy as np
from pyVoIP.RTP import PayloadType, RTPClient, TransmitType

RATE, SECONDS, PACKET = 8_000, 11, 160
time = np.arange(SECONDS * RATE) / RATE
# A voice's harmonics in syllables of a quarter of a second, two seconds of every three, on a quiet line.
phase = 2 * np.pi * (150 * time + 3 * np.sin(2 * np.pi * 0.7 * time))
voice = 0.06 * sum(np.sin(k * phase + k) / k for k in range(1, 12)) * (0.5 + 0.5 * np.sin(2 * np.pi * 4 * time))
talks = time % 3 < 2
call = np.round(32767 * (voice * talks + np.random.default_rng(1).normal(0, 0.001, len(time)))).astype(int)
KINDS = {0: PayloadType.PCMU, 8: PayloadType.PCMA}


def linear(code, kind):
    """A code of G.711 as a sample of 16 bits."""
    if kind == 0:
        code = ~code & 0xFF
        size = (((code & 0x0F) << 3) + 0x84 << (code >> 4 & 7)) - 0x84
        return -size if code & 0x80 else size
    code ^= 0x55
    size, segment = (code & 0x0F) << 4, code >> 4 & 7
    size = size + 8 if segment == 0 else size + 0x108 << segment - 1
    return size if code & 0x80 else -size


def coded(samples, kind):
    """Each sample as the code that is nearest to it."""
    levels = np.array([linear(code, kind) for code in range(256)])
    order = np.argsort(levels, kind="stable")
    middles = (levels[order][1:] + levels[order][:-1]) / 2
    return order[np.searchsorted(middles, samples)].astype(np.uint8).tobytes()


def heard(kind, missing):
    """What pyVoIP reads of the call, of which those packets do not come."""
    client = RTPClient({kind: KINDS[kind]}, "127.0.0.1", 0, "127.0.0.1", 0, TransmitType.RECVONLY)
    sound = coded(call, kind)
    for number in range(len(sound) // PACKET):
        if not missing(number):
            header = struct.pack("!BBHII", 0x80, kind, 100 + number, 7_000 + PACKET * number, 9)
            client.parse_packet(header + sound[PACKET * number : PACKET * (number + 1)])
    read = b"".join(client.read(PACKET, blocking=False) for _ in range(len(sound) // PACKET))
    return (np.frombuffer(read, np.uint8).astype(float) - 128) / 128


def level(samples):
    return round(float(10 * np.log10(np.square(samples).mean())), 1) + 0.0


def tell(label, kind, missing):
    samples = heard(kind, missing)
    full = (samples == -1).mean()
    voice, pauses = level(samples[talks]), level(samples[~talks])
    print(
        f"{KINDS[kind]}, {label}: level {level(samples)} dB, voice {voice} dB, pauses {pauses} dB,"
        f" {100 * full:.1f} % of the samples at full scale"
    )
    return level(samples), pauses, full


for kind in KINDS:
    plain, quiet, none = tell("all packets came", kind, lambda number: False)
    lossy, _, bangs = tell("one in 50 lost", kind, lambda number: number % 50 == 25)
    _, pauses, constant = tell("pauses not sent", kind, lambda number: PACKET * number / RATE % 3 >= 2)
    assert none == 0 and abs(bangs - 0.02) < 1e-3 and abs(constant - 3 / 11) < 1e-3
    assert lossy > plain + 14 and pauses == 0 and quiet < -40
PY
"$folder/venv/bin/python" -W ignore "$folder/seen.py"
