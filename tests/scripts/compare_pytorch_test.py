"""benchmarks/compare_pytorch.py: what it asks Heddle for on a GPU, and what it counts."""
import argparse
import gzip
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

BENCHMARKS = pathlib.Path(__file__).resolve().parent.parent.parent / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))
import compare_pytorch  # noqa: E402

# A `heddle train` that tells its arguments, and of a slow first epoch.
HEDDLE = """#!/usr/bin/env python3
import json, os, sys
open(sys.argv[0] + ".said", "w").write(json.dumps([sys.argv[1:], os.environ.get("LD_LIBRARY_PATH")]))
for epoch, seconds in enumerate([9, 2, 3], 1):
    print(json.dumps({"event": "epoch", "epoch": epoch, "images_per_second": 600 / seconds, "seconds": seconds}))
print(json.dumps({"event": "end", "images_per_second": 1.0, "peak_memory_bytes": 5, "peak_allocated_bytes": 7}))
"""


class ComparePyTorch(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def heddle(self, device):
        program = self.folder / "heddle"
        program.write_text(HEDDLE)
        program.chmod(0o755)
        arguments = argparse.Namespace(heddle=str(program), device=device, precision="f32", threads=2, heddle_libraries="/here")
        spec = {"model": "cnn", "data": "cifar10", "folder": str(self.folder), "steps": 25, "batch_size": 100}
        result = compare_pytorch.run_heddle(arguments, spec)
        said = compare_pytorch.json.loads((self.folder / "heddle.said").read_text())
        return result, said[0], said[1]

    def test_on_a_gpu_the_first_epoch_is_left_out(self):
        compare_pytorch.write_cifar10(self.folder, 1000)
        result, arguments, libraries = self.heddle("cuda")
        self.assertEqual(result, {"images_per_second": 1200 / 5, "peak_memory": 7})
        self.assertEqual(arguments[arguments.index("--epochs") + 1], "4")  # 25 steps of 10 an epoch, and the first
        self.assertNotIn("--steps", arguments)
        self.assertEqual(libraries, "/here")

    def test_on_the_cpu_all_steps_count(self):
        result, arguments, _ = self.heddle("cpu")
        self.assertEqual(result, {"images_per_second": 1.0, "peak_memory": 5})
        self.assertEqual(arguments[arguments.index("--steps") + 1], "25")

    def test_a_single_epoch_gives_no_rate(self):
        with self.assertRaises(SystemExit):
            compare_pytorch.warm_rate([{"event": "epoch", "images_per_second": 1, "seconds": 1}, {"event": "end"}])

    def test_pictures_are_counted(self):
        compare_pytorch.write_cifar10(self.folder, 7)
        self.assertEqual(compare_pytorch.pictures_in("cifar10", self.folder), 7)
        compare_pytorch.write_idx(self.folder, 11)
        self.assertEqual(compare_pytorch.pictures_in("idx", self.folder), 11)
        (self.folder / "train-labels-idx1-ubyte").unlink()
        with gzip.open(self.folder / "train-labels-idx1-ubyte.gz", "wb") as file:
            file.write(struct.pack(">2I", 0x801, 13) + bytes(13))
        self.assertEqual(compare_pytorch.pictures_in("idx", self.folder), 13)

    def test_on_a_gpu_random_pictures_fill_whole_batches(self):
        for model in compare_pytorch.MODELS.values():
            self.assertEqual(compare_pytorch.GPU_TRAIN % model["batch_size"], 0)

    def test_what_it_started_does_not_outlive_it(self):
        program = self.folder / "heddle"
        program.write_text(f"#!/bin/sh\necho $$ >{self.folder}/process\nexec sleep 100\n")
        program.chmod(0o755)
        with subprocess.Popen([sys.executable, BENCHMARKS / "compare_pytorch.py", "--device", "cuda", "--models", "cnn",
                               "--heddle", program], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as compare:
            deadline = time.monotonic() + 60
            while not (self.folder / "process").exists() or not (self.folder / "process").read_text():
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.1)
            compare.send_signal(signal.SIGTERM)
        process = int((self.folder / "process").read_text())
        time.sleep(0.2)
        with self.assertRaises(ProcessLookupError):
            os.kill(process, 0)


if __name__ == "__main__":
    unittest.main()
