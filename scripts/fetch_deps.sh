#!/usr/bin/env bash
# fetch_deps.sh --prefix DIR [--archive FILE]: unpacks the Debian packages of the libraries that Heddle is built and runs
# with into DIR, and packs that into FILE (.tar.gz, about 13 MB), for a machine without network or root. scripts/gpu_report.sh
# takes either. By hand, on a machine with a C++ compiler: build with CMAKE_PREFIX_PATH=DIR/usr and
# CPATH=DIR/usr/include/<architecture>, or run binaries built elsewhere with LD_LIBRARY_PATH=DIR/usr/lib/<architecture>.
# Needs apt and dpkg here, no root; installs nothing. Where the CUDA toolkit is, cudnn-frontend's headers come as well
# (fetch_cudnn_frontend.sh).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

prefix='' archive=''
while [ $# -gt 0 ]; do
    case $1 in
    --prefix) prefix=${2:?fetch_deps.sh: --prefix needs a folder} && shift 2 ;;
    --archive) archive=${2:?fetch_deps.sh: --archive needs a file} && shift 2 ;;
    --help | -h)
        sed -n '2,/^set /s/^# //p' "$0"
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
own='^(libc6|libc6-dev|libc-dev.*|libc-bin|libgcc-s1|libgomp1|libstdc\+\+.*|gcc-.*|cpp-.*|g\+\+.*|dpkg|debconf.*|install-info|perl.*|python3.*)$'
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
# Debian has some libraries in /lib, and links to them that name it: here all are in one folder.
if [ -d "$prefix/lib" ]; then
    cp --archive "$prefix/lib/." "$prefix/usr/lib/"
    rm -rf "${prefix:?}/lib"
fi
find "$prefix" -type l -lname '/*' -print0 | while IFS= read -r -d '' link; do
    ln --symbolic --force "$(basename "$(readlink "$link")")" "$link"
done
if [ -n "$(find "$prefix" -xtype l)" ]; then
    echo "fetch_deps.sh: links that lead nowhere: $(find "$prefix" -xtype l | tr '\n' ' ')" >&2
    exit 1
fi
# Not needed: documentation, the sources of googletest, static libraries beside shared ones.
rm -rf "$prefix/usr/share/doc" "$prefix/usr/share/man" "$prefix/usr/share/lintian" "$prefix/usr/src"
for static in "$prefix"/usr/lib/*/*.a; do
    if [ -e "${static%.a}.so" ]; then rm "$static"; fi
done
echo "$(printf '%s ' "${packages[@]}")in $prefix ($(du -sm "$prefix" | cut -f1) MB)"
if [ -n "$archive" ]; then
    tar --create --gzip --file "$archive" --directory "$prefix" .
    echo "$archive ($(du -m "$archive" | cut -f1) MB)"
fi
