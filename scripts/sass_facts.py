#!/usr/bin/env python3
"""Makes docs/sass.md from the machine code of the hand-written kernels, and holds it to what they are written for.

sass_facts.py [--build DIR] [--update] [--jobs N]

Disassembles the objects of libheddle_cuda (cuobjdump and nvdisasm, from PATH or from build/sass, where
scripts/fetch_disassemblers.sh puts them) and fails where
- a kernel keeps variables in local memory (LDL, STL);
- no variant of a kernel loads (or stores) 16 bytes of global memory at a time, and NARROW does not say why;
- a kernel of MATRIX has no tensor-core instructions in a variant for 16-bit types;
- an entry of these lists names no kernel, or is not needed;
- without --update, the page is not what this compiler and disassembler make (pages of others are not compared).
Kernels of CUB and Thrust are left out. What an object was found to hold is kept beside it until it is compiled again.
"""
import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

from kernel_table import compiler, demangled, hand_written, plain

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "sass.md"
TOOLS = ROOT / "build" / "sass" / "lib"

# Kernels whose variants for f16 and bf16 multiply on tensor cores.
MATRIX = ["multiply_tiles", "attend_mma", "query_gradients_mma", "key_gradients_mma", "multiply_hopper",
          "rnn_forward_steps", "rnn_backward_steps"]

# Why a kernel does not move 16 bytes at a time.
CHAINS = "pairs of an index and a place, all over memory"
FRAGMENTS = "results go out as the matrix instruction leaves them, two neighbours a lane: 4 bytes of 16-bit types"
HALVED = "four sums in f32 become four results of 2 bytes"
JOINS = "joins the partial sums of another kernel: a small part of the bytes"
KEYS = "keys of 8 bytes, or the elements that they are made of; could be wider"
LABELS = "labels, a small part of the bytes"
PACKED = "gathers weights in the order in which the matrix instruction wants them, once a call"
PIXELS = "pixels of 1 byte and indices of 8, shifted and mirrored: no run of them is aligned"
PLACES = "a warp reads neighbouring elements; could be wider where rows are whole vectors"
SCATTERED = "looks for its indices, of up to 8 bytes, and adds lines of any length"
SEED = "reads the seed alone"
STATE = "copies the first state: a small part of the bytes"
STRIDED = "elements that do not lie together"
SUMS = "reads much, writes a sum for each row, column or block"
TILES = "fills tiles of f32 in shared memory element by element: bound by arithmetic; could be wider"
TURNED = "a transposition by way of shared memory: a warp moves lines of 64 to 256 bytes"

# {(file, kernel): (bytes of its widest loads, of its widest stores, why)}
NARROW = {
    ("kernels/attention/native_backward.cu", "key_gradients"): (8, 4, TILES),
    ("kernels/attention/native_backward.cu", "query_gradients"): (8, 4, TILES),
    ("kernels/attention/native_backward.cu", "row_products"): (16, 4, SUMS),
    ("kernels/attention/native_forward.cu", "attend"): (8, 4, TILES),
    ("kernels/attention/native_mma_backward.cu", "key_gradients_mma"): (16, 4, FRAGMENTS),
    ("kernels/attention/native_mma_backward.cu", "query_gradients_mma"): (16, 4, FRAGMENTS),
    ("kernels/attention/native_mma_backward.cu", "row_products"): (16, 4, SUMS),
    ("kernels/attention/native_mma_forward.cu", "attend_mma"): (16, 4, FRAGMENTS),
    ("kernels/conv/native.cu", "add_column_chunks"): (4, 4, JOINS),
    ("kernels/conv/native_depthwise.cu", "add_column_chunks"): (4, 4, JOINS),
    ("kernels/conv/native_depthwise.cu", "depthwise_backward_weights"): (16, 4, SUMS),
    ("kernels/copy/native_permute.cu", "transpose_tiles"): (8, 8, TURNED),
    ("kernels/copy/native_scatter.cu", "map_operands"): (8, 16, SCATTERED),
    ("kernels/copy/native_scatter.cu", "scatter_lines"): (8, 4, SCATTERED),
    ("kernels/image/native.cu", "blend_pixels"): (4, 4, PIXELS),
    ("kernels/image/native.cu", "gather_batch"): (8, 16, PIXELS),
    ("kernels/layer_norm/native.cu", "join_splits"): (4, 4, JOINS),
    ("kernels/loss/native.cu", "entropy_rows"): (16, 4, SUMS),
    ("kernels/loss/native_points.cu", "first_bad_labels"): (8, 8, LABELS),
    ("kernels/loss/native_points.cu", "first_of_blocks"): (8, 8, JOINS),
    ("kernels/matmul/native.cu", "add_column_chunks"): (4, 4, JOINS),
    ("kernels/matmul/native_bf16.cu", "add_splits"): (16, 8, HALVED),
    ("kernels/matmul/native_f16.cu", "add_splits"): (16, 8, HALVED),
    ("kernels/norm/native_backward.cu", "join_sums"): (4, 4, JOINS),
    ("kernels/norm/native_statistics.cu", "join_splits"): (4, 4, JOINS),
    ("kernels/norm/native_statistics.cu", "split_moments"): (16, 4, SUMS),
    ("kernels/optim/native_norm.cu", "root_of_sums"): (8, 4, JOINS),
    ("kernels/optim/native_norm.cu", "squares_of_chunks"): (16, 8, SUMS),
    ("kernels/random/native.cu", "fill_randomly"): (8, 16, SEED),
    ("kernels/random/native_permutation.cu", "clear_lists"): (16, 8, CHAINS),
    ("kernels/random/native_permutation.cu", "follow_chains"): (8, 8, CHAINS),
    ("kernels/random/native_permutation.cu", "list_choices"): (8, 8, CHAINS),
    ("kernels/reduce/cub_top_k.cu", "make_row_keys"): (4, 8, KEYS),
    ("kernels/reduce/cub_top_k.cu", "write_first_of_rows"): (4, 8, KEYS),
    ("kernels/reduce/native.cu", "reduce_columns"): (16, 8, SUMS),
    ("kernels/reduce/native.cu", "reduce_long_rows"): (16, 8, SUMS),
    ("kernels/reduce/native.cu", "reduce_short_rows"): (16, 8, SUMS),
    ("kernels/reduce/native.cu", "reduce_strided"): (8, 8, STRIDED),
    ("kernels/reduce/native_places.cu", "places_in_columns"): (8, 8, PLACES),
    ("kernels/reduce/native_places.cu", "places_in_short_rows"): (8, 8, PLACES),
    ("kernels/reduce/native_top_k.cu", "select_top"): (8, 8, KEYS),
    ("kernels/reduce/native_top_k.cu", "sort_step"): (8, 8, KEYS),
    ("kernels/reduce/native_top_k.cu", "sort_tiles"): (8, 8, KEYS),
    ("kernels/reduce/native_top_k.cu", "write_sorted"): (8, 8, KEYS),
    ("kernels/rnn/native_backward.cu", "place_state"): (4, 4, STATE),
    ("kernels/rnn/native_backward.cu", "rnn_backward_step"): (4, 4, TILES),
    ("kernels/rnn/native_forward.cu", "place_state"): (4, 4, STATE),
    ("kernels/rnn/native_forward.cu", "rnn_forward_step"): (4, 4, TILES),
    ("kernels/rnn/native_persistent_backward.cu", "pack_weights"): (2, 16, PACKED),
    ("kernels/rnn/native_persistent_backward.cu", "rnn_backward_steps"): (16, 8, FRAGMENTS),
    ("kernels/rnn/native_persistent_forward.cu", "pack_weights"): (2, 16, PACKED),
    ("kernels/rnn/native_persistent_forward.cu", "rnn_forward_steps"): (16, 8, FRAGMENTS),
}

HEAD = """# Machine code of the kernels

Generated by `scripts/sass_facts.py --update` from the disassembly of libheddle_cuda ({versions}). A kernel is compiled in several
variants (types, tile sizes). *Matrix*: tensor-core instructions. *Loads*, *stores*: the widths in bytes of the accesses to global memory
in the code, each with the number of variants that have it; a copy to shared memory that runs beside the computation counts as a load ("async").
Narrow accesses beside wide ones are the tails, and operands that are not aligned. *Barriers*: of the block, the least and the most in a
variant. No kernel keeps variables in local memory: that fails the tests, as does a kernel that never moves 16 bytes at a time, without a
reason below.

| File | Kernel | Variants | Matrix | Loads | Stores | Barriers |
|---|---|---:|---|---|---|---:|
"""

INSTRUCTION = re.compile(
    r"\t\tFunction : (\S+)|\*/ +(?:@!?U?P\w+ )?"
    r"((?:LDGSTS|LDG|LDL|LD|STG|STL|ST|HMMA|HGMMA|BAR|UTMALDG|UTMASTG|UBLKCP)(?:\.\w+)*) ")
BITS = {"U8": 1, "S8": 1, "U16": 2, "S16": 2, "64": 8, "128": 16}


def tool(name):
    found = shutil.which(name)
    if found:
        return pathlib.Path(found)
    for path in sorted(TOOLS.glob(f"**/bin/{name}")):
        return path
    sys.exit(f"{name}: neither on the PATH nor in build/sass: run scripts/fetch_disassemblers.sh")


def width(mnemonic):
    """The bytes that a lane moves."""
    return next((BITS[part] for part in mnemonic.split(".") if part in BITS), 4)


def disassembled(path, cuobjdump, environment):
    """{kernel: {instruction: how often}}"""
    kept = path.with_suffix(".o.sass.json")
    if kept.exists() and kept.stat().st_mtime > path.stat().st_mtime:
        return json.loads(kept.read_text())
    text = subprocess.run([cuobjdump, "-sass", path], env=environment, capture_output=True, text=True, check=True).stdout
    kernels, counts = {}, None
    for function, mnemonic in INSTRUCTION.findall(text):
        if function:
            counts = kernels.setdefault(function, collections.Counter())
        else:
            counts[mnemonic] += 1
    kept.write_text(json.dumps(kernels))
    return kernels


class Variant:
    """What a kernel holds in one of its variants."""

    def __init__(self, name, instructions):
        self.name = name
        self.loads, self.stores, self.matrix = set(), set(), set()  # (bytes, "" or "async" or "TMA"), instructions
        self.barriers, self.local = 0, 0
        for mnemonic, count in instructions.items():
            kind = mnemonic.split(".")[0]
            if kind in ("LDL", "STL"):
                self.local += count
            elif kind in ("LDG", "LD"):
                self.loads.add((width(mnemonic), ""))
            elif kind == "LDGSTS":
                self.loads.add((width(mnemonic), " async"))
            elif kind in ("UTMALDG", "UBLKCP"):
                self.loads.add((16, " TMA"))
            elif kind in ("STG", "ST"):
                self.stores.add((width(mnemonic), ""))
            elif kind == "UTMASTG":
                self.stores.add((16, " TMA"))
            elif kind in ("HMMA", "HGMMA"):
                self.matrix.add(mnemonic)
            elif kind == "BAR":
                self.barriers += count

    def of_16_bits(self):
        return "__half" in self.name or "bfloat16" in self.name


def read(build, jobs):
    """{(source file, kernel): [Variant]}, and the number of kernels of libraries."""
    cuobjdump = tool("cuobjdump")
    environment = {**os.environ, "PATH": f"{tool('nvdisasm').parent}:{os.environ['PATH']}"}  # cuobjdump runs it
    folder = build / "CMakeFiles" / "heddle_cuda.dir"
    objects = sorted(folder.glob("kernels/**/*.cu.o"))
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        found = list(pool.map(lambda path: disassembled(path, cuobjdump, environment), objects))
    names = demangled([kernel for kernels in found for kernel in kernels])
    rows, libraries = collections.defaultdict(list), 0
    for path, kernels in zip(objects, found):
        source = str(path.relative_to(folder)).removesuffix(".o")
        for kernel, instructions in kernels.items():
            if hand_written(names[kernel]):
                rows[source, plain(names[kernel])].append(Variant(names[kernel], instructions))
            else:
                libraries += 1
    return dict(sorted(rows.items())), libraries


def widest(variants, kind):
    """Bytes of the widest loads or stores of any variant. A kernel that has none cannot be too narrow."""
    return max((bytes_ for variant in variants for bytes_, _ in getattr(variant, kind)), default=16)


def problems_of(rows):
    problems, needed = [], set()
    for (source, name), variants in rows.items():
        where = f"{source}: {name}"
        for variant in variants:
            if variant.local > 0:
                problems.append(f"{where}: {variant.name}: variables in local memory ({variant.local} accesses)")
        found = widest(variants, "loads"), widest(variants, "stores")
        loads, stores, _ = NARROW.get((source, name), (16, 16, ""))
        if found != (16, 16):
            needed.add((source, name))
        if found != (loads, stores):
            problems.append(f"{where}: the widest loads and stores are of {found} bytes, expected {(loads, stores)}: widen "
                            "them, or explain in NARROW of scripts/sass_facts.py")
        if name in MATRIX:
            bare = [variant.name for variant in variants if variant.of_16_bits() and not variant.matrix]
            if bare:
                problems.append(f"{where}: no tensor-core instructions in {bare[0]}")
    problems += [f"NARROW: {source}: {name} is no such kernel, or needs no exception"
                 for source, name in NARROW if (source, name) not in needed]
    problems += [f"MATRIX: no kernel is called {name}" for name in MATRIX if name not in {row[1] for row in rows}]
    return problems


def page(rows, versions):
    def widths(variants, kind):
        counts = collections.Counter(access for variant in variants for access in getattr(variant, kind))
        return ", ".join(f"{bytes_}{how}" + (f" ({counts[bytes_, how]})" if counts[bytes_, how] < len(variants) else "")
                         for bytes_, how in sorted(counts, key=lambda access: (-access[0], access[1])))

    made = HEAD.format(versions=versions)
    for (source, name), variants in rows.items():
        matrix = ", ".join(f"`{mnemonic}`" for mnemonic in sorted(set().union(*(v.matrix for v in variants))))
        least, most = min(v.barriers for v in variants), max(v.barriers for v in variants)
        made += (f"| `{source}` | `{name}` | {len(variants)} | {matrix} | {widths(variants, 'loads')} | "
                 f"{widths(variants, 'stores')} | {least if least == most else f'{least} – {most}'} |\n")
    made += ("\n## Narrower than 16 bytes\n\nThe widest loads and stores of these kernels, in bytes, and why.\n\n"
             "| File | Kernel | Loads | Stores | Why |\n|---|---|---:|---:|---|\n")
    for (source, name), (loads, stores, why) in sorted(NARROW.items()):
        made += f"| `{source}` | `{name}` | {loads} | {stores} | {why} |\n"
    return made


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "ci")
    parser.add_argument("--update", action="store_true", help="rewrite docs/sass.md")
    parser.add_argument("--jobs", type=int, default=int(os.environ.get("HEDDLE_JOBS", "1")))
    arguments = parser.parse_args()
    rows, libraries = read(arguments.build, arguments.jobs)
    if not rows:
        print(f"{arguments.build}: no objects of libheddle_cuda: it has not been built there", file=sys.stderr)
        return 1
    problems = problems_of(rows)
    text = subprocess.run([tool("nvdisasm"), "--version"], capture_output=True, text=True, check=True).stdout
    versions = f"{compiler()}, nvdisasm " + re.search(r"V([\d.]+)", text).group(1)
    made, known = page(rows, versions), PAGE.read_text() if PAGE.exists() else ""
    count = sum(len(variants) for variants in rows.values())
    print(f"{count} kernels disassembled, {libraries} of CUB and Thrust are not looked at, {len(problems)} problems")
    if arguments.update:
        PAGE.write_text(made)
    elif f"({versions})" not in known:
        print("docs/sass.md was made by another compiler or disassembler: not compared")
    elif known != made:
        problems.append("docs/sass.md is not current: run scripts/sass_facts.py --update")
    print("\n".join(problems), file=sys.stderr, end="\n" if problems else "")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
