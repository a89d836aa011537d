#!/usr/bin/env python3
"""Makes fixtures/training_*.safetensors: first gradients and losses of PyTorch, which Heddle is held against.

Weights and batches come from Philox 4x32-10 (core/random.h), which both sides compute, so the files stay small: of every
parameter's first gradient in f64 the norm and 16 projections on vectors of random signs, of small ones all numbers; the
losses of some steps of SGD in f64; and how far f32 drifts from them, as the largest of eight runs that
differ in rounding alone. Everything is in PyTorch's names and layouts.

    python3 tests/train/make_training_vectors.py [--more] [NAME ...]        needs numpy, torch and torchvision

Instruction sets round differently, too: --more, on another machine, adds its eight runs to those of a file. The files
hold the drift of runs with AVX-512 and, resnet18's, with AVX2.

The rates are small: where training amplifies rounding, as ResNet-20 does at 0.001 already, the drift of some runs says
little about that of another.
"""

import json
import pathlib
import struct
import sys

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torchvision import models

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from torch_models import CifarResNet, batch, cifar_stem, fill, philox

PROJECTIONS = 16
TURNS = 8  # runs in f32, whose largest drift counts
SMALL = 256  # gradients up to this size are stored whole


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


def resnet18():
    return cifar_stem(models.resnet18(num_classes=10))


def train(make, shape, size, rate, steps, dtype, first_batch, turn=0):
    """The first step's gradients and all losses; the pictures of each batch turned round by `turn` places."""
    model = fill(make(), buffers=False).to(dtype)
    optimizer = torch.optim.SGD(model.parameters(), rate, momentum=0.9)
    first, losses = {}, []
    for step in range(steps):
        x, y = (torch.roll(part, turn, 0) for part in batch(first_batch + step, size, shape))
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x.to(dtype)), y)
        loss.backward()
        if step == 0:
            first = {name: p.grad.double().numpy().reshape(-1).copy() for name, p in model.named_parameters()}
        optimizer.step()
        losses.append(loss.item())
    return first, losses


def read(path):
    data = path.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + size])
    metadata = header.pop("__metadata__")
    places = {name: slice(*(8 + size + offset for offset in entry["data_offsets"])) for name, entry in header.items()}
    return {name: np.frombuffer(data[place], np.float64) for name, place in places.items()}, metadata


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
    more, names = "--more" in sys.argv, [name for name in sys.argv[1:] if name != "--more"]
    for label, make, shape, size, rate, steps, first_batch in (
        ("cnn_28x28x1", lambda: image_cnn(1, 1600), (1, 28, 28), 16, 0.01, 20, 0),
        ("cnn_32x32x3", lambda: image_cnn(3, 2304), (3, 32, 32), 16, 0.01, 20, 0),
        ("resnet20", lambda: CifarResNet(20), (3, 32, 32), 8, 0.0001, 20, 0),
        # A batch on which PyTorch's own f32 switches no ReLU: a single one moves a gradient by more than 1e-5.
        ("resnet18", resnet18, (3, 32, 32), 8, 0.0001, 50, 4),
    ):
        if names and label not in names:
            continue
        exact, losses = train(make, shape, size, rate, steps, torch.float64, first_batch)
        single, losses_f32 = train(make, shape, size, rate, steps, torch.float32, first_batch)
        # Another order of a batch's pictures changes roundings alone.
        drift = np.abs(np.array(losses_f32) - losses)
        for turn in range(1, TURNS):
            _, others = train(make, shape, size, rate, steps, torch.float32, first_batch, turn)
            drift = np.maximum(drift, np.abs(np.array(others) - losses))
        path = folder / f"training_{label}.safetensors"
        if more:
            tensors, metadata = read(path)
            assert np.allclose(tensors["losses_f64"], losses, rtol=1e-9), "the file is of other losses"
            tensors["drift_f32"] = np.maximum.accumulate(np.maximum(tensors["drift_f32"], drift))
            write(path, tensors, metadata)
            print(f"{label}: drift of f32 {drift.max():.1e}, with the former runs {tensors['drift_f32'][-1]:.1e}")
            continue
        tensors = {"losses_f64": losses, "losses_f32": losses_f32, "drift_f32": np.maximum.accumulate(drift)}
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
        write(path, tensors, metadata)
        print(f"{label}: losses {losses[0]:.4f} to {losses[-1]:.4f}, drift of f32 {drift.max():.1e}, gradients {worst:.1e}",
              flush=True)


if __name__ == "__main__":
    main()
