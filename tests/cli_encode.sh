#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# `volley encode` as a user calls it: spikes worked out by hand; tables, JSON, CSV and the trace say the
# same; the decoded signal is what the spikes say; wrong calls and files end with a sentence.
. "${0%/*}/cli.sh"

# clean OUTPUT ARGUMENTS…: volley encode must end with 0 and say nothing on standard error.
clean() {
    output=$1
    shift
    "$volley" encode "$@" >"$work/$output" 2>"$work/err" && [ ! -s "$work/err" ] && return
    sed 's/^/# /' "$work/err"
    return 1
}

# has FILE WORDS
has() {
    grep -qF -- "$2" "$work/$1" || { echo "# $1 lacks '$2'"; return 1; }
}

# json FILE EXPRESSION: of the JSON text t in a file.
json() {
    sql :memory: "select $2 from (select cast(readfile('$1') as text) t)"
}

# numbers FILE.npy: the float64 of an array, in one line.
numbers() {
    od -A n -v -t f8 -j 128 "$1" | tr -s ' \n' ' ' | sed 's/^ //; s/ $//'
}

# ---- a signal worked out by hand, range 0 … 4
#
# Step-forward, threshold 0.25 (one unit of the file): a spike where the value is more than one step
# from the baseline. first: the baseline stays at 0 until 2 > 1 (tick 3), then follows by steps of 1
# to 3, which 4 and 3 are not more than one step away from. second: 1, 2, 3 towards 4, then 2, 1
# towards 0, which is not more than one step from 1.
# Latency in 5 ticks: t = 4 (1 - x), nothing of 0, decoded exactly.

cat >"$work/hand.csv" <<'END'
# a comment
first,second
0,4
0,4
1,4

2,0
4,0
4,0
3,0
END
db=$work/enc.db
schemes=step-forward:threshold=0.25,start=0,latency:ticks=5
check "a table of numbers" clean screen "$work/hand.csv" --scheme "$schemes" --range 0:4 --tick 0.01 \
    --channels --trace "$db" --reconstruct "$work/back.npy"
check "…in eighty columns" narrow screen
check "…says range, rate, parameters and estimator" eval \
    'has screen "range 0 ... 4" && has screen "100 Hz" && has screen "threshold=0.25" &&
     has screen "mutual information" && has screen "mean over all"'
check "…and that latency is exact" grep -q '^\*latency .* exact ' "$work/screen"

spikes() {
    sql "$db" "select group_concat(first || ' ' || p.spikes || ' ' || hex(data), '; ') from encoding e
        join encoding_spikes p on p.encoding = e.id where scheme = '$1' and channel = $2"
}
check "step-forward's spikes, blob by blob" [ "$(spikes step-forward 0)" = \
    "3 3 0203000201020102" ]
check "…with both signs" [ "$(spikes step-forward 1)" = "0 5 02050002010201020101""0101" ]
check "latency's spikes" [ "$(spikes latency 0)" = "13 5 02050002040203020502""0602" ]
check "the trace's figures are those of the hand" [ "$(sql "$db" \
    "select scheme, channel, ticks, spikes, round(density, 6), round(snr_db, 3), round(rmse, 6),
        link_bits from encoding order by place, channel" | tr '\n' ' ')" = \
    "step-forward|0|7|3|0.428571|8.177|0.25|3.0 step-forward|1|7|5|0.714286|3.59|0.433013|5.0 \
latency|0|35|5|0.142857|Inf|0.0|5.0 latency|1|35|3|0.085714|Inf|0.0|3.0 " ]
check "…the mean in a view" [ "$(sql "$db" "select spikes, round(rmse, 6) from encoding_summary
    where label = 'step-forward'")" = "4.0|0.353553" ]
check "…and which kept most for the fewest spikes" [ "$(sql "$db" \
    'select group_concat(label) from encoding_front')" = latency ]
check "the decoded signal, times in rows" [ "$(numbers "$work/back-step-forward.npy")" = \
    "0 1 0 2 0 3 1 2 2 1 3 1 3 1" ]
check "…of an exact scheme is the signal" [ "$(numbers "$work/back-latency.npy")" = \
    "0 4 0 4 1 4 2 0 4 0 4 0 3 0" ]
check "…and no part is left" eval '! ls "$work" | grep -q part'
check "the trace holds the signal" [ "$(sql "$db" "select hex(data) from signal_values
    where channel = 0")" = \
    "00000000000000000000000000000000000000000000F03F0000000000000040000000000000104000000000000010400000000000000840" ]
check "…and says what it was" [ "$(sql "$db" "select length, channels, timeless, row, first,
    interval_seconds, seed, goal is null, file like '%hand.csv', command like 'volley encode %'
    from signal")" = "7|2|0|1|0|0.01|1|1|1|1" ]
if [ -n "$VOLLEY_SANITIZERS" ]; then
    echo "ok - the extension opens the spikes # SKIP sanitizers are not in that shell"
else
    check "the extension opens the spikes" [ "$(sqlite3 -batch "$db" \
        ".load ${VOLLEY_SQLITE_EXTENSION:-.libs/volley.so}" \
        "select group_concat(tick || ':' || neuron || ':' || payload, ' ') from encoding_spike
         where label = 'step-forward' and channel = 1")" = "0:0:1 1:0:1 2:0:1 3:0:-1 4:0:-1" ]
fi

# ---- the same in every form

# four OUTPUT ARGUMENTS…: four schemes on both channels.
four() {
    output=$1
    shift
    clean "$output" "$work/hand.csv" --scheme "$schemes,rate,bsa" --range 0:4 --tick 0.01 --seed 7 "$@"
}
check "JSON is JSON" eval 'four all.json --json --trace "$work/all.db" &&
    [ "$(json "$work/all.json" "json_valid(t)")" = 1 ]'
check "CSV comes with a heading" eval 'four all.csv --csv &&
    head -n 1 "$work/all.csv" | grep -q "^label,scheme,settings,channel,.*spikes.*,joules$"'
figures='spikes density rmse ticks settling_ticks bits_per_value bits_per_spike bits_per_second link_bits'
columns() { # of the figures, printed alike; $1 before and $2 behind each name
    for name in $figures; do
        printf "|| ' ' || iif(coalesce(%s, '') = '', '-', printf('%%.8e', %s))" "$1$name$2" "$1$name$2"
    done
}
json "$work/all.json" "group_concat(line, char(10)) from (select json_extract(s.value, '\$.label') ||
    ' ' || json_extract(c.value, '\$.channel') $(columns "json_extract(c.value, '\$." "')") line
    from (select cast(readfile('$work/all.json') as text) t), json_each(t, '\$.schemes') s,
    json_each(s.value, '\$.channels') c order by 1) --" >"$work/json.lines"
{
    echo '.mode csv'
    echo ".import $work/all.csv lines"
    echo '.mode list'
    echo "select label || ' ' || channel $(columns '' '') line from lines order by 1;"
} | sqlite3 -batch :memory: >"$work/csv.lines"
sql "$work/all.db" "select label || ' ' || channel $(columns '' '') line from encoding order by 1" \
    >"$work/trace.lines"
check "four schemes on two channels" [ "$(wc -l <"$work/trace.lines")" -eq 8 ]
check "JSON and trace say the same" cmp "$work/json.lines" "$work/trace.lines"
check "CSV and trace say the same" cmp "$work/csv.lines" "$work/trace.lines"
check "the whole of JSON is that of the view" [ "$(json "$work/all.json" "group_concat(line, ' ')
    from (select printf('%.9g %.9g', json_extract(s.value, '\$.overall.rmse'),
        coalesce(json_extract(s.value, '\$.overall.snr_db'), 9e999)) line
    from (select cast(readfile('$work/all.json') as text) t), json_each(t, '\$.schemes') s) --")" = \
    "$(sql "$work/all.db" "select group_concat(printf('%.9g %.9g', rmse, snr_db), ' ')
        from encoding_summary")" ]
check "the same seed gives the same bytes" eval \
    'four again.json --json && cmp "$work/all.json" "$work/again.json"'
# The spikes alone are compared: all else that is printed names the seed or the channel.
awk 'BEGIN { for (i = 0; i < 400; i++) printf "%d,%d\n", i % 37, i % 37 }' >"$work/twin.csv"
drawn() { # SEED CHANNEL: the spikes of rate on two equal channels
    clean drawn "$work/twin.csv" --scheme rate --seed "$1" --trace "$work/seed$1.db" &&
        sql "$work/seed$1.db" "select group_concat(hex(data)) from encoding e join encoding_spikes p
            on p.encoding = e.id where e.signal = 1 and channel = $2" | cksum
}
# Far from 0, in ranges of different widths: SNR is of the values as they stand in the file, so that it
# follows from their RMS, the range and RMSE; over all channels it does from those of all.
awk 'BEGIN { for (i = 0; i < 300; i++) printf "%d;%.2f\n", 1000 + i % 41, -7 + i * i % 59 / 100 }' >"$work/far.csv"
check "SNR follows from what the trace holds, for ranges that begin anywhere" eval \
    'clean far.json "$work/far.csv" --scheme radix:ticks=3,latency:ticks=9,step-forward --json \
         --trace "$work/far.db" && [ "$(sql "$work/far.db" "select count(*), sum(abs(snr_db -
         20 * log10(rms / (highest - lowest) / rmse)) < 1e-9) from encoding e join signal_channel c
         on c.signal = e.signal and c.channel = e.channel")" = "6|6" ]'
square() { # of a column by its name, over channel 0 and 1 from the file itself
    awk -F ';' -v c="$1" '{ sum += $c * $c } END { printf "%.9f", sqrt(sum / NR) }' "$work/far.csv"
}
check "…whose RMS is that of the file" [ "$(sql "$work/far.db" \
    "select group_concat(printf('%.9f', rms), ' ') from signal_channel")" = "$(square 1) $(square 2)" ]
check "…and so in JSON and view over both channels" [ "$(json "$work/far.json" "group_concat(line, ' ')
    from (select printf('%.9g', json_extract(s.value, '\$.overall.snr_db')) line
    from (select cast(readfile('$work/far.json') as text) t), json_each(t, '\$.schemes') s) --")" = \
    "$(sql "$work/far.db" "select group_concat(printf('%.9g', snr_db), ' ') from encoding_summary")" ]
check "another seed other spikes" eval '[ "$(drawn 7 0)" != "$(drawn 8 0)" ]'
check "equal channels have chance of their own" eval '[ "$(drawn 9 0)" != "$(drawn 9 1)" ]'
check "bits per second are in real time, whatever the ticks of a value" eval \
    'clean time "$work/twin.csv" --scheme radix:ticks=3,latency:ticks=9,step-forward --tick 0.5 \
         --trace "$work/time.db" && [ "$(sql "$work/time.db" "select count(*), sum(bits_per_value > 0.1),
         sum(abs(bits_per_second * 0.5 - bits_per_value) < 1e-9) from encoding")" = "6|6|6" ]'
# With 3 ticks the second channel (0 and 1 only) is exact, the first is not (1 and 3 come back as 0 and
# 1 of 4: errors 0.25 and 0.25 of x in 14 values): RMSE = sqrt(0.125 / 14), not exact as a whole.
# One spike for each value that is not 0, whatever the ticks: as many spikes, less SNR with fewer ticks.
check "of as many spikes only the higher SNR is on the front, on the screen and in the view" eval \
    'clean front "$work/hand.csv" --scheme latency:ticks=3,latency:ticks=5,latency:ticks=5 --range 0:4 \
         --trace "$work/front.db" && [ "$(grep -c "^\*latency" "$work/front")" -eq 4 ] &&
     [ "$(sql "$work/front.db" "select round(rmse, 6), round(snr_db, 3) from encoding_summary
          where label = '"'latency'"'")" = "0.094491|16.721" ] && grep -q "^ latency .* 16.72 " "$work/front" &&
     ! grep -q "^\*latency " "$work/front" && [ "$(sql "$work/front.db" \
         "select group_concat(label) from (select label from encoding_front order by label)")" = latency-2,latency-3 ]'
check "settings in the trace give the same again" eval 'clean settings.json "$work/hand.csv" --json \
    --scheme "$(sql "$work/all.db" "select group_concat(settings) from encoding where channel = 0")" \
    --range 0:4 --tick 0.01 --seed 7 && cmp "$work/all.json" "$work/settings.json"'
check "a second call is added to the trace" eval 'clean again "$work/hand.csv" --scheme radix \
    --trace "$db" && [ "$(sql "$db" "select count(*), sum(channels) from signal")" = "2|4" ] &&
     [ "$(sql "$db" "select group_concat(label) from encoding where signal = 1")" = \
       step-forward,step-forward,latency,latency ]'

# ---- what is chosen

check "one channel" eval 'clean one.json "$work/hand.csv" --scheme radix --channel 1 --json &&
    [ "$(json "$work/one.json" "json_extract(t, '"'$.schemes[0].channels[0].channel'"')")" = 1 ]'
check "channels from A on" eval 'clean two.csv "$work/hand.csv" --scheme radix --channel 1: --csv &&
    [ "$(wc -l <"$work/two.csv")" -eq 2 ]'
check "samples A:B" eval 'clean few.json "$work/hand.csv" --scheme radix --samples 2:5 --json &&
    [ "$(json "$work/few.json" "json_extract(t, '"'$.first') || ' ' || json_extract(t, '$.length'"')")" = "2 3" ]'
check "each channel has its own range" eval 'printf "1;10\n2;30\n3;20\n" >"$work/two.txt" &&
    clean own.csv "$work/two.txt" --scheme radix --csv &&
    [ "$(sed -n "s/.*\",\([^,]*,[^,]*,[^,]*\),.*/\1/p; s/^[^\"]*\"[^\"]*\",\(.*\)/\1/p" "$work/own.csv" |
         cut -d, -f1-3 | tr "\n" " ")" = "0,1,3 1,10,30 " ]'
check "…which the screen says" eval 'clean own "$work/two.txt" --scheme radix && has own "its own values"'
check "a decoded array is read like any other" eval \
    'clean array.json "$work/back-latency.npy" --scheme "$schemes" --range 0:4 --json &&
     clean table.json "$work/hand.csv" --scheme "$schemes" --range 0:4 --json &&
     sed 1,2d "$work/array.json" >"$work/a" && sed 1,2d "$work/table.json" >"$work/b" &&
     cmp "$work/a" "$work/b"'
tuned_better() {
    [ "$(json "$work/tuned.json" "json_extract(t, '\$.schemes[0].overall.snr_db') >=
        json_extract(t, '\$.schemes[1].overall.snr_db')
        and json_extract(t, '\$.schemes[0].channels[0].tuned[0]') = 'threshold'
        and json_array_length(t, '\$.schemes[1].channels[0].tuned') = 0")" = 1 ]
}
printf 'v\n7\n7\n7\n7\n' >"$work/flat.csv"
first_spikes() { # SCHEME: spikes of a signal that is 7 throughout
    clean flat.json "$work/flat.csv" --scheme "$1" --range 0:10 --json &&
        json "$work/flat.json" "json_extract(t, '\$.schemes[0].overall.spikes')"
}
check "changes begin at the first value" [ "$(first_spikes send-on-delta:delta=0.1)" = 0.0 ]
check "…unless it is said where" [ "$(first_spikes send-on-delta:delta=0.1,start=0)" = 1.0 ]
check "--tune leaves no scheme worse" eval 'clean tuned.json "$work/hand.csv" --scheme step-forward,step-forward:threshold=0.1 \
    --tune snr --json && tuned_better'
check "…and says what it tuned" eval 'clean tuned "$work/hand.csv" --scheme step-forward --tune \
    information --trace "$work/tuned.db" && has tuned "(tuned)" && has tuned "information per spike" &&
    [ "$(sql "$work/tuned.db" "select distinct tuned, goal, evaluations > 0 from encoding e join signal s
     on s.id = e.signal")" = "threshold|information|1" ]'
check "a scheme twice has two names" eval 'clean twice "$work/hand.csv" \
    --scheme radix,radix:ticks=3 --reconstruct "$work/twice.npy" && has twice "radix-2" &&
     [ -e "$work/twice-radix.npy" ] && [ -e "$work/twice-radix-2.npy" ]'
check "all schemes that make spikes of a signal" eval 'clean every.csv "$work/hand.csv" --scheme all \
    --csv && [ "$(sed 1d "$work/every.csv" | cut -d, -f1 | sort -u | wc -l)" -eq \
     "$("$volley" encode --list --json | grep -c "\"form\": \"[vsg]")" ]'

# ---- energy

cat >"$work/mine.json" <<'END'
{"volley_chip": 1, "name": "mine", "title": "Mine", "description": "For a test.",
 "arithmetic": "event",
 "energy": {
   "synop": {"value": 10, "unit": "pJ", "scope": "per-term", "evidence": "circuit", "source": "me"},
   "message_out": {"value": 2, "unit": "pJ", "scope": "per-term", "evidence": "circuit", "source": "me"},
   "spike": {"value": 3, "unit": "pJ", "scope": "per-term", "evidence": "circuit", "source": "me"}},
 "sources": {"me": "this test"}, "not_included": ["Everything else."]}
END
check "energy: spikes x (firing + message)" eval 'clean energy "$work/hand.csv" --scheme "$schemes" \
    --range 0:4 --chip "$work/mine.json" --trace "$work/energy.db" && has energy "20 pJ" &&
     has energy "firing," && has energy "no synapses" && narrow energy && [ "$(sql "$work/energy.db" \
     "select chip, round(joules * 1e12, 6) from encoding where scheme = '"'latency'"' and channel = 0")" = \
     "mine|25.0" ]'
check "…a negative spike costs as much" [ "$(sql "$work/energy.db" "select round(joules * 1e12, 6)
    from encoding where scheme = 'step-forward' and channel = 1")" = 25.0 ]
check "a chip that does not say what a spike costs" fails 2 "per-term" encode "$work/hand.csv" \
    --scheme radix --chip odin

# ---- images: values without time

printf '\000\000\010\003\000\000\000\002\000\000\000\002\000\000\000\002\000\377\200\100\003\002\001\000' \
    >"$work/two-images-idx3-ubyte"
check "images" eval 'clean images "$work/two-images-idx3-ubyte" --scheme radix:ticks=8,rank-order \
    --range 0:255 --reconstruct "$work/image.npy" --trace "$work/images.db" && narrow images &&
     has images "2 samples of 4 values" && has images "neurons=4"'
check "…come back image by image" eval '[ "$(numbers "$work/image-radix.npy")" = \
    "0 255 128 64 3 2 1 0" ] && head -c 128 "$work/image-radix.npy" | grep -aq "(2, 4)"'
check "…and are one channel in the trace" [ "$(sql "$work/images.db" "select timeless, row, length,
    channels, interval_seconds is null from signal")" = "1|4|8|1|1" ]
check "…one of them" eval 'clean image.json "$work/two-images-idx3-ubyte" --scheme radix --samples 1: \
    --range 0:255 --json --reconstruct "$work/second.npy" &&
    [ "$(numbers "$work/second.npy")" = "3 2 1 0" ] && [ "$(json "$work/image.json" "json_extract(t, '"'$.length'"')")" = 4 ]'
check "all schemes that take values" eval 'clean values "$work/two-images-idx3-ubyte" --scheme all &&
    ! grep -q "^.bsa " "$work/values" && grep -q "^.rate " "$work/values"'
check "a scheme through time refuses them" fails 2 "through time" encode "$work/two-images-idx3-ubyte" \
    --scheme bsa
check "they have no channels" fails 2 "no channels" encode "$work/two-images-idx3-ubyte" \
    --scheme radix --channel 0
check "they have no interval" fails 2 "interval" encode "$work/two-images-idx3-ubyte" \
    --scheme radix --tick 1

# ---- a sound: 8000 values a second, two channels of 16 bits, -32768 … 32767 being -1 … 1

printf 'RIFF\064\000\000\000WAVEfmt \020\000\000\000\001\000\002\000\100\037\000\000\000\175\000\000\004\000\020\000data\020\000\000\000\000\000\000\100\000\100\000\000\000\300\000\000\000\000\000\300' \
    >"$work/sound.wav"
check "a sound" eval 'clean sound "$work/sound.wav" --scheme latency:ticks=5 --range -1:1 \
    --trace "$work/sound.db" --reconstruct "$work/sound.npy" && has sound "8 kHz" &&
    [ "$(sql "$work/sound.db" "select length, channels, interval_seconds from signal")" = "4|2|0.000125" ]'
check "…comes back, channel by channel" [ "$(numbers "$work/sound.npy")" = \
    "0 0.5 0.5 0 -0.5 0 0 -0.5" ]
check "…at another rate, if that is said" eval 'clean sound.json "$work/sound.wav" --scheme radix \
    --tick 0.5 --json && [ "$(json "$work/sound.json" "json_extract(t, '"'$.interval_seconds'"')")" = 0.5 ]'

# ---- the list

check "--list" clean list --list
check "…in eighty columns" narrow list
check "…has all schemes of the table of encodings" eval 'for name in rate intervals regular latency \
    log-latency rank-order phase burst population radix binary ternary bitwise unsigned twos-complement \
    threshold-based step-forward moving-window send-on-delta sigma-delta bsa hsa constant; do
    grep -q "^$name " "$work/list" || { echo "# no $name"; exit 1; }; done'
check "…with formula, parameters and source of each" eval \
    '[ "$(grep -c "^  definition " "$work/list")" -eq "$(grep -c "^  reference " "$work/list")" ] &&
     has list "Petro, Kasabov"'
check "--list NAME is one of them" eval 'clean bsa --list bsa && [ "$(grep -c "^[a-z]" "$work/bsa")" -eq 1 ] &&
    has bsa "Schrauwen"'
check "--list --json" eval 'clean list.json --list --json &&
    [ "$(json "$work/list.json" "json_array_length(t)")" -eq "$(grep -c "^[a-z]" "$work/list")" ]'
check "--list of one that is not there" fails 2 "step-forward" encode --list frob

# ---- misuse

check "no file" fails 2 "which file" encode
check "no scheme" fails 2 "--scheme" encode "$work/hand.csv"
check "a file that is not there" fails 2 "none.csv" encode "$work/none.csv" --scheme rate
check "a scheme that is not known, and those that are" fails 2 "step-forward" encode "$work/hand.csv" \
    --scheme rate,frob
check "an empty scheme" fails 2 "unknown scheme ''" encode "$work/hand.csv" --scheme rate,
check "a parameter that is not known, and those that are" fails 2 "it has ticks" encode \
    "$work/hand.csv" --scheme latency:frob=1
check "a parameter out of range" fails 2 "threshold is -1" encode "$work/hand.csv" \
    --scheme rate,step-forward:threshold=-1
check "a parameter that is no number" fails 2 "takes a number" encode "$work/hand.csv" \
    --scheme step-forward:threshold=abc
check "a parameter without a scheme" fails 2 "begins with a parameter" encode "$work/hand.csv" \
    --scheme threshold=1,bsa
check "a current" fails 2 "no spikes" encode "$work/hand.csv" --scheme constant
check "an unknown goal" fails 2 "snr or information" encode "$work/hand.csv" --scheme rate --tune loss
check "a range that is none" fails 2 "LOW:HIGH" encode "$work/hand.csv" --scheme rate --range 4:0
check "a range that is no range" fails 2 "LOW:HIGH" encode "$work/hand.csv" --scheme rate --range 4
check "a channel that is not there" fails 2 "counted from 0" encode "$work/hand.csv" --scheme rate \
    --channel 2
check "a channel that is no number" fails 2 "--channel" encode "$work/hand.csv" --scheme rate --channel x
check "samples beyond the end" fails 2 "begins behind" encode "$work/hand.csv" --scheme rate --samples 7:9
check "samples that are none" fails 2 "A:B" encode "$work/hand.csv" --scheme rate --samples 5:5
check "no interval of zero" fails 2 "--tick" encode "$work/hand.csv" --scheme rate --tick 0
check "--json and --csv" fails 2 "one only" encode "$work/hand.csv" --scheme rate --json --csv
check "an unknown chip" fails 2 "frob" encode "$work/hand.csv" --scheme rate --chip frob

# ---- files of the wrong kind

refuses() { # WORDS, and the text of a table
    printf "$2" >"$work/wrong.csv"
    fails "${3:-1}" "$1" encode "$work/wrong.csv" --scheme rate
}
check "lines of different lengths" refuses "line 3: it has 1 values, the lines before have 2" '1,2\n3,4\n5\n'
check "a word among numbers" refuses "line 2: column 1 holds 'x'" '1,2\n3,x\n'
check "an empty field" refuses "column 1 holds ''" '1,2\n3,\n'
check "NaN" refuses "line 2: column 0 holds 'nan'" '1\nnan\n'
check "infinity" refuses "'1e999'" '1\n1e999\n'
check "no numbers" refuses "holds no numbers" 'a,b\n'
check "an empty table" refuses "holds no numbers" ''
check "a constant signal" refuses "is 5 throughout" '5\n5\n' 2
check "spikes" refuses "spikes already" 'tick,neuron,payload\n1,2,3\n' 2
printf '\223NUMPY\001\000v\000' >"$work/torn.npy"
check "a torn array" fails 1 "torn.npy" encode "$work/torn.npy" --scheme rate
check "a folder" fails 1 "" encode "$work" --scheme rate
check "a text that is no table" fails 1 "no format" encode "${0%/*}/cli.sh" --scheme rate
nan() {
    { head -c 128 "$work/back-latency.npy"; printf '\000\000\000\000\000\000\370\177'
      tail -c +137 "$work/back-latency.npy"; } >"$work/nan.npy"
    fails 1 "nan" encode "$work/nan.npy" --scheme rate
}
check "an array with NaN" nan

# ---- files that cannot be written

check "a trace that is none" fails 2 "not a trace" encode "$work/hand.csv" --scheme rate \
    --trace "$work/hand.csv"
check "…is as it was" [ "$(head -n 1 "$work/hand.csv")" = "# a comment" ]
check "a trace in a folder that is not there" fails 2 "none" encode "$work/hand.csv" --scheme rate \
    --trace "$work/none/enc.db" --reconstruct "$work/lost.npy"
check "…leaves no decoded signal" eval '! ls "$work" | grep -q lost'
check "an array in a folder that is not there" fails 2 "none" encode "$work/hand.csv" --scheme rate \
    --trace "$work/lost.db" --reconstruct "$work/none/back.npy"
check "…leaves no trace" eval '! ls "$work" | grep -q lost'
full() {
    cp "$db" "$work/full.db"
    before=$(cksum <"$work/full.db")
    for trace in full lost; do
        (trap '' XFSZ && ulimit -f 8 && exec "$volley" encode "$work/hand.csv" --scheme \
            rate:ticks=65536 --trace "$work/$trace.db") >"$work/out" 2>"$work/err"
        [ $? -eq 1 ] && [ "$(wc -l <"$work/err")" -eq 1 ] && has err "$trace.db" || return 1
    done
    [ "$(cksum <"$work/full.db")" = "$before" ] && ! ls "$work" | grep -q 'lost\|journal'
}
check "a disk that is full leaves the trace as it was, and no half one" full
full_array() {
    (trap '' XFSZ && ulimit -f 0 && exec "$volley" encode "$work/hand.csv" --scheme radix \
        --reconstruct "$work/lost.npy") 2>&1 | cat >"$work/out"
    has out "lost.npy" && ! ls "$work" | grep -q lost
}
check "…and no half array" full_array
check "standard output that is full" eval \
    '"$volley" encode "$work/hand.csv" --scheme radix >/dev/full 2>"$work/err"; [ $? -eq 1 ] &&
     [ "$(wc -l <"$work/err")" -eq 1 ]'
check "volley report of a trace without runs says so" fails 1 "no run" report "$db"

finish
