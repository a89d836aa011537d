#!/usr/bin/env bash
# gpu_report.sh [OPTIONS] [STAGE...]: everything worth knowing about Heddle on this machine's GPU, as one JSON file and
# one page, report.json and report.md in the folder of --out. Needs neither network nor root.
#   --seconds N      ends within about N seconds; the same call again goes on where this one ended [to the end]
#   --build DIR      binaries built beforehand; without it Heddle is built first, in build/gpu
#   --deps PATH      a folder or an archive that scripts/fetch_deps.sh made, where packages are missing
#   --out DIR        where results go [runs/gpu]
#   --archive FILE   also packs the results into FILE, a .tar.gz
#   --python PYTHON  an interpreter with PyTorch, to compare with; a cuDNN of its own (a wheel) serves Heddle, too [python3]
#   --data DIR       CIFAR-10's binary files, to train with [random pictures]
#   --jobs N         test programs at a time [half of the cores]
#   --without-cudnn  builds without cuDNN, which is an error otherwise where its headers are missing
# Stages, all by default: build facts layouts kernels suite training sanitizer bench benchmarks. A stage consists of parts,
# each a process with a time limit. What has a result is not repeated: remove OUT/STAGE.done and OUT/STAGE/, or single
# files of it, to do so. Exit status: 0 all is well; 1 something failed; 75 not finished: the same call goes on. Relative
# paths count from the repository's root.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly unfinished=75
all_stages=(build facts layouts kernels suite training sanitizer bench benchmarks)
build='' deps='' out=runs/gpu archive='' python=python3 seconds=0 jobs=$((($(nproc) + 1) / 2)) cudnn=ON
data=() stages=()
while [ $# -gt 0 ]; do
    case $1 in
    --seconds) seconds=$2 && shift 2 ;;
    --build) build=$2 && shift 2 ;;
    --deps) deps=$2 && shift 2 ;;
    --out) out=$2 && shift 2 ;;
    --archive) archive=$2 && shift 2 ;;
    --python) python=$2 && shift 2 ;;
    --data) data=(--data "$2") && shift 2 ;;
    --jobs) jobs=$2 && shift 2 ;;
    --without-cudnn) cudnn=OFF && shift ;;
    --help | -h)
        sed -n '2,/^set /s/^# //p' "$0"
        exit 0
        ;;
    -*)
        echo "gpu_report.sh: unknown argument $1" >&2
        exit 2
        ;;
    *) stages+=("$1") && shift ;;
    esac
done
if [ ${#stages[@]} -eq 0 ]; then stages=("${all_stages[@]}"); fi
for stage in "${stages[@]}"; do
    if [[ " ${all_stages[*]} " != *" $stage "* ]]; then
        echo "gpu_report.sh: there is no stage $stage (${all_stages[*]})" >&2
        exit 2
    fi
done

# fail MESSAGE...: ends the script, without a report.
fail() {
    echo "gpu_report.sh: $*" >&2
    exit 1
}

# Time. ----------------------------------------------------------------------------------------------------------------

# seconds_for MOST: prints for how long something that may take MOST seconds can run now; fails where that is too short,
# which for something that takes minutes is a third of them.
seconds_for() {
    local left=$((seconds - SECONDS - 10)) least=$(($1 > 200 ? $1 / 3 : 5)) # the report takes a few seconds
    if [ "$seconds" -eq 0 ]; then left=$1; fi
    if [ "$left" -lt "$least" ]; then return 1; fi
    echo $((left < $1 ? left : $1))
}

# Parts of a stage. ----------------------------------------------------------------------------------------------------

parts=() # results of this stage's parts

# part MOST RESULT COMMAND...: runs the command for MOST seconds at most, unless it has a result. It writes that to the
# file or folder that stands where the word RESULT stands among its arguments. Beside RESULT come RESULT.log with what it
# prints, RESULT.exit with its exit code where that is not 0, and RESULT.missing, which says why there is no result.
part() {
    local most=$1 result=$2 begin=$SECONDS status=0 time
    shift 2
    if [ -e "$result" ] || [ -e "$result.missing" ]; then return 0; fi
    time=$(seconds_for "$most") || return 0
    rm -rf "$result.partial" "$result.exit"
    timeout --kill-after=10 "$time" env LD_LIBRARY_PATH="$libraries" HEDDLE_EVIDENCE="$out/evidence.jsonl" \
        "${@//RESULT/$result.partial}" </dev/null >"$result.log" 2>&1 || status=$?
    if [ $((SECONDS - begin)) -ge "$time" ] && { [ $status -eq 124 ] || [ $status -eq 137 ]; }; then
        if [ "$time" -lt "$most" ]; then return 0; fi # it begins anew in the next call
        echo "cut after $most seconds" >"$result.missing"
    elif [ $status -ne 0 ]; then
        echo "$status" >"$result.exit"
    fi
    if [ -s "$result.partial" ]; then
        mv "$result.partial" "$result"
    elif [ ! -e "$result.missing" ]; then
        echo "ended with exit code $status and no result: $(tail -n 1 "$result.log")" >"$result.missing"
    fi
}

# tests MOST RESULT PROGRAM FILTER [VARIABLE=VALUE...]: a part that is a googletest program; that none ran is a failure.
tests() {
    local most=$1 result=$2 program=$3 filter=$4
    shift 4
    part "$most" "$result" env HEDDLE_THREADS=$(($(nproc) / jobs + 1)) "$@" GTEST_OUTPUT=json:RESULT \
        "$program" --gtest_filter="$filter" --gtest_brief=1
    if [ -e "$result" ] && grep --quiet --max-count=1 '^  "tests": 0,' "$result"; then
        echo "no test has the name $filter" >"$result.missing"
    fi
}

# beside tests|part ARGUMENT...: runs it beside others, as many as --jobs says.
beside() {
    while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n || true; done
    "$@" &
}

# after_parts: waits for all of them; returns the stage's exit code.
after_parts() {
    local result status=0
    wait
    if [ ${#parts[@]} -eq 0 ]; then
        echo "there is nothing to run: the program lists nothing for cuda"
        return 1
    fi
    for result in "${parts[@]}"; do
        if [ -e "$result.missing" ] || [ -e "$result.exit" ]; then
            if [ $status -eq 0 ]; then status=1; fi
        elif [ ! -e "$result" ]; then
            status=$unfinished
        fi
    done
    return $status
}

# Preparations. --------------------------------------------------------------------------------------------------------

# The folder of one of NVIDIA's wheels in the interpreter's environment; nothing where it is not installed.
wheel() {
    "$python" -c "import importlib; print(list(importlib.import_module('nvidia.$1').__path__)[0])" 2>/dev/null || true
}

prepend() { printf %s "$2${1:+:$1}"; }

# Where headers and libraries are found, which this machine need not have in the usual places. `libraries` is for Heddle's
# programs alone: others here have their own versions of some of them.
find_libraries() {
    local nvcc folder usual=${LD_LIBRARY_PATH:-}
    nvcc=$(command -v nvcc || echo "${CUDAToolkit_ROOT:-/usr/local/cuda}/bin/nvcc")
    toolkit=$(dirname "$(dirname "$(readlink -f "$nvcc")")")
    export PATH=$PATH:$toolkit/bin
    libraries=$(prepend "$usual" "$toolkit/lib64:$toolkit/lib")
    if [ ! -e "$toolkit/include/cublasLt.h" ]; then use_wheel "$(wheel cu13)"; fi
    use_wheel "$(wheel cudnn)"
    if [ -n "$deps" ]; then
        if [ -f "$deps" ]; then
            folder=$out.deps
            if [ ! "$folder/unpacked" -nt "$deps" ]; then
                rm -rf "$folder" && mkdir -p "$folder"
                tar --extract --gzip --file "$deps" --directory "$folder" && touch "$folder/unpacked"
            fi
        else
            folder=$(cd "$deps" && pwd)
        fi
        CPATH=$(prepend "${CPATH:-}" "$folder/usr/include/$(uname -m)-linux-gnu") # jconfig.h is there
        export CPATH
        CMAKE_PREFIX_PATH=$(prepend "${CMAKE_PREFIX_PATH:-}" "$folder/usr")
        libraries=$(prepend "$libraries" "$folder/usr/lib/$(uname -m)-linux-gnu")
    fi
    libraries=$(prepend "$libraries" "$build")
    export CMAKE_PREFIX_PATH=${CMAKE_PREFIX_PATH:-}
}

use_wheel() {
    if [ -z "$1" ]; then return 0; fi
    CMAKE_PREFIX_PATH=$(prepend "${CMAKE_PREFIX_PATH:-}" "$1")
    libraries=$(prepend "$libraries" "$1/lib")
}

# What the stages run, of a build that ends when its time does: the next call goes on with it.
make_build() {
    local time status=0
    "$python" scripts/gpu_report.py --driver || exit 1 # before minutes are spent
    echo "== build"
    mkdir -p "$build"
    cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DHEDDLE_CUDA=ON -DHEDDLE_CUDNN="$cudnn" -DHEDDLE_SIM=OFF \
        -DHEDDLE_BUILD_EXAMPLES=OFF >"$build/configure.log" 2>&1 || {
        cat "$build/configure.log" >&2
        fail "CMake fails"
    }
    grep "Heddle devices" "$build/configure.log" || true
    time=$((seconds == 0 ? 86400 : seconds > SECONDS ? seconds - SECONDS : 1))
    timeout --kill-after=10 "$time" cmake --build "$build" --parallel "${HEDDLE_JOBS:-$(nproc)}" --target heddle_cuda \
        heddle_cli test_kernels test_ops test_layers test_train record_gpu heddle_benchmarks >"$build/build.log" 2>&1 ||
        status=$?
    if [ $status -eq 124 ] || [ $status -eq 137 ]; then
        echo "not finished: the build ($(tail -n 1 "$build/build.log" | cut -c1-60)); the same call goes on"
        exit "$unfinished"
    fi
    if [ $status -ne 0 ]; then
        tail -n 50 "$build/build.log" >&2
        fail "the build fails ($build/build.log)"
    fi
}

# Heddle's own word on what there is; nothing is worth running without a GPU.
check_gpu() {
    [ -e "$build/libheddle_cuda.so" ] || fail "Heddle sees no GPU: it is built without CUDA ($build/libheddle_cuda.so is missing)"
    env LD_LIBRARY_PATH="$libraries" "$build/cli/heddle" info --json >"$out/info.json" 2>"$out/info.log" ||
        fail "Heddle sees no GPU: heddle info fails: $(tail -n 1 "$out/info.log")"
    "$python" scripts/gpu_report.py --gpu "$out/info.json" || exit 1
}

# Stages: the exit code tells whether something failed, or is not finished. --------------------------------------------

facts() {
    local failed=0
    nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm,clocks.max.mem,power.limit --format=csv \
        >"$out/gpu.csv" || failed=1
    git rev-parse HEAD >"$out/commit.txt" 2>/dev/null || cp .commit "$out/commit.txt" 2>/dev/null ||
        echo unknown >"$out/commit.txt"
    "$python" scripts/gpu_report.py --libraries "$out/info.json" || failed=1
    return $failed
}

# What the simulator assumes of the hardware, recorded as test vectors: fragment layouts, device properties.
layouts() {
    parts=("$out/layouts/gpu")
    # shellcheck disable=SC2016 # sh expands it
    part 60 "${parts[0]}" sh -c 'mkdir -p "$1" && "$0" "$1"' "$build/tests/record_gpu" RESULT
    after_parts
}

# A process for each implementation and type: one that hangs, or breaks CUDA for its process, takes no other along.
kernels() {
    local program="$build/tests/test_kernels" suite result
    while read -r suite; do
        result=$out/kernels/${suite//\//.}.json
        parts+=("$result")
        beside tests 120 "$result" "$program" "$suite.*"
    done < <(listed "$program" --gtest_list_tests --gtest_filter='*/cuda*' | sed -n 's,^\([a-z0-9_]*/[a-z0-9_]*/cuda[a-z0-9/]*\)\.$,\1,p')
    after_parts
}

# listed PROGRAM ARGUMENT...: what it says it has.
listed() { env LD_LIBRARY_PATH="$libraries" "$@" </dev/null 2>/dev/null; }

# Operations, layers and training on the device, with and without capturing.
suite() {
    local program
    for program in ops layers train; do
        parts+=("$out/suite/$program.json")
        beside tests 240 "$out/suite/$program.json" "$build/tests/test_$program" '*/cuda*'
    done
    after_parts
}

# Model by model, the most telling first. Most of the time goes to torch.compile.
training() {
    local of result
    for of in bf16.resnet20 f32.resnet20 bf16.speednet94 bf16.resnet18 bf16.cnn f32.resnet18 f32.speednet94 f32.cnn bf16.mlp f32.mlp; do
        result=$out/training/$of.json
        parts+=("$result")
        # shellcheck disable=SC2016 # sh expands it
        part 300 "$result" env LD_LIBRARY_PATH="${LD_LIBRARY_PATH:-}" sh -c 'out=$0 && exec "$@" >"$out"' RESULT \
            "$python" benchmarks/compare_pytorch.py --models "${of#*.}" --device cuda --precision "${of%.*}" --rounds 1 --json \
            --compile-seconds 180 --heddle "$build/cli/heddle" --heddle-libraries "$libraries" \
            --python "$(command -v "$python")" "${data[@]}"
    done
    after_parts
}

# Every allocation goes to CUDA: within the cache's large blocks a checker sees nothing. Hand-written kernels alone.
sanitizer() {
    local tool shard shards=8 result
    for tool in memcheck racecheck initcheck synccheck; do
        for ((shard = 0; shard < shards; ++shard)); do
            result=$out/sanitizer/$tool.$shard.txt
            parts+=("$result")
            beside part 300 "$result" env HEDDLE_ALLOCATOR=passthrough HEDDLE_THREADS=2 GTEST_TOTAL_SHARDS=$shards \
                GTEST_SHARD_INDEX=$shard compute-sanitizer --tool "$tool" --error-exitcode 9 --log-file RESULT \
                "$build/tests/test_kernels" --gtest_filter='*/native*/cuda/bf16.*' --gtest_brief=1
        done
    done
    after_parts
}

# Kernel beside kernel on the layers of known models: speed and error, as tables, numbers and pictures.
bench() {
    local suite result
    for suite in gemm attention lstm memory-bound resnet18-cifar resnet50 resnet20; do
        result=$out/bench/$suite.json
        parts+=("$result")
        part 120 "$result" "$build/cli/heddle" bench --suite "$suite" --device cuda --dtype bf16 --time 0.05 --json RESULT \
            --csv "$out/bench/$suite.csv" --plot "$out/bench/$suite.svg"
    done
    after_parts
}

# Every implementation of an operation on its benchmark cases. They are not verified: that takes longer than all the rest,
# and `kernels` and `bench` do it on other cases.
benchmarks() {
    local program=$build/benchmarks/heddle_benchmarks operation
    while read -r operation; do
        parts+=("$out/benchmarks/$operation.json")
        part 90 "$out/benchmarks/$operation.json" "$program" --benchmark_filter="^$operation/[a-z0-9_]*/cuda/" \
            --benchmark_min_time=0.02 --verify_up_to=-1 --benchmark_out_format=json --benchmark_out=RESULT
    done < <(listed "$program" --benchmark_list_tests=true --benchmark_filter=/cuda/ | sed -n 's,^\([a-z0-9_]*\)/.*,\1,p' | sort -u)
    after_parts
}

# run_stage NAME: unless it is done.
run_stage() {
    local begin=$SECONDS status=0
    if [ -e "$out/$1.done" ]; then return 0; fi
    echo "== $1"
    mkdir -p "$out/$1"
    ("$1") >"$out/$1.log" 2>&1 || status=$?
    tail -n 5 "$out/$1.log"
    if [ $status -ne "$unfinished" ]; then echo "$status $((SECONDS - begin))" >"$out/$1.done"; fi
}

command -v "$python" >/dev/null || fail "there is no $python: name an interpreter with --python"
mkdir -p "$out"
out=$(cd "$out" && pwd)
rebuild=true
if [ -n "$build" ]; then
    rebuild=false
    [ -d "$build" ] || fail "--build $build: there is no such folder"
    build=$(cd "$build" && pwd)
else
    build=$PWD/build/gpu
fi
toolkit='' libraries=''
find_libraries
if $rebuild; then make_build; fi
check_gpu
for stage in "${stages[@]}"; do
    if [ "$stage" != build ]; then run_stage "$stage"; fi
done

"$python" scripts/gpu_report.py "$out"
if [ -n "$archive" ]; then tar --create --gzip --file "$archive" --directory "$(dirname "$out")" "$(basename "$out")"; fi
failed=() open=()
for stage in "${stages[@]}"; do
    if [ "$stage" = build ]; then continue; fi
    if [ ! -e "$out/$stage.done" ]; then
        open+=("$stage")
    elif [ "$(cut -d ' ' -f 1 "$out/$stage.done")" -ne 0 ]; then
        failed+=("$stage")
    fi
done
if [ ${#failed[@]} -gt 0 ]; then echo "failed: ${failed[*]} (see $out/report.md)" >&2; fi
if [ ${#open[@]} -gt 0 ]; then
    echo "not finished: ${open[*]}; the same call goes on" >&2
    exit "$unfinished"
fi
if [ ${#failed[@]} -gt 0 ]; then exit 1; fi
