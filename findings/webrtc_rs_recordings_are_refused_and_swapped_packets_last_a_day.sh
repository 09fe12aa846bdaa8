#!/usr/bin/env bash
# rtc-media 0.21.1, the media files of webrtc-rs, WebRTC for Rust, seen 2026-11-30 (Debian 12, Rust 1.95, Python 3.11,
# x86-64). The writer of webrtc-media 0.17.2, for the webrtc crate before, is the same but for two imports. The
# libsndfile in soundfile 0.14.0 (1.2.2) and FFmpeg 9.0.2, as imageio-ffmpeg 0.8.1 brings it, read the files.
#
# Behaviour: `OggWriter` writes a call's packets of Opus to a file. Its second page has the vendor's name,
# "WebRTC.rs", nine letters, with a length of ten. By that the header ends within a number, and libsndfile takes no
# file of this writer; nor does opusdec of opus-tools, Symphonia 0.6.1 or music-metadata 12.1.0. With the length put
# right libsndfile still takes none: a page states how many samples there are up to its end, and the first, with 960
# in it, states 1, for which a reader must turn the file down (RFC 7845, 4). With that right too, it opens. FFmpeg
# looks at neither and reads all. Nor does a page's count go back: where two packets change places, as they do in
# networks, one step back counts as a day, and the file lasts 24 h 51 min, of 10 s. The docs have no word of order,
# the examples hand packets over as they come, and no issue of webrtc-rs was found that tells of any of it.
#
# What one would have guessed: that the writer and Opus's own tools know one format, and that a packet out of place
# costs 20 ms. Who tries it with FFmpeg on a good line sees nothing. A recogniser that reads by libsndfile, as most in
# Python do, refuses every call of such a server, and one that asks FFmpeg first how long a call lasts, to make room
# for it, to bill it, or to refuse what is too long, is told a day.
#
# Output seen:
#   the call's own file: libsndfile 10.0 s, FFmpeg 00:00:10.0
#   OggWriter, in order: libsndfile refuses it, FFmpeg 00:00:10.0
#   OggWriter, two of 501 packets change places: libsndfile refuses it, FFmpeg 24:51:28.4
#   in order, the vendor has 9 letters and a length of 10; the first page of 960 states 1
#     with the length put right: libsndfile refuses it
#     with the count put right: libsndfile refuses it
#     with both put right: libsndfile 9.9 s
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pinned=(imageio-ffmpeg==0.8.1 numpy==2.4.6 soundfile==0.14.0)
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "${pinned[@]}"
mkdir "$folder/src"
cat >"$folder/Cargo.toml" <<'TOML'
[package]
name = "recorder"
version = "0.0.0"
edition = "2021"

[dependencies]
rtc-media = "=0.21.1"
rtc-rtp = "=0.21.1"
TOML
cat >"$folder/src/main.rs" <<'RUST'
use rtc_media::io::{ogg_writer::OggWriter, Writer};

/// Writes the packets of a file, each behind its length in two bytes, in the order that is given.
fn main() {
    let given: Vec<String> = std::env::args().collect();
    let bytes = std::fs::read(&given[1]).expect("packets");
    let (mut at, mut packets) = (0, Vec::new());
    while at < bytes.len() {
        let end = at + 2 + usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
        let mut packet = rtc_rtp::Packet::default();
        packet.header.version = 2;
        packet.header.sequence_number = packets.len() as u16;
        packet.header.timestamp = 100_000 + 960 * packets.len() as u32;
        packet.payload = bytes[at + 2..end].to_vec().into();
        packets.push(packet);
        at = end;
    }
    if given[3] == "swapped" {
        packets.swap(250, 251);
    }
    let file = std::fs::File::create(&given[2]).expect("a file");
    let mut writer = OggWriter::new(file, 48_000, 1).expect("a writer");
    packets.iter().for_each(|packet| writer.write_rtp(packet).expect("a packet written"));
    writer.close().expect("an end");
}
RUST
CARGO_TARGET_DIR="$folder/target" cargo build --quiet --release --manifest-path "$folder/Cargo.toml"
cat >"$folder/seen.py" <<'PY'
import pathlib
import re
import struct
import subprocess

import imageio_ffmpeg
import soundfile

FFMPEG, REFUSED = imageio_ffmpeg.get_ffmpeg_exe(), "libsndfile refuses it"


def pages(name):
    """Each page of an Ogg file (RFC 3533): its header with the table of segments, and its body."""
    data, at, found = bytearray(pathlib.Path(name).read_bytes()), 0, []
    while at < len(data):
        body = at + 27 + data[at + 26]
        end = body + sum(data[at + 27 : body])
        found.append((data[at:body], data[body:end]))
        at = end
    return found


def checked(header, body):
    header[22:26], remainder = bytes(4), 0
    for byte in header + body:
        remainder ^= byte << 24
        for _ in range(8):
            remainder = (remainder << 1 ^ (0x04C11DB7 if remainder >> 31 else 0)) & 0xFFFFFFFF
    header[22:26] = struct.pack("<I", remainder)
    return header + body


def by_libsndfile(name):
    try:
        return f"libsndfile {soundfile.info(name).duration:.1f} s"
    except soundfile.LibsndfileError:
        return REFUSED


def by_ffmpeg(name):
    told = subprocess.run([FFMPEG, "-hide_banner", "-i", name], capture_output=True, text=True).stderr
    return "FFmpeg " + re.search(r"Duration: (\d\d:\d\d:\d\d\.\d)", told).group(1)


# A call of 10 s, with a page for each packet of 20 ms; the first two pages are headers.
call = ("-f", "lavfi", "-i", "sine=400:r=48000:d=10", "-c:a", "libopus", "-page_duration", "20000")
subprocess.run([FFMPEG, "-v", "error", *call, "own.ogg"], check=True)
own = [body for _, body in pages("own.ogg")[2:]]
pathlib.Path("packets").write_bytes(b"".join(struct.pack("<H", len(packet)) + packet for packet in own))
for order in ("ordered", "swapped"):
    subprocess.run(["target/release/recorder", "packets", f"{order}.ogg", order], check=True)
for label, name, known in (
    ("the call's own file", "own.ogg", ("libsndfile 10.0 s", "FFmpeg 00:00:10.0")),
    ("OggWriter, in order", "ordered.ogg", (REFUSED, "FFmpeg 00:00:10.0")),
    (f"OggWriter, two of {len(own)} packets change places", "swapped.ogg", (REFUSED, "FFmpeg 24:51:28.4")),
):
    seen = by_libsndfile(name), by_ffmpeg(name)
    print(f"{label}: {seen[0]}, {seen[1]}")
    assert seen == known

found = pages("ordered.ogg")
tags, stated = found[1][1], struct.unpack("<Q", found[2][0][6:14])[0]
print(f"in order, the vendor has {len(tags) - 16} letters and a length of {tags[8]}; the first page of 960 states {stated}")
assert [body for _, body in found[2:-1]] == own
assert tags[12:-4] == b"WebRTC.rs" and tags[8] == 10 and stated == 1
for label, length, count in (("the length", True, False), ("the count", False, True), ("both", True, True)):
    found = pages("ordered.ogg")
    if length:
        found[1][1][8] = 9
    for header, _ in found[2:] if count else []:
        header[6:14] = struct.pack("<Q", struct.unpack("<Q", header[6:14])[0] - 1 + 960)
    pathlib.Path("mended.ogg").write_bytes(b"".join(checked(*page) for page in found))
    print(f"  with {label} put right: {by_libsndfile('mended.ogg')}")
    assert (by_libsndfile("mended.ogg") == REFUSED) != (length and count)
PY
(cd "$folder" && "$folder/venv/bin/python" "$folder/seen.py")
