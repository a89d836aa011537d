#!/usr/bin/env python3
"""Makes fixtures/logits.json: for every reference model the logits of two pictures as PyTorch computes them in f64, from
weights and pictures that the test computes too (tests/torch_models.py).

    python3 tests/models/make_logits.py        needs numpy, torch and torchvision
"""
import json
import pathlib
import sys

import torch
from torchvision import models

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from torch_models import CifarResNet, PreActResNet, batch, cifar_head, cifar_stem, fill

SIZE = 2


def networks():
    """(name, picture's height and width, network)"""
    for depth in (20, 32, 44, 56, 110):
        yield f"resnet{depth}", 32, lambda: CifarResNet(depth)
    for depth in (18, 34, 50, 101, 152):
        make = getattr(models, f"resnet{depth}")
        yield f"resnet{depth}", 32, lambda: cifar_stem(make(num_classes=10))
        yield f"resnet{depth}-imagenet", 64, lambda: make(num_classes=10)
    yield "preact-resnet18", 32, lambda: PreActResNet((2, 2, 2, 2), (64, 128, 256, 512), 64)
    yield "wrn28-10", 32, lambda: PreActResNet((4, 4, 4), (160, 320, 640), 16)
    for depth in (11, 13, 16, 19):
        for suffix in ("", "_bn"):
            make = getattr(models, f"vgg{depth}{suffix}")
            yield f"vgg{depth}{suffix}".replace("_", "-"), 32, lambda: cifar_head(make())
    yield "vgg16-imagenet", 224, lambda: models.vgg16(num_classes=10)


def main():
    results = {}
    for name, extent, make in networks():
        network = fill(make(), buffers=True).double().eval()
        x, _ = batch(0, SIZE, (3, extent, extent))
        with torch.no_grad():
            logits = network(x.double())
        results[name] = {"extent": extent, "logits": [[float(f"{v:.12g}") for v in row] for row in logits.tolist()]}
        print(name, sum(p.numel() for p in network.parameters()), f"{logits.abs().max():.3g}", flush=True)
    results["torch"] = torch.__version__
    path = pathlib.Path(__file__).parent / "fixtures" / "logits.json"
    path.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
