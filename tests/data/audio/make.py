#!/usr/bin/env python3
"""Makes the audio fixtures of tests/voxline/audio.rs, and their goldens.

    tests/data/audio/make.py        (needs ffmpeg with libopus and libmp3lame, and flite)

One second of speech by flite's `slt` voice is put into every container and coding that Voxline
reads. The golden of a fixture is ffmpeg's own decode of it (libopus for Opus): golden.tsv holds rate,
channels and frames of the whole decode, and NAME.golden.s16 its frames from 0.3 to 0.5 s as 16-bit
little-endian PCM, interleaved.

Fixtures are committed; this script is only run to make them anew.
"""

import pathlib
import struct
import subprocess
import tempfile

HERE = pathlib.Path(__file__).parent
TEXT = "Who is on the line?"


def run(*command):
    return subprocess.run([str(part) for part in command], check=True, capture_output=True).stdout


def ffmpeg(*arguments):
    return run("ffmpeg", "-hide_banner", "-v", "error", "-y", "-bitexact", *arguments)


def golden(name, rate, channels, decoder=()):
    """Keeps ffmpeg's decode of a fixture: a stretch of samples, and a line of golden.tsv."""
    pcm = ffmpeg(*decoder, "-i", HERE / name, "-f", "s16le", "-ac", channels, "-ar", rate, "-")
    frame = 2 * channels
    (HERE / f"{name}.golden.s16").write_bytes(pcm[rate * 3 // 10 * frame : rate // 2 * frame])
    return f"{name}\t{rate}\t{channels}\t{len(pcm) // frame}\n"


def make_exact(speech):
    """WAV in every coding, and FLAC, at 8 kHz."""
    for name, codec in [
        ("wav-pcm8.wav", "pcm_u8"),
        ("wav-pcm16.wav", "pcm_s16le"),
        ("wav-pcm24.wav", "pcm_s24le"),
        ("wav-pcm32.wav", "pcm_s32le"),
        ("wav-float.wav", "pcm_f32le"),
        ("wav-mulaw.wav", "pcm_mulaw"),
        ("wav-alaw.wav", "pcm_alaw"),
        ("flac.flac", "flac"),
    ]:
        ffmpeg("-i", speech, "-c:a", codec, HERE / name)
        yield golden(name, 8000, 1)
    # ffmpeg writes WAVE_FORMAT_EXTENSIBLE only where it must; 16-bit stereo in it is made by hand.
    pcm = ffmpeg("-i", speech, "-f", "s16le", "-")
    stereo = b"".join(pcm[i : i + 2] + b"\0\0" for i in range(0, len(pcm), 2))
    guid = bytes.fromhex("0100000000001000800000aa00389b71")
    fmt = struct.pack("<HHIIHHHHI", 0xFFFE, 2, 8000, 32000, 4, 16, 22, 16, 3) + guid
    chunks = b"fmt " + struct.pack("<I", len(fmt)) + fmt + b"data" + struct.pack("<I", len(stereo)) + stereo
    (HERE / "wav-extensible-stereo.wav").write_bytes(b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks)
    yield golden("wav-extensible-stereo.wav", 8000, 2)
    piped = ffmpeg("-i", speech, "-c:a", "pcm_s16le", "-f", "wav", "-")
    (HERE / "wav-streamed.wav").write_bytes(piped)
    yield golden("wav-streamed.wav", 8000, 1)


def make_lossy(wide):
    """MP3 at 22.05 kHz, and Opus in all three of its modes."""
    ffmpeg("-i", wide, "-c:a", "libmp3lame", "-b:a", "32k", "-ar", "22050", HERE / "mp3.mp3")
    yield golden("mp3.mp3", 22050, 1)
    opus, decoder = ["-c:a", "libopus", "-frame_duration"], ["-c:a", "libopus"]
    for name, ms, extra in [
        ("ogg-opus-silk-6k.ogg", 60, ["-b:a", "6k", "-application", "voip"]),
        ("ogg-opus-hybrid-24k.ogg", 20, ["-b:a", "24k", "-application", "voip", "-ar", "48000"]),
        ("ogg-opus-celt-stereo.ogg", 20, ["-b:a", "64k", "-application", "lowdelay", "-ac", "2"]),
        ("webm-opus.webm", 20, ["-b:a", "24k"]),
    ]:
        ffmpeg("-i", wide, *opus, ms, *extra, HERE / name)
        yield golden(name, 48000, 2 if "stereo" in name else 1, decoder)
    # As MediaRecorder writes: live clusters of unknown size, no duration; and one cut inside a block.
    live = ffmpeg("-i", wide, *opus, 20, "-b:a", "24k", "-f", "webm", "-live", "1", "-")
    (HERE / "webm-opus-live.webm").write_bytes(live)
    yield golden("webm-opus-live.webm", 48000, 1, decoder)
    (HERE / "webm-opus-cut.webm").write_bytes(live[: len(live) * 2 // 3])
    # A codec that is not read.
    ffmpeg("-i", wide, "-c:a", "libvorbis", "-b:a", "32k", "-ar", "16000", HERE / "ogg-vorbis.ogg")


def main():
    with tempfile.TemporaryDirectory() as scratch:
        spoken, wide, speech = (pathlib.Path(scratch) / f"{n}.wav" for n in ("spoken", "wide", "speech"))
        run("flite", "-voice", "slt", "-t", TEXT, spoken)
        ffmpeg("-i", spoken, "-t", "1", "-af", "volume=-3dB", wide)
        ffmpeg("-i", wide, "-ar", "8000", speech)
        lines = [*make_exact(speech), *make_lossy(wide)]
        (HERE / "golden.tsv").write_text("".join(lines))


if __name__ == "__main__":
    main()
