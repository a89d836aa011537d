"""PyTorch's form of the models that `heddle train` knows and compare_pytorch.py times."""


def make_model(torch, name):
    nn, functional = torch.nn, torch.nn.functional
    if name == "mlp":
        return nn.Sequential(
            nn.Flatten(), nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10)
        )
    if name == "cnn":
        return nn.Sequential(
            nn.Conv2d(3, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(2304, 64), nn.ReLU(), nn.Linear(64, 10),
        )  # fmt: skip

    if name == "speednet94":
        return make_speednet(nn)

    class Block(nn.Module):
        def __init__(self, inputs, outputs, stride, projection):
            super().__init__()
            self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(outputs)
            self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(outputs)
            self.stride, self.new, self.downsample = stride, (outputs - inputs) // 2, None
            if projection and (stride != 1 or self.new):
                self.downsample = nn.Sequential(
                    nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
                )

        def shortcut(self, x):
            if self.downsample is not None:
                return self.downsample(x)
            if self.stride == 1 and not self.new:
                return x
            return functional.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.new, self.new))

        def forward(self, x):
            h = functional.relu(self.bn1(self.conv1(x)), inplace=True)
            return functional.relu(self.bn2(self.conv2(h)).add_(self.shortcut(x)), inplace=True)

    blocks, widths, projection = (3, (16, 32, 64), False) if name == "resnet20" else (2, (64, 128, 256, 512), True)
    layers = [nn.Conv2d(3, widths[0], 3, 1, 1, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU(inplace=True)]
    before = widths[0]
    for stage, width in enumerate(widths):
        for block in range(blocks):
            layers.append(Block(before, width, 2 if stage > 0 and block == 0 else 1, projection))
            before = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, 10))


def make_speednet(nn):
    """The net of the 94 % record: its whitening convolution has a fixed weight, its norms a fixed scale of 1."""
    whiten = nn.Conv2d(3, 24, 2)
    whiten.weight.requires_grad = False
    layers, before = [whiten, nn.GELU()], 24
    for width in (64, 256, 256):
        for inputs, pool in ((before, [nn.MaxPool2d(2)]), (width, [])):
            norm = nn.BatchNorm2d(width, eps=1e-12, momentum=0.4)
            norm.weight.requires_grad = False
            layers += [nn.Conv2d(inputs, width, 3, padding=1, bias=False), *pool, norm, nn.GELU()]
        before = width
    return nn.Sequential(*layers, nn.MaxPool2d(3), nn.Flatten(), nn.Linear(before, 10, bias=False))
