#!/usr/bin/env bash
# run.sh WAY BUILD_DIR: builds and runs the consumer project in BUILD_DIR/consumer/WAY, as a user of Heddle would.
#   pkg_config        bare -I and -l from heddle.pc of an installed Heddle
#   find_package      the CMake package of an installed Heddle, also after the prefix was moved
#   add_subdirectory  the sources inside the user's build
#   fetch_content     FetchContent with a local SOURCE_DIR
#                     (both without the devices' libraries, which would be compiled once more for nothing new)
#   install           not a consumer: what cmake --install puts down, and how large
set -euo pipefail

way=$1
build=$(cd "$2" && pwd)
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source=$(cd "$here/../.." && pwd)
work=$build/consumer/$way
cxx=${CXX:-c++}
rm -rf "$work"
mkdir -p "$work"

install_heddle() {
    cmake --install "$build" --prefix "$1" >"$work/install.log"
    # A 32- or 64-bit, Debian or plain layout: the folder that has the library.
    lib=$(dirname "$(find "$1" -name libheddle.so)")
}

case $way in
install)
    install_heddle "$work/prefix"
    bytes=$(stat --dereference --format=%s "$lib/libheddle.so")
    echo "libheddle.so: $bytes bytes"
    [ "$bytes" -lt 20000000 ] || { echo "libheddle.so is larger than 20 MB" >&2; exit 1; }
    # The devices' libraries are found from where they are installed, also after the prefix was moved.
    if [ -e "$build/libheddle_sim.so" ] && [ -x "$work/prefix/bin/heddle" ]; then
        mv "$work/prefix" "$work/moved"
        (unset HEDDLE_DEVICE_LIBRARIES && "$work/moved/bin/heddle" info) >"$work/info.txt"
        mv "$work/moved" "$work/prefix"
        if ! grep -E '^  sim ' "$work/info.txt" | grep -v none:; then
            echo "the installed command finds no simulator" >&2
            exit 1
        fi
    fi
    # Private headers stay home, and nothing installed names our root.
    if find "$work/prefix/include" -name check.h -o -name implementations.h | grep .; then
        echo "a private header is installed" >&2
        exit 1
    fi
    if grep -rlE '#include "(core|kernels|ops|layers|data|train|models)/' "$work/prefix/include"; then
        echo "an installed header includes a file of the source tree" >&2
        exit 1
    fi
    if grep -rlF "$source" "$work/prefix" --include='*.cmake' --include='*.h' | grep .; then
        echo "an installed file names the source tree" >&2
        exit 1
    fi
    # Only what carries HEDDLE_API is exported (templates of the standard library aside, which are weak).
    if nm -DC --defined-only "$lib/libheddle.so" | grep -E ' [TDB] ' | grep -vE 'heddle::|_init$|_fini$'; then
        echo "a symbol outside the namespace heddle is exported" >&2
        exit 1
    fi
    ;;
pkg_config)
    install_heddle "$work/prefix"
    export PKG_CONFIG_PATH=$lib/pkgconfig
    # shellcheck disable=SC2046  # flags are words
    "$cxx" -std=c++20 -Wall -Wextra -Werror -I"$here" "$here/main.cpp" -o "$work/consumer" \
        $(pkg-config --cflags --libs heddle) -Wl,-rpath,"$lib"
    "$work/consumer"
    ;;
find_package)
    install_heddle "$work/first"
    mv "$work/first" "$work/prefix"
    cmake -S "$here" -B "$work/build" -G Ninja -DWAY="$way" -DCMAKE_BUILD_TYPE=Release \
        -DCMAKE_PREFIX_PATH="$work/prefix" >"$work/configure.log"
    cmake --build "$work/build"
    "$work/build/consumer"
    ;;
add_subdirectory | fetch_content)
    launcher=()
    # The compiler cache has our objects already; it finds them from a folder as deep as the build's.
    if command -v ccache >/dev/null; then launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache); fi
    export CCACHE_BASEDIR=$source CCACHE_NOHASHDIR=1
    work=$(dirname "$build")/consumer_$way
    rm -rf "$work"
    cmake -S "$here" -B "$work" -G Ninja -DWAY="$way" -DHEDDLE_SOURCE="$source" -DCMAKE_BUILD_TYPE=Release -DHEDDLE_CUDA=OFF -DHEDDLE_SIM=OFF \
        -DHEDDLE_WERROR="${HEDDLE_WERROR:-OFF}" "${launcher[@]}" >"$build/consumer/$way/configure.log"
    cmake --build "$work" --parallel "${HEDDLE_JOBS:-$(nproc)}" >"$work/build.log" || { cat "$work/build.log"; exit 1; }
    "$work/consumer"
    # Consumers see the written headers, never our root.
    if ninja -C "$work" -t commands consumer | grep main.cpp | grep -F -- "-I$source "; then
        echo "the consumer is compiled with our root in its include path" >&2
        exit 1
    fi
    ;;
*)
    echo "unknown way: $way" >&2
    exit 2
    ;;
esac
