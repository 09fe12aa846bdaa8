#!/usr/bin/env python3
"""Makes the Python environments of what is not part of the product.

    python3 scripts/provision_peers.py          .venv-peers, the servers that the tests talk to
    python3 scripts/provision_peers.py bench    .venv-bench, what the benchmarks measure ours against

Each installs a requirements file where every package is pinned to a version and to the hashes of its
files; pip refuses anything else. A stamp says what is installed, so a second run does nothing, and a run
after a change starts over.
"""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# By name: the requirements, the environment, what it is for, how to do without it.
ENVIRONMENTS = {
    "tests": (
        ROOT / "tests" / "peers" / "requirements.txt",
        ROOT / ".venv-peers",
        "the servers that the tests talk to",
        "run the tests with VOXLINE_SKIP_PEERS=1",
    ),
    "bench": (
        ROOT / "benches" / "requirements.txt",
        ROOT / ".venv-bench",
        "what the benchmarks measure ours against",
        "leave benches/compare.py out",
    ),
}


def wanted(requirements):
    """What a finished environment's stamp says: the requirements' digest and this Python."""
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()
    return f"{digest} python{sys.version_info.major}.{sys.version_info.minor}\n"


def main():
    name = sys.argv[1] if len(sys.argv) > 1 else "tests"
    if name not in ENVIRONMENTS:
        sys.exit(f"`{name}` is none of {', '.join(ENVIRONMENTS)}")
    requirements, venv, purpose, otherwise = ENVIRONMENTS[name]
    stamp = venv / "provisioned"
    if sys.version_info < (3, 11):
        sys.exit(f"the peers need Python 3.11 or newer, this is {sys.version.split()[0]}")
    if stamp.is_file() and stamp.read_text() == wanted(requirements):
        return

    print(f"making {venv.relative_to(ROOT)} for {purpose}", flush=True)
    # `venv --clear` would keep the stamp's promise alive until it is through; this does not.
    shutil.rmtree(venv, ignore_errors=True)
    python = venv / "bin" / "python"
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    steps = [
        [sys.executable, "-m", "venv", venv],
        # Wheels only: nothing is built, so no package runs code of its own at installation.
        [*pip, "--require-hashes", "--no-deps", "--only-binary", ":all:", "--requirement", requirements],
    ]
    for step in steps:
        status = subprocess.run([str(part) for part in step], check=False).returncode
        if status != 0:
            sys.exit(
                f"could not make {venv}: `{' '.join(str(part) for part in step)}` ended with {status}; "
                f"mend that and run this again, or {otherwise}"
            )
    stamp.write_text(wanted(requirements))


if __name__ == "__main__":
    main()
