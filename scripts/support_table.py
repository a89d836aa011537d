#!/usr/bin/env python3
"""Makes docs/support.md from what the tests have shown.

support_table.py [--evidence FILE...] [--update]

Test programs append what they have shown to the file that HEDDLE_EVIDENCE names (tests/evidence.h); scripts/test.sh sets
it to build/ci/evidence.jsonl, which is the default here; scripts/gpu_report.sh writes another one. Without --update, checks that the page is current and shows
what differs.
"""
import argparse
import difflib
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "support.md"
# By the beginning of the operations' names. Finite differences do not apply where results carry no gradient, PyTorch's
# vectors not where the numbers are our own random ones.
NO_GRADIENT = ("adam_", "arg", "fill", "gradient_norm", "image_", "label_range", "one_hot", "random_", "resize_",
               "rmsprop_", "sgd_")
NO_PYTORCH = ("dropout_", "label_range", "random_")
# Declines every case where there is AVX-512; the preset avx2 runs it there.
NOT_WITH_AVX512 = ("cpu_columns",)

HEAD = """# What is supported

Generated from test results by `scripts/support_table.py --update`; `scripts/test.sh` fails when it is not current.

An operation *counts* when all four kinds of evidence exist: a reference implementation in f64 and f32 that its cases
ran, gradients that agree with finite differences in f64, agreement with vectors that PyTorch made, and a benchmark.
The implementations named passed every case they support, against the reference in f64, in the test run that made this
page: on the *CPU* in f32; `native`, the hand-written CUDA kernels, on the *simulator* in the types listed. *CUDA* lists what is
compiled for GPUs; types are added where a run on a GPU made the page. "Plans": cuDNN made plans for an H100 in these types, for
the cases that it does not decline; that shows that it accepts and compiles them, not that the results are right. "–": does not
apply (no gradient flows through the result, or it is made of our own random numbers).

"""


class Operation:
    def __init__(self):
        self.registered = []  # "cpu", "native/sim", "cudnn/cuda"
        self.passed = set()  # the same, with "/bf16" and the like for other types than f32
        self.planned = set()  # likewise
        self.cases = set()
        self.kinds = set()


def facts(path):
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        try:
            yield json.loads(line)
        except json.JSONDecodeError as error:
            sys.exit(f"{path}:{number}: {error}")


def read(paths):
    operations = {}
    for fact in (fact for path in paths for fact in facts(path)):
        operation = operations.setdefault(fact["operation"], Operation())
        operation.kinds.add(fact["kind"])
        if fact["kind"] == "implementation" and fact["implementation"] not in operation.registered:
            operation.registered.append(fact["implementation"])
        if fact["kind"] == "case":
            operation.passed.add(fact["implementation"])
            operation.cases.add(fact["detail"])
        if fact["kind"] == "plan":
            operation.planned.add(fact["implementation"])
    return operations


def on_device(operation, device):
    """"native (f32, f16, bf16)", "cudnn (plans: f16, bf16)", or "native" where nothing was shown."""
    def types(entry, shown):
        return ", ".join(dtype for dtype in ("f32", "f16", "bf16")
                         if (entry if dtype == "f32" else f"{entry}/{dtype}") in shown)

    names = []
    for entry in sorted(operation.registered):
        if not entry.endswith("/" + device):
            continue
        passed, planned = types(entry, operation.passed), types(entry, operation.planned)
        shown = "; ".join(filter(None, [passed, planned and "plans: " + planned]))
        names.append(entry.split("/")[0] + (f" ({shown})" if shown else ""))
    return ", ".join(names)


def known_columns():
    """{operation: (CPU, simulator, CUDA)} as the page has them."""
    columns = {}
    for line in PAGE.read_text().splitlines() if PAGE.exists() else []:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `") and len(cells) == 10:
            columns[cells[0].strip("`")] = tuple(cells[1:4])
    return columns


def has_avx512():
    return any(line.startswith("flags") and " avx512f " in line + " " for line in open("/proc/cpuinfo"))


def page(operations):
    unknown = sorted(name for name, operation in operations.items() if not operation.registered)
    if unknown:
        sys.exit("evidence for operations that no table has: " + ", ".join(unknown))
    rows = ["| Operation | CPU | Simulator | CUDA | Cases | Reference | Finite differences | PyTorch | Benchmark | Counts |",
            "|---|---|---|---|---:|:-:|:-:|:-:|:-:|:-:|"]
    # What was not built here (no CUDA toolkit, no cuDNN) keeps what the page says of it.
    built = {device: any(entry.endswith(end) for o in operations.values() for entry in o.registered)
             for device, end in (("sim", "/sim"), ("cuda", "cudnn/cuda"))}
    # What is made for other processors than this one keeps what the page says of it, too: oneDNN's Winograd needs AVX-512.
    wide = has_avx512()
    known = known_columns()
    counted = 0
    yes = {True: "yes", False: "no"}
    for name, operation in sorted(operations.items()):
        without_gradient, without_pytorch = name.startswith(NO_GRADIENT), name.startswith(NO_PYTORCH)
        reference = "reference" in operation.passed
        differences = "finite_differences" in operation.kinds
        pytorch = "pytorch" in operation.kinds
        benchmark = "benchmark" in operation.kinds
        counts = reference and (differences or without_gradient) and (pytorch or without_pytorch) and benchmark
        counted += counts
        known_cpu, known_sim, known_cuda = known.get(name, ("", "", ""))
        kept = [entry for entry in known_cpu.split(", ") if not wide or entry in NOT_WITH_AVX512]
        cpu = ", ".join(entry if entry in operation.passed or entry in kept else f"{entry} (no case passed)"
                        for entry in sorted(operation.registered) if "/" not in entry)
        sim = on_device(operation, "sim") if built["sim"] else known_sim
        cuda = on_device(operation, "cuda") if built["cuda"] else known_cuda
        differences = "–" if without_gradient else yes[differences]
        pytorch = "–" if without_pytorch else yes[pytorch]
        rows.append(f"| `{name}` | {cpu} | {sim} | {cuda} | {len(operation.cases)} | {yes[reference]} | {differences} | "
                    f"{pytorch} | {yes[benchmark]} | {'**yes**' if counts else 'no'} |")
    return HEAD + f"{counted} of {len(operations)} operations count.\n\n" + "\n".join(rows) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--evidence", type=pathlib.Path, nargs="+", default=[ROOT / "build" / "ci" / "evidence.jsonl"])
    parser.add_argument("--update", action="store_true", help="rewrite docs/support.md")
    arguments = parser.parse_args()
    for path in arguments.evidence:
        if not path.exists():
            print(f"{path}: no evidence (run the tests with HEDDLE_EVIDENCE set to it)", file=sys.stderr)
            return 1
    made = page(read(arguments.evidence))
    if arguments.update:
        PAGE.write_text(made)
        return 0
    known = PAGE.read_text() if PAGE.exists() else ""
    if known == made:
        print("docs/support.md is current")
        return 0
    sys.stderr.writelines(difflib.unified_diff(known.splitlines(True), made.splitlines(True), "docs/support.md", "tests"))
    print("docs/support.md is not current: run scripts/support_table.py --update", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
