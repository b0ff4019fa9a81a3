#!/usr/bin/env python3
"""Trains a small convolutional network on the training images of a data set, and writes the set with what it says of them.

    teacher.py DATA OUT.npz [--epochs N] [--width N] [--seed N] [--temperature T]

DATA is a folder of MNIST's (or Fashion-MNIST's) four files or of CIFAR-10's six. OUT holds `x_train`, `y_train`, `x_test`, `y_test` and
`p_train` [samples, classes], the mean of the network's probabilities over views of each training image, its logits divided by T:
what `loss.distill` of `blc train` reads. Test images are copied and never looked at. Needs numpy and torch.
"""
import argparse, gzip, pathlib, struct, time
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


def idx(folder, part, rank):
    for dot in "-.":
        for end in ("", ".gz"):
            path = folder / f"{part}{dot}idx{rank}-ubyte{end}"
            if path.exists():
                raw = (gzip.open if end else open)(path, "rb").read()
                shape = struct.unpack(f">{rank}I", raw[4 : 4 + 4 * rank])
                return np.frombuffer(raw, np.uint8, offset=4 + 4 * rank).reshape(shape)
    raise SystemExit(f"{folder} has no {part}-idx{rank}-ubyte")


def load(folder):
    if (folder / "test_batch.bin").exists():
        def read(names):
            rows = np.concatenate([np.fromfile(folder / n, np.uint8).reshape(-1, 3073) for n in names])
            return rows[:, 1:].reshape(-1, 3, 32, 32), rows[:, 0]
        return *read([f"data_batch_{i}.bin" for i in range(1, 6)]), *read(["test_batch.bin"])
    return tuple(idx(folder, f"{half}-{what}", rank) for half in ("train", "t10k") for what, rank in (("images", 3), ("labels", 1)))


def network(channels, width, classes):
    layers, c = [], channels
    for stage, n in enumerate((width, 2 * width, 4 * width)):
        for _ in range(2 if stage < 2 else 1):
            layers += [nn.Conv2d(c, n, 3, padding=1, bias=False), nn.BatchNorm2d(n), nn.ReLU()]
            c = n
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Dropout(0.2), nn.Linear(4 * c, classes))


def views(x, colour, generator):
    """A batch seen anew: photographs mirrored and shifted, handwriting turned, scaled, sheared and shifted."""
    n = len(x)
    u = lambda *shape: 2 * torch.rand(*shape, generator=generator) - 1
    theta = torch.zeros(n, 2, 3)
    if colour:
        theta[:, 0, 0] = torch.sign(u(n))
        theta[:, 1, 1] = 1
        theta[:, :, 2] = u(n, 2) * 0.25
    else:
        turn, scale, shear = u(n) * 0.2, 1 + u(n) * 0.12, u(n) * 0.15
        theta[:, 0, 0], theta[:, 0, 1] = turn.cos() * scale, -turn.sin() + shear
        theta[:, 1, 0], theta[:, 1, 1] = turn.sin(), turn.cos() * scale
        theta[:, :, 2] = u(n, 2) * 0.12
    return F.grid_sample(x, F.affine_grid(theta, x.shape, align_corners=False), align_corners=False,
                         padding_mode="reflection" if colour else "zeros")


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("data", type=pathlib.Path)
    args.add_argument("out", type=pathlib.Path)
    args.add_argument("--epochs", type=int, default=12)
    args.add_argument("--width", type=int, default=16)
    args.add_argument("--seed", type=int, default=1)
    args.add_argument("--temperature", type=float, default=2.0)
    args = args.parse_args()
    torch.manual_seed(args.seed)
    generator = torch.Generator().manual_seed(args.seed)
    x, y, x_test, y_test = load(args.data)
    colour = x.ndim == 4
    pixels = torch.tensor(x).float().reshape(len(x), -1, *x.shape[-2:]) / 255
    pixels = (pixels - pixels.mean()) / pixels.std()
    labels = torch.from_numpy(y.astype(np.int64))
    classes = int(y.max()) + 1
    net = network(pixels.shape[1], args.width, classes).to(memory_format=torch.channels_last)
    batch, steps = 128, len(x) // 128
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=args.epochs * steps, pct_start=0.2)
    for epoch in range(args.epochs):
        net.train()
        start, total, right = time.process_time(), 0.0, 0
        order = torch.randperm(len(x), generator=generator)
        for step in range(steps):
            pick = order[step * batch : (step + 1) * batch]
            logits = net(views(pixels[pick], colour, generator))
            loss = F.cross_entropy(logits, labels[pick])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
            right += (logits.argmax(1) == labels[pick]).sum().item()
        seconds = time.process_time() - start
        print(f"epoch {epoch + 1}: loss {total / steps:.4f}, {100 * right / (steps * batch):.2f} % of what was seen, {seconds:.0f} s CPU", flush=True)
    net.eval()
    soft = torch.zeros(len(x), classes)
    with torch.no_grad():
        for seen in range(4):
            for at in range(0, len(x), 500):
                part = pixels[at : at + 500]
                part = part if seen == 0 else views(part, colour, generator)
                soft[at : at + 500] += F.softmax(net(part) / args.temperature, 1) / 4
    np.savez_compressed(args.out, x_train=x, y_train=y, x_test=x_test, y_test=y_test, p_train=soft.numpy())


main()
