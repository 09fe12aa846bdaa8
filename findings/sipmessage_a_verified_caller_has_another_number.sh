#!/usr/bin/env bash
# sipmessage 0.7.1 and aiosipua 0.7.1, parsers of SIP for Python, beside sippy 2.5.0, seen 2026-11-29 (Debian 12, Python
# 3.11, x86-64).
#
# Behaviour: a telephone number in a SIP address may have parameters of its own, between the digits and the @: whether
# STIR/SHAKEN verified the caller (`verstat`, in IMS networks), whether a ported number was looked up and where it leads
# (`npdi`, `rn`, RFC 4694), which trunk group it came by (`tgrp`, RFC 4904). sipmessage's `URI.global_phone_number`,
# "the global phone number (E.164)", has them in it, without their points and hyphens, which go as visual separators.
# One caller has one number when verified, another when not, and one for each trunk. Of a tel URI it gives the digits.
# aiosipua's `from_addr.uri` ends the address at the first semicolon: `user` is None, `host` is the number, and the real
# host is the end of a parameter's value; written out again the address reads as it was. For neither package is such an
# address an error. sippy keeps number, its parameters and host apart.
#
# What one would have guessed: that the part before the @ is the user, and that what is called E.164 is a plus and up to
# 15 digits, as the property's docstring leads to expect with the grammar of RFC 3261 and of telephone subscribers that
# it quotes. With addresses from a test bench, which have no parameters, both are right. Carriers that verify send
# `verstat` in P-Asserted-Identity or From. Whoever looks up a caller's voice by the number then finds nobody enrolled,
# or the same person anew for each outcome and trunk; by aiosipua no caller has a number, as if all of them withheld it.
#
# Output seen:
#   sip:+12025550199@example.com;user=phone
#     sippy '+12025550199', sipmessage '+12025550199', aiosipua '+12025550199' at 'example.com'
#   sip:+12025550199;verstat=TN-Validation-Passed@example.com;user=phone
#     sippy '+12025550199', sipmessage '+12025550199;verstat=TNValidationPassed', aiosipua None at '+12025550199'
#   sip:+12025550199;npdi;rn=+12025550000@example.com;user=phone
#     sippy '+12025550199', sipmessage '+12025550199;npdi;rn=+12025550000', aiosipua None at '+12025550199'
#   sip:+12025550199;tgrp=7;trunk-context=example.net@example.com;user=phone
#     sippy '+12025550199', sipmessage '+12025550199;tgrp=7;trunkcontext=examplenet', aiosipua None at '+12025550199'
#   tel:+12025550199;verstat=TN-Validation-Passed in sipmessage: '+12025550199'
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check sipmessage==0.7.1 aiosipua==0.7.1 sippy==2.5.0
cat >"$folder/seen.py" <<'PY'
import aiosipua
import sipmessage
from sippy.SipHeader import SipHeader

NUMBER = "+12025550199"
PARAMETERS = [
    "",
    ";verstat=TN-Validation-Passed",
    ";npdi;rn=+12025550000",
    ";tgrp=7;trunk-context=example.net",
]


def invite(address):
    lines = [
        "INVITE sip:+12025550100@example.com;user=phone SIP/2.0",
        "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1",
        f"From: <{address}>;tag=1",
        "To: <sip:+12025550100@example.com;user=phone>",
        "Call-ID: 1@192.0.2.1",
        "CSeq: 1 INVITE",
        "Max-Forwards: 70",
        "Content-Length: 0",
    ]
    return "\r\n".join(lines) + "\r\n\r\n"


for parameters in PARAMETERS:
    address = f"sip:{NUMBER}{parameters}@example.com;user=phone"
    message = invite(address)
    apart = SipHeader(f"From: <{address}>;tag=1").getBody().getUrl()
    of_sipmessage = sipmessage.Message.parse(message.encode()).from_address.uri.global_phone_number
    of_aiosipua = aiosipua.SipMessage.parse(message).from_addr.uri
    user, host = of_aiosipua.user, of_aiosipua.host
    print(address)
    print(f"  sippy {apart.username!r}, sipmessage {of_sipmessage!r}, aiosipua {user!r} at {host!r}")
    assert (apart.username, apart.host) == (NUMBER, "example.com")
    assert apart.userparams == parameters.split(";")[1:]
    assert aiosipua.stringify_uri(of_aiosipua) == address
    if parameters:
        assert of_sipmessage == NUMBER + parameters.replace("-", "").replace(".", "")
        assert (user, host) == (None, NUMBER)
    else:
        assert of_sipmessage == NUMBER
        assert (user, host) == (NUMBER, "example.com")

tel = f"tel:{NUMBER}{PARAMETERS[1]}"
of_tel = sipmessage.URI.parse(tel).global_phone_number
print(f"{tel} in sipmessage: {of_tel!r}")
assert of_tel == NUMBER
PY
"$folder/venv/bin/python" "$folder/seen.py"
