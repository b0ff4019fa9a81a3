"""Splits a tabular set, writes it for `blc train`, and prints what gradient-boosted trees make of it.

training_trees.py SETS.npz NAME OUT.npz: SETS holds NAME_x [N, features] and NAME_y [N]. A fifth of the samples is for testing;
samples of equal features stay on one side, so that nothing tested was trained on. Trees are scikit-learn's
HistGradientBoostingClassifier with its defaults, of one thread.
"""

import hashlib
import os
import sys
import time

os.environ["OMP_NUM_THREADS"] = "1"
import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

sets, name, out = sys.argv[1:]
with np.load(sets, allow_pickle=False) as all_sets:
    x = np.ascontiguousarray(all_sets[f"{name}_x"], np.float32)
    y = np.unique(all_sets[f"{name}_y"], return_inverse=True)[1].astype(np.uint8)
test = np.array([hashlib.sha256(b"1" + row.tobytes()).digest()[0] < 256 // 5 for row in x])
np.savez(out, x_train=x[~test], y_train=y[~test], x_test=x[test], y_test=y[test])
start = time.process_time()
trees = HistGradientBoostingClassifier(random_state=1).fit(x[~test], y[~test])
right = (trees.predict(x[test]) == y[test]).mean()
print(f"| {name} | {100 * right:.2f} | {time.process_time() - start:.1f} |")
