#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Spiking networks as a user runs them: the shipped examples, every way of running gives the same
# figures, the trace holds what the screen says, and wrong calls end with one sentence.
. "${0%/*}/cli.sh"

nir=$examples/nir/recurrent.nir
bar=$examples/nir/bar.npy
brunel=$examples/brunel/brunel.json
cuba=$examples/cuba/cuba.json
microcircuit=$examples/microcircuit/microcircuit.json

# json FILE EXPRESSION: of the JSON text t in a file.
json() {
    sql :memory: "select $2 from (select cast(readfile('$1') as text) t)"
}

# figures NAME MODEL OPTIONS…: the figures of a run, but for time and memory, to $work/NAME.figures.
figures() {
    name=$1
    shift
    "$volley" run "$@" --quiet --json >"$work/$name.full" 2>"$work/$name.err" &&
        json "$work/$name.full" \
            "json_remove(t, '$.build_seconds', '$.run_seconds', '$.memory_bytes')" \
            >"$work/$name.figures"
}

# figure FILE PATH
figure() {
    json "$work/$1.figures" "json_extract(t, '\$.$2')"
}

# spikes FILE POPULATION
spikes() {
    json "$work/$1.figures" "(select json_extract(value, '\$.spikes')
        from json_each(t, '\$.populations')
        where json_extract(value, '\$.population') = '$2')"
}

# ---- the examples, and what must not change them

# every_way NAME MODEL OPTIONS…: threads, vectors and updates give the figures of the plain way.
every_way() {
    model=$1
    shift
    figures "$model" "$@" --threads 1 --vector plain --updates all || return 1
    [ "$(json "$work/$model.full" "json_valid(t) and json_extract(t, '$.status') = 'done' and
        json_extract(t, '$.spikes') > 0 and json_extract(t, '$.synops') > 0 and
        json_extract(t, '$.run_seconds') >= 0 and json_extract(t, '$.memory_bytes') > 1e6 and
        json_extract(t, '$.energy.chips[1].arithmetic_pj') > 0 and
        json_extract(t, '$.energy.chips[2].arithmetic_pj') > 0")" = 1 ] || return 1
    [ -s "$work/$model.err" ] && return 1
    for way in '--threads 2 --updates touched' '--threads 4' '--threads 2 --vector avx2' \
        '--threads 1 --vector avx512 --updates touched'; do
        # shellcheck disable=SC2086
        if ! figures way "$@" $way; then
            grep -q 'has no kernels' "$work/way.err" && continue # this processor lacks it
            return 1
        fi
        cmp "$work/$model.figures" "$work/way.figures" || return 1
    done
}
check "brunel: every way gives the same figures" every_way brunel "$brunel" --duration 0.03
check "cuba: every way gives the same figures" every_way cuba "$cuba" --duration 0.15
check "microcircuit: every way gives the same figures" \
    every_way microcircuit "$microcircuit" --duration 0.02
check "nir: every way gives the same figures" every_way nir "$nir" --input "$bar"
check "another seed gives other spikes" eval \
    'figures other "$cuba" --duration 0.15 --seed 2 &&
     [ "$(figure other spikes)" != "$(figure cuba spikes)" ]'
check "--ticks says the same as --duration" eval \
    'figures ticks "$cuba" --ticks 1500 && cmp "$work/cuba.figures" "$work/ticks.figures"'
check "the network from NIR fires as the plain simulation beside it" eval \
    '[ "$(spikes nir pixels) $(spikes nir detectors) $(spikes nir memory)" = "1280 573 166" ]'

for model in brunel cuba microcircuit; do
    case $model in
        brunel) path=$brunel names='exc inh noise_exc noise_inh' ;;
        cuba) path=$cuba names='exc inh' ;;
        *) path=$microcircuit names='L23E L23I L4E L4I L5E L5I L6E L6I' ;;
    esac
    "$volley" run "$path" --ticks 20 --quiet >"$work/$model.out" 2>"$work/$model.err"
    check "$model: a row for each population, and what it came to" eval \
        'for name in $names; do grep -q "^$name .* [0-9]" "$work/$model.out" || exit 1; done
         grep -q "^in all: " "$work/$model.out" && grep -q "^speed: built " "$work/$model.out" &&
         grep -q "20 ticks of 0.1 ms = 0.002 s" "$work/$model.out" && [ ! -s "$work/$model.err" ]'
done

fashion=$examples/fashion/network.json
images=${VOLLEY_FASHION:-/usr/share/datasets/fashion-mnist}
if [ -e "$fashion" ] && [ -e "$images/t10k-images-idx3-ubyte.gz" ]; then
    check "fashion: 200 images, most of them right" eval \
        'figures fashion "$fashion" --encode constant --ticks 8 --samples 100:300 \
             --input "$images/t10k-images-idx3-ubyte.gz" --predictions "$work/predictions" &&
         [ "$(figure fashion samples) $(figure fashion labelled) $(figure fashion ticks)" = \
             "200 200 1600" ] &&
         [ "$(json "$work/fashion.figures" "json_extract(t, '"'$.accuracy'"') > 0.8")" = 1 ] &&
         [ "$(wc -l <"$work/predictions")" -eq 200 ]'
    check "fashion: threads and updates change nothing" eval \
        'figures again "$fashion" --encode constant --ticks 8 --samples 100:300 --threads 2 \
             --updates touched --input "$images/t10k-images-idx3-ubyte.gz" \
             --predictions "$work/again" && cmp "$work/fashion.figures" "$work/again.figures" &&
         cmp "$work/predictions" "$work/again"'
    check "fashion: every class is that of the plain simulation" eval \
        '[ "$(tr -d "\n" <"$work/predictions")" = \
             "$(cut -c101-300 "$golden/fashion/predictions.txt")" ]'
fi

# ---- the trace

db=$work/run.db
"$volley" run "$cuba" --duration 0.15 --quiet --trace "$db" --trace-level spike \
    >"$work/run.out" 2>&1
"$volley" report "$db" >"$work/report.out" 2>&1
grep -v '^speed: \|^trace: ' "$work/run.out" >"$work/screen"
check "a traced run prints what an untraced one does" eval \
    'figures traced "$cuba" --duration 0.15 --trace "$work/second.db" &&
     cmp "$work/cuba.figures" "$work/traced.figures"'
check "volley report prints the run's table" cmp "$work/screen" "$work/report.out"
check "…with a warm-up, too" eval \
    '"$volley" run "$cuba" --duration 0.15 --warm-up 0.05 --quiet |
         grep -v "^speed: \|volley energy" >"$work/warm.out" &&
     "$volley" report "$db" --warm-up 0.05 | grep -v "volley energy" >"$work/warm.report" &&
     cmp "$work/warm.out" "$work/warm.report" &&
     ! cmp -s "$work/warm.out" "$work/screen"'
check "report --json has the run's figures" eval \
    '"$volley" report "$db" --json >"$work/report.full" &&
     json "$work/report.full" "t" >"$work/report.figures" &&
     [ "$(figure report spikes) $(figure report synops)" = \
       "$(figure cuba spikes) $(figure cuba synops)" ] &&
     [ "$(json "$work/report.full" "json_extract(t, '"'$.populations'"')")" = \
       "$(json "$work/cuba.full" "json_extract(t, '"'$.populations'"')")" ]'
check "volleys add up to the populations' spikes" [ "$(sql "$db" \
    'select count(*) from (select sum(v.spikes) s, p.spikes c from population p left join volley v
     on p.run = v.run and p.id = v.population group by p.id) where s != c')" = 0 ]
check "…and those to the report" [ \
    "$(sql "$db" 'select sum(spikes), sum(synops) from population')" = \
    "$(figure cuba spikes)|$(figure cuba synops)" ]
check "synops of projections add up" [ "$(sql "$db" 'select sum(synops) from projection')" = \
    "$(figure cuba synops)" ]
check "the trace knows the tick, the seed and the length" [ "$(sql "$db" \
    'select tick_seconds, seed, ticks, positions, status from run')" = '0.0001|1|1500|1|done' ]
if [ -n "${VOLLEY_SANITIZERS:-}" ]; then
    echo "ok - the view of spikes holds every one # SKIP sanitizers are not in that shell"
elif [ -n "${VOLLEY_SQLITE_EXTENSION:-}" ] && [ -e "$VOLLEY_SQLITE_EXTENSION" ]; then
    check "the view of spikes holds every one" [ \
        "$(sqlite3 -batch "$db" ".load $VOLLEY_SQLITE_EXTENSION" \
        'select count(*), max(tick) < 1500 from spike')" = "$(figure cuba spikes)|1" ]
fi
check "export writes every spike" eval \
    '"$volley" export "$db" --spikes "$work/spikes.csv" 2>/dev/null &&
     [ "$(head -n 1 "$work/spikes.csv")" = tick,population,neuron,payload ] &&
     [ "$(($(wc -l <"$work/spikes.csv") - 1))" = "$(figure cuba spikes)" ]'
check "--trace-ticks and --trace-populations choose" eval \
    '"$volley" run "$cuba" --ticks 1500 --quiet --trace "$work/part.db" --trace-level spike \
         --trace-populations "i*" --trace-ticks 100:900 >/dev/null 2>&1 &&
     [ "$(sql "$work/part.db" "select count(*) > 0, min(tick) >= 100, max(tick) < 900,
         min(population), max(population) from volley")" = "1|1|1|1|1" ]'

# A population that is reached but does not fire, one spike from its own list, recordings.
cat >"$work/small.json" <<'END'
{"volley": 1, "tick": 0.001, "duration": 0.05,
 "rules": {"spike_area": "jump"},
 "populations": {
   "own": {"input": {"spikes": [[0.005, 0], [0.009, 2]]}, "neurons": 3},
   "cells": {"model": "lif", "neurons": 3, "parameters": {"tau": 0.01}, "output": true},
   "quiet": {"model": "lif", "neurons": 2}},
 "projections": [
   {"from": "own", "to": "cells", "rule": "one_to_one", "weight": 1.5, "delay": 0.002},
   {"from": "cells", "to": "quiet", "rule": "all_to_all", "weight": 0.25}],
 "recordings": [{"population": "quiet", "variable": "v", "neurons": [1, 1], "every": 10}]}
END
check "a document of one's own runs" eval \
    'figures small "$work/small.json" &&
     [ "$(spikes small own) $(spikes small cells) $(spikes small quiet)" = "2 2 0" ]'
check "report prints the same of populations that never fire" eval \
    '"$volley" run "$work/small.json" --quiet --trace "$work/small.db" --trace-level spike |
         grep -v "^speed: \|^trace: " >"$work/small.out" &&
     "$volley" report "$work/small.db" | cmp "$work/small.out" -'
# shape FILE: as its header says.
shape() {
    head -c 128 "$1" | LC_ALL=C sed -n "s/.*'descr': '\([^']*\)'.*'shape': (\([^)]*\)).*/\1 \2/p"
}
mkdir "$work/recordings"
check "--record-to writes what the document asks for" eval \
    '"$volley" run "$work/small.json" --quiet --record-to "$work/recordings" >/dev/null &&
     [ "$(shape "$work/recordings/quiet.v.npy")" = "<f8 5, 1" ] &&
     [ "$(stat -c %s "$work/recordings/quiet.v.npy")" = $((128 + 5 * 8)) ]'
# The cells fire at ticks 7 and 11, one tick later each adds 1/4, which decays by e^(-1/20) a tick.
check "…and what it holds is the closed form" eval \
    'tail -c +129 "$work/recordings/quiet.v.npy" | od -An -v -t f8 -w8 | awk "
        { t = (NR - 1) * 10; v = 0
          if (t >= 8) v += exp(-(t - 8) / 20) / 4
          if (t >= 12) v += exp(-(t - 12) / 20) / 4
          if ((\$1 - v) ^ 2 > 1e-24) exit 1 }"'
check "--record writes every tick of every neuron" eval \
    '"$volley" run "$nir" --input "$bar" --quiet \
         --record "memory.v=$work/v.npy,readout.v=$work/sum.npy" >/dev/null &&
     [ "$(shape "$work/v.npy")" = "<f8 100, 16" ] &&
     [ "$(shape "$work/sum.npy")" = "<f8 100, 4" ] &&
     [ "$(stat -c %s "$work/v.npy")" = $((128 + 100 * 16 * 8)) ] && [ ! -e "$work/v.npy.part" ]'
check "the readout ends where the plain simulation does" eval \
    'tail -c 32 "$work/sum.npy" | od -An -v -t f8 -w32 | awk "{
         exit !((\$1 - 0.625738860792) ^ 2 < 1e-22 &&
         (\$2 - 0.363138360340) ^ 2 < 1e-22 && (\$3 + 0.040326083400) ^ 2 < 1e-22 &&
         (\$4 - 0.652353198862) ^ 2 < 1e-22) }"'

# ---- input from other files

{
    echo tick,neuron,payload
    tail -c $((100 * 512)) "$bar" | od -An -v -t u1 -w512 |
        awk '{ for (i = 1; i <= NF; i++) if ($i) print NR - 1 "," i - 1 "," $i }'
} >"$work/bar.csv"
check "input from CSV is the same input" eval \
    'figures csv "$nir" --input "$work/bar.csv" --ticks 100 &&
     cmp "$work/nir.figures" "$work/csv.figures"'
check "a longer run goes on in silence" eval \
    'figures long "$nir" --input "$bar" --ticks 400 && [ "$(figure long ticks)" = 400 ] &&
     [ "$(spikes long pixels)" = 1280 ]'
check "a shorter run stops" eval \
    'figures short "$nir" --input "$bar" --ticks 50 && [ "$(figure short ticks)" = 50 ] &&
     [ "$(spikes short pixels)" -lt 1280 ]'
# The first two rows alone, as two samples without time.
{
    printf '\223NUMPY\001\000\166\000'
    printf '%-117s\n' "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 512), }"
    tail -c $((100 * 512)) "$bar" | head -c $((2 * 512))
} >"$work/two.npy"
check "rows without time are samples, each from the start" eval \
    'figures samples "$nir" --input "$work/two.npy" --timeless --encode constant --ticks 10 &&
     [ "$(figure samples samples) $(figure samples ticks)" = "2 20" ] &&
     figures one "$nir" --input "$work/two.npy" --timeless --encode constant --ticks 10 \
         --samples 0:1 &&
     figures two "$nir" --input "$work/two.npy" --timeless --encode constant --ticks 10 \
         --samples 1:2 &&
     [ $(($(figure one spikes) + $(figure two spikes))) = "$(figure samples spikes)" ]'
for scheme in rate latency constant; do
    check "--encode $scheme runs" figures "encoded" "$nir" --input "$work/two.npy" --timeless \
        --encode "$scheme:gain=0.5" --ticks 20
done
check "a scheme's own ticks are the run's" eval \
    'figures own "$nir" --input "$work/two.npy" --timeless --encode regular:ticks=7 &&
     [ "$(figure own ticks)" = 14 ]'
check "a scheme may take fewer ticks than the run" eval \
    'figures fewer "$nir" --input "$work/two.npy" --timeless --encode regular:ticks=7 --ticks 20 &&
     [ "$(figure fewer ticks)" = 40 ] && [ "$(spikes fewer pixels)" = "$(spikes own pixels)" ]'
check "a window is the whole sample" eval \
    'figures window "$nir" --input "$work/two.npy" --timeless --encode rank-order &&
     [ "$(figure window ticks)" = 1024 ]'
for scheme in step-forward:threshold=0.003 rate latency:gain=255 sigma-delta:threshold=0.003; do
    check "--encode $scheme of values over time" eval \
        'figures series "$nir" --input "$bar" --encode "$scheme" &&
         [ "$(figure series ticks)" = 100 ] && [ "$(spikes series pixels)" -gt 0 ]'
done
check "--encode constant makes currents of values over time" figures series "$nir" \
    --input "$bar" --encode constant:gain=255

# ---- other forms of the same network

# same_figures A B: but for the model's name.
same_figures() {
    json "$work/$1.figures" "json_remove(t, '$.model')" >"$work/a" &&
        json "$work/$2.figures" "json_remove(t, '$.model')" >"$work/b" && cmp "$work/a" "$work/b"
}
check "convert: the document fires as the NIR file" eval \
    '"$volley" convert "$nir" "$work/recurrent.json" &&
     json "$work/recurrent.json" "json_valid(t)" | grep -q 1 &&
     figures native "$work/recurrent.json" --input "$bar" && same_figures native nir'
check "convert --as: the document fires with the framework's habits" eval \
    '"$volley" convert "$nir" "$work/norse.json" --as norse &&
     figures norse "$nir" --as norse --input "$bar" &&
     figures habit "$work/norse.json" --input "$bar" &&
     same_figures norse habit && ! same_figures norse nir'
check "convert --expand: rules written out fire the same" eval \
    '"$volley" convert "$cuba" "$work/listed.json" --expand &&
     ! grep -q probability "$work/listed.json" &&
     figures listed "$work/listed.json" --duration 0.15 && same_figures listed cuba'
check "a converted document converts to itself" eval \
    '"$volley" convert "$work/recurrent.json" "$work/again.json" &&
     figures again "$work/again.json" --input "$bar" && same_figures again nir'
check "inspect shows populations, equations and synapses" eval \
    '"$volley" inspect "$nir" >"$work/inspect" &&
     grep -q "^detectors: 256 (4 x 8 x 8) neurons, lif" "$work/inspect" &&
     grep -q "tau v. = v_leak - v" "$work/inspect" &&
     grep -q "^pixels .*detectors .*convolution .* 4232" "$work/inspect" &&
     grep -q "^memory: " "$work/inspect"'
check "inspect shows what is drawn" eval \
    '"$volley" inspect "$cuba" >"$work/inspect" &&
     grep -q "2 populations, 4000 neurons, 4 projections" "$work/inspect" &&
     grep -q "^exc  *exc  *exc  *sparse" "$work/inspect"'
check "inspect shows the range of delays" eval \
    '"$volley" inspect "$microcircuit" | grep -q "^L23E .* 1 … [0-9]"'

# ---- signals

interrupted() {
    timeout --preserve-status -s INT 1.5 "$volley" run "$cuba" --duration 1e6 \
        --trace "$work/int.db" --trace-level volley --record "inh.v=$work/int.npy" \
        >"$work/int.out" 2>"$work/int.err"
    [ $? -eq 130 ] &&
     [ "$(sql "$work/int.db" 'select status, ticks > 0, (select count(*) > 0 from volley)
        from run')" = 'interrupted|1|1' ] &&
        [ "$(sql "$work/int.db" 'pragma integrity_check')" = ok ] &&
        grep -q '(interrupted)' "$work/int.out" && grep -q '^exc ' "$work/int.out"
}
check "SIGINT ends a run cleanly, table and all, code 130" interrupted
check "the trace of an interrupted run is complete up to there" [ "$(sql "$work/int.db" \
    'select count(*) from (select sum(v.spikes) s, p.spikes c from population p left join volley v
     on p.run = v.run and p.id = v.population group by p.id) where s != c')" = 0 ]
check "report reads it" eval '"$volley" report "$work/int.db" | grep -q "(interrupted)"'

# ---- misuse

check "a network that is not there" fails 2 "none.json" run "$work/none.json"
check "a NIR file that is not there" fails 2 "none.nir" run "$work/none.nir" --ticks 5
check "no length" eval 'sed "s/\"duration\": 0.05,//" "$work/small.json" >"$work/endless.json" &&
    fails 2 "--duration" run "$work/endless.json"'
check "two lengths" fails 2 "give one" run "$cuba" --ticks 5 --duration 1
check "a scheme without input" fails 2 "--encode goes with --input" run "$cuba" --encode rate
check "a warm-up that leaves nothing" fails 2 "leaves nothing" run "$cuba" --warm-up 5
check "no ticks" fails 2 "--ticks" run "$cuba" --ticks 0
check "a framework that is none" fails 2 "snntorch, norse" run "$nir" --input "$bar" --as pytorch
check "a framework for a native document" fails 2 "--as is for NIR" run "$cuba" --as norse
check "an unknown integration" fails 2 "exact, euler or event" run "$cuba" --integration rk4
check "an unknown reset" fails 2 "--reset" run "$cuba" --reset hard
check "an unknown threshold" fails 2 "--threshold" run "$cuba" --threshold soft
check "an unknown spike area" fails 2 "--spike-area" run "$cuba" --spike-area square
check "a tick of nothing" fails 2 "--dt" run "$cuba" --dt 0
check "an unknown way of updating" fails 2 "auto, all or touched" run "$cuba" --updates some
check "an unknown vector extension" fails 2 "plain" run "$cuba" --vector mmx
check "no thread" fails 2 "--threads" run "$cuba" --threads 0
check "no input where one is needed" fails 2 "--input" run "$nir" --ticks 5
check "input where none is taken" fails 2 "no population that takes" run "$cuba" --input "$bar"
check "an input that is not there" fails 2 "none.npy" run "$nir" --input "$work/none.npy"
check "an input population that is none" \
    fails 2 "'frob'" run "$nir" --input "$bar" --input-population frob
# encode_fails WHAT EXPECTED SCHEME [OPTION…], of values without time
encode_fails() {
    what=$1 expected=$2 scheme=$3
    shift 3
    check "$what" fails 2 "$expected" \
        run "$nir" --input "$work/two.npy" --timeless --encode "$scheme" "$@"
}
encode_fails "an unknown scheme" "latency" morse --ticks 5
encode_fails "an unknown parameter" "it has ticks, gain, offset" rate:frob=1 --ticks 5
encode_fails "a parameter out of range" "gain is -1" rate:gain=-1 --ticks 5
encode_fails "a parameter that is no number" "'much'" rate:gain=much --ticks 5
encode_fails "no parameter" "PARAMETER=VALUE" rate: --ticks 5
encode_fails "a scheme that is not said how long" "--ticks" rate
encode_fails "a scheme longer than the run" "runs for 5" rate:ticks=6 --ticks 5
encode_fails "a window of another size" "one window" rank-order:neurons=7 --ticks 5
encode_fails "a scheme of signals for values without time" "values over time" bsa --ticks 5
encode_fails "several neurons for a value where there is one" "4096 neurons" \
    population:neurons=8 --ticks 5
check "values without time and no scheme" fails 2 "--encode" \
    run "$nir" --input "$work/two.npy" --timeless --ticks 5
check "several ticks for a value where there is one" \
    fails 2 "ticks=1" run "$nir" --input "$bar" --encode rate:ticks=2
check "a window of values over time" \
    fails 2 "come together" run "$nir" --input "$bar" --encode rank-order
printf 'tick,neuron,payload\n3,5,1\n' >"$work/spikes.csv"
check "a scheme for spikes" \
    fails 2 "spikes already" run "$nir" --input "$work/spikes.csv" --encode rate
check "samples that are not there" fails 2 "--samples" run "$nir" --input "$bar" --samples 5:9
check "samples the wrong way round" fails 2 "--samples" run "$nir" --input "$bar" --samples 9:5
check "--record of no population" \
    fails 2 "'frob'" run "$cuba" --ticks 5 --record "frob.v=$work/x.npy"
check "--record of no variable" fails 2 "'w'" run "$cuba" --ticks 5 --record "exc.w=$work/x.npy"
check "--record without a file" fails 2 "POPULATION.VARIABLE" run "$cuba" --ticks 5 --record exc.v
check "--record of an input" fails 2 "no state variable" \
    run "$nir" --input "$bar" --record "pixels.v=$work/x.npy"
check "…leaves no file" [ ! -e "$work/x.npy" ]
check "--record where nothing can be written" fails 2 "missing" \
    run "$cuba" --ticks 5 --record "exc.v=$work/missing/x.npy"
check "--record-to a folder that is not there" fails 2 "missing" \
    run "$work/small.json" --record-to "$work/missing"
full() {
    rm -f "$work/full.npy"*
    (trap '' XFSZ && ulimit -f 100 && "$volley" run "$cuba" --ticks 200 --quiet \
        --record "exc.v=$work/full.npy" >"$work/out" 2>"$work/err")
    [ $? -eq 1 ] && [ "$(wc -l <"$work/err")" -eq 1 ] && grep -q full.npy "$work/err" &&
        [ ! -e "$work/full.npy" ] && [ ! -e "$work/full.npy.part" ]
}
check "a disk that is full while recording" full
ln -s /dev/full "$work/disk.npy.part"
check "…of which nothing is left" \
    fails 1 "disk.npy" run "$cuba" --ticks 2 --quiet --record "inh.v=$work/disk.npy"
check "standard output that is full" eval \
    '"$volley" run "$cuba" --ticks 5 --quiet >/dev/full 2>"$work/err"; [ $? -eq 1 ] &&
     [ "$(wc -l <"$work/err")" -eq 1 ]'
check "a missing folder for the trace" \
    fails 2 "missing" run "$cuba" --ticks 5 --trace "$work/missing/x.db"
check "a trace in another program's file" eval 'echo "not a database, long enough" >"$work/text.db"
    fails 2 "text.db" run "$cuba" --ticks 5 --trace "$work/text.db"'
check "an unknown trace level" fails 2 "summary, volley" \
    run "$cuba" --ticks 5 --trace "$work/x.db" --trace-level all
check "ticks and samples to be traced" fails 2 "not both" \
    run "$cuba" --ticks 5 --trace "$work/x.db" --trace-ticks 1:2 --trace-samples 0:1
check "…leave no trace" [ ! -e "$work/x.db" ]
check "a warm-up that is negative" fails 2 "--warm-up" run "$cuba" --ticks 5 --warm-up -1
check "convert to what is no document" fails 2 ".json" convert "$nir" "$work/x.txt"
check "convert to nowhere" fails 1 "missing" convert "$nir" "$work/missing/x.json"
check "convert of nothing" fails 2 "which network" convert
check "inspect of nothing" fails 2 "none" inspect "$work/none.json"

# broken WORDS TEXT: a document with the text in it. What a file holds ends with code 1.
broken() {
    words=$1
    printf '%s' "$2" >"$work/broken.json"
    fails "${3:-1}" "$words" run "$work/broken.json" --ticks 5
}
check "JSON that ends early" broken "broken.json" '{"volley": 1, "tick": 0.001, '
check "JSON of another kind" broken "broken.json" '{"hello": 1}'
check "a version that is not known" broken "volley" \
    '{"volley": 2, "tick": 0.001, "populations": {}}'
check "a model that is not known" broken "frob" \
    '{"volley": 1, "tick": 0.001, "populations": {"a": {"model": "frob", "neurons": 1}}}'
check "a parameter that is not known" broken "frob" \
    '{"volley": 1, "tick": 0.001, "populations": {"a": {"model": "lif", "neurons": 1,
      "parameters": {"frob": 1}}}}'
check "a time constant below 0" broken "tau" \
    '{"volley": 1, "tick": 0.001, "populations": {"a": {"model": "lif", "neurons": 1,
      "parameters": {"tau": -1}}}}'
check "an edge to nowhere" broken "frob" \
    '{"volley": 1, "tick": 0.001, "populations": {"a": {"model": "lif", "neurons": 1}},
      "projections": [{"from": "a", "to": "frob", "rule": "all_to_all", "weight": 1}]}'
check "a loop in which nothing takes time" broken "loop" \
    '{"volley": 1, "tick": 0.001, "populations": {"a": {"model": "lif", "neurons": 1}},
      "projections": [{"from": "a", "to": "a", "rule": "all_to_all", "weight": 1, "delay": 0}]}' 2
check "a delay below 0" broken "delay" \
    '{"volley": 1, "tick": 0.001, "populations": {"a": {"model": "lif", "neurons": 1}},
      "projections": [{"from": "a", "to": "a", "rule": "all_to_all", "weight": 1, "delay": -1}]}'
head -c 3000 "$nir" >"$work/cut.nir"
check "a NIR file that is cut short" fails 1 "cut.nir" run "$work/cut.nir" --input "$bar"
head -c 5000 "$bar" >"$work/cut.npy"
check "an array that is cut short" fails 1 "cut.npy" run "$nir" --input "$work/cut.npy"
head -c 100 /dev/urandom >"$work/noise.npy"
check "an array that is noise" fails 1 "noise.npy" run "$nir" --input "$work/noise.npy"
printf '0,0,1\n3,999999,1\n' >"$work/beyond.csv"
check "a spike of a neuron that is not there" fails 1 "999999" run "$nir" --input "$work/beyond.csv"
printf 'hello\n' >"$work/hello.csv"
check "CSV that is none" fails 1 "hello.csv" run "$nir" --input "$work/hello.csv"

finish
