#!/usr/bin/env python3
"""How a network does on the dev protocols, and on finer trials over the same readers.

    evaluate.py SHARED FOLDER/student.pt [--blend 0 0.75] [--backend FOLDER/backend.npz]

prints what train.py prints on its way and how clean cuts of readers no student heard do, for each share of the way from GE2E's published layers to the trained ones,
with the back end or without.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from scipy.signal import fftconvolve, firwin, resample_poly

import batches
import pool
from audio import Protocol, at_level, eer, fnir, load, mel, windows

BAND = firwin(157, [225, 3475], pass_zero=False, fs=8_000, window=("kaiser", 4.55))
PROTOCOLS = ("dev-clean-3s", "dev-phone-3s", "dev-cross-3s", "dev-cross-10s")


def telephone(samples):
    """src/samples/telephone.rs over again."""
    line = np.clip(fftconvolve(resample_poly(samples, 1, 2), BAND, mode="same"), -1, 1)
    squeezed = np.round(np.log1p(255 * abs(line)) / np.log(256) * 127) / 127
    return resample_poly(np.sign(line) * (256**squeezed - 1) / 255, 2, 1)[: len(samples)].astype(np.float32)


class Views:
    """Mel windows of one recording, made once."""

    def __init__(self, samples, length, hop):
        frames = mel(torch.from_numpy(at_level(np.asarray(samples, np.float32)))[None])[0]
        if len(frames) < length:
            frames = torch.nn.functional.pad(frames, (0, 0, 0, length - len(frames)))
        self.windows = torch.stack([frames[s : s + length] for s in windows(len(frames), length, hop)])


@torch.no_grad()
def embeddings(network, named, batch=128):
    """name -> unit vector of the mean over its windows."""
    stacked = torch.cat([views.windows for views in named.values()])
    with torch.autocast("cpu", torch.bfloat16):
        rows = torch.cat([network(stacked[i : i + batch]).float() for i in range(0, len(stacked), batch)]).numpy()
    found, at = {}, 0
    for name, views in named.items():
        mean = rows[at : at + len(views.windows)].mean(axis=0)
        found[name], at = mean / np.linalg.norm(mean), at + len(views.windows)
    return found


class Dev:
    """Everything the dev protocols hear, as mel windows."""

    def __init__(self, shared, length=160, hop=77):
        shared, self.protocols, self.views = Path(shared), {}, {}
        audio, random = {}, np.random.default_rng(5)
        for name in PROTOCOLS:
            protocol = self.protocols[name] = Protocol(shared / "protocols" / name)
            for path in {p for clips in protocol.enrolments.values() for p in clips} | set(protocol.tests):
                audio.setdefault(path, load(shared / "audio" / path))
        enrolments = {p for clips in self.protocols[PROTOCOLS[0]].enrolments.values() for p in clips}
        for path, samples in audio.items():
            if path in enrolments:
                self.views["enrol clean", path] = Views(samples, length, hop)
                self.views["enrol phone", path] = Views(telephone(samples), length, hop)
            else:
                for kind, seconds in (("clean", 3), ("phone", 3), ("phone", 10)):
                    cut = samples[: 16_000 * seconds]
                    self.views[f"test {kind} {seconds}", path] = Views(
                        telephone(cut) if kind == "phone" else cut, length, hop
                    )
            if "librispeech_dev" in path:
                for place, start in enumerate(range(0, min(len(samples), 160_000) - 48_000, 48_000)):
                    cut = samples[start : start + 48_000]
                    for line in range(2):
                        noise = random.standard_normal(len(cut)) * np.sqrt(np.mean(cut**2))
                        noisy = cut + noise.astype(np.float32) * 10 ** (-random.uniform(10, 30) / 20)
                        self.views[f"hard {line}", (path, place)] = Views(pool.coded(noisy, random), length, hop)
                    self.views["plain phone", (path, place)] = Views(telephone(cut), length, hop)
                    self.views["plain clean", (path, place)] = Views(cut, length, hop)

    def figures(self, network):
        """EER in % (and FNIR at FPIR 1 %) of each protocol, then of single 3-s clips against each other."""
        heard, found = embeddings(network, self.views), {}
        for name, protocol in self.protocols.items():
            side = "enrol phone" if name == "dev-phone-3s" else "enrol clean"
            test = {"dev-clean-3s": "test clean 3", "dev-cross-10s": "test phone 10"}.get(name, "test phone 3")
            prints = {m: np.mean([heard[side, c] for c in clips], axis=0) for m, clips in protocol.enrolments.items()}
            prints = {m: p / np.linalg.norm(p) for m, p in prints.items()}
            scores = np.array([prints[m] @ heard[test, p] for m, p, _ in protocol.trials])
            target = np.array([t for *_, t in protocol.trials])
            known, unknown = [], []
            for path, model, number in protocol.searches:
                hits = {m: prints[m] @ heard[test, path] for m in protocol.rosters[number]}
                if model is None:
                    unknown.append(max(hits.values()))
                else:
                    known.append(hits[model] if max(hits, key=hits.get) == model else -1)
            found[name] = (eer(scores[target], scores[~target]), fnir(known, unknown))
        for label, left, right in (
            ("clean", "plain clean", "plain clean"),
            ("phone", "plain phone", "plain phone"),
            ("cross", "plain clean", "plain phone"),
            ("hard", "hard 0", "hard 1"),
            ("cross-hard", "plain clean", "hard 0"),
        ):
            a, b = ({k[1]: v for k, v in heard.items() if k[0] == side} for side in (left, right))
            keys = list(a)
            reader = np.array([k[0].split("/")[1] for k in keys])
            clip = np.array([k[0] for k in keys])
            scores = np.stack([a[k] for k in keys]) @ np.stack([b[k] for k in keys]).T
            same, apart = reader[:, None] == reader[None], clip[:, None] != clip[None]
            found[label] = (eer(scores[same & apart], scores[~same]),)
        return found


def line(found):
    return "; ".join(f"{name} " + "/".join(f"{value:.2f}" for value in values) for name, values in found.items())


class Held:
    """3-s cuts of the readers of train.txt whom no student heard, of one recording each."""

    def __init__(self, shared):
        paths = (shared / "audio/train.txt").read_text().split()
        self.views = {}
        for path in (path for number, path in enumerate(paths) if batches.held_out(number)):
            samples = load(shared / "audio" / path)
            for start in range(0, len(samples) - 48_000 + 1, 48_000):
                self.views[path, start] = Views(samples[start : start + 48_000], 160, 160)

    def figure(self, network):
        """EER in % of cuts against each other."""
        heard = embeddings(network, self.views)
        reader, rows = np.array([path for path, _ in heard]), np.stack(list(heard.values()))
        same = reader[:, None] == reader[None]
        scores, apart = rows @ rows.T, ~np.eye(len(rows), dtype=bool)
        return eer(scores[same & apart], scores[~same])


class Through:
    """A network with a back end behind it."""

    def __init__(self, network, backend):
        self.network, self.backend = network, {name: torch.from_numpy(backend[name]) for name in ("middle", "turn")}

    def __call__(self, mel):
        return (self.network(mel) - self.backend["middle"]) @ self.backend["turn"]


def main():
    from export import blended  # which needs this folder's other programs, as this one's users do not

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shared", type=Path)
    parser.add_argument("student", type=Path)
    parser.add_argument("--blend", type=float, nargs="+", default=[0.0, 0.2, 0.4, 0.55, 0.75, 1.0])
    parser.add_argument("--backend", type=Path)
    args = parser.parse_args()
    trained, dev, held = torch.load(args.student, weights_only=True), Dev(args.shared, hop=160), Held(args.shared)
    for share in args.blend:
        network = blended(trained, share)
        if args.backend:
            network = Through(network, np.load(args.backend))
        print(f"{share:.0%}: {line(dev.figures(network))}; held clean {held.figure(network):.2f}", flush=True)


if __name__ == "__main__":
    main()
