"""What the makers of protocols share: the list of recordings they start from, and the folder they write."""

import argparse
from pathlib import Path


def arguments_of(description):
    """A parser with what every maker is told."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("list", type=Path, help="recordings, one a line, in a file named SPEAKER-...")
    parser.add_argument("--audio", type=Path, required=True, help="the folder that the paths start from")
    parser.add_argument("--out", type=Path, required=True, help="the folder to write to")
    return parser


def recordings(path):
    """The paths in a list."""
    return [line.strip() for line in path.read_text().splitlines() if line.strip()]


def speakers(paths):
    """Who speaks, by path."""
    return {path: Path(path).stem.split("-")[0] for path in paths}


def write(folder, name, description, audio, test, tables):
    """Writes a protocol: `test` are the lines of its section of that name, `tables` lines by file name."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = [
        f'name = "{name}"',
        f'description = "{description}"',
        f'audio = "{audio.resolve()}"',
        "[enroll]",
        'condition = "clean"',
        "[test]",
        *test,
    ]
    for file, lines in {"protocol.toml": settings, **tables}.items():
        (folder / file).write_text("".join(f"{line}\n" for line in lines))
