#!/usr/bin/env bash
# fetch_disassemblers.sh: puts cuobjdump and nvdisasm, for scripts/sass_facts.py, into a virtual environment in build/sass,
# from PyPI. Quick and silent when they are there, or on the PATH. Needs python3 with venv.
set -euo pipefail

version=13.5.37
case ${1:-} in
--help | -h)
    sed -n '2,3s/^# //p' "$0"
    exit 0
    ;;
esac
if command -v cuobjdump >/dev/null && command -v nvdisasm >/dev/null; then exit 0; fi
environment=$(dirname "${BASH_SOURCE[0]}")/../build/sass
# The last thing that pip puts there.
if [ -n "$(find "$environment/lib" -path "*nvidia_cuda_nvdisasm-$version.dist-info/RECORD" 2>/dev/null)" ] &&
    [ -n "$(find "$environment/lib" -path "*nvidia_cuda_cuobjdump-$version.dist-info/RECORD" 2>/dev/null)" ]; then
    exit 0
fi
echo "Installing from PyPI into build/sass: cuobjdump and nvdisasm $version"
python3 -m venv "$environment"
"$environment/bin/pip" install --quiet --disable-pip-version-check \
    "nvidia-cuda-cuobjdump==$version" "nvidia-cuda-nvdisasm==$version"
