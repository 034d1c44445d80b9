#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# How fast networks run, as ratios within this one run, since absolute times drift.
#
#     VOLLEY_PROGRAM=… VOLLEY_EXAMPLES=… tests/bench/networks.sh
#
#   cuba          Volley against Brian2's C++ programs, one thread each
#   brunel        the same; then Volley with two threads against one
#   microcircuit  full scale, two threads: time to build, memory, times real time
#
# Each figure is the median of RUNS runs that take turns. What a figure measures:
#   Volley  run_seconds: wall time of the loop over ticks, with the figures of activity that every
#           run gathers (rates, intervals, synchrony, correlation). No trace.
#   Brian2  its own last_run_time: the loop over ticks with a monitor of all spikes, compiled with
#           Brian2's options (-O3 -ffast-math -march=native). It is processor time.
#   CPU     processor time of the loop: Brian2's as above; Volley's is that of the whole process,
#           statistics and printing included, less that of a run of one tick. On a machine that
#           others use, too, the ratio of CPU times is the one to trust.
# Building a network is in none of them. The same as rows go to VOLLEY_BENCH_JSON, if set. Brian2 (python3-brian) is left out where it is missing.
# Takes about four minutes; RUNS=1 for a quick look. Exit code 1 if a program fails.

set -u
: "${VOLLEY_PROGRAM:=./volley}"
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd) || exit 1
: "${VOLLEY_EXAMPLES:=$here/../../examples}"
: "${RUNS:=5}"
: "${PYTHON:=/usr/bin/python3}"
CUBA_SECONDS=10
BRUNEL_SECONDS=1
MICROCIRCUIT_SECONDS=1
. "$here/rows.sh"

folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT TERM

fail() {
    echo "networks.sh: $*" >&2
    exit 1
}

# field NAME FILE: the first number of that name in a JSON report
field() {
    sed -n "s/^ *\"$1\": *\([0-9.eE+-]*\),*$/\1/p" "$2" | head -n 1
}

# quotient A B
quotient() {
    awk -v a="$1" -v b="$2" 'BEGIN { if (b > 0) printf "%.2f", a / b; else printf "?" }'
}

# Puts the processor seconds, user and system, of all children so far into $processor. (Not to be
# called in $(…), a shell of its own, which has no children yet.)
take_processor() {
    times > "$folder/times"
    processor=$(awk 'NR == 2 {
        for (i = 1; i <= 2; i++) { split($i, part, "m"); sum += part[1] * 60 + part[2] }
        printf "%.3f", sum }' "$folder/times")
}

# volley NAME LABEL OPTION …: one run; adds its wall and CPU seconds to NAME.LABEL.wall and .cpu
volley() {
    network=$1
    label=$2
    shift 2
    take_processor
    before=$processor
    "$VOLLEY_PROGRAM" run "$VOLLEY_EXAMPLES/$network/$network.json" --quiet --json "$@" \
        > "$folder/report" || fail "volley run of $network failed"
    take_processor
    field run_seconds "$folder/report" >> "$folder/$network.$label.wall"
    awk -v a="$before" -v b="$processor" 'BEGIN { print b - a }' >> "$folder/$network.$label.cpu"
}

# brian NAME: the same for a program of Brian2
brian() {
    (cd "$folder/$1" && ./main > /dev/null) || fail "Brian2's program for $1 failed"
    cut -d ' ' -f 1 "$folder/$1/results/last_run_info.txt" >> "$folder/$1.brian"
}

# brian_build NAME SECONDS: false if there is no Brian2
brian_build() {
    "$PYTHON" -c 'import brian2' > /dev/null 2>&1 || return 1
    echo "compiling Brian2's program for $1 …" >&2
    "$PYTHON" "$here/brian2_networks.py" "$1" "$2" "$folder/$1" > "$folder/log" 2>&1 ||
        { cat "$folder/log" >&2; fail "Brian2's program for $1 could not be built"; }
}

# CPU seconds of the loop alone: the median less what building takes.
loop_cpu() {
    awk -v all="$(median "$folder/$1.$2.cpu")" -v built="$(median "$folder/$1.${2}_built.cpu")" \
        'BEGIN { print all - built }'
}

line() {
    printf '  %-34s %10s   %s\n' "$1" "$2" "$3"
}

# against_brian NAME TARGET SECONDS
against_brian() {
    wall=$(median "$folder/$1.one.wall")
    cpu=$(loop_cpu "$1" one)
    spikes=$(awk '/"population":/ { counts = $2 !~ /noise/ }
        /"spikes":/ && counts { sum += $2; counts = 0 } END { print sum }' "$folder/$1.report")
    line "Volley, 1 thread" "$(printf '%.3f s' "$wall")" "CPU $(printf '%.3f' "$cpu") s, $spikes spikes"
    if [ ! -s "$folder/$1.brian" ]; then
        echo "  Brian2 is not installed (python3-brian): not compared"
        row "$1" "$1, $3 s simulated, 1 thread" s "$folder/$1.one.wall" "Brian2 (not installed)"
        return
    fi
    row "$1" "$1, $3 s simulated, 1 thread, wall" s "$folder/$1.one.wall" "Brian2 C++" \
        "$folder/$1.brian" ratio "$2" "$2 times as fast"
    echo "$cpu" > "$folder/$1.cpu"
    row "$1_cpu" "$1, $3 s simulated, 1 thread, processor time" s "$folder/$1.cpu" "Brian2 C++" "$folder/$1.brian"
    theirs=$(median "$folder/$1.brian")
    line "Brian2 C++, 1 thread" "$(printf '%.3f s' "$theirs")" \
        "CPU, $(cat "$folder/$1/results/spikes.txt") spikes"
    line "Brian2 / Volley, wall" "$(quotient "$theirs" "$wall")" "target: at least $2"
    line "Brian2 / Volley, CPU" "$(quotient "$theirs" "$cpu")" ""
}

cuba() {
    brian_build cuba "$CUBA_SECONDS"
    run=0
    while [ $run -lt "$RUNS" ]; do
        volley cuba one --threads 1 --duration "$CUBA_SECONDS"
        cp "$folder/report" "$folder/cuba.report"
        [ -d "$folder/cuba" ] && brian cuba
        volley cuba one_built --threads 1 --ticks 1
        run=$((run + 1))
    done
    echo "cuba: 4000 neurons, $CUBA_SECONDS s simulated; few events, many updates"
    against_brian cuba 3 "$CUBA_SECONDS"
    echo
}

brunel() {
    brian_build brunel "$BRUNEL_SECONDS"
    run=0
    while [ $run -lt "$RUNS" ]; do
        volley brunel one --threads 1 --duration "$BRUNEL_SECONDS"
        cp "$folder/report" "$folder/brunel.report"
        [ -d "$folder/brunel" ] && brian brunel
        volley brunel two --threads 2 --duration "$BRUNEL_SECONDS"
        volley brunel one_built --threads 1 --ticks 1
        run=$((run + 1))
    done
    echo "brunel: 12,500 neurons, 15.6 M synapses, $BRUNEL_SECONDS s simulated; many events"
    against_brian brunel 2.4 "$BRUNEL_SECONDS"
    one=$(median "$folder/brunel.one.wall")
    two=$(median "$folder/brunel.two.wall")
    line "Volley, 2 threads" "$(printf '%.3f s' "$two")" ""
    line "1 thread / 2 threads, wall" "$(quotient "$one" "$two")" "target: at least 1.7"
    row brunel_threads "brunel, $BRUNEL_SECONDS s simulated, 2 threads" s "$folder/brunel.two.wall" \
        "Volley, 1 thread" "$folder/brunel.one.wall" ratio 1.7 "1.7 times as fast"
    echo
}

microcircuit() {
    echo "microcircuit: full scale, $MICROCIRCUIT_SECONDS s simulated, 2 threads, one run"
    "$PYTHON" "$VOLLEY_EXAMPLES/microcircuit/make.py" --scale 1 > "$folder/microcircuit.json" \
        2> "$folder/log" ||
        {
            echo "  left out: $PYTHON cannot run make.py, which writes the network"
            row_not_run microcircuit "microcircuit" "$PYTHON cannot run make.py, which writes the network"
            return
        }
    take_processor
    before=$processor
    "$VOLLEY_PROGRAM" run "$folder/microcircuit.json" --quiet --json --threads 2 \
        --duration "$MICROCIRCUIT_SECONDS" > "$folder/report" || fail "volley run of microcircuit failed"
    take_processor
    seconds=$(field run_seconds "$folder/report")
    building=$(field build_seconds "$folder/report")
    bytes=$(field memory_bytes "$folder/report")
    echo "$building" > "$folder/building"
    row microcircuit_build "microcircuit at full scale, building" s "$folder/building" "" "" most 60 \
        "under 60 s"
    awk -v b="$bytes" 'BEGIN { print b / 1e9 }' > "$folder/gigabytes"
    row microcircuit_memory "microcircuit at full scale, memory" GB "$folder/gigabytes" "" "" most 4 \
        "under 4 GB"
    quotient "$seconds" "$MICROCIRCUIT_SECONDS" > "$folder/times"
    row microcircuit "microcircuit at full scale, 2 threads, one run" "times real time" \
        "$folder/times" "" "" most 8 "at most 8"
    line "building" "$(printf '%.1f s' "$building")" "target: under 60 s (wall)"
    line "memory" "$(awk -v b="$bytes" 'BEGIN { printf "%.2f GB", b / 1e9 }')" "target: under 4 GB"
    line "times real time" "$(quotient "$seconds" "$MICROCIRCUIT_SECONDS")" \
        "target: at most 8 (wall); NEST on such a machine: 39"
    line "CPU, building included" \
        "$(awk -v a="$before" -v b="$processor" 'BEGIN { printf "%.1f s", b - a }')" ""
}

echo "medians of $RUNS runs that take turns; load of the machine: $(uptime | sed 's/.*average: //')"
echo
cuba
brunel
microcircuit
echo
echo "load at the end: $(uptime | sed 's/.*average: //')"
