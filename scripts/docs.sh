#!/usr/bin/env bash
# docs.sh: the reference of the public headers and the guides as HTML, in build/docs/html. Warnings are errors.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/install_deps.sh --docs

# What consumers include is what is documented.
mkdir -p build/docs
HEDDLE_DOC_INPUT=$(
    echo heddle.h
    cmake -P cmake/PublicHeaders.cmake
)
HEDDLE_DOC_INPUT=$(tr '\n' ' ' <<<"$HEDDLE_DOC_INPUT")
HEDDLE_VERSION=$(sed -n 's/^project(heddle VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
export HEDDLE_DOC_INPUT HEDDLE_VERSION
doxygen docs/Doxyfile || { cat build/docs/warnings.txt >&2 && exit 1; }
echo "build/docs/html/index.html"
