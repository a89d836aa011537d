#!/usr/bin/env python3
"""gpu_report.py DIR: makes DIR/report.json and DIR/report.md from what the stages of gpu_report.sh left in DIR."""
import collections
import csv
import json
import pathlib
import sys


def parsed(text):
    """None for what a stage that was cut, or has failed, left half done."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return None


def lines(path):
    records = map(parsed, path.read_text().splitlines()) if path.exists() else []
    return [record for record in records if record is not None]


def tests(paths):
    """(passed, [names of failed tests with the first line of the message]) of googletest results; None without any."""
    passed, failed, seen = 0, [], False
    for path in paths:
        if not path.exists():
            continue
        seen = True
        result = parsed(path.read_text())
        if result is None:  # a note of the stage, or a result that was cut
            failed.append(path.read_text().strip().splitlines()[0] if path.suffix == ".missing" else f"{path.name}: cut")
            continue
        for suite in result["testsuites"]:
            for test in suite["testsuite"]:
                if test.get("failures"):
                    message = test["failures"][0]["failure"].strip().splitlines()
                    failed.append(f'{suite["name"]}.{test["name"]}: {message[-1] if message else ""}')
                elif test.get("status") == "RUN":
                    passed += 1
    return (passed, failed) if seen else None


def benchmarks(path):
    """One row per operation, dtype and case: implementations side by side."""
    if not path.exists():
        return []
    text = path.read_text()
    whole = parsed(text) or parsed(text[: text.rfind("},") + 1] + "]}")  # the stage was cut: the entries that are complete
    entries = whole["benchmarks"] if whole else []
    rows = collections.OrderedDict()
    for entry in entries:
        parts = entry["name"].removesuffix("/real_time").split("/")
        if len(parts) < 5 or entry.get("error_occurred"):
            continue
        operation, implementation, _, dtype, case = parts[0], parts[1], parts[2], parts[3], "/".join(parts[4:])
        rows.setdefault((operation, dtype, case), {})[implementation] = {
            "microseconds": entry["real_time"],
            "gflops": entry.get("GFLOP/s"),
            "gbytes": entry.get("GB/s"),
            "error": entry.get("error"),
        }
    return [{"operation": o, "dtype": d, "case": c, "implementations": i} for (o, d, c), i in rows.items()]


def main():
    folder = pathlib.Path(sys.argv[1])
    report = {"stages": {}}
    for done in sorted(folder.glob("*.done")):
        status, seconds = map(int, done.read_text().split())
        report["stages"][done.stem] = {"status": status, "seconds": seconds}
    if (folder / "gpu.csv").exists():
        report["gpu"] = next(csv.DictReader((folder / "gpu.csv").open(), skipinitialspace=True), {})
    if (folder / "commit.txt").exists():
        report["commit"] = (folder / "commit.txt").read_text().strip()
    if (folder / "info.json").exists():
        info = parsed((folder / "info.json").read_text()) or {}
        report["libraries"] = info.get("libraries", [])
        report["devices"] = info.get("devices", [])
    report["tests"] = {}
    for name, pattern in (("kernels", "kernels/*.json*"), ("suite_ops", "suite_ops.json"), ("suite_train", "suite_train.json")):
        if (result := tests(sorted(folder.glob(pattern)))) is not None:
            report["tests"][name] = {"passed": result[0], "failed": result[1]}
    report["benchmarks"] = benchmarks(folder / "benchmarks.json")
    report["training"] = [record for path in sorted(folder.glob("training/*.json")) for record in lines(path)]
    (folder / "report.json").write_text(json.dumps(report, indent=1) + "\n")

    page = ["# Heddle on a GPU", ""]
    for key, value in report.get("gpu", {}).items():
        page.append(f"- {key}: {value}")
    page.append(f"- commit: {report.get('commit', 'unknown')}")
    page += ["", "## Stages", "", "| Stage | Exit code | Seconds |", "|---|---:|---:|"]
    page += [f"| {name} | {stage['status']} | {stage['seconds']} |" for name, stage in report["stages"].items()]
    page += ["", "## Tests on the device", ""]
    for name, result in report["tests"].items():
        page.append(f"- {name}: {result['passed']} passed, {len(result['failed'])} failed")
        page += [f"  - {failure}" for failure in result["failed"][:50]]
    if report["training"]:
        page += ["", "## Training, pictures a second", "",
                 "| Model | Precision | Heddle | PyTorch | PyTorch compiled | Ratio to eager | Ratio to compiled |",
                 "|---|---|---:|---:|---:|---:|---:|"]
        for record in report["training"]:
            own, eager, compiled = (record.get(side, {}).get("images_per_second") for side in ("heddle", "pytorch", "pytorch_compiled"))
            page.append(f"| {record['model']} | {record['precision']} | {own:.0f} | {eager:.0f} | " +
                        (f"{compiled:.0f} | {own / eager:.2f} | {own / compiled:.2f} |" if compiled else f"failed | {own / eager:.2f} | |"))
    if report["benchmarks"]:
        page += ["", "## Kernels", "", "Microseconds a run, launch and wait included; error against f64 in brackets.", "",
                 "| Operation | Type | Case | Implementations |", "|---|---|---|---|"]
        for row in report["benchmarks"]:
            cells = [f"{name} {entry['microseconds']:.1f}" + (f" ({entry['error']:.1e})" if entry["error"] is not None else "")
                     for name, entry in sorted(row["implementations"].items(), key=lambda item: item[1]["microseconds"])]
            page.append(f"| {row['operation']} | {row['dtype']} | {row['case']} | {', '.join(cells)} |")
    for table in sorted(folder.glob("bench_*.txt")):
        page += ["", f"## Suite {table.stem.removeprefix('bench_')}", "", "```", table.read_text().rstrip(), "```"]
    (folder / "report.md").write_text("\n".join(page) + "\n")
    print(f"{folder / 'report.md'}")


if __name__ == "__main__":
    main()
