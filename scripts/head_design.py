#!/usr/bin/env python3
"""A design with a head, as text of the language.

    head_design.py net FILE.npz [SCORES]               a network of tables C0, T0, C1, T1, ... and ten groups, behind pixels
                                                       of three thresholds each, 3, 8 and 13
    head_design.py shared GROUPS OWN ALL [SCORES]      each group OWN bits of its own and ALL that all have, behind a layer of wires
    head_design.py weighted GROUPS SUMS BITS [SCORES]  groups that weigh the same SUMS sums of BITS bits by 0 to 15

SCORES is 1 where the scores are outputs, too.
"""
import ast
import random
import struct
import sys
import zipfile


def array(archive, name):
    """Shape and numbers of an array of a .npz, row-major."""
    raw = archive.read(f"{name}.npy")
    length = struct.unpack("<H", raw[8:10])[0]
    header = ast.literal_eval(raw[10 : 10 + length].decode())
    kind = {"u1": "B", "i1": "b", "i2": "h", "i4": "i", "i8": "q", "u4": "I", "u8": "Q"}[header["descr"][1:]]
    data = raw[10 + length :]
    return header["shape"], struct.unpack(f"<{len(data) // struct.calcsize(kind)}{kind}", data)


def layers(path):
    """Connections and tables (numbers) by layer."""
    with zipfile.ZipFile(path) as archive:
        for i in range(sum(name.startswith("C") for name in archive.namelist())):
            (nodes, k), wires = array(archive, f"C{i}")
            _, bits = array(archive, f"T{i}")
            size = 1 << k
            tables = [sum(b << a for a, b in enumerate(bits[n * size : (n + 1) * size])) for n in range(nodes)]
            yield k, [wires[n * k : (n + 1) * k] for n in range(nodes)], tables


def design(name, net, groups, scores, weights=(), thresholds=()):
    """Layers, sums, sums of weighted sums where there are weights, and the largest; before it a thermometer, if any."""
    resources, ops = [], []
    width = 1 + max(w for wires in net[0][1] for w in wires)
    inputs, last = f"bit[{width}]", "%x"
    if thresholds:
        pixels = -(-width // len(thresholds))
        flat = ", ".join(str(t) for _ in range(pixels) for t in thresholds)
        resources.append(f"#e = data u8[{pixels}, {len(thresholds)}] [{flat}]")
        ops.append(f'%e = enc.thermometer %x {{thresholds = #e}} : bit[{pixels * len(thresholds)}] loc("encoder")')
        inputs, last = f"u8[{pixels}]", "%e"
    for i, (k, wires, tables) in enumerate(net):
        flat = ", ".join(str(w) for row in wires for w in row)
        resources.append(f"#c{i} = data u32[{len(wires)}, {k}] [{flat}]")
        resources.append(f"#t{i} = data u64[{len(tables)}] [{', '.join(f'0x{t:x}' for t in tables)}]")
        width = len(wires)
        ops.append(f'%l{i} = lut.dense {last} {{k = {k}, connections = #c{i}, tables = #t{i}}} : bit[{width}] loc("layer{i}")')
        last = f"%l{i}"
    sums = len(weights[0]) if weights else groups
    most = width // sums
    ty = f"u{most.bit_length()}[{sums}]"
    ops.append(f'%s = head.group_sum {last} {{groups = {sums}}} : {ty} loc("head")')
    words = "%s"
    if weights:
        most = max(sum(row) for row in weights) * ((1 << most.bit_length()) - 1)
        ty = f"u{most.bit_length()}[{groups}]"
        flat = ", ".join(str(w) for row in weights for w in row)
        resources.append(f"#w = data u32[{groups}, {sums}] [{flat}]")
        ops.append(f'%p = head.matvec %s {{weights = #w}} : {ty} loc("head")')
        words = "%p"
    index = f"u{max(1, (groups - 1).bit_length())}"
    ops.append(f'%c = head.argmax {words} {{tie = lowest}} : {index} loc("head")')
    results = [("class", index, "%c")] + ([("score", ty, words)] if scores else [])
    ports = ", ".join(f"%{port}: {ty}" for port, ty, _ in results)
    body = "".join(f"    {op}\n" for op in ops + [f"return {', '.join(value for *_, value in results)}"])
    head = "".join(f"{r}\n" for r in resources)
    return f"blir 0.1\n{head}module @{name} {{\n  func @{name}(%x: {inputs}) -> ({ports}) {{\n{body}  }}\n}}\n"


def wires(rows):
    """A layer of buffers."""
    return 1, [(w,) for row in rows for w in row], [0x2 for row in rows for _ in row]


def main(kind, *args):
    if kind == "net":
        path, scores = args[0], args[1:] == ("1",)
        return design("net", list(layers(path)), 10, scores, thresholds=(3, 8, 13))
    a, b, c, *scores = map(int, args)
    scores = scores == [1]
    if kind == "shared":
        rows = [[*range(c), *range(c + g * b, c + (g + 1) * b)] for g in range(a)]
        return design("shared", [wires(rows)], a, scores)
    rng = random.Random(1)
    weights = [[rng.randrange(16) for _ in range(b)] for _ in range(a)]
    return design("weighted", [wires([range(b * c)])], a, scores, weights)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.stdout.write(main(*sys.argv[1:]))
