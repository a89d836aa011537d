#!/usr/bin/env bash
# fetch_deps.sh --prefix DIR: unpacks the Debian packages of the libraries that Heddle is built and runs with into DIR,
# for a machine without network or root: build there with CMAKE_PREFIX_PATH=DIR/usr, or carry binaries built elsewhere
# and run them with LD_LIBRARY_PATH=DIR/usr/lib/<architecture>. Needs apt and dpkg here, no root; installs nothing.
# Where the CUDA toolkit is, cudnn-frontend's headers come as well (fetch_cudnn_frontend.sh).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

prefix=
while [ $# -gt 0 ]; do
    case $1 in
    --prefix) prefix=${2:?fetch_deps.sh: --prefix needs a folder} && shift 2 ;;
    --help | -h)
        sed -n '2,5s/^# //p' "$0"
        exit 0
        ;;
    *)
        echo "fetch_deps.sh: unknown argument $1" >&2
        exit 2
        ;;
    esac
done
if [ -z "$prefix" ]; then
    echo "fetch_deps.sh: say where to: --prefix DIR" >&2
    exit 2
fi
mkdir -p "$prefix"
prefix=$(cd "$prefix" && pwd)

# What a machine with a C++ compiler has of its own; mixing another C library in would break its programs.
own='^(libc6|libc6-dev|libc-dev.*|libc-bin|libgcc-s1|libstdc\+\+.*|gcc-.*|cpp-.*|g\+\+.*|dpkg|debconf.*|install-info|perl.*|python3.*)$'
mapfile -t wanted < <(scripts/install_deps.sh --print-libraries)
declare -A seen=()
while [ ${#wanted[@]} -gt 0 ]; do
    package=${wanted[0]}
    wanted=("${wanted[@]:1}")
    if [ -n "${seen[$package]:-}" ] || [[ $package =~ $own ]]; then continue; fi
    seen[$package]=1
    while read -r needed; do wanted+=("$needed"); done < <(
        apt-cache depends --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances "$package" |
            sed -n 's/^  \(Pre\)\?Depends: \([^<>]*\)$/\2/p'
    )
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mapfile -t packages < <(printf '%s\n' "${!seen[@]}" | sort)
# apt-get download puts files where it stands; the sandbox of its own user could not write there.
if ! (cd "$work" && apt-get download --quiet=2 -o APT::Sandbox::User=root "${packages[@]}"); then
    echo "fetch_deps.sh: apt-get could not fetch the packages (is its list of packages there? apt-get update)" >&2
    exit 1
fi
for package in "$work"/*.deb; do dpkg-deb --extract "$package" "$prefix"; done
if command -v nvcc >/dev/null || [ -x "${CUDAToolkit_ROOT:-/usr/local/cuda}/bin/nvcc" ]; then
    scripts/fetch_cudnn_frontend.sh "$prefix/usr"
fi
rm -rf "$prefix/usr/share/doc" "$prefix/usr/share/man" "$prefix/usr/share/lintian"
echo "$(printf '%s ' "${packages[@]}")in $prefix ($(du -sm "$prefix" | cut -f1) MB)"
