#!/usr/bin/env python3
"""Tries every operation of the OpenAPI document against a service of its own, with what the document allows and with what it
does not.

    python3 scripts/schemathesis.py [SECONDS [SEED]]

Starts `target/debug/voxline serve` over an empty data folder with an admin key, a number and a user, and has schemathesis
(.venv-schemathesis) send requests for SECONDS (600). What it looks at: no answer of 500 and above, statuses, media types, headers and
bodies as the document says, and 405 with `Allow` for other methods. `/v1/calls/events` never ends, and is left out.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "target" / "debug" / "voxline"
SCHEMATHESIS = ROOT / ".venv-schemathesis" / "bin" / "schemathesis"
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
)
NUMBER = "+12025550101"


# Nothing of the operator's: neither the settings of the environment nor those of a `voxline.toml` here, by which the requests
# would go to their store. Where models and library lie is no matter of the store.
PLACES = ("VOXLINE_MODELS_DIR", "VOXLINE_ORT_LIB")
ENVIRONMENT = {
    name: value for name, value in os.environ.items() if not name.startswith("VOXLINE_") or name in PLACES
}
# Its address is read of a line of text.
ENVIRONMENT["LOG_FORMAT"] = "text"


def alone(data, *arguments):
    """A command of the program on a store of its own."""
    return [PROGRAM, "--config", os.devnull, "--data-dir", data, *arguments]


def said(data, *arguments):
    """What a command of the program prints."""
    command = alone(data, *arguments)
    return subprocess.run(command, check=True, capture_output=True, text=True, env=ENVIRONMENT).stdout


def serving(data, log):
    """The service, and its address once it listens."""
    command = alone(data, "serve", "--listen", "127.0.0.1:0")
    service = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
    for line in service.stderr:
        log.write(line)
        if "listening on " in line:
            return service, line.split("listening on ", 1)[1].strip()
    sys.exit(f"the service did not start: {log.name}")


def main():
    seconds = sys.argv[1] if len(sys.argv) > 1 else "600"
    seed = sys.argv[2] if len(sys.argv) > 2 else "1"
    out = ROOT / "target" / "schemathesis"
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, open(out / "serve.log", "w+", encoding="utf-8") as log:
        data = Path(folder) / "data"
        key = said(data, "keys", "create", "--scope", "admin").strip().split()[-1]
        said(data, "number", "add", NUMBER)
        said(data, "user", "add", "--name", "Alice", "--number", NUMBER)
        service, address = serving(data, log)
        # The service writes on; a full pipe would stop it.
        drain = subprocess.Popen(["cat"], stdin=service.stderr, stdout=log)
        try:
            command = [
                SCHEMATHESIS, "run", f"{address}/openapi.json",
                "--header", f"Authorization: Bearer {key}",
                "--checks", ",".join(CHECKS),
                "--exclude-path", "/v1/calls/events",
                "--phases", "examples,coverage,fuzzing",
                "--max-time", seconds, "--seed", seed,
                "--continue-on-failure", "--no-shrink",
                "--request-timeout", "60",
                "--report", "ndjson,junit", "--report-dir", out,
            ]
            status = subprocess.run([str(part) for part in command], check=False, cwd=out).returncode
            ended = service.poll()
        finally:
            service.terminate()
            service.wait()
            drain.wait()
    if ended is not None:
        sys.exit(f"the service ended by itself with {ended}: {out / 'serve.log'}")
    sys.exit(status)


if __name__ == "__main__":
    main()
