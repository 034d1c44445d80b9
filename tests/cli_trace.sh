#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Traces: what they hold agrees with itself, opens in the plain sqlite3 shell, and survives
# signals, kills and full disks.
. "${0%/*}/cli.sh"

db=$work/run.db
"$volley" run "$brain" --quiet --prompt "In the beginning" --generate 24 --trace "$db" \
    --trace-level spike >/dev/null 2>&1

check "application_id and user_version are set" \
    [ "$(sql "$db" 'pragma application_id; pragma user_version')" = "1448037465
2" ]
check "the run is marked done" [ "$(sql "$db" 'select status from run')" = done ]
check "volleys add up to the counters" [ "$(sql "$db" \
    'select count(*) from (select sum(v.spikes) s, p.spikes c from volley v join population p
     on p.run = v.run and p.id = v.population group by p.id) where s != c')" = 0 ]
check "synops of projections add up to those of populations" [ "$(sql "$db" \
    'select (select sum(synops) from projection) = (select sum(synops) from layer_sparsity)')" = 1 ]
check "the histogram adds up to the channels" [ "$(sql "$db" \
    'select count(*) from (select h.population p, sum(h.channels) c from histogram h group by 1)
     join population on id = p where c != vectors * neurons')" = 0 ]
check "the summary of spikes follows from the histogram" [ "$(sql "$db" \
    "select silent_fraction from layer_sparsity where population = 'layers.0.attn_norm'")" = \
    "$(sql "$db" "select 1.0 * (select channels from spike_histogram where value = 0 and
        population = 'layers.0.attn_norm') / (select sum(channels) from spike_histogram where
        population = 'layers.0.attn_norm')")" ]
if [ -n "$VOLLEY_SANITIZERS" ]; then
    echo "ok - the extension opens blobs in the plain shell # SKIP sanitizers are not in that shell"
else
    check "the extension opens blobs in the plain shell" [ "$(sqlite3 -batch "$db" \
        ".load ${VOLLEY_SQLITE_EXTENSION:-.libs/volley.so}" \
        'select count(*) = (select sum(spikes) from volley) from spike')" = 1 ]
fi
"$volley" export "$db" --spikes "$work/spikes.csv" 2>/dev/null
check "export writes every spike" [ "$(tail -n +2 "$work/spikes.csv" | wc -l)" = \
    "$(sql "$db" 'select sum(spikes) from volley')" ]
check "export's ticks do not run backwards" eval \
    'tail -n +2 "$work/spikes.csv" | cut -d, -f1,2 | awk -F, '"'"'{ if ($1 < last[$2]) exit 1; last[$2] = $1 }'"'"

"$volley" run "$brain" --quiet --prompt "In the beginning" --generate 8 --trace "$db" \
    --trace-level summary --trace-populations '*.query' >/dev/null 2>&1
check "a second run joins the file" [ "$(sql "$db" 'select count(*) from run')" = 2 ]
check "level summary writes no volley" [ "$(sql "$db" 'select count(*) from volley where run = 2')" = 0 ]
check "report finds the first run" eval '"$volley" report "$db" --run 1 | grep -q "27 tokens"'

"$volley" run "$brain" --quiet --prompt "In the beginning" --generate 24 --trace "$work/part.db" \
    --trace-level spike --trace-populations '*.query' --trace-tokens 5:9 >/dev/null 2>&1
check "--trace-populations and --trace-tokens choose" [ "$(sql "$work/part.db" \
    "select count(*) || ' ' || count(distinct population) from volley")" = "8 2" ]

# stopped SIGNAL CODE STATUS
stopped() {
    rm -f "$work/stop.db"
    "$volley" run "$brain" --prompt "In the beginning" --generate 1000000 --ignore-end --trace \
        "$work/stop.db" >"$work/stop.out" 2>/dev/null &
    process=$!
    tries=0
    while [ ! -s "$work/stop.out" ] && [ $tries -lt 100 ]; do
        tries=$((tries + 1))
        sleep 0.1
    done
    sleep 1.5
    kill "-$1" $process
    wait $process 2>/dev/null
    code=$?
    [ $code -eq "$2" ] && [ "$(sql "$work/stop.db" 'select status from run')" = "$3" ] &&
        [ "$(sql "$work/stop.db" 'pragma integrity_check')" = ok ] &&
        [ "$(sql "$work/stop.db" 'select count(*) > 100 from volley')" = 1 ]
}
# A shell lets its background children ignore SIGINT, so that signal comes from `timeout`.
interrupted() {
    timeout --preserve-status -s INT 2 "$volley" run "$brain" --prompt "In the beginning" \
        --generate 1000000 --ignore-end --trace "$work/int.db" >"$work/int.out" 2>/dev/null
    [ $? -eq 130 ] && [ "$(sql "$work/int.db" 'select status from run')" = interrupted ] &&
        grep -q 'energy per token' "$work/int.out"
}
check "SIGINT ends a run cleanly, tables and all, code 130" interrupted
check "SIGTERM ends a run cleanly, code 143" stopped TERM 143 interrupted
check "the tables of a stopped run are printed" grep -q 'energy per token' "$work/stop.out"
check "a killed run leaves a valid file, marked running" stopped KILL 137 running

# Killed at several moments while it writes every spike: what is there is whole.
killed_often() {
    for moment in 0.3 0.6 0.8 1.1 1.6; do
        rm -f "$work/kill.db" "$work/kill.db-wal" "$work/kill.db-shm"
        "$volley" run "$brain" --prompt "In the beginning" --generate 1000000 --ignore-end --trace \
            "$work/kill.db" --trace-level spike >/dev/null 2>&1 &
        process=$!
        tries=0
        while [ ! -s "$work/kill.db" ] && [ $tries -lt 100 ]; do
            tries=$((tries + 1))
            sleep 0.1
        done
        sleep $moment
        kill -KILL $process
        wait $process 2>/dev/null
        [ "$(sql "$work/kill.db" 'pragma integrity_check')" = ok ] &&
            [ "$(sql "$work/kill.db" 'select status from run')" = running ] &&
            [ "$(sql "$work/kill.db" 'select count(*) from volley join token using (run, position)')" = \
                "$(sql "$work/kill.db" 'select count(*) from volley')" ] || return 1
        if [ -z "$VOLLEY_SANITIZERS" ]; then
            [ "$(sqlite3 -batch "$work/kill.db" ".load ${VOLLEY_SQLITE_EXTENSION:-.libs/volley.so}" \
                'select (select count(*) from spike) =
                    (select ifnull(sum(spikes), 0) from volley)')" = 1 ] || return 1
        fi
    done
    [ "$(sql "$work/kill.db" 'select count(*) > 0 from token')" = 1 ]
}
check "killed at any moment, every volley that is there is whole" killed_often

full() {
    rm -f "$work/full.db"
    (trap '' XFSZ && ulimit -f 200 && "$volley" run "$brain" --quiet --prompt "In the beginning" \
        --generate 2000 --ignore-end --trace "$work/full.db" --trace-level spike >"$work/out" 2>"$work/err")
    [ $? -eq 1 ] && [ "$(wc -l <"$work/err")" -eq 1 ] && grep -q full.db "$work/err" &&
        [ "$(sql "$work/full.db" 'pragma integrity_check')" = ok ]
}
check "a file that cannot grow stops the run with a sentence and a valid file" full
check "a missing folder for the trace" fails 2 "missing" run "$brain" --prompt x --trace "$work/missing/run.db"
sql "$work/other.db" 'create table t (x); insert into t values (1)'
check "another program's database" fails 2 "other.db" run "$brain" --prompt x --trace "$work/other.db"
check "another program's database is left as it was" [ "$(sql "$work/other.db" 'select * from t')" = 1 ]
cp "$db" "$work/newer.db"
sql "$work/newer.db" 'pragma user_version = 99'
check "a trace of a newer version" fails 2 "newer" report "$work/newer.db"
head -c 5000 /dev/urandom >"$work/noise.db"
check "a file that is no database" fails 2 "noise.db" report "$work/noise.db"
check "a trace that is not there" fails 2 "none.db" report "$work/none.db"
check "…is not made by asking for it" [ ! -e "$work/none.db" ]
check "a run that is not there" fails 2 "run" report "$db" --run 77
check "export needs spikes in the trace" fails 2 "spike" export "$work/stop.db" --spikes "$work/x.csv"
check "…and leaves no file behind" [ ! -e "$work/x.csv" ]

finish
