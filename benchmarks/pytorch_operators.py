#!/usr/bin/env python3
"""Times PyTorch's own operators on the CPU, for the contender `pytorch` of `heddle bench --pytorch`.

    python3 benchmarks/pytorch_operators.py < cases.json

Standard input is one JSON array of cases, standard output one JSON object per line; docs/guides/bench.md describes both, with the
operations and the numbers ("dims") of each. For a case that this PyTorch cannot run the answer is the reason.

PyTorch is tuned: OpenBLAS with OpenMP threads (Debian's libopenblas0-openmp) comes first on the library path, the number of threads is
set, pictures are channels last, denormals are flushed, backward operators are called directly where they have a name, and everything
that needs no graph runs under inference_mode. Attention is scaled_dot_product_attention, or, on a PyTorch without it, two products and
a softmax, on operands in PyTorch's own order [batch, heads, time, size]; it and the recurrent layers are differentiated by autograd, on
one graph that is kept. A recurrent layer's forward pass keeps what its backward pass needs, as Heddle's does.

The rules for memory are those of Heddle's side: runs cycle through copies of operands and results that together are larger than the
case's `cold_bytes`. A result is kept until the next run on its copy, so that the allocator hands out the memory that was written longest
ago. glibc is told to keep freed memory and to ask for huge pages, as Heddle's allocator does.
"""

import glob
import json
import os
import statistics
import sys
import time

import pytorch_cases

MOST_COPIES = 1024  # of the operands, however small they are
SHORTEST_SAMPLE = 100e-6  # seconds; the clock and the loop are noise beside it
MALLOC = "glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=4611686018427387904:glibc.malloc.hugetlb=1"


def bytes_of(result):
    """The bytes of all tensors in a result, which may be a tensor or nested tuples and lists of them."""
    if result is None:
        return 0
    if isinstance(result, (tuple, list)):
        return sum(bytes_of(part) for part in result)
    return result.numel() * result.element_size()


def make_calls(torch, case):
    """Calls on copies of the operands, a result of each, and whether together they are larger than `cold_bytes`."""
    function, arguments, graph = pytorch_cases.find(case)
    dtypes = {"f32": torch.float32, "f64": torch.float64, "bf16": torch.bfloat16, "f16": torch.float16}
    if case["dtype"] not in dtypes:
        raise pytorch_cases.Unsupported(f"no type of PyTorch is known for {case['dtype']}")
    wanted = case["cold_bytes"]
    calls, results, held = [], [], 0
    with torch.enable_grad() if graph else torch.inference_mode():
        while held <= wanted and len(calls) < MOST_COPIES:
            make = pytorch_cases.Operands(torch, dtypes[case["dtype"]])
            calls.append(function(torch, make, *arguments))
            results.append(calls[-1]())
            held += max(make.bytes + bytes_of(results[-1]), 1)
    return calls, results, graph, 0 < wanted < held


def samples_of(calls, results, warmup_seconds, seconds):
    """Seconds per call; each sample is the mean of as many calls as make it long enough. Stores what they return in `results`."""
    place, clock = 0, time.perf_counter

    def sample(count):
        nonlocal place
        begin = clock()
        for _ in range(count):
            results[place] = calls[place]()
            place = (place + 1) % len(calls)
        return (clock() - begin) / count

    begin, warm = clock(), []
    while len(warm) < len(calls) or clock() - begin < warmup_seconds:
        warm.append(sample(1))
    count = max(1, round(SHORTEST_SAMPLE / statistics.median(warm)))
    begin, samples = clock(), []
    while len(samples) < 5 or clock() - begin < seconds:
        samples.append(sample(count))
    return samples


def measure(torch, case):
    torch.set_num_threads(case["threads"])
    calls, results, graph, cold = make_calls(torch, case)
    with torch.enable_grad() if graph else torch.inference_mode():
        samples = samples_of(calls, results, case["warmup_s"], case["measure_s"])
    first, median, third = statistics.quantiles(samples, n=4)
    note = f"PyTorch {torch.__version__}" + ("" if cold else ", operands warm")
    if "BLAS_INFO=generic" in torch.__config__.show() and not openblas():  # whatever libblas there is: netlib's is slow
        note += ", not at its best: install libopenblas0-openmp"
    return {"median_s": median, "spread_s": third - first, "note": note}


def answers(cases):
    try:
        import torch
    except ImportError as error:
        for index in range(len(cases)):
            yield {"index": index, "unsupported": f"{sys.executable} has no PyTorch ({error})"}
        return
    torch.set_flush_denormal(True)
    torch.manual_seed(0)
    for index, case in enumerate(cases):
        try:
            yield {"index": index, **measure(torch, case)}
        except (pytorch_cases.Unsupported, RuntimeError, NotImplementedError) as error:
            yield {"index": index, "unsupported": str(error).splitlines()[0]}


def openblas():
    """The folders of Debian's OpenBLAS on OpenMP threads."""
    return glob.glob("/usr/lib/*/openblas-openmp")


def tune_environment(cases):
    """The environment that must be set before a program starts (OpenMP, glibc's memory, OpenBLAS), or None if it is."""
    tuned = dict(os.environ, OMP_NUM_THREADS=str(max((case["threads"] for case in cases), default=1)))
    tuned.setdefault("GLIBC_TUNABLES", MALLOC)
    libraries = openblas()
    if libraries and libraries[0] not in tuned.get("LD_LIBRARY_PATH", "").split(":"):
        tuned["LD_LIBRARY_PATH"] = ":".join(filter(None, [libraries[0], tuned.get("LD_LIBRARY_PATH")]))
    return tuned if tuned != dict(os.environ) else None


def main():
    if sys.argv[1:]:
        raise SystemExit(__doc__)
    text = sys.stdin.read()
    try:
        cases = json.loads(text)
    except json.JSONDecodeError as error:
        raise SystemExit(f"pytorch_operators.py: standard input is no JSON array of cases: {error}") from None
    environment = tune_environment(cases)
    if environment:
        reader, writer = os.pipe()
        if os.fork() == 0:  # hands the cases on, however long they are
            os.close(reader)
            with os.fdopen(writer, "w") as pipe:
                pipe.write(text)
            os._exit(0)
        os.close(writer)
        os.dup2(reader, 0)
        os.execve(sys.executable, [sys.executable, __file__], environment)
    for answer in answers(cases):
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
