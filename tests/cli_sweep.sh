#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# `volley sweep` as a user calls it: table, JSON, CSV and trace say the same, and what `volley run`
# and `volley energy` say of each point; how many points run at a time, being killed and going on
# change no figure; wrong calls end with a sentence.
. "${0%/*}/cli.sh"

network=$examples/fashion/network.json
text=$work/text
head -c 3000 "$brain/heldout.txt" >"$text"

# json FILE EXPRESSION: of the JSON text t in a file.
json() {
    sql :memory: "select $2 from (select cast(readfile('$1') as text) t)"
}

# sweep NAME ARGUMENTS…: must end with 0 and say nothing on standard error.
sweep() {
    name=$1
    shift
    "$volley" sweep "$@" --quiet >"$work/$name" 2>"$work/err" && [ ! -s "$work/err" ] && return
    sed 's/^/# /' "$work/err"
    return 1
}

# A CSV table without the numbers of runs, which depend on which point began first.
figures() {
    cut -d , -f 1-4,6- "$work/$1"
}

# ---- one sweep, in every form

# four NAME OPTIONS…: a sweep of four points.
four() {
    name=$1
    shift
    sweep "$name" "$brain" --coding bitwise,ternary --k 2,3 --score "$text" "$@"
}

db=$work/sweep.db
check "four points run" four table --trace "$db"
check "…in eighty columns" narrow table
check "…a line for each, in the order asked for" eval '[ "$(grep -o "^[* ] [bt][a-z]* *[23] " \
    "$work/table" | head -n 4 | tr -d " *" | tr "\n" " ")" = "bitwise2 bitwise3 ternary2 ternary3 " ]'
check "…each run once, at level summary" [ "$(sql "$db" "select count(*) from run
    where status = 'done' and level = 'summary'")" = 4 ]
check "asked again it runs nothing" eval 'four again --trace "$db" &&
    cmp "$work/table" "$work/again" && [ "$(sql "$db" "select count(*) from run")" = 4 ]'
check "…and says so" eval '"$volley" sweep "$brain" --coding bitwise,ternary --k 2,3 \
    --score "$text" --trace "$db" 2>&1 >/dev/null | grep -q "4 of 4 points are in .* already"'
check "a sweep of more points runs only what is new" eval 'sweep more "$brain" --k 3,4 \
    --coding bitwise --score "$text" --trace "$db" && [ "$(sql "$db" "select count(*) from run")" = 5 ]'
check "JSON is JSON" eval 'four table.json --trace "$db" --json &&
    [ "$(json "$work/table.json" "json_valid(t)")" = 1 ]'
check "CSV has a line for each point" eval 'four table.csv --trace "$db" --csv &&
    [ "$(wc -l <"$work/table.csv")" = 5 ] &&
    head -n 1 "$work/table.csv" | grep -q "^number,coding,k,status,run,front,units,bits_per_char"'

# Every figure of every point, in 9 digits: from JSON, from CSV, from the trace.
columns="bits_per_character spikes synops ticks mean_spikes silent_fraction slot_sparsity_3
    slot_sparsity report_sparsity small_counts front units"
for column in $columns; do
    json "$work/table.json" "group_concat(v, char(10)) from (select printf('%.9g',
        json_extract(value, '\$.$column')) v from
        (select cast(readfile('$work/table.json') as text) t), json_each(t, '\$.points')) --"
done >"$work/from.json"
for column in $columns; do
    sql "$db" "select printf('%.9g', $column) from sweep_point where sweep = 1 order by number"
done >"$work/from.trace"
for column in $columns; do
    printf '.mode csv\n.import %s sweep\n.mode list\nselect printf("%%.9g", %s) from sweep;\n' \
        "$work/table.csv" "$column" | sqlite3 :memory:
done >"$work/from.csv"
check "JSON and trace agree" eval '[ "$(wc -l <"$work/from.trace")" = 48 ] &&
    cmp "$work/from.json" "$work/from.trace"'
check "CSV and trace agree" cmp "$work/from.csv" "$work/from.trace"
check "…as does energy" [ "$(sql "$db" "select count(*) = 12 and
    max(abs(json_extract(c.value, '\$.joules') - x.joules) / x.joules) < 1e-9
    from (select cast(readfile('$work/table.json') as text) t), json_each(t, '\$.points') p,
        json_each(p.value, '\$.chips') c
    join sweep_energy x on x.point = p.key + 1 and x.chip = json_extract(c.value, '\$.chip')")" = 1 ]

# ---- the same as the commands it stands for

"$volley" run "$brain" --score "$text" --coding ternary --k 2 --json --quiet >"$work/run.json"
check "a point is what volley run says of it" [ "$(json "$work/run.json" \
    "printf('%.9g %.9g %.9g', json_extract(t, '\$.bits_per_character'),
    json_extract(t, '\$.total.spikes') * 1.0 / json_extract(t, '\$.tokens'),
    json_extract(t, '\$.total.report_sparsity'))")" = "$(sql "$db" "select printf('%.9g %.9g %.9g',
    bits_per_character, spikes, report_sparsity) from sweep_point where number = 3")" ]
run=$(sql "$db" "select run from sweep_point where number = 3")
"$volley" energy "$db" --run "$run" --chip loihi --baseline none --no-store --json >"$work/energy.json"
check "…and volley energy" [ "$(json "$work/energy.json" \
    "printf('%.9g', json_extract(t, '\$.chips[0].joules'))")" = \
    "$(sql "$db" "select printf('%.9g', joules) from sweep_energy e join sweep_point p
        on p.id = e.point where number = 3 and sweep = 1 and chip = 'loihi'")" ]
check "…whose tables hold it, too" [ "$(sql "$db" "select count(*) from sweep_energy e
    join sweep_point p on p.id = e.point join estimate x on x.run = p.run and x.chip = e.chip
    where abs(x.joules / x.inferences - e.joules) <= 1e-12 * e.joules and sweep = 1")" = 12 ]

# ---- the front

check "the front is that of the definition" [ "$(sql "$db" "with q as (select number, front,
    bits_per_character b, joules j from sweep_point p join sweep_energy e on e.point = p.id
    where sweep = 1 and place = 0)
    select count(*) from q a where front <> not exists (select 1 from q c where c.b <= a.b and
        c.j <= a.j and (c.b < a.b or c.j < a.j))")" = 0 ]
check "--front changes it" eval 'four front.csv --trace "$db" --csv \
    --front silent_fraction,seconds:loihi &&
    [ "$(sql "$db" "with q as (select front, silent_fraction s, seconds t from sweep_point p
        join sweep_energy e on e.point = p.id where sweep = 1 and chip = '"'loihi'"')
        select count(*) from q a where front <> not exists (select 1 from q c where c.s >= a.s and
        c.t <= a.t and (c.s > a.s or c.t < a.t))")" = 0 ]'
check "…and a star marks it" eval 'four stars --trace "$db" && grep -q "^\* [bt]" "$work/stars"'

# ---- how many at a time, and being killed

check "one at a time or two: the same figures" eval 'four one.csv --csv --jobs 1 &&
    four two.csv --csv --jobs 2 && figures one.csv >"$work/one" &&
    figures two.csv >"$work/two" && cmp "$work/one" "$work/two" &&
    figures table.csv | cmp - "$work/one"'
check "without --trace nothing stays behind" eval 'mkdir "$work/tmp" &&
    TMPDIR=$work/tmp four nothing && [ -z "$(ls "$work/tmp")" ]'

done_points() {
    sqlite3 -readonly "$1" "select count(*) from sweep_point where status = 'done'" 2>/dev/null ||
        echo 0
}

# begin DB: sets $process to a sweep under way, of which a point is done.
begin() {
    head -c 12000 "$brain/heldout.txt" >"$work/long"
    "$volley" sweep "$brain" --coding bitwise,ternary --k 2,3,4 --score "$work/long" --trace "$1" \
        --jobs 1 --quiet >"$work/begun" 2>"$work/begun.err" &
    process=$!
    tries=0
    while [ "$(done_points "$1")" -lt 1 ] && [ "$tries" -lt 600 ]; do
        tries=$((tries + 1))
        sleep 0.05
    done
}

long() {
    "$volley" sweep "$brain" --coding bitwise,ternary --k 2,3,4 --score "$work/long" --csv "$@"
}

begin "$work/killed.db"
kill -9 "$process"
wait "$process" 2>/dev/null
kept=$(done_points "$work/killed.db")
check "killed half-way it keeps what is done" eval '[ "$kept" -ge 1 ] && [ "$kept" -lt 6 ]'
check "…and goes on there" eval 'long --trace "$work/killed.db" >"$work/resumed" 2>"$work/err" &&
    grep -q "$kept of 6 points are in .* already" "$work/err" &&
    [ "$(sql "$work/killed.db" "select count(*) from sweep")" = 1 ]'
check "…to the same table" eval 'long --quiet >"$work/through" && figures through >"$work/a" &&
    figures resumed >"$work/b" && cmp "$work/a" "$work/b"'

begin "$work/stopped.db"
kill -TERM "$process"
wait "$process"
code=$?
check "a signal ends it with its code" [ "$code" -eq 143 ]
check "…and a table of what is done" eval 'grep -q "not run" "$work/begun" &&
    [ ! -s "$work/begun.err" ]'
check "…and no run under way" [ "$(sql "$work/stopped.db" \
    "select count(*) from run where status = 'running'")" = 0 ]
check "…and goes on to the same table" eval 'long --quiet --trace "$work/stopped.db" \
    >"$work/resumed" && figures resumed | cmp - "$work/a"'
check "another text is another sweep" eval 'echo more >>"$work/long" &&
    long --trace "$work/stopped.db" >/dev/null 2>"$work/err" && ! grep -q already "$work/err"'

# ---- a spiking network

images=${VOLLEY_FASHION:-/usr/share/datasets/fashion-mnist}
if [ -e "$images/t10k-images-idx3-ubyte.gz" ]; then
    # classes NAME OPTIONS…: a sweep of a classifier.
    classes() {
        name=$1
        shift
        sweep "$name" "$network" --input "$images/t10k-images-idx3-ubyte.gz" --samples 0:50 "$@"
    }
    check "a classifier is swept, too" eval 'classes classes --encode rate,constant \
        --ticks 4,8 --trace "$work/classes.db" && grep -q accuracy "$work/classes" && narrow classes'
    "$volley" run "$network" --encode constant --ticks 8 --samples 0:50 --json --quiet \
        --input "$images/t10k-images-idx3-ubyte.gz" >"$work/run.json"
    check "…with the figures of volley run" [ "$(json "$work/run.json" "printf('%.9g %.9g %.9g',
        json_extract(t, '\$.accuracy'), json_extract(t, '\$.spikes') / 50.0,
        json_extract(t, '\$.synops') / 50.0)")" = "$(sql "$work/classes.db" "select
        printf('%.9g %.9g %.9g', accuracy, spikes, synops) from sweep_point where number = 4")" ]
    check "…and parameters of schemes" eval 'classes gains.csv \
        --encode rate:gain=0.5,ticks=4,constant:ticks=4 --ticks 4 --csv &&
        grep -q "^1,\"rate:gain=0.5,ticks=4\",4,done" "$work/gains.csv" &&
        grep -q "^2,constant:ticks=4,4,done" "$work/gains.csv"'
    "$volley" sweep "$network" --encode bsa,constant --ticks 4 --samples 0:20 --quiet \
        --input "$images/t10k-images-idx3-ubyte.gz" >"$work/mixed" 2>"$work/err"
    code=$?
    check "a point that fails does not keep others from being done" eval '[ "$code" -eq 1 ] &&
        grep -q "^  bsa .*failed: " "$work/mixed" && grep -q "^. constant .*%" "$work/mixed" &&
        grep -q "^failed: .*" "$work/mixed" && narrow mixed'
fi

# ---- points that fail

printf 'tick,neuron\n0,1\n' >"$work/bad.csv"
"$volley" sweep "$network" --encode rate --ticks 4 --input "$work/bad.csv" \
    --quiet >"$work/failed" 2>"$work/err"
code=$?
check "failed points give exit code 1" [ "$code" -eq 1 ]
check "…in a table that says why" eval 'grep -q "failed: " "$work/failed" && narrow failed &&
    [ ! -s "$work/err" ]'

# ---- wrong calls

check "no model" fails 2 "which model" sweep
check "a missing model" fails 2 "nowhere" sweep "$work/nowhere" --k 2 --score "$text"
check "nothing to sweep over" fails 2 "nothing to sweep over" sweep "$brain" --score "$text"
check "nothing to sweep over a network" fails 2 "nothing to sweep over" sweep "$network" \
    --input "$text"
check "no text" fails 2 "--score" sweep "$brain" --k 2,3
check "no samples" fails 2 "--input" sweep "$network" --ticks 4
check "a missing text" fails 2 "nowhere" sweep "$brain" --k 2 --score "$work/nowhere"
check "an empty list" fails 2 "one is empty" sweep "$brain" --k "" --score "$text"
check "an empty value" fails 2 "one is empty" sweep "$brain" --k 2,,3 --score "$text"
check "a value twice" fails 2 "twice" sweep "$brain" --k 2,2 --score "$text"
check "a k that is none" fails 2 "--k takes numbers" sweep "$brain" --k 2,x --score "$text"
check "an unknown coding" fails 2 "bitwise" sweep "$brain" --coding morse --score "$text"
check "an unknown scheme" fails 2 "latency" sweep "$network" --encode morse --input "$text"
check "ticks that are none" fails 2 "--ticks takes whole numbers" sweep "$network" --ticks 0 \
    --input "$text"
check "options of the other kind" fails 2 "--encode is for spiking networks" sweep "$brain" \
    --encode rate --score "$text"
check "…the other way round" fails 2 "--k is for language models" sweep "$network" --k 2 \
    --input "$text"
check "an unknown chip" fails 2 "abacus" sweep "$brain" --k 2 --score "$text" --chip abacus
check "an unknown column" fails 2 "there is no column 'beauty'" sweep "$brain" --k 2 \
    --score "$text" --front spikes,beauty
check "one column" fails 2 "two columns" sweep "$brain" --k 2 --score "$text" --front spikes
check "two forms" fails 2 "one only" sweep "$brain" --k 2 --score "$text" --json --csv
check "a trace that is none" fails 2 "not a trace" sweep "$brain" --k 2 --score "$text" \
    --trace "$text"
check "…is left as it was" eval 'head -c 3000 "$brain/heldout.txt" | cmp - "$text"'

finish
