#!/usr/bin/env python3
"""Checks includes: the layering of the folders, public headers, and that heddle.h includes the public surface.

- A file includes only headers of its own folder (a "floor") and of those below it; paths start at the repository's root.
- A public header (cmake/PublicHeaders.cmake decides) includes public headers and the standard library only; a kernel
  header also kernel headers and CUDA's.
- heddle.h includes every public header of ops, layers, data, train and models, and the parts of core that users need.

`--update` rewrites the includes of heddle.h.
"""
import argparse
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FLOORS = ["core", "kernels", "ops", "layers", "data", "train", "models", "bench", "cli"]
BELOW = {
    "core": {"core"},
    "kernels": {"core", "kernels"},
    "ops": {"core", "kernels", "ops"},
    "layers": {"core", "kernels", "ops", "layers"},
    "data": {"core", "kernels", "data"},
    "train": {"core", "kernels", "ops", "layers", "data", "train"},
    "models": {"core", "kernels", "ops", "layers", "data", "train", "models"},
    "bench": {"core", "kernels", "ops", "layers", "data", "train", "models", "bench", "tests"},  # tests/cases
    "cli": {*FLOORS, "tests"},  # tests/cases, which `heddle check` runs
}
# Tensor's arithmetic and backward() are declared in core/tensor.h and defined in ops/; nothing else crosses floors.
CORE_SURFACE = ["config", "device", "dtype", "error", "graph", "parallel", "plugin", "print", "profile", "random", "shape", "tensor", "version"]
UMBRELLA_FLOORS = ["ops", "layers", "data", "train", "models"]
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
# Headers of the C and C++ standard libraries have neither a folder nor, but for these, a suffix.
COMPILER_HEADERS = {"immintrin.h", "xmmintrin.h"}


CUDA_HEADERS = {"cuda_bf16.h", "cuda_fp16.h", "cuda_runtime.h"}


def headers(kernels):
    output = subprocess.run(["cmake", f"-DKERNELS={kernels}", "-P", ROOT / "cmake/PublicHeaders.cmake"], check=True,
                            capture_output=True, text=True).stdout
    return output.split()


def floor_problems():
    problems = []
    for floor in FLOORS:
        for path in sorted((ROOT / floor).rglob("*")):
            if path.suffix not in {".h", ".cpp", ".cu", ".cuh"}:
                continue
            for kind, name in INCLUDE.findall(path.read_text()):
                other = name.split("/")[0]
                if kind == '"' and other not in BELOW[floor]:
                    problems.append(f'{path.relative_to(ROOT)}: includes "{name}", which is not on its floor or below')
    return problems


def public_problems(headers, known, libraries=COMPILER_HEADERS):
    problems = []
    for header in headers:
        for kind, name in INCLUDE.findall((ROOT / header).read_text()):
            if kind == '"' and name not in known:
                problems.append(f'{header}: a public header includes "{name}", which is not public')
            if kind == "<" and ("/" in name or "." in name) and name not in libraries:
                problems.append(f"{header}: a public header includes <{name}>, which is not the standard library's")
    return problems


def umbrella(public):
    text = (ROOT / "heddle.h").read_text()
    head = text[:text.index('#include "')]
    names = [f"core/{name}.h" for name in CORE_SURFACE]
    names += [name for floor in UMBRELLA_FLOORS for name in public if name.startswith(floor + "/")]
    return head + "".join(f'#include "{name}"\n' for name in sorted(names))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--update", action="store_true", help="rewrite the includes of heddle.h")
    arguments = parser.parse_args()
    public, kernels = headers("OFF"), headers("ON")
    if arguments.update:
        (ROOT / "heddle.h").write_text(umbrella(public))
    problems = floor_problems() + public_problems([*public, "heddle.h"], set(public))
    problems += public_problems(kernels, {*public, *kernels}, COMPILER_HEADERS | CUDA_HEADERS)
    if (ROOT / "heddle.h").read_text() != umbrella(public):
        problems.append("heddle.h: not the list of public headers (run scripts/check_headers.py --update)")
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{len(public)} public headers, {len(kernels)} of kernels, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
