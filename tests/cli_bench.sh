#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# What `make bench` is made of, with stand-ins for the benchmarks: the rows, the table, what is said
# of what could not be run, and the arithmetic of the lengths. Nothing is timed here.
. "${0%/*}/cli.sh"

bench=$(cd "${0%/*}/bench" && pwd)
table=${volley%/*}/tests/bench/table
json() { # FILE EXPRESSION…: of SQLite, over the document t
    sql :memory: "select $2 from (select cast(readfile('$1') as text) t)"
}

# ---- rows.sh

VOLLEY_BENCH_JSON=$work/rows
export VOLLEY_BENCH_JSON
. "$bench/rows.sh"
# last EXPRESSION: of the last row
last() {
    tail -n 1 "$VOLLEY_BENCH_JSON" >"$work/row"
    json "$work/row" "$1"
}
printf '%s\n' 9 10 2 4 >"$work/ours" # in order of numbers, not of letters
printf '%s\n' 26 13 40 >"$work/theirs"
row one 'a "quoted" \ text' s "$work/ours" "" "" most 6.5 'at most 6.5'
check "median, lowest, highest, no peer; a limit that is just met" [ "$(last \
    "json_extract(t, '\$.what', '\$.volley', '\$.low', '\$.high', '\$.peer', '\$.ratio', '\$.met')")" = \
    '["a \"quoted\" \\ text",6.5,2,10,null,null,true]' ]
row two x s "$work/ours" peer "$work/theirs" ratio 4.1 '4.1 times'
check "a peer's median, the ratio, a target missed" [ "$(last \
    "json_extract(t, '\$.peer', '\$.peer_value', '\$.ratio', '\$.met')")" = '["peer",26,4,false]' ]
row three x s "$work/ours" peer "$work/theirs" ratio 4 '4 times'
check "a target met" [ "$(last "json_extract(t, '\$.met')")" = 1 ]
row four x s "$work/ours" "peer (not installed)" "$work/none" ratio 4 '4 times'
check "a peer that is not there" [ "$(last \
    "json_extract(t, '\$.peer', '\$.peer_value', '\$.met')")" = '["peer (not installed)",null,null]' ]
row_not_run five thing "$(printf 'a\ttab\nand a "line"')"
check "a reason of any bytes" [ "$(last "json_extract(t, '\$.reason')")" = 'a tab and a "line"' ]

# ---- table

cat >"$work/rows" <<'ROWS'
{"id":"a_1","what":"spikes","unit":"M spikes/s","volley":31.2,"low":30.1,"high":32.04,"peer":null,"peer_value":null,"ratio":null,"target":"20 M spikes/s","met":true}
no object
["neither"]
{"id":"b_1","what":"products","unit":"G/s","volley":null,"peer":"Dense","peer_value":12.48,"against":"a_1"}
{"id":"b_2","what":"products","unit":"G/s","volley":null,"peer":"Dense","peer_value":15,"against":"none"}
{"id":"c","what":"a|b","unit":"","volley":0.00123456,"ratio":12345.6,"met":false}
{"id":"d","what":"thing","reason":"peer is not installed"}
ROWS
"$table" collect "$work/rows" "$work/bench.json" "volley 1" >"$work/plain"
check "the document has the machine and every line" [ "$(json "$work/bench.json" "json_extract(t,
    '\$.machine.volley'), json_array_length(t, '\$.rows'), json_extract(t, '\$.machine.cores') > 0,
    json_extract(t, '\$.machine.date') like '2%Z'")" = 'volley 1|7|1|1' ]
check "a peer gets its row's figures" [ "$(json "$work/bench.json" \
    "json_extract(t, '\$.rows[3].volley', '\$.rows[3].high', '\$.rows[3].ratio')")" = '[31.2,32.04,2.5]' ]
check "rows that are no rows are said" [ "$(grep -c 'no JSON object with an id' "$work/plain")" = 2 ]
check "the table shows figures, spread, target, reason" eval '
    grep -q "^spikes  *31.2 M spikes/s (30.1 … 32.0)  *20 M spikes/s  met$" "$work/plain" &&
    grep -q "^products  *31.2 G/s (30.1 … 32.0)  *Dense: 12.5  2.50$" "$work/plain" &&
    grep -q "^products  *Dense: 15.0$" "$work/plain" &&
    grep -q "^a|b  *0.00123  *12346  *missed$" "$work/plain" &&
    grep -q "^thing  *not run: peer is not installed$" "$work/plain"'
"$table" markdown "$work/bench.json" c 'b_*' >"$work/markdown"
check "rows are picked in the order given, for the README" eval '
    [ "$(tail -n 3 "$work/markdown")" = "| a\\|b | 0.00123 |  | 12346 |  | missed |
| products | 31.2 G/s (30.1 … 32.0) | Dense: 12.5 | 2.50 |  |  |
| products |  | Dense: 15.0 |  |  |  |" ]'
check "a document that is none" eval '! "$table" show "$work/rows" 2>"$work/err" >"$work/out" &&
    [ ! -s "$work/out" ] && grep -q "^table: $work/rows: " "$work/err"'
check "no rows at all" eval ': >"$work/none"; "$table" collect "$work/none" "$work/b.json" v >/dev/null'

# ---- bench.sh

unset VOLLEY_BENCH_JSON
mkdir "$work/programs" "$work/bin"
cp "$table" "$work/programs/"
stand_in() { # NAME SCRIPT
    printf '#!/bin/sh\n%s\n' "$2" >"$work/programs/$1"
    chmod +x "$work/programs/$1"
}
run_bench() {
    PYTHON=$work/no/python BENCH_JSON=$work/bench.json VOLLEY_BENCH_PROGRAMS=$work/programs \
        VOLLEY_PROGRAM=$volley BENCH_SECONDS=${limit-60} sh "$bench/bench.sh" "$@" >"$work/out" 2>"$work/err"
}
reason() { # ID
    json "$work/bench.json" "(select json_extract(value, '\$.reason') from json_each(t, '\$.rows')
        where json_extract(value, '\$.id') = '$1')"
}
stand_in memory 'echo "{\"id\":\"memory_read_1\",\"volley\":40.8,\"low\":1}" >>"$VOLLEY_BENCH_JSON"
echo "{\"id\":\"memory_read_2\",\"volley\":8.37e+01,\"low\":1}" >>"$VOLLEY_BENCH_JSON"'
stand_in delivery 'echo "{\"id\":\"d\",\"what\":\"$VOLLEY_BENCH_READ_1 $VOLLEY_BENCH_READ_2\"}" >>"$VOLLEY_BENCH_JSON"'
stand_in head :
check "with no peer and no Python it ends well" run_bench memory torch delivery head trace schemes energy
check "… and says of each why" [ "$(for id in torch head trace schemes energy; do reason $id; done)" = \
    "$work/no/python is not there (Debian: python3)
it handed no rows on
$work/programs/trace has not been built
$work/no/python is not there (Debian: python3)
$work/no/python is not there (Debian: python3)" ]
check "the speed of memory reaches those after it" [ "$(json "$work/bench.json" "(select
    json_extract(value, '\$.what') from json_each(t, '\$.rows') where
    json_extract(value, '\$.id') = 'd')")" = '40.8 8.37e+01' ]
stand_in trace 'echo "{\"id\":\"t\"}" >>"$VOLLEY_BENCH_JSON"; echo the disk is full >&2; exit 3'
check "one that fails is a row, and the exit code" eval 'run_bench trace head; [ $? -eq 1 ] &&
    [ "$(reason trace)" = "it ended with exit code 3: the disk is full" ] && grep -q "the disk" "$work/err"'
stand_in queue 'sleep 20'
check "one that does not end is stopped" eval 'limit=1 run_bench queue &&
    [ "$(reason queue)" = "stopped after 1 s, before its end" ]'
check "a name that is none" eval 'run_bench frob; [ $? -eq 2 ] && grep -q "memory torch" "$work/err"'

# ---- lengths.sh, with a volley that costs what is known: 100 us a token and 32 MiB; with full
# attention 50 us + 0.02 us n and 1 KiB a token, stopped after 20,000 tokens

cat >"$work/bin/volley" <<'VOLLEY'
#!/bin/sh
[ "$1" = run ] || exit 1
for argument; do
    [ "$before" = --tokens-file ] && ids=$(wc -l <"$argument")
    [ "$before" = --timing ] && csv=$argument
    before=$argument
done
full=0
case $2 in *-full) full=1 ;; esac
awk -v ids="$ids" -v full=$full 'BEGIN {
    print "tokens,seconds,resident_bytes"
    if (full && ids > 20000) ids = 20000
    for (n = 0; ; n = n + 32 < ids ? n + 32 : ids) {
        if (n >= due || n == ids) {
            printf "%d,%.9f,%d\n", n, 1e-6 * (full ? 50 * n + 0.01 * n * n : 100 * n), 33554432 + full * 1024 * n
            step = 1
            while (n / step >= 100) step *= 10
            due = (int(n / step) + 1) * step
        }
        if (n == ids) exit
    } }' >"$csv"
VOLLEY
chmod +x "$work/bin/volley"
VOLLEY_BENCH_JSON=$work/lengths.rows VOLLEY_PROGRAM=$work/bin/volley VOLLEY_EXAMPLES=$examples \
    sh "$bench/lengths.sh" --up-to 100000 --folder "$work/lengths" >"$work/lengths.out" 2>"$work/err"
check "lengths: the costs are those put in" eval '
    grep -q "^ *1000 *0.10 s *100.0 us *32.0 MiB *0.06 s *6[89].[0-9] us *33.0 MiB *0.6[89]$" "$work/lengths.out" &&
    grep -q "^ *10000 *1.00 s *100.0 us *32.0 MiB *1.5[0-9] s *23[78].[0-9] us *41.8 MiB *2.3[78]$" "$work/lengths.out" &&
    grep -q "^ *100000 *10.00 s *100.0 us *32.0 MiB$" "$work/lengths.out"'
check "lengths: flat is 1, the fit finds a and b" eval '
    [ "$(grep -c "(128): 1.000" "$work/lengths.out")" = 2 ] &&
    grep -q "fit of full attention: 50 us + 0.02 us x n (R2 1.0000" "$work/lengths.out" &&
    grep -q "at 4 M tokens.*a token 800.50 times as long, the prompt 400.50 times" "$work/lengths.out"'
check "lengths: rows are made of it" [ "$(awk 'BEGIN { print "[" } { print sep $0; sep = "," }
    END { print "]" }' "$work/lengths.rows" >"$work/l.json" && json "$work/l.json" "(select group_concat(
    json_extract(value, '\$.id') || coalesce(json_extract(value, '\$.met'), '')) from json_each(t))")" = \
    lengths_tinybrain_1000,lengths_tinybrain_10000,lengths_tinybrain_100000,lengths_tinybrain_flat_time1,lengths_tinybrain_flat_memory1,lengths_tinybrain_longest,lengths_tinybrain_fit_token,lengths_tinybrain_fit_prompt,lengths_spikingbrain ]
check "lengths: the other model has full attention everywhere" eval '
    grep -q "\"attn_layers\": \[0, 1, 2, 3\]" "$work/lengths/tinybrain-full/config.json" &&
    grep -q "\"sliding_window\": 100064" "$work/lengths/tinybrain-full/config.json" &&
    "$volley" inspect "$work/lengths/tinybrain-full" >"$work/inspect" &&
    [ "$(grep -c "window attention" "$work/inspect")" = 4 ] && ! grep -q "linear attention" "$work/inspect"'
check "lengths: with the program itself" eval 'VOLLEY_PROGRAM=$volley VOLLEY_EXAMPLES=$examples sh "$bench/lengths.sh" \
    --up-to 1000 --runs 1 --full-seconds 10 --models tinybrain >"$work/out" && grep -q "^ *1000 .* MiB .* MiB" "$work/out"'
check "lengths: an option that is none" eval 'sh "$bench/lengths.sh" --frob 1 2>"$work/err"; [ $? -eq 2 ]'

finish
