"""What the scripts that make PyTorch's vectors share: weights and batches from Philox 4x32-10 (core/random.h), which
tests/philox_weights.h computes too, so that no file has to hold them; and the networks that torchvision does not have.
"""
import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


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
    """He's uniform bound for weights; scales and variances of norms in 0.5 .. 1.5, all else in -0.1 .. 0.1. Rounded to
    f32."""
    values = symmetric(name, shape)
    if len(shape) > 1:
        values = values * math.sqrt(6.0 / math.prod(shape[1:]))
    elif name.endswith(("weight", "running_var")):
        values = values * 0.5 + 1.0
    else:
        values = values * 0.1
    return torch.from_numpy(values.astype(np.float32))


def batch(step, size, shape):
    x = torch.from_numpy(symmetric(f"x{step}", (size, *shape)).astype(np.float32))
    _, words = philox(f"labels{step}", size)
    return x, torch.from_numpy((words % np.uint64(10)).astype(np.int64))


def fill(model, buffers):
    """Gives all parameters, and with `buffers` the running statistics too, the values of `initial`."""
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if name.endswith("num_batches_tracked") or ("running" in name and not buffers):
                continue
            tensor.copy_(initial(name, tuple(tensor.shape)))
    return model


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


class CifarResNet(nn.Module):
    """He et al.'s ResNet of depth 6 n + 2 for CIFAR."""

    def __init__(self, depth):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        before = 16
        for stage, width in enumerate((16, 32, 64), 1):
            more = [Block(width, width, 1) for _ in range((depth - 2) // 6 - 1)]
            self.add_module(f"layer{stage}", nn.Sequential(Block(before, width, 1 if stage == 1 else 2), *more))
            before = width
        self.fc = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        return self.fc(self.layer3(self.layer2(self.layer1(x))).mean((2, 3)))


def cifar_stem(resnet):
    """A torchvision ResNet with a 3x3 convolution in front and no pooling."""
    resnet.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
    resnet.maxpool = nn.Identity()
    return resnet


def cifar_head(vgg):
    """A torchvision VGG with a single Linear behind the convolutions."""
    vgg.avgpool = nn.Identity()
    vgg.classifier = nn.Sequential(nn.Linear(512, 10))
    return vgg


class PreActBlock(nn.Module):
    """He et al. 2016; where the shape changes the shortcut sees the activated input."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x):
        h = F.relu(self.bn1(x))
        kept = self.shortcut(h) if hasattr(self, "shortcut") else x
        return self.conv2(F.relu(self.bn2(self.conv1(h)))) + kept


class PreActResNet(nn.Module):
    def __init__(self, blocks, widths, stem):
        super().__init__()
        self.conv1 = nn.Conv2d(3, stem, 3, 1, 1, bias=False)
        before = stem
        self.stages = len(blocks)
        for stage, (count, width) in enumerate(zip(blocks, widths), 1):
            more = [PreActBlock(width, width, 1) for _ in range(count - 1)]
            self.add_module(f"layer{stage}", nn.Sequential(PreActBlock(before, width, 1 if stage == 1 else 2), *more))
            before = width
        self.bn = nn.BatchNorm2d(before)
        self.fc = nn.Linear(before, 10)

    def forward(self, x):
        x = self.conv1(x)
        for stage in range(1, self.stages + 1):
            x = getattr(self, f"layer{stage}")(x)
        return self.fc(F.relu(self.bn(x)).mean((2, 3)))
