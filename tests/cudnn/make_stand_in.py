#!/usr/bin/env python3
"""Makes a libcuda.so.1 without a GPU behind it, for test programs that let cuDNN compile its kernels and run none.

make_stand_in.py --stub TOOLKIT/lib64/stubs/libcuda.so --compiler CC --output DIR/libcuda.so.1

It exports every name that the toolkit's stub library does. Loading a module or a kernel "succeeds" with a made-up handle;
everything else returns CUDA_ERROR_NO_DEVICE, so that a program that asks for a GPU is told that there is none.
"""
import argparse
import pathlib
import subprocess

# What loads code and looks things up in it: the first parameter takes a handle.
HANDLES = ["cuModuleLoad", "cuModuleLoadData", "cuModuleLoadDataEx", "cuModuleLoadFatBinary", "cuModuleGetFunction",
           "cuLibraryLoadData", "cuLibraryLoadFromFile", "cuLibraryGetKernel", "cuLibraryGetModule", "cuKernelGetFunction",
           "cuFuncGetModule"]
# What changes or ends loaded code.
NOTHING = ["cuModuleUnload", "cuLibraryUnload", "cuFuncSetAttribute", "cuKernelSetAttribute", "cuFuncSetCacheConfig",
           "cuKernelSetCacheConfig", "cuFuncLoad"]


def names_in(library):
    table = subprocess.run(["readelf", "--dyn-syms", "--wide", library], check=True, capture_output=True, text=True).stdout
    for line in table.splitlines():
        columns = line.split()
        if len(columns) >= 8 and columns[3] == "FUNC" and columns[6] != "UND" and columns[7].startswith("cu"):
            yield columns[7].split("@")[0]


def source(names):
    yield "enum { done = 0, no_device = 100 };"
    yield "static char handle;"
    for name in sorted(set(names)):
        if name in HANDLES:
            yield f"int {name}(void** result) {{ *result = &handle; return done; }}"
        elif name in NOTHING:
            yield f"int {name}(void) {{ return done; }}"
        else:
            yield f"int {name}(void) {{ return no_device; }}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stub", required=True)
    parser.add_argument("--compiler", default="cc")
    parser.add_argument("--output", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    names = list(names_in(arguments.stub))
    missing = [name for name in HANDLES + NOTHING if name not in names]
    if missing:
        raise SystemExit(f"{arguments.stub} has no {', '.join(missing)}")
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    code = arguments.output.with_suffix(".c")
    code.write_text("\n".join(source(names)) + "\n")
    subprocess.run([arguments.compiler, "-shared", "-fPIC", "-O1", "-Wl,-soname,libcuda.so.1", "-x", "c", code, "-o",
                    arguments.output], check=True)


if __name__ == "__main__":
    main()
