#!/usr/bin/env python3
"""Makes tests/data/audio/bad: files that must be refused, each with what the refusal must say.

    tests/data/audio/make_bad.py        (needs nothing but the fixtures beside it)

Every file that ever made the decoder panic, hang or answer nonsense belongs here, with a line in
expected.tsv: name, a tab, and a part of the message. One test plays them all.
"""

import pathlib
import random
import struct

HERE = pathlib.Path(__file__).parent
BAD = HERE / "bad"


def wav(channels=1, rate=8000, bits=16, tag=1, data=b"\0\0" * 800, claimed=None):
    block = channels * bits // 8
    fmt = struct.pack("<HHIIHH", tag, channels, rate, rate * block, block, bits)
    size = len(data) if claimed is None else claimed
    return b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0" + fmt + b"data" + struct.pack("<I", size) + data


def ogg_page(packet, flags, sequence):
    """One Ogg page (RFC 3533) of one short packet, with its checksum."""
    page = b"OggS\0" + bytes([flags]) + bytes(8) + struct.pack("<III", 7, sequence, 0) + bytes([1, len(packet)]) + packet
    crc = 0
    for byte in page:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc & 0x80000000 else 0)) & 0xFFFFFFFF
    return page[:22] + struct.pack("<I", crc) + page[26:]


def packed(*fields):
    """Values and their widths in bits, the lowest bit of each byte first, as Vorbis packs them."""
    number = width = 0
    for value, bits in fields:
        number |= value << width
        width += bits
    return number.to_bytes(-(-width // 8), "little")


def vorbis_setups():
    """Setup headers of Vorbis whose codebooks are right, and too much: three of 150 MB each (256 of them fit into 5 kB), and
    one with a word of 33 bits."""
    sync = (0x564342, 24)
    # Dimensions (the Ogg reader panics at 32 of them) and entries; in order of length: from 17 bits on, all of them; a
    # table of one value.
    large = [sync, (31, 16), (131072, 24), (1, 1), (16, 5), (131072, 18), (1, 4), (0, 64), (0, 4), (0, 1), (0, 1)]
    long_word = [sync, (1, 16), (2, 24), (1, 1), (31, 5), (1, 2), (1, 1), (0, 4)]
    books = [(2, 8), *large, *large, *large]
    return tuple(b"\x05vorbis" + packed(*setup) for setup in (books, [(0, 8), *long_word, (0, 64)]))


def vorbis_ogg(identification, setup):
    pages = (identification, b"\x03vorbis" + bytes(8) + b"\1", setup, bytes(40))
    flags = (2, 0, 0, 4)
    return b"".join(ogg_page(page, flag, number) for number, (page, flag) in enumerate(zip(pages, flags)))


def main():
    noise = random.Random(7).randbytes
    flac, ogg, webm = (
        (HERE / name).read_bytes() for name in ("flac.flac", "ogg-opus-hybrid-24k.ogg", "webm-opus.webm")
    )
    # STREAMINFO keeps the number of frames in the last 36 bits before its 16 bytes of MD5.
    hours = bytearray(flac)
    hours[21:26] = bytes([hours[21] & 0xF0]) + (2 * 3600 * 8000).to_bytes(4, "big")
    # Six channels in four streams, two of them coupled (RFC 7845 section 5.1.1.2).
    head = b"OpusHead\1\6\x38\1\x80\xbb\0\0\0\0\1\4\2\0\4\1\2\3\5"
    tags = b"OpusTags" + bytes(8)
    surround = ogg_page(head, 2, 0) + ogg_page(tags, 0, 1) + ogg_page(b"\xfc" + bytes(40), 4, 2)
    # The vendor's name has nine bytes, and says ten.
    long_vendor = ogg_page(b"OpusHead\1\1" + head[10:18] + b"\0", 2, 0)
    long_vendor += ogg_page(b"OpusTags\x0a\0\0\0WebRTC.rs\0\0\0\0", 0, 1) + ogg_page(b"\xfc" + bytes(40), 4, 2)
    books, long_word = vorbis_setups()
    vorbis = (HERE / "kinds/vorbis.webm").read_bytes()
    identification = vorbis[(start := vorbis.index(b"\x01vorbis")) : start + 30]
    start = vorbis.index(b"\x05vorbis")
    vorbis_webm = vorbis[:start] + books + vorbis[start + len(books) :]
    lying = b"RIFF\0\0\0\0WAVELIST" + struct.pack("<I", 0xFFFFFFF0) + b"INFO"
    cases = {
        "empty.wav": (b"", "empty input"),
        "text-named.wav": (b"{\"error\": \"the recording has expired\"}\n", "not audio: byte 0 begins like text"),
        "zeros.wav": (bytes(4096), "not audio: byte 0 begins with zeros"),
        "noise.wav": (b"\x07" + noise(4095), "not audio: byte 0 begins like no known file"),
        "cut-in-riff.wav": (b"RIFF\x24\0", "WAV header is broken at byte 6"),
        "cut-in-fmt.wav": (wav()[:30], "the 'fmt ' chunk has 10 bytes of at least 16"),
        "no-data.wav": (wav()[:36], "no 'data' chunk"),
        "header-only.wav": (wav(data=b""), "a header and no audio"),
        "half-a-frame.wav": (wav(data=b"\1"), "a header and no audio"),
        "lying-chunk.wav": (lying, "broken at byte 12: chunk 'LIST' claims 4294967280 bytes and 4 follow"),
        "no-channels.wav": (wav(channels=0), "states 0 channels"),
        "seven-channels.wav": (wav(channels=7, data=b"\0" * 1400), "7 channels: "),
        "too-slow.wav": (wav(rate=4000), "a sampling rate of 4000 Hz"),
        "too-fast.wav": (wav(rate=96000), "a sampling rate of 96000 Hz"),
        "no-rate.wav": (wav(rate=0), "a sampling rate of 0 Hz"),
        "g729.wav": (wav(tag=0x83), "WAV format 131 (G.729)"),
        "nan.wav": (wav(tag=3, bits=32, data=struct.pack("<3f", 0, 0.5, float("nan"))), "sample 2 is not a finite"),
        "infinite.wav": (wav(tag=3, bits=32, data=struct.pack("<2f", 0, float("inf"))), "sample 1 is not a finite"),
        "off-scale.wav": (wav(tag=3, bits=32, data=struct.pack("<2f", 0, 30000)), "full scale is 1"),
        "two-hours.flac": (bytes(hours), "2:00:00 of audio; the limit is 0:30:00"),
        "header-only.flac": (flac[:42], "FLAC header is broken within its first 42 bytes"),
        "garbage.flac": (b"fLaC" + noise(4000), "FLAC header is broken within"),
        "garbage.mp3": (b"\xff\xfb\x90\x00" + noise(4000), "MP3 header is broken within"),
        "only-a-tag.mp3": (b"ID3\x04\0\0\0\0\x07\x76" + bytes(1014), "MP3 header is broken within its first 1024 bytes"),
        "garbage.ogg": (b"OggS" + noise(4000), "Ogg header is broken within"),
        "header-only.ogg": (ogg[:200], "Ogg header is broken within its first 200 bytes"),
        "surround.ogg": (surround, "6 channels: one or two are accepted"),
        "long-vendor.ogg": (long_vendor, "a length in its comments (OpusTags, the second page) reaches beyond them"),
        "garbage.webm": (b"\x1a\x45\xdf\xa3" + noise(4000), "WebM header is broken within"),
        "header-only.webm": (webm[:200], "a header and no audio (it ends at byte 200)"),
        "vorbis-books.ogg": (vorbis_ogg(identification, books), "its Vorbis codebooks hold 4063232 numbers or more"),
        "vorbis-books.webm": (vorbis_webm, "its Vorbis codebooks hold 4063232 numbers or more"),
        "vorbis-long-word.ogg": (vorbis_ogg(identification, long_word), "codebook 0 of its Vorbis setup header is broken"),
        "movie.m4a": (b"\0\0\0\x20ftypM4A \0\0\0\0M4A mp42isom\0\0\0\0", "ends before its index (moov)"),
        "picture.wav": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "a picture"),
    }
    BAD.mkdir(exist_ok=True)
    for name, (content, _) in cases.items():
        (BAD / name).write_bytes(content)
    (BAD / "expected.tsv").write_text("".join(f"{name}\t{said}\n" for name, (_, said) in cases.items()))


if __name__ == "__main__":
    main()
