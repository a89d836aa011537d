#!/usr/bin/env bash
# quickstart.sh [EPOCHS]: from a fresh checkout to a trained network. Installs what is missing, builds the heddle command
# (build/release), trains the cnn on Fashion-MNIST (for 8 epochs by default) and classifies a few pictures of the test set.
# Writes runs/quickstart: cnn.safetensors, history.csv, the curves as PNG, and the pictures.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
epochs=${1:-8}

scripts/install_deps.sh --data
cmake --preset release >/dev/null
cmake --build build/release --parallel "${HEDDLE_JOBS:-$(nproc)}" --target heddle_cli
heddle=build/release/cli/heddle

"$heddle" train cnn --data fashion-mnist --epochs "$epochs" --out runs/quickstart
scripts/export_pictures.py --out runs/quickstart/pictures --count 8
"$heddle" predict --weights runs/quickstart/cnn.safetensors runs/quickstart/pictures/*.png
