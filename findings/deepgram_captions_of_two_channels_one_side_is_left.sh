#!/usr/bin/env bash
# @deepgram/captions 1.2.0 (npm) and deepgram-captions 2.0.0 (PyPI), Deepgram's packages for captions of a transcript,
# seen 2026-11-30 (Debian 12, Node 20, Python 3.11, x86-64).
#
# Behaviour: with `multichannel=true` Deepgram transcribes each channel by itself, as is done with calls that have a
# side in each, and answers with a list of channels. Both packages make WebVTT and SRT of the words of the first and
# look at no other: what the second side says is not there, although the head of the WebVTT has "Channels: 2". With
# `utterances=true` besides, the words of both are there, but each utterance's `channel` is not looked at, and no
# caption says whose it is; speakers are named by `speaker` alone, which channels do not set. Of AssemblyAI's answers,
# for which both have a converter, the times are taken for seconds, and are milliseconds, by its documentation: a word
# at 1.5 s is shown at 25 minutes, and from 86.4 s on the clock begins anew, so that captions later in the call come
# before earlier ones. There is no error. The READMEs say nothing of channels; that utterances are preferred to the
# first channel stands in a docstring of the Python package. No issue was found that tells of either.
#
# What one would have guessed: the words of the call, with each side named, from the package of the same house; or a
# word that there are more channels. Transcripts of one channel, and the README's example, are right. Half of each call
# is gone from what is kept, shown and searched, always the same side's, and nobody who reads it sees that somebody
# answered. Where a voice is looked for by such captions, the agent's is found for the caller's.
#
# Output seen:
#   multichannel, npm, webvtt: agent's words 17 of 17, caller's words 0 of 16, sides named: no
#   multichannel, npm, srt: agent's words 17 of 17, caller's words 0 of 16, sides named: no
#   multichannel, PyPI, webvtt: agent's words 17 of 17, caller's words 0 of 16, sides named: no
#   multichannel, PyPI, srt: agent's words 17 of 17, caller's words 0 of 16, sides named: no
#   multichannel, utterances, npm, webvtt: agent's words 17 of 17, caller's words 16 of 16, sides named: no
#   multichannel, utterances, npm, srt: agent's words 17 of 17, caller's words 16 of 16, sides named: no
#   multichannel, utterances, PyPI, webvtt: agent's words 17 of 17, caller's words 16 of 16, sides named: no
#   multichannel, utterances, PyPI, srt: agent's words 17 of 17, caller's words 16 of 16, sides named: no
#   AssemblyAI, npm: 1.5, 5.0, 9.0, 95.0, 99.0 s are shown at 00:25:00, 01:23:20, 02:30:00, 02:23:20, 03:30:00
#   AssemblyAI, PyPI: 1.5, 5.0, 9.0, 95.0, 99.0 s are shown at 00:25:00, 01:23:20, 02:30:00, 02:23:20, 03:30:00
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check deepgram-captions==2.0.0
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund @deepgram/captions@1.2.0
cat >made.js <<'JS'
const { readFileSync } = require('node:fs')
const { webvtt, srt, AssemblyAiConverter } = require('@deepgram/captions')

const [house, format] = process.argv.slice(2)
const answer = JSON.parse(readFileSync(`${house}.json`))
const made = { webvtt, srt }[format](house === 'assemblyai' ? new AssemblyAiConverter(answer) : answer)
process.stdout.write(made)
JS
cat >made.py <<'PY'
import json
import sys

from deepgram_captions import AssemblyAIConverter, DeepgramConverter, srt, webvtt

house, form = sys.argv[1:]
with open(f"{house}.json") as file:
    answer = json.load(file)
converter = (AssemblyAIConverter if house == "assemblyai" else DeepgramConverter)(answer)
print({"webvtt": webvtt, "srt": srt}[form](converter))
PY
cat >seen.py <<'PY'
import json
import re
import subprocess
import sys

TURNS = (
    ("caller", 1.5, "Hello, this is Ann, my parcel has not come."),
    ("agent", 5.0, "I am sorry to hear that, what is its number?"),
    ("caller", 9.0, "It is seven three one."),
    ("agent", 95.0, "Thank you for waiting, it comes tomorrow."),
    ("caller", 99.0, "Thank you."),
)
SIDES = ("agent", "caller")
PACKAGES = {"npm": ["node", "made.js"], "PyPI": [sys.executable, "made.py"]}


def said(turn):
    """The words of a turn, as Deepgram has them: 0.3 s each, by seconds."""
    _, begin, text = turn
    for place, word in enumerate(text.split()):
        start = round(begin + 0.3 * place, 2)
        plain = word.strip(",.?").lower()
        yield {"word": plain, "start": start, "end": start + 0.25, "confidence": 0.98, "punctuated_word": word}


def keep(house, answer):
    with open(f"{house}.json", "w") as file:
        json.dump(answer, file)


def deepgram(utterances):
    channels = []
    for side in SIDES:
        words = [word for turn in TURNS if turn[0] == side for word in said(turn)]
        text = " ".join(word["punctuated_word"] for word in words)
        channels.append({"alternatives": [{"transcript": text, "confidence": 0.98, "words": words}]})
    results = {"channels": channels}
    if utterances:
        results["utterances"] = [
            {
                "start": turn[1],
                "end": list(said(turn))[-1]["end"],
                "confidence": 0.98,
                "channel": SIDES.index(turn[0]),
                "transcript": turn[2],
                "words": list(said(turn)),
            }
            for turn in TURNS
        ]
    return {"metadata": {"request_id": "1", "duration": 100.0, "channels": 2}, "results": results}


def assemblyai():
    """The same call from AssemblyAI, which counts in milliseconds and names channels from 1 as speakers."""
    utterances = []
    for turn in TURNS:
        channel = str(SIDES.index(turn[0]) + 1)
        words = [
            {
                "text": word["punctuated_word"],
                "start": round(1000 * word["start"]),
                "end": round(1000 * word["end"]),
                "confidence": 0.98,
                "speaker": channel,
                "channel": channel,
            }
            for word in said(turn)
        ]
        span = {"start": words[0]["start"], "end": words[-1]["end"], "text": turn[2], "confidence": 0.98}
        utterances.append({**span, "speaker": channel, "channel": channel, "words": words})
    words = [word for utterance in utterances for word in utterance["words"]]
    return {"id": "1", "audio_duration": 100, "audio_channels": 2, "utterances": utterances, "words": words}


def captions(package, house, form):
    made = subprocess.run([*PACKAGES[package], house, form], check=True, capture_output=True, text=True).stdout
    return made, re.findall(r"^([\d:]+)[.,](\d+) --> .*\n((?:.+\n?)+)", made, re.MULTILINE)


def count(cues, side):
    """How many words of a side's turns are in the captions, and how many there are. A long turn is two captions."""
    text = " ".join(re.sub(r"<[^>]*>|\[[^]]*\]", " ", " ".join(cue[2] for cue in cues)).split())
    turns = [turn for turn in TURNS if turn[0] == side]
    return sum(len(turn[2].split()) for turn in turns if turn[2] in text), sum(len(turn[2].split()) for turn in turns)


for utterances in (False, True):
    keep("deepgram", deepgram(utterances))
    for package in PACKAGES:
        for form in ("webvtt", "srt"):
            made, cues = captions(package, "deepgram", form)
            counts = {side: count(cues, side) for side in SIDES}
            named = "speaker" in made.lower() or "channel 1" in made.lower()
            words = ", ".join(f"{side}'s words {kept} of {all_}" for side, (kept, all_) in counts.items())
            asked = "multichannel, utterances" if utterances else "multichannel"
            print(f"{asked}, {package}, {form}: {words}, sides named: {'yes' if named else 'no'}")
            assert not named and counts["agent"] == (17, 17)
            assert counts["caller"] == ((16, 16) if utterances else (0, 16))
            assert form == "srt" or "Channels: 2" in made
keep("assemblyai", assemblyai())
begins = ", ".join(f"{turn[1]:.1f}" for turn in TURNS)
for package in PACKAGES:
    _, cues = captions(package, "assemblyai", "webvtt")
    firsts = tuple(" ".join(turn[2].split()[:2]) for turn in TURNS)
    shown = [begin for begin, _, text in cues if re.sub("<[^>]*>", "", text).startswith(firsts)]
    print(f"AssemblyAI, {package}: {begins} s are shown at {', '.join(shown)}")
    assert shown == ["00:25:00", "01:23:20", "02:30:00", "02:23:20", "03:30:00"]
PY
venv/bin/python seen.py
