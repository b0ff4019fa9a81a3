# %% [markdown]
# A network of logic gates, from torchlogix to an FPGA: train, compile, simulate, look at the report.
# Needs `pip install blc torchlogix`. Cells are those of a notebook (Jupytext, VS Code).

# %% Data: three blobs in eight dimensions, half of them to test with
import numpy as np
import torch
from torchlogix.layers import FixedBinarization, GroupSum, LogicDense

import blc

rng = np.random.default_rng(1)
y = rng.integers(0, 3, 4000)
x = np.clip(128 + 40 * (rng.normal(size=(3, 8))[y] + 0.7 * rng.normal(size=(4000, 8))), 0, 255).astype(np.uint8)
train, test = slice(0, 2000), slice(2000, 4000)

# %% The network reads x / 255
thresholds = torch.tensor(np.quantile(x[train] / 255, np.linspace(0.1, 0.9, 7), axis=0).T, dtype=torch.float32)
net = torch.nn.Sequential(
    FixedBinarization(thresholds),
    LogicDense(56, 150),
    LogicDense(150, 90),
    GroupSum(3, tau=5.0),
)
optimizer = torch.optim.Adam(net.parameters(), lr=0.05)
inputs, labels = torch.tensor(x[train].astype(np.float32)) / 255, torch.tensor(y[train])
for step in range(150):
    batch = torch.randint(0, len(inputs), (200,))
    loss = torch.nn.functional.cross_entropy(net(inputs[batch]), labels[batch])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
net.eval()

# %% Compile for Xilinx 7-series
model = blc.from_torchlogix(net, shape=[8], dtype="u8", scale=255, name="blobs")
design = blc.compile(model, target="xc7")

# %% Simulate the compiled design on bytes, and compare with torchlogix on every test sample
result = blc.simulate(design, x[test])
with torch.no_grad():
    theirs = net(torch.tensor(x[test].astype(np.float32)) / 255) * 5.0
assert np.array_equal(result.scores, theirs.round().numpy()), "the hardware computes what the network computes"
print(f"accuracy {(result.classes == y[test]).mean():.3f}")

# %% What it takes
report = blc.report(design)
print(f"{report['luts']} LUTs, {report['ffs']} flip-flops, {design.latency} cycles")
