#!/usr/bin/env python3
"""Adds up test results: test_summary.py --results DIR ... [--problem NAME ...]

DIR holds ctest.xml (ctest --output-junit) and a JSON file of every googletest program. A program that failed without a
failed test of its own (it crashed, or ran out of time) counts as one failure; so does every named problem. The last line
is "N passed, N failed"; exits with 1 unless nothing failed.
"""
import argparse
import json
import pathlib
import sys
import xml.etree.ElementTree as ElementTree


def read_googletest(path):
    """(passed, names of failed tests, skipped) of one program."""
    passed, failed, skipped = 0, [], 0
    for suite in json.loads(path.read_text())["testsuites"]:
        for test in suite["testsuite"]:
            name = f'{suite["name"]}.{test["name"]}'
            if test.get("failures"):
                failed.append(name)
            elif test.get("result") == "SKIPPED":
                skipped += 1
            elif test.get("status") == "RUN":
                passed += 1
    return passed, failed, skipped


def read_folder(folder):
    """One row per ctest entry: name, seconds, passed, failed names, skipped."""
    rows = []
    junit = folder / "ctest.xml"
    if not junit.exists():
        return [(str(folder), 0.0, 0, ["no results"], 0)]
    for case in ElementTree.parse(junit).getroot().iter("testcase"):
        name, seconds, status = case.get("name"), float(case.get("time", 0)), case.get("status")
        programs = sorted(folder.glob(f"test_{name}.json")) + sorted(folder.glob(f"test_{name}_[0-9]*.json"))
        passed, failed, skipped = 0, [], 0
        for program in programs:
            more = read_googletest(program)
            passed, failed, skipped = passed + more[0], failed + more[1], skipped + more[2]
        if status != "run" and not failed:
            failed.append(f"{name}: {status}" + (" (the program did not end well)" if programs else ""))
        elif status == "run" and not programs:
            passed = 1
        rows.append((name, seconds, passed, failed, skipped))
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", action="append", default=[], type=pathlib.Path)
    parser.add_argument("--problem", action="append", default=[])
    arguments = parser.parse_args()
    total_passed = total_failed = total_skipped = 0
    for folder in arguments.results:
        print(f"{folder.parent.name + ':':<28} {'passed':>7} {'failed':>7} {'skipped':>8} {'seconds':>9}")
        for name, seconds, passed, failed, skipped in read_folder(folder):
            print(f"  {name:<26} {passed:>7} {len(failed):>7} {skipped:>8} {seconds:>9.1f}")
            for test in failed:
                print(f"    FAILED {test}")
            total_passed, total_failed = total_passed + passed, total_failed + len(failed)
            total_skipped += skipped
    # A failed "test <preset>" step is the tests above; it counts only where they show nothing.
    problems = [name for name in arguments.problem if not (name.startswith("test ") and total_failed)]
    for name in problems:
        print(f"FAILED {name}")
    total_failed += len(problems)
    if total_skipped:
        print(f"{total_skipped} skipped")
    print(f"{total_passed} passed, {total_failed} failed")
    return 1 if total_failed or not total_passed else 0


if __name__ == "__main__":
    sys.exit(main())
