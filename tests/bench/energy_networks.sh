#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# What projecting costs, and whether it comes out right at full size.
#
#     VOLLEY_PROGRAM=… tests/bench/energy_networks.sh
#
#   gesture    18,678 neurons, 1000 ticks, about 51 million synaptic events, every spike traced,
#              placed on 49 cores: energy, both models of time; wall time and peak memory
#   crossbars  TrueNorth's typical point, all of it: a million neurons at 20 Hz, 128 synapses each,
#              projected at trace level summary: 72 mW
#   counters   what a trace at level summary costs a run, of brunel (examples)
#
# Times are medians of RUNS runs, CPU is processor time, memory the largest resident set. With
# SANAFE_PROGRAM and SANAFE_LOIHI (its program and its arch/loihi.yaml), SANA-FE runs the same
# gesture network and prints its own figures. Takes a minute, with SANA-FE a minute and a half;
# CORES=64 for a quick look at crossbars. Rows go to VOLLEY_BENCH_JSON, if set. Exit code 1 if a program fails.

set -u
: "${VOLLEY_PROGRAM:=./volley}"
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd) || exit 1
: "${VOLLEY_EXAMPLES:=$here/../../examples}"
: "${RUNS:=5}"
: "${CORES:=4096}"
: "${PYTHON:=/usr/bin/python3}"
: "${SANAFE_PROGRAM:=}"
: "${SANAFE_LOIHI:=}"

. "$here/rows.sh"
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT TERM

fail() {
    echo "energy_networks.sh: $*" >&2
    exit 1
}

# field NAME FILE: the first number of that name in a JSON report
field() {
    sed -n "s/^ *\"$1\": *\([0-9.eE+-]*\),*$/\1/p" "$2" | head -n 1
}

# measured LABEL COMMAND …: runs it, its output to $folder/report; adds its wall seconds, CPU
# seconds and MB to LABEL.wall, .cpu, .memory
measured() {
    label=$1
    shift
    "$PYTHON" -c '
import resource, subprocess, sys, time
start = time.monotonic()
code = subprocess.call(sys.argv[2:], stdout=open(sys.argv[1], "w"))
wall, used = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
print(wall, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e6)
sys.exit(code)' "$folder/report" "$@" > "$folder/measures" || fail "$* failed"
    read -r wall cpu memory < "$folder/measures"
    echo "$wall" >> "$folder/$label.wall"
    echo "$cpu" >> "$folder/$label.cpu"
    echo "$memory" >> "$folder/$label.memory"
}

line() {
    printf '  %-34s %10s   %s\n' "$1" "$2" "$3"
}

# cost LABEL TEXT TARGETS
cost() {
    line "$2" "$(printf '%.2f s' "$(median "$folder/$1.wall")")" \
        "$(printf 'CPU %.2f s, %.0f MB' "$(median "$folder/$1.cpu")" \
            "$(median "$folder/$1.memory")")$3"
}

gesture() {
    "$PYTHON" "$here/energy_networks.py" gesture "$folder/gesture.json" \
        --sanafe "$folder/gesture.yaml" || fail "the network could not be written"
    run=0
    while [ $run -lt "$RUNS" ]; do
        rm -f "$folder/gesture.db"
        measured run "$VOLLEY_PROGRAM" run "$folder/gesture.json" --quiet --json --threads 1 \
            --count-updates --trace "$folder/gesture.db" --trace-level spike
        cp "$folder/report" "$folder/run.json"
        measured energy "$VOLLEY_PROGRAM" energy "$folder/gesture.db" --chip loihi-sanafe \
            --baseline none --placement explicit --queue --no-store --json
        run=$((run + 1))
    done
    "$PYTHON" - "$folder/run.json" "$folder/report" <<'END'
import json, sys
run, chip = json.load(open(sys.argv[1])), json.load(open(sys.argv[2]))["chips"][0]
terms = chip["terms"]
print(f"gesture: 18,678 neurons, {run['ticks']} ticks, {run['spikes']} spikes, "
      f"{run['synops']} synaptic events")
print(f"  synapse {terms['synops']:.6e} J, soma {terms['neurons'] + terms['spikes']:.6e} J, "
      f"network {terms['messages'] + terms['hops']:.6e} J")
print(f"  time per tick {chip['run_seconds']:.6e} s, queue {chip['queue']['run_seconds']:.6e} s")
END
    cost run "volley run, 1 thread" ""
    cost energy "volley energy" "; target: under 2 s and 200 MB"
    row energy_gesture "volley energy, 51 M synaptic events" s "$folder/energy.wall" "" "" most 2 \
        "under 2 s"
    row energy_gesture_memory "volley energy, 51 M synaptic events, memory" MB "$folder/energy.memory" "" "" most 200 \
        "under 200 MB"
    if [ -n "$SANAFE_PROGRAM" ] && [ -n "$SANAFE_LOIHI" ]; then
        (cd "$folder" && measured sanafe "$SANAFE_PROGRAM" "$SANAFE_LOIHI" gesture.yaml 1000) ||
            exit 1
        sed -n '/^[a-z]*_[a-z_]*: \|^ *[a-z]*: *[0-9.]*e/s/^ */  SANA-FE: /p' "$folder/report" |
            grep -v version
        cost sanafe "SANA-FE" ", one run"
    fi
    echo
}

crossbars() {
    "$PYTHON" "$here/energy_networks.py" crossbars "$folder/crossbars.json" --cores "$CORES" ||
        fail "the network could not be written"
    measured crossbars "$VOLLEY_PROGRAM" run "$folder/crossbars.json" --quiet --json --threads 2 \
        --trace "$folder/crossbars.db" --trace-level summary
    measured truenorth "$VOLLEY_PROGRAM" energy "$folder/crossbars.db" --chip truenorth \
        --baseline none --placement explicit --no-store --json
    echo "crossbars: $CORES cores, $((CORES * 256)) neurons, 1 s at 20 Hz"
    line "power" "$(awk -v joules="$(field run_joules "$folder/report")" \
        -v seconds="$(field run_seconds "$folder/report")" \
        'BEGIN { printf "%.3f mW", 1e3 * joules / seconds }')" \
        "published: $(awk -v cores="$CORES" 'BEGIN { printf "%.3f", 72 * cores / 4096 }') mW"
    row crossbars "TrueNorth's typical point, $CORES cores: running it" s "$folder/crossbars.wall"
    row crossbars_energy "TrueNorth's typical point, $CORES cores: projecting it" s \
        "$folder/truenorth.wall"
    cost crossbars "volley run, 2 threads" ""
    cost truenorth "volley energy" ""
    bytes=$(wc -c < "$folder/crossbars.db")
    line "trace" "$(awk -v b="$bytes" 'BEGIN { printf "%.0f MB", b / 1e6 }')" ""
    echo
}

counters() {
    run=0
    while [ $run -lt "$RUNS" ]; do
        for way in without with; do
            rm -f "$folder/brunel.db"
            trace=
            [ $way = with ] && trace="--trace $folder/brunel.db --trace-level summary"
            # shellcheck disable=SC2086
            measured $way "$VOLLEY_PROGRAM" run "$VOLLEY_EXAMPLES/brunel/brunel.json" --quiet \
                --json --threads 1 --duration 1 $trace
            field run_seconds "$folder/report" >> "$folder/$way.loop"
        done
        run=$((run + 1))
    done
    echo "counters: brunel, 1 s, 1 thread, run_seconds"
    line "without a trace" "$(printf '%.3f s' "$(median "$folder/without.loop")")" ""
    paste "$folder/without.loop" "$folder/with.loop" | awk '{ print 100 * ($2 / $1 - 1) }' \
        > "$folder/share"
    row counters "what a trace at level summary adds to a run of brunel" % "$folder/share" "" "" most \
        3 "at most 3 %"
    line "trace at level summary" "$(printf '%.3f s' "$(median "$folder/with.loop")")" \
        "$(awk -v a="$(median "$folder/without.loop")" -v b="$(median "$folder/with.loop")" \
            'BEGIN { printf "%+.1f %%", 100 * (b / a - 1) }'); target: at most +3 %"
}

echo "medians of $RUNS runs; load of the machine: $(uptime | sed 's/.*average: //')"
echo
gesture
crossbars
counters
echo
echo "load at the end: $(uptime | sed 's/.*average: //')"
