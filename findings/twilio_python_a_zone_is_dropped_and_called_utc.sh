#!/usr/bin/env bash
# twilio 9.13.0, Twilio's package for Python, beside twilio 6.3.1 (npm), seen 2026-11-30 (Debian 12, Python 3.11, Node
# 20, x86-64).
#
# Behaviour: a `datetime` that is given as a filter or a time (`start_time_after`, `date_created_before`, `send_at`) is
# written down by its own clock with a Z behind it, which says UTC. If it has a time zone, that is not looked at: 09:00
# at +09:00 is sent as 09:00Z, which is nine hours later. The times that the package gives back do have a zone, UTC;
# brought to another zone and given in again, the same instant is another. There is no error. One function does it
# (`serialize.iso8601_datetime`), for some 660 modules of the package. The documentation of the filters asks for a date
# as text, in UTC, and says nothing of a `datetime`. The package for Node sends a Date as the instant that it is.
#
# What one would have guessed: that a time that knows its zone is the instant it names, as everywhere in Python, or is
# turned down. East of Greenwich, a deletion of what is older than a day takes recordings of the last day as well, nine
# hours of them in Japan; west of it, it leaves some that should be gone. Whoever asks for the calls since the last one
# that was seen misses some, or counts some twice. On a server whose zone is UTC nothing is seen of it.
#
# Output seen:
#   calls from 09:00 to 11:00 in Tokyo, which is 00:00 to 02:00 UTC
#     asked for: StartTime>=2026-11-30T09:00:00Z StartTime<=2026-11-30T11:00:00Z
#     came: 09:00 UTC, 10:00 UTC
#   the same in UTC
#     asked for: StartTime>=2026-11-30T00:00:00Z StartTime<=2026-11-30T02:00:00Z
#     came: 00:00 UTC, 01:00 UTC
#   recordings to delete at 2026-11-30 12:00 UTC, those older than a day
#     by a clock in Tokyo: 21, the youngest of 16 hours
#     by a clock in UTC: 12, the youngest of 25 hours
#     by a clock in Los Angeles: 4, the youngest of 33 hours
#   calls since the newest that was seen, of 10:00 UTC, by its time in Tokyo: 4, by its time as it came: 13
#   Node sends 2026-11-30T09:00:00+09:00 as 2026-11-30T00:00:00Z
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check twilio==9.13.0
cat >"$folder/seen.py" <<'PY'
import json
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

from twilio.http import HttpClient
from twilio.http.response import Response
from twilio.rest import Client

TOKYO = timezone(timedelta(hours=9), "Tokyo")
LOS_ANGELES = timezone(timedelta(hours=-8), "Los Angeles")
HOUR = timedelta(hours=1)
# A call and a recording at each full hour of two days.
HOURS = [datetime(2026, 11, 29, tzinfo=timezone.utc) + at * HOUR for at in range(48)]


class Carrier(HttpClient):
    """Answers as the API is documented: what started, or was made, between two times in UTC."""

    def __init__(self):
        self.asked = {}

    def request(self, method, uri, params=None, **others):
        self.asked = {key: value for key, value in params.items() if "Time" in key or "Date" in key}
        after, before = HOURS[0], HOURS[-1] + HOUR
        for key, text in self.asked.items():
            at = datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
            after, before = (at, before) if key.endswith(">") else (after, at)
        kind, field = ("calls", "start_time") if "/Calls" in uri else ("recordings", "date_created")
        chosen = [{"sid": str(at), field: format_datetime(at)} for at in HOURS if after <= at < before]
        return Response(200, json.dumps({kind: chosen, "next_page_uri": None}))


carrier = Carrier()
client = Client("AC" + "0" * 32, "token", http_client=carrier)


def calls_between(start, end):
    seen = [call.start_time for call in client.calls.list(start_time_after=start, start_time_before=end)]
    assert all(at.utcoffset() == timedelta() for at in seen)
    print(f"  asked for: {' '.join(f'{key}={value}' for key, value in sorted(carrier.asked.items(), reverse=True))}")
    print(f"  came: {', '.join(f'{at:%H:%M} UTC' for at in seen)}")
    return seen


start, end = datetime(2026, 11, 30, 9, tzinfo=TOKYO), datetime(2026, 11, 30, 11, tzinfo=TOKYO)
in_utc = [at.astimezone(timezone.utc) for at in (start, end)]
assert in_utc == [start, end]
print("calls from 09:00 to 11:00 in Tokyo, which is 00:00 to 02:00 UTC")
moved = calls_between(start, end)
print("the same in UTC")
right = calls_between(*in_utc)
assert right == [start, start + HOUR] and moved == [at + 9 * HOUR for at in right]

now = datetime(2026, 11, 30, 12, tzinfo=timezone.utc)
print(f"recordings to delete at {now:%Y-%m-%d %H:%M} UTC, those older than a day")
youngest = {}
for zone in (TOKYO, timezone.utc, LOS_ANGELES):
    found = client.recordings.list(date_created_before=now.astimezone(zone) - 24 * HOUR)
    youngest[zone] = (now - max(recording.date_created for recording in found)) / HOUR
    print(f"  by a clock in {zone}: {len(found)}, the youngest of {youngest[zone]:.0f} hours")
assert youngest == {TOKYO: 16, timezone.utc: 25, LOS_ANGELES: 33}

newest = client.calls.list(start_time_before=datetime(2026, 11, 30, 11))[-1].start_time
assert newest == datetime(2026, 11, 30, 10, tzinfo=timezone.utc)
since = {}
for zone in (TOKYO, timezone.utc):
    since[zone] = len(client.calls.list(start_time_after=newest.astimezone(zone) + HOUR))
print(
    f"calls since the newest that was seen, of {newest:%H:%M} UTC, by its time in Tokyo: {since[TOKYO]},"
    f" by its time as it came: {since[timezone.utc]}"
)
assert since == {TOKYO: 4, timezone.utc: 13}
PY
"$folder/venv/bin/python" "$folder/seen.py"

(cd "$folder" && npm init -y >/dev/null && npm install --silent --no-audit --no-fund twilio@6.3.1)
cat >"$folder/seen.js" <<'JS'
const serialize = require('twilio/lib/base/serialize')

const given = '2026-11-30T09:00:00+09:00'
const sent = serialize.iso8601DateTime(new Date(given))
console.log(`Node sends ${given} as ${sent}`)
if (sent !== '2026-11-30T00:00:00Z') process.exit(1)
JS
node "$folder/seen.js"
