#!/usr/bin/env python3
"""Make protocols that tell what cheap upsampling of a telephone call costs: the same calls, once a way.

    upsampled.py LIST.txt --audio ../shared/audio --out upsampled [--users 32] [--call-seconds 7]

LIST has one recording a reader. The first readers are enrolled on one number by what follows the call's seconds; the next ones,
a quarter as many, call and are strangers. Each call is taken to 8 kHz and mu-law, as a telephone does, and back to
16 kHz in the ways of a gateway in a hurry. `voxline bench --protocol upsampled/WAY` says how calls ended.
"""

import numpy as np
import soundfile
from scipy.signal import resample_poly

import protocols


def mulaw(samples):
    """G.711 mu-law's companding, to 8 bits and back."""
    companded = np.sign(samples) * np.log1p(255 * np.abs(samples)) / np.log(256)
    rounded = np.round(companded * 127) / 127
    return np.sign(rounded) * np.expm1(np.abs(rounded) * np.log(256)) / 255


def linear(line):
    places = np.arange(2 * len(line)) / 2
    return np.interp(places, np.arange(len(line)), line)


def noisy(line):
    hiss = np.random.default_rng(len(line)).standard_normal(2 * len(line))
    return linear(line) + hiss * 10 ** (-60 / 20)


WAYS = {
    "at-8-khz": (8_000, lambda line: line),
    "linear": (16_000, linear),
    "repeated": (16_000, lambda line: np.repeat(line, 2)),
    "linear-noise": (16_000, noisy),
    "linear-clipped": (16_000, lambda line: np.clip(2 * linear(line), -0.9, 0.9) / 2),
    "linear-8-bit": (16_000, lambda line: np.round(linear(line) * 127) / 127),
}


def main():
    parser = protocols.arguments_of(__doc__)
    parser.add_argument("--users", type=int, default=32)
    parser.add_argument("--call-seconds", type=float, default=7.0)
    arguments = parser.parse_args()
    paths = protocols.recordings(arguments.list)
    long_enough = lambda path: soundfile.info(arguments.audio / path).duration >= arguments.call_seconds + 3
    paths = list(filter(long_enough, paths))[: arguments.users + arguments.users // 4]
    speaker = protocols.speakers(paths)
    users, number = paths[: arguments.users], "+12025550100"
    for way, (rate, upsample) in WAYS.items():
        folder = arguments.out / way
        folder.mkdir(parents=True, exist_ok=True)
        calls = {}
        for path in paths:
            samples, had = soundfile.read(arguments.audio / path, dtype="float64")
            call = samples[: int(arguments.call_seconds * had)]
            line = mulaw(resample_poly(0.5 * call / np.abs(call).max(), 8_000, had))
            calls[path] = (folder / f"{speaker[path]}-call.wav").resolve()
            soundfile.write(calls[path], upsample(line), rate, subtype="PCM_16")
        protocols.write(
            folder,
            f"upsampled-{way}",
            f"telephone calls of {arguments.call_seconds:g} s, {way}",
            arguments.audio,
            ['condition = "clean"'],
            {
                "enroll.tsv": [f"{speaker[path]}\t{path}\t{arguments.call_seconds:g}\t3600" for path in users],
                "speakers.tsv": [f"{file}\t{speaker[path]}" for path in paths for file in (path, calls[path])],
                "rosters.tsv": [f"{number}\t{speaker[path]}" for path in users],
                "search.tsv": [
                    f"{calls[path]}\t{speaker[path] if path in users else '-'}\t{number}" for path in paths
                ],
                "trials.tsv": [
                    f"{speaker[model]}\t{calls[test]}\t{'target' if model == test else 'nontarget'}"
                    for test in paths
                    for model in users
                ],
            },
        )


if __name__ == "__main__":
    main()
