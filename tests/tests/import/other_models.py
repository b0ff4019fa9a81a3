"""Networks of llnn (the library itself), and of torch-dwn, difflogic, difflut and BitLogic (their layout, as documented), for tests of
`blc import`.

    python other_models.py OUT_DIR SEED

Writes OUT_DIR/FORMAT/NAME.pt or NAME.whole.pt, sidecars, and NAME.npz with x and scores. The scores of all but llnn are computed
here, in NumPy, one sample and node at a time: torch-dwn builds with CUDA only, difflogic's package needs it, too, and difflut and
BitLogic's rewrite are on no index of packages.
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


def sigmoid(x):
    return 1 / (1 + np.exp(-x, dtype=np.float32))


class Node:
    """A node of difflut: its tensors, and what it gives for bits, as the library's forward_eval says."""

    def __init__(self, kind, k, rng):
        size, f = 2**k, lambda *shape: rng.normal(size=shape).astype(np.float32)
        self.kind, self.k, self.seen = kind, k, {}
        corners = np.array([[a >> j & 1 for j in range(k)] for a in range(size)], dtype=np.float32)
        if kind == "probabilistic":
            self.state = {"raw_weights": f(size, 1), "temperature": np.float32(0.7), "binary_combinations": corners}
        elif kind in ("hybrid", "dwn_stable"):
            self.state = {"raw_luts": f(1, size), "binary_combinations": corners}
            self.state |= {"gradient_scale": np.float32(1.25)} if kind == "dwn_stable" else {}
        elif kind == "dwn":
            luts = rng.uniform(size=(1, size)).astype(np.float32)
            luts[0, rng.integers(size)] = 0.5
            self.state = {"luts": luts, "alpha": np.float32(0.1), "beta": np.float32(1 / 3)}
        elif kind == "warp":
            self.state = {"coefficients": f(size, 1), "temperature": np.float32(1)}
        elif kind == "difflogic":
            self.state = {"weights": f(1, 16), "indices": rng.permutation(k)[:2].reshape(1, 2).astype(np.int64)}
            self.state["truth_tables"] = np.array([[i >> b & 1 for b in range(4)] for i in range(16)], dtype=np.float32)
        elif kind == "linear_lut":
            weights = f(k, 1)
            self.state = {"weights": weights, "bias": -weights.sum(0) / 2}
        elif kind == "polylut":
            exponents = np.array(
                [e for e in np.ndindex(*[3] * k) if sum(e) <= 2], dtype=np.float32
            )
            weights = f(len(exponents), 1)
            # As often 1 as 0: less the mean over all corners, whose monomials are 0 or 1.
            weights[0] -= np.mean([((exponents == 0) | (x > 0)).all(1) @ weights[:, 0] for x in corners])
            self.state = {"exponent_matrix": exponents, "weights": weights}
        elif kind == "neurallut":
            self.state = {"layers.0.weight": f(8, k), "layers.0.bias": f(8), "layers.1.weight": f(8, 8)}
            self.state |= {"layers.1.bias": f(8), "layers.2.weight": f(1, 8), "layers.2.bias": f(1)}
            self.state |= {"skip_layers.2.weight": f(1, k), "skip_layers.2.bias": f(1)}
            self.state["layers.2.bias"] -= np.median([self.neural(x) for x in corners])
        elif kind == "fourier":
            self.state = {"frequencies": corners[:, ::-1] / 2, "amplitudes": rng.uniform(size=(size, 1)).astype(np.float32)}
            self.state |= {"phases": f(size, 1), "bias": np.full(1, 0.5, dtype=np.float32)}

    def __call__(self, bits):
        bits = tuple(int(b) for b in bits)
        if bits not in self.seen:
            self.seen[bits] = self.evaluate(bits)
        return self.seen[bits]

    def neural(self, x):
        s, h = self.state, x
        for i in range(3):
            h = s[f"layers.{i}.weight"] @ h + s[f"layers.{i}.bias"]
            if i == 2:
                h = h + s["skip_layers.2.weight"] @ x + s["skip_layers.2.bias"]
            else:
                h = np.maximum(h, 0.01 * h)
        return h[0]

    def evaluate(self, bits):
        s, x = self.state, np.array(bits, dtype=np.float32)
        address = sum(int(b) << j for j, b in enumerate(bits))
        if self.kind == "probabilistic":
            return int(sigmoid(s["raw_weights"][address, 0] / max(s["temperature"], np.float32(1e-6))) >= 0.5)
        if self.kind in ("hybrid", "dwn_stable"):
            return int(sigmoid(s["raw_luts"][0, address]) >= 0.5)
        if self.kind == "dwn":
            return int(s["luts"][0, address] >= 0.5)
        if self.kind == "warp":
            terms = [c * np.prod([2 * x[j] - 1 for j in range(self.k) if i >> j & 1]) for i, (c,) in enumerate(s["coefficients"])]
            return int(sum(terms) > 0)
        if self.kind == "difflogic":
            a, b = (int(bits[i]) for i in s["indices"][0])
            return int(s["truth_tables"][s["weights"][0].argmax()][2 * a + b])
        if self.kind == "linear_lut":
            return int(x @ s["weights"][:, 0] + s["bias"][0] >= 0)
        if self.kind == "polylut":
            e = s["exponent_matrix"]
            monomials = np.where(e > 0, x, 1) ** e
            return int(monomials.prod(1) @ s["weights"][:, 0] >= 0)
        if self.kind == "neurallut":
            return int(self.neural(x) >= 0)
        amplitudes = s["amplitudes"][:, 0] / (s["amplitudes"].sum() + 1e-8) * 0.8
        angles = 2 * np.pi * (s["frequencies"] @ x) + s["phases"][:, 0]
        return int(np.clip((amplitudes * np.cos(angles)).sum() + s["bias"][0], 0, 1) >= 0.5)


def difflut(out, rng):
    kinds = ["probabilistic", "hybrid", "dwn_stable", "dwn", "warp", "difflogic", "linear_lut", "polylut", "neurallut", "fourier"]
    features, bits, classes = 6, 4, 3
    for kind in kinds:
        k = 3 if kind == "polylut" else 4
        thresholds = np.sort(rng.normal(size=(features, bits)), axis=1).astype(np.float32)
        state, layers, width = {"encoder.thresholds": thresholds}, [], features * bits
        # The head pads 26 bits with a zero.
        for i, (w, learnable) in enumerate([(30, False), (26, True)]):
            nodes = [Node(kind, k, rng) for _ in range(w)]
            if learnable:
                scores = rng.normal(size=(w * k, width)).astype(np.float32)
                wires = scores.argmax(1).reshape(w, k)
                state[f"layers.{i}.mapping.W"] = scores
                state[f"layers.{i}.mapping._cached_hard_indices"] = wires.reshape(-1).astype(np.int32)
            else:
                wires = rng.integers(0, width, (w, k))
                state[f"layers.{i}._mapping_indices"] = wires.astype(np.int16)
            state |= {f"layers.{i}.nodes.{n}.{name}": t for n, node in enumerate(nodes) for name, t in node.state.items()}
            layers.append((wires, nodes))
            width = w
        state["output_layer.tau"] = np.float32(2)
        x = rng.normal(size=(SAMPLES, features)).astype(np.float32)
        scores = []
        for row in x:
            values = (row[:, None] > thresholds).reshape(-1).astype(int)
            for wires, nodes in layers:
                values = [node(values[list(row)]) for node, row in zip(nodes, wires)]
                values = np.array(values)
            scores.append(groups([*values.tolist(), 0], classes))
        state = {name: torch.tensor(np.ascontiguousarray(t)) for name, t in state.items()}
        extra = {"neurallut": 'activation = "leakyrelu"\n', "fourier": "max_amplitude = 0.8\n"}.get(kind, "")
        side = f'classes = {classes}\n{extra}[input]\ndtype = "f32"\n'
        write(out / "difflut", kind, x, scores, {"pt": side}, state=state)


def difflut_whole(out, rng):
    """A model saved whole, of stand-ins with the library's names."""

    def stand_in(module, name):
        parts = module.split(".")
        for i in range(1, len(parts) + 1):
            sys.modules.setdefault(".".join(parts[:i]), types.ModuleType(".".join(parts[:i])))
        place = sys.modules[module]
        if not hasattr(place, name):
            setattr(place, name, type(name, (torch.nn.Module,), {"__module__": module, "__qualname__": name}))
        return getattr(place, name)()

    model = stand_in("difflut.models.feedforward", "SimpleFeedForward")
    model.encoder = stand_in("difflut.encoder.thermometer", "DistributiveThermometerEncoder")
    thresholds = np.sort(rng.normal(size=(5, 3)), axis=1).astype(np.float32)
    model.encoder.register_buffer("thresholds", torch.tensor(thresholds))
    layer = stand_in("difflut.layers.random_layer", "RandomLayer")
    wires = rng.integers(0, 15, (20, 4))
    layer.register_buffer("_mapping_indices", torch.tensor(wires.astype(np.int16)))
    nodes = [Node("hybrid", 4, rng) for _ in range(20)]
    layer.nodes = torch.nn.ModuleList()
    for node in nodes:
        module = stand_in("difflut.nodes.hybrid_node", "HybridNode")
        module.raw_luts = torch.nn.Parameter(torch.tensor(node.state["raw_luts"]))
        module.register_buffer("binary_combinations", torch.tensor(node.state["binary_combinations"]))
        layer.nodes.append(module)
    model.layers = torch.nn.ModuleList([layer])
    model.output_layer = stand_in("difflut.heads.groupsum", "GroupSum")
    model.output_layer.k, model.output_layer.use_randperm = 4, False
    model.output_layer.register_buffer("tau", torch.tensor(1.0))
    x = rng.normal(size=(SAMPLES, 5)).astype(np.float32)
    encoded = (x[:, :, None] > thresholds).reshape(SAMPLES, -1).astype(int)
    scores = [groups([node(row[list(w)]) for node, w in zip(nodes, wires)], 4) for row in encoded]
    write(out / "difflut", "whole", x, scores, {"whole.pt": '[input]\ndtype = "f32"\n'}, whole=model)


def bitlogic(out, rng):
    """Tables and wiring, as the lines that `blc import` shows save them. Input 0 is the highest bit of an address."""

    def layer(i, n_in, n_out, k, turned):
        luts = rng.integers(0, 2, (n_out, 2**k), dtype=np.uint8)
        ids = rng.integers(0, n_in, (n_out, k))
        saved = {f"{i}.luts": torch.tensor(luts), f"{i}.ids": torch.tensor(ids.T.copy() if turned else ids)}
        return saved, (ids, luts)

    def run(layers, bits):
        for ids, luts in layers:
            k = ids.shape[1]
            bits = [int(t[sum(int(bits[w]) << (k - 1 - j) for j, w in enumerate(row))]) for row, t in zip(ids, luts)]
        return bits

    # Images: bits become channels, then a row.
    channels, size, bits, classes = 2, 3, 3, 4
    thresholds = np.sort(rng.uniform(20, 230, (channels, bits)), axis=1).astype(np.float32)
    first, one = layer(2, channels * bits * size * size, 60, 4, False)
    second, two = layer(3, 60, 40, 6, True)
    x = rng.integers(0, 256, (SAMPLES, channels, size, size), dtype=np.uint8)
    encoded = x[:, :, None] > thresholds[None, :, :, None, None]
    scores = [groups(run([one, two], row), classes) for row in encoded.reshape(SAMPLES, -1)]
    side = f'classes = {classes}\n[input]\nshape = [{channels}, {size}, {size}]\ndtype = "u8"\n'
    state = {"0.thresholds": torch.tensor(thresholds), **first, **second}
    write(out / "bitlogic", "image", x.reshape(SAMPLES, -1), scores, {"pt": side}, state=state)

    first, one = layer(0, 20, 40, 2, True)
    x = rng.integers(0, 2, (SAMPLES, 20), dtype=np.uint8)
    write(out / "bitlogic", "bits", x, [groups(run([one], row), 4) for row in x], {"pt": inputs(20, 4)}, state=first)


if __name__ == "__main__":
    folder, seed = Path(sys.argv[1]), int(sys.argv[2])
    torch.manual_seed(seed)
    generator = np.random.default_rng(seed)
    for make in (llnn, dwn, difflogic, difflut, difflut_whole, bitlogic):
        make(folder, generator)
