#!/usr/bin/env bash
# install_deps.sh [--python] [--docs] [--data] [--tensorboard] [--sass]: installs the Debian packages that Heddle is built and tested with.
#   --python  also PyTorch (Debian's python3-torch): to make test vectors and to compare speed; tests do not need it
#   --docs    also Doxygen, for scripts/docs.sh
#   --data    also Fashion-MNIST (Debian's dataset-fashion-mnist), for the quick start
#   --tensorboard  also TensorBoard, from PyPI, in a virtual environment in build/tensorboard, for the test of its events
#   --sass    also cuobjdump and nvdisasm, from PyPI, into build/sass, where the CUDA toolkit is (scripts/sass_facts.py)
#   --print-libraries  installs nothing and names the libraries' packages (scripts/fetch_deps.sh)
# Where the CUDA toolkit is, cudnn-frontend's headers come as well (scripts/fetch_cudnn_frontend.sh), into build/deps.
# Quick and silent about packages that are there already. Needs root, or sudo, only when something is missing.
set -euo pipefail

libraries=(libdnnl-dev libfmt-dev nlohmann-json3-dev libjpeg-dev libpng-dev zlib1g-dev
    libcli11-dev libgtest-dev libbenchmark-dev)
tensorboard=false
sass=false
packages=(g++ cmake ninja-build ccache git pkg-config ca-certificates python3 clang-format shellcheck "${libraries[@]}")
for argument in "$@"; do
    case $argument in
    --python) packages+=(python3-torch python3-numpy) ;;
    --docs) packages+=(doxygen) ;;
    --data) packages+=(dataset-fashion-mnist) ;;
    --tensorboard)
        packages+=(python3-venv)
        tensorboard=true
        ;;
    --sass) sass=true ;;
    --print-libraries)
        printf '%s\n' "${libraries[@]}"
        exit 0
        ;;
    --help | -h)
        sed -n '2,10s/^# //p' "$0"
        exit 0
        ;;
    *)
        echo "install_deps.sh: unknown argument $argument" >&2
        exit 2
        ;;
    esac
done

cuda=false
if command -v nvcc >/dev/null || [ -x "${CUDAToolkit_ROOT:-/usr/local/cuda}/bin/nvcc" ]; then
    cuda=true
    if ! python3 -m pip --version >/dev/null 2>&1; then packages+=(python3-pip); fi
fi

if $sass && $cuda; then packages+=(python3-venv); fi

missing=()
for package in "${packages[@]}"; do
    status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
    if [ "$status" != installed ]; then missing+=("$package"); fi
done
if [ ${#missing[@]} -gt 0 ]; then
    as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null; then
            echo "install_deps.sh: missing: ${missing[*]}; run this script as root, or install sudo" >&2
            exit 1
        fi
        as_root=(sudo)
    fi
    echo "Installing with apt-get: ${missing[*]}"
    "${as_root[@]}" apt-get update --quiet=2
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --yes --no-install-recommends \
        "${missing[@]}" >/dev/null
fi
if $cuda; then "$(dirname "${BASH_SOURCE[0]}")/fetch_cudnn_frontend.sh"; fi

if $sass && $cuda; then "$(dirname "${BASH_SOURCE[0]}")/fetch_disassemblers.sh"; fi

if $tensorboard; then
    environment=$(dirname "${BASH_SOURCE[0]}")/../build/tensorboard
    # The last thing that pip puts there.
    if [ ! -e "$environment/bin/tensorboard" ]; then
        echo "Installing from PyPI into build/tensorboard: tensorboard"
        python3 -m venv "$environment"
        "$environment/bin/pip" install --quiet --disable-pip-version-check tensorboard==2.21.0
    fi
fi
