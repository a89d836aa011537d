#!/usr/bin/env bash
# gpu_report.sh [--build DIR] [--deps DIR] [--out DIR] [--python PYTHON] [--data DIR] [STAGE...]: everything worth
# knowing about Heddle on this machine's GPU, as one JSON file and one page, DIR/report.json and DIR/report.md.
#   --build   where Heddle is built [build/gpu]; binaries built beforehand are used as they are, else it is built here
#   --deps    a folder that scripts/fetch_deps.sh filled, where packages are missing
#   --out     where results go [runs/gpu]; what a stage left there is kept, so a run that was cut goes on
#   --python  an interpreter with PyTorch, to compare with [python3]
#   --data    CIFAR-10's binary files [random pictures]
# Stages, each within 8 minutes: facts, layouts, kernels, suite, sanitizer, benchmarks, bench, training. All of them by default;
# one that has its result is skipped (remove DIR/STAGE.done to repeat it; kernels and training then do what has no result
# yet). Needs neither network nor root.
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
# part_of END COMMAND...: with a quarter of the limit, or what is left until second END of this shell.
part_of() {
    local left=$(($1 - SECONDS)) most=$((limit / 4))
    shift
    if [ "$left" -le 0 ]; then
        echo "no time was left for: $*" >&2
        return 124
    fi
    timeout --kill-after=10 $((left < most ? left : most)) "$@"
}

facts() {
    local failed=0
    nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm,clocks.max.mem,power.limit --format=csv >"$out/gpu.csv"
    "$build/cli/heddle" info --json >"$out/info.json" || failed=1
    git rev-parse HEAD >"$out/commit.txt" 2>/dev/null || cp .commit "$out/commit.txt" 2>/dev/null || echo unknown >"$out/commit.txt"
    return $failed
}
# What the simulator assumes of the hardware, recorded as test vectors: fragment layouts, device properties.
layouts() { within "$build/tests/record_gpu" "$out"; }
# A process for each implementation: one that hangs, or fails such that CUDA works no more in its process, takes no other along.
kernels() {
    local program="$build/tests/test_kernels" implementation result failed=0 end=$((SECONDS + limit))
    mkdir -p "$out/kernels"
    while read -r implementation; do
        result=$out/kernels/${implementation//\//.}.json
        if [ -e "$result" ]; then continue; fi
        rm -f "$result.missing"
        part_of "$end" env GTEST_OUTPUT="json:$result" "$program" --gtest_filter="$implementation/cuda*" --gtest_brief=1 </dev/null || failed=1
        if [ ! -e "$result" ]; then echo "$implementation: ended without a result" | tee "$result.missing"; fi
    done < <("$program" --gtest_list_tests --gtest_filter='*/cuda*' | sed -n 's,^\([a-z0-9_]*/[a-z0-9_]*\)/cuda[^ ]*$,\1,p' | sort -u)
    return $failed
}
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
# Model by model, the most telling first: one that fails or is cut leaves the others. (Most of the time goes to torch.compile.)
training() {
    local of precision model result failed=0 end=$((SECONDS + limit))
    mkdir -p "$out/training"
    for of in bf16.resnet20 f32.resnet20 bf16.speednet94 bf16.resnet18 bf16.cnn f32.resnet18 f32.speednet94 f32.cnn bf16.mlp f32.mlp; do
        precision=${of%.*} model=${of#*.} result=$out/training/$of.json
        if [ -s "$result" ]; then continue; fi
        part_of "$end" "$python" benchmarks/compare_pytorch.py --models "$model" --device cuda --precision "$precision" --rounds 1 --json \
            --compile-seconds $((limit / 6)) --heddle "$build/cli/heddle" --python "$(command -v "$python")" "${data[@]}" >"$result" || failed=1
    done
    return $failed
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
