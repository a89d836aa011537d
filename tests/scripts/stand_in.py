#!/usr/bin/env python3
"""Stands in for the programs that scripts/gpu_report.sh runs, by the name that it is started with. STAND_IN, a JSON
object, says how things are: "cuda" GPUs, "suites" of test_kernels, "crash", "hang" and "fail" (a suite each)."""
import fnmatch
import json
import os
import pathlib
import sys
import time

STATE = {"cuda": 1, "why": "no driver", "suites": ["matmul/native/cuda", "matmul/native/cuda/bf16", "matmul/cublaslt/cuda"],
         "operations": ["matmul", "softmax_forward"], "missing_library": ""} | json.loads(os.environ.get("STAND_IN", "{}"))
NAME = pathlib.Path(sys.argv[0]).name


def option(name):
    return next((word.removeprefix(name + "=") for word in sys.argv[1:] if word.startswith(name + "=")), "")


def behind(name):
    return sys.argv[sys.argv.index(name) + 1]


def misbehave(suite):
    if STATE.get("hang") == suite:
        time.sleep(100)
    if STATE.get("crash") == suite:
        print("CUDA has failed")
        os._exit(3)


def googletest(suites):
    chosen = [suite for suite in suites if fnmatch.fnmatch(suite + ".case", option("--gtest_filter"))]
    if "--gtest_list_tests" in sys.argv:
        print("device sim: 5 cases not run: it is not built")
        for suite in chosen:
            print(suite + ".\n  case")
        return 0
    for suite in chosen:
        misbehave(suite)
    result = {"tests": len(chosen), "testsuites": []}
    for suite in chosen:
        test = {"name": "case", "status": "RUN", "result": "COMPLETED", "outcome": "passed"}
        if STATE.get("fail") == suite:
            test["failures"] = [{"failure": "file:1\nit is wrong"}]
        if STATE.get("unsupported") == suite:
            test["outcome"] = "unsupported: an odd size"
        result["testsuites"].append({"name": suite, "testsuite": [test]})
    pathlib.Path(os.environ["GTEST_OUTPUT"].removeprefix("json:")).write_text(json.dumps(result, indent=2))
    with open(os.environ["HEDDLE_EVIDENCE"], "a") as file:
        file.write("{}\n")
    return 1 if STATE.get("fail") in chosen else 0


def heddle():
    if sys.argv[1] == "info":
        cuda = {"device": "cuda", "count": STATE["cuda"]}
        cuda["description" if STATE["cuda"] else "why_missing"] = "a stand-in" if STATE["cuda"] else STATE["why"]
        cudnn = {"name": "cuDNN", "compiled": "9.19.0", "loaded": "9.19.0", "file": "libcudnn.so.9",
                 "why_missing": STATE["missing_library"]}
        print(json.dumps({"devices": [cuda], "libraries": [], "device_libraries": [cudnn]}))
        return 0
    print("a table of " + behind("--suite"))
    pathlib.Path(behind("--json")).write_text("{}\n")
    return 0


def benchmarks():
    names = [f"{operation}/native/cuda/bf16/large/real_time" for operation in STATE["operations"]]
    if option("--benchmark_list_tests"):
        print("\n".join(names))
        return 0
    operation = option("--benchmark_filter").removeprefix("^").partition("/")[0]
    entries = [{"name": name, "real_time": 5.0, "GFLOP/s": 1.0, "GB/s": 2.0} for name in names if name.startswith(operation)]
    pathlib.Path(option("--benchmark_out")).write_text(json.dumps({"benchmarks": entries}))
    return 0


def sanitizer():
    assert os.environ["HEDDLE_ALLOCATOR"] == "passthrough"
    broken = STATE.get("sanitizer") == behind("--tool")
    pathlib.Path(behind("--log-file")).write_text(f"========= ERROR SUMMARY: {int(broken)} errors\n")
    return int(behind("--error-exitcode")) if broken else 0


def record_gpu():
    (pathlib.Path(sys.argv[1]) / "fragments_sm90.json").write_text("{}")
    return 0


def nvidia_smi():
    if "--query-gpu=name" in sys.argv:
        print("a stand-in")
    else:
        print("name, driver_version\na stand-in, 1.0")
    return 0


PROGRAMS = {"heddle": heddle, "heddle_benchmarks": benchmarks, "compute-sanitizer": sanitizer, "record_gpu": record_gpu,
            "nvidia-smi": nvidia_smi, "test_kernels": lambda: googletest(STATE["suites"])}

if __name__ == "__main__":
    sys.exit(PROGRAMS.get(NAME, lambda: googletest(["Devices/Conv/cuda"]))())
