#!/usr/bin/env bash
# dpkt 1.9.8, with which many scripts read captures of calls, seen 2026-11-29 (Debian 12, Python 3.11, x86-64).
#
# Behaviour: `dpkt.rtp.RTP` has the bits of an RTP header that announce a header extension and padding, as `x` and `p`,
# and takes neither out. By RFC 3550 the extension stands before the payload and the padding behind it; what the class
# gives as `data` begins with the one and ends with the other. The list of sources, which may stand there as well, it
# does take out. Played as sound, the one level of 8 bytes that gateways to WebRTC send with every packet (RFC 6464)
# makes 20 ms of G.711 into 21 ms with zeros in them, and a zero is the loudest sample of µ-law. A muted line has 50
# clicks a second at full scale, and 10 s of a call last 10.5 s. There is no error, and no attribute has the payload.
#
# What one would have guessed: that the data of a parsed packet is its payload, as it is with this class where neither
# bit is set. Calls of an ordinary exchange come out right, so that nothing warns whoever tries it with those; calls
# that came by a browser have a buzz in them, all of them the same one, and are too long.
#
# Output seen:
#   plain: data 160 bytes, payload 160, 10.0 s of a muted line, loudest sample 0
#   with two sources (CSRC): data 160 bytes, payload 160, 10.0 s of a muted line, loudest sample 0
#   with an audio level: data 168 bytes, payload 160, 10.5 s of a muted line, loudest sample 32124
#   with 4 bytes of padding: data 164 bytes, payload 160, 10.2 s of a muted line, loudest sample 32124
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check dpkt==1.9.8
cat >"$folder/seen.py" <<'PY'
import struct

from dpkt.rtp import RTP

PACKETS = 500  # 10 s
MUTED = b"\xff" * 160  # 20 ms of µ-law
# One-byte header (RFC 8285): id 1, length 1, level 127, which is silence; two bytes fill the word up.
LEVEL = struct.pack("!HHBBxx", 0xBEDE, 1, 0x10, 127)


def packet(sequence, sources=(), extension=b"", padding=0):
    flags = 0x80 | (0x20 if padding else 0) | (0x10 if extension else 0) | len(sources)
    header = struct.pack("!BBHII", flags, 0, sequence, 160 * sequence, 7)
    listed = b"".join(struct.pack("!I", source) for source in sources)
    return header + listed + extension + MUTED + (bytes(padding - 1) + bytes([padding]) if padding else b"")


def linear(code):
    """A µ-law code as a sample of 16 bits (G.711)."""
    code = ~code & 0xFF
    size = (((code & 0x0F) << 3) + 0x84 << (code >> 4 & 7)) - 0x84
    return -size if code & 0x80 else size


def seen(label, **parts):
    packets = [RTP(packet(sequence, **parts)) for sequence in range(PACKETS)]
    first = packets[0]
    assert (first.version, first.pt, first.cc) == (2, 0, len(parts.get("sources", ())))
    assert (first.x, first.p) == ("extension" in parts, "padding" in parts)
    assert all(bytes(one) == packet(sequence, **parts) for sequence, one in enumerate(packets))
    sound = b"".join(one.data for one in packets)
    loudest = max(abs(linear(code)) for code in set(sound))
    lasts = f"{len(sound) / 8000:.1f} s of a muted line, loudest sample {loudest}"
    print(f"{label}: data {len(first.data)} bytes, payload {len(MUTED)}, {lasts}")
    return len(first.data), loudest


assert seen("plain") == (160, 0)
assert seen("with two sources (CSRC)", sources=(8, 9)) == (160, 0)
assert seen("with an audio level", extension=LEVEL) == (168, 32124)
assert seen("with 4 bytes of padding", padding=4) == (164, 32124)
PY
"$folder/venv/bin/python" "$folder/seen.py"
