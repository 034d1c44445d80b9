#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# All benchmarks, one after another, and one table of what they found.
#
#     make bench [BENCH=NAME,NAME…] [BENCH_JSON=FILE]
#     tests/bench/bench.sh [NAME…]
#
# The names stand in the list below, the order is that in which they run. What cannot be run here (a
# program that is not built, a peer or Python that is not installed, a time that is over) becomes a row
# of the table with the reason. The rows, the machine and the date go to BENCH_JSON too (bench.json in
# this folder unless it says otherwise); tests/bench/table.c says how. Each benchmark may take BENCH_SECONDS
# (240); RUNS (3) is how often networks and energy repeat. Takes about ten minutes in all.
#
# Exit code 1 if something that ran failed; what was only missing leaves it 0.
#
# To the benchmarks it hands VOLLEY_PROGRAM, VOLLEY_EXAMPLES, VOLLEY_BENCH_JSON (rows are appended
# there), and, as soon as they are known, VOLLEY_BENCH_READ_1 and _2: the GB/s at which one thread and
# two read memory.

set -u
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd) || exit 1
: "${VOLLEY_PROGRAM:=./volley}"
: "${VOLLEY_EXAMPLES:=$here/../../examples}"
: "${BENCH_JSON:=bench.json}"
: "${BENCH_SECONDS:=240}"
: "${PYTHON:=/usr/bin/python3}"
: "${RUNS:=3}"
export VOLLEY_PROGRAM VOLLEY_EXAMPLES PYTHON RUNS
programs=$(cd "${VOLLEY_BENCH_PROGRAMS:-tests/bench}" && pwd) || exit 1 # where they are built

# name | what it measures | what it needs (python, or a module of it) | command
list() {
    cat <<'END_OF_LIST'
memory|reading memory||"$programs/memory"
torch|matrix-vector products in PyTorch|torch|"$PYTHON" "$here/matvec_torch.py" --against decode_
delivery|delivery of spikes at the size of SpikingBrain-7B||"$programs/delivery"
start|starting from a packed model||sh "$here/start.sh"
head|embeddings and head||"$programs/head"
populations|what is computed between spikes||"$programs/populations"
trace|the trace||"$programs/trace"
queue|the queue alone||"$programs/queue"
phold|PHOLD||sh -c 'for processes in 1024 131072 1048576; do "$0" --processes $processes || exit 1; done' "$programs/../../examples/phold/phold"
lengths|long sequences||sh "$here/lengths.sh" --seconds 30 --full-seconds 20 --runs 2
schemes|encoding schemes|python|"$PYTHON" "$here/schemes.py" "$programs/schemes"
energy|projecting onto chips|python|sh "$here/energy_networks.sh"
networks|spiking networks||sh "$here/networks.sh"
END_OF_LIST
}

fail() {
    echo "bench.sh: $*" >&2
    exit 2
}

names=$(list | cut -d '|' -f 1)
for name; do
    echo "$names" | grep -qx -- "$name" ||
        fail "no benchmark is called '$name'; there are: $(echo "$names" | paste -sd ' ' -)"
done
wanted=" $(echo "${*:-$names}" | paste -sd ' ' -) "

folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT TERM
VOLLEY_BENCH_JSON=$folder/rows
export VOLLEY_BENCH_JSON
: > "$VOLLEY_BENCH_JSON"
. "$here/rows.sh"
failed=0

# missing NEEDS COMMAND…: prints why it cannot be run; nothing if it can
missing() {
    case $1 in
    '') ;;
    *)
        if ! "$PYTHON" -c '' > /dev/null 2>&1; then
            echo "$PYTHON is not there (Debian: python3)"
            return
        elif [ "$1" != python ] && ! "$PYTHON" -c "import $1" > /dev/null 2>&1; then
            echo "$PYTHON has no module $1 (Debian: python3-$1)"
            return
        fi
        ;;
    esac
    shift
    for part; do
        case $part in
        "$PYTHON") ;;
        /*) [ -e "$part" ] || { echo "$part has not been built"; return; } ;;
        esac
    done
}

# run NAME WHAT NEEDS COMMAND…
run() {
    echo
    echo "==== $1: $2"
    echo
    name=$1
    what=$2
    needs=$3
    shift 3
    reason=$(missing "$needs" "$@")
    if [ -n "$reason" ]; then
        echo "  not run: $reason"
        row_not_run "$name" "$what" "$reason"
        return
    fi
    before=$(wc -l < "$VOLLEY_BENCH_JSON")
    timeout "$BENCH_SECONDS" "$@" 2> "$folder/said"
    code=$?
    cat "$folder/said" >&2
    case $code in
    0) [ "$(wc -l < "$VOLLEY_BENCH_JSON")" -gt "$before" ] || reason="it handed no rows on" ;;
    124) reason="stopped after $BENCH_SECONDS s, before its end" ;;
    *)
        failed=1
        reason="it ended with exit code $code: $(tail -n 1 "$folder/said")"
        ;;
    esac
    [ -z "$reason" ] || row_not_run "$name" "$what" "$reason"
}

# Puts what memory.c found where the others look for it.
take_memory() {
    for threads in 1 2; do
        rate=$(sed -n "s/^{\"id\":\"memory_read_$threads\",.*\"volley\":\([0-9.e+]*\),.*/\1/p" \
            "$VOLLEY_BENCH_JSON")
        [ -z "$rate" ] || export "VOLLEY_BENCH_READ_$threads=$rate"
    done
}

[ -x "$VOLLEY_PROGRAM" ] || fail "$VOLLEY_PROGRAM is not there; build it, or say where it is with VOLLEY_PROGRAM"
table=$programs/table
[ -x "$table" ] || fail "$table is not there; make bench builds it"
echo "load of the machine: $(uptime | sed 's/.*average: //')"
list > "$folder/list"
while IFS='|' read -r name what needs command <&4; do
    case $wanted in
    *" $name "*) ;;
    *) continue ;;
    esac
    eval "set -- $command" # the list's quotes
    run "$name" "$what" "$needs" "$@"
    [ "$name" != memory ] || take_memory
done 4< "$folder/list"
echo
echo "load of the machine: $(uptime | sed 's/.*average: //')"
echo
"$table" collect "$VOLLEY_BENCH_JSON" "$BENCH_JSON" "$("$VOLLEY_PROGRAM" --version | head -n 1)" || exit 1
echo
echo "the same in $BENCH_JSON"
exit $failed
