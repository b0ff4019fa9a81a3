#!/usr/bin/env python3
"""A network of lookup tables in layers, wired at random, as BLIF.

    layers.py K LAYERS WIDTH INPUTS [SEED] > FILE.blif

Each table reads K different outputs of the layer before. With K = 2 it is one of the ten gates that depend on both inputs,
otherwise a random table, as training leaves them: dense, with nothing in common.
"""
import random
import sys

GATES = [t for t in range(16) if t & 5 != t >> 1 & 5 and t & 3 != t >> 2]


def main(k, layers, width, inputs, seed=1):
    rng = random.Random(seed)
    out = sys.stdout
    before = [f"x{i}" for i in range(inputs)]
    last = [f"n{layers - 1}_{i}" for i in range(width)]
    out.write(f".model layers\n.inputs {' '.join(before)}\n.outputs {' '.join(last)}\n")
    for layer in range(layers):
        for node in range(width):
            table = rng.choice(GATES) if k == 2 else rng.getrandbits(1 << k)
            out.write(f".names {' '.join(rng.sample(before, k))} n{layer}_{node}\n")
            rows = [f"{a:0{k}b}"[::-1] for a in range(1 << k) if table >> a & 1]
            out.write("".join(f"{row} 1\n" for row in rows))
        before = [f"n{layer}_{i}" for i in range(width)]
    out.write(".end\n")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
