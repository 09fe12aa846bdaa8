#!/usr/bin/env python3
"""Makes `.venv-peers`, the Python environment of the servers that the tests talk to.

    python3 scripts/provision_peers.py

It installs `tests/peers/requirements.txt`, where every package is pinned to a version and to the
hashes of its files; pip refuses anything else. The environment is used by tests only. A stamp says
what is installed, so a second run does nothing, and a run after a change starts over.
"""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "tests" / "peers" / "requirements.txt"
VENV = ROOT / ".venv-peers"
STAMP = VENV / "provisioned"


def wanted():
    """What a finished environment's stamp says: the requirements' digest and this Python."""
    digest = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    return f"{digest} python{sys.version_info.major}.{sys.version_info.minor}\n"


def main():
    if sys.version_info < (3, 11):
        sys.exit(f"the test peers need Python 3.11 or newer, this is {sys.version.split()[0]}")
    if STAMP.is_file() and STAMP.read_text() == wanted():
        return

    print(f"making {VENV.relative_to(ROOT)} for the servers that the tests talk to", flush=True)
    # `venv --clear` would keep the stamp's promise alive until it is through; this does not.
    shutil.rmtree(VENV, ignore_errors=True)
    python = VENV / "bin" / "python"
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    steps = [
        [sys.executable, "-m", "venv", VENV],
        # Wheels only: nothing is built, so no package runs code of its own at installation.
        [*pip, "--require-hashes", "--no-deps", "--only-binary", ":all:", "--requirement", REQUIREMENTS],
    ]
    for step in steps:
        status = subprocess.run([str(part) for part in step], check=False).returncode
        if status != 0:
            sys.exit(
                f"could not make {VENV}: `{' '.join(str(part) for part in step)}` ended with {status}; "
                "mend that and run this again, or run the tests with VOXLINE_SKIP_PEERS=1"
            )
    STAMP.write_text(wanted())


if __name__ == "__main__":
    main()
