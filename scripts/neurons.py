#!/usr/bin/env python3
"""A network of quantised neurons as tables, as LogicNets makes them, as BLIF.

    neurons.py FAN_IN BITS INPUTS WIDTH,WIDTH,... [SEED] > FILE.blif

Each neuron reads FAN_IN values of BITS bits of the layer before, weighs them, and gives the sum as a value of BITS bits, cut at
its quantiles over all inputs: BITS tables of FAN_IN * BITS inputs each. Weights are normal, as training leaves them.
"""
import random
import sys


def values(weights, bits):
    """The weighted sum at every address; input `i` has bits `i * bits` and up of the address."""
    sums = [0.0]
    for w in weights:
        for b in range(bits):
            sums += [s + w * (1 << b) for s in sums]
    return sums


def main(fan_in, bits, inputs, widths, seed=1):
    rng = random.Random(seed)
    out = sys.stdout
    widths = [int(w) for w in widths.split(",")]
    before = [f"x{i}" for i in range(inputs)]
    last = [f"n{len(widths) - 1}_{i}" for i in range(widths[-1])]
    names = lambda values: " ".join(f"{v}_{b}" for v in values for b in range(bits))
    out.write(f".model neurons\n.inputs {names(before)}\n.outputs {names(last)}\n")
    n = fan_in * bits
    rows = [f"{a:0{n}b}"[::-1] for a in range(1 << n)]
    for layer, width in enumerate(widths):
        for node in range(width):
            sources = names(rng.sample(before, fan_in))
            sums = values([rng.gauss(0, 1) for _ in range(fan_in)], bits)
            ranked = sorted(sums)
            cuts = [ranked[len(ranked) * q >> bits] for q in range(1, 1 << bits)]
            level = [sum(s >= c for c in cuts) for s in sums]
            for b in range(bits):
                out.write(f".names {sources} n{layer}_{node}_{b}\n")
                out.write("".join(f"{row} 1\n" for row, v in zip(rows, level) if v >> b & 1))
        before = [f"n{layer}_{i}" for i in range(width)]
    out.write(".end\n")


if __name__ == "__main__":
    fan_in, bits, inputs, widths, *seed = sys.argv[1:]
    main(int(fan_in), int(bits), int(inputs), widths, *map(int, seed))
