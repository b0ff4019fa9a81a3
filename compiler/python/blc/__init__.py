"""The BitLogic compiler: neural networks made of lookup tables, as FPGA logic.

    model = blc.from_torchlogix(net, shape=[784], dtype="u8")
    design = blc.compile(model, target="xc7")
    result = blc.simulate(design, samples)
    print(blc.report(design)["luts"])

Everything `blc` refuses is raised as `blc.Error`, whose `code` `blc explain` knows.
"""

from __future__ import annotations

import io
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple, Optional

import numpy as np

from . import _native
from ._native import Error

__all__ = ["Design", "Error", "Model", "Simulation", "compile", "from_torchlogix", "import_checkpoint", "main", "report", "simulate"]


class Model:
    """A frozen network: the bytes of a `model.safetensors`."""

    def __init__(self, data: bytes, name: str = "model"):
        self.data, self.name = data, name

    @classmethod
    def load(cls, path) -> "Model":
        """Reads a model file; it is checked when it is compiled."""
        path = Path(path)
        return cls(path.read_bytes(), path.stem)

    def save(self, path) -> None:
        """Writes the model file."""
        Path(path).write_bytes(self.data)

    def __repr__(self) -> str:
        return f"<blc.Model {self.name}: {len(self.data)} bytes>"


class Simulation(NamedTuple):
    """What a design says of each sample."""

    classes: Optional[np.ndarray]
    """`[N]`, or None where the design gives none."""
    scores: Optional[np.ndarray]
    """`[N, classes]`, or None where the design gives none."""
    outputs: dict
    """Every output port by name, `[N, elements]`."""


class Design:
    """A compiled design: a folder with `design.blir`, Verilog, BLIF and `report.json`."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self._native = _native.Design((self.folder / "design.blir").read_text())
        self._temporary = None

    @property
    def latency(self) -> int:
        """Clock cycles from a sample to its outputs."""
        return self._native.latency()

    def __repr__(self) -> str:
        return f"<blc.Design {self.folder}>"


def compile(model, target: str = "xc7", *, output=None, **options) -> Design:
    """Compiles a model (a `Model`, or the path of a model, BLIF, AIGER or `.blir` file) for a target.

    `output` is the folder for the files; without one they live as long as the design. Options are those of `blc compile`, with
    underscores: `stages=0`, `emit="verilog,blif"`, `no_head=True`.
    """
    temporary = None if output is not None else tempfile.TemporaryDirectory(prefix="blc-")
    folder = Path(output) if output is not None else Path(temporary.name)
    args = ["-q", "compile", "--target", target, "-o", os.fspath(folder)]
    for key, value in options.items():
        option = "--" + key.replace("_", "-")
        if value is True:
            args.append(option)
        elif value is not False and value is not None:
            args += [option, str(value)]
    if isinstance(model, Model):
        with tempfile.TemporaryDirectory(prefix="blc-") as work:
            path = Path(work) / f"{model.name}.safetensors"
            model.save(path)
            _native.execute([*args, os.fspath(path)])
    else:
        _native.execute([*args, os.fspath(model)])
    design = Design(folder)
    design._temporary = temporary
    return design


def simulate(design, samples, *, engine: str = "auto") -> Simulation:
    """Runs samples `[N, features]` (or `[N, ...]` of the model's shape) through a design or the folder of one.

    A C-contiguous array of the design's own type (uint8 for bytes and bits, float32 for real numbers) is read where it lies;
    booleans are viewed as bytes. Other types are refused rather than converted.
    """
    design = design if isinstance(design, Design) else Design(design)
    x = np.asarray(samples)
    if x.dtype == np.bool_:
        x = x.view(np.uint8)
    _, reals = design._native.inputs()
    wanted = np.float32 if reals else np.uint8
    if x.dtype != wanted:
        raise TypeError(f"samples of type {x.dtype} for a design that reads {np.dtype(wanted)}")
    if x.ndim == 0:
        raise TypeError("samples are an array [N, features]")
    x = np.ascontiguousarray(x).reshape(len(x), -1)
    outputs = design._native.run(x, engine)
    classes, scores = outputs.get("class"), outputs.get("score")
    return Simulation(None if classes is None else classes[:, 0], scores, outputs)


def report(design) -> dict:
    """The report of a design or of the folder of one: area, latency, timing."""
    folder = design.folder if isinstance(design, Design) else Path(design)
    return json.loads((folder / "report.json").read_text())


def import_checkpoint(path, format: str, sidecar: str = "") -> Model:
    """A model of another library's checkpoint; `sidecar` is the text of a sidecar. Nothing in the file is run."""
    path = Path(path)
    return Model(_native.import_checkpoint(path.read_bytes(), path.name, format, sidecar), path.stem)


def from_torchlogix(module, shape, dtype: str = "f32", *, name: str = "model", mean=None, scale=None) -> Model:
    """A model of a trained torchlogix network, a `torch.nn.Sequential`.

    `shape` is that of one sample, `dtype` "u8", "f32" or "bit". The network reads `(x - mean) / scale` of what the design reads.
    """
    import torch

    sidecar = [f"name = {json.dumps(name)}", "[input]", f"shape = {[int(n) for n in shape]}", f"dtype = {json.dumps(dtype)}"]
    for key, value in (("mean", mean), ("scale", scale)):
        if value is not None:
            sidecar.append(f"{key} = {np.asarray(value, dtype=np.float64).tolist()}")
    file = io.BytesIO()
    torch.save(module, file)
    return Model(_native.import_checkpoint(file.getvalue(), f"{name}.pt", "torchlogix", "\n".join(sidecar)), name)


def main() -> None:
    """The command `blc`."""
    sys.exit(_native.status(sys.argv[1:]))
