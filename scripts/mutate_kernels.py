#!/usr/bin/env python3
"""Which statements that synchronise our kernels do the tests need? Leaves out one after another on the simulator.

mutate_kernels.py [--build DIR] [--file FILE ...] [--jobs N] [--replay | --update]

A mutant is the simulated kernels without one barrier, fence, commit or wait (HEDDLE_SIM_SKIP: nothing is compiled). It
is noticed where a case of the kernels that have the statement fails: in some order of the threads, or else under
ThreadSanitizer. (For what kernels/simt offers to kernels the simulator's own tests count, too.) docs/mutations.md says
of every statement by which case it is noticed, or explains why by none.

By default all of that is found anew, and the page must agree. --replay is the cheap part: each mutant runs the one case
that the page names. --update rewrites the page's table of noticed mutants; the explanations are written by hand. Every
way fails where the sources have a statement that the page does not, or the other way round.

Needs test_kernels and test_simt in DIR (build/ci), and test_kernels_tsan where the plain build does not notice all.
"""
import argparse
import concurrent.futures
import dataclasses
import functools
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "mutations.md"
HEAD = "| File | Function | Statement | Case | Order | What it sees |\n|---|---|---|---|---|---|\n"

CALL = re.compile(r"\b(__syncthreads(?:_count|_and|_or)?|__syncwarp|__threadfence(?:_block|_system)?"
                  r"|copy_async_commit|copy_async_wait|fence_async|mbarrier_arrive(?:_expect)?|mbarrier_wait"
                  r"|wgmma_fence|wgmma_commit|wgmma_wait)\b\s*(?:<[^;]*?>)?\s*\(")
# Where the vocabulary itself is made.
VOCABULARY = {"kernels/simt/" + name for name in ("async.h", "hopper_runtime.h", "mbarrier.h", "runtime.h", "sim_block.h",
                                                  "wgmma.h")}
# (HEDDLE_SIM_ORDER, HEDDLE_SIM_SEED), in which they are tried.
ORDERS = [("forward", 0), ("reverse", 0), ("random", 1), ("random", 2)]
RACE = "ThreadSanitizer"
SECONDS = {"plain": 600, RACE: 3600}  # after which a run counts as endless
REPORTS = re.compile(r"deadlock in block|divergent barriers|other lanes of the mask|has written|misaligned access"
                     r"|copy of a box|wgmma without|made visible with fence_async|exited without a wgmma_wait")


@dataclasses.dataclass(frozen=True)
class Statement:
    """A call in the sources. Its name in the page does not depend on lines: edits elsewhere do not change it."""
    file: str
    function: str
    call: str
    number: int  # among the function's, from 1
    line: int = dataclasses.field(compare=False, default=0)

    def row(self):
        return f"| `{self.file}` | `{self.function}` | `{self.call}` {self.number} |"

    def __str__(self):
        return f"{self.file}: {self.function}: {self.call} {self.number}"


@dataclasses.dataclass(frozen=True)
class Notice:
    case: str   # of test_kernels, or, without a slash, a test of test_simt
    order: str  # "random 1", or RACE
    what: str   # it sees


@functools.cache
def sources():
    """{path: text without comments} of the kernels, which keep their lines."""
    def without_comments(text):
        return re.sub(r"/\*.*?\*/|//[^\n]*", lambda match: "\n" * match.group(0).count("\n"), text, flags=re.S)
    paths = sorted([*ROOT.glob("kernels/**/*.cu"), *ROOT.glob("kernels/**/*.h")])
    return {str(path.relative_to(ROOT)): without_comments(path.read_text()) for path in paths}


def function_at(text, place):
    """The name of the device function or kernel around a place."""
    start = max(text.rfind("__global__", 0, place), text.rfind("__device__", 0, place))
    head = re.sub(r"__launch_bounds__\s*\((?:[^()]|\([^()]*\))*\)", "", text[start:place])
    return re.search(r"(\w+)\s*\(", head).group(1)


def statements():
    found, places = [], set()
    for file, text in sources().items():
        if file in VOCABULARY:
            continue
        counts = {}
        for match in CALL.finditer(text):
            function, call = function_at(text, match.start()), match.group(1)
            number = counts[function, call] = counts.get((function, call), 0) + 1
            line = text.count("\n", 0, match.start()) + 1
            if (file, line) in places:
                sys.exit(f"{file}:{line}: two statements in a line cannot be told apart")
            places.add((file, line))
            found.append(Statement(file, function, call, number, line))
    return found


@functools.cache
def users(file):
    """The .cu files that include a file, or are it."""
    if file.endswith(".cu"):
        return {file}
    # Every kernel includes simt.h and with it reduce.h: who uses that says so.
    if file == "kernels/simt/reduce.h":
        names = re.compile(r"\bblock_reduce\s*\(")
        return set().union(*(users(path) for path, text in sources().items() if path != file and names.search(text)))
    includes = [path for path, text in sources().items() if f'#include "{file}"' in text]
    return set().union(*(users(path) for path in includes)) if includes else set()


def operations(arguments, file):
    """Those whose kernels use a file: all of the same folder, whose table of kernels is there."""
    names = []
    for folder in sorted({pathlib.Path(user).parent for user in users(file)}):
        text = "".join(path.read_text() for path in sorted((ROOT / folder).glob("*.cpp")))
        of_folder = [name for name in all_operations(arguments.build) if f'("{name}")' in text]
        if not of_folder:
            sys.exit(f"{folder}: no operation found")
        names += of_folder
    return names


@functools.cache
def all_operations(build):
    command = [build / "tests" / "test_kernels", "--gtest_list_tests"]
    listed = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
    return sorted(set(re.findall(r"^(\w+)/.*/sim\.$", listed, flags=re.M)))


def run(arguments, statement, order, cases):
    """(Notice or None, whether the statement was reached)."""
    environment = {key: value for key, value in os.environ.items()
                   if not key.startswith("GTEST_") and key not in ("HEDDLE_EVIDENCE", "HEDDLE_TEST_FULL")}
    name, seed = ("forward", 0) if order == RACE else order
    environment |= {"HEDDLE_SIM_ORDER": name, "HEDDLE_SIM_SEED": str(seed),
                    "HEDDLE_SIM_SKIP": f"{statement.file}:{statement.line}"}
    program = arguments.build / "tests" / ("test_kernels" if "/" in cases[0] else "simt/test_simt")
    if order == RACE:
        program = arguments.build / "tests" / "test_kernels_tsan"
        environment |= {"HEDDLE_DEVICE_LIBRARIES": str(arguments.build / "sim_tsan"),
                        "HEDDLE_ALLOCATOR": "passthrough", "TSAN_OPTIONS": "halt_on_error=1"}
    label = RACE if order == RACE else name if name != "random" else f"random {seed}"
    if not program.exists():
        sys.exit(f"{statement}: {program} is not built")
    command = [program, f"--gtest_filter={':'.join(cases)}", "--gtest_fail_fast"]
    try:
        result = subprocess.run(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                timeout=SECONDS[RACE if order == RACE else "plain"])
        output, status = result.stdout, result.returncode
    except subprocess.TimeoutExpired as late:
        output, status = late.stdout or b"", None
    output = output.decode(errors="replace")
    failed = re.findall(r"^\[  FAILED  \] (\S+) \(", output, flags=re.M)
    begun = re.findall(r"^\[ RUN      \] (\S+)", output, flags=re.M)
    if not begun:
        sys.exit(f"{statement}: no case runs:\n{output}")
    reached = f"simulator: {statement.file}:{statement.line} is skipped" in output
    if status == 0:
        return None, reached
    if not reached:
        sys.exit(f"{statement}: a case fails that does not reach it:\n{output}")
    if "ThreadSanitizer: data race" in output:
        what = "race report"
    elif status is None:
        what = "no end"
    elif status < 0:
        what = "crash"
    elif match := REPORTS.search(output):
        what = f"report: {match.group(0)}"
    elif failed:
        what = "wrong values"
    else:
        sys.exit(f"{statement}: unexpected end ({status}):\n{output}")
    return Notice((failed or begun[-1:])[0], label, what), reached


def mutate(arguments, statement):
    """The first thing that notices the mutant, or None."""
    names = operations(arguments, statement.file)
    cases = [f"{name}/*/{place}.*" for place in ("sim", "sim/bf16") for name in names]
    tries = [(order, cases) for order in ORDERS]
    if statement.file.startswith("kernels/simt/"):  # which promises kernels more than they use
        tries.append((ORDERS[0], ["*"]))  # the simulator's own tests choose orders themselves
    ever_reached = False
    for order, filters in [*tries, (RACE, cases)]:
        notice, reached = run(arguments, statement, order, filters)
        ever_reached = ever_reached or reached
        if notice:
            return notice
        if not ever_reached:
            break
    return None if ever_reached else "never reached"


def replay(arguments, statement, notice):
    """The page's notice, if it can still be seen, or None."""
    words = notice.order.split()
    order = RACE if notice.order == RACE else (words[0], int(words[1]) if len(words) > 1 else 0)
    return run(arguments, statement, order, [notice.case])[0]


def read_page():
    """(text before the table of noticed mutants, {statement: notice}, {statement: explanation})."""
    text = PAGE.read_text() if PAGE.exists() else ""
    noticed, explained = {}, {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) < 4 or not (match := re.fullmatch(r"`(\w+)` (\d+)", cells[2])):
            continue
        statement = Statement(cells[0].strip("`"), cells[1].strip("`"), match.group(1), int(match.group(2)))
        if len(cells) == 6:
            noticed[statement] = Notice(cells[3].strip("`"), cells[4], cells[5])
        else:
            explained[statement] = cells[3]
    return text.split(HEAD)[0], noticed, explained


def compare_names(found, noticed, explained):
    known, named = {*noticed, *explained}, set(found)
    problems = [f"{s}: in the sources, not in docs/mutations.md" for s in found if s not in known]
    problems += [f"{s}: in docs/mutations.md, not in the sources" for s in sorted(known - named, key=str)]
    return problems + [f"{s}: noticed and explained" for s in noticed if s in explained]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=lambda text: pathlib.Path(text).resolve(), default=ROOT / "build" / "ci")
    parser.add_argument("--file", action="append", help="only the statements of this file")
    parser.add_argument("--jobs", type=int, default=1)
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--replay", action="store_true")
    way.add_argument("--update", action="store_true")
    arguments = parser.parse_args()
    found = statements()
    before, noticed, explained = read_page()
    problems = [] if arguments.update else compare_names(found, noticed, explained)
    chosen = [s for s in found if not arguments.file or s.file in arguments.file]
    if arguments.replay:
        chosen = [s for s in chosen if s in noticed and noticed[s].order != RACE]

    def result_of(statement):
        result = replay(arguments, statement, noticed[statement]) if arguments.replay else mutate(arguments, statement)
        text = " | ".join(dataclasses.astuple(result)) if isinstance(result, Notice) else result or "not noticed"
        print(f"{statement.file}:{statement.line}: {statement.function}: {statement.call} {statement.number}: {text}",
              flush=True)
        return result

    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        results = dict(zip(chosen, pool.map(result_of, chosen)))
    for statement, result in results.items():
        if result == "never reached":
            problems.append(f"{statement}: no case reaches it")
        elif result and statement in explained:
            problems.append(f"{statement}: explained in docs/mutations.md, but noticed")
        elif not result and statement not in explained:
            problems.append(f"{statement}: not noticed, and docs/mutations.md does not explain why")
    if arguments.update:
        rows = {s: n for s, n in {**noticed, **results}.items() if isinstance(n, Notice) and s in set(found)}
        PAGE.write_text(before + HEAD + "".join(
            f"{s.row()} `{rows[s].case}` | {rows[s].order} | {rows[s].what} |\n" for s in found if s in rows))
    count = sum(isinstance(result, Notice) for result in results.values())
    print(f"{len(found)} statements; {len(results)} left out one by one, {count} noticed; {len(explained)} explained")
    print("\n".join(problems), end="\n" if problems else "", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
