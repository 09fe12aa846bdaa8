#!/usr/bin/env bash
# noisereduce 3.0.3, spectral gating in Python, seen 2026-11-30 (Debian 12, Python 3.11, x86-64).
#
# Behaviour: `reduce_noise(y, sr, stationary=True, y_noise=...)` takes audio and noise of several channels, by its
# docstring "(# channels, # frames)" each, and gives back as many. The threshold of each frequency, below which sound is
# noise, it works out once, of the mean of the noise's channels, and holds every channel to it. Of a call with a side in
# each channel, a quiet caller on a clean line falls under the noise of the agent's office: 10 dB of the voice are gone,
# 11 above 1 kHz, and of the office 17 dB more are left than if it had been by itself. Without `y_noise` the threshold
# comes from the mean of the sides as they are, speech included. `stationary=False`, the default, keeps the channels
# apart to the last bit. There is no error and no warning. A comment in the source says that the noise is collapsed to
# one channel; in issue 114 of the repository somebody who asked for stereo was told that the noise estimation is not
# shared between channels.
#
# What one would have guessed: that a channel of the result is the same channel of the input, cleaned of its own noise,
# as by the other setting. With two equal channels, as in the package's notebook, it is. So one cleans the recordings of
# calls before voices are enrolled. The caller's voice then depends on who answered, and where: quiet and dull in calls
# with one agent, as on the line in those with another.
#
# Output seen:
#   caller -38 dB on a line of -70 dB, agent -20 dB in an office of -30 dB
#   stationary, the first second as y_noise
#     a side at a time: caller -38 dB, above 1 kHz -0 dB; office -55 dB
#     both in one call: caller -48 dB, above 1 kHz -11 dB; office -37 dB
#   stationary, without y_noise
#     a side at a time: caller -42 dB, above 1 kHz -2 dB; office -68 dB
#     both in one call: caller -54 dB, above 1 kHz -15 dB; office -42 dB
#   not stationary
#     a side at a time: caller -45 dB, above 1 kHz -5 dB; office -69 dB
#     both in one call: caller -45 dB, above 1 kHz -5 dB; office -69 dB
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pinned=(numpy==2.4.6 scipy==1.17.1 joblib==1.6.0 tqdm==4.70.1 espeakng-loader==0.2.4)
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "${pinned[@]}"
# librosa and Matplotlib, which it names as dependencies too, are not used for this.
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps noisereduce==3.0.3
cat >"$folder/seen.py" <<'PY'
import ctypes

import espeakng_loader
import noisereduce
import numpy as np
from scipy.signal import butter, resample_poly, sosfilt

TEXT = (
    b"Hello, this is a call about the order that I made last Tuesday. Could you please tell me when it is going to "
    b"arrive? I would like to be at home."
)
RETRIEVAL, UTF8, RATE = 1, 1, 8_000
espeak = ctypes.CDLL(espeakng_loader.get_library_path())
rate = espeak.espeak_Initialize(RETRIEVAL, 0, espeakng_loader.get_data_path().encode(), 0)
spoken = []


@ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
def keep(samples, count, _events):
    if samples and count > 0:
        spoken.append(np.ctypeslib.as_array(samples, (count,)).copy())
    return 0


def say(voice):
    spoken.clear()
    espeak.espeak_ng_SetRandSeed(ctypes.c_long(1))
    assert espeak.espeak_SetVoiceByName(voice) == 0
    assert espeak.espeak_Synth(TEXT, len(TEXT) + 1, 0, 0, 0, UTF8, None, None) == 0
    espeak.espeak_Synchronize()
    talk = resample_poly(np.concatenate(spoken).astype(np.float64), RATE, rate)
    return talk / talk.std()


def at(level, samples):
    return 10 ** (level / 20) * samples


def level(samples):
    return 10 * np.log10(np.mean(np.square(samples)))


espeak.espeak_SetSynthCallback(keep)
rng = np.random.default_rng(1)
one, two = say(b"en+m3"), say(b"en+f2")
silence, first, second = RATE, RATE + len(one), RATE + len(one) + len(two)
before, caller_speaks, agent_speaks = slice(0, silence), slice(silence, first), slice(first, second)
caller, agent = np.zeros(second), np.zeros(second)
caller[caller_speaks], agent[agent_speaks] = at(-38, one), at(-20, two)
# A quiet line, and an office.
caller += at(-70, rng.normal(size=second))
agent += at(-30, rng.normal(size=second))
call = np.stack([caller, agent])
above = butter(6, 1_000, btype="high", fs=RATE, output="sos")


def reduce(samples, stationary, with_noise):
    noise = {"y_noise": samples[..., before]} if with_noise else {}
    return noisereduce.reduce_noise(y=samples, sr=RATE, stationary=stationary, **noise)


def figures(done):
    voice = level(done[0][caller_speaks])
    lost = level(sosfilt(above, done[0])[caller_speaks]) - level(sosfilt(above, caller)[caller_speaks])
    return np.array([voice, lost, level(done[1][caller_speaks])])


sides = f"caller {level(caller[caller_speaks]):.0f} dB on a line of {level(caller[before]):.0f} dB"
print(f"{sides}, agent {level(agent[agent_speaks]):.0f} dB in an office of {level(agent[before]):.0f} dB")
kinds = {
    "stationary, the first second as y_noise": (True, True),
    "stationary, without y_noise": (True, False),
    "not stationary": (False, False),
}
for kind, settings in kinds.items():
    both = reduce(call, *settings)
    alone = np.stack([reduce(side, *settings) for side in call])
    assert both.shape == call.shape
    print(kind)
    for name, done in (("a side at a time", alone), ("both in one call", both)):
        voice, lost, office = figures(done)
        print(f"  {name}: caller {voice:.0f} dB, above 1 kHz {lost:+.0f} dB; office {office:.0f} dB")
    change = figures(both) - figures(alone)
    if settings[0]:
        # The caller's voice is taken for the agent's noise, and more of that noise stays.
        assert change[0] < -7 and change[1] < -8 and change[2] > 12
    else:
        assert np.array_equal(both, alone)
PY
"$folder/venv/bin/python" "$folder/seen.py"
