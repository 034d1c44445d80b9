#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# What a token costs, in time and memory, at the end of longer and longer prompts; beside it the same
# model with full attention in every layer, whose cost grows.
#
#     VOLLEY_PROGRAM=… tests/bench/lengths.sh [--up-to N] [--models LIST] [--seconds S]
#                                             [--full-seconds S] [--runs N] [--folder DIR]
#
#   --up-to         tokens of the longest prompt (100000); lengths are 1 k, 10 k, 100 k, 1 M and 4 M
#   --models        tinybrain,spikingbrain (both): examples/tinybrain, and two layers of
#                   SpikingBrain-7B's shape with random weights, which `volley make-model` writes
#   --seconds       a run is stopped after so long, and what it reached is shown (40; 0: never)
#   --full-seconds  the same for full attention (30)
#   --runs          runs of the lengths up to 10 k, from which the spread comes (3)
#   --folder        where the models and the times (CSV files) are left; a model that is there is used.
#                   Otherwise they are gone at the end. The 7B shape takes 6 GB.
#
# The long ones: tests/bench/lengths.sh --up-to 4000000 --seconds 0 --full-seconds 3600 --folder DIR
#
# Prompts are random token ids. All figures come from `volley run --timing`. The time of a token at a
# length is not an average from the beginning on: it is the median of the stretches in the last eighth
# before that length, with the least and the greatest; the wave that computes logits comes after it. Memory is
# what is resident at that length, the prompt's ids (4 bytes each) included. Full attention is the same
# files with another config.json: every layer a window layer, the window as long as the prompt. It is
# stopped when its time is over; then a + b n is fitted to its times of a token, n tokens after the
# beginning, by least squares over all stretches beyond the first 100 tokens.

set -u
: "${VOLLEY_PROGRAM:=./volley}"
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd) || exit 1
: "${VOLLEY_EXAMPLES:=$here/../../examples}"
. "$here/rows.sh"

fail() {
    echo "lengths.sh: $*" >&2
    exit "${code:-1}"
}

up_to=100000
models=tinybrain,spikingbrain
seconds=40
full_seconds=30
runs=3
folder=
while [ $# -gt 0 ]; do
    [ $# -gt 1 ] || code=2 fail "$1 needs a value; the first lines of this script say which"
    case $1 in
    --up-to) up_to=$2 ;;
    --models) models=$2 ;;
    --seconds) seconds=$2 ;;
    --full-seconds) full_seconds=$2 ;;
    --runs) runs=$2 ;;
    --folder) folder=$2 ;;
    *) code=2 fail "unknown option $1; the first lines of this script list them" ;;
    esac
    shift 2
done
for number in "$up_to" "$seconds" "$full_seconds" "$runs"; do
    case $number in '' | *[!0-9]*) code=2 fail "'$number' is no whole number" ;; esac
done
[ "$up_to" -ge 1000 ] || code=2 fail "--up-to takes 1000 tokens or more"
[ "$runs" -ge 1 ] || code=2 fail "--runs takes 1 or more"

scratch=$(mktemp -d) || exit 1
process=
trap '[ -z "$process" ] || kill $process; rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM
[ -n "$folder" ] || folder=$scratch/kept
mkdir -p "$folder" || exit 1
folder=$(cd "$folder" && pwd) || exit 1

# timed MODEL TOKENS SECONDS CSV: one run; one that is stopped is as good. Its time begins with the
# first token, when the model has been read. False if it failed, with what it said in $scratch/said.
timed() {
    rm -f "$4"
    "$VOLLEY_PROGRAM" run "$1" --tokens-file "$scratch/ids.$2" --generate 0 --quiet \
        --timing "$4" > /dev/null 2> "$scratch/said" &
    process=$!
    while [ ! -s "$4" ] && kill -0 $process 2> /dev/null; do
        sleep 0.1
    done
    tenths=0
    while [ $tenths -lt $((10 * $3)) ] || [ "$3" -eq 0 ]; do
        kill -0 $process 2> /dev/null || break
        sleep 0.1
        tenths=$((tenths + 1))
    done
    kill -INT $process 2> /dev/null
    wait $process
    stopped=$?
    process=
    [ $stopped -eq 0 ] || [ $stopped -eq 130 ]
}

# ids CONFIG TOKENS: random ids below the vocabulary's size, and 64 more for the last wave
ids() {
    awk '{ text = text $0 } END { match(text, /"vocab_size"[ \t]*:[ \t]*[0-9]+/)
        text = substr(text, RSTART, RLENGTH); sub(/.*[^0-9]/, "", text); print text }' "$1" \
        > "$scratch/vocabulary"
    awk -v vocabulary="$(cat "$scratch/vocabulary")" -v tokens="$2" 'BEGIN { srand(1)
        for (i = 0; i < tokens + 64; i++) print int(rand() * (vocabulary - 1)) }' \
        > "$scratch/ids.$2"
}

# full_of MODEL FOLDER: the same model with full attention
full_of() {
    mkdir -p "$2" || return 1
    for file in "$1"/*; do
        case ${file##*/} in config.json | *.sh | *.py | *.md) ;; *) ln -sf "$file" "$2/" ;; esac
    done
    awk -v window=$((up_to + 64)) '{ text = text $0 "\n" } END {
        if (!match(text, /"num_hidden_layers"[ \t\r\n]*:[ \t\r\n]*[0-9]+/)) exit 1
        layers = substr(text, RSTART, RLENGTH)
        sub(/.*[^0-9]/, "", layers)
        all = "0"
        for (i = 1; i < layers; i++) all = all ", " i
        if (!sub(/"attn_layers"[^]]*]/, "\"attn_layers\": [" all "]", text)) exit 1
        if (!sub(/"sliding_window"[ \t\r\n]*:[ \t\r\n]*[0-9]+/, "\"sliding_window\": " window, text))
            exit 1
        printf "%s", text }' "$1/config.json" > "$2/config.json"
}

# stretches LENGTH CSV…: microseconds a token of each stretch in the last eighth before LENGTH;
# nothing of a file that did not reach it
stretches() {
    length=$1
    shift
    for csv; do
        [ -e "$csv" ] || continue # a pattern without a match: one run, which is the long one
        awk -F , -v length_="$length" 'NR > 1 { tokens[++n] = $1; time[n] = $2 }
            END {
                if (tokens[n] < length_) exit
                for (i = 2; i <= n; i++)
                    if (tokens[i - 1] >= 0.875 * length_ && tokens[i - 1] < length_)
                        print 1e6 * (time[i] - time[i - 1]) / (tokens[i] - tokens[i - 1])
            }' "$csv"
    done
}

# at LENGTH COLUMN CSV: the column of the first line at that length or beyond
at() {
    awk -F , -v length_="$1" -v column="$2" 'NR > 1 && $1 >= length_ { print $column; exit }' "$3"
}

# quotient A B
quotient() {
    awk -v a="$1" -v b="$2" 'BEGIN { if (b > 0) printf "%.2f", a / b }'
}

# print_length LENGTH: a line of the table; and its row
print_length() {
    stretches "$1" "$folder/$model".csv "$folder/$model".short*.csv > "$scratch/flat"
    stretches "$1" "$folder/$model"-full.csv > "$scratch/full"
    full_time= full_token= full_memory=
    if [ -s "$scratch/full" ]; then
        full_time=$(at "$1" 2 "$folder/$model-full.csv")
        full_token=$(median "$scratch/full")
        full_memory=$(at "$1" 3 "$folder/$model-full.csv")
    fi
    [ -s "$scratch/flat" ] || return 0
    token=$(median "$scratch/flat")
    memory=$(at "$1" 3 "$folder/$model.csv")
    echo "$1 $token $memory" >> "$scratch/lengths"
    awk -v tokens="$1" -v all="$(at "$1" 2 "$folder/$model.csv")" -v token="$token" \
        -v memory="$memory" -v full_all="$full_time" -v full_token="$full_token" \
        -v full_memory="$full_memory" 'BEGIN {
            printf "%9d %9.2f s %9.1f us %8.1f MiB", tokens, all, token, memory / 1048576
            if (full_token != "")
                printf "   %9.2f s %9.1f us %8.1f MiB %8.2f", full_all, full_token,
                    full_memory / 1048576, full_token / token
            printf "\n" }'
    row "lengths_${model}_$1" "$model, a token after $1" us "$scratch/flat" "full attention" \
        "$scratch/full"
}

# print_flat COLUMN NAME ID: dearest by cheapest of the lengths beyond the window
print_flat() {
    awk -v window="$window" -v column="$1" '$1 > window { n++; value = $column
            if (n == 1 || value < least) least = value
            if (n == 1 || value > most) most = value }
        END { if (n > 1) print most / least }' "$scratch/lengths" > "$scratch/ratio"
    if [ -s "$scratch/ratio" ]; then
        printf '  %s, most by least of the lengths beyond the window (%s): %.3f; target: at most 1.05\n' \
            "$2" "$window" "$(cat "$scratch/ratio")"
        row "lengths_${model}_$3" "$model, $2: most by least of all lengths beyond the window" times \
            "$scratch/ratio" "" "" most 1.05 "flat within 5 %"
    else
        echo "  $2: fewer than two lengths beyond the window ($window) were reached"
        row_not_run "lengths_${model}_$3" "$model, $2: most by least of all lengths" \
            "fewer than two lengths beyond the window of $window were reached; give it more time"
    fi
}

# print_fit: full attention where it ended, and what its fit says of 4 M tokens
print_fit() {
    last=$(tail -n 1 "$folder/$model-full.csv" | cut -d , -f 1)
    reached=$(tail -n 1 "$folder/$model.csv" | cut -d , -f 1)
    [ "$last" -le "$reached" ] || last=$reached
    [ "$last" -le "$up_to" ] || last=$up_to
    stretches "$last" "$folder/$model-full.csv" > "$scratch/full"
    stretches "$last" "$folder/$model.csv" > "$scratch/flat"
    if [ ! -s "$scratch/full" ] || [ ! -s "$scratch/flat" ]; then
        row_not_run "lengths_${model}_longest" "$model, against full attention" "no length that both reached"
        return
    fi
    printf '  at %s tokens, the longest that both ran: full attention takes %s times as long for a token\n' \
        "$last" "$(quotient "$(median "$scratch/full")" "$(median "$scratch/flat")")"
    row "lengths_${model}_longest" "$model, a token after $last, the longest that both ran" us \
        "$scratch/flat" "full attention" "$scratch/full"
    awk -F , 'NR > 1 { if (n++ && tokens >= 100)
            print (tokens + $1) / 2, 1e6 * ($2 - time) / ($1 - tokens)
        tokens = $1; time = $2 }' "$folder/$model-full.csv" |
        awk '{ n++; x += $1; y += $2; xx += $1 * $1; xy += $1 * $2; yy += $2 * $2 }
            END {
                if (n < 3 || n * xx <= x * x) exit
                b = (n * xy - x * y) / (n * xx - x * x)
                a = (y - b * x) / n
                square = (n * xy - x * y) ^ 2 / ((n * xx - x * x) * (n * yy - y * y))
                printf "%.6g %.6g %.4f %d\n", a, b, square, n
            }' > "$scratch/fit"
    read -r a b square stretches < "$scratch/fit" || return 0
    token=$(tail -n 1 "$scratch/lengths" | cut -d ' ' -f 2)
    echo "$token" > "$scratch/flat"
    awk -v a="$a" -v b="$b" 'BEGIN { print a + b * 4e6 }' > "$scratch/full"
    awk -v a="$a" -v b="$b" 'BEGIN { print (a + b * 2e6) * 4 }' > "$scratch/full_prompt"
    awk -v token="$token" 'BEGIN { print token * 4 }' > "$scratch/flat_prompt"
    printf '  fit of full attention: %s us + %s us x n (R2 %s, %s stretches)\n' "$a" "$b" "$square" \
        "$stretches"
    printf '  at 4 M tokens by that fit, against %s us: a token %s times as long, the prompt %s times\n' \
        "$token" "$(quotient "$(cat "$scratch/full")" "$token")" \
        "$(quotient "$(cat "$scratch/full_prompt")" "$(cat "$scratch/flat_prompt")")"
    fitted="full attention, fitted ($a us + $b us n)"
    row "lengths_${model}_fit_token" "$model, a token after 4 M" us "$scratch/flat" "$fitted" \
        "$scratch/full"
    row "lengths_${model}_fit_prompt" "$model, a prompt of 4 M tokens" s "$scratch/flat_prompt" \
        "$fitted" "$scratch/full_prompt"
}

# measure MODEL FOLDER: all of it for one model
measure() {
    model=$1
    path=$2
    window=$(awk '{ text = text $0 } END { match(text, /"sliding_window"[ \t]*:[ \t]*[0-9]+/)
        text = substr(text, RSTART, RLENGTH); sub(/.*[^0-9]/, "", text); print text }' \
        "$path/config.json")
    ids "$path/config.json" "$up_to"
    short=$((up_to < 10000 ? up_to : 10000))
    [ -e "$scratch/ids.$short" ] || ids "$path/config.json" "$short"
    full_of "$path" "$folder/$model-full" || fail "$path/config.json has no layers or no window"
    rm -f "$folder/$model".short*.csv
    run=1
    while [ $run -le "$runs" ]; do
        csv=$folder/$model.short$run.csv
        [ $run -lt "$runs" ] || csv=$folder/$model.csv
        tokens=$short
        [ $run -lt "$runs" ] || tokens=$up_to
        timed "$path" "$tokens" "$seconds" "$csv" || fail "$model: $(tail -n 1 "$scratch/said")"
        run=$((run + 1))
    done
    timed "$folder/$model-full" "$up_to" "$full_seconds" "$folder/$model-full.csv" ||
        fail "$model with full attention: $(tail -n 1 "$scratch/said")"
    : > "$scratch/lengths"
    printf '%s\n%9s %11s %12s %12s   %s\n' "$model" tokens "in all" "a token" resident \
        "full attention: the same three, and how many times as long for a token"
    for length in 1000 10000 100000 1000000 4000000; do
        print_length "$length"
    done
    print_flat 2 "time of a token" flat_time
    print_flat 3 "resident memory" flat_memory
    print_fit
    rm -f "$scratch"/ids.*
    echo
}

case ,$models, in *,tinybrain,*) measure tinybrain "$(cd "$VOLLEY_EXAMPLES/tinybrain" && pwd)" ;; esac
case ,$models, in
*,spikingbrain,*)
    why=
    if [ -e "$folder/spikingbrain/config.json" ]; then
        :
    elif ! "$VOLLEY_PROGRAM" make-model --help > /dev/null 2>&1; then
        why="this volley has no make-model"
    elif ! "$VOLLEY_PROGRAM" make-model "$folder/spikingbrain" --like spikingbrain-7b --layers 2 \
        --quiet > /dev/null 2> "$scratch/said"; then
        why=$(tail -n 1 "$scratch/said")
    fi
    if [ -z "$why" ]; then
        measure spikingbrain "$folder/spikingbrain"
    else
        echo "spikingbrain: not run: $why"
        row_not_run lengths_spikingbrain "two layers of SpikingBrain-7B's shape" "$why"
    fi
    ;;
esac
