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
    ("float.au", 8000, 1, ["-t", "0.6", "-c:a", "pcm_f32be"], []),
    ("alaw.au", 8000, 1, ["-t", "0.6", "-c:a", "pcm_alaw"], []),
    ("g722.au", 16000, 1, ["-t", "0.6", "-c:a", "g722"], []),
    ("float.aifc", 8000, 1, ["-t", "0.6", "-c:a", "pcm_f32be", "-f", "aiff"], []),
    ("mulaw.aifc", 8000, 1, ["-t", "0.6", "-c:a", "pcm_mulaw", "-f", "aiff"], []),
    ("alaw.aifc", 8000, 1, ["-t", "0.6", "-c:a", "pcm_alaw", "-f", "aiff"], []),
    ("alaw.caf", 8000, 1, ["-t", "0.6", "-c:a", "pcm_alaw"], []),
    ("flac.mka", 8000, 1, ["-t", "0.6", "-c:a", "flac", "-f", "matroska"], []),
    # Without a header: whoever sends them says what they are.
    ("raw.g722", 16000, 1, ["-c:a", "g722", "-f", "g722"], ["-f", "g722"]),
    ("raw.mulaw", 8000, 1, ["-t", "0.6", "-c:a", "pcm_mulaw", "-f", "mulaw"], ["-f", "mulaw", "-ar", "8000"]),
    ("raw.alaw", 8000, 1, ["-t", "0.6", "-c:a", "pcm_alaw", "-f", "alaw"], ["-f", "alaw", "-ar", "8000"]),
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


def frames_of(adts):
    """The frames of AAC in ADTS, without their headers."""
    while adts:
        size = (adts[3] & 3) << 11 | adts[4] << 3 | adts[5] >> 5
        yield adts[7 if adts[1] & 1 else 9 : size]
        adts = adts[size:]


def make_caf(name, rate):
    """AAC in CAF as Core Audio writes it, which ffmpeg only reads: its encoder's frames, the first of them priming."""
    frames = list(frames_of((HERE / "aac.aac").read_bytes()))
    priming, remainder = 1024, 500
    valid = 1024 * len(frames) - priming - remainder
    config = bytes([2 << 3 | 8 >> 1, (8 & 1) << 7 | 1 << 3])

    def descriptor(tag, body):
        return bytes([tag, 0x80, 0x80, 0x80, len(body)]) + body

    decoder = descriptor(4, bytes([0x40, 0x14, 0, 0x18, 0, 0, 0, 0x7D, 0, 0, 0, 0x7D, 0]) + descriptor(5, config))
    cookie = descriptor(3, bytes(3) + decoder + descriptor(6, bytes([2])))
    sizes = b"".join(bytes([len(frame) >> 7 | 0x80, len(frame) & 0x7F]) for frame in frames)

    def chunk(kind, body):
        return kind + struct.pack(">q", len(body)) + body

    (HERE / name).write_bytes(
        b"caff\0\x01\0\0"
        + chunk(b"desc", struct.pack(">d4sIIIII", rate, b"aac ", 2, 0, 1024, 1, 0))
        + chunk(b"kuki", cookie)
        + chunk(b"pakt", struct.pack(">qqii", len(frames), valid, priming, remainder) + sizes)
        + chunk(b"data", bytes(4) + b"".join(frames))
    )
    pcm = ffmpeg("-i", HERE / name, "-f", "s16le", "-")
    assert len(pcm) == 2 * 1024 * len(frames), "ffmpeg gives the priming too"
    return keep(name, pcm[2 * priming :][: 2 * valid], rate, 1)


def make_sphere(name):
    """A-law in SPHERE, which neither sox nor ffmpeg writes."""
    stored = (HERE / "raw.alaw").read_bytes()
    fields = [f"sample_count -i {len(stored)}", "sample_n_bytes -i 1", "channel_count -i 1", "sample_rate -i 8000",
              "sample_coding -s4 alaw", "end_head"]
    header = "\n".join(["NIST_1A", "   1024", *fields, ""]).encode()
    (HERE / name).write_bytes(header.ljust(1024) + stored)
    return golden(name, 8000, 1)


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
    lines += [make_caf("aac.caf", 16000), make_sphere("alaw.sph")]
    (HERE / "golden.tsv").write_text("".join(lines))


if __name__ == "__main__":
    main()
