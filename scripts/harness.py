#!/usr/bin/env python3
"""Puts a design into a harness of three pins, so that devices with few pins can route it.

    harness.py TARGET.toml IN.json OUT.json

Reads and writes the JSON of Yosys. The inputs are taken from a shift register, the outputs summed by exclusive or along a
chain of registers: every path of the design starts and ends in a register, and none of the harness is longer than one
lookup table. Prints how many lookup tables and registers the harness has.
"""
import json
import sys
import tomllib

# Cells between a pin and what reads or drives it, of devices that want them.
PADS = {"gowin": ("IBUF", "OBUF")}


def main(device, source, target):
    device = tomllib.load(open(device, "rb"))
    design = json.load(open(source))
    (top,) = [m for m in design["modules"].values() if m.get("attributes", {}).get("top") or len(design["modules"]) == 1] or [
        next(iter(design["modules"].values()))
    ]
    numbers = [b for c in top["cells"].values() for bits in c["connections"].values() for b in bits if isinstance(b, int)]
    numbers += [b for p in top["ports"].values() for b in p["bits"] if isinstance(b, int)]
    free = max(numbers, default=1)
    cells = {}
    count = {"luts": 0, "ffs": 0}

    def wire():
        nonlocal free
        free += 1
        return free

    def cell(kind, parameters, inputs, output):
        name = f"$harness${len(cells)}"
        directions = {pin: "input" for pin in inputs} | {output[0]: "output"}
        connections = {pin: [bit] for pin, bit in inputs.items()} | {output[0]: [output[1]]}
        cells[name] = {
            "hide_name": 0, "type": kind, "parameters": parameters, "attributes": {},
            "port_directions": directions, "connections": connections,
        }

    def register(d, q):
        r = device["register"]
        ties = {pin: str(bit) for pin, bit in r.get("ties", {}).items()}
        # A word of digits alone would be a number: a space behind it says that it is none.
        text = lambda value: f"{value:032b}" if isinstance(value, int) else value + " " * (not set(value) - set("01xz"))
        parameters = {name: text(value) for name, value in r.get("parameters", {}).items()}
        cell(r["cell"], parameters, {r["data"]: d, r["clock"]: clock} | ties, (r["output"], q))
        count["ffs"] += 1

    def exclusive_or(a, b, y):
        lut = device["lut"]
        pins = dict(zip(lut["inputs"], [a, b] + ["0"] * (len(lut["inputs"]) - 2)))
        table = sum(1 << i for i in range(1 << len(lut["inputs"])) if (i ^ i >> 1) & 1)
        cell(lut["cell"], {lut["table"]: f"{table:0{1 << len(lut['inputs'])}b}"}, pins, (lut["output"], y))
        count["luts"] += 1

    def pad(kind, pin):
        """The wire behind a pin; some devices want a cell between the two."""
        if device["name"] not in PADS:
            return pin
        inside = wire()
        inputs, output = ({"I": pin}, ("O", inside)) if kind == 0 else ({"I": inside}, ("O", pin))
        cell(PADS[device["name"]][kind], {}, inputs, output)
        return inside

    ports = top["ports"]
    clocks = [name for name in ports if name == "clk" or name.startswith("clk_")]
    clock = ports[clocks[0]]["bits"][0] if clocks else wire()
    pins = {"clk": clock, "si": wire(), "so": wire()}
    if device["name"] in PADS:
        pins["clk"] = wire()
        cell(PADS[device["name"]][0], {}, {"I": pins["clk"]}, ("O", clock))
    before, total = pad(0, pins["si"]), wire()
    register(before, total)
    for name, port in ports.items():
        for bit in port["bits"]:
            if not isinstance(bit, int) or bit == clock:
                continue
            if port["direction"] == "input":
                register(before, bit)
                before = bit
            else:
                mixed, after = wire(), wire()
                exclusive_or(total, bit, mixed)
                register(mixed, after)
                total = after
    # The last register drives the pin.
    register(total, pad(1, pins["so"]))
    top["ports"] = {
        "clk": {"direction": "input", "bits": [pins["clk"]]},
        "si": {"direction": "input", "bits": [pins["si"]]},
        "so": {"direction": "output", "bits": [pins["so"]]},
    }
    top["cells"] |= cells
    json.dump(design, open(target, "w"))
    print(json.dumps(count))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
