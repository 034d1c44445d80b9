#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# `volley energy` as a user calls it: totals, tables, JSON, CSV and the trace say the same; a network
# small enough to be worked out by hand costs what the hand says; wrong calls end with a sentence.
. "${0%/*}/cli.sh"

db=$work/run.db
"$volley" run "$brain" --quiet --prompt "In the beginning" --generate 24 --trace "$db" \
    --trace-level spike >/dev/null 2>&1

# json FILE EXPRESSION: of the JSON text t in a file.
json() {
    sql :memory: "select $2 from (select cast(readfile('$1') as text) t)"
}

# clean OUTPUT ARGUMENTS…: volley energy must end with 0 and say nothing on standard error.
clean() {
    output=$1
    shift
    "$volley" energy "$@" >"$work/$output" 2>"$work/err" && [ ! -s "$work/err" ] && return
    sed 's/^/# /' "$work/err"
    return 1
}

# has FILE WORDS
has() {
    grep -qF -- "$2" "$work/$1" || { echo "# $1 lacks '$2'"; return 1; }
}

# ---- the first screen

check "chips stand side by side" clean screen "$db"
for chip in loihi truenorth spinnaker2 event-45nm fp16-45nm int8-45nm; do
    check "…$chip among them" grep -q "^$chip " "$work/screen"
done
check "…per token" has screen "per token"
check "…with what is not included" has screen "not included"
check "…and why one does not fit" has screen "truenorth does not fit"
check "…in eighty columns" narrow screen
# cores CHIP OPTIONS…
cores() {
    chip=$1
    shift
    "$volley" energy "$db" --chip "$chip" --baseline none --json --no-store "$@" 2>/dev/null >"$work/cores" &&
        json "$work/cores" "json_extract(t, '\$.chips[0].placement.cores')"
}
check "beyond limits it is projected, which the screen says" eval \
    'clean beyond "$db" --chip truenorth,loihi --beyond-limits --no-store &&
     has beyond "truenorth: the run does not fit; projected beyond" && ! grep -q "^loihi: the run" "$work/beyond"'
check "…and a chip on which it fits stays within its limits" eval \
    'within=$(cores loihi) && [ -n "$within" ] && [ "$within" = "$(cores loihi --beyond-limits)" ]'
"$volley" run "$VOLLEY_EXAMPLES/nir/recurrent.nir" --input "$VOLLEY_EXAMPLES/nir/bar.npy" --quiet \
    --integration event --trace "$work/moments.db" --trace-level summary >/dev/null 2>&1
check "ticks of a run without ticks are its time steps" eval \
    'clean moments.json "$work/moments.db" --chip loihi --json --no-store &&
     [ "$(json "$work/moments.json" "json_extract(t, '"'\$.ticks'"')")" = \
       "$(sql "$work/moments.db" "select (ticks + stride - 1) / stride from run where stride > 1")" ]'

# ---- the same in every form

check "JSON is JSON" eval 'clean all.json "$db" --json --break-even --waterfall --neurobench \
    --no-store && [ "$(json "$work/all.json" "json_valid(t)")" = 1 ]'
check "CSV comes with a heading" eval 'clean all.csv "$db" --csv --no-store &&
    [ "$(head -n 1 "$work/all.csv")" = chip,layer,population,term,joules_per_token,joules ]'
check "--no-store leaves the trace alone" [ "$(sql "$db" 'select count(*) from estimate')" = 5 ]

# Joules per token of each chip that fits, one a line, in 12 digits.
totals='printf("%s %.9e", json_extract(value, "$.chip"), json_extract(value, "$.joules"))'
totals=$(printf '%s' "$totals" | tr '"' "'")
json "$work/all.json" "group_concat(line, char(10)) from (select $totals line
    from (select cast(readfile('$work/all.json') as text) t), json_each(t, '\$.chips')
    where json_extract(value, '\$.fits') order by 1) --" >"$work/json.totals"
{
    echo '.mode csv'
    echo ".import $work/all.csv lines"
    echo "select printf('%s %.9e', chip, sum(joules_per_token)) from lines group by chip order by 1;"
} | sqlite3 -batch :memory: | tr -d '"\r' >"$work/csv.totals"
sql "$db" "select printf('%s %.9e', chip, sum(total_pj) / 1e12) from layer_energy
    group by estimate order by 1" >"$work/view.totals"
sql "$db" "select printf('%s %.9e', chip, joules / inferences) from estimate order by 1" \
    >"$work/estimate.totals"
check "five chips have totals" [ "$(wc -l <"$work/json.totals")" -eq 5 ]
check "lines of CSV add up to the totals" cmp "$work/json.totals" "$work/csv.totals"
check "the view layer_energy adds up to the totals" cmp "$work/json.totals" "$work/view.totals"
check "the table estimate holds the totals" cmp "$work/json.totals" "$work/estimate.totals"
check "populations of JSON add up to the terms, and these to the totals" [ "$(sql :memory: \
    "select count(*) from (select json_extract(value, '\$.joules') j,
         (select sum(atom) from json_each(value, '\$.terms')) t,
         (select sum(json_extract(p.value, '\$.joules'))
          from json_each(c.value, '\$.populations') p) p
     from (select cast(readfile('$work/all.json') as text) t), json_each(t, '\$.chips') c
     where json_extract(value, '\$.fits')) where abs(j - t) > 1e-9 * j or abs(j - p) > 1e-9 * j")" = 0 ]

# ---- what is stored

check "again, and there is still one estimate of each" eval \
    'clean screen "$db" && [ "$(sql "$db" "select count(*), count(distinct chip) from estimate")" = "5|5" ]'
check "a change stands beside it" eval \
    'clean changed "$db" --chip loihi --baseline none --what-if energy.synop=47.2pJ &&
     [ "$(sql "$db" "select count(*) from estimate where chip = '"'loihi'"'")" = 2 ]'
check "…and doubles what it should, and that alone" [ "$(sql "$db" \
    "select round(max(s) / min(s), 9), round(max(n) / min(n), 9) from (select
     sum(t.joules) filter (where term = 'synops') s, sum(t.joules) filter (where term = 'neurons') n
     from estimate e join estimate_term t on t.estimate = e.id where chip = 'loihi'
     group by e.id)")" = "2.0|1.0" ]
check "…and the view shows the newest" [ "$(sql "$db" "select count(distinct estimate) = 1 and
    max(estimate) = (select max(id) from estimate) from layer_energy where chip = 'loihi'")" = 1 ]
check "the placement holds every neuron of what is placed once" [ "$(sql "$db" \
    "select count(*) from (select population, sum(count) c from placement where port = '' and
     estimate = (select max(id) from estimate) group by population) join population p
     on p.run = 1 and p.id = population where c != neurons")" = 0 ]
check "no rows are left of what was replaced" [ "$(sql "$db" \
    'select (select count(*) from estimate_term where estimate not in (select id from estimate)) +
     (select count(*) from placement where estimate not in (select id from estimate))')" = 0 ]
unwritable() {
    cp "$db" "$work/full.db"
    before=$(cksum <"$work/full.db")
    (trap '' XFSZ && ulimit -f 0 && "$volley" energy "$work/full.db" --seed 2 2>&1) |
        cat >"$work/unwritten"
    grep -q '^loihi ' "$work/unwritten" && [ "$(grep -c '^volley: ' "$work/unwritten")" -eq 1 ] &&
        has unwritten "not stored" && has unwritten full.db &&
        [ "$(cksum <"$work/full.db")" = "$before" ]
}
check "a trace that cannot be written is projected all the same" unwritable

# ---- one chip, and the tables

check "one chip shows populations, placement and time" eval \
    'clean one "$db" --chip loihi && has one "0 attn_norm" && has one "placement in-order" &&
     has one "hops of a message" && has one "time per token" && narrow one'
check "--layers does for one of many" eval \
    'clean many "$db" --chip loihi,event-45nm --layers event-45nm && has many "Event-driven" &&
     narrow many'
check "--queue stands beside the ticks" eval \
    'clean queue "$db" --chip loihi --queue && has queue "  queue" && narrow queue'
check "--placement greedy has no more hops" [ "$(
    "$volley" energy "$db" --chip loihi --json --no-store >"$work/a.json"
    "$volley" energy "$db" --chip loihi --placement greedy --json --no-store >"$work/b.json"
    hops="json_extract(t, '\$.chips[0].placement.traffic.hops')"
    sql :memory: "select (select $hops from (select cast(readfile('$work/b.json') as text) t)) <=
        (select $hops from (select cast(readfile('$work/a.json') as text) t))")" = 1 ]
check "--break-even, --waterfall and --neurobench" eval \
    'clean tables "$db" --chip event-45nm --break-even --waterfall --neurobench &&
     has tables "break-even with dense fp16" && has tables "waterfall of event-45nm" &&
     has tables "NeuroBench, per token" && narrow tables'
check "the waterfall ends at the total" [ "$(json "$work/all.json" \
    "(select json_extract(value, '\$.joules') from json_each(t, '\$.waterfall.rows')
      order by key desc limit 1) =
     (select json_extract(value, '\$.joules') from json_each(t, '\$.chips')
      where json_extract(value, '\$.chip') = json_extract(t, '\$.waterfall.chip'))")" = 1 ]
check "--channel-order by-activity says what it saves" eval \
    'clean order "$db" --chip event-45nm --channel-order by-activity && has order "by activity"'
check "--baseline none leaves them out" eval \
    'clean bare "$db" --baseline none && ! grep -q "^fp16" "$work/bare"'
check "--samples 0 draws no interval" eval \
    'clean still "$db" --chip loihi --samples 0 --baseline none &&
     ! grep -q "^loihi .* \.\.\. " "$work/still"'
check "the same seed gives the same bytes" eval \
    'clean first "$db" --json --seed 3 --no-store && clean second "$db" --json --seed 3 --no-store &&
     cmp "$work/first" "$work/second"'

# ---- a network worked out by hand: sources 0 and 2 fire once, each makes one of three cells fire once
# (the cells' threshold is 1, the jump 1.5), and each cell reaches both quiet ones.

cat >"$work/small.json" <<'END'
{"volley": 1, "tick": 0.001, "duration": 0.05,
 "rules": {"spike_area": "jump"},
 "populations": {
   "own": {"input": {"spikes": [[0.005, 0], [0.009, 2]]}, "neurons": 3},
   "cells \"a\", b": {"model": "lif", "neurons": 3, "parameters": {"tau": 0.01}, "output": true},
   "quiet": {"model": "lif", "neurons": 2}},
 "projections": [
   {"from": "own", "to": "cells \"a\", b", "rule": "one_to_one", "weight": 1.5, "delay": 0.002},
   {"from": "cells \"a\", b", "to": "quiet", "rule": "all_to_all", "weight": 0.25}]}
END
cat >"$work/mine.json" <<'END'
{"volley_chip": 1, "name": "mine", "title": "Mine, \"made up\"", "description": "For a test.",
 "arithmetic": "event", "weight_bits": 8,
 "energy": {
   "synop": {"value": 10, "unit": "pJ", "scope": "per-term", "evidence": "circuit", "source": "me"},
   "spike": {"value": 3, "unit": "pJ", "scope": "per-term", "evidence": "circuit", "source": "me"}},
 "sources": {"me": "this test"}, "not_included": ["Everything else."]}
END
"$volley" run "$work/small.json" --quiet --trace "$work/small.db" --trace-level summary >/dev/null 2>&1
check "the hand's network on a chip of one's own" clean mine.csv "$work/small.db" \
    --chip "$work/mine.json" --baseline none --csv
# own: 2 spikes x 1 synapse x 10 pJ; cells: 2 spikes x 2 synapses x 10 pJ, 2 x 3 pJ for firing.
cat >"$work/hand" <<'END'
mine,own,synops,20.000000
mine,"cells ""a"", b",synops,40.000000
mine,"cells ""a"", b",spikes,6.000000
END
check "…costs what the hand says, line by line" eval \
    'sed -n "s/^mine,-\{0,1\}[0-9]*,\(.*\),\([^,]*\),[^,]*$/\1 \2/p" "$work/mine.csv" |
         awk "{ joules = \$NF; sub(/ [^ ]*\$/, \"\"); printf \"mine,%s,%.6f\n\", \$0, joules * 1e12 }" |
         cmp - "$work/hand"'
check "…66 pJ in the view" [ "$(sql "$work/small.db" \
    "select round(sum(total_pj), 6), min(unit) from layer_energy where chip = 'mine'")" = "66.0|run" ]
check "…and on the screen, with its name" eval \
    'clean mine "$work/small.db" --chip "$work/mine.json" && has mine "66 pJ" &&
     has mine "Mine, \"made up\""'

# ---- bad options

check "no trace" fails 2 "which trace" energy
check "a trace that is not there" fails 2 "none.db" energy "$work/none.db"
check "…is not made" [ ! -e "$work/none.db" ]
check "a run that is not there" fails 2 "no run 7" energy "$db" --run 7
check "a chip that is not known, and those that are" fails 2 "truenorth" energy "$db" --chip loihi,frob
check "a chip file that is not there" fails 2 "none.json" energy "$db" --chip "$work/none.json"
check "an empty chip" fails 2 "" energy "$db" --chip loihi,
check "a chip twice" fails 2 "two of the chips" energy "$db" --chip loihi,loihi
check "--layers of another chip" fails 2 "none of the chips" energy "$db" --layers odin
check "--baseline that is not dense" fails 2 "dense" energy "$db" --baseline loihi
check "three baselines" fails 2 "at most" energy "$db" --baseline fp16,int8,fp16-7nm
check "an unknown placement" fails 2 "in-order, greedy" energy "$db" --placement random
check "explicit without a placement" fails 2 "explicit" energy "$db" --placement explicit
check "an unknown order of channels" fails 2 "by-activity" energy "$db" --channel-order alphabetical
check "--what-if on an unknown key" fails 2 "energy.frob" energy "$db" --chip loihi --what-if energy.frob=1pJ
check "--what-if without a value" fails 2 "energy.synop" energy "$db" --chip loihi --what-if energy.synop
check "--what-if with a wrong unit" fails 2 "kg" energy "$db" --chip loihi --what-if energy.synop=1kg
check "--json and --csv" fails 2 "one only" energy "$db" --json --csv
check "tables as CSV" fails 2 "--csv" energy "$db" --csv --neurobench
check "--break-even without a baseline" fails 2 "--baseline" energy "$db" --break-even --baseline none
check "--waterfall of a chip with one figure" fails 2 "one" energy "$db" --chip odin --beyond-limits --waterfall
check "no samples below zero" fails 2 "--samples" energy "$db" --samples -1
check "a model that fits on no chip: code 1" fails 1 "TrueNorth" energy "$db" --chip truenorth
check "…of several" fails 1 "none of these 2" energy "$db" --chip truenorth,odin
"$volley" run "$brain" --quiet --prompt "In the beginning" --generate 2 --float --trace "$work/float.db" >/dev/null 2>&1
check "a run without spikes" fails 2 "no spikes" energy "$work/float.db"
"$volley" run "$brain" --quiet --prompt "In the beginning" --generate 2 --trace "$work/few.db" \
    --trace-level summary >/dev/null 2>&1
check "--queue without spikes in the trace" fails 2 "--trace-level spike" energy "$work/few.db" --queue
check "--channel-order without spikes in the trace" fails 2 "--trace-level spike" \
    energy "$work/few.db" --channel-order by-activity
check "…but energy alone needs none" clean few "$work/few.db"
check "…and says what is a bound" has few "≥"
check "standard output that is full" eval \
    '"$volley" energy "$db" --no-store >/dev/full 2>"$work/err"; [ $? -eq 1 ] &&
     [ "$(wc -l <"$work/err")" -eq 1 ]'

# ---- a hostile trace

damage() {
    cp "$db" "$work/damaged.db"
    sql "$work/damaged.db" "$1"
    "$volley" energy "$work/damaged.db" --no-store >"$work/out" 2>"$work/err"
    code=$?
    [ $code -le 2 ] && { [ $code -eq 0 ] || [ "$(wc -l <"$work/err")" -eq 1 ]; }
}
check "a negative number of neurons" damage "update population set neurons = -5"
check "neurons without end" damage "update population set neurons = 4294967295"
check "a projection to nowhere" damage "update projection set target = 99999"
check "synops beyond counting" damage "update projection set synops = 9223372036854775807"
check "text where a blob belongs" damage "update neuron_activity set spikes = 'abc'"
check "a torn blob" damage "update neuron_activity set active = x'ff'"
check "no activity" damage "delete from neuron_activity"
check "a population that is gone" damage "delete from population where id = 2"
check "names that a terminal would obey" eval \
    'damage "update population set name = char(27) || '"'[2J'"' || char(10) || id" &&
     "$volley" energy "$work/damaged.db" --chip loihi --no-store >"$work/out" 2>&1 &&
     ! grep -q "$(printf "\033")" "$work/out"'

finish
