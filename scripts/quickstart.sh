#!/usr/bin/env bash
# quickstart.sh [EPOCHS]: from a fresh checkout to a trained network. Installs what is missing, builds the heddle command
# (build/release; where there is a GPU, the CUDA library, too), trains the cnn on Fashion-MNIST (for 8 epochs by default)
# and classifies a few pictures of the test set. Writes runs/quickstart: cnn.safetensors, history.csv, the curves as PNG,
# and the pictures.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
epochs=${1:-8}

scripts/install_deps.sh --data
cmake --preset release >/dev/null
targets=(heddle_cli)
if [[ -e /dev/nvidia0 ]]; then
    if cmake --build build/release --target help | grep '^heddle_cuda:' >/dev/null; then
        targets+=(heddle_cuda)
    else
        echo "quickstart.sh: there is a GPU, but no CUDA toolkit 12.8 or newer: training runs on the CPU" >&2
    fi
fi
cmake --build build/release --parallel "${HEDDLE_JOBS:-$(nproc)}" --target "${targets[@]}"
heddle=build/release/cli/heddle

"$heddle" train cnn --data fashion-mnist --epochs "$epochs" --out runs/quickstart
scripts/export_pictures.py --out runs/quickstart/pictures --count 8
"$heddle" predict --weights runs/quickstart/cnn.safetensors runs/quickstart/pictures/*.png
