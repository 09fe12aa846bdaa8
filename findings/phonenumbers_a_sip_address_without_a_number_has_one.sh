#!/usr/bin/env bash
# phonenumbers 9.0.43, the Python port of Google's libphonenumber, seen 2026-11-29 (Debian 12, Python 3.11, x86-64).
# google-libphonenumber 3.2.47 and libphonenumber-js 1.13.16 (npm) give the same numbers.
#
# Behaviour: `parse` looks for a number in its text and passes over letters before it. Of a SIP address whose user is a
# name and whose host is an IP address it makes a number of the IP address, by the plan of the region that it is given,
# and often one that `is_valid_number` says yes to: in Germany for each of the 254 hosts of 203.0.113.0/24 (0203 is the
# prefix of Duisburg). All users of that host have this number, `anonymous` too. An address whose user is a number is
# turned down as no phone number. The docstring does say that the method is lenient, and that it ignores punctuation and
# text before the number, as in "Tel: ".
#
# What one would have guessed: that of the two it is the address with a number in it that gives one, and that the other
# is turned down, as it is where the host has a name. Carriers write both into one field: From of a call from a SIP
# endpoint is its address, and that of a call from the telephone network is a number. A caller who withholds the number
# becomes one with a number, and all who call through one exchange become the same caller, without an error.
#
# Output seen:
#   sip:+12025550199@203.0.113.45: no number
#   sip:alice@pbx.example: no number
#   sip:alice@203.0.113.45: +49203011345, valid
#   sip:bob@203.0.113.45: +49203011345, valid
#   sip:anonymous@203.0.113.45: +49203011345, valid
#   valid, of the 254 hosts of 203.0.113.0/24: DE 254, GB 155, JP 155, FR 90, US 0
#   valid, of the 254 hosts of 198.51.100.0/24: DE 0, GB 90, JP 9, FR 9, US 0
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check phonenumbers==9.0.43
cat >"$folder/seen.py" <<'PY'
import ipaddress

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat


def number(address, region="DE"):
    """The number that is read from an address, in E.164, and whether it is a valid one."""
    try:
        parsed = phonenumbers.parse(address, region)
    except NumberParseException:
        return None, False
    return phonenumbers.format_number(parsed, PhoneNumberFormat.E164), phonenumbers.is_valid_number(parsed)


def shown(address):
    e164, valid = number(address)
    print(f"{address}: {'no number' if e164 is None else e164}{', valid' if valid else ''}")
    return e164, valid


def of_hosts(network, regions):
    hosts = list(ipaddress.ip_network(network).hosts())
    count = {region: sum(number(f"sip:anonymous@{host}", region)[1] for host in hosts) for region in regions}
    print(f"valid, of the {len(hosts)} hosts of {network}:", ", ".join(f"{one} {many}" for one, many in count.items()))
    return count


assert shown("sip:+12025550199@203.0.113.45") == (None, False)
assert shown("sip:alice@pbx.example") == (None, False)
callers = [shown(f"sip:{user}@203.0.113.45") for user in ("alice", "bob", "anonymous")]
assert callers == [("+49203011345", True)] * 3
regions = ("DE", "GB", "JP", "FR", "US")
assert of_hosts("203.0.113.0/24", regions)["DE"] == 254
assert 0 < of_hosts("198.51.100.0/24", regions)["GB"] < 254
PY
"$folder/venv/bin/python" "$folder/seen.py"
