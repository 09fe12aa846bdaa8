#!/usr/bin/env bash
# symphonia 0.6.1 (symphonia-format-isomp4), the Rust library of audio formats, seen 2026-11-30 (Debian 12, Rust 1.95, x86-64).
#
# Behaviour: an MP4 file says by its edit list (ISO/IEC 14496-12, 8.6.6) which part of a track is shown; whoever trims a
# recording without coding it again leaves the rest in the file. Symphonia parses the list and goes by none of it: all that
# lies in the file is decoded, with time stamps that count from the file's first packet, and nothing that the reader gives tells
# which part is shown. Issue 544 of the repository asks for the list for the sake of gapless music.
#
# What one would have guessed: that a memo of six seconds, trimmed to two of them, is two seconds long, as it is for FFmpeg
# (imageio-ffmpeg 0.6.0 brings 7.0.2). Here a service hears what somebody had cut out: the voice of the other person in the
# room is enrolled with theirs, and what was not to be said is kept.
#
# Output seen:
#   shown by the edit list: 2.0 s of 6.0 s, a tone of 1000 Hz between two of 400 Hz
#   FFmpeg decodes 2.03 s, of them 0.02 s at 400 Hz
#   Symphonia decodes 6.08 s, of them 4.0 s at 400 Hz
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet imageio-ffmpeg==0.6.0 numpy==2.3.4
cat >"$folder/make.py" <<'PY'
"""A memo of six seconds whose edit list shows the middle two; what FFmpeg makes of it."""

import struct
import subprocess
import sys

import imageio_ffmpeg
import numpy

FFMPEG, RATE = imageio_ffmpeg.get_ffmpeg_exe(), 16000
folder = sys.argv[1]
second = numpy.arange(2 * RATE) / RATE
tones = [numpy.sin(2 * numpy.pi * hertz * second) for hertz in (400, 1000, 400)]
samples = (0.3 * 32767 * numpy.concatenate(tones)).astype("<i2").tobytes()
raw = ["-f", "s16le", "-ar", str(RATE), "-ac", "1"]
subprocess.run([FFMPEG, "-v", "error", *raw, "-i", "-", "-c:a", "aac", "-b:a", "64k", f"{folder}/memo.m4a"], input=samples, check=True)

# The one entry of the list that FFmpeg wrote is made to show two seconds from the third on: one of version 0 has, behind
# its version and the number of entries, the length in the movie's time scale and the start in the track's.
memo = bytearray(open(f"{folder}/memo.m4a", "rb").read())
at = memo.index(b"elst")
assert struct.unpack_from(">II", memo, at + 4) == (0, 1)
length, start = struct.unpack_from(">Ii", memo, at + 12)
struct.pack_into(">Ii", memo, at + 12, length // 3, start + 2 * RATE)
open(f"{folder}/memo.m4a", "wb").write(memo)
print("shown by the edit list: 2.0 s of 6.0 s, a tone of 1000 Hz between two of 400 Hz")

decoded = subprocess.run([FFMPEG, "-v", "error", "-i", f"{folder}/memo.m4a", *raw, "-"], capture_output=True, check=True).stdout
heard = numpy.frombuffer(decoded, "<i2")


def is_low(piece):
    spectrum = numpy.abs(numpy.fft.rfft(piece))
    return numpy.argmax(spectrum) * RATE / len(piece) < 700


low = sum(is_low(heard[i : i + 320]) for i in range(0, len(heard) - 320, 320)) * 320 / RATE
print(f"FFmpeg decodes {len(heard) / RATE:.2f} s, of them {low:.2f} s at 400 Hz")
PY
"$folder/venv/bin/python" "$folder/make.py" "$folder" >"$folder/seen"
mkdir "$folder/src"
cat >"$folder/Cargo.toml" <<'TOML'
[package]
name = "memo"
version = "0.0.0"
edition = "2021"

[dependencies]
symphonia = { version = "=0.6.1", default-features = false, features = ["isomp4", "aac"] }
TOML
cat >"$folder/src/main.rs" <<'RUST'
use std::fs::File;

use symphonia::core::codecs::audio::AudioDecoderOptions;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, TrackType};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::MetadataOptions;

const RATE: usize = 16_000;

/// Whether a piece is nearer to 400 Hz than to 1000: how often it crosses zero.
fn is_low(piece: &[f32]) -> bool {
    let crossings = piece.windows(2).filter(|two| (two[0] < 0.0) != (two[1] < 0.0)).count();
    crossings * RATE / (2 * piece.len()) < 700
}

fn main() {
    let file = File::open(std::env::args().nth(1).expect("a file")).expect("the memo");
    let stream = MediaSourceStream::new(Box::new(file), MediaSourceStreamOptions::default());
    let mut reader = symphonia::default::get_probe()
        .probe(&Hint::new(), stream, FormatOptions::default(), MetadataOptions::default())
        .expect("an MP4 file");
    let track = reader.default_track(TrackType::Audio).expect("a track");
    let (id, params) = (track.id, track.codec_params.as_ref().and_then(|params| params.audio()).expect("audio"));
    let mut decoder = symphonia::default::get_codecs()
        .make_audio_decoder(params, &AudioDecoderOptions::default())
        .expect("AAC");
    let (mut samples, mut first) = (Vec::new(), None);
    while let Some(packet) = reader.next_packet().expect("a packet") {
        if packet.track_id == id {
            first.get_or_insert(packet.pts);
            let decoded = decoder.decode(&packet).expect("sound");
            let before = samples.len();
            samples.resize(before + decoded.samples_interleaved(), 0.0f32);
            decoded.copy_to_slice_interleaved(&mut samples[before..]);
        }
    }
    let loud = |piece: &&[f32]| piece.iter().any(|sample| sample.abs() > 0.1);
    let low = samples.chunks_exact(320).filter(loud).filter(|piece| is_low(piece)).count();
    assert!(first.is_some_and(|at| at.get() == 0), "{first:?}");
    println!(
        "Symphonia decodes {:.2} s, of them {:.1} s at 400 Hz",
        samples.len() as f64 / RATE as f64,
        (low * 320) as f64 / RATE as f64
    );
}
RUST
CARGO_TARGET_DIR="$folder/target" cargo run --quiet --release --manifest-path "$folder/Cargo.toml" -- "$folder/memo.m4a" >>"$folder/seen"
cat "$folder/seen"
diff "$folder/seen" - <<'SEEN'
shown by the edit list: 2.0 s of 6.0 s, a tone of 1000 Hz between two of 400 Hz
FFmpeg decodes 2.03 s, of them 0.02 s at 400 Hz
Symphonia decodes 6.08 s, of them 4.0 s at 400 Hz
SEEN
