from os import PathLike
from pathlib import Path
from typing import Any, Dict, NamedTuple, Optional, Sequence, Union

import numpy as np
from numpy.typing import NDArray

AnyPath = Union[str, "PathLike[str]"]

class Error(Exception):
    args: "tuple[str, str]"

class Model:
    data: bytes
    name: str
    def __init__(self, data: bytes, name: str = ...) -> None: ...
    @classmethod
    def load(cls, path: AnyPath) -> "Model": ...
    def save(self, path: AnyPath) -> None: ...

class Simulation(NamedTuple):
    classes: Optional[NDArray[Any]]
    scores: Optional[NDArray[Any]]
    outputs: Dict[str, NDArray[Any]]

class Design:
    folder: Path
    def __init__(self, folder: AnyPath) -> None: ...
    @property
    def latency(self) -> int: ...

def compile(model: Union[Model, AnyPath], target: str = ..., *, output: Optional[AnyPath] = ..., **options: Any) -> Design: ...
def simulate(design: Union[Design, AnyPath], samples: NDArray[Any], *, engine: str = ...) -> Simulation: ...
def report(design: Union[Design, AnyPath]) -> Dict[str, Any]: ...
def import_checkpoint(path: AnyPath, format: str, sidecar: str = ...) -> Model: ...
def from_torchlogix(
    module: Any,
    shape: Sequence[int],
    dtype: str = ...,
    *,
    name: str = ...,
    mean: Optional[Union[float, Sequence[float]]] = ...,
    scale: Optional[Union[float, Sequence[float]]] = ...,
) -> Model: ...
def main() -> None: ...
