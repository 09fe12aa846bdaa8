#!/usr/bin/env bash
# drachtio-srf 5.0.29 (npm), the SIP framework under jambonz among others, seen 2026-11-29 (Node 20, x86-64).
#
# Behaviour: `req.callingNumber` looks into P-Asserted-Identity, where there is one, and into From otherwise, but knows
# the schemes sip and sips alone, in small letters. Where a network asserts the caller by a tel URI, as RFC 3325 allows,
# the number is the empty string, although it stands in that header and in From besides. The same call without the
# header has its number. So with `req.calledNumber` and a tel URI as the request's. `srf.createB2BUA`, which hands a
# call on, takes the caller from `callingNumber` unless it is told another: the second leg then gets no From from it,
# where it had `sip:+12025550199@…`, and the server, by its documentation, writes one without a number: a voice agent
# behind it has an unknown caller.
#
# What one would have guessed: that a number which the network vouches for is known at least as well as one for which
# nobody does, or that the next header is asked when the first has nothing to read. Neither the README nor the types say
# more than the name, and there is no error. Whoever knows callers by their number loses those of some networks only.
#
# Output seen:
#   From alone: callingNumber "+12025550199", second leg's "+12025550199"
#   asserted as sip: callingNumber "+12025550199", second leg's "+12025550199"
#   asserted as tel: callingNumber "", second leg's ""
#   asserted as SIP, in capitals: callingNumber "", second leg's ""
#   To a sip URI: calledNumber "+12025550100"
#   To a tel URI: calledNumber ""
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private": true}' >package.json
npm install --silent --no-audit --no-fund drachtio-srf@5.0.29
cat >seen.js <<'JS'
const assert = require('node:assert/strict');
const Srf = require('drachtio-srf');
const Request = require('drachtio-srf/lib/request');

const invite = (asserted, to = 'sip:+12025550100@192.0.2.9') => {
  const lines = [
    `INVITE ${to} SIP/2.0`,
    'Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1',
    'Max-Forwards: 70',
    'From: <sip:+12025550199@192.0.2.1>;tag=1',
    `To: <${to}>`,
    'Call-ID: 1@192.0.2.1',
    'CSeq: 1 INVITE',
    'Contact: <sip:192.0.2.1:5060>',
    ...(asserted ? [`P-Asserted-Identity: ${asserted}`] : []),
    'Content-Length: 0',
  ];
  return new Request(new Srf.SipMessage(lines.join('\r\n') + '\r\n\r\n'), {});
};

/** The caller that a call is handed on with: what the framework gives to its own `createUAC`. */
const handedOn = async(req) => {
  const srf = new Srf();
  let given;
  srf.createUAC = (opts) => {
    given = opts;
    return new Promise(() => {});
  };
  srf.createB2BUA(req, {on() {}, send() {}}, 'sip:agent@192.0.2.10', {localSdpB: 'v=0'});
  await new Promise((done) => setTimeout(done, 50));
  assert.equal(given.headers.from ?? given.headers.From, undefined);
  return given.callingNumber;
};

(async() => {
  const seen = [];
  for (const [label, asserted] of [
    ['From alone', null],
    ['asserted as sip', '<sip:+12025550199@carrier.example>'],
    ['asserted as tel', '<tel:+12025550199>'],
    ['asserted as SIP, in capitals', '<SIP:+12025550199@carrier.example>'],
  ]) {
    const req = invite(asserted);
    const second = await handedOn(req);
    console.log(`${label}: callingNumber "${req.callingNumber}", second leg's "${second}"`);
    seen.push(req.callingNumber, second);
  }
  const dialed = ['sip:+12025550100@192.0.2.9', 'tel:+12025550100'].map((to) => invite(null, to).calledNumber);
  console.log(`To a sip URI: calledNumber "${dialed[0]}"`);
  console.log(`To a tel URI: calledNumber "${dialed[1]}"`);
  const number = '+12025550199';
  assert.deepEqual(seen, [number, number, number, number, '', '', '', '']);
  assert.deepEqual(dialed, ['+12025550100', '']);
  process.exit(0);
})();
JS
node seen.js
