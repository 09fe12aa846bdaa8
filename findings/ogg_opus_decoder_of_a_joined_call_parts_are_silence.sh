#!/usr/bin/env bash
# ogg-opus-decoder 1.7.5 (npm), libopus for browsers and Node, seen 2026-11-30 (Debian 12, Node 20, x86-64). FFmpeg
# 9.0.2, as imageio-ffmpeg 0.8.1 brings it, makes the files and stands beside it, and so does the libsndfile in
# soundfile 0.14.0 (1.2.2).
#
# Behaviour: an Ogg file may be several that are joined end to end, each with headers of its own (RFC 3533; RFC 7845, of
# Opus, has it too). So a recorder may write that is stopped and goes on, and so does `cat`. Of a call in three parts of
# 2, 3 and 1 s, `decodeFile` gives all three, and behind them 7 s of zeros that nobody sent: 13 s. Fed as it comes in,
# by `decode` and `flush`, the call is 2, 4 or 8 s, by how the network has cut it. In pieces that are small beside a
# part it is the first part and then nothing more, whatever is fed. `errors` is empty, and `samplesDecoded` counts what
# came out. The README has no word of joined files, and no issue was found that has. soundfile reads the first part and
# takes it for the whole, in `info` too. FFmpeg has 6 s and each part where it was.
#
# What one would have guessed: all of the parts, as of one file, or an error at the second header; and that the same
# bytes are the same sound, in however many pieces. A call that was put on hold, and voice messages that were joined,
# are heard up to the first seam, and the rest is gone without a word: who speaks after it is never identified. As a
# file they are more than half silence, and what is told by seconds, such as who spoke for how long, is wrong.
#
# Output seen:
#   FFmpeg: part 1 2.0 s, part 2 3.0 s, part 3 1.0 s, zeros 0.0 s
#   soundfile: part 1 2.0 s, part 2 0.0 s, part 3 0.0 s, zeros 0.0 s
#   decodeFile: part 1 2.0 s, part 2 3.0 s, part 3 1.0 s, zeros 7.0 s
#   decode in pieces of 1000 bytes: part 1 2.0 s, part 2 0.0 s, part 3 0.0 s, zeros 0.0 s
#   decode in pieces of 9000 bytes: part 1 2.0 s, part 2 1.0 s, part 3 1.0 s, zeros 0.0 s
#   decode in one piece: part 1 2.0 s, part 2 3.0 s, part 3 1.0 s, zeros 2.0 s
#   each part by itself, in pieces of 1000 bytes: part 1 2.0 s, part 2 3.0 s, part 3 1.0 s, zeros 0.0 s
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pinned=(imageio-ffmpeg==0.8.1 numpy==2.4.6 soundfile==0.14.0)
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "${pinned[@]}"
(cd "$folder" && npm init -y >/dev/null && npm install --silent --no-audit --no-fund ogg-opus-decoder@1.7.5)
cat >"$folder/decoded.mjs" <<'JS'
import { readFileSync, writeFileSync } from 'node:fs'
import { OggOpusDecoder } from 'ogg-opus-decoder'

const [, , from, to, pieces] = process.argv
const call = new Uint8Array(readFileSync(from))
const decoder = new OggOpusDecoder()
await decoder.ready
const answers = []
if (pieces === 'file') answers.push(await decoder.decodeFile(call))
else {
  for (let at = 0; at < call.length; at += Number(pieces))
    answers.push(await decoder.decode(call.subarray(at, at + Number(pieces))))
  answers.push(await decoder.flush())
}
if (answers.some((answer) => answer.errors.length)) process.exit(1)
const heard = answers.filter((answer) => answer.samplesDecoded).map((answer) => answer.channelData[0])
writeFileSync(to, Buffer.concat(heard.map((part) => Buffer.from(part.buffer, part.byteOffset, part.byteLength))))
JS
cat >"$folder/seen.py" <<'PY'
import io
import pathlib
import subprocess

import imageio_ffmpeg
import numpy as np
import soundfile

RATE = 48_000
# A tone for each part, and how many seconds it lasts.
PARTS = ((400, 2), (700, 3), (1_000, 1))


def ffmpeg(*arguments, given=None):
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *arguments, "-"]
    return subprocess.run(command, input=given, capture_output=True, check=True).stdout


def by_ogg_opus_decoder(call, pieces):
    pathlib.Path("call.opus").write_bytes(call)
    subprocess.run(["node", "decoded.mjs", "call.opus", "call.f32", str(pieces)], check=True)
    return np.fromfile("call.f32", np.float32)


def heard(label, samples):
    """How many seconds of each part there are, and how many of zeros, by the tone in each 20 ms."""
    blocks = samples[: len(samples) // 960 * 960].reshape(-1, 960)
    zeros = np.abs(blocks).max(axis=1) < 1e-3
    tones = np.abs(np.fft.rfft(blocks)).argmax(axis=1) * 50
    chosen = [*(~zeros & (abs(tones - tone) <= 50) for tone, _ in PARTS), zeros]
    seconds = [round(0.02 * float(which.sum()), 1) for which in chosen]
    print(f"{label}:", "part 1 {} s, part 2 {} s, part 3 {} s, zeros {} s".format(*seconds))
    return seconds


each = []
for tone, length in PARTS:
    source = ("-f", "lavfi", "-i", f"sine={tone}:r={RATE}:d={length}")
    each.append(ffmpeg(*source, "-c:a", "libopus", "-b:a", "32k", "-f", "ogg"))
call = b"".join(each)
whole = [float(length) for _, length in PARTS]
known = ffmpeg("-f", "ogg", "-i", "-", "-f", "f32le", given=call)
assert heard("FFmpeg", np.frombuffer(known, np.float32)) == [*whole, 0]
assert heard("soundfile", soundfile.read(io.BytesIO(call), dtype="float32")[0]) == [2, 0, 0, 0]
assert soundfile.info(io.BytesIO(call)).duration == 2
assert heard("decodeFile", by_ogg_opus_decoder(call, "file")) == [*whole, 7]
assert heard("decode in pieces of 1000 bytes", by_ogg_opus_decoder(call, 1_000)) == [2, 0, 0, 0]
assert heard("decode in pieces of 9000 bytes", by_ogg_opus_decoder(call, 9_000))[1] < 2
assert heard("decode in one piece", by_ogg_opus_decoder(call, len(call)))[3] > 1
alone = [by_ogg_opus_decoder(part, 1_000) for part in each]
assert heard("each part by itself, in pieces of 1000 bytes", np.concatenate(alone)) == [*whole, 0]
PY
(cd "$folder" && "$folder/venv/bin/python" "$folder/seen.py")
