#!/usr/bin/env python3
"""Builds examples/custom_kernel against an installed Heddle and uses it as docs/guides/custom_kernels.md says.

run.py BUILD_DIR: installs Heddle from BUILD_DIR, copies the example out of the tree, builds it, and then
- `heddle info` lists the plug-ins and their kernels;
- `heddle check` passes each kernel on all cases of its operation, on the CPU and on the simulator;
- bugs planted in copies of the sources are reported by `heddle check`, each by the right case;
- a model trained with the kernels has the losses of the built-in ones;
- plug-ins that are none, and wrong names, are one clear line.
"""
import json
import os
import pathlib
import random
import shutil
import struct
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FORCED = "conv2d_forward=direct3x3"
problems = []


def expect(condition, message):
    if not condition:
        problems.append(message)
        print(f"FAILED: {message}", file=sys.stderr)


def run(*command, **more):
    return subprocess.run([str(word) for word in command], check=True, **more)


def build(source, folder, prefix):
    """{"cpu": the plug-in's file, "sim": ..., "cuda": ...}, as far as they can be built."""
    with open(folder.with_suffix(".log"), "w") as log:
        try:
            run("cmake", "-S", source, "-B", folder, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={prefix}",
                "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Wpedantic -Wshadow -Werror", stdout=log, stderr=log)
            run("cmake", "--build", folder, "--parallel", os.environ.get("HEDDLE_JOBS", "1"), stdout=log, stderr=log)
        except subprocess.CalledProcessError:
            print(pathlib.Path(log.name).read_text(), file=sys.stderr)
            raise
    names = {"cpu": "libdirect3x3.so", "sim": "libdirect3x3_sim.so", "cuda": "libdirect3x3_cuda.so"}
    return {device: folder / name for device, name in names.items() if (folder / name).exists()}


class Heddle:
    """The installed command, with plug-ins."""

    def __init__(self, prefix, plugins, **environment):
        self.command = prefix / "bin" / "heddle"
        self.environment = {**os.environ, "HEDDLE_THREADS": "1", **environment,
                            "HEDDLE_PLUGINS": ":".join(str(file) for file in plugins)}
        self.environment.pop("HEDDLE_DEVICE_LIBRARIES", None)  # the installed ones

    def __call__(self, *words):
        return subprocess.run([str(self.command), *map(str, words)], env=self.environment, capture_output=True,
                              text=True)

    def records(self, *words):
        done = self(*words, "--json")
        expect(done.returncode == 0, f"{words}: {done.stderr}")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def expect_refused(self, parts, *words):
        done = self(*words)
        expect(done.returncode == 1 and done.stderr.count("\n") == 1 and all(part in done.stderr for part in parts),
               f"{words}: expected one line with {parts}, got status {done.returncode}: {done.stderr}")


def write_pictures(folder):
    """96 and 40 pictures of 12 x 12 whose class is the row that is bright, as IDX files."""
    noise = random.Random(1)
    folder.mkdir()
    for part, count in (("train", 96), ("t10k", 40)):
        labels = bytes(i % 10 for i in range(count))
        pixels = bytes(220 if row == label + 1 else noise.randrange(60)
                       for label in labels for row in range(12) for _ in range(12))
        (folder / f"{part}-images-idx3-ubyte").write_bytes(struct.pack(">4i", 0x803, count, 12, 12) + pixels)
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">2i", 0x801, count) + labels)


def losses(heddle, data, device):
    records = heddle.records("train", "cnn", "--data", data, "--device", device, "--seed", 1, "--batch-size", 16,
                             "--epochs", 1, "--log-steps", 1)
    return [record["loss"] for record in records if record["event"] == "step"]


def check_cases(heddle, device, dtypes):
    records = heddle.records("check", "conv2d_forward", "--impl", "direct3x3", "--device", device)
    cases = [record for record in records if record["event"] == "case"]
    for dtype in dtypes:
        passed = [record["case"] for record in cases if record["dtype"] == dtype and record["status"] == "passed"]
        expect(len(passed) >= 8 and "primes" in passed, f"{device} {dtype}: only {passed} passed")
    refused = {record["message"] for record in cases if record["status"] == "unsupported"}
    for reason in ("a kernel that is not 3x3", "a stride other than 1", "dilation", "groups"):
        expect(reason in refused, f"{device}: no case was declined for {reason}")


def plant(source, target, old, new):
    """A copy of the example with one line changed for the worse."""
    shutil.copytree(source, target)
    planted = 0
    for file in target.glob("direct3x3.c*"):
        text = file.read_text()
        planted += text.count(old)
        file.write_text(text.replace(old, new, 1))
    if planted != 1:
        raise SystemExit(f"the line to change is there {planted} times: {old}")


def main():
    build_dir = pathlib.Path(sys.argv[1]).resolve()
    work = build_dir / "custom_kernel"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    prefix, source = work / "prefix", work / "source"
    run("cmake", "--install", build_dir, "--prefix", prefix, stdout=subprocess.DEVNULL)
    shutil.copytree(ROOT / "examples" / "custom_kernel", source)
    files = build(source, work / "build", prefix)
    sim = "sim" in files
    expect(sim == bool(list(prefix.rglob("libheddle_sim.so*"))), "the simulator's plug-in was not built")
    expect(("cuda" in files) == bool(list(prefix.rglob("libheddle_cuda.so*"))), "the CUDA plug-in was not built")
    heddle = Heddle(prefix, files.values())

    info = heddle.records("info")[0]
    expect([plugin["file"] for plugin in info["plugins"]] == [str(file) for file in files.values()],
           f"heddle info lists {info['plugins']}")
    listed = [kernel["device"] for kernel in info["kernels"]["conv2d_forward"] if kernel["name"] == "direct3x3"]
    expect(sorted(listed) == sorted(files), f"heddle info lists direct3x3 on {listed}")

    check_cases(heddle, "cpu", ["f32"])
    if sim:
        check_cases(heddle, "sim", ["f32", "f16", "bf16"])
        random_order = Heddle(prefix, files.values(), HEDDLE_SIM_ORDER="random", HEDDLE_SIM_SEED="1")
        check_cases(random_order, "sim", ["f32"])

    plant(source, work / "narrow", "v < 0 ||", "v < 1 ||")  # a column of the picture is never read
    bugs = [("cpu", "narrow", ["primes f32: failed: operand 3", "got"])]
    if sim:
        plant(source, work / "no_barrier", "        __syncthreads();  // nobody reads it any more\n", "")
        # Whoever runs ahead overwrites what others still read: seen where the threads take turns in another order.
        bugs.append(("sim", "no_barrier", ["failed"]))
    data = work / "data"
    write_pictures(data)
    for device, name, parts in bugs:
        file = build(work / name, work / f"build_{name}", prefix)[device]
        buggy = Heddle(prefix, [file], HEDDLE_SIM_ORDER="reverse", HEDDLE_KERNEL=FORCED)
        done = buggy("check", "conv2d_forward", "--impl", "direct3x3", "--device", device, "--dtype", "f32")
        expect(done.returncode == 1 and all(part in done.stdout for part in parts) and "cases failed" in done.stderr,
               f"the bug {name} was not reported: {done.stdout} {done.stderr}")
        # The kernel is what trains: a right one changes nothing but roundings, the wrong one does.
        built_in, own, wrong = (losses(heddle, data, device) for heddle in (
            Heddle(prefix, []), Heddle(prefix, files.values(), HEDDLE_KERNEL=FORCED), buggy))
        close = lambda some: all(abs(a - b) < 1e-5 * abs(b) for a, b in zip(some, built_in, strict=True))
        expect(len(built_in) == 6 and close(own), f"{device}: losses {own}, built in {built_in}")
        expect(not close(wrong), f"{device}: the bug {name} does not show in the losses {wrong}")

    Heddle(prefix, ["/nowhere/mine.so"]).expect_refused(["HEDDLE_PLUGINS", "/nowhere/mine.so: no such file"], "info")
    Heddle(prefix, [files["cpu"], prefix / "bin" / "heddle"]).expect_refused(["HEDDLE_PLUGINS", "cannot be loaded"], "info")
    Heddle(prefix, []).expect_refused(["no implementation \"direct3x3\" on cpu"], "check", "conv2d_forward", "--impl",
                                      "direct3x3")
    Heddle(prefix, [], HEDDLE_KERNEL=FORCED).expect_refused(["direct3x3", "no such implementation"], "train", "cnn",
                                                            "--data", data, "--steps", 1)
    print(f"{', '.join(files)}: {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
