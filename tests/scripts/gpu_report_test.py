"""scripts/gpu_report.sh on a machine without a GPU: what it makes of programs that succeed, fail, crash and hang, which
stand_in.py plays, and that it says so where Heddle sees no GPU."""
import ctypes
import json
import os
import pathlib
import shutil
import subprocess
import tarfile
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
STAND_IN = pathlib.Path(__file__).resolve().parent / "stand_in.py"
PROGRAMS = ("cli/heddle", "tests/record_gpu", "tests/test_kernels", "tests/test_ops", "tests/test_layers", "tests/test_train",
            "benchmarks/heddle_benchmarks", "bin/compute-sanitizer", "bin/nvidia-smi")
UNFINISHED = 75


class GpuReport(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.out = self.folder / "out"
        self.build = self.folder / "build"
        for program in PROGRAMS:
            path = self.build / program
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(STAND_IN)
        (self.build / "libheddle_cuda.so").touch()

    def run_script(self, *arguments, **state):
        environment = dict(os.environ, STAND_IN=json.dumps(state), PATH=f"{self.build}/bin:{os.environ['PATH']}")
        return subprocess.run([ROOT / "scripts/gpu_report.sh", "--build", self.build, "--out", self.out, "--jobs", "2", *arguments],
                              env=environment, capture_output=True, text=True)

    def report(self):
        return json.loads((self.out / "report.json").read_text())

    def test_all_is_well(self):
        archive = self.folder / "report.tar.gz"
        done = self.run_script("--archive", archive, "facts", "layouts", "kernels", "suite", "sanitizer", "bench", "benchmarks")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        report = self.report()
        self.assertEqual(report["tests"]["kernels"], {"passed": 3, "unsupported": 0, "failed": [], "never_supported": []})
        self.assertEqual(report["tests"]["suite"]["passed"], 3)
        self.assertEqual({row["operation"] for row in report["benchmarks"]}, {"matmul", "softmax_forward"})
        self.assertEqual(report["parts_that_failed"], {})
        self.assertEqual(report["device_libraries"][0]["name"], "cuDNN")
        page = (self.out / "report.md").read_text()
        for part in ("cuDNN 9.19.0", "a table of resnet50", "| softmax_forward | bf16 | large | native 5.0 |"):
            self.assertIn(part, page)
        self.assertEqual(len((self.out / "evidence.jsonl").read_text().splitlines()), 6)
        with tarfile.open(archive) as packed:
            self.assertIn("out/report.json", packed.getnames())
            self.assertIn("out/layouts/gpu/fragments_sm90.json", packed.getnames())

    def test_without_a_gpu_it_says_why(self):
        done = self.run_script(cuda=0, why="no NVIDIA driver (libcuda.so.1 not found)")
        self.assertEqual(done.returncode, 1)
        self.assertIn("Heddle sees no GPU: no NVIDIA driver (libcuda.so.1 not found)", done.stderr)
        self.assertEqual(list(self.out.glob("*.done")), [])

    def test_without_the_cuda_library_it_says_so(self):
        (self.build / "libheddle_cuda.so").unlink()
        done = self.run_script()
        self.assertEqual(done.returncode, 1)
        self.assertIn("Heddle sees no GPU: it is built without CUDA", done.stderr)

    def test_without_a_driver_nothing_is_built(self):
        try:
            ctypes.CDLL("libcuda.so.1")
        except OSError:
            pass
        else:
            self.skipTest("there is a driver")
        done = subprocess.run([ROOT / "scripts/gpu_report.sh", "--out", self.out], capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("Heddle would see no GPU, so it is not built: NVIDIA's driver is not there (libcuda.so.1", done.stderr)

    def test_a_missing_library_of_nvidia_is_told(self):
        done = self.run_script("facts", missing_library="libcudnn.so.9 cannot be opened")
        self.assertEqual(done.returncode, 1)
        self.assertIn("failed: facts", done.stderr)
        self.assertIn("cuDNN: not used: libcudnn.so.9 cannot be opened", (self.out / "report.md").read_text())

    def test_failures_and_crashes_leave_the_others(self):
        done = self.run_script("kernels", crash="matmul/native/cuda/bf16", fail="matmul/cublaslt/cuda", unsupported="matmul/native/cuda")
        self.assertEqual(done.returncode, 1)
        kernels = self.report()["tests"]["kernels"]
        self.assertEqual((kernels["passed"], kernels["unsupported"]), (0, 1))
        self.assertEqual(kernels["failed"], [
            "matmul/cublaslt/cuda.case: it is wrong",
            "matmul.native.cuda.bf16.json: ended with exit code 3 and no result: CUDA has failed"])
        self.assertEqual(kernels["never_supported"], ["matmul.native.cuda: an odd size"])
        # Removed, they are repeated, and nothing else.
        for path in [self.out / "kernels.done", *self.out.glob("kernels/matmul.cublaslt.*"), *self.out.glob("kernels/*bf16*")]:
            path.unlink()
        done = self.run_script("kernels", fail="matmul/native/cuda")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(self.report()["tests"]["kernels"]["passed"], 2)

    def test_no_test_at_all_is_a_failure(self):
        self.assertEqual(self.run_script("kernels", suites=[]).returncode, 1)
        self.assertIn("nothing to run", (self.out / "kernels.log").read_text())
        done = self.run_script("benchmarks", operations=[])
        self.assertEqual(done.returncode, 1)

    def test_a_program_in_which_no_test_has_the_name_fails(self):
        (self.build / "tests/test_train").unlink()
        program = self.build / "tests/test_train"
        program.write_text('#!/bin/sh\nprintf \'{\\n  "tests": 0,\\n  "testsuites": []\\n}\' >"${GTEST_OUTPUT#json:}"\n')
        program.chmod(0o755)
        self.assertEqual(self.run_script("suite").returncode, 1)
        self.assertEqual(self.report()["parts_that_failed"], {"suite/train.json": "no test has the name */cuda*"})

    def test_a_checker_that_finds_something_fails(self):
        self.assertEqual(self.run_script("sanitizer", sanitizer="racecheck").returncode, 1)
        failed = self.report()["parts_that_failed"]
        self.assertEqual(len(failed), 8)
        self.assertEqual(failed["sanitizer/racecheck.0.txt"], "exit code 9: ========= ERROR SUMMARY: 1 errors")

    def test_what_does_not_fit_is_done_by_the_next_call(self):
        done = self.run_script("--seconds", "12", "facts", "kernels")
        self.assertEqual(done.returncode, UNFINISHED)
        self.assertIn("not finished: kernels; the same call goes on", done.stderr)
        self.assertEqual([path.name for path in self.out.glob("*.done")], ["facts.done"])
        # One that hangs is ended in time, and is not held against it: it had less time than it may have.
        done = self.run_script("--seconds", "27", "kernels", hang="matmul/native/cuda")
        self.assertEqual(done.returncode, UNFINISHED)
        self.assertEqual(len(list(self.out.glob("kernels/*.json"))), 2)
        self.assertEqual(list(self.out.glob("kernels/*.missing")), [])
        self.assertEqual(self.run_script("kernels").returncode, 0)
        self.assertEqual(self.report()["tests"]["kernels"]["passed"], 3)

    def test_usage(self):
        self.assertIn("--seconds N", self.run_script("--help").stdout)
        for argument in ("--unknown", "nonsense"):
            done = self.run_script(argument)
            self.assertEqual(done.returncode, 2)
            self.assertIn(argument, done.stderr)


if __name__ == "__main__":
    unittest.main()
