#!/usr/bin/env python3
"""Makes the fixtures in streams/ of tests/voxline/carriers/hd.rs.

    tests/data/audio/make_streams.py      (needs ffmpeg 5)

`alice-1.g722` is `enrollment_samples/calls/alice-1.wav` as a carrier's call in HD would bring it: G.722 at 64 kbit/s,
octets alone. `alice-1.g722.golden.s16` is what ffmpeg's own decoder hears in its second second: 16-bit little-endian
PCM at 16 kHz.

Fixtures are committed; this script is only run to make them anew.
"""

import pathlib
import subprocess

HERE = pathlib.Path(__file__).parent / "streams"
SOURCE = pathlib.Path(__file__).parents[3] / "enrollment_samples/calls/alice-1.wav"
RATE = 16_000


def ffmpeg(*arguments):
    """Runs ffmpeg and gives what it writes."""
    command = ["ffmpeg", "-v", "error", "-bitexact", *arguments, "-"]
    return subprocess.run(command, check=True, capture_output=True).stdout


def main():
    HERE.mkdir(exist_ok=True)
    path = HERE / "alice-1.g722"
    path.write_bytes(ffmpeg("-i", str(SOURCE), "-ar", str(RATE), "-c:a", "g722", "-f", "g722"))
    heard = ffmpeg("-f", "g722", "-i", str(path), "-f", "s16le")
    (HERE / "alice-1.g722.golden.s16").write_bytes(heard[2 * RATE : 4 * RATE])


if __name__ == "__main__":
    main()
