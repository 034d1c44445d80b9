#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# How soon a model of SpikingBrain-7B's shape speaks: from its checkpoint, whose weights are converted
# first, and from the packed file that `volley pack` makes of it, which is mapped.
#
#     VOLLEY_PROGRAM=… tests/bench/start.sh [--layers N] [--runs N] [--folder DIR]
#
#   --layers   layers of the model (2; the whole model has 28)
#   --runs     runs of each, after one that brings the files into memory (3)
#   --folder   where the model and the packed file are left, and are used if they are there. Otherwise
#              they are gone at the end. Two layers take 6 GB, and 2 GB packed.
#
# A run takes one token in and one out; the time is that of the whole command.

set -u
: "${VOLLEY_PROGRAM:=./volley}"
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd) || exit 1
. "$here/rows.sh"

fail() {
    echo "start.sh: $*" >&2
    exit 1
}

layers=2
runs=3
folder=
while [ $# -gt 1 ]; do
    case $1 in
    --layers) layers=$2 ;;
    --runs) runs=$2 ;;
    --folder) folder=$2 ;;
    *) fail "unknown option $1; the first lines of this script list them" ;;
    esac
    shift 2
done
[ $# -eq 0 ] || fail "$1 needs a value"
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
[ -n "$folder" ] || folder=$work
mkdir -p "$folder" || exit 1
model=$folder/model-$layers
packed=$folder/model-$layers.volley

[ -d "$model" ] ||
    "$VOLLEY_PROGRAM" make-model "$model" --like spikingbrain-7b --layers "$layers" 2> "$work/said" ||
    fail "$(tail -n 1 "$work/said")"
[ -f "$packed" ] || "$VOLLEY_PROGRAM" pack "$model" "$packed" --table-bits 16 2> "$work/said" ||
    fail "$(tail -n 1 "$work/said")"

# seconds MODEL: of one run
seconds() {
    begin=$(date +%s%N)
    "$VOLLEY_PROGRAM" run "$1" --tokens 1 --generate 1 --ignore-end --quiet > "$work/out" 2> "$work/said" ||
        fail "$(tail -n 1 "$work/said")"
    end=$(date +%s%N)
    echo "$begin $end" | awk '{ printf "%.3f\n", ($2 - $1) / 1e9 }'
}

seconds "$packed" > /dev/null
seconds "$model" > /dev/null
run=0
while [ $run -lt "$runs" ]; do
    seconds "$packed" >> "$work/packed"
    seconds "$model" >> "$work/model"
    run=$((run + 1))
done
printf '%s layers: first token after %s s from the packed file, %s s from the checkpoint\n' "$layers" \
    "$(median "$work/packed")" "$(median "$work/model")"
row "start_$layers" "first token of a 7B shape, $layers layers, packed" s "$work/packed" \
    "from the checkpoint" "$work/model" most 2 "at most 2 s"
