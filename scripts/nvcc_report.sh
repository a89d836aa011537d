#!/usr/bin/env bash
# nvcc_report.sh COMMAND...: runs a compilation by nvcc -Xptxas -v and keeps what ptxas says of each kernel (registers,
# spills, shared memory) beside the object file, in OBJECT.ptxas; the rest of the messages appear as they are.
# CMake puts it in front of nvcc; scripts/kernel_table.py reads the files.
set -uo pipefail

object=
previous=
for argument in "$@"; do
    if [ "$previous" = -o ]; then object=$argument; fi
    previous=$argument
done
messages=$(mktemp)
trap 'rm -f "$messages"' EXIT
"$@" 2>"$messages"
status=$?
if [ -n "$object" ]; then
    grep -A2 -E '^ptxas info' "$messages" | grep -E '^ptxas info|bytes stack frame' >"$object.ptxas"
fi
grep -v -E '^ptxas info|bytes stack frame|bytes spill' "$messages" >&2
exit "$status"
