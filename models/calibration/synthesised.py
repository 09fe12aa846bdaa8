#!/usr/bin/env python3
"""Make a protocol of synthesised callers on the numbers of another protocol: how often is a machine's voice given a name?

    synthesised.py ../shared/protocols/real-us-dev-full --out synthesised

Sixteen voices of free synthesisers say six sentences in two calls each, and call every number of the protocol; none of them is
anybody's voice there, so every name is a wrong one. Needs flite, festival with festvox-kdlpc16k, and espeak-ng, as
`enrollment_samples/README.md` lists them. No voice is cloned: what is measured is what a synthesiser gets that knows nobody.
"""

import argparse
import subprocess
import sys
import tomllib
from pathlib import Path

VOICES = {
    **{f"flite-{voice}": ["flite", "-voice", voice] for voice in ("slt", "rms", "awb", "kal16")},
    "festival-ked": ["text2wave", "-eval", "(voice_ked_diphone)"],
    **{
        f"espeak-{voice.split('+')[1]}": ["espeak-ng", "-s", "150", "-v", voice]
        for voice in (
            "en-us+Andy", "en-us+Annie", "en-us+david", "en-us+steph", "en-us+Gene", "en-gb-scotland+Alicia", "en-gb+Lee",
            "en-us+linda", "en-us+shelby", "en-us+travis", "en-us+victor",
        )
    },
}
CALLS = (
    "Hello, this is about the order from last week. It was to come on Tuesday, and nothing has arrived yet. Could you look up where "
    "it is, and call me back on this number this afternoon?",
    "Good morning. I would like to move my appointment to the end of the month. Any day after the twentieth suits me, but not "
    "before ten. Please tell me as well whether I should bring the papers again.",
)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("protocol", type=Path, help="the protocol whose users are called")
    parser.add_argument("--out", type=Path, required=True, help="the folder to write to")
    arguments = parser.parse_args()
    users = rows(arguments.protocol / "enroll.tsv")
    rosters = rows(arguments.protocol / "rosters.tsv")
    settings = tomllib.loads((arguments.protocol / "protocol.toml").read_text())
    audio = arguments.out / "audio"
    audio.mkdir(parents=True, exist_ok=True)
    real = audio / "users"
    if not real.exists():
        real.symlink_to((arguments.protocol / settings["audio"]).resolve())
    tests = [speak(audio, voice, nth) for voice in VOICES for nth in range(len(CALLS))]
    numbers = dict.fromkeys(number for number, _ in rosters)
    write(arguments.out / "enroll.tsv", [[user, f"users/{path}", *rest] for user, path, *rest in users])
    write(arguments.out / "rosters.tsv", rosters)
    write(arguments.out / "search.tsv", [[test, "-", number] for test in tests for number in numbers])
    names = dict.fromkeys(user for user, *_ in users)
    # Error rates need targets: the users' own calls, which no number is searched for.
    own = [(user, f"users/{test}") for user, test, kind in rows(arguments.protocol / "trials.tsv") if kind == "target"]
    speakers = {**{test: user for user, test in own}, **{test: test.split("/")[1].rsplit("-", 1)[0] for test in tests}}
    write(arguments.out / "speakers.tsv", speakers.items())
    write(
        arguments.out / "trials.tsv",
        [[*trial, "target"] for trial in own] + [[user, test, "nontarget"] for test in tests for user in names],
    )
    (arguments.out / "protocol.toml").write_text(
        f'name = "{arguments.out.name}"\ndescription = "synthesised callers to the users of {settings["name"]}"\naudio = "audio"\n'
        '[enroll]\ncondition = "clean"\n[test]\ncondition = "phone"\n'
    )


def rows(path):
    return [line.split("\t") for line in path.read_text().splitlines() if line]


def write(path, lines):
    path.write_text("".join("\t".join(line) + "\n" for line in lines))


def speak(audio, voice, nth):
    """The path of a call in this voice, in `audio`."""
    path = audio / "synthesised" / f"{voice}-{nth}.wav"
    path.parent.mkdir(exist_ok=True)
    command, says = VOICES[voice], CALLS[nth]
    match command[0]:
        case "flite":
            spoken = subprocess.run([*command, "-t", says, "-o", path], capture_output=True)
        case "text2wave":
            spoken = subprocess.run([*command, "-o", path, "-"], input=says.encode(), capture_output=True)
        case _:
            spoken = subprocess.run([*command, "-w", path, says], capture_output=True)
    if spoken.returncode != 0 or not path.exists():
        sys.exit(f"{command[0]} failed in the voice {voice}: {spoken.stderr.decode(errors='replace').strip()}")
    return str(path.relative_to(audio))


if __name__ == "__main__":
    main()
