"""What values the network's layers take: on some clips as a telephone delivers them and on some clean ones."""

from pathlib import Path

import numpy as np
import torch

import channel
import voices
from campplus import RATE

KEPT = 8_000  # values kept of each channel: 1.3 GB in all


def clips(shared, count, fbank, seed=7):
    """`count` mel spectra [1, frames, 80] of the recordings that may be learned from, two thirds through
    `channel.arrived`."""
    random, audio = np.random.default_rng(seed), Path(shared) / "audio"
    noises = [voices.load(path) for path in sorted(audio.glob("noise/*/*.ogg"))]
    rooms = [voices.load(path) for path in sorted(audio.glob("rooms/*.flac"))]
    paths = voices.recordings(shared)
    pool = [(voices.load(paths[place]) * 32_767).astype(np.int16) for place in random.choice(len(paths), 40, False)]
    for number in range(count):
        voice = voices.without_pauses(pool[number % len(pool)].astype(np.float32) / 32_768)
        size = int(random.uniform(1.5, 6) * RATE)
        start = int(random.integers(max(1, len(voice) - size)))
        samples = voice[start : start + size]
        if number % 3:
            samples = channel.arrived(samples, random, noises, rooms, pool)
        yield fbank(torch.from_numpy(np.ascontiguousarray(samples, dtype=np.float32))[None])


class Observed:
    """Values of modules' outputs, by the module's name: [channels, samples]. `names` says of each whether a ReLU
    follows, behind which it is looked at."""

    def __init__(self, network, mels, names):
        self.values = {name: [] for name in ["mel", *names]}
        mels = list(mels)
        hooks = [
            network.get_submodule(name).register_forward_hook(self.keep(name, len(mels), positive))
            for name, positive in names.items()
        ]
        with torch.no_grad():
            for mel in mels:
                self.keep("mel", len(mels), False)(None, None, mel.transpose(1, 2)[:, None])
                network(mel)
        for hook in hooks:
            hook.remove()
        self.values = {name: np.concatenate(parts, 1) for name, parts in self.values.items()}

    def keep(self, name, clips, positive):
        def hook(_module, _heard, said):
            rows = said.transpose(0, 1).flatten(1)
            step = max(1, -(-rows.shape[1] * clips // KEPT))
            rows = rows[:, step // 2 :: step]
            self.values[name].append((rows.clamp(min=0) if positive else rows).numpy())

        return hook

    def tops(self, name, share):
        """The size that `share` of each channel's values stay below."""
        if share == 1:
            return np.abs(self.values[name]).max(1)
        return np.quantile(np.abs(self.values[name]), share, axis=1)

    def bounds(self, name, share):
        """What `share` of each channel's values stay above, and below."""
        if share == 1:
            return self.values[name].min(1), self.values[name].max(1)
        return np.quantile(self.values[name], 1 - share, axis=1), np.quantile(self.values[name], share, axis=1)

    def mean(self, name):
        return self.values[name].astype(np.float64).mean(1)
