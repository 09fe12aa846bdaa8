#!/usr/bin/env python3
"""Put more people on a protocol's rosters: readers of a list are enrolled beside its models and never call.

    crowd.py ../shared/protocols/dev-cross-10s ../shared/audio/train.txt --out crowd [--speakers FILE | --but FILE]
    crowd.py ../shared/protocols/real-us-dev-full LIST.txt --audio ../shared/audio --on-rosters --out crowd

Each reader's utterance is an enrolment, and every test is a trial against it; the protocol's own lists stay as they
are, but that --on-rosters puts the readers on every number, so that searches are of large rosters. `voxline bench --handover` then has rosters of 20 and 100 to draw, and `voxline calibrate --trials` trials for
them. The readers may be those that a model was trained on or a calibration fitted on: they only fill rosters.
"""

import argparse
import tomllib
from pathlib import Path


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("protocol", type=Path, help="the protocol folder")
    parser.add_argument("list", type=Path, help="recordings, one a line, in a file named SPEAKER-...")
    parser.add_argument("--out", type=Path, required=True, help="the new protocol's folder")
    parser.add_argument("--speakers", type=Path, help="only these readers, one a line")
    parser.add_argument("--but", type=Path, help="all readers but these, one a line")
    parser.add_argument("--audio", type=Path, help="the folder that the list's paths start from, if not the protocol's own")
    parser.add_argument("--on-rosters", action="store_true", help="put the readers on every number")
    parser.add_argument("--max-seconds", type=float, default=0.0, help="seconds kept of each reader's utterance; 0 for all")
    arguments = parser.parse_args()
    settings = tomllib.loads((arguments.protocol / "protocol.toml").read_text())
    names = lambda path: set(path.read_text().split())
    paths = [line.strip() for line in arguments.list.read_text().splitlines() if line.strip()]
    speaker = {path: Path(path).stem.split("-")[0] for path in paths}
    if arguments.speakers:
        paths = [path for path in paths if speaker[path] in names(arguments.speakers)]
    if arguments.but:
        paths = [path for path in paths if speaker[path] not in names(arguments.but)]

    if arguments.audio:
        speaker = {str((arguments.audio / path).resolve()): speaker[path] for path in paths}
        paths = list(speaker)

    read = lambda name: (arguments.protocol / name).read_text().splitlines()
    enrolments, trials = read("enroll.tsv"), read("trials.tsv")
    known = {line.split("\t")[0] for line in enrolments}
    tests = list(dict.fromkeys(line.split("\t")[1] for line in trials))
    caller = callers(arguments.protocol, tests, [line.split("\t") for line in trials])
    # Whoever calls is no reader who never does: by their name, or the folder that their calls lie in.
    known |= set(caller.values()) | {Path(name).name for name in caller.values()}
    paths = [path for path in paths if speaker[path] not in known]
    until = f"\t0\t{arguments.max_seconds:g}" if arguments.max_seconds else ""

    arguments.out.mkdir(parents=True, exist_ok=True)
    write = lambda name, lines: (arguments.out / name).write_text("".join(f"{line}\n" for line in lines))
    audio = (arguments.protocol / settings["audio"]).resolve()
    side = lambda name: [f"[{name}]", *(f"{key} = {value!r}" for key, value in settings.get(name, {}).items())]
    write("protocol.toml", [
        f"name = '{settings['name']} in a crowd'",
        f"description = '{settings.get('description', '')}, and {len(paths)} readers of {arguments.list.name} on the rosters'",
        f"audio = '{audio}'",
        *side("enroll"),
        *side("test"),
    ])
    write("enroll.tsv", enrolments + [f"{speaker[path]}\t{path}{until}" for path in paths])
    write("trials.tsv", trials + [f"{speaker[path]}\t{test}\tnontarget" for test in tests for path in paths])
    for name in ("search.tsv", "rosters.tsv", "speakers.tsv"):
        if (arguments.protocol / name).exists():
            write(name, read(name))
    if arguments.on_rosters:
        rosters = read("rosters.tsv")
        numbers = dict.fromkeys(line.split("\t")[0] for line in rosters)
        write("rosters.tsv", rosters + [f"{number}\t{speaker[path]}" for number in numbers for path in paths])
    if not (arguments.protocol / "speakers.tsv").exists():
        write("speakers.tsv", [f"{test}\t{caller[test]}" for test in tests])


def callers(protocol, tests, trials):
    """Who calls, by test: as speakers.tsv says, else whose target it is, else its folder, else its name up to the first dash."""
    told = protocol / "speakers.tsv"
    said = [line.split("\t") for line in told.read_text().splitlines()] if told.exists() else []
    speaker = {line[0]: line[1] for line in said if len(line) > 1}
    of_model = {test: speaker.get(model, model) for model, test, label, *_ in trials if label == "target"}
    folder = lambda test: test.rpartition("/")[0] or Path(test).stem.split("-")[0]
    return {test: speaker.get(test) or of_model.get(test) or folder(test) for test in tests}


if __name__ == "__main__":
    main()
