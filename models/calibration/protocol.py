#!/usr/bin/env python3
"""Make the protocol that the shipped calibration is fitted on: one recording a speaker, its beginning the call.

    protocol.py ../shared/audio/train.txt --audio ../shared/audio --out calibration-train [--call-seconds 8] [--clips 3]

Each recording's first seconds are a call, what comes after them the enrolment; the two share no sample. All
speakers against all, on numbers of 6, 12, 24 and more users in turn, so that a call is held against few others and many.
`voxline calibrate --protocol calibration-train` does the rest.
"""

from itertools import islice

import protocols

SIZES = (6, 12, 24)  # users of a number; the last one has whoever is left


def rosters(users):
    """Numbers, and who is on each."""
    left = iter(users)
    groups = [list(islice(left, size)) for size in SIZES] + [list(left)]
    return {f"+1202555{number:04}": group for number, group in enumerate(groups, 100) if group}


def main():
    parser = protocols.arguments_of(__doc__)
    parser.add_argument("--call-seconds", type=float, default=8.0)
    parser.add_argument("--clips", type=int, default=1, help="cut the enrolment in so many clips, all but the last 3 s long")
    arguments = parser.parse_args()
    paths = protocols.recordings(arguments.list)
    speaker = protocols.speakers(paths)
    cuts = [arguments.call_seconds + 3 * clip for clip in range(arguments.clips)] + [3600]
    spans = [f"{start:g}\t{end:g}" for start, end in zip(cuts, cuts[1:])]
    numbers = rosters(dict.fromkeys(speaker.values()))
    of_user = {user: number for number, users in numbers.items() for user in users}
    protocols.write(
        arguments.out,
        arguments.out.name,
        f"{arguments.list.name}: one utterance each, its first {arguments.call_seconds:g} s the call, the rest the enrolment",
        arguments.audio,
        [f"max_seconds = {arguments.call_seconds}", 'condition = "phone"'],
        {
            "enroll.tsv": [f"{speaker[path]}\t{path}\t{span}" for path in paths for span in spans],
            "speakers.tsv": [f"{path}\t{speaker[path]}" for path in paths],
            "rosters.tsv": [f"{number}\t{user}" for number, users in numbers.items() for user in users],
            "search.tsv": [f"{path}\t{speaker[path]}\t{of_user[speaker[path]]}" for path in paths],
            "trials.tsv": [
                f"{speaker[model]}\t{test}\t{'target' if speaker[model] == speaker[test] else 'nontarget'}"
                for test in paths
                for model in paths
            ],
        },
    )


if __name__ == "__main__":
    main()
