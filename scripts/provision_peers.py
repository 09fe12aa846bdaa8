#!/usr/bin/env python3
"""Makes the Python environments of what is not part of the product.

    python3 scripts/provision_peers.py          .venv-peers, the servers that the tests talk to
    python3 scripts/provision_peers.py browser  .venv-browser, what drives a browser in the tests, where there is one
    python3 scripts/provision_peers.py bench    .venv-bench, what the benchmarks measure ours against
    python3 scripts/provision_peers.py schemathesis  .venv-schemathesis, what tries the API by its document

Each installs a requirements file where every package is pinned to a version and to the hashes of its
files; pip refuses anything else. A stamp says what is installed, so a second run does nothing, and a run
after a change starts over.
"""

import hashlib
import os
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
        "run the tests with VOXLINE_TEST_SKIP_PEERS=1",
    ),
    "browser": (
        ROOT / "tests" / "browser" / "requirements.txt",
        ROOT / ".venv-browser",
        "what drives a browser in the tests",
        "run the tests without a Chromium on the search path",
    ),
    "bench": (
        ROOT / "benches" / "requirements.txt",
        ROOT / ".venv-bench",
        "what the benchmarks measure ours against",
        "leave benches/compare.py out",
    ),
    "schemathesis": (
        ROOT / "tests" / "schemathesis" / "requirements.txt",
        ROOT / ".venv-schemathesis",
        "what tries the API by its OpenAPI document",
        "leave scripts/schemathesis.py out",
    ),
}
# As tests/voxline/browser.rs looks for it.
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def has_browser():
    """Whether this machine has a browser that the tests would drive."""
    return "VOXLINE_TEST_BROWSER" in os.environ or any(shutil.which(name) for name in BROWSERS)


def wanted(requirements):
    """What a finished environment's stamp says: the requirements' digest and this Python."""
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()
    return f"{digest} python{sys.version_info.major}.{sys.version_info.minor}\n"


def main():
    name = sys.argv[1] if len(sys.argv) > 1 else "tests"
    if name not in ENVIRONMENTS:
        sys.exit(f"`{name}` is none of {', '.join(ENVIRONMENTS)}")
    if name == "browser" and not has_browser():
        print("no Chromium on the search path: the tests of the signup page will be skipped", flush=True)
        return
    if name == "tests" and os.environ.get("VOXLINE_TEST_SKIP_PEERS") == "1":
        print("VOXLINE_TEST_SKIP_PEERS=1: the tests against PostgreSQL and Qdrant will be skipped", flush=True)
        return
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
