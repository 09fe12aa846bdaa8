#!/usr/bin/env python3
"""Runs every fuzz target for a while and says what came of it: `make fuzz`.

Needs a nightly Rust and cargo-fuzz. FUZZ_SECONDS is the time for each target (60 when unset), FUZZ_TARGETS the targets
(all when unset). The corpora lie in fuzz/corpus, out of version control: this script sows them with what the tests
hold to be good, and libFuzzer adds what it finds. What crashes a target is kept in fuzz/artifacts.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ROOT / "fuzz" / "corpus"
# In the order of `Carrier::ALL`.
CARRIERS = ("twilio", "telnyx", "vonage", "bandwidth", "plivo", "asterisk", "jambonz")
SECONDS = int(os.environ.get("FUZZ_SECONDS", "60"))
# Seconds that one input may take, and megabytes that the process may: what is beyond is a fault. The first telephone
# number takes seconds by itself, for the tables of all countries are read then: under a sanitizer, beside other work, ten.
LIMITS = ["-timeout=60", "-rss_limit_mb=2048", "-max_len=65536"]


def words(path: str, least: int = 8) -> list[str]:
    """The string literals of a Rust file."""
    text = (ROOT / path).read_text(encoding="utf-8")
    raw = re.findall(r'r#"(.*?)"#', text, re.DOTALL)
    plain = re.findall(r'(?<!#)"((?:[^"\\\n]|\\.)*)"(?!#)', text)
    plain = [word.replace('\\"', '"').replace("\\r\\n", "\r\n").replace("\\\\", "\\") for word in plain]
    return [word for word in raw + plain if len(word) >= least]


def sow(target: str, seeds: list[bytes]) -> None:
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    for nth, seed in enumerate(seeds):
        (folder / f"seed-{nth:03}").write_bytes(seed)


def seeds() -> None:
    """The headers, messages, frames and files of the tests."""
    encoded = lambda texts: [text.encode() for text in texts]
    headers = encoded(words("tests/voxline/evidence.rs") + words("tests/voxline/hostile.rs", 2))
    for target in ("diversion", "history_info", "passport"):
        sow(target, headers)
    names = "Diversion History-Info P-Asserted-Identity Remote-Party-ID Referred-By Identity X-Forwarded-From".split()
    lines = lambda header: b"".join(name.encode() + b": " + header + b"\r\n" for name in names)
    sow("facts", [lines(header) + b"\x01" for header in headers])
    frames = encoded(words("tests/voxline/carriers/frames.rs") + words("tests/voxline/carriers/hostile.rs"))
    media = b'{"event":"media","sequenceNumber":"2","media":{"track":"inbound","chunk":"1","payload":"//7+"}}'
    for carrier in CARRIERS:
        own = encoded(re.findall(r'r#"(.*?)"#', (ROOT / f"src/carriers/stream/{carrier}.rs").read_text(), re.DOTALL))
        flat = [seed.replace(b"\n", b" ") for seed in own + frames]
        sow(f"stream_{carrier}", flat + [b"\n".join(flat), media, b"\0" + bytes(640)])
    call = b"\x01\0\x10" + bytes(range(16))
    frames = [b"\x03\0\x014", b"\x10\x01\x40" + bytes(320), b"\x16\0\x02ab", b"\xff\0\x01\x02", b"\0\0\0"]
    sow("stream_audiosocket", [b"\x06" + call + b"".join(frames), *[b"\0" + frame for frame in [call, *frames]]])
    hooks = []
    for nth, carrier in enumerate(CARRIERS):
        texts = words(f"src/carriers/webhook/{carrier}.rs", 20)
        hooks += [bytes([nth]) + text.encode() for text in texts]
        hooks += [bytes([nth]) + b"\0" + text.encode() for text in texts]
    sow("carrier_webhook", hooks)
    packets = encoded(words("tests/voxline/carriers/check.rs", 20))
    magics = [b"\xd4\xc3\xb2\xa1\x02\0\x04\0" + bytes(12) + b"\x01\0\0\0", b"\x0a\x0d\x0d\x0a\x1c\0\0\0\x4d\x3c\x2b\x1a"]
    sow("carrier_capture", packets + [magic + bytes(8) + packet for magic in magics for packet in packets[:4]])
    messages = encoded(words("src/vapi/message.rs", 20) + words("src/vapi/view.rs", 20) + words("src/vapi/tool_call.rs", 20))
    ringing = (
        b'{"message":{"type":"assistant-request","phoneNumber":{"number":"+12025550102"},"customer":'
        b'{"number":"+12025550103"},"call":{"id":"c-1","type":"inboundPhoneCall","phoneCallProviderDetails":'
        b'{"sip":{"headers":{"Diversion":"<sip:+12025550103@h>;reason=unconditional"}}}}}}'
    )
    tools = (
        b'{"message":{"type":"tool-calls","call":{"id":"c-1"},"toolCallList":[{"id":"t-1","type":"function",'
        b'"function":{"name":"verify_pin","arguments":{"pin":"4821"}}}]}}'
    )
    sow("vapi_message", [*messages, ringing, tools])
    audio = [path for folder in ("", "kinds", "bad") for path in (ROOT / "tests/data/audio" / folder).iterdir()]
    # Longer ones than libFuzzer is told to make would be cut.
    fits = lambda path: path.is_file() and path.suffix not in (".s16", ".py", ".tsv") and path.stat().st_size <= 65_536
    recordings = [path.read_bytes() for path in sorted(audio) if fits(path)]
    for kinds in ("chunks", "boxes", "pages", "frames"):
        sow(f"recording_{kinds}", recordings)
    speech = (ROOT / "tests/data/audio/wav-pcm16.wav").read_bytes()[44:4_044]
    sow("vapi_listen", [speech[:400], b'{"type":"start","encoding":"linear16","sampleRate":16000,"channels":2}' + speech])


def figures(log: str) -> dict[str, str]:
    """What libFuzzer counted."""
    stat = lambda name: (re.findall(rf"stat::{name}:\s+(\d+)", log) or ["?"])[-1]
    covered = re.findall(r"cov: (\d+)", log)
    corpus = re.findall(r"corp: (\d+)/", log)
    return {
        "executions": stat("number_of_executed_units"),
        "a second": stat("average_exec_per_sec"),
        "edges": f"{covered[0]} to {covered[-1]}" if covered else "?",
        "inputs": corpus[-1] if corpus else "?",
        "slowest s": stat("slowest_unit_time_sec"),
        "peak MB": stat("peak_rss_mb"),
    }


def run(target: str) -> bool:
    command = ["cargo", "+nightly", "fuzz", "run", target, "--", f"-max_total_time={SECONDS}", "-print_final_stats=1", *LIMITS]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    log = done.stdout.decode(errors="replace")
    row = figures(log)
    verdict = "clean" if done.returncode == 0 else f"FAILED ({done.returncode})"
    print(f"| `{target}` | " + " | ".join(row.values()) + f" | {verdict} |", flush=True)
    if done.returncode != 0:
        print(log[-6_000:], file=sys.stderr)
    return done.returncode == 0


def main() -> int:
    listed = subprocess.run(["cargo", "+nightly", "fuzz", "list"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode != 0:
        print("fuzzing needs a nightly Rust and cargo-fuzz: `rustup toolchain install nightly`, `cargo install cargo-fuzz`")
        return 1
    targets = os.environ.get("FUZZ_TARGETS", "").split() or listed.stdout.decode().split()
    seeds()
    print("| target | executions | a second | edges | inputs | slowest s | peak MB | |\n|---|---|---|---|---|---|---|---|")
    return 0 if all([run(target) for target in targets]) else 1


if __name__ == "__main__":
    sys.exit(main())
