#!/usr/bin/env python3
"""Trains the same models on the same data with Heddle and with PyTorch, in alternation, on the CPU or on a GPU.

    benchmarks/compare_pytorch.py [--models mlp,cnn,resnet20,resnet18,speednet94,char_lm,gpt,gan] [--rounds 5] [--json]
                                  [--device cpu|cuda] [--precision f32|bf16]
                                  [--heddle build/release/cli/heddle] [--examples build/release/examples]
                                  [--pytorch PYTHON [--compile]] [--data DIR] [--idx-data DIR]

Heddle runs through its public `fit` (`heddle train`). PyTorch runs a plain training loop on a tensor that holds the whole
data, ready and normalised, so it pays nothing for loading. Both train with SGD and momentum, and both count the time from
the first step to the last. Columns:

  pytorch          tuned: OpenBLAS on OpenMP threads (Debian's libopenblas0-openmp) first on the library path, the same
                   number of threads as Heddle
  pytorch_default  as installed, nothing set
  pytorch_other    the PyTorch of the interpreter that --pytorch names, the same number of threads as Heddle
  pytorch_compiled with --compile the same under torch.compile, the first two steps left out; not for the example programs

On a GPU PyTorch's data lies there from the start, and both leave the first steps out (PyTorch 20 and what torch.compile
takes, Heddle its first epoch): cuDNN's plans, kernels that are loaded, captures. The columns are

  pytorch          the interpreter of --python, eager, cudnn.benchmark on, TF32 off in f32, autocast in bf16
  pytorch_compiled the same under torch.compile

Each in its better memory layout (contiguous or channels_last). Numbers are medians over the rounds; `ratio` is Heddle's
pictures a second over the tuned PyTorch's. Peak memory, in bytes, is that of the process less what it held idle, before it
opened the data: PyTorch's after the import, Heddle's at the start of main; on a GPU it is what the allocators handed out at
most (Heddle's data, as bytes, is among it where it stays there). Heddle keeps pictures as bytes and PyTorch's
loop as floats; `peak_memory_less_data` is PyTorch's with its data left out (Heddle's always counts its own). Timings mean
something on a quiet machine only.

The last batch of random pictures is as large as the others on a GPU: a short one is left out by PyTorch's loop there.

char_lm, gpt and gan are the example programs of these names with their own nets, optimizers and batches, timed by themselves
(the training alone); PyTorch's side is pytorch_examples.py. They count characters, or pictures, a second, on the CPU, and no
memory.
"""

import argparse
import glob
import gzip
import json
import os
import pathlib
import random
import signal
import statistics
import struct
import subprocess
import sys
import tempfile

from pytorch_training import MOMENTUM, RATE

# Steps such that a run takes a few seconds on two cores.
MODELS = {
    "mlp": {"batch_size": 128, "steps": 400, "data": "idx"},
    "cnn": {"batch_size": 128, "steps": 80, "data": "cifar10"},
    "resnet20": {"batch_size": 128, "steps": 16, "data": "cifar10"},
    "resnet18": {"batch_size": 64, "steps": 5, "data": "cifar10"},
    "speednet94": {"batch_size": 500, "steps": 5, "data": "cifar10"},
}
# One epoch of the example programs: so many characters of text, or pictures.
EXAMPLES = {
    "char_lm": {"data": "text", "examples": 72000, "unit": "characters"},
    "gpt": {"data": "text", "examples": 72000, "unit": "characters"},
    "gan": {"data": "idx", "examples": 6400, "unit": "images"},
}
GPU_STEPS = {"mlp": 4000, "cnn": 2000, "resnet20": 1000, "resnet18": 400, "speednet94": 400}
TRAIN, TEST = 10000, 100
GPU_TRAIN = 16000  # whole batches of every model
PYTORCH_SIDE = pathlib.Path(__file__).resolve().parent / "pytorch_training.py"


# Data that nobody has to download: random pictures in the formats that both sides read.


def write_cifar10(folder, train):
    """Pictures in CIFAR-10's binary format."""
    source = random.Random(1)
    for name, count in (("data_batch_1.bin", train), ("test_batch.bin", TEST)):
        with open(folder / name, "wb") as file:
            for i in range(count):
                file.write(bytes([i % 10]) + source.randbytes(3072))


def write_idx(folder, train):
    """Pictures in the format of MNIST."""
    source = random.Random(2)
    for name, count in (("train", train), ("t10k", TEST)):
        with open(folder / f"{name}-images-idx3-ubyte", "wb") as file:
            file.write(struct.pack(">4I", 0x803, count, 28, 28) + source.randbytes(count * 784))
        with open(folder / f"{name}-labels-idx1-ubyte", "wb") as file:
            file.write(struct.pack(">2I", 0x801, count) + bytes(i % 10 for i in range(count)))


def write_text(folder, _):
    """A text of as many characters as Shakespeare's has."""
    source = random.Random(3)
    length = max(example["examples"] for example in EXAMPLES.values())
    (folder / "input.txt").write_text("".join(chr(33 + source.randrange(63)) for _ in range(length)))


def pictures_in(kind, folder):
    """How many pictures a training set has."""
    folder = pathlib.Path(folder)
    if kind == "cifar10":
        return sum(path.stat().st_size for path in folder.glob("data_batch_*.bin")) // 3073
    path = next(folder.glob("train-labels[-.]idx*"))
    with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as file:
        return struct.unpack(">2I", file.read(8))[1]


# The two sides, as the rounds see them.


def output_of(command, environment, seconds=None):
    """What the command prints; its processes are ended after so many seconds."""
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            output, errors = process.communicate(timeout=seconds)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                raise SystemExit(f"{' '.join(command)}\ntakes more than {seconds} s") from None
            raise
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)}\nexits with {process.returncode}:\n{errors or output}")
    return output


def records_of(command, environment):
    """One JSON object a line."""
    return [json.loads(line) for line in output_of(command, environment).splitlines()]


def run_example(arguments, spec):
    """The program says how fast it trained in a line of its own."""
    threads = {"HEDDLE_THREADS": str(arguments.threads), "OMP_NUM_THREADS": str(arguments.threads)}
    with tempfile.TemporaryDirectory() as out:
        command = [f"{arguments.examples}/{spec['model']}", "--data", spec["path"], "--out", out, "--device", "cpu"]
        command += ["--epochs", "1", "--examples", str(spec["examples"])]
        output = output_of(command, dict(os.environ, **threads))
    for line in output.splitlines():
        if line.startswith("training, a second "):
            return {spec["unit"] + "_per_second": float(line.split()[3])}
    raise SystemExit(f"{' '.join(command)} does not say how fast it trained:\n{output}")


def warm_rate(records):
    """Pictures a second from the second epoch on."""
    epochs = [record for record in records if record["event"] == "epoch"][1:]
    if not epochs:
        raise SystemExit("heddle train tells of no second epoch")
    pictures = sum(epoch["images_per_second"] * epoch["seconds"] for epoch in epochs)
    return pictures / sum(epoch["seconds"] for epoch in epochs)


def run_heddle(arguments, spec):
    on_gpu = arguments.device != "cpu"
    command = [arguments.heddle, "train", spec["model"], "--data", spec["folder"]]
    if on_gpu:  # the steps, and an epoch before them
        per_epoch = -(-pictures_in(spec["data"], spec["folder"]) // spec["batch_size"])
        command += ["--epochs", str(1 + -(-spec["steps"] // per_epoch))]
    else:
        command += ["--steps", str(spec["steps"])]
    command += ["--batch-size", str(spec["batch_size"]), "--optimizer", "sgd", "--lr", str(RATE)]
    command += ["--momentum", str(MOMENTUM), "--weight-decay", "0", "--schedule", "constant", "--augment", "none"]
    command += ["--threads", str(arguments.threads), "--json", "--device", arguments.device]
    command += ["--precision", arguments.precision]
    environment = dict(os.environ, OMP_NUM_THREADS=str(arguments.threads))
    if arguments.heddle_libraries:
        environment["LD_LIBRARY_PATH"] = arguments.heddle_libraries
    records = records_of(command, environment)
    peak = records[-1]["peak_allocated_bytes" if on_gpu else "peak_memory_bytes"]
    return {"images_per_second": warm_rate(records) if on_gpu else records[-1]["images_per_second"], "peak_memory": peak}


def run_pytorch(python, spec, threads, library_path="", seconds=None):
    environment = dict(os.environ)
    environment.pop("OMP_NUM_THREADS", None)
    if threads:
        environment["OMP_NUM_THREADS"] = str(threads)
    if library_path:
        environment["LD_LIBRARY_PATH"] = library_path + ":" + environment.get("LD_LIBRARY_PATH", "")
    command = [python, str(PYTORCH_SIDE), json.dumps(dict(spec, threads=threads))]
    return json.loads(output_of(command, environment, seconds).strip().splitlines()[-1])


def summarize(rounds, rate):
    """Of one PyTorch: its better layout by the median, and that layout's rounds."""
    layouts = {
        layout: [result["layouts"][layout][rate] for result in rounds]
        for layout in rounds[0]["layouts"]
    }
    better = max(layouts, key=lambda layout: statistics.median(layouts[layout]))
    summary = {
        rate: statistics.median(layouts[better]),
        "rounds": layouts[better],
        "layout": better,
        "version": rounds[0]["version"],
    }
    for memory in ("peak_memory", "peak_memory_less_data"):
        if memory in rounds[0]["layouts"][better]:
            summary[memory] = statistics.median(result["layouts"][better][memory] for result in rounds)
    return summary


def example_spec(name, folders):
    spec = dict(EXAMPLES[name], model=name, folder=folders[EXAMPLES[name]["data"]])
    # PyTorch reads the text itself; the programs take a file, or a folder of pictures.
    spec["path"] = spec["file"] = spec["folder"] + "/input.txt"
    if spec["data"] == "idx":
        spec["path"] = spec["folder"]
    return spec


def compare_example(arguments, name, folders, tuned_libraries):
    spec = example_spec(name, folders)
    sides = {
        "heddle": lambda: run_example(arguments, spec),
        "pytorch": lambda: run_pytorch(arguments.python, spec, arguments.threads, tuned_libraries),
        "pytorch_default": lambda: run_pytorch(arguments.python, spec, 0),
    }
    record = {"model": name, "examples": spec["examples"], "threads": arguments.threads}
    return rounds_of(arguments, sides, record, spec, spec["unit"] + "_per_second")


def compare(arguments, name, folders, tuned_libraries):
    spec = dict(MODELS[name], model=name, device=arguments.device, precision=arguments.precision, compiled=False)
    spec["folder"] = folders[spec["data"]]
    if arguments.device == "cuda":
        spec["steps"] = GPU_STEPS[name]
    if arguments.steps:
        spec["steps"] = arguments.steps
    if arguments.device == "cuda":
        sides = {
            "heddle": lambda: run_heddle(arguments, spec),
            "pytorch": lambda: run_pytorch(arguments.python, spec, 0),
            "pytorch_compiled": lambda: run_pytorch(
                arguments.python, dict(spec, compiled=True), 0, seconds=arguments.compile_seconds or None
            ),
        }
    else:
        sides = {
            "heddle": lambda: run_heddle(arguments, spec),
            "pytorch": lambda: run_pytorch(arguments.python, spec, arguments.threads, tuned_libraries),
            "pytorch_default": lambda: run_pytorch(arguments.python, spec, 0),
        }
    record = {
        "model": name,
        "batch_size": spec["batch_size"],
        "steps": spec["steps"],
        "threads": arguments.threads,
        "device": arguments.device,
        "precision": arguments.precision,
    }
    return rounds_of(arguments, sides, record, spec, "images_per_second")


def rounds_of(arguments, sides, record, spec, rate):
    """All sides in alternation; adds what came of it to the record."""
    if arguments.pytorch and arguments.device == "cpu":
        sides["pytorch_other"] = lambda: run_pytorch(arguments.pytorch, spec, arguments.threads)
        if arguments.compile and "unit" not in spec:
            sides["pytorch_compiled"] = lambda: run_pytorch(
                arguments.pytorch, dict(spec, compiled=True), arguments.threads
            )
    rounds = {side: [] for side in sides}
    for number in range(arguments.rounds):
        # Every other round backwards, so that no side is always first.
        for side in list(sides)[:: 1 if number % 2 == 0 else -1]:
            try:
                rounds[side].append(sides[side]())
            except SystemExit as failure:  # torch.compile needs more than PyTorch: the others count without it
                if side != "pytorch_compiled":
                    raise
                print(failure, file=sys.stderr)
                del sides[side]
    heddle = [result[rate] for result in rounds["heddle"]]
    record["ratio"] = 0.0
    record["heddle"] = {rate: statistics.median(heddle), "rounds": heddle}
    if "peak_memory" in rounds["heddle"][0]:
        record["heddle"]["peak_memory"] = statistics.median(result["peak_memory"] for result in rounds["heddle"])
    for side in sides:
        if side != "heddle":
            record[side] = summarize(rounds[side], rate)
    record["ratio"] = record["heddle"][rate] / record["pytorch"][rate]
    record["ratio_by_round"] = [a / b for a, b in zip(heddle, record["pytorch"]["rounds"])]
    if "peak_memory" in record["heddle"]:
        record["peak_memory"] = {side: record[side]["peak_memory"] for side in sides}
    return record


def print_row(record):
    cells = [f"{record['model']:10}", f"ratio {record['ratio']:5.2f}"]
    for side in ("heddle", "pytorch", "pytorch_default", "pytorch_other", "pytorch_compiled"):
        if side in record:
            column = record[side]
            rate = next(value for key, value in column.items() if key.endswith("_per_second"))
            memory = f", {column['peak_memory'] / 1e6:5.0f} MB" if "peak_memory" in column else ""
            cells.append(f"{side} {rate:8.0f}/s{memory}")
    print("   ".join(cells), flush=True)


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    everything = ",".join([*MODELS, *EXAMPLES])
    parser.add_argument("--models", default="", help=f"comma-separated: {everything} [all; on a GPU not the last three]")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=0, help="steps of every run; default: by model, a few seconds")
    parser.add_argument("--threads", type=int, default=2, help="of Heddle and of the tuned PyTorch [%(default)s]")
    parser.add_argument("--heddle", default=str(root / "build/release/cli/heddle"), help="[%(default)s]")
    parser.add_argument("--heddle-libraries", default="", metavar="PATH",
                        help="LD_LIBRARY_PATH of Heddle alone [that of the call]")
    parser.add_argument("--examples", default=str(root / "build/release/examples"), help="[%(default)s]")
    parser.add_argument("--python", default="/usr/bin/python3", help="whose PyTorch is tuned [%(default)s]")
    parser.add_argument("--pytorch", default="", metavar="PYTHON", help="an interpreter with another PyTorch")
    parser.add_argument("--compile", action="store_true", help="on the CPU: time --pytorch's torch.compile, too")
    parser.add_argument("--data", default="", metavar="DIR", help="CIFAR-10's binary files; default: random pictures")
    parser.add_argument("--idx-data", default="", metavar="DIR", help="IDX files for mlp; default: random pictures")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="[%(default)s]")
    parser.add_argument("--precision", choices=("f32", "bf16"), default="f32", help="bf16: on a GPU [%(default)s]")
    parser.add_argument("--compile-seconds", type=int, default=0,
                        help="on a GPU: after so many the compiled PyTorch is given up; 0: never [%(default)s]")
    parser.add_argument("--json", action="store_true", help="one JSON object a model")
    arguments = parser.parse_args()

    names = (arguments.models or (everything if arguments.device == "cpu" else ",".join(MODELS))).split(",")
    for name in names:
        if name not in MODELS and name not in EXAMPLES:
            parser.error(f"there is no model {name}: expected some of {everything}")
        if name in EXAMPLES and arguments.device != "cpu":
            parser.error(f"{name} is compared on the CPU alone")
        if name in EXAMPLES and not os.access(f"{arguments.examples}/{name}", os.X_OK):
            parser.error(f"{arguments.examples}/{name} is no program: build it, or name its folder with --examples")
    if arguments.rounds < 1 or arguments.threads < 1:
        parser.error("--rounds and --threads must be at least 1")
    if not os.access(arguments.heddle, os.X_OK):
        parser.error(f"{arguments.heddle} is no program: build it, or name it with --heddle")
    if arguments.compile and (arguments.device != "cpu" or not arguments.pytorch):
        parser.error("--compile is for the CPU and needs --pytorch; on a GPU torch.compile is always timed")
    if arguments.device == "cpu" and arguments.precision != "f32":
        parser.error("--precision bf16 needs --device cuda")
    libraries = glob.glob("/usr/lib/*/openblas-openmp") or [""]
    if arguments.device == "cpu" and not libraries[0]:
        parser.error("libopenblas0-openmp is missing: without it PyTorch's threads get in each other's way")
    with tempfile.TemporaryDirectory() as temporary:
        folders = {"cifar10": arguments.data, "idx": arguments.idx_data, "text": ""}
        for kind, write in (("cifar10", write_cifar10), ("idx", write_idx), ("text", write_text)):
            if not folders[kind]:
                folders[kind] = str(pathlib.Path(temporary) / kind)
                os.mkdir(folders[kind])
                write(pathlib.Path(folders[kind]), GPU_TRAIN if arguments.device == "cuda" else TRAIN)
        for name in names:
            record = (compare_example if name in EXAMPLES else compare)(arguments, name, folders, libraries[0])
            if arguments.json:
                print(json.dumps(record), flush=True)
            else:
                print_row(record)


if __name__ == "__main__":
    # The processes of both sides are sessions of their own: output_of ends them where this one is ended.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    main()
