#!/usr/bin/env bash
# meyda 5.6.3 (npm), features of sound in JavaScript, seen 2026-11-30 (Node 20, x86-64).
#
# Behaviour: the package is one object for the whole process, which has `sampleRate` and `bufferSize`, and its `extract`
# gives the features of a piece of sound. The filters for the MFCC, the mel bands, the loudness and the chroma are made
# at the first call and kept. Whether they still fit is asked of their number and of the piece's length, but not of the
# rate: once a sound at 48 kHz was measured, a telephone call is measured with the filters of 48 kHz, although
# `sampleRate` was set to 8000, until the process ends. The mel filters are kept if the length changes as well, for what
# is compared with it was renewed two lines before; from shorter pieces to longer ones the MFCC are then no numbers. (A
# comment in the source says that they are made anew if the length changed.) There is no error and no warning, and no
# issue was found that tells of it. `createMeydaAnalyzer`, for Web Audio, makes its filters once for each analyzer.
#
# What one would have guessed: that a rate which can be set is kept to. A server that hears the telephone at 8 kHz and a
# browser at 48 kHz gets other features of the same voice, depending on who rang first since it was started. Below a
# vowel of the telephone is further from itself than another vowel is. Tests with one rate see nothing of it.
#
# "By the formula" are the middles of four of the 26 bands, equally spaced in mel (1125 ln(1 + f/700)) up to half the
# rate; "bands" are the tones that they answer to most. The distances are those of an a's and an o's MFCC to the MFCC of
# an a that was the first sound in its process.
#
# Output seen:
#   8 kHz by the formula: bands at 447, 1051, 1973, 3382 Hz
#   8 kHz, first call: bands at 438, 1047, 1969, 3375 Hz; 0.0 to a, 81.7 to o
#   8 kHz after a call at 8 kHz: bands at 438, 1047, 1969, 3375 Hz; 0.0 to a, 81.7 to o
#   8 kHz after a call at 16 kHz: bands at 313, 828, 1703, 3266 Hz; 60.8 to a, 54.2 to o
#   8 kHz after a call at 48 kHz: bands at 172, 531, 1313, 3047 Hz; 104.2 to a, 67.2 to o
#   16 kHz in pieces of 512 after 8 kHz in pieces of 256: 13 of 13 MFCC are no numbers
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund meyda@5.6.3
cat >seen.js <<'JS'
const assert = require('node:assert')
const { execFileSync } = require('node:child_process')
const Meyda = require('meyda')

const [LENGTH, PHONE, PITCH] = [512, 8000, 120]
const BANDS = [6, 12, 18, 24]
const VOWELS = { a: [700, 1220, 2600], o: [450, 800, 2830] }

const set = (rate, length) => Object.assign(Meyda, { sampleRate: rate, bufferSize: length })
const wave = (length, pitch, rate) =>
  Float32Array.from({ length }, (_, at) => Math.cos((2 * Math.PI * pitch * at) / rate))

// The overtones of a voice, each as loud as three resonances let it be.
function mfcc(resonances, rate, length = LENGTH) {
  const samples = new Float32Array(length)
  for (let pitch = PITCH; pitch < rate / 2; pitch += PITCH) {
    const loud = resonances.reduce((sum, at, order) => sum + 2 ** -order / (1 + ((pitch - at) / 60) ** 2), 0)
    wave(length, pitch, rate).forEach((value, at) => (samples[at] += 0.3 * loud * value))
  }
  set(rate, length)
  return Meyda.extract('mfcc', samples)
}

// The tone that a band answers to most.
function peak(band) {
  set(PHONE, LENGTH)
  const tones = Array.from({ length: LENGTH / 2 - 1 }, (_, at) => ((at + 1) * PHONE) / LENGTH)
  const answers = tones.map((tone) => Meyda.extract('melBands', wave(LENGTH, tone, PHONE))[band])
  return tones[answers.indexOf(Math.max(...answers))]
}

// A process of its own: first a call at another rate, if any, then one of the telephone.
if (process.argv[2]) {
  if (process.argv[2] !== 'none') mfcc(VOWELS.a, Number(process.argv[2]))
  console.log(JSON.stringify([mfcc(VOWELS.a, PHONE), mfcc(VOWELS.o, PHONE), BANDS.map(peak)]))
  process.exit()
}

const after = (rate) => JSON.parse(execFileSync(process.execPath, [__filename, String(rate)]))
const apart = (one, other) => Math.hypot(...one.map((value, at) => value - other[at]))
const mel = (pitch) => 1125 * Math.log(1 + pitch / 700)
const formula = BANDS.map((band) => 700 * (Math.exp((mel(PHONE / 2) * (band + 1)) / 27 / 1125) - 1))
const rounded = (bands) => bands.map(Math.round).join(', ')
console.log(`8 kHz by the formula: bands at ${rounded(formula)} Hz`)
const [enrolled] = after('none')

function seen(rate, label) {
  const [a, o, bands] = after(rate)
  const [own, other] = [apart(enrolled, a), apart(enrolled, o)]
  console.log(`8 kHz${label}: bands at ${rounded(bands)} Hz; ${own.toFixed(1)} to a, ${other.toFixed(1)} to o`)
  return { own, other, off: Math.max(...bands.map((band, at) => Math.abs(band - formula[at]))) }
}

for (const right of [seen('none', ', first call'), seen(8000, ' after a call at 8 kHz')]) {
  assert(right.own === 0 && right.other > 80 && right.off < PHONE / LENGTH)
}
for (const wrong of [seen(16000, ' after a call at 16 kHz'), seen(48000, ' after a call at 48 kHz')]) {
  assert(wrong.own > wrong.other && wrong.off > 250)
}
assert(mfcc(VOWELS.a, 8000, 256).every(Number.isFinite))
const lost = mfcc(VOWELS.a, 16000, 512).filter(Number.isNaN).length
console.log(`16 kHz in pieces of 512 after 8 kHz in pieces of 256: ${lost} of 13 MFCC are no numbers`)
assert(lost === 13)
JS
node seen.js
