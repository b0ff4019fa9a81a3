"""The package as a wheel installs it. Run with pytest, or as a script."""

import subprocess
import sys
from pathlib import Path

import numpy as np

import blc

ROOT = Path(__file__).resolve().parents[3]
FIXTURES = ROOT / "tests/fixtures/import/torchlogix"


def fixture(name):
    data = np.load(FIXTURES / f"{name}.npz")
    sidecar = (FIXTURES / f"{name}.toml").read_text()
    return blc.import_checkpoint(FIXTURES / f"{name}.pt", "torchlogix", sidecar), data["x"], data["scores"]


def test_import_compile_simulate_report(tmp_path):
    model, x, scores = fixture("learnable_raw2")
    design = blc.compile(model, target="xc7", output=tmp_path / "out", stages=1)
    result = blc.simulate(design, x)
    np.testing.assert_array_equal(result.scores, scores)
    np.testing.assert_array_equal(result.classes, scores.argmax(1))
    assert (tmp_path / "out" / "design.blir").exists() and design.latency >= 1
    report = blc.report(tmp_path / "out")
    assert report == blc.report(design) and report["luts"] > 0
    # The folder is a design, and booleans are bits.
    again = blc.simulate(tmp_path / "out", x.astype(bool), engine="reference")
    np.testing.assert_array_equal(again.classes, result.classes)


def test_real_inputs_and_temporary_designs():
    model, x, _ = fixture("dense_raw2")
    design = blc.compile(model, "lut6", no_scores=True)
    result = blc.simulate(design, x)
    assert result.scores is None and result.classes.shape == (len(x),)
    folder = design.folder
    assert folder.exists()
    del design
    assert not folder.exists(), "a design without a folder takes its files with it"


def test_what_is_wrong_is_raised(tmp_path):
    model, x, _ = fixture("learnable_raw2")
    design = blc.compile(model, "lut4")
    for bad, error in [(x.astype(np.float32), TypeError), (x[:, :5], blc.Error), (np.uint8(3), TypeError)]:
        try:
            blc.simulate(design, bad)
        except error:
            continue
        raise AssertionError(f"{bad!r} was taken")
    for action, code in [
        (lambda: blc.compile(blc.Model(b"no model"), "xc7"), "BL1010"),
        (lambda: blc.compile(tmp_path / "missing.blif", "xc7"), "BL1001"),
        (lambda: blc.compile(model, "xc8"), "BL4001"),
        (lambda: blc.import_checkpoint(FIXTURES / "learnable_raw2.pt", "torchlogix"), "BL1411"),
    ]:
        try:
            action()
        except blc.Error as e:
            assert e.args[1] == code, e.args
            continue
        raise AssertionError(f"{code} was not raised")


def test_samples_are_read_where_they_lie():
    """A view that is not contiguous gives the same as its copy; the array itself is not written to."""
    model, x, scores = fixture("learnable_raw2")
    design = blc.compile(model, "lut6")
    wide = np.zeros((len(x), 2 * x.shape[1]), np.uint8)
    wide[:, ::2] = x
    np.testing.assert_array_equal(blc.simulate(design, wide[:, ::2]).scores, scores)
    x.flags.writeable = False
    np.testing.assert_array_equal(blc.simulate(design, x).scores, scores)


def test_the_command():
    command = Path(sys.executable).parent / "blc"
    said = subprocess.run([command, "explain", "BL1411"], capture_output=True, text=True)
    assert said.returncode == 0 and "sidecar" in said.stdout
    assert subprocess.run([command, "no-such-command"], capture_output=True).returncode == 2


def test_from_torchlogix():
    import torch
    from torchlogix.layers import FixedBinarization, GroupSum, LogicDense

    torch.manual_seed(5)
    net = torch.nn.Sequential(
        FixedBinarization(torch.linspace(0.1, 0.9, 5)),
        LogicDense(40, 60, parametrization_kwargs={"weight_init": "random"}),
        LogicDense(60, 40, parametrization_kwargs={"weight_init": "random"}),
        GroupSum(4),
    ).eval()
    x = np.random.default_rng(5).integers(0, 256, (1000, 8), dtype=np.uint8)
    with torch.no_grad():
        expected = net(torch.tensor(x.astype(np.float32)) / 255).numpy()
    model = blc.from_torchlogix(net, shape=[8], dtype="u8", scale=255, name="net")
    result = blc.simulate(blc.compile(model, "xc7"), x)
    np.testing.assert_array_equal(result.scores, expected)


if __name__ == "__main__":
    import inspect
    import tempfile

    tests = [(name, test) for name, test in list(globals().items()) if name.startswith("test_")]
    for name, test in tests:
        with tempfile.TemporaryDirectory() as folder:
            test(*([Path(folder)] if inspect.signature(test).parameters else []))
        print(name, "ok")
