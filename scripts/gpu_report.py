#!/usr/bin/env python3
"""What scripts/gpu_report.sh makes of its results.

gpu_report.py DIR                  writes DIR/report.json and DIR/report.md from what the stages left in DIR
gpu_report.py --driver             fails with the reason where NVIDIA's driver shows no GPU
gpu_report.py --gpu INFO.json      prints the GPU that `heddle info --json` saw; fails with the reason where it saw none
gpu_report.py --libraries INFO.json  prints NVIDIA's libraries; fails where Heddle cannot use one
"""
import argparse
import collections
import csv
import ctypes
import json
import pathlib
import sys

# A stage's folder: results, and beside RESULT what gpu_report.sh notes.
NOTES = (".log", ".exit", ".missing", ".partial")


def parsed(text):
    """None for what a part that was cut, or has failed, left half done."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return None


def last_line(path):
    return path.read_text().strip().rpartition("\n")[2]


def parts(folder, stage):
    """{name: (its result or None, why it failed or None)} of a stage."""
    found = {}
    for path in sorted((folder / stage).glob("*")):
        if path.suffix == ".log" and not path.with_suffix("").exists() and not path.with_suffix(".missing").exists():
            continue  # not finished
        result = path.with_suffix("") if path.suffix in NOTES else path
        missing, code = (result.with_name(result.name + suffix) for suffix in (".missing", ".exit"))
        why = missing.read_text().strip() if missing.exists() else None
        if why is None and code.exists():
            why = f"exit code {code.read_text().strip()}" + (f": {last_line(result)}" if result.suffix == ".txt" else "")
        found[result.name] = (result if result.exists() else None, why)
    return found


def test_results(found):
    """Of a stage whose parts are googletest programs."""
    results = {"passed": 0, "unsupported": 0, "failed": [], "never_supported": []}
    for name, (path, why) in found.items():
        result = parsed(path.read_text()) if path else None
        before = len(results["failed"])
        passed, reasons = 0, []
        for suite in result["testsuites"] if result else []:
            for test in suite["testsuite"]:
                outcome = "skipped" if test.get("result") == "SKIPPED" else test.get("outcome", "passed")
                if test.get("failures"):
                    message = test["failures"][0]["failure"].strip().splitlines()
                    results["failed"].append(f'{suite["name"]}.{test["name"]}: {message[-1] if message else ""}')
                elif test.get("status") == "RUN" and outcome == "passed":
                    passed += 1
                elif test.get("status") == "RUN":
                    reasons.append(outcome.removeprefix("unsupported: "))
        results["passed"] += passed
        results["unsupported"] += len(reasons)
        if why and len(results["failed"]) == before:
            results["failed"].append(f"{name}: {why}")
        if reasons and not passed and len(results["failed"]) == before:
            results["never_supported"].append(f"{name.removesuffix('.json')}: {reasons[0]}")
    return results


def benchmarks(found):
    """One row per operation, dtype and case: implementations side by side."""
    rows = collections.OrderedDict()
    for path, _ in found.values():
        text = path.read_text() if path else "{}"
        whole = parsed(text) or parsed(text[: text.rfind("},") + 1] + "]}")  # it was cut: the entries that are complete
        for entry in (whole or {}).get("benchmarks", []):
            name = entry["name"].removesuffix("/real_time").split("/")
            if len(name) < 5 or entry.get("error_occurred"):
                continue
            operation, implementation, _, dtype, case = name[0], name[1], name[2], name[3], "/".join(name[4:])
            rows.setdefault((operation, dtype, case), {})[implementation] = {
                "microseconds": entry["real_time"],
                "gflops": entry.get("GFLOP/s"),
                "gbytes": entry.get("GB/s"),
                "error": entry.get("error"),
            }
    return [{"operation": o, "dtype": d, "case": c, "implementations": i} for (o, d, c), i in rows.items()]


def trainings(found):
    return [json.loads(line) for path, _ in found.values() if path for line in path.read_text().splitlines() if parsed(line)]


def collect(folder):
    report = {"stages": {}}
    for done in sorted(folder.glob("*.done")):
        status, seconds = map(int, done.read_text().split())
        report["stages"][done.stem] = {"status": status, "seconds": seconds}
    if (folder / "gpu.csv").exists():
        report["gpu"] = next(csv.DictReader((folder / "gpu.csv").open(), skipinitialspace=True), {})
    if (folder / "commit.txt").exists():
        report["commit"] = (folder / "commit.txt").read_text().strip()
    info = (parsed((folder / "info.json").read_text()) if (folder / "info.json").exists() else None) or {}
    for key in ("devices", "libraries", "device_libraries"):
        report[key] = info.get(key, [])
    stages = {stage: parts(folder, stage)
              for stage in ("layouts", "kernels", "suite", "training", "sanitizer", "bench", "benchmarks")}
    report["tests"] = {stage: test_results(stages[stage]) for stage in ("kernels", "suite") if stages[stage]}
    report["benchmarks"] = benchmarks(stages["benchmarks"])
    report["training"] = trainings(stages["training"])
    report["parts_that_failed"] = {f"{stage}/{name}": why for stage, found in stages.items()
                                   for name, (_, why) in found.items() if why}
    return report


def library_line(library):
    if library["why_missing"]:
        return f"{library['name']}: not used: {library['why_missing']}"
    return f"{library['name']} {library['loaded']} (compiled against {library['compiled']}): {library['file']}"


def training_line(record):
    own, eager, compiled = (record.get(side, {}).get("images_per_second") for side in ("heddle", "pytorch", "pytorch_compiled"))
    line = f"| {record['model']} | {record['precision']} | {own:.0f} | {eager:.0f} | "
    return line + (f"{compiled:.0f} | {own / eager:.2f} | {own / compiled:.2f} |" if compiled
                   else f"failed | {own / eager:.2f} | |")


def benchmark_line(row):
    cells = [f"{name} {entry['microseconds']:.1f}" + (f" ({entry['error']:.1e})" if entry["error"] is not None else "")
             for name, entry in sorted(row["implementations"].items(), key=lambda item: item[1]["microseconds"])]
    return f"| {row['operation']} | {row['dtype']} | {row['case']} | {', '.join(cells)} |"


def summary_of(report):
    page = ["# Heddle on a GPU", ""]
    page += [f"- {key}: {value}" for key, value in report.get("gpu", {}).items()]
    page.append(f"- commit: {report.get('commit', 'unknown')}")
    page += [f"- {library_line(library)}" for library in report["device_libraries"]]
    page += ["", "## Stages", "", "Seconds are those of the call that finished it.", "",
             "| Stage | Exit code | Seconds |", "|---|---:|---:|"]
    page += [f"| {name} | {stage['status']} | {stage['seconds']} |" for name, stage in report["stages"].items()]
    page += ["", "## Tests on the device", ""]
    for name, result in report["tests"].items():
        page.append(f"- {name}: {result['passed']} passed, {len(result['failed'])} failed, {result['unsupported']} not supported")
        page += [f"  - {failure}" for failure in result["failed"][:50]]
        page += [f"  - supports none of its cases: {line}" for line in result["never_supported"]]
    if report["parts_that_failed"]:
        page += ["", "## Parts that failed", ""]
        page += [f"- {name}: {why}" for name, why in report["parts_that_failed"].items()]
    if report["training"]:
        page += ["", "## Training, pictures a second", "",
                 "| Model | Precision | Heddle | PyTorch | PyTorch compiled | Ratio to eager | Ratio to compiled |",
                 "|---|---|---:|---:|---:|---:|---:|"]
        page += map(training_line, report["training"])
    return page


def page_of(report, folder):
    page = summary_of(report)
    for log in sorted((folder / "bench").glob("*.json.log")):
        page += ["", f"## Suite {log.name.removesuffix('.json.log')}", "", "```", log.read_text().rstrip(), "```"]
    if report["benchmarks"]:
        page += ["", "## Kernels", "", "Microseconds a run, launch and wait included; error against f64 in brackets.", "",
                 "| Operation | Type | Case | Implementations |", "|---|---|---|---|"]
        page += map(benchmark_line, report["benchmarks"])
    return "\n".join(page) + "\n"


def check_driver():
    count = ctypes.c_int(0)
    try:
        driver = ctypes.CDLL("libcuda.so.1")
        error = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
        why = f"the driver answers with CUDA's error {error}" if error else "the driver shows none"
    except OSError as failure:
        why = f"NVIDIA's driver is not there ({failure})"
    if count.value < 1:
        print(f"gpu_report.sh: Heddle would see no GPU, so it is not built: {why}", file=sys.stderr)
    return 0 if count.value > 0 else 1


def check_gpu(info):
    cuda = next((device for device in info["devices"] if device["device"] == "cuda"), None)
    if cuda is None or cuda["count"] < 1:
        why = cuda["why_missing"] if cuda else "this heddle knows no device cuda"
        print(f"gpu_report.sh: Heddle sees no GPU: {why}", file=sys.stderr)
        return 1
    print(f"cuda: {cuda['description']}")
    return 0


def check_libraries(info):
    for library in info["device_libraries"]:
        print(library_line(library))
    return 1 if not info["device_libraries"] or any(library["why_missing"] for library in info["device_libraries"]) else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("folder", nargs="?", type=pathlib.Path)
    what.add_argument("--driver", action="store_true")
    what.add_argument("--gpu", type=pathlib.Path)
    what.add_argument("--libraries", type=pathlib.Path)
    arguments = parser.parse_args()
    if arguments.driver:
        return check_driver()
    if arguments.folder is None:
        info = json.loads((arguments.gpu or arguments.libraries).read_text())
        return check_gpu(info) if arguments.gpu else check_libraries(info)
    report = collect(arguments.folder)
    (arguments.folder / "report.json").write_text(json.dumps(report, indent=1) + "\n")
    (arguments.folder / "report.md").write_text(page_of(report, arguments.folder))
    print("\n".join(summary_of(report)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
