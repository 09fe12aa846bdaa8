"""What may happen to a voice between a mouth and the service, drawn anew for every training example."""

import io

import av
import numpy as np
import soundfile
from scipy.signal import lfilter, resample_poly

RATE = 16_000


def level(samples):
    return np.sqrt(np.mean(samples**2)) + 1e-9


def shaped(samples, gain, rate):
    """Through a zero-phase filter: `gain` is a function from frequencies in Hz to factors."""
    spectrum = np.fft.rfft(samples)
    return np.fft.irfft(spectrum * gain(np.fft.rfftfreq(len(samples), 1 / rate)), len(samples)).astype(np.float32)


def edges(low, high, steep_low, steep_high):
    """Band edges in Hz as raised cosines that are `steep` Hz wide."""

    def gain(hertz):
        rise = np.clip((hertz - low) / steep_low + 0.5, 0, 1)
        fall = np.clip((high - hertz) / steep_high + 0.5, 0, 1)
        return np.sin(rise * np.pi / 2) ** 2 * np.sin(fall * np.pi / 2) ** 2

    return gain


def handset(random):
    """A smooth response, some 5 dB up and down over the octaves; at times with one resonance of a small case."""
    knots = random.standard_normal(9) * random.uniform(1, 5)
    peak, width, height = random.uniform(500, 3_400), random.uniform(80, 500), random.uniform(0, 8)

    def gain(hertz):
        place = np.clip(np.log2(np.maximum(hertz, 60) / 60) / np.log2(8_000 / 60) * 8, 0, 8)
        decibels = np.interp(place, np.arange(9), knots) + height * np.exp(-(((hertz - peak) / width) ** 2))
        return 10 ** (decibels / 20)

    return gain


def in_room(samples, random, rooms):
    """A measured room, or a direct sound before an exponentially dying tail (Polack 1988)."""
    if random.random() < 0.3:
        response = rooms[random.integers(len(rooms))][: RATE // 2]
        start = int(np.argmax(np.abs(response)))
        response = response[max(0, start - 8) :]
    else:
        length = RATE // 2
        decay, near = random.uniform(0.1, 0.9), random.uniform(-2, 14)
        response = random.standard_normal(length) * np.exp(-6.9 * np.arange(length) / RATE / decay)
        response[: int(RATE * random.uniform(0.001, 0.008))] = 0
        response *= 10 ** (-near / 20) / (np.linalg.norm(response) + 1e-9)
        response[0] = 1
    size = len(samples) + len(response)
    spectrum = np.fft.rfft(samples, size) * np.fft.rfft(response, size)
    return np.fft.irfft(spectrum, size)[: len(samples)].astype(np.float32)


def noise_for(length, random, noises, voices):
    """Street and house sounds, babble of two to six voices, hiss of any colour, mains hum."""
    kind = random.random()
    if kind < 0.4:
        noise = noises[random.integers(len(noises))]
        return np.resize(np.roll(noise, random.integers(len(noise))), length).astype(np.float32)
    if kind < 0.6:
        total = np.zeros(length, np.float32)
        for _ in range(random.integers(2, 7)):
            voice = voices[random.integers(len(voices))]
            start = int(random.integers(max(1, len(voice) - length)))
            total += np.resize(voice[start : start + length].astype(np.float32) / 32_768, length)
        return total
    hiss = random.standard_normal(length).astype(np.float32)
    if kind < 0.9:
        slope = random.uniform(-1.2, 0.3)  # of the power spectrum's exponent: brown, pink, white, blue
        return shaped(hiss, lambda hertz: np.maximum(hertz, 30) ** slope, RATE)
    mains = random.choice([50, 60]) * 2 * np.pi * np.arange(length) / RATE
    hum = sum(random.random() / k * np.sin(k * mains + random.uniform(0, 6)) for k in range(1, 9))
    return (hum + 0.05 * hiss).astype(np.float32)


def through_libav(samples, codec, bit_rate, options=None):
    """Encoded and decoded at 8 kHz by FFmpeg's libraries, packet by packet."""
    encoder = av.CodecContext.create(codec, "w")
    encoder.sample_rate, encoder.layout, encoder.bit_rate = 8_000, "mono", bit_rate
    encoder.format = "flt" if codec == "libopus" else "s16"
    encoder.options = options or {}
    encoder.open()
    decoder = av.CodecContext.create({"libopus": "opus", "libopencore_amrnb": "amrnb"}[codec], "r")
    decoder.sample_rate, decoder.layout = 8_000, "mono"
    if codec == "libopus":
        decoder.extradata = encoder.extradata
    size, heard = encoder.frame_size or 160, []

    def hear(packets):
        for packet in packets:
            for frame in decoder.decode(packet):
                data = frame.to_ndarray().astype(np.float32).ravel()
                if frame.format.name.startswith("s16"):
                    data /= 32_768
                heard.append(data if frame.sample_rate == 8_000 else resample_poly(data, 8_000, frame.sample_rate))

    for start in range(0, len(samples) - size + 1, size):
        block = samples[start : start + size]
        if codec == "libopus":
            frame = av.AudioFrame.from_ndarray(block[None].astype(np.float32), format="flt", layout="mono")
        else:
            pcm = np.clip(block * 32_767, -32_768, 32_767).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(pcm[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts = 8_000, start
        hear(encoder.encode(frame))
    hear(encoder.encode(None))
    return fitted(np.concatenate(heard), len(samples))


def through_sndfile(samples, subtype, container="WAV"):
    """Encoded and decoded at 8 kHz by libsndfile."""
    file = io.BytesIO()
    soundfile.write(file, np.clip(samples, -1, 1), 8_000, format=container, subtype=subtype)
    file.seek(0)
    return fitted(soundfile.read(file, dtype="float32")[0], len(samples))


def fitted(samples, length):
    samples = samples[:length]
    return np.pad(samples, (0, length - len(samples))).astype(np.float32)


def coded(line, random):
    kind = random.choice(["gsm", "amr", "amr", "amr", "opus", "g726", "alaw", "mulaw", "mulaw", "mulaw", "none"])
    if kind == "gsm":
        return through_sndfile(line, "GSM610")
    if kind == "amr":
        rate = int(random.choice([4_750, 5_900, 6_700, 7_400, 7_950, 10_200, 12_200, 12_200]))
        return through_libav(line, "libopencore_amrnb", rate)
    if kind == "opus":
        rate = int(random.choice([6_000, 8_000, 10_000, 12_000, 16_000, 24_000]))
        return through_libav(line, "libopus", rate, {"application": "voip"})
    if kind == "g726":
        return through_sndfile(line, "G721_32", "AU")
    return line if kind == "none" else through_sndfile(line, {"alaw": "ALAW", "mulaw": "ULAW"}[kind])


def with_losses(line, random):
    """Lost packets of 20 ms, one to four in a row: as silence, or as the packet before, fading."""
    line, frame, repeat = line.copy(), 160, random.random() < 0.5
    for place in np.flatnonzero(random.random(len(line) // frame) < random.uniform(0.01, 0.08)):
        for number in range(random.integers(1, 5)):
            start = (place + number) * frame
            here = line[start : start + frame]
            before = line[max(0, start - frame) : start]
            here[:] = before[: len(here)] * 0.7 if repeat and len(before) >= len(here) else 0
    return line


def upsampled(line, random):
    """8 to 16 kHz: properly, or as old tools do it, with images above 4 kHz."""
    kind = random.random()
    if kind < 0.72:
        return resample_poly(line, 2, 1).astype(np.float32)
    if kind < 0.88:
        return np.interp(np.arange(2 * len(line)) / 2, np.arange(len(line)), line).astype(np.float32)
    return np.repeat(line, 2)


def over_telephone(samples, random):
    """Narrow: eight kilohertz, a band, one codec or two, losses."""
    low = 300.0 if random.random() < 0.25 else random.uniform(50, 450)
    high = 3_400.0 if random.random() < 0.3 else random.uniform(2_700, 3_950)
    line = shaped(samples, edges(low, high, random.uniform(30, 300), random.uniform(50, 500)), RATE)
    line = resample_poly(line, 1, 2).astype(np.float32)
    line *= 10 ** (-random.uniform(0, 30) / 20) / (np.abs(line).max() + 1e-9)
    for _ in range(1 + (random.random() < 0.3)):
        line = coded(line, random)
    if random.random() < 0.15:
        line = with_losses(line, random)
    arrived = upsampled(line, random)
    if random.random() < 0.08:
        arrived = np.round(arrived / (np.abs(arrived).max() + 1e-9) * 110) / 128
    return arrived


def compressed(samples, random):
    """An automatic gain: the slow envelope is partly divided out."""
    envelope = np.sqrt(lfilter([0.002], [1, -0.998], samples**2)) + 0.02 * level(samples)
    return (samples / envelope ** random.uniform(0.3, 0.8)).astype(np.float32)


def high_passed(samples):
    """The service's own high-pass: second-order Butterworth at 70 Hz (src/samples)."""
    return lfilter(*HIGH_PASS, samples).astype(np.float32)


def _high_pass():
    from scipy.signal import butter

    return butter(2, 70, "high", fs=RATE)


HIGH_PASS = _high_pass()


def arrived(clean, random, noises, rooms, voices):
    """[samples] of a clean voice at 16 kHz -> what the service hears of it."""
    samples = clean / level(clean)
    plain = random.random() < 0.1
    if not plain:
        if random.random() < 0.25:
            samples = in_room(samples, random, rooms)
        if random.random() < 0.55:
            noise = noise_for(len(samples), random, noises, voices)
            samples = samples + noise / level(noise) * level(samples) * 10 ** (-random.uniform(8, 35) / 20)
        if random.random() < 0.5:
            samples = shaped(samples, handset(random), RATE)
        if random.random() < 0.1:
            samples = compressed(samples, random)
        if random.random() < 0.05:
            samples = np.clip(samples, *np.quantile(samples, [q := random.uniform(0.001, 0.03), 1 - q]))
        if random.random() < 0.8:
            samples = over_telephone(samples, random)
        elif random.random() < 0.6:
            samples = shaped(samples, edges(-1e3, random.uniform(3_500, 8_000), 1, random.uniform(50, 600)), RATE)
    if random.random() < 0.1:
        samples = samples + random.uniform(-0.05, 0.05) * np.abs(samples).max()  # a DC offset
    samples = high_passed(samples)
    samples = samples / (np.abs(samples).max() + 1e-9) * 10 ** (-random.uniform(0, 35) / 20)
    return samples + 1e-5 * random.standard_normal(len(samples)).astype(np.float32) * random.random()
