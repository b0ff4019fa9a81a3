#!/usr/bin/env python3
"""One set out of an .npz of many: prepare.py FILE.npz NAME OUT.npz takes NAME_x and NAME_y as x and y."""
import sys
import zipfile

source, name, target = sys.argv[1:]
with zipfile.ZipFile(source) as many, zipfile.ZipFile(target, "w") as one:
    for part in "xy":
        one.writestr(f"{part}.npy", many.read(f"{name}_{part}.npy"))
