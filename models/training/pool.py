"""The voices to learn from: the listed recordings, each also at other speeds (another pitch and another vocal
tract: another speaker) and morphed, and what real telephone codecs make of them."""

import io
import json
import multiprocessing
from pathlib import Path

import av
import numpy as np
import soundfile
from scipy.signal import resample_poly

from audio import RATE, load
from morph import Voice

SPEEDS = ((4, 5), (7, 8), (15, 16), (1, 1), (15, 14), (8, 7), (5, 4))  # new length / old length
CODED = 2  # coded copies of every such voice
MORPHS = 14  # voices that nobody has, of every recording


def without_pauses(samples, frame=480):
    """Speech alone, as a speech detector leaves it: frames within 32 dB of the loud ones, and their neighbours."""
    count = len(samples) // frame
    level = 10 * np.log10(np.mean(samples[: count * frame].reshape(count, frame) ** 2, axis=1) + 1e-12)
    speech = level > np.percentile(level, 95) - 32
    speech = np.convolve(speech, np.ones(5), mode="same") > 0
    return samples[: count * frame].reshape(count, frame)[speech].ravel()


def through_libav(samples, codec, bit_rate, rate=8_000, options=None, frame=160):
    """Encoded and decoded by FFmpeg's libraries, packet by packet."""
    encoder = av.CodecContext.create(codec, "w")
    encoder.sample_rate, encoder.layout, encoder.bit_rate = rate, "mono", bit_rate
    encoder.format = "flt" if codec == "libopus" else "s16"
    encoder.options = options or {}
    encoder.open()
    decoder = av.CodecContext.create({"libopus": "opus", "libopencore_amrnb": "amrnb"}.get(codec, codec), "r")
    decoder.sample_rate, decoder.layout = rate, "mono"
    if codec == "libopus":
        decoder.extradata = encoder.extradata
    size, heard = encoder.frame_size or frame, []

    def hear(packets):
        for packet in packets:
            for frame in decoder.decode(packet):
                data = frame.to_ndarray().astype(np.float32).ravel()
                if frame.format.name.startswith("s16"):
                    data /= 32_768
                heard.append(data if frame.sample_rate == rate else resample_poly(data, rate, frame.sample_rate))

    for start in range(0, len(samples) - size + 1, size):
        block = samples[start : start + size]
        if encoder.format.name == "flt":
            data = av.AudioFrame.from_ndarray(block[None].astype(np.float32), format="flt", layout="mono")
        else:
            pcm = np.clip(block * 32_767, -32_768, 32_767).astype(np.int16)
            data = av.AudioFrame.from_ndarray(pcm[None], format="s16", layout="mono")
        data.sample_rate, data.pts = rate, start
        hear(encoder.encode(data))
    hear(encoder.encode(None))
    return np.concatenate(heard)


def through_sndfile(samples, subtype, container="WAV", rate=8_000):
    """Encoded and decoded by libsndfile."""
    file = io.BytesIO()
    soundfile.write(file, np.clip(samples, -1, 1), rate, format=container, subtype=subtype)
    file.seek(0)
    return soundfile.read(file, dtype="float32")[0]


def coded(samples, random):
    """What a telephone call leaves of 16 kHz samples: one codec, at times a second one after it. Same length."""
    line = resample_poly(samples, 1, 2).astype(np.float32)
    line *= random.uniform(0.1, 0.9) / (np.abs(line).max() + 1e-9)
    for _ in range(1 + (random.random() < 0.25)):
        kind = random.choice(["gsm", "amr", "amr", "amr", "opus", "opus", "g726", "alaw", "mulaw", "g723"])
        if kind == "gsm":
            line = through_sndfile(line, "GSM610")
        elif kind == "amr":
            rate = int(random.choice([4_750, 5_900, 6_700, 7_400, 7_950, 10_200, 12_200]))
            line = through_libav(line, "libopencore_amrnb", rate)
        elif kind == "opus":
            rate = int(random.choice([6_000, 8_000, 10_000, 12_000, 16_000, 24_000]))
            line = through_libav(line, "libopus", rate, options={"application": "voip"})
        elif kind == "g726":
            line = through_sndfile(line, "G721_32", "AU")
        elif kind == "g723":
            line = through_sndfile(line, "G723_24", "AU")
        else:
            line = through_sndfile(line, "ALAW" if kind == "alaw" else "ULAW")
    heard = resample_poly(line, 2, 1)[: len(samples)]
    return np.pad(heard, (0, len(samples) - len(heard))).astype(np.float32)


def in_noise(samples, noises, random):
    """With a sound of the noise recordings around it, 8 to 35 dB below."""
    noise = noises[random.integers(len(noises))]
    noise = np.resize(np.roll(noise, random.integers(len(noise))), len(samples))
    gain = np.sqrt(np.mean(samples**2) / (np.mean(noise**2) + 1e-9)) * 10 ** (-random.uniform(8, 35) / 20)
    return samples + noise * gain


def voices_of(number, path, noises):
    """The voices made of one recording, each clean and with its coded copies. The same ones every time."""
    original, random = load(path), np.random.default_rng(number)
    for new, old in SPEEDS:
        voice = original if new == old else resample_poly(original, new, old).astype(np.float32)
        yield from finished(voice, CODED, noises, random)
    source, random = Voice(original), np.random.default_rng(1_000 + number)
    for place in range(MORPHS):
        voice = source.morphed(random)
        if voice is not None:
            yield from finished(voice, int(place % 4 == 0), noises, random)


def finished(voice, copies, noises, random):
    if random.random() < 0.6:
        voice = without_pauses(voice)
    if len(voice) < RATE * 4 or not np.isfinite(voice).all():
        return
    voice = voice / (np.abs(voice).max() + 1e-9) * 0.9
    said = [voice]
    for _ in range(copies):
        said.append(coded(in_noise(voice, noises, random) if random.random() < 0.5 else voice, random))
    yield [(samples * 32_767).astype("<i2") for samples in said]


NOISES = []  # of a worker process


def worker(noises):
    NOISES.extend(noises)


def task(job):
    number, path = job
    return number, list(voices_of(number, path, NOISES))


def build(listing, root, noises, pool, processes=2, report=print):
    """Writes all voices as `pool`.i16 (samples, end to end) and `pool`.json (whose they are and where)."""
    index, at = [], 0
    jobs = [(number, Path(root) / path) for number, path in enumerate(Path(listing).read_text().split())]
    with (
        multiprocessing.get_context("spawn").Pool(processes, worker, (noises,)) as workers,
        open(pool.with_suffix(".i16"), "wb") as samples,
    ):
        for number, voices in workers.imap(task, jobs):
            for said in voices:
                spans = []
                for part in said:
                    samples.write(part.tobytes())
                    spans.append((at, len(part)))
                    at += len(part)
                index.append({"reader": number, "clean": spans[0], "coded": spans[1:]})
            if (number + 1) % 10 == 0:
                report(f"voices of {number + 1} of {len(jobs)} recordings")
    pool.with_suffix(".json").write_text(json.dumps(index))
