"""Networks of llnn (the library itself), and of torch-dwn and difflogic (their layout, as documented), for tests of `blc import`.

    python other_models.py OUT_DIR SEED

Writes OUT_DIR/FORMAT/NAME.pt or NAME.whole.pt, sidecars, and NAME.npz with x and scores. The scores of torch-dwn and difflogic are
computed here, in NumPy, one sample and node at a time. torch-dwn builds with CUDA only and difflogic's package needs it, too.
"""

import sys
import types
from pathlib import Path

import numpy as np
import torch

SAMPLES = 1000


def write(out, name, x, scores, side, state=None, whole=None):
    out.mkdir(parents=True, exist_ok=True)
    scores = np.asarray(scores)
    assert len(np.unique(scores, axis=0)) > 20, f"{name}: hardly two samples differ"
    for file, what in (("pt", state), ("whole.pt", whole)):
        if what is not None:
            torch.save(what, out / f"{name}.{file}")
            (out / f"{name}.{file.replace('pt', 'toml')}").write_text(side[file])
    np.savez_compressed(out / f"{name}.npz", x=x, scores=scores.astype(np.uint8))
    print(out.name, name, scores.shape)


def inputs(n, classes=None):
    head = f"classes = {classes}\n" if classes else ""
    return f'{head}[input]\nshape = [{n}]\ndtype = "bit"\n'


def llnn(out, rng):
    from llnn.lutnn import LUTNN

    for name, sizes, width, classes in [("lut2", 2, 24, 4), ("lut463", [4, 6, 3], 32, 5)]:
        layers = [60, 60, 60]
        model = LUTNN(layers, 3, sizes, input_dim=width, num_classes=classes, tau=10)
        x = rng.integers(0, 2, (SAMPLES, width), dtype=np.uint8)
        y = torch.tensor((x[:, : classes * 3].reshape(len(x), classes, 3).sum(2)).argmax(1))
        optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
        model.train()
        for _ in range(30):
            batch = torch.randint(0, len(x), (100,))
            loss = torch.nn.functional.cross_entropy(model(torch.tensor(x[batch], dtype=torch.float32)), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            scores = model(torch.tensor(x, dtype=torch.float32)).double() * 10
        assert (scores - scores.round()).abs().max() < 1e-3
        write(out / "llnn", name, x, scores.round().numpy(), {"whole.pt": inputs(width)}, whole=model)


def groups(bits, classes):
    size = len(bits) // classes
    return [sum(bits[c * size : (c + 1) * size]) for c in range(classes)]


def dwn(out, rng):
    """Input j is bit j of the address; an entry is 1 where above 0."""

    def layer(i, n_in, n_out, k, learnable):
        luts = rng.uniform(-1, 1, (n_out, 2**k)).astype(np.float32)
        luts[rng.random(luts.shape) < 0.05] = 0.0
        state = {f"{i}.luts": torch.tensor(luts)}
        if learnable:
            weights = rng.normal(size=(n_in, n_out * k)).astype(np.float32)
            wires = np.array([[int(np.argmax(weights[:, j * k + l])) for l in range(k)] for j in range(n_out)])
            state[f"{i}.mapping.weights"] = torch.tensor(weights)
            state[f"{i}._LUTLayer__dummy_mapping"] = torch.arange(n_out * k, dtype=torch.int32).reshape(n_out, k)
        else:
            wires = rng.integers(0, n_in, (n_out, k))
            state[f"{i}.mapping"] = torch.tensor(wires, dtype=torch.int32)
        return state, (wires, luts)

    def run(layers, bits):
        for wires, luts in layers:
            bits = [int(luts[j][sum(int(bits[w]) << l for l, w in enumerate(row))] > 0) for j, row in enumerate(wires)]
        return bits

    # Bits in, numbers of layers beyond nine, so that 10 comes after 9.
    state, layers, width = {}, [], 20
    for i, nodes in [(0, 40), (2, 40), (10, 30)]:
        more, made = layer(i, width, nodes, 3 if i else 6, i == 2)
        state |= more
        layers.append(made)
        width = nodes
    x = rng.integers(0, 2, (SAMPLES, 20), dtype=np.uint8)
    scores = [groups(run(layers, row), 3) for row in x]
    write(out / "torch-dwn", "bits", x, scores, {"pt": inputs(20, 3)}, state=state)

    # dwn2rtl's container: thermometer and scaler with it.
    features, bits, classes = 5, 7, 4
    state, layers = {}, []
    for i, (n_in, n_out) in enumerate([(features * bits, 40), (40, 24)]):
        more, made = layer(i, n_in, n_out, 4, i == 0)
        state |= more
        layers.append(made)
    mean, scale = rng.normal(3, 1, features), rng.uniform(0.3, 2, features)
    thresholds = np.sort(rng.normal(size=(features, bits)), axis=1).astype(np.float32)
    x = (rng.normal(size=(SAMPLES, features)) * scale + mean).astype(np.float32)
    scaled = ((x.astype(np.float64) - mean) / scale).astype(np.float32)
    scores = [groups(run(layers, (row[:, None] > thresholds).reshape(-1)), classes) for row in scaled]
    container = {
        "state_dict": state,
        "thermometer": {"thresholds": torch.tensor(thresholds)},
        "scaler": {"mean": mean.tolist(), "scale": scale.tolist()},
        "config": {"n": 4, "num_classes": classes, "layers": [40, 24], "thermometer_bits": bits},
    }
    write(out / "torch-dwn", "container", x, scores, {"pt": ""}, state=container)
    from dwn2rtl.checkpoint import load

    load(out / "torch-dwn" / "container.pt")  # dwn2rtl accepts it


def difflogic(out, rng):
    """Stand-ins of the same names and attributes: pickles name classes, they do not hold them."""
    package, module = types.ModuleType("difflogic"), types.ModuleType("difflogic.difflogic")

    class LogicLayer(torch.nn.Module):
        def __init__(self, n_in, n_out):
            super().__init__()
            self.weights = torch.nn.Parameter(torch.tensor(rng.normal(size=(n_out, 16)).astype(np.float32)))
            self.in_dim, self.out_dim, self.num_neurons = n_in, n_out, n_out
            self.device, self.grad_factor, self.implementation, self.connections = "cpu", 1.0, "python", "random"
            self.indices = tuple(torch.tensor(rng.integers(0, n_in, n_out)) for _ in range(2))

    class GroupSum(torch.nn.Module):
        def __init__(self, k, tau):
            super().__init__()
            self.k, self.tau, self.device = k, tau, "cpu"

    for name, cls in (("LogicLayer", LogicLayer), ("GroupSum", GroupSum)):
        cls.__module__, cls.__qualname__ = "difflogic.difflogic", name
        setattr(module, name, cls)
    sys.modules |= {"difflogic": package, "difflogic.difflogic": module}

    def gates(i, a, b):
        """The sixteen functions as difflogic's bin_op lists them."""
        return [0, a & b, a & ~b, a, ~a & b, b, a ^ b, a | b, ~(a | b), ~(a ^ b), ~b, a | ~b, ~a, ~a | b, ~(a & b), 1][i] & 1

    model = torch.nn.Sequential(
        torch.nn.Flatten(), LogicLayer(20, 60), LogicLayer(60, 60), LogicLayer(60, 50), GroupSum(5, 10.0)
    )
    x = rng.integers(0, 2, (SAMPLES, 20), dtype=np.uint8)
    scores = []
    for row in x:
        bits = [int(b) for b in row]
        for layer in list(model)[1:-1]:
            ids, (a, b) = layer.weights.detach().numpy().argmax(1), layer.indices
            bits = [gates(ids[n], bits[a[n]], bits[b[n]]) for n in range(layer.out_dim)]
        scores.append(groups(bits, 5))
    write(out / "difflogic", "whole", x, scores, {"whole.pt": inputs(20)}, whole=model)


if __name__ == "__main__":
    folder, seed = Path(sys.argv[1]), int(sys.argv[2])
    torch.manual_seed(seed)
    generator = np.random.default_rng(seed)
    for make in (llnn, dwn, difflogic):
        make(folder, generator)
