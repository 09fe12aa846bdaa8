#!/usr/bin/env bash
# FFmpeg 9.0.2 as imageio-ffmpeg 0.8.1 brings it, seen 2026-11-30 (Debian 12, Python 3.11, x86-64). PyAV 18.1.0
# (libavcodec 62.28) decodes so too.
#
# Behaviour: with discontinuous transmission (`usedtx=1` of RFC 7587) an Opus encoder puts empty frames into a pause,
# packets of one byte, and a real one every 400 ms. By RFC 6716 an empty frame says that there is no data, and a decoder
# conceals it. FFmpeg's own decoder, the one it takes by itself, decodes nothing as if it had been coded, and has wrong
# energies from then on, which the next frames are told as differences to. The first 0.2 s of what is said after a pause
# come up to 20 dB louder than the voice and cut off at full scale; on quiet lines nearly half of the turns or more are
# too loud by 3 dB at least. The comfort noise between is missing besides: most of a pause is digital silence. There is
# no error and no warning, and lengths and times are right. `libopus`, in the same program, decodes all of it as it was
# said, where it is named before `-i` (`-c:a libopus`). With the empty packets taken out before, the own decoder has no
# bang either. Nothing was found that tells of it. (Issue 218 of xiph's opus is of a slight overshoot in libopus.)
#
# What one would have guessed: that a decoder which reads the packets of pauses has been tried with a pause, and that
# two decoders in one program differ by their last bits. Calls from browsers may be sent so. After FFmpeg, or what is
# built on it, a detector hears an outburst at the head of a turn, a recording that is brought to a common peak is
# turned down by the bang, and the first syllables of a turn, which an identification needs at once, are noise.
#
# Output seen (levels are of the first 0.2 s of nine turns, over those that libopus decodes):
#   line noise 3, voip at 24 kbit/s: 4 of 9 turns too loud, at most by 14.4 dB, peak 32767 for 8030
#   line noise 3, audio at 32 kbit/s: 4 of 9 turns too loud, at most by 10.6 dB, peak 24167 for 5625
#   line noise 10, voip at 24 kbit/s: 5 of 9 turns too loud, at most by 16.7 dB, peak 32768 for 7853
#   line noise 10, audio at 32 kbit/s: 9 of 9 turns too loud, at most by 17.3 dB, peak 32768 for 5721
#   line noise 30, voip at 24 kbit/s: 4 of 9 turns too loud, at most by 19.8 dB, peak 32768 for 7763
#   line noise 30, audio at 32 kbit/s: 6 of 9 turns too loud, at most by 19.8 dB, peak 32768 for 5517
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check imageio-ffmpeg==0.8.1 numpy==2.4.6
cat >"$folder/seen.py" <<'PY'
import subprocess

import imageio_ffmpeg
import numpy as np

RATE, EVERY, TURNS = 48_000, 4, 10
RAW = ("-f", "s16le", "-ar", str(RATE), "-ch_layout", "mono")
WITHOUT_EMPTY = ("-c", "copy", "-bsf:a", r"noise=drop=lt(size\,3)", "-f", "webm")
dice = np.random.default_rng(1)
time = np.arange(EVERY * TURNS * RATE) / RATE
# A voice's harmonics in syllables of a quarter of a second; two seconds of speech, two of pause.
phase = 2 * np.pi * (150 * time + 3 * np.sin(2 * np.pi * 0.7 * time))
voice = 3_000 * sum(np.sin(k * phase + k) / k for k in range(1, 20)) * (0.5 + 0.5 * np.sin(2 * np.pi * 4 * time))
voice *= time % EVERY < 2


def ffmpeg(given, *arguments):
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "warning", *arguments, "-"]
    ended = subprocess.run(command, input=given, capture_output=True, check=True)
    assert not ended.stderr, ended.stderr
    return ended.stdout


def decoded(call, *arguments):
    return np.frombuffer(ffmpeg(call, *arguments, "-f", "s16le"), "<i2").astype(np.float64)


def level(samples):
    return 10 * np.log10(np.square(samples, dtype=np.float64).mean() + 1e-9)


def turns(samples):
    """How loud the first 0.2 s of each turn are that has a pause before it."""
    return np.array([level(samples[at * EVERY * RATE :][: RATE // 5]) for at in range(1, TURNS)])


def pauses(samples):
    """The usual loudness of 20 ms in the last second of each pause but the last."""
    parts = [samples[int((at + 0.7) * EVERY * RATE) :][:RATE] for at in range(TURNS - 1)]
    return np.median([level(part) for part in np.concatenate(parts).reshape(-1, RATE // 50)])


for noise in (3, 10, 30):
    line = np.round(voice + dice.normal(0, noise, len(voice))).astype("<i2")
    for purpose, bits in (("voip", 24), ("audio", 32)):
        coder = ("-c:a", "libopus", "-application", purpose, "-b:a", f"{bits}k", "-dtx", "1", "-f", "webm")
        call = ffmpeg(line.tobytes(), *RAW, "-i", "-", *coder)
        own, known = decoded(call, "-i", "-"), decoded(call, "-c:a", "libopus", "-i", "-")
        bare = decoded(ffmpeg(call, "-i", "-", *WITHOUT_EMPTY), "-i", "-", "-af", "aresample=async=1:first_pts=0")
        louder = turns(own) - turns(known)
        print(
            f"line noise {noise}, {purpose} at {bits} kbit/s: {(louder > 3).sum()} of {len(louder)} turns too loud,"
            f" at most by {louder.max():.1f} dB, peak {np.abs(own).max():.0f} for {np.abs(known).max():.0f}"
        )
        assert len(own) == len(known) == len(line)
        assert (louder > 3).sum() >= 3 and louder.max() > 9
        assert np.abs(turns(known) - turns(line)).max() < 3 and np.abs(turns(bare) - turns(line)).max() < 3
        assert pauses(own) < 0 < pauses(known)
PY
"$folder/venv/bin/python" "$folder/seen.py"
