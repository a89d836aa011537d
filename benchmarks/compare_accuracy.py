#!/usr/bin/env python3
"""Whether Heddle and PyTorch end at the same test accuracy: one model, one recipe, several seeds on each side.

    benchmarks/compare_accuracy.py --data DIR [--model resnet20] [--epochs 2] [--seeds 4] [--first 1] [--json]
                                   [--heddle build/release/cli/heddle] [--python /usr/bin/python3] [--threads 2]

Both train on the CPU on CIFAR-10's binary files, batches of 128, by SGD with momentum 0.9 and weight decay 1e-4, a rate of
0.1 that falls along a cosine, random crops out of 4 black pixels more on each side, and mirror images; weights begin as
torchvision's do. Weights, order and crops are each side's own random numbers, so single runs differ by chance: `difference`
is that of the means, `standard_error` what it would typically be if there were none. Two sides agree within noise where the
first is at most twice the second; the exit status says whether they do.
"""

import argparse
import json
import math
import os
import pathlib
import statistics
import subprocess
import sys

import pytorch_models

BATCH, RATE, MOMENTUM, DECAY, PAD = 128, 0.1, 0.9, 1e-4, 4


def run_heddle(arguments, seed):
    command = [arguments.heddle, "train", arguments.model, "--data", arguments.data, "--seed", str(seed), "--json"]
    command += ["--epochs", str(arguments.epochs), "--batch-size", str(BATCH), "--optimizer", "sgd", "--lr", str(RATE)]
    command += ["--momentum", str(MOMENTUM), "--weight-decay", str(DECAY), "--schedule", "cosine"]
    command += ["--augment", "crop-flip", "--threads", str(arguments.threads), "--device", "cpu"]
    return last_record(command)["test_accuracy"]


def run_pytorch(arguments, seed):
    command = [arguments.python, __file__, "--data", arguments.data, "--model", arguments.model, "--child", str(seed)]
    command += ["--epochs", str(arguments.epochs), "--threads", str(arguments.threads)]
    return last_record(command)["test_accuracy"]


def last_record(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}\nexits with {done.returncode}:\n{done.stderr or done.stdout}")
    return json.loads(done.stdout.strip().splitlines()[-1])


# The PyTorch side: a process of its own.


def load(torch, folder, pattern):
    """Pictures u8 [N, 3, 32, 32], and labels."""
    paths = sorted(pathlib.Path(folder).glob(pattern))
    if not paths:
        raise SystemExit(f"{folder}: no {pattern}: expected the binary version of CIFAR-10")
    records = torch.cat([torch.frombuffer(bytearray(path.read_bytes()), dtype=torch.uint8) for path in paths])
    records = records.reshape(-1, 3073)
    return records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0].long()


def augmented(torch, pictures):
    """Each picture mirrored or not, and shifted by up to PAD pixels in both directions; black comes in."""
    count, _, height, width = pictures.shape
    flipped = torch.rand(count) < 0.5
    pictures = torch.where(flipped[:, None, None, None], pictures.flip(3), pictures)
    padded = torch.nn.functional.pad(pictures, (PAD, PAD, PAD, PAD))
    tops, lefts = torch.randint(0, 2 * PAD + 1, (2, count)).tolist()
    return torch.stack([p[:, y : y + height, x : x + width] for p, y, x in zip(padded, tops, lefts)])


def train_pytorch(torch, arguments, seed):
    functional = torch.nn.functional
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(seed)
    x, y = load(torch, arguments.data, "data_batch_*.bin")
    test_x, test_y = load(torch, arguments.data, "test_batch.bin")
    mean = torch.tensor([0.4914, 0.4822, 0.4465]).reshape(1, 3, 1, 1)
    deviation = torch.tensor([0.2470, 0.2435, 0.2616]).reshape(1, 3, 1, 1)

    def normalized(bytes_):
        return ((bytes_.float() / 255 - mean) / deviation).contiguous(memory_format=torch.channels_last)

    model = pytorch_models.make_model(torch, arguments.model).to(memory_format=torch.channels_last)
    for module in model.modules():
        if isinstance(module, torch.nn.Conv2d):  # as torchvision's ResNets begin
            torch.nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    optimizer = torch.optim.SGD(model.parameters(), RATE, momentum=MOMENTUM, weight_decay=DECAY)
    steps = arguments.epochs * math.ceil(len(x) / BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(arguments.epochs):
        for rows in torch.randperm(len(x)).split(BATCH):
            optimizer.zero_grad(set_to_none=True)
            functional.cross_entropy(model(normalized(augmented(torch, x[rows]))), y[rows]).backward()
            optimizer.step()
            schedule.step()
    model.eval()
    with torch.no_grad():
        right = sum(
            (model(normalized(test_x[rows])).argmax(1) == test_y[rows]).sum().item()
            for rows in torch.arange(len(test_x)).split(500)
        )
    return right / len(test_x)


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, metavar="DIR", help="CIFAR-10's binary files")
    parser.add_argument("--model", choices=("resnet20", "resnet18"), default="resnet20", help="[%(default)s]")
    parser.add_argument("--epochs", type=int, default=2, help="[%(default)s]")
    parser.add_argument("--seeds", type=int, default=4, help="runs of each side [%(default)s]")
    parser.add_argument("--first", type=int, default=1, help="the first run's seed [%(default)s]")
    parser.add_argument("--threads", type=int, default=2, help="of both [%(default)s]")
    parser.add_argument("--heddle", default=str(root / "build/release/cli/heddle"), help="[%(default)s]")
    parser.add_argument("--python", default="/usr/bin/python3", help="with PyTorch [%(default)s]")
    parser.add_argument("--json", action="store_true", help="one JSON object at the end, no line a run")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child is not None:
        import torch

        accuracy = train_pytorch(torch, arguments, arguments.child)
        print(json.dumps({"test_accuracy": accuracy}))
        return 0
    if arguments.epochs < 1 or arguments.threads < 1 or arguments.seeds < 2:
        parser.error("--epochs and --threads must be at least 1, --seeds at least 2")
    if not os.access(arguments.heddle, os.X_OK):
        parser.error(f"{arguments.heddle} is no program: build it, or name it with --heddle")

    accuracies = {"heddle": [], "pytorch": []}
    for seed in range(arguments.first, arguments.first + arguments.seeds):
        for side, run in (("heddle", run_heddle), ("pytorch", run_pytorch)):
            accuracies[side].append(run(arguments, seed))
            if not arguments.json:
                print(f"seed {seed}  {side:8} {accuracies[side][-1]:.4f}", flush=True)
    means = {side: statistics.mean(values) for side, values in accuracies.items()}
    difference = means["heddle"] - means["pytorch"]
    error = math.sqrt(sum(statistics.variance(values) for values in accuracies.values()) / arguments.seeds)
    agree = abs(difference) <= 2 * error
    if arguments.json:
        record = {"model": arguments.model, "epochs": arguments.epochs, "accuracies": accuracies, "means": means}
        print(json.dumps(dict(record, difference=difference, standard_error=error, agree=agree)))
    else:
        print(f"heddle {means['heddle']:.4f}  pytorch {means['pytorch']:.4f}  difference {difference:+.4f}", end="")
        print(f"  standard error {error:.4f}: {'agree within noise' if agree else 'DIFFER'}")
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
