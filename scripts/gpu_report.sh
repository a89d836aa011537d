#!/usr/bin/env bash
# gpu_report.sh [--build DIR] [--deps DIR] [--out DIR] [--python PYTHON] [--data DIR] [STAGE...]: everything worth
# knowing about Heddle on this machine's GPU, as one JSON file and one page, DIR/report.json and DIR/report.md.
#   --build   where Heddle is built [build/gpu]; binaries built beforehand are used as they are, else it is built here
#   --deps    a folder that scripts/fetch_deps.sh filled, where packages are missing
#   --out     where results go [runs/gpu]; what a stage left there is kept, so a run that was cut goes on
#   --python  an interpreter with PyTorch, to compare with [python3]
#   --data    CIFAR-10's binary files [random pictures]
# Stages, each within 8 minutes: facts, layouts, kernels, suite, sanitizer, benchmarks, bench, training. All of them by default;
# one that has its result is skipped (remove DIR/STAGE.done to repeat it). Needs neither network nor root.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

build=build/gpu
deps=
out=runs/gpu
python=python3
data=()
stages=()
while [ $# -gt 0 ]; do
    case $1 in
    --build) build=$2 && shift 2 ;;
    --deps) deps=$2 && shift 2 ;;
    --out) out=$2 && shift 2 ;;
    --python) python=$2 && shift 2 ;;
    --data) data=(--data "$2") && shift 2 ;;
    --help | -h)
        sed -n '2,13s/^# //p' "$0"
        exit 0
        ;;
    -*)
        echo "gpu_report.sh: unknown argument $1" >&2
        exit 2
        ;;
    *) stages+=("$1") && shift ;;
    esac
done
if [ ${#stages[@]} -eq 0 ]; then stages=(facts layouts kernels suite sanitizer benchmarks bench training); fi
limit=${HEDDLE_STAGE_SECONDS:-480}
mkdir -p "$out"
case $build in /*) ;; *) build=$PWD/$build ;; esac

if ! nvidia-smi --query-gpu=name --format=csv,noheader >/dev/null 2>&1; then
    echo "gpu_report.sh: nvidia-smi finds no GPU here" >&2
    exit 1
fi
if [ -n "$deps" ]; then
    deps=$(cd "$deps" && pwd)
    libraries=$deps/usr/lib/$(uname -m)-linux-gnu
    export CMAKE_PREFIX_PATH=$deps/usr${CMAKE_PREFIX_PATH:+:$CMAKE_PREFIX_PATH}
    export LD_LIBRARY_PATH=$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
fi
if [ ! -x "$build/tests/test_kernels" ]; then
    cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DHEDDLE_CUDA=ON
    cmake --build "$build" --parallel "${HEDDLE_JOBS:-$(nproc)}"
fi

# within COMMAND...: with this stage's time limit; the exit code tells what was cut (124).
within() { timeout --kill-after=10 "$limit" "$@"; }

facts() {
    nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm,clocks.max.mem,power.limit --format=csv >"$out/gpu.csv"
    "$build/cli/heddle" info --json >"$out/info.json"
    git rev-parse HEAD >"$out/commit.txt" 2>/dev/null || cp .commit "$out/commit.txt" 2>/dev/null || echo unknown >"$out/commit.txt"
}
# What the simulator assumes of the hardware, recorded as test vectors: fragment layouts, device properties.
layouts() { within "$build/tests/record_gpu" "$out"; }
kernels() { within env GTEST_OUTPUT="json:$out/kernels.json" "$build/tests/test_kernels" --gtest_filter='*/cuda*' --gtest_brief=1; }
suite() {
    local program failed=0
    for program in ops train; do
        within env GTEST_OUTPUT="json:$out/suite_$program.json" "$build/tests/test_$program" --gtest_filter='*/cuda*' --gtest_brief=1 || failed=1
    done
    return $failed
}
sanitizer() {
    local tool failed=0
    for tool in memcheck racecheck initcheck synccheck; do
        timeout --kill-after=10 $((limit / 4)) compute-sanitizer --tool "$tool" --error-exitcode 9 \
            "$build/tests/test_kernels" --gtest_filter='*/native/cuda.*tail*:*/native/cuda.*prime*:*/native/cuda/bf16.*tail*' --gtest_brief=1 \
            >"$out/sanitizer_$tool.txt" 2>&1 || failed=1
        tail -n 3 "$out/sanitizer_$tool.txt"
    done
    return $failed
}
benchmarks() {
    within "$build/benchmarks/heddle_benchmarks" --benchmark_filter='/cuda/' --benchmark_min_time=0.02 --benchmark_format=json >"$out/benchmarks.json"
}
# Kernel beside kernel on the layers of known models: speed and error, as tables, numbers and pictures.
bench() {
    local suite failed=0
    for suite in gemm attention lstm memory-bound resnet18-cifar resnet50 resnet20; do
        timeout --kill-after=10 $((limit / 7)) "$build/cli/heddle" bench --suite "$suite" --device cuda --dtype bf16 --time 0.05 \
            --json "$out/bench_$suite.json" --csv "$out/bench_$suite.csv" --plot "$out/bench_$suite.svg" >"$out/bench_$suite.txt" || failed=1
    done
    return $failed
}
training() {
    local precision
    for precision in f32 bf16; do
        timeout --kill-after=10 $((limit / 2)) "$python" benchmarks/compare_pytorch.py --device cuda --precision "$precision" --rounds 3 --json \
            --heddle "$build/cli/heddle" --python "$(command -v "$python")" "${data[@]}" >"$out/training_$precision.jsonl"
    done
}

failed=()
for stage in "${stages[@]}"; do
    if [ "$(type -t "$stage")" != function ]; then
        echo "gpu_report.sh: there is no stage $stage" >&2
        exit 2
    fi
    if [ -e "$out/$stage.done" ]; then continue; fi
    echo "== $stage"
    begin=$SECONDS
    status=0
    ("$stage") >"$out/$stage.log" 2>&1 || status=$?
    echo "$status $((SECONDS - begin))" >"$out/$stage.done"
    tail -n 5 "$out/$stage.log"
    if [ "$status" -ne 0 ]; then failed+=("$stage"); fi
done
"$python" scripts/gpu_report.py "$out"
if [ ${#failed[@]} -gt 0 ]; then
    echo "failed: ${failed[*]} (see $out/STAGE.log)" >&2
    exit 1
fi
