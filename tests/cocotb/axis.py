"""An adder behind an AXI4-Stream wrapper, driven by cocotbext-axi with pauses on both sides.

    axis.py TOP FILE.v...
"""
import itertools
import random
import sys

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge
from cocotbext.axi import AxiStreamBus, AxiStreamSink, AxiStreamSource


@cocotb.test()
async def sums_come_in_order(dut):
    cocotb.start_soon(Clock(dut.aclk, 2, "step").start())
    parts = (dut.aclk, dut.aresetn)
    source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis"), *parts, reset_active_level=False)
    sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), *parts, reset_active_level=False)
    dice = random.Random(1)
    dut.aresetn.value = 0
    for _ in range(4):
        await RisingEdge(dut.aclk)
    dut.aresetn.value = 1
    source.set_pause_generator(dice.random() < 0.4 for _ in itertools.count())
    sink.set_pause_generator(dice.random() < 0.5 for _ in itertools.count())
    pairs = [(dice.randrange(256), dice.randrange(256)) for _ in range(1000)]
    for a, b in pairs:
        await source.send([a, b])
    for a, b in pairs:
        beat = await sink.recv()
        assert int.from_bytes(bytes(beat.tdata), "little") == a + b
    assert sink.empty()


if __name__ == "__main__":
    from cocotb_tools.runner import get_runner

    top, *files = sys.argv[1:]
    runner = get_runner("icarus")
    runner.build(sources=files, hdl_toplevel=top, build_dir="cocotb")
    results = runner.test(hdl_toplevel=top, test_module="axis", build_dir="cocotb")
    from cocotb_tools.runner import get_results

    tests, failed = get_results(results)
    print(f"PASS={tests - failed} FAIL={failed}")
