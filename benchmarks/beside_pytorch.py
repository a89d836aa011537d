#!/usr/bin/env python3
"""beside_pytorch.py [--all] CSV...: sums up files of `heddle bench --csv` that hold the contender `pytorch`.

For each file: how many cases there are, in how many our fastest implementation is slower than PyTorch's operator, and
those cases with PyTorch's time divided by ours, the worst first (`--all`: all cases). A difference of the medians that is
larger than both spreads (interquartile ranges, shown in percent of the medians) is beyond noise. The last line counts over
all files.
"""
import argparse
import csv


def cases(path):
    """(PyTorch's time / ours, operation, case, implementation, PyTorch's spread, ours), ascending."""
    times = {}
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            if row["state"] == "ranked" and row["median_s"]:
                contenders = times.setdefault((row["operation"], row["case"]), {})
                contenders[row["implementation"]] = (float(row["median_s"]), float(row["spread_s"]))
    found = []
    for (operation, case), contenders in times.items():
        pytorch = contenders.pop("pytorch", None)
        if pytorch and contenders:
            name, ours = min(contenders.items(), key=lambda entry: entry[1])
            found.append((pytorch[0] / ours[0], operation, case, name, pytorch[1] / pytorch[0], ours[1] / ours[0]))
    return sorted(found)


def beyond_noise(ratio, their_spread, our_spread):
    return ratio < 1 and 1 / ratio - 1 > max(their_spread, our_spread / ratio)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="list the cases that are not slower, too")
    parser.add_argument("files", nargs="+", metavar="CSV")
    arguments = parser.parse_args()
    total = slower = clearly = 0
    for path in arguments.files:
        found = cases(path)
        below = sum(ratio < 1 for ratio, *_ in found)
        beyond = sum(beyond_noise(ratio, *spreads) for ratio, _, _, _, *spreads in found)
        total, slower, clearly = total + len(found), slower + below, clearly + beyond
        print(f"{path}: {len(found)} cases, {below} below 1, {beyond} of them beyond noise")
        for ratio, operation, case, name, their_spread, our_spread in found:
            if ratio < 1 or arguments.all:
                print(f"  {ratio:.2f} {operation} {case}, {name} (spreads: PyTorch's {their_spread:.0%}, ours {our_spread:.0%})")
    print(f"together {total} cases, {slower} below 1, {clearly} of them beyond noise")


if __name__ == "__main__":
    main()
