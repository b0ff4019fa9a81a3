"""Trains small torchlogix models and writes what a test of `blc import` needs.

    python torchlogix_models.py OUT_DIR SEED

For each case: NAME.pt (state_dict), NAME.whole.pt (the module), sidecars NAME.toml and NAME.whole.toml, and NAME.npz with x
(samples) and scores (sums of bits, from the library's own hard forward).
"""

import sys
from pathlib import Path

import numpy as np
import torch
from torchlogix.layers import (
    FixedBinarization,
    GroupSum,
    LearnableBinarization,
    LogicConv2d,
    LogicConv3d,
    LogicConvTranspose2d,
    LogicConvTranspose3d,
    LogicDense,
    OrPooling2d,
    OrPooling3d,
)
from torchlogix.modules.resblock import ResidualLogicBlock

SAMPLES = 1000


def thermometer(x, bits):
    """Thresholds [features, bits] at quantiles."""
    q = np.quantile(x, (np.arange(bits) + 0.5) / bits, axis=0).T
    return torch.tensor(q, dtype=torch.float32)


def data(rng, shape, classes, dtype):
    """Samples around one centre per class."""
    n = SAMPLES
    y = rng.integers(0, classes, n)
    centres = rng.normal(size=(classes, *shape))
    x = centres[y] + 0.7 * rng.normal(size=(n, *shape))
    if dtype == "u8":
        return np.clip(128 + 40 * x, 0, 255).astype(np.uint8), y
    if dtype == "bit":
        return (x > 0).astype(np.uint8), y
    # Eighths: some values are thresholds.
    return (np.round(8 * x) / 8).astype(np.float32), y


def train(model, x, y, steps):
    x, y = torch.tensor(x.astype(np.float32)), torch.tensor(y)
    for name, p in model.named_parameters():
        if name.endswith(".weight") or "tree_weights" in name:
            # light's random logits are all positive
            torch.nn.init.normal_(p)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    model.train()
    for step in range(steps):
        batch = torch.randint(0, len(x), (100,))
        loss = torch.nn.functional.cross_entropy(model(x[batch]), y[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()


def scores(model, x):
    """Sums of bits: what the head gives before beta and tau."""
    head = [m for m in model.modules() if isinstance(m, GroupSum)][-1]
    with torch.no_grad():
        out = model(torch.tensor(x.astype(np.float32)))
    out = out.double() * head.tau - head.beta
    whole = out.round()
    assert (out - whole).abs().max() < 1e-3
    return whole.numpy().astype(np.int64)


def kw(kind, rank=2, **more):
    """Random tables: residual ones all begin as wires, and what tells nothing apart tests nothing."""
    return {"parametrization": kind, "lut_rank": rank, "parametrization_kwargs": {"weight_init": "random"}, **more}


def learnable(candidates):
    return {"connections": "learnable", "connections_kwargs": {"num_candidates": candidates}}


def dense_cases(rng):
    for kind, rank in [("raw", 2), ("light", 2), ("light", 4), ("warp", 2), ("warp", 4), ("warp", 6)]:
        x, y = data(rng, (8,), 4, "f32")
        model = torch.nn.Sequential(
            FixedBinarization(thermometer(x, 4)),
            LogicDense(32, 48, **kw(kind, rank)),
            LogicDense(48, 40, **kw(kind, rank)),
            GroupSum(4, tau=2.0, beta=0.5),
        )
        yield f"dense_{kind}{rank}", model, x, y, "f32", sidecar((8,), "f32", 4, kind)
    for kind, rank in [("raw", 2), ("light", 4), ("warp", 2)]:
        x, y = data(rng, (24,), 3, "bit")
        model = torch.nn.Sequential(
            LogicDense(24, 36, **kw(kind, rank), **learnable(5)),
            LogicDense(36, 30, **kw(kind, rank), **learnable(-1)),
            GroupSum(3),
        )
        yield f"learnable_{kind}{rank}", model, x, y, "bit", sidecar((24,), "bit", 3, kind)
    x, y = data(rng, (6,), 3, "u8")
    thresholds = torch.sort(torch.rand(6, 3) * 200 + 20, dim=1)[0]
    model = torch.nn.Sequential(
        LearnableBinarization(thresholds, temperature_sampling=10.0, temperature_softplus=0.2),
        torch.nn.Flatten(),
        LogicDense(18, 30, **kw("light", 2)),
        GroupSum(3),
    )
    side = sidecar((6,), "u8", 3, "light") + layer("0", "binarization", temperature_softplus=0.2) + layer("2", "dense")
    yield "learnt_thresholds", model, x, y, "u8", side


def conv_cases(rng):
    for kind, rank, depth in [("raw", 2, 2), ("light", 4, 1), ("warp", 2, 3)]:
        channels, size = 2, 6
        x, y = data(rng, (channels, size, size), 3, "f32")
        thresholds = torch.tensor([[-0.5, 0.4], [0.0, 0.7]])
        padding = 1 if kind == "raw" else 0
        inner = size + 2 * padding - 2
        pool = 2 if inner % 2 == 0 else 3
        model = torch.nn.Sequential(
            FixedBinarization(thresholds, feature_dim=1),
            LogicConv2d(
                in_dim=size, channels=2 * channels, num_kernels=6, tree_depth=depth,
                receptive_field_size=3, stride=1, padding=padding, **kw(kind, rank),
            ),
            OrPooling2d(kernel_size=pool, stride=pool, padding=0),
            torch.nn.Flatten(),
            LogicDense(6 * (inner // pool) ** 2, 60, **kw(kind, rank)),
            GroupSum(3),
        )
        side = (
            sidecar((channels, size, size), "f32", 3, kind)
            + layer("0", "binarization", feature_dim=1)
            + layer("1", "conv2d", receptive_field_size=3, stride=1, padding=padding)
            + layer(None, "or_pool2d", kernel_size=pool, stride=pool, padding=0)
            + layer(None, "flatten")
            + layer("4", "dense")
        )
        yield f"conv_{kind}{rank}", model, x, y, "f32", side
    # Not square, two strides, a pool with padding, bits along rows.
    x, y = data(rng, (1, 5, 7), 2, "u8")
    model = torch.nn.Sequential(
        FixedBinarization(torch.tensor([90.0, 130.0]), feature_dim=1),
        LogicConv2d(in_dim=(5, 7), channels=2, num_kernels=4, tree_depth=2, receptive_field_size=(3, 2), stride=2,
                    padding=1, **kw("light", 2)),
        OrPooling2d(kernel_size=2, stride=1, padding=1),
        LogicConv2d(in_dim=(4, 5), channels=4, num_kernels=5, tree_depth=1, receptive_field_size=2, stride=1, **kw("light", 2)),
        torch.nn.Flatten(),
        LogicDense(60, 40, **kw("light", 2)),
        GroupSum(2),
    )
    side = (
        sidecar((1, 5, 7), "u8", 2, "light")
        + layer("0", "binarization", feature_dim=1)
        + layer("1", "conv2d", receptive_field_size=[3, 2], stride=2, padding=1)
        + layer(None, "or_pool2d", kernel_size=2, stride=1, padding=1)
        + layer("3", "conv2d", receptive_field_size=2, stride=1, padding=0)
        + layer(None, "flatten")
        + layer("5", "dense")
    )
    yield "conv_oblong", model, x, y, "u8", side


def block_cases(rng):
    """Residual blocks, volumes, transposed convolutions."""
    x, y = data(rng, (2, 5, 5), 2, "bit")
    size = {"receptive_field_size": 3, "stride": 1, "padding": 1}
    model = torch.nn.Sequential(
        ResidualLogicBlock(5, 2, 2, tree_depth=2, **kw("light", 2)),
        ResidualLogicBlock(5, 2, 2, tree_depth=1, **kw("light", 2)),
        torch.nn.Flatten(),
        LogicDense(50, 40, **kw("light", 2)),
        GroupSum(2),
    )
    side = sidecar((2, 5, 5), "bit", 2, "light")
    for block in (0, 1):
        side += layer(None, "residual")
        side += layer(f"{block}.main.0", "conv2d", **size) + layer(f"{block}.main.2", "conv2d", **size)
        side += layer(None, "residual_end")
    side += layer(None, "flatten") + layer("3", "dense")
    yield "residual_light2", model, x, y, "bit", side

    x, y = data(rng, (2, 3, 4, 5), 2, "f32")
    model = torch.nn.Sequential(
        FixedBinarization(torch.tensor([-0.4, 0.5]), feature_dim=1),
        LogicConv3d((3, 4, 5), channels=4, num_kernels=3, tree_depth=2, receptive_field_size=(2, 3, 2), padding=1,
                    **kw("raw", 2)),
        OrPooling3d(kernel_size=2, stride=2, padding=0),
        torch.nn.Flatten(),
        LogicDense(36, 30, **kw("raw", 2)),
        GroupSum(2),
    )
    side = (
        sidecar((2, 3, 4, 5), "f32", 2, "raw")
        + layer("0", "binarization", feature_dim=1)
        + layer("1", "conv3d", receptive_field_size=[2, 3, 2], stride=1, padding=1)
        + layer(None, "or_pool3d", kernel_size=2, stride=2, padding=0)
        + layer(None, "flatten")
        + layer("4", "dense")
    )
    yield "volume_raw2", model, x, y, "f32", side

    for axes, make, shape, rank in [(2, LogicConvTranspose2d, (3, 4), 4), (3, LogicConvTranspose3d, (2, 3, 2), 2)]:
        x, y = data(rng, (2, *shape), 3, "bit")
        out = 4 * int(np.prod([(n - 1) * 2 - 2 + 3 + 1 for n in shape]))
        model = torch.nn.Sequential(
            make(shape, channels=2, num_kernels=4, tree_depth=4 // rank, receptive_field_size=3, stride=2, padding=1,
                 output_padding=1, **kw("warp", rank)),
            torch.nn.Flatten(),
            LogicDense(out, out // 2 + 3 - out // 2 % 3, **kw("warp", 2)),
            GroupSum(3),
        )
        side = (
            sidecar((2, *shape), "bit", 3, "warp")
            + layer("0", f"conv_transpose{axes}d", receptive_field_size=3, stride=2, padding=1, output_padding=1)
            + layer(None, "flatten")
            + layer("2", "dense")
        )
        yield f"transposed{axes}_warp{rank}", model, x, y, "bit", side


def sidecar(shape, dtype, classes, kind):
    return f'classes = {classes}\nparametrization = "{kind}"\n\n[input]\nshape = {list(shape)}\ndtype = "{dtype}"\n'


def layer(module, kind, **keys):
    lines = ["\n[[layers]]"] + ([f'module = "{module}"'] if module is not None else []) + [f'kind = "{kind}"']
    return "\n".join(lines + [f"{key} = {value}" for key, value in keys.items()]) + "\n"


def main(out, seed):
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    for name, model, x, y, dtype, side in [*dense_cases(rng), *conv_cases(rng), *block_cases(rng)]:
        train(model, x, y, 30)
        found = scores(model, x)
        assert len(np.unique(found, axis=0)) > 20, f"{name}: hardly two samples differ"
        torch.save(model.state_dict(), out / f"{name}.pt")
        torch.save(model, out / f"{name}.whole.pt")
        (out / f"{name}.toml").write_text(side)
        shape = list(x.shape[1:])
        (out / f"{name}.whole.toml").write_text(f'[input]\nshape = {shape}\ndtype = "{dtype}"\n')
        np.savez_compressed(out / f"{name}.npz", x=x.reshape(len(x), -1), scores=found.astype(np.uint8))
        print(name, x.shape, f"{(found.argmax(1) == y).mean():.3f}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
