#!/usr/bin/env python3
"""Makes every recording in this folder from script.toml: `python3 enrollment_samples/make.py`.

Needs numpy and the Debian packages listed in README.md. The same package versions give the same
samples, byte for byte: all noise comes from a generator seeded with the name of the file. The clips
themselves are committed, so nobody needs this script to build, test or run Voxline.
"""

import shutil
import struct
import subprocess
import sys
import tempfile
import tomllib
import zlib
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).resolve().parent
TELEPHONE_RATE = 8_000
SIGNUP_RATE = 16_000
# A signup is recorded in a quiet room: the noise is 55 dB below the speech (and FLAC stays small).
SIGNUP_LEVEL_DBFS = -28.0
ROOM_NOISE_DBFS = -83.0
TOOLS = ("sox", "flite", "text2wave", "espeak-ng")


def main():
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        sys.exit(f"not installed: {', '.join(missing)}; README.md lists the Debian packages")
    script = tomllib.loads((FOLDER / "script.toml").read_text())
    check_against_manifest(script)
    for name, clips in script["signup"].items():
        for index, says in enumerate(clips, start=1):
            make_signup(f"signup/{name}/{index}.flac", script["voice"][name], says)
    for call in script["call"]:
        make_call(call, script["voice"])


def check_against_manifest(script):
    """The manifest and the script must name the same files, or a program would test the wrong thing."""
    manifest = tomllib.loads((FOLDER / "manifest.toml").read_text())
    promised = {clip for user in manifest["user"] for clip in user["signup"]}
    promised |= {call["file"] for call in manifest["call"]}
    made = {f"signup/{name}/{i + 1}.flac" for name, clips in script["signup"].items() for i in range(len(clips))}
    made |= {call["file"] for call in script["call"]}
    if promised != made:
        sys.exit(f"manifest.toml and script.toml differ in: {', '.join(sorted(promised ^ made))}")


def make_signup(file, voice, says):
    speech = at_level(speak(voice, says, SIGNUP_RATE), SIGNUP_LEVEL_DBFS)
    pause = np.zeros(int(0.25 * SIGNUP_RATE))
    speech = np.concatenate([pause, speech, pause])
    speech += gain(ROOM_NOISE_DBFS) * noise_source(file).standard_normal(len(speech))
    path = FOLDER / file
    path.parent.mkdir(parents=True, exist_ok=True)
    pcm = np.round(np.clip(speech, -1, 1) * 32767).astype("<i2").tobytes()
    raw = ["-t", "raw", "-r", str(SIGNUP_RATE), "-e", "signed", "-b", "16", "-c", "1", "-"]
    # Without the comment SoX would add, so that the file depends on the samples alone.
    run(["sox", "-D", *raw, "-C", "8", "--comment", "", str(path)], pcm)
    report(file, len(speech) / SIGNUP_RATE)


def make_call(call, voices):
    """Through the line: handset colouring, the telephone band, line noise, the level, mu-law."""
    if "says" in call:
        speech = speak(voices[call["voice"]], call["says"], TELEPHONE_RATE)
        speech = at_level(telephone_band(speech, call["tilt_db"]), call["level_dbfs"])
        before = np.zeros(int(call["lead_s"] * TELEPHONE_RATE))
        after = np.zeros(int(call.get("tail_s", 0.6) * TELEPHONE_RATE))
        signal = np.concatenate([before, speech, after])
        noise_dbfs = call["level_dbfs"] - call["snr_db"]
    else:
        signal = tones(call)
        noise_dbfs = call["noise_dbfs"]
    noise = telephone_band(noise_source(call["file"]).standard_normal(len(signal)), tilt_db=-6.0)
    signal = signal + noise * gain(noise_dbfs) / rms(noise)
    path = FOLDER / call["file"]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(mulaw_wav(mulaw_encode(signal)))
    report(call["file"], len(signal) / TELEPHONE_RATE)


def speak(voice, says, rate):
    """The voice's mono samples at `rate`, silence at both ends cut off."""
    with tempfile.TemporaryDirectory() as folder:
        wav = f"{folder}/speech.wav"
        match voice["engine"]:
            case "flite":
                stretch = ["--setf", f"duration_stretch={voice.get('stretch', 1.0)}"]
                run(["flite", "-voice", voice["voice"], *stretch, "-t", says, "-o", wav])
            case "festival":
                text = says.encode(voice["charset"])
                run(["text2wave", "-eval", f"({voice['voice']})", "-o", wav, "-"], text)
            case "espeak-ng":
                speed = str(voice["words_per_minute"])
                run(["espeak-ng", "-v", voice["voice"], "-s", speed, "-w", wav, says])
        # 6 dB down before resampling: a diphone voice can reach full scale and overshoot.
        raw = ["-t", "raw", "-e", "float", "-b", "32", "-c", "1", "-"]
        pcm = run(["sox", "-D", "-v", "0.5", wav, *raw, "rate", "-v", str(rate)])
    samples = np.frombuffer(pcm, "<f4").astype(np.float64)
    loud = np.flatnonzero(np.abs(samples) > 0.01 * np.abs(samples).max())
    return samples[loud[0] : loud[-1] + 1]


def telephone_band(samples, tilt_db):
    """300 to 3400 Hz with soft edges; `tilt_db` is the gain at 3400 Hz over that at 300 Hz, straight between."""
    hertz = np.fft.rfftfreq(len(samples), 1 / TELEPHONE_RATE)
    rise = np.clip((hertz - 230) / 100, 0, 1)
    fall = np.clip((3_600 - hertz) / 300, 0, 1)
    octaves = np.log2(np.maximum(hertz, 100) / 1_000) / np.log2(3_400 / 300)
    shape = np.sin(rise * np.pi / 2) ** 2 * np.sin(fall * np.pi / 2) ** 2 * gain(tilt_db * octaves)
    return np.fft.irfft(np.fft.rfft(samples) * shape, len(samples))


def tones(call):
    """Call progress and keypad tones: each a sum of sines with 5 ms ramps, on silence."""
    signal = np.zeros(int(call["seconds"] * TELEPHONE_RATE))
    for start, seconds, level_dbfs, frequencies in call.get("tones", []):
        time = np.arange(int(seconds * TELEPHONE_RATE)) / TELEPHONE_RATE
        ramp = np.clip(np.minimum(time, seconds - time) / 0.005, 0, 1)
        tone = sum(np.sin(2 * np.pi * hertz * time) for hertz in frequencies)
        first = int(start * TELEPHONE_RATE)
        signal[first : first + len(time)] += gain(level_dbfs) * ramp * tone
    return signal


def at_level(samples, dbfs):
    """Scaled so that the speech itself (20-ms frames within 30 dB of the loudest) has this RMS."""
    frame = 160
    power = (samples[: len(samples) // frame * frame].reshape(-1, frame) ** 2).mean(axis=1)
    speech = power[power > power.max() / 1_000]
    return samples * gain(dbfs) / np.sqrt(speech.mean())


def mulaw_encode(samples):
    """ITU-T G.711 mu-law, from the nearest 16-bit values; 14-bit magnitude, bias 33 (132 at 16 bits)."""
    pcm = np.round(np.clip(samples, -1, 1) * 32767).astype(np.int32)
    magnitude = np.minimum(np.abs(pcm), 32_635) + 132
    exponent = np.floor(np.log2(magnitude)).astype(np.int32) - 7
    mantissa = (magnitude >> (exponent + 3)) & 0x0F
    sign = np.where(pcm < 0, 0x80, 0)
    return (~(sign | (exponent << 4) | mantissa) & 0xFF).astype(np.uint8).tobytes()


def mulaw_wav(data):
    """RIFF WAVE, format tag 7: an 18-byte `fmt ` chunk and the `fact` chunk a non-PCM format needs."""
    fmt = struct.pack("<HHIIHHH", 7, 1, TELEPHONE_RATE, TELEPHONE_RATE, 1, 8, 0)
    fact = struct.pack("<I", len(data))
    body = b"WAVE" + chunk(b"fmt ", fmt) + chunk(b"fact", fact) + chunk(b"data", data)
    return chunk(b"RIFF", body)


def chunk(name, body):
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def noise_source(file):
    return np.random.Generator(np.random.PCG64(zlib.crc32(file.encode())))


def gain(decibels):
    return 10 ** (decibels / 20)


def rms(samples):
    return np.sqrt((samples**2).mean())


def run(command, stdin=None):
    done = subprocess.run(command, input=stdin, capture_output=True)
    if done.returncode != 0:
        sys.exit(f"{command[0]} failed: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def report(file, seconds):
    print(f"{file}\t{seconds:.1f} s\t{(FOLDER / file).stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
