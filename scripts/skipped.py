#!/usr/bin/env python3
"""Lists the tests of the last run that had nothing to try, and why: `make test` runs it behind them.

A test that lacks what it needs (Chromium, the recordings in `../shared`, a peer that was left out) passes, and prints a
line `skipped: ...`. cargo-nextest hides what passing tests print, and keeps it in the report that is read here.
"""

import sys
import xml.etree.ElementTree as Xml
from collections import defaultdict
from pathlib import Path

REPORT = Path(__file__).resolve().parent.parent / "target" / "nextest" / "default" / "junit.xml"
MARK = "skipped: "


def reasons(case: Xml.Element) -> set[str]:
    """What a test says of why it tried nothing."""
    printed = [text for name in ("system-out", "system-err") for text in (case.findtext(name) or "").splitlines()]
    return {line.strip().removeprefix(MARK) for line in printed if line.strip().startswith(MARK)}


def main() -> int:
    if not REPORT.is_file():
        print(f"no report of tests at {REPORT}: run them with cargo-nextest", file=sys.stderr)
        return 1
    skipped = defaultdict(list)
    for case in Xml.parse(REPORT).iter("testcase"):
        for reason in reasons(case):
            skipped[reason].append(case.get("name"))
    for reason, tests in sorted(skipped.items()):
        print(f"skipped ({len(tests)}): {reason}")
        print("\n".join(f"    {test}" for test in sorted(tests)))
    print(f"{sum(map(len, skipped.values()))} tests had nothing to try")
    return 0


if __name__ == "__main__":
    sys.exit(main())
