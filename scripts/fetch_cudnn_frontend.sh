#!/usr/bin/env bash
# fetch_cudnn_frontend.sh [DIR]: puts the headers of cuDNN's C++ interface into DIR/include [build/deps/cudnn-frontend,
# where CMake looks]. They come from PyPI's package nvidia-cudnn-frontend, whatever the machine; a folder filled so can be
# carried to another one and named in CMAKE_PREFIX_PATH. Quick and silent when they are there. Needs python3 with pip.
set -euo pipefail

version=1.32.0
case ${1:-} in
--help | -h)
    sed -n '2,4s/^# //p' "$0"
    exit 0
    ;;
esac
folder=${1:-$(dirname "${BASH_SOURCE[0]}")/../build/deps/cudnn-frontend}

wanted=$(tr . ' ' <<<"$version")
found=$(sed -n 's/^#define CUDNN_FRONTEND_\(MAJOR\|MINOR\|PATCH\)_VERSION \([0-9]*\)$/\2/p' \
    "$folder/include/cudnn_frontend_version.h" 2>/dev/null | paste --serial --delimiters=' ' || true)
if [ "$found" = "$wanted" ]; then exit 0; fi

echo "Installing cudnn-frontend $version into $folder"
mkdir -p "$folder"
unpacked=$(mktemp --directory "$folder/unpacked.XXXX")
trap 'rm -rf "$unpacked"' EXIT
# The headers are the same in the packages for all machines and all versions of Python: any will do.
python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-deps --no-compile \
    --only-binary=:all: --implementation=cp --python-version=3.11 --abi=cp311 --platform=manylinux_2_28_x86_64 \
    --target="$unpacked" "nvidia-cudnn-frontend==$version"
mkdir -p "$folder/include"
cp -r "$unpacked/include/." "$folder/include"
