#!/usr/bin/env python3
"""Makes the HE-AAC fixtures in kinds/ of tests/voxline/high_efficiency.rs, and their goldens.

    tests/data/audio/make_high_efficiency.py ENCODER      (needs ffmpeg 5 and an encoder of HE-AAC)

ENCODER is a program around an encoder of HE-AAC, none of which is in Debian or in ffmpeg's builds there; these were made
with that of Fraunhofer's FDK. It is called `ENCODER 48000 CHANNELS he|he-v2 BITS_A_SECOND adts`, with 16-bit PCM on stdin,
and writes ADTS. A second and a half out of `enrollment_samples/signup/alice/1.flac` at 48 kHz: the core has 24 kHz. The
golden of a fixture is ffmpeg's decode of the whole: how many frames it has at 48 kHz (32 bits, little-endian), and those
from 0.3 to 0.5 s at 16 kHz in one channel, as 16-bit little-endian PCM.

    he.aac, he.m4a      nothing but the stream says that there is more than the core
    he-explicit.m4a     the configuration says so first
    he-v2.*             with parametric stereo; in MP4 the configuration says so first

Fixtures are committed; this script is only run to make them anew.
"""

import pathlib
import struct
import subprocess
import sys

HERE = pathlib.Path(__file__).parent / "kinds"
SOURCE = pathlib.Path(__file__).parents[3] / "enrollment_samples/signup/alice/1.flac"

# Object type 5 or 29, the core at 24 kHz in one channel, the whole at 48 kHz, and behind that LC, the core's own type.
EXPLICIT = {"he": bytes([0x2B, 0x09, 0x88, 0x00]), "he-v2": bytes([0xEB, 0x09, 0x88, 0x00])}


def ffmpeg(*arguments):
    command = ["ffmpeg", "-hide_banner", "-v", "error", "-y", "-bitexact", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True).stdout


def reconfigured(stored, config):
    """An MP4 of ffmpeg's, whose index is behind its packets, with another configuration of its decoder."""
    start = stored.index(b"moov")
    esds = stored.index(b"esds", start)
    info = stored.index(b"\x05\x80\x80\x80", esds) + 4
    before = stored[info]
    grown = len(config) - before
    stored = bytearray(stored[:info] + bytes([len(config)]) + config + stored[info + 1 + before :])
    for tag in (3, 4):
        stored[stored.index(bytes([tag, 0x80, 0x80, 0x80]), esds) + 4] += grown
    for box in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"mp4a", b"esds"):
        at = stored.index(box, start) - 4
        stored[at : at + 4] = struct.pack(">I", struct.unpack(">I", stored[at : at + 4])[0] + grown)
    return bytes(stored)


def keep(name):
    whole = ffmpeg("-i", HERE / name, "-f", "s16le", "-ac", 1, "-ar", 48000, "-")
    heard = ffmpeg("-i", HERE / name, "-f", "s16le", "-ac", 1, "-ar", 16000, "-")
    stretch = heard[2 * 16000 * 3 // 10 : 2 * 16000 // 2]
    (HERE / f"{name}.golden.s16").write_bytes(struct.pack("<I", len(whole) // 2) + stretch)


def main():
    for kind, channels, bits in (("he", 1, 64000), ("he-v2", 2, 48000)):
        pcm = ffmpeg("-ss", 1, "-i", SOURCE, "-t", 1.5, "-ar", 48000, "-ac", channels, "-f", "s16le", "-")
        command = [sys.argv[1], "48000", str(channels), kind, str(bits), "adts"]
        adts = subprocess.run(command, input=pcm, check=True, stdout=subprocess.PIPE).stdout
        (HERE / f"{kind}.aac").write_bytes(adts)
        plain = HERE / f"{kind}.m4a"
        ffmpeg("-i", HERE / f"{kind}.aac", "-c", "copy", plain)
        explicit = HERE / ("he-explicit.m4a" if kind == "he" else "he-v2.m4a")
        explicit.write_bytes(reconfigured(plain.read_bytes(), EXPLICIT[kind]))
        for name in {f"{kind}.aac", plain.name, explicit.name}:
            keep(name)


if __name__ == "__main__":
    main()
