#!/usr/bin/env python3
"""CPU time of a training step in PyTorch: torchlogix 0.2.2, and for what it has not the same mathematics in PyTorch.

One thread, 2,352 random input bits, batch 128, ten classes, cross-entropy, Adam. One line of JSON a model, as
`frontend/examples/step_time.rs` prints it. With a name as argument only that model.
"""
import json, resource, sys, time
import torch
from torchlogix.layers import GroupSum, LogicDense

torch.set_num_threads(1)
torch.manual_seed(1)
INPUTS, BATCH, CLASSES, STEPS = 2352, 128, 10, 5


class Multilinear(torch.nn.Module):
    """A table of probabilities for each node, folded input by input."""

    def __init__(self, inputs, nodes, k=6):
        super().__init__()
        self.table = torch.nn.Parameter(torch.randn(nodes, 1 << k))
        self.register_buffer("wires", torch.randint(inputs, (k, nodes)))

    def forward(self, x):
        t = torch.sigmoid(self.table).unsqueeze(0)
        for wires in self.wires:
            low, high = t[..., 0::2], t[..., 1::2]
            t = low + x[:, wires].unsqueeze(-1) * (high - low)
        return t.squeeze(-1)


def slopes_of(k, alpha=None, beta=1 / 3):
    """`[2^k, k, 2^k]`: weight of entry c in the extended finite difference along input l at address a."""
    alpha = 0.5 * 0.75 ** (k - 1)
    a, l, c = torch.arange(1 << k)[:, None, None], torch.arange(k)[None, :, None], torch.arange(1 << k)[None, None, :]
    others = (a ^ c) & ~(1 << l)
    distance = sum(others >> i & 1 for i in range(k))
    return alpha * beta ** distance * torch.where((c >> l & 1) == 1, 1.0, -1.0)


class Efd(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, table, wires, weights):
        k = wires.shape[0]
        bits = (x[:, wires] > 0).long()  # [batch, k, nodes]
        at = sum(bits[:, j] << j for j in range(k))
        ctx.save_for_backward(at, table, wires, weights)
        ctx.inputs = x.shape
        return (table.gather(1, at.t()).t() > 0).float()

    @staticmethod
    def backward(ctx, g):
        at, table, wires, weights = ctx.saved_tensors
        d_table = torch.zeros_like(table).scatter_add_(1, at.t(), g.t().contiguous())
        slopes = torch.einsum("nc,alc->nal", table, weights)
        nodes = torch.arange(table.shape[0])
        d_slots = slopes[nodes, at] * g.unsqueeze(-1)  # [batch, nodes, k]
        d_x = torch.zeros(ctx.inputs)
        d_x.index_add_(1, wires.t().reshape(-1), d_slots.reshape(g.shape[0], -1))
        return d_x, d_table, None, None


class Dwn(torch.nn.Module):
    def __init__(self, inputs, nodes, k=6):
        super().__init__()
        self.table = torch.nn.Parameter(torch.rand(nodes, 1 << k) * 2 - 1)
        self.register_buffer("wires", torch.randint(inputs, (k, nodes)))
        self.register_buffer("weights", slopes_of(k))

    def forward(self, x):
        with torch.no_grad():
            self.table.clamp_(-1, 1)
        return Efd.apply(x, self.table, self.wires, self.weights)


def logic(nodes, rank, parametrization, **more):
    layers, width = [], INPUTS
    for n in nodes:
        layers.append(LogicDense(width, n, lut_rank=rank, parametrization=parametrization, **more))
        width = n
    return layers


def own(layer, nodes):
    return [layer(i, n) for i, n in zip([INPUTS, *nodes], nodes)]


learnable = dict(connections="learnable", connections_kwargs=dict(num_candidates=8, gumbel=False))
MODELS = {
    "difflogic LUT2 2x8000": lambda: logic([8000, 8000], 2, "raw"),
    "light LUT4 2x4000": lambda: logic([4000, 4000], 4, "light"),
    "light LUT4 2x4000 of 8": lambda: logic([4000, 4000], 4, "light", **learnable),
    "light LUT6 2x8000": lambda: own(Multilinear, [8000, 8000]),
    "dwn LUT6 2000+1000": lambda: own(Dwn, [2000, 1000]),
    "dwn LUT6 2x8000": lambda: own(Dwn, [8000, 8000]),
}

x = (torch.rand(BATCH, INPUTS) > 0.5).float()
y = torch.arange(BATCH) % CLASSES
for name, layers in MODELS.items():
    if len(sys.argv) > 1 and sys.argv[1] != name:
        continue
    model = torch.nn.Sequential(*layers(), GroupSum(CLASSES, tau=10.0)).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    best = [float("inf")] * 2
    for step in range(STEPS + 1):
        cpu, wall = time.process_time(), time.perf_counter()
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
        if step:
            best = [min(best[0], time.process_time() - cpu), min(best[1], time.perf_counter() - wall)]
    print(json.dumps({"model": name, "cpu_ms": round(best[0] * 1e3, 2), "wall_ms": round(best[1] * 1e3, 2)}), flush=True)
print(json.dumps({"peak_memory": f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss} kB"}))
