#!/usr/bin/env bash
# FFmpeg 9.0.2 as imageio-ffmpeg 0.8.1 brings it, and the libsndfile in soundfile 0.14.0 (1.2.2), seen 2026-11-30
# (Debian 12, Python 3.11, x86-64).
#
# Behaviour: in G.726 coder and decoder each keep a predictor, which both have to correct by the same arithmetic, to the
# bit. Neither of the two does it as the recommendation has it. FFmpeg lets the six coefficients of zeros lose a 256th
# of themselves at each sample, which at 40 kbit/s is to be a 512th; and in the mix of the fast and the slow step it
# keeps six bits of the slow one that are to be dropped. libsndfile leaves out the rounding of a product (a comment in
# its source says that it could see no reason for it and that the codec is better without). What either codes, it
# decodes well, so that a test there and back shows nothing. What FFmpeg decodes of others' 40 kbit/s, and others of
# FFmpeg's, is noise as loud as the voice; all else loses 2 to 25 dB. Exit codes and logs say nothing, nor does either
# documentation or an issue that was found.
#
# What one would have guessed: that a codec of a standard is that codec, or is documented not to be. G.726 is spoken by
# telephones at home (DECT, Fritz!Box), exchanges, voice mail and recorders. Calls at 40 kbit/s, the best of its rates,
# come in as noise, and of the others the voiceprint depends on which of the two has read the file.
#
# The script holds a codec that was written by the recommendation. Its codes, and its samples of them, are those of
# SpanDSP 0.0.6 to the bit at the three rates (compared by hand). With FFmpeg's two changes it has FFmpeg's samples, and
# with libsndfile's one libsndfile's.
#
# Output seen:
#   voice at 24 kbit/s, signal to noise in dB
#     coded by standard: by standard 22.7, by FFmpeg 20.7, by libsndfile 14.9
#     coded by FFmpeg: by standard 16.1, by FFmpeg 22.2, by libsndfile 12.5
#     coded by libsndfile: by standard 11.5, by FFmpeg 11.1, by libsndfile 23.0
#     the standard, changed as FFmpeg is, has its samples: True
#     the standard, changed as libsndfile is, has its samples: True
#   voice at 32 kbit/s, signal to noise in dB
#     coded by standard: by standard 30.8, by FFmpeg 25.5, by libsndfile 13.9
#     coded by FFmpeg: by standard 27.8, by FFmpeg 30.9, by libsndfile 13.0
#     coded by libsndfile: by standard 11.5, by FFmpeg 11.6, by libsndfile 30.9
#     the standard, changed as FFmpeg is, has its samples: True
#     the standard, changed as libsndfile is, has its samples: True
#   voice at 40 kbit/s, signal to noise in dB
#     coded by standard: by standard 36.7, by FFmpeg 1.4, by libsndfile 13.3
#     coded by FFmpeg: by standard -0.3, by FFmpeg 36.3, by libsndfile 2.9
#     coded by libsndfile: by standard 12.2, by FFmpeg 1.7, by libsndfile 36.8
#     the standard, changed as FFmpeg is, has its samples: True
#     the standard, changed as libsndfile is, has its samples: True
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pinned=(imageio-ffmpeg==0.8.1 numpy==2.4.6 soundfile==0.14.0)
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "${pinned[@]}"
cat >"$folder/seen.py" <<'PY'
import io
import subprocess

import imageio_ffmpeg
import numpy as np
import soundfile

RATE = 8_000
SECONDS = 3
# By bits of a code: libsndfile's name, and the number by which a file of Sun's, .au, has it.
OF_SUN = {3: ("G723_24", 25), 4: ("G721_32", 23), 5: ("G723_40", 26)}
# By bits of a code: the decision levels, and for each magnitude the quantizer's output, the scale factor's multiplier
# and the speed control's weight (ITU-T G.726, tables 2 to 8).
TABLES = {
    3: ((8, 218, 331), (-2048, 135, 273, 373), (-4, 30, 137, 582), (0, 1, 2, 7)),
    4: (
        (-124, 80, 178, 246, 300, 349, 400),
        (-2048, 4, 135, 213, 273, 323, 373, 425),
        (-12, 18, 41, 64, 112, 198, 355, 1122),
        (0, 0, 0, 1, 1, 1, 3, 7),
    ),
    5: (
        (-122, -16, 68, 139, 198, 250, 298, 339, 378, 413, 445, 475, 502, 528, 553),
        (-2048, -66, 28, 104, 169, 224, 274, 318, 358, 395, 429, 459, 488, 514, 539, 566),
        (14, 14, 24, 39, 40, 41, 58, 100, 141, 179, 219, 280, 358, 440, 529, 696),
        (0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 3, 4, 5, 6, 6),
    ),
}


def floating(magnitude, negative):
    """FLOATA and FLOATB: a sign, four bits of exponent, six of mantissa."""
    exponent = magnitude.bit_length()
    return (exponent << 6) + ((magnitude << 6) >> exponent if magnitude else 32) - (1024 if negative else 0)


class Standard:
    """One direction of a call in G.726, after the block diagrams of the recommendation."""

    rounding = 48

    def __init__(self, bits):
        self.bits, self.leak = bits, 9 if bits == 5 else 8
        self.levels, self.outputs, self.multipliers, self.weights = TABLES[bits]
        self.fast, self.slow, self.short, self.long, self.speed, self.tone = 544, 34_816, 0, 0, 0, False
        self.poles, self.zeros, self.signs = [0] * 2, [0] * 6, [False] * 2
        self.differences, self.samples = [32] * 6, [32] * 2

    def predict(self):
        zeros = sum(map(self.product, self.zeros, self.differences))
        self.of_zeros = zeros >> 1
        self.estimate = zeros + sum(map(self.product, self.poles, self.samples)) >> 1
        self.step = self.mixed(self.slow >> 6, min(self.speed >> 2, 64))

    def product(self, coefficient, sample):
        """FMULT: a coefficient by a sample in floating form."""
        coefficient >>= 2
        magnitude = coefficient if coefficient > 0 else -coefficient & 0x1FFF
        exponent = magnitude.bit_length() - 6
        mantissa = magnitude >> exponent if exponent >= 0 else magnitude << -exponent if magnitude else 32
        mantissa = mantissa * (sample & 63) + self.rounding >> 4
        exponent += (sample >> 6 & 15) - 13
        result = mantissa << exponent & 0x7FFF if exponent >= 0 else mantissa >> -exponent
        return -result if (coefficient < 0) != (sample < 0) else result

    def mixed(self, slow, weight):
        """MIX: the part is cut off towards zero."""
        part = (self.fast - slow) * weight
        return slow + (part >> 6 if part > 0 else part + 63 >> 6)

    def encode(self, sample):
        self.predict()
        difference = (sample >> 2) - self.estimate
        magnitude = abs(difference)
        exponent = (magnitude >> 1).bit_length()
        logarithm = (exponent << 7) + (magnitude << 7 >> exponent & 127) - (self.step >> 2)
        code = sum(level <= logarithm for level in self.levels)
        code = (1 << self.bits) - 1 - code if difference < 0 or code == 0 else code
        self.update(code)
        return code

    def decode(self, code):
        self.predict()
        return min(max(self.update(code) << 2, -32_768), 32_767)

    def update(self, code):
        negative = bool(code >> (self.bits - 1))
        place = (1 << self.bits) - 1 - code if negative else code
        logarithm = self.outputs[place] + (self.step >> 2)
        magnitude = (128 + (logarithm & 127) << 7) >> (14 - (logarithm >> 7 & 15)) if logarithm >= 0 else 0
        difference = -magnitude if negative else magnitude
        sample = self.estimate + difference
        change = self.of_zeros + difference
        whole, part = self.slow >> 15, self.slow >> 10 & 31
        threshold = 31 << 10 if whole > 9 else (32 + part) << whole
        transition = self.tone and magnitude > threshold + (threshold >> 1) >> 1
        self.fast = min(max(self.step + ((self.multipliers[place] << 5) - self.step >> 5), 544), 5_120)
        self.slow += self.fast + (-self.slow >> 6)
        sign, second = change < 0, 0
        if transition:
            self.poles, self.zeros = [0] * 2, [0] * 6
        else:
            first, second = self.poles
            turned = sign != self.signs[0]
            second -= second >> 7
            if change:
                by_first = first if turned else -first
                second += -256 if by_first < -8_191 else 255 if by_first > 8_191 else by_first >> 5
                second = min(max(second + (-128 if sign != self.signs[1] else 128), -12_288), 12_288)
            first += -(first >> 8) + ((-192 if turned else 192) if change else 0)
            self.poles = [min(max(first, second - 15_360), 15_360 - second), second]
            for at, zero in enumerate(self.zeros):
                correction = 128 if negative == (self.differences[at] < 0) else -128
                self.zeros[at] = zero - (zero >> self.leak) + (correction if magnitude else 0)
        self.differences = [floating(magnitude, negative), *self.differences[:5]]
        self.samples = [floating(abs(sample), sample < 0), self.samples[0]]
        self.signs = [sign, self.signs[0]]
        self.tone = not transition and second < -11_776
        weight = self.weights[place] << 9
        self.short += weight - self.short >> 5
        self.long += (weight << 2) - self.long >> 7
        uneven = self.step < 1_536 or self.tone or abs((self.short << 2) - self.long) >= self.long >> 3
        self.speed = 256 if transition else self.speed + ((512 if uneven else 0) - self.speed >> 4)
        return sample


class LikeLibsndfile(Standard):
    rounding = 0


class LikeFFmpeg(Standard):

    def __init__(self, bits):
        super().__init__(bits)
        self.leak = 8

    def mixed(self, slow, weight):
        return self.slow + (self.fast - slow) * weight >> 6


def standard_codes(samples, bits):
    """Packed as RFC 3551 has it, the first code in the lowest bits."""
    coder = Standard(bits)
    packed = sum(coder.encode(int(sample)) << bits * at for at, sample in enumerate(samples))
    return packed.to_bytes(len(samples) * bits // 8, "little")


def standard_samples(codes, bits, kind=Standard):
    decoder, packed = kind(bits), int.from_bytes(codes, "little")
    each = [packed >> bits * at & (1 << bits) - 1 for at in range(len(codes) * 8 // bits)]
    return np.array([decoder.decode(code) for code in each], np.int16)


def ffmpeg(given, *arguments):
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "warning", *arguments, "-"]
    ended = subprocess.run(command, input=given, capture_output=True, check=True)
    assert "error" not in ended.stderr.decode().lower()
    return ended.stdout


def ffmpeg_codes(samples, bits):
    raw = ("-f", "s16le", "-ar", str(RATE), "-ac", "1", "-i", "-")
    return ffmpeg(samples.tobytes(), *raw, "-c:a", "g726le", "-b:a", f"{8 * bits}k", "-f", "g726le")


def ffmpeg_samples(codes, bits):
    coded = ("-f", "g726le", "-code_size", str(bits), "-ar", str(RATE), "-i", "-")
    return np.frombuffer(ffmpeg(codes, *coded, "-f", "s16le"), "<i2")


def libsndfile_codes(samples, bits):
    written = io.BytesIO()
    soundfile.write(written, samples, RATE, format="AU", subtype=OF_SUN[bits][0])
    return written.getvalue()[-len(samples) * bits // 8 :]


def libsndfile_samples(codes, bits):
    header = b".snd" + b"".join(number.to_bytes(4, "big") for number in (24, len(codes), OF_SUN[bits][1], RATE, 1))
    return soundfile.read(io.BytesIO(header + codes), dtype="int16")[0]


def signal_to_noise(decoded):
    assert len(decoded) == len(voice)
    noise = decoded.astype(np.float64) - voice
    return 10 * np.log10(np.square(voice, dtype=np.float64).mean() / np.square(noise).mean())


time = np.arange(SECONDS * RATE) / RATE
# A voice's harmonics, syllables of a quarter of a second, and the noise of a line.
pitch = 2 * np.pi * (150 * time + 3 * np.sin(2 * np.pi * 0.7 * time))
voice = sum(np.sin(k * pitch + k) / k for k in range(1, 12)) * (1 + 0.8 * np.sin(2 * np.pi * 4 * time))
voice = np.round(800 * voice + np.random.default_rng(1).normal(0, 8, len(time))).astype("<i2")
CODERS = {"standard": standard_codes, "FFmpeg": ffmpeg_codes, "libsndfile": libsndfile_codes}
DECODERS = {"standard": standard_samples, "FFmpeg": ffmpeg_samples, "libsndfile": libsndfile_samples}
for bits in (3, 4, 5):
    print(f"voice at {8 * bits} kbit/s, signal to noise in dB")
    codes = {name: code(voice, bits) for name, code in CODERS.items()}
    assert len(set(map(len, codes.values()))) == 1
    samples = {(coder, name): decode(codes[coder], bits) for coder in CODERS for name, decode in DECODERS.items()}
    found = {pair: signal_to_noise(decoded) for pair, decoded in samples.items()}
    for coder in CODERS:
        print(f"  coded by {coder}: {', '.join(f'by {name} {found[coder, name]:.1f}' for name in DECODERS)}")
    own = [found[name, name] for name in CODERS]
    assert max(own) - min(own) < 2
    for name, kind in (("FFmpeg", LikeFFmpeg), ("libsndfile", LikeLibsndfile)):
        same = all(np.array_equal(standard_samples(codes[at], bits, kind), samples[at, name]) for at in CODERS)
        print(f"  the standard, changed as {name} is, has its samples: {same}")
        assert same and min(found[name, "standard"], found["standard", name]) < own[0] - 1
    if bits == 5:
        mixed = [noise for (coder, name), noise in found.items() if (coder == "FFmpeg") != (name == "FFmpeg")]
        assert len(mixed) == 4 and max(mixed) < 5
PY
"$folder/venv/bin/python" "$folder/seen.py"
