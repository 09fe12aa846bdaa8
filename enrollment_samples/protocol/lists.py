"""The lists of this benchmark protocol, from ../manifest.toml:  python3 enrollment_samples/protocol/lists.py

Every call in which somebody speaks is tried against every user and searched on the number it dialed.
"""

import tomllib
from pathlib import Path

FOLDER = Path(__file__).parent
manifest = tomllib.loads((FOLDER.parent / "manifest.toml").read_text())
users = {user["key"]: user for user in manifest["user"]}
calls = [call for call in manifest["call"] if "caller" in call]


def write(name, rows):
    (FOLDER / name).write_text("".join("\t".join(row) + "\n" for row in rows))


write("enroll.tsv", [(key, clip) for key, user in users.items() for clip in user["signup"]])
write("rosters.tsv", [(user["number"], key) for key, user in users.items()])
write("speakers.tsv", [(call["file"], call["caller"]) for call in calls])
write("trials.tsv", [(key, call["file"], "target" if key == call["caller"] else "nontarget")
                     for call in calls for key in users])
on_roster = lambda call: users.get(call["caller"], {}).get("number") == call["number"]
write("search.tsv", [(call["file"], call["caller"] if on_roster(call) else "-", call["number"]) for call in calls])
