#!/usr/bin/env python3
"""Make the protocol that the shipped calibration is fitted on: one recording a speaker, its beginning the call.

    protocol.py ../shared/audio/train.txt --audio ../shared/audio --out calibration-train [--call-seconds 8] [--clips 3]

Each recording's first seconds are a call, what comes after them the enrolment; the two share no sample. All
speakers against all, on numbers of 6, 12, 24 and more users in turn, so that a call is held against few others and many.
`voxline calibrate --protocol calibration-train` does the rest.
"""

import argparse
from itertools import islice
from pathlib import Path

SIZES = (6, 12, 24)  # users of a number; the last one has whoever is left


def rosters(users):
    """Numbers, and who is on each."""
    left = iter(users)
    groups = [list(islice(left, size)) for size in SIZES] + [list(left)]
    return {f"+1202555{number:04}": group for number, group in enumerate(groups, 100) if group}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("list", type=Path, help="recordings, one a line, in a file named SPEAKER-...")
    parser.add_argument("--audio", type=Path, required=True, help="the folder that the paths start from")
    parser.add_argument("--out", type=Path, required=True, help="the protocol's folder")
    parser.add_argument("--call-seconds", type=float, default=8.0)
    parser.add_argument("--clips", type=int, default=1, help="cut the enrolment in so many clips, all but the last 3 s long")
    arguments = parser.parse_args()
    paths = [line.strip() for line in arguments.list.read_text().splitlines() if line.strip()]
    speaker = {path: Path(path).stem.split("-")[0] for path in paths}
    arguments.out.mkdir(parents=True, exist_ok=True)
    write = lambda name, lines: (arguments.out / name).write_text("".join(f"{line}\n" for line in lines))
    write("protocol.toml", [
        f'name = "{arguments.out.name}"',
        f'description = "{arguments.list.name}: one utterance each, its first {arguments.call_seconds:g} s the call, the rest the enrolment"',
        f'audio = "{arguments.audio.resolve()}"',
        "[enroll]",
        'condition = "clean"',
        "[test]",
        f"max_seconds = {arguments.call_seconds}",
        'condition = "phone"',
    ])
    cuts = [arguments.call_seconds + 3 * clip for clip in range(arguments.clips)] + [3600]
    spans = [f"{start:g}\t{end:g}" for start, end in zip(cuts, cuts[1:])]
    write("enroll.tsv", [f"{speaker[path]}\t{path}\t{span}" for path in paths for span in spans])
    write("speakers.tsv", [f"{path}\t{speaker[path]}" for path in paths])
    numbers = rosters(dict.fromkeys(speaker.values()))
    write("rosters.tsv", [f"{number}\t{user}" for number, users in numbers.items() for user in users])
    of_user = {user: number for number, users in numbers.items() for user in users}
    write("search.tsv", [f"{path}\t{speaker[path]}\t{of_user[speaker[path]]}" for path in paths])
    write("trials.tsv", [
        f"{speaker[model]}\t{test}\t{'target' if speaker[model] == speaker[test] else 'nontarget'}"
        for test in paths
        for model in paths
    ])


if __name__ == "__main__":
    main()
