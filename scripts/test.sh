#!/usr/bin/env bash
# test.sh [--full]: everything that must hold before a change is merged.
#   The fast tier installs what is missing, checks the formatting, builds the ci preset in build/ci (warnings are errors),
#   runs every test, the native kernels' on the simulator in three orders of the threads and under ASan and UBSan, and
#   checks the generated pages of docs/ and the kernels' machine code. Where there is a GPU the same tests run on it.
#   --full adds the long tests (HEDDLE_TEST_FULL=1, in the preset ci), TensorBoard to read what is written for it, the
#   simulator under ThreadSanitizer, all mutations of the kernels, the presets avx2 (nothing of AVX-512), asan (with
#   undefined behaviour) and tsan, and the reference documentation.
# HEDDLE_JOBS: how many compilers and tests run at a time (default: the number of cores).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

full=false
for argument in "$@"; do
    case $argument in
    --full) full=true ;;
    --help | -h)
        sed -n '2,9s/^# //p' scripts/test.sh
        exit 0
        ;;
    *)
        echo "test.sh: unknown argument $argument" >&2
        exit 2
        ;;
    esac
done
jobs=${HEDDLE_JOBS:-$(nproc)}
export HEDDLE_JOBS=$jobs
# Test programs run side by side: OpenMP threads that spin at a barrier would take the cores from each other.
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-passive}
problems=()
results=()

step() { printf '\n== %s (%d s)\n' "$1" "$SECONDS"; }

# check NAME COMMAND...: a failure is remembered, and what can still be checked goes on.
check() {
    local name=$1
    shift
    if ! "$@"; then problems+=("$name"); fi
}

# What git tracks, also where the checkout belongs to somebody else (a mounted folder in a container).
tracked() { git -c safe.directory="$PWD" ls-files -z -- "$@"; }

formatted() { tracked '*.h' '*.cpp' '*.cu' '*.cuh' | xargs -0 --no-run-if-empty clang-format --dry-run -Werror; }
shell_scripts() { tracked '*.sh' .ci/run | xargs -0 --no-run-if-empty shellcheck; }

# run_preset NAME: configures, builds, runs every test. Results go to build/NAME/results.
run_preset() {
    local preset=$1 build=build/$1
    step "build $preset"
    cmake --preset "$preset" >"build/configure_$preset.log" 2>&1 || {
        cat "build/configure_$preset.log"
        problems+=("configure $preset")
        return
    }
    if ! cmake --build "$build" --parallel "$jobs"; then
        problems+=("build $preset")
        return
    fi
    step "test $preset"
    rm -rf "$build/results"
    mkdir -p "$build/results"
    results+=("$build/results")
    GTEST_OUTPUT=json:$PWD/$build/results/ GTEST_BRIEF=1 \
        ctest --preset "$preset" --parallel "$jobs" --output-junit "$PWD/$build/results/ctest.xml" ||
        problems+=("test $preset")
}

step "packages"
if $full; then scripts/install_deps.sh --data --sass --docs --tensorboard; else scripts/install_deps.sh --data --sass; fi
mkdir -p build

step "formatting and scripts"
check "formatting" formatted
check "shellcheck" shell_scripts

if $full; then export HEDDLE_TEST_FULL=1; fi
export HEDDLE_EVIDENCE=$PWD/build/ci/evidence.jsonl
rm -f "$HEDDLE_EVIDENCE"
run_preset ci
step "generated pages"
check "docs/support.md" scripts/support_table.py --evidence "$HEDDLE_EVIDENCE"
unset HEDDLE_EVIDENCE HEDDLE_TEST_FULL

if [ -e build/ci/libheddle_cuda.so ]; then
    check "docs/registers.md" scripts/kernel_table.py
    check "docs/sass.md" scripts/sass_facts.py
fi

if $full; then
    step "kernels on the simulator under ThreadSanitizer"
    check "build test_kernels_tsan" cmake --build build/ci --parallel "$jobs" --target test_kernels_tsan
    check "test_kernels_tsan" env HEDDLE_DEVICE_LIBRARIES="$PWD/build/ci/sim_tsan" HEDDLE_ALLOCATOR=passthrough \
        TSAN_OPTIONS=halt_on_error=1 GTEST_BRIEF=1 build/ci/tests/test_kernels_tsan '--gtest_filter=*/sim.*:*/sim/bf16.*'
    step "mutations of the kernels"
    check "mutations of the kernels" scripts/mutate_kernels.py --jobs "$jobs"
    run_preset avx2
    run_preset asan
    run_preset tsan
    step "reference documentation"
    check "reference documentation" scripts/docs.sh
fi

step "summary"
scripts/extract_snippets.py --count
# Prints the numbers of every suite and, as the last line, "N passed, N failed"; steps that failed count too.
scripts/test_summary.py "${results[@]/#/--results=}" "${problems[@]/#/--problem=}"
