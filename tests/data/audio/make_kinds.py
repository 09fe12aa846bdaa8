#!/usr/bin/env python3
"""Makes the fixtures in kinds/ of tests/voxline/kinds.rs, and their goldens.

    tests/data/audio/make_kinds.py      (needs ffmpeg 5 with libopus, libvorbis, libmp3lame and libgsm; sox;
                                         libopencore-amrnb.so.0)

A second and a half out of `enrollment_samples/signup/alice/1.flac` goes into every container and codec. The golden
of a fixture is another decoder's: ffmpeg's own (libopus's for Opus) or, for AMR, whose
comfort noise ffmpeg drops, that of opencore-amr. golden.tsv holds rate, channels and frames of the whole decode, and
NAME.golden.s16 its frames from 0.3 to 0.5 s as 16-bit little-endian PCM, interleaved.

Fixtures are committed; this script is only run to make them anew.
"""

import ctypes
import hashlib
import pathlib
import struct
import subprocess
import tempfile

HERE = pathlib.Path(__file__).parent / "kinds"
SOURCE = pathlib.Path(__file__).parents[3] / "enrollment_samples/signup/alice/1.flac"
SHA256 = "4c05d9e64d663f8b54d10f0c2677ff5ab6a3a9bb61aa7746ecbf073a52354857"

# Name, rate, channels, the encoder's arguments, the decoder's.
FFMPEG = [
    ("aac.m4a", 16000, 1, ["-c:a", "aac", "-aac_pns", "0", "-b:a", "32k"], []),
    ("aac-stereo.m4a", 44100, 2, ["-c:a", "aac", "-aac_pns", "0", "-b:a", "64k", "-ac", "2"], []),
    ("aac-fragments.mp4", 48000, 1, ["-c:a", "aac", "-aac_pns", "0", "-b:a", "48k", "-frag_duration", "400000",
                                    "-movflags", "empty_moov+default_base_moof"], []),
    ("opus.mp4", 48000, 1, ["-c:a", "libopus", "-b:a", "24k"], ["-c:a", "libopus"]),
    ("alac.m4a", 8000, 1, ["-c:a", "alac"], []),
    ("alac.caf", 8000, 1, ["-c:a", "alac"], []),
    ("aac.aac", 16000, 1, ["-c:a", "aac", "-aac_pns", "0", "-b:a", "32k"], []),
    ("g722.wav", 16000, 1, ["-c:a", "g722"], []),
    ("ima.wav", 8000, 1, ["-c:a", "adpcm_ima_wav"], []),
    ("ima-stereo.wav", 8000, 2, ["-c:a", "adpcm_ima_wav", "-ac", "2"], []),
    ("ms.wav", 8000, 1, ["-c:a", "adpcm_ms"], []),
    ("ms-stereo.wav", 8000, 2, ["-c:a", "adpcm_ms", "-ac", "2"], []),
    ("double.wav", 8000, 1, ["-t", "0.6", "-c:a", "pcm_f64le"], []),
    ("rf64.wav", 8000, 1, ["-t", "0.6", "-rf64", "always"], []),
    ("pcm.w64", 8000, 1, ["-t", "0.6", "-c:a", "pcm_s16le"], []),
    ("mulaw.au", 8000, 1, ["-c:a", "pcm_mulaw"], []),
    ("pcm.au", 8000, 1, ["-t", "0.6", "-c:a", "pcm_s16be"], []),
    ("pcm.aiff", 8000, 1, ["-t", "0.6", "-c:a", "pcm_s16be"], []),
    ("sowt.aifc", 8000, 1, ["-t", "0.6", "-c:a", "pcm_s16le", "-f", "aiff"], []),
    ("ima4.aifc", 8000, 1, ["-c:a", "adpcm_ima_qt", "-f", "aiff"], []),
    ("pcm.caf", 8000, 1, ["-t", "0.6", "-c:a", "pcm_s16be"], []),
    ("float.caf", 8000, 1, ["-t", "0.6", "-c:a", "pcm_f32le"], []),
    ("ima4.caf", 8000, 1, ["-c:a", "adpcm_ima_qt"], []),
    ("mulaw.caf", 8000, 1, ["-c:a", "pcm_mulaw"], []),
    ("vorbis.ogg", 16000, 1, ["-c:a", "libvorbis", "-b:a", "32k"], []),
    ("flac.ogg", 8000, 1, ["-c:a", "flac"], []),
    ("vorbis.webm", 16000, 1, ["-c:a", "libvorbis", "-b:a", "32k"], []),
    ("pcm.mka", 8000, 1, ["-t", "0.6", "-c:a", "pcm_s16le", "-f", "matroska"], []),
    ("mp3.wav", 16000, 1, ["-c:a", "libmp3lame", "-b:a", "24k"], []),
]
SOX = [
    ("gsm49.wav", ["-e", "gsm-full-rate"]),
    ("gsm.gsm", []),
    ("mulaw.sph", ["-e", "mu-law"]),
    ("pcm.sph", ["-e", "signed", "-b", "16", "trim", "0", "0.6"]),
]


def run(*command):
    return subprocess.run([str(part) for part in command], check=True, capture_output=True).stdout


def ffmpeg(*arguments):
    return run("ffmpeg", "-hide_banner", "-v", "error", "-y", "-bitexact", *arguments)


def keep(name, pcm, rate, channels):
    frame = 2 * channels
    (HERE / f"{name}.golden.s16").write_bytes(pcm[rate * 3 // 10 * frame : rate // 2 * frame])
    return f"{name}\t{rate}\t{channels}\t{len(pcm) // frame}\n"


def golden(name, rate, channels, decoder=()):
    return keep(name, ffmpeg(*decoder, "-i", HERE / name, "-f", "s16le", "-ac", channels, "-ar", rate, "-"),
                rate, channels)


def opencore(name, stored, expected):
    """AMR frames through opencore-amr's decoder, frame by frame."""
    library = ctypes.CDLL("libopencore-amrnb.so.0")
    library.Decoder_Interface_init.restype = ctypes.c_void_p
    state = ctypes.c_void_p(library.Decoder_Interface_init())
    frames = stored[6:]
    sizes = [12, 13, 15, 17, 19, 20, 26, 31, 5, 6, 5, 5, 0, 0, 0, 0]
    pcm, kinds = b"", set()
    while frames:
        kind = frames[0] >> 3 & 15
        kinds.add(kind)
        frame, frames = frames[: 1 + sizes[kind]], frames[1 + sizes[kind] :]
        out = ctypes.create_string_buffer(320)
        library.Decoder_Interface_Decode(state, frame, out, 0)
        pcm += out.raw
    assert expected <= kinds, "no comfort noise and no gaps in it"
    return keep(name, pcm, 8000, 1)


def encoded(pcm, mode, dtx):
    """AMR by opencore-amr's encoder, with or without DTX."""
    library = ctypes.CDLL("libopencore-amrnb.so.0")
    library.Encoder_Interface_init.restype = ctypes.c_void_p
    state = ctypes.c_void_p(library.Encoder_Interface_init(dtx))
    stored = b"#!AMR\n"
    for at in range(0, len(pcm) - 319, 320):
        out = ctypes.create_string_buffer(64)
        size = library.Encoder_Interface_Encode(state, mode, pcm[at : at + 320], out, 0)
        stored += out.raw[:size]
    return stored


def make_amr(speech):
    """AMR as recorders write it, and as a telephone sends it: silent where nobody speaks. 3GP by ffmpeg's muxer."""
    pcm = ffmpeg("-i", speech, "-f", "s16le", "-")
    hushed = ffmpeg("-i", speech, "-af", "volume=enable='between(t,0.25,1.1)':volume=0.001,apad=pad_dur=0.5",
                    "-f", "s16le", "-")
    for name, stored, kinds in [
        ("amr.amr", encoded(pcm, 7, 0), {7}),
        ("amr-pauses.amr", encoded(hushed, 7, 1), {8, 15}),
    ]:
        (HERE / name).write_bytes(stored)
        yield opencore(name, stored, kinds)
    stored = encoded(pcm, 4, 0)
    with tempfile.NamedTemporaryFile(suffix=".amr") as scratch:
        scratch.write(stored)
        scratch.flush()
        ffmpeg("-i", scratch.name, "-c:a", "copy", HERE / "amr.3gp")
    yield opencore("amr.3gp", stored, {4})


def main():
    assert hashlib.sha256(SOURCE.read_bytes()).hexdigest() == SHA256
    HERE.mkdir(exist_ok=True)
    lines = []
    with tempfile.TemporaryDirectory() as scratch:
        speech = pathlib.Path(scratch) / "speech.wav"
        ffmpeg("-ss", "1", "-i", SOURCE, "-t", "1.5", "-ar", "8000", speech)
        for name, rate, channels, encoder, decoder in FFMPEG:
            ffmpeg("-ss", "1", "-i", SOURCE, "-t", "1.5", "-ar", rate, *encoder, HERE / name)
            lines.append(golden(name, rate, channels, decoder))
        for name, arguments in SOX:
            options, effects = arguments, []
            if "trim" in arguments:
                options, effects = arguments[: arguments.index("trim")], arguments[arguments.index("trim") :]
            run("sox", speech, *options, HERE / name, *effects)
            lines.append(golden(name, 8000, 1))
        lines += make_amr(speech)
    (HERE / "golden.tsv").write_text("".join(lines))


if __name__ == "__main__":
    main()
