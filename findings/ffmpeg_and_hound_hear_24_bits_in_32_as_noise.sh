#!/usr/bin/env bash
# FFmpeg 9.0.2 as imageio-ffmpeg 0.8.1 brings it, and hound 3.5.1, the WAV crate for Rust, seen 2026-11-30 (Debian 12,
# Python 3.11, Rust 1.95, x86-64). The libsndfile in soundfile 0.14.0 (1.2.2) stands beside them.
#
# Behaviour: a WAV file may have samples in a container that is wider than they are (WAVE_FORMAT_EXTENSIBLE), and says
# both widths. By Microsoft's documentation the sample then stands at the upper end of the container, and the rest is
# zero, so that a reader may take all of it for the sample. FFmpeg takes the width of the sample for that of the
# container. 24 bits in 32 it takes for the floats of Cool Edit besides: as samples of 16 bits they are -1 or 0 and
# nothing else, as floats a quarter is no number. 16 bits in 32 are read as two samples of 16, and the call is twice as
# long and an octave lower, with a zero between any two; 16 in 24 and 20 in 32 come apart likewise. hound reads 24 bits
# in 32 from the lower end, so that the topmost 8 bits are lost, and says that the others are not supported. What hound
# itself writes as 24 in 32 (`new_with_spec_ex`) has the same header and the samples at the lower end, with zeros above,
# below zero too: to libsndfile that is noise, and to FFmpeg digital silence. FFmpeg exits with 0 each time; of 20 in 32
# it writes a line. Nothing was found that tells of it. (Of cpal, for Rust, pull request 1305 of 2026 does tell of the
# two ends, with a sound card on Windows that gives its samples so.)
#
# What one would have guessed: the recording, as libsndfile has it of all, or an error. What is packed tightly (16, 24,
# 32 bits) is right, and so are 20 bits in 24. Who enrols speakers from a sound card by such a recorder has prints of
# noise, of which one is much like the other, and a pipeline that goes by exit codes has nothing to say.
#
# Output seen:
#   16 bits in 16: libsndfile as recorded; FFmpeg as recorded; hound as recorded
#   24 bits in 24: libsndfile as recorded; FFmpeg as recorded; hound as recorded
#   32 bits in 32: libsndfile as recorded; FFmpeg as recorded; hound as recorded
#   20 bits in 24: libsndfile as recorded; FFmpeg as recorded; hound refused
#   16 bits in 24: libsndfile as recorded; FFmpeg 9.0 s of 6.0; hound refused
#   16 bits in 32: libsndfile as recorded; FFmpeg 12.0 s of 6.0; hound refused
#   20 bits in 32: libsndfile as recorded; FFmpeg 8.0 s of 6.0; hound refused
#   24 bits in 32: libsndfile as recorded; FFmpeg SNR -7 dB, 2 different values; hound SNR -40 dB
#   24 bits in 32, written by hound: libsndfile SNR -7 dB; FFmpeg digital silence; hound as recorded
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/src"
cat >"$folder/Cargo.toml" <<'TOML'
[package]
name = "wide"
version = "0.0.0"
edition = "2021"

[dependencies]
hound = "=3.5.1"
TOML
cat >"$folder/src/main.rs" <<'RUST'
use hound::{SampleFormat, WavReader, WavSpec, WavSpecEx, WavWriter};

/// Reads a file and writes what was read: as raw floats, or as a file of 24 bits in 32.
fn main() -> hound::Result<()> {
    let names: Vec<String> = std::env::args().skip(1).collect();
    let mut reader = WavReader::open(&names[0])?;
    let spec = reader.spec();
    let samples = reader.samples::<i32>().collect::<hound::Result<Vec<i32>>>()?;
    if names[1].ends_with(".wav") {
        let spec = WavSpec { bits_per_sample: 24, sample_format: SampleFormat::Int, ..spec };
        let wide = WavSpecEx { spec, bytes_per_sample: 4 };
        let mut writer = WavWriter::new_with_spec_ex(std::fs::File::create(&names[1])?, wide)?;
        for sample in samples {
            writer.write_sample(sample)?;
        }
        return writer.finalize();
    }
    let full = 2f32.powi(i32::from(spec.bits_per_sample) - 1);
    let raw: Vec<u8> = samples.into_iter().flat_map(|sample| (sample as f32 / full).to_le_bytes()).collect();
    Ok(std::fs::write(&names[1], raw)?)
}
RUST
cargo build --quiet --manifest-path "$folder/Cargo.toml" --target-dir "$folder/target"
python3 -m venv "$folder/venv"
pinned=(numpy==2.4.6 soundfile==0.14.0 imageio-ffmpeg==0.8.1)
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "${pinned[@]}"
cat >"$folder/seen.py" <<'PY'
import struct
import subprocess

import imageio_ffmpeg
import numpy as np
import soundfile

RATE, SECONDS = 48_000, 6
PCM = bytes.fromhex("0100000000001000800000aa00389b71")
time = np.arange(SECONDS * RATE) / RATE
# A voice's harmonics in syllables of a quarter of a second, for two of every three seconds, on a quiet line.
phase = 2 * np.pi * (150 * time + 3 * np.sin(2 * np.pi * 0.7 * time))
voice = 0.06 * sum(np.sin(k * phase + k) / k for k in range(1, 40)) * (0.5 + 0.5 * np.sin(2 * np.pi * 4 * time))
voice = voice * (time % 3 < 2) + np.random.default_rng(1).normal(0, 0.001, len(time))


def write(name, container, width):
    """The voice in samples of that width, at the upper end of such containers, by WAVEFORMATEXTENSIBLE."""
    samples = np.round(voice * 2 ** (width - 1)).astype(np.int64) << (container - width)
    data = samples.astype("<i4").view(np.uint8).reshape(-1, 4)[:, : container // 8].tobytes()
    size = container // 8
    form = struct.pack("<HHIIHHHHI", 0xFFFE, 1, RATE, RATE * size, size, container, 22, width, 4) + PCM
    chunks = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(data)) + data
    with open(name, "wb") as file:
        file.write(b"RIFF" + struct.pack("<I", len(chunks)) + chunks)


def by_libsndfile(name):
    return soundfile.read(name)[0]


def by_ffmpeg(name):
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", name, "-f", "s16le", "-"]
    done = subprocess.run(command, capture_output=True)
    assert done.returncode == 0
    return np.frombuffer(done.stdout, "<i2") / 2**15


def by_hound(name):
    if subprocess.run(["target/debug/wide", name, "read.raw"], stderr=subprocess.DEVNULL).returncode:
        return None
    return np.fromfile("read.raw", "<f4").astype(float)


def told(samples):
    if samples is None:
        return "refused"
    if len(samples) != len(voice):
        return f"{len(samples) / RATE:.1f} s of {SECONDS}.0"
    if not samples.any():
        return "digital silence"
    alike = np.dot(samples, voice) / np.dot(voice, voice) * voice
    ratio = 10 * np.log10(np.square(alike).sum() / (np.square(samples - alike).sum() + 1e-12))
    if ratio > 60:
        return "as recorded"
    values = len(np.unique(samples))
    return f"SNR {ratio:.0f} dB" + (f", {values} different values" if values < 9 else "")


def line(label, name):
    answers = [told(read(name)) for read in (by_libsndfile, by_ffmpeg, by_hound)]
    print(f"{label}: libsndfile {answers[0]}; FFmpeg {answers[1]}; hound {answers[2]}")
    return answers


right = "as recorded"
for width in (16, 24, 32):
    write("tight.wav", width, width)
    assert line(f"{width} bits in {width}", "tight.wav") == [right] * 3
for container, width, ffmpeg, hound in (
    (24, 20, right, "refused"),
    (24, 16, "9.0 s of 6.0", "refused"),
    (32, 16, "12.0 s of 6.0", "refused"),
    (32, 20, "8.0 s of 6.0", "refused"),
    (32, 24, "SNR -7 dB, 2 different values", "SNR -40 dB"),
):
    write("wide.wav", container, width)
    answers = line(f"{width} bits in {container}", "wide.wav")
    assert answers == [right, ffmpeg, hound]
write("tight.wav", 24, 24)
subprocess.run(["target/debug/wide", "tight.wav", "own.wav"], check=True)
answers = line("24 bits in 32, written by hound", "own.wav")
assert answers == ["SNR -7 dB", "digital silence", right]
PY
cd "$folder"
venv/bin/python seen.py
