#!/usr/bin/env python3
"""Makes fixtures/training_*.safetensors: first gradients and losses of PyTorch, which Heddle is held against.

Weights and batches come from Philox 4x32-10 (core/random.h), which both sides compute, so the files stay small: of every
parameter's first gradient in f64 the norm and 16 projections on vectors of random signs, of small ones all numbers; the
losses of 20 steps of SGD in f32 and in f64. Everything is in PyTorch's names and layouts.

    python3 tests/train/make_training_vectors.py [NAME ...]        needs numpy and torch

The rates are small: where training amplifies rounding, as ResNet-20 does at 0.001 already, the drift of one f32 run says
little about that of another.
"""

import json
import math
import pathlib
import struct
import sys

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

STEPS = 20
PROJECTIONS = 16
SMALL = 256  # gradients up to this size are stored whole


def stream(name):
    """FNV-1a: the number of the random stream of this name."""
    value = 2166136261
    for byte in name.encode():
        value = ((value ^ byte) * 16777619) & 0xFFFFFFFF
    return value


def philox(name, count):
    """Words 0 and 1 of blocks 0 .. count - 1 of a stream (seed 0)."""
    mask = np.uint64(0xFFFFFFFF)
    shift = np.uint64(32)
    index = np.arange(count, dtype=np.uint64)
    c = [index & mask, index >> shift, np.full(count, stream(name), np.uint64), np.zeros(count, np.uint64)]
    key = [np.uint64(0), np.uint64(0)]
    for _ in range(10):
        p0 = np.uint64(0xD2511F53) * c[0]
        p1 = np.uint64(0xCD9E8D57) * c[2]
        c = [(p1 >> shift) ^ c[1] ^ key[0], p1 & mask, (p0 >> shift) ^ c[3] ^ key[1], p0 & mask]
        key = [(key[0] + np.uint64(0x9E3779B9)) & mask, (key[1] + np.uint64(0xBB67AE85)) & mask]
    return c[0], c[1]


def symmetric(name, shape):
    """In -1 .. 1, numbers that f32 holds."""
    bits, _ = philox(name, math.prod(shape))
    return ((bits >> np.uint64(8)).astype(np.float64) * (2.0 / 2**24) - 1.0).reshape(shape)


def initial(name, shape):
    """He's uniform bound for weights; scales of norms in 0.5 .. 1.5, all else in -0.1 .. 0.1. Rounded to f32."""
    values = symmetric(name, shape)
    if len(shape) > 1:
        values = values * math.sqrt(6.0 / math.prod(shape[1:]))
    elif "bn" in name and name.endswith("weight"):
        values = values * 0.5 + 1.0
    else:
        values = values * 0.1
    return torch.from_numpy(values.astype(np.float32))


def batch(step, size, shape):
    x = torch.from_numpy(symmetric(f"x{step}", (size, *shape)).astype(np.float32))
    _, words = philox(f"labels{step}", size)
    return x, torch.from_numpy((words % np.uint64(10)).astype(np.int64))


def image_cnn(channels, flat):
    # Named by position, as in a Sequential whose convolutions and dense layers bring their activations.
    class Cnn(nn.Module):
        def __init__(self):
            super().__init__()
            self.add_module("0", nn.Conv2d(channels, 32, 3))
            self.add_module("2", nn.Conv2d(32, 64, 3))
            self.add_module("5", nn.Linear(flat, 64))
            self.add_module("6", nn.Linear(64, 10))

        def forward(self, x):
            part = self._modules
            x = F.max_pool2d(F.relu(part["0"](x)), 2)
            x = F.max_pool2d(F.relu(part["2"](x)), 2)
            return part["6"](F.relu(part["5"](x.flatten(1))))

    return Cnn()


class Block(nn.Module):
    """A basic block with He et al.'s shortcut A: every other pixel, zeros for the new channels."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.stride, self.new = stride, (outputs - inputs) // 2

    def forward(self, x):
        shortcut = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.new, self.new))
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))) + shortcut)


class ResNet20(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        before = 16
        for stage, width in enumerate((16, 32, 64), 1):
            blocks = [Block(before, width, 1 if stage == 1 else 2)] + [Block(width, width, 1) for _ in range(2)]
            self.add_module(f"layer{stage}", nn.Sequential(*blocks))
            before = width
        self.fc = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        return self.fc(self.layer3(self.layer2(self.layer1(x))).mean((2, 3)))


def train(make, shape, size, rate, dtype):
    """The first step's gradients and all losses."""
    model = make().to(dtype)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(initial(name, tuple(parameter.shape)))
    optimizer = torch.optim.SGD(model.parameters(), rate, momentum=0.9)
    first, losses = {}, []
    for step in range(STEPS):
        x, y = batch(step, size, shape)
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x.to(dtype)), y)
        loss.backward()
        if step == 0:
            first = {name: p.grad.double().numpy().reshape(-1).copy() for name, p in model.named_parameters()}
        optimizer.step()
        losses.append(loss.item())
    return first, losses


def write(path, tensors, metadata):
    header, data = {"__metadata__": metadata}, b""
    for name, values in tensors.items():
        values = np.asarray(values, np.float64)
        header[name] = {"dtype": "F64", "shape": list(values.shape), "data_offsets": [len(data), len(data) + values.nbytes]}
        data += values.tobytes()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def main():
    torch.manual_seed(0)
    folder = pathlib.Path(__file__).parent / "fixtures"
    folder.mkdir(exist_ok=True)
    for label, make, shape, size, rate in (
        ("cnn_28x28x1", lambda: image_cnn(1, 1600), (1, 28, 28), 16, 0.01),
        ("cnn_32x32x3", lambda: image_cnn(3, 2304), (3, 32, 32), 16, 0.01),
        ("resnet20", ResNet20, (3, 32, 32), 8, 0.0001),
    ):
        if len(sys.argv) > 1 and label not in sys.argv[1:]:
            continue
        exact, losses = train(make, shape, size, rate, torch.float64)
        single, losses_f32 = train(make, shape, size, rate, torch.float32)
        tensors = {"losses_f64": losses, "losses_f32": losses_f32}
        worst = 0.0
        for name, gradient in exact.items():
            bits, _ = philox(name + "/signs", gradient.size)
            signs = [1.0 - 2.0 * ((bits >> np.uint64(k)) & np.uint64(1)).astype(np.float64) for k in range(PROJECTIONS)]
            norm = np.linalg.norm(gradient)
            error = np.linalg.norm(single[name] - gradient) / norm
            worst = max(worst, error)
            tensors[name + "/norm"] = [norm]
            tensors[name + "/projections"] = [float(sign @ gradient) for sign in signs]
            tensors[name + "/f32_error"] = [error]
            if gradient.size <= SMALL:
                tensors[name + "/gradient"] = gradient
        metadata = {"batch_size": str(size), "learning_rate": str(rate), "torch": torch.__version__}
        write(folder / f"training_{label}.safetensors", tensors, metadata)
        drift = max(abs(a - b) for a, b in zip(losses, losses_f32))
        print(f"{label}: losses {losses[0]:.4f} to {losses[-1]:.4f}, drift of f32 {drift:.1e}, gradients {worst:.1e}")


if __name__ == "__main__":
    main()
