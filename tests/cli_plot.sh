#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# `volley plot` as a user calls it: every picture comes out whole and says what it shows, what it
# draws is what the trace holds, hostile traces and wrong calls end with a sentence and no file.
. "${0%/*}/cli.sh"

db=$work/run.db
"$volley" run "$brain" --quiet --prompt "In the beginning" --generate 12 --trace "$db" \
    --trace-level spike >/dev/null 2>&1
"$volley" energy "$db" --chip loihi,event-45nm,spinnaker2 >/dev/null 2>&1

# ---- what needs no gnuplot

check "no picture named" fails 2 "which picture?" plot "$db" -o "$work/x.svg"
check "unknown picture" fails 2 "one of raster, histogram, layers, energy, reconstruction, pareto" \
    plot "$db" --what pie -o "$work/x.svg"
check "no trace named" fails 2 "which trace?" plot --what raster
check "no such trace" fails 2 "No such file" plot "$work/none.db" --what raster -o "$work/x.svg"
check "unknown ending" fails 2 ".svg, .png or .pdf" plot "$db" --what raster -o "$work/x.jpg"
check "over the trace itself" eval 'cp "$db" "$work/trap.svg" &&
    fails 2 "is the trace itself" plot "$work/trap.svg" --what raster -o "$work/trap.svg" &&
    cmp "$db" "$work/trap.svg"'
check "an option of another picture" fails 2 "--what layers takes no --chip" \
    plot "$db" --what layers --chip loihi -o "$work/x.svg"
check "absurd size" fails 2 "from 50 to 1000" \
    plot "$db" --what raster --width 1000000 -o "$work/x.svg"
check "no such run" fails 2 "holds no run 7" plot "$db" --what layers --run 7 -o "$work/x.svg"
check "no such population" fails 2 "matches 'nobody'" \
    plot "$db" --what raster --population nobody -o "$work/x.svg"
check "no spikes in these ticks" fails 2 "has no spikes of these" \
    plot "$db" --what raster --ticks 1000000: -o "$work/x.svg"
check "no spikes at these positions" fails 2 "has no spikes of these" \
    plot "$db" --what raster --positions 500:501 -o "$work/x.svg"
check "no such chip" fails 2 "volley energy makes it" \
    plot "$db" --what energy --chip odin -o "$work/x.svg"
check "no signal" fails 2 "holds no encoded signal and no sweep" \
    plot "$db" --what pareto -o "$work/x.svg"
check "no sweep" fails 2 "no sweep" plot "$db" --what pareto --chip loihi -o "$work/x.svg"
check "no schemes where there is no signal" fails 2 "holds no encoded signal" \
    plot "$db" --what pareto --scheme bsa -o "$work/x.svg"
check "a sweep and encodings at once" fails 2 "give one of them" \
    plot "$db" --what pareto --scheme bsa --chip loihi -o "$work/x.svg"
check "a program that is missing is named with its package" eval '
    program=$(command -v "$volley") &&
    PATH=$work "$program" plot "$db" --what layers -o "$work/x.svg" 2>"$work/err"; [ $? -eq 1 ] &&
    grep -q "gnuplot-nox" "$work/err" && [ "$(wc -l <"$work/err")" -eq 1 ]'
check "nothing of these left a file" eval '! ls "$work"/x.* >/dev/null 2>&1'

if ! command -v gnuplot >/dev/null; then
    echo "ok - the pictures themselves # SKIP gnuplot is not installed"
    finish
fi

# ---- every picture in every format

# drawn NAME.FORMAT ARGUMENTS…: the picture comes out, silently.
drawn() {
    picture=$1
    shift
    rm -f "$work/$picture"
    "$volley" plot "$@" -o "$work/$picture" >"$work/out" 2>"$work/err" && [ -s "$work/$picture" ] &&
        [ ! -s "$work/out" ] && [ ! -s "$work/err" ] && return
    sed 's/^/# /' "$work/err"
    return 1
}

# whole NAME.svg: it is XML from its beginning to its end.
whole() {
    if command -v xmllint >/dev/null; then
        xmllint --noout "$work/$1"
    elif command -v python3 >/dev/null; then
        python3 -c 'import sys, xml.dom.minidom as m; m.parse(sys.argv[1])' "$work/$1"
    else
        head -n 1 "$work/$1" | grep -q '^<?xml' && tail -n 2 "$work/$1" | grep -q '</svg>'
    fi
}

# says NAME.svg WORDS…: each is a text of the picture.
says() {
    picture=$1
    shift
    for words; do
        grep -qF "<text>$words</text>" "$work/$picture" ||
            { echo "# $picture does not say '$words'"; return 1; }
    done
}

# begins FILE TEXT: with these bytes.
begins() {
    [ "$(head -c ${#2} "$work/$1" | tr -d '\211')" = "$(printf %s "$2")" ] ||
        [ "$(dd if="$work/$1" bs=1 skip=1 count=${#2} 2>/dev/null)" = "$2" ]
}

awk 'BEGIN { for (i = 0; i < 800; i++) print sin(i / 20) + 0.3 * sin(i / 7) "," cos(i / 30) }' \
    >"$work/signal.csv"
"$volley" encode "$work/signal.csv" --scheme bsa,step-forward,radix,population --tick 0.01 \
    --trace "$work/encoded.db" >/dev/null 2>&1

for what in raster histogram layers energy; do
    check "$what as SVG" eval 'drawn $what.svg "$db" --what $what && whole $what.svg'
    check "$what as PNG" eval 'drawn $what.png "$db" --what $what && begins $what.png PNG'
    check "$what as PDF" eval 'drawn $what.pdf "$db" --what $what && begins $what.pdf %PDF-'
done
for what in reconstruction pareto; do
    check "$what as SVG" eval 'drawn $what.svg "$work/encoded.db" --what $what && whole $what.svg'
    check "$what as PNG" eval 'drawn $what.png "$work/encoded.db" --what $what &&
        begins $what.png PNG'
    check "$what as PDF" eval 'drawn $what.pdf "$work/encoded.db" --what $what &&
        begins $what.pdf %PDF-'
done
check "SVG goes to standard output" eval '"$volley" plot "$db" --what layers >"$work/stdout.svg" &&
    cmp "$work/stdout.svg" "$work/layers.svg"'
check "the same picture from the same trace" eval 'drawn again.svg "$db" --what energy &&
    cmp "$work/again.svg" "$work/energy.svg"'
check "sizes in millimetres" eval 'drawn size.svg "$db" --what layers --width 254 --height 127 &&
    grep -q "width=\"960\" height=\"480\"" "$work/size.svg"'

# ---- labels

check "the raster has axes, a name and both signs" \
    says raster.svg neuron layers.0.attn_norm "spike +1" "spike −1"
check "…and tokens" grep -q "token (up to [0-9]* virtual ticks each)" "$work/raster.svg"
check "the histogram has axes" says histogram.svg channels "count of a channel in a vector"
check "layers name the populations and the definitions" says layers.svg layers.0.attn_norm \
    layers.3.gated_unit "silent channels" "report's definition" "sparsity (%)" "spikes per channel"
check "energy names chips, causes and the unit" eval 'says energy.svg loihi event-45nm spinnaker2 \
    synops memory static && grep -q "energy per token (.*J)" "$work/energy.svg"'
check "the reconstruction names schemes and time" eval 'says reconstruction.svg signal decoded \
    "time (s)" spikes && grep -q ">bsa" "$work/reconstruction.svg"'
check "the front names schemes" says pareto.svg bsa step-forward radix population "SNR (dB)" \
    "spikes per value"

# ---- what is drawn is what is there

# The dashes of a colour: every one is a move of the pen, then a line.
dashes() {
    awk -v colour="$2" 'BEGIN { RS = "<" }
        index($0, "path stroke=") == 1 && index($0, colour) {
            count += gsub(/M[0-9.]+,[0-9.]+ *L/, "")
        }
        END { print count + 0 }' "$work/$1"
}
population=$(sql "$db" "select id from population where name = 'layers.0.attn_norm'")
counted=$(sql "$db" "select sum(spikes) from volley where population = $population")
check "the raster has a dash for every spike ($counted)" eval \
    '[ $(($(dashes raster.svg "rgb(  0, 114, 178)") + $(dashes raster.svg "rgb(213,  94,   0)"))) \
    -eq "$counted" ]'
amount=$(sql "$db" "select printf('%.2f µJ', total(t.joules) / inferences * 1e6) from estimate e
    join estimate_term t on estimate = e.id and population = $population where chip = 'loihi'")
check "a bar ends in what the estimate says ($amount)" eval '
    drawn loihi.svg "$db" --what energy --chip loihi && says loihi.svg "$amount"'

encoding="from encoding where label = 'bsa' and channel = 0"
spikes=$(sql "$work/encoded.db" "select spikes $encoding")
check "the reconstruction has a bar for every spike ($spikes)" eval '
    drawn bsa.svg "$work/encoded.db" --what reconstruction --scheme bsa &&
    [ "$(dashes bsa.svg "rgb(  0,   0,   0)")" -eq "$spikes" ]'
decibels=$(sql "$work/encoded.db" "select printf('SNR %.1f dB', snr_db) $encoding")
check "…and its SNR ($decibels)" grep -q ">$decibels, spikes per value" "$work/bsa.svg"
front=$(sql "$work/encoded.db" "select count(*) from encoding_front")
check "the front is marked ($front schemes)" [ \
    "$(grep -o "href='#gpPt6' transform" "$work/pareto.svg" | wc -l)" -eq $((front + 1)) ]

# ---- a sweep

# changed STATEMENTS: a copy of the trace $db after these.
changed() {
    cp "$db" "$work/bad.db" && sql "$work/bad.db" "$1"
}
# marks NAME.svg: how many points are on the front; one more mark is the legend's.
marks() {
    echo $(($(grep -o "href='#gpPt6' transform" "$work/$1" | wc -l) - 1))
}
swept=$work/sweep.db
head -n 2 "$brain/heldout.txt" >"$work/text"
"$volley" sweep "$brain" --k 2,4 --coding bitwise,ternary --score "$work/text" --quiet \
    --trace "$swept" >/dev/null 2>&1
db=$swept
check "a sweep as SVG" eval 'drawn sweep.svg "$swept" --what pareto && whole sweep.svg'
check "…names its axes and the options that vary" says sweep.svg "bitwise k=2" "ternary k=4" \
    "energy per token on event-45nm, at least (µJ)" "bits per character (less is better)"
check "…and marks the front that volley sweep marked" [ "$(marks sweep.svg)" -eq \
    "$(sql "$swept" "select sum(front) from sweep_point")" ]
check "on another of its chips" eval '
    drawn sweep_chip.svg "$swept" --what pareto --chip ideal-45nm &&
    says sweep_chip.svg "energy per token on ideal-45nm (nJ)"'
check "not on a chip that it has not" fails 2 "event-45nm, ideal-45nm, loihi" \
    plot "$swept" --what pareto --chip odin -o "$work/y.svg"
check "no such sweep" fails 2 "holds no sweep 7" \
    plot "$swept" --what pareto --run 7 -o "$work/y.svg"

# A front known beforehand: dearer and better, dearer and worse, as good and dearer, the same twice.
figures() {
    echo "update sweep_energy set joules = $2 * 1e-6 where point =
        (select id from sweep_point where number = $1);
        update sweep_point set bits_per_character = $3 where number = $1;"
}
changed "$(figures 1 1 2.0; figures 2 2 1.5; figures 3 3 1.7; figures 4 9 1.5)"
check "less bits are better" eval 'drawn bits.svg "$work/bad.db" --what pareto &&
    [ "$(marks bits.svg)" -eq 2 ]'
changed "update sweep set kind = 'network'; update sweep_point set accuracy = 1 - number / 10.0;
    $(figures 1 9 0; figures 2 2 0; figures 3 3 0; figures 4 1 0)"
check "…and more accuracy" eval 'drawn accuracy.svg "$work/bad.db" --what pareto &&
    says accuracy.svg "accuracy (%)" && [ "$(marks accuracy.svg)" -eq 3 ]'
changed "$(figures 1 1 2; figures 2 1 2; figures 3 3 3; figures 4 9 4)"
check "points on each other share their names" eval 'drawn same.svg "$work/bad.db" --what pareto &&
    says same.svg "bitwise k=2, bitwise k=4" && [ "$(marks same.svg)" -eq 1 ]'
changed "update sweep_point set status = 'failed' where number = 4"
"$volley" plot "$work/bad.db" --what pareto -o "$work/failed.svg" 2>"$work/err"
check "a point that failed is left out, and that is said" eval '
    [ "$(cat "$work/err")" = "volley: points that are not done, or without energy or quality, \
are left out: 1" ] && says failed.svg "ternary k=2" && ! grep -q "ternary k=4" "$work/failed.svg"'
"$volley" encode "$work/signal.csv" --scheme bsa --trace "$work/bad.db" >/dev/null 2>&1
check "encodings come first" eval 'drawn both.svg "$work/bad.db" --what pareto &&
    says both.svg "SNR (dB)"'
"$volley" plot "$work/bad.db" --what pareto --chip loihi -o "$work/both.svg" 2>"$work/err"
check "…unless a chip is named" grep -q "energy per token on loihi" "$work/both.svg"
db=$work/run.db

# ---- many spikes become an image

"$volley" plot "$db" --what raster --population '*' -o "$work/all.svg" 2>"$work/err"
check "many spikes are drawn as an image, and that is said" eval '
    grep -q "the picture is an image" "$work/err" && grep -q "<image" "$work/all.svg" &&
    whole all.svg'
check "…that is small" [ "$(wc -c <"$work/all.svg")" -lt 1000000 ]

# ---- a spiking network

"$volley" run "$examples/nir/recurrent.nir" --input "$examples/nir/bar.npy" --quiet \
    --trace "$work/net.db" --trace-level spike >/dev/null 2>&1
check "a raster of a spiking network" eval 'drawn net.svg "$work/net.db" --what raster &&
    whole net.svg && grep -q "time (ms)\|time (s)\|sample (" "$work/net.svg"'
check "…with its input, too" eval '
    drawn all_net.svg "$work/net.db" --what raster --population "*" && whole all_net.svg'
check "layers of a spiking network" eval 'drawn net_layers.svg "$work/net.db" --what layers &&
    says net_layers.svg "neurons silent in a tick (%)"'

# ---- a run without spikes in its trace

"$volley" run "$brain" --quiet --prompt "In" --generate 2 --trace "$work/plain.db" >/dev/null 2>&1
check "a raster needs level spike" fails 2 "--trace-level spike" \
    plot "$work/plain.db" --what raster -o "$work/y.svg"
check "other pictures do not" drawn plain.svg "$work/plain.db" --what layers

# ---- hostile traces

changed "update population set name = 'a''b\`touch $work/ran\`' || char(10) ||
    '\"\$(touch $work/ran)\"' ||
    '; system(\"touch $work/ran\") \\ #{}@x <&> %s ' || cast(x'ff01c2' as text) || id"
for what in raster histogram layers energy; do
    check "texts in $what stay texts" eval 'drawn bad.svg "$work/bad.db" --what $what &&
        whole bad.svg && [ ! -e "$work/ran" ]'
done
check "…of one chip, too" eval 'drawn bad.svg "$work/bad.db" --what energy --chip loihi &&
    whole bad.svg && [ ! -e "$work/ran" ]'

echo "as it was" >"$work/kept.svg"
# damaged WHAT WORDS STATEMENTS
damaged() {
    changed "$3" && fails 1 "$2" plot "$work/bad.db" --what "$1" -o "$work/kept.svg"
}
check "spikes that are none" damaged raster "is damaged" "update volley set data = randomblob(99)"
check "no spikes where there should be" damaged raster "is damaged" "update volley set data = null"
check "ticks without end" damaged raster "is damaged" "update volley set ticks = 4000000000"
check "positions below zero" damaged raster "'position'" "update volley set position = -1"
check "a neuron too many" damaged raster "beyond its population" "update population set neurons = 1"
check "endless seconds" damaged raster "'tick_seconds'" "update run set tick_seconds = 9e999"
check "counts below zero" damaged histogram "'channels'" "update histogram set channels = -1"
check "counts without end" damaged histogram "more channels" \
    "update histogram set channels = 9223372036854775807"
check "joules without end" damaged energy "'joules'" "update estimate_term set joules = 9e999"
check "joules beyond all sense" damaged energy "is damaged" \
    "update estimate_term set joules = 1e290"
check "a cause that is none" damaged energy "'term'" \
    "update estimate_term set term = 'magic' where term = 'synops'"
check "no inferences" damaged energy "'inferences'" "update estimate set inferences = 0"
check "no runs" damaged layers "holds no run" "delete from run"
cp "$work/encoded.db" "$work/whole.db"
db=$work/whole.db
check "a signal that says it is longer" damaged reconstruction "values are missing" \
    "update signal set length = 1000000000000"
check "values that are none" damaged reconstruction "not finite" \
    "update signal_values set data =
     cast(zeroblob(length(data) - 8) || x'000000000000f87f' as blob)"
check "spikes of a scheme that are none" damaged reconstruction "is damaged" \
    "update encoding_spikes set data = randomblob(length(data))"
check "spikes behind the end" damaged reconstruction "out of range" \
    "update encoding_spikes set first = first + 1000000000"
check "a scheme that is none" damaged reconstruction "unknown scheme" \
    "update encoding set settings = 'magic'"
check "neurons that the scheme has not" damaged reconstruction "neurons and ticks" \
    "update encoding set neurons = 77"
db=$swept
check "a sweep's joules without end" damaged pareto "'joules'" \
    "update sweep_energy set joules = 9e999"
check "a sweep's joules beyond all sense" damaged pareto "'joules'" \
    "update sweep_energy set joules = 1e-300"
check "a sweep's bits below zero" damaged pareto "'bits_per_character'" \
    "update sweep_point set bits_per_character = -1"
check "a sweep's bits beyond all sense" damaged pareto "'bits_per_character'" \
    "update sweep_point set bits_per_character = 1e308"
check "an accuracy above one" damaged pareto "'accuracy'" \
    "update sweep set kind = 'network'; update sweep_point set accuracy = 1.5"
check "a status that is none" damaged pareto "'status'" "update sweep_point set status = 'maybe'"
check "a bound that is none" damaged pareto "'joules_bound'" \
    "update sweep_energy set joules_bound = 'inner'"
check "options that are no JSON" damaged pareto "'options'" \
    "update sweep_point set options = '{\"k\":'"
check "options that lack what was swept" damaged pareto "'options'" \
    "update sweep_point set options = '{\"k\":[2]}'"
check "axes that are none" damaged pareto "'axes'" "update sweep set axes = '[[\"k\",7],3]'"
check "a kind of sweep that is none" damaged pareto "'kind'" "update sweep set kind = 'other'"
changed "update sweep_point set options = json_object('coding', 'a''b' || char(10) ||
    '; system(\"touch $work/ran\") \ #{}@x <&> %s ' || number, 'k', 'x')"
check "texts of a sweep stay texts" eval 'drawn bad.svg "$work/bad.db" --what pareto &&
    whole bad.svg && [ ! -e "$work/ran" ]'
changed "delete from sweep_point"
check "a sweep without points" fails 2 "no point of sweep 1" \
    plot "$work/bad.db" --what pareto -o "$work/kept.svg"
check "an old picture stays where no new one was drawn" [ "$(cat "$work/kept.svg")" = "as it was" ]
db=$work/whole.db
check "exact schemes lie on the upper edge" eval '
    changed "update encoding set snr_db = 9e999, rmse = 0 where label = '"'radix'"'" &&
    drawn exact.svg "$work/bad.db" --what pareto && says exact.svg exact'

# ---- gnuplot that fails

mkdir "$work/bin"
program=$(command -v "$volley")
cat >"$work/bin/gnuplot" <<'END'
#!/bin/sh
printf '<svg half a picture'
printf '\ngnuplot> plot\n         ^\n         line 3: out of ink\n\n' >&2
exit 1
END
chmod +x "$work/bin/gnuplot"
PATH=$work/bin:$PATH "$program" plot "$work/run.db" --what layers -o "$work/kept.svg" 2>"$work/err"
code=$?
check "its complaint becomes one sentence" eval '[ "$code" -eq 1 ] && [ "$(cat "$work/err")" = \
    "volley: gnuplot could not draw the picture: line 3: out of ink" ]'
printf '#!/bin/sh\nkill -9 $$\n' >"$work/bin/gnuplot"
PATH=$work/bin:$PATH "$program" plot "$work/run.db" --what layers -o "$work/kept.svg" 2>"$work/err"
check "a signal that ended it is named" grep -q "gnuplot was ended by signal 9" "$work/err"
check "…and the old picture stays" [ "$(cat "$work/kept.svg")" = "as it was" ]
check "no folder for the picture" fails 2 "cannot create" \
    plot "$work/run.db" --what layers -o "$work/no/such/folder.svg"
check "a full disk" eval '[ ! -c /dev/full ] || { ln -sf /dev/full "$work/full.svg" &&
    fails 1 "cannot write" plot "$work/run.db" --what layers -o "$work/full.svg"; }'
check "nothing half-written is left" eval '! ls "$work"/*.part >/dev/null 2>&1'

finish
