#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# `volley run` as a user calls it: every way of running gives the same bytes.
. "${0%/*}/cli.sh"

prompt='And God said, Let there be light: and there was light.'

# logits NAME OPTIONS…: runs the prompt and 20 more tokens, keeping logits and trace.
logits() {
    name=$1
    shift
    "$volley" run "$brain" --quiet --prompt "$prompt" --generate 20 --logits "$work/$name.npy" \
        --trace "$work/$name.db" --trace-level spike "$@" >"$work/$name.out" 2>"$work/$name.err"
}

# The trace but for what tells runs apart: when, how long, and the command.
content() {
    sql "$1" "select * from population order by 1, 2; select * from projection order by 1, 2;
        select run, tick, population, hex(data) from volley order by rowid;
        select * from histogram order by 1, 2, 3; select * from token order by 1, 2;
        select * from layer_sparsity"
}

same() {
    cmp "$work/plain.npy" "$work/$1.npy" && content "$work/$1.db" >"$work/$1.sql" &&
        cmp "$work/plain.sql" "$work/$1.sql"
}

check "the plain way runs" logits plain --lanes 1 --threads 1 --vector plain
content "$work/plain.db" >"$work/plain.sql"
check "lanes, threads and vector extensions change nothing" eval 'logits fast && same fast'
check "three threads change nothing" eval 'logits three --threads 3 --lanes 7 && same three'
check "expanded volleys change nothing" eval 'logits expanded --expand && same expanded'
check "expanded one by one changes nothing" \
    eval 'logits single --expand --lanes 1 --threads 2 && same single'
for coding in ternary binary unsigned twos-complement; do
    check "$coding gives the same logits" \
        eval 'logits coded --coding $coding && cmp "$work/plain.npy" "$work/coded.npy"'
    content "$work/coded.db" >"$work/coded.sql"
    mv "$work/coded.sql" "$work/merged.sql"
    rm -f "$work/coded.db"
    check "$coding expanded gives the same trace" eval \
        'logits coded --coding $coding --expand --lanes 3 && content "$work/coded.db" \
             >"$work/coded.sql" && cmp "$work/merged.sql" "$work/coded.sql"'
    rm -f "$work/coded.db"
done
"$volley" run "$brain" --quiet --prompt "$prompt" --generate 20 --logits "$work/untraced.npy" \
    >/dev/null 2>&1
check "tracing changes nothing" cmp "$work/plain.npy" "$work/untraced.npy"

text() {
    sed '/^$/,$d' "$1"
}
check "the text begins with the prompt" \
    eval 'head -n 1 "$work/plain.out" | grep -qF "$prompt"'
check "the trace alone prints the same screen" eval \
    '"$volley" report "$work/plain.db" >"$work/report" &&
     sed -n "/tokens, coding/,/projects the run/p" "$work/plain.out" | cmp - "$work/report"'
check "the text on standard output is all: progress stays on standard error" \
    eval '[ ! -s "$work/plain.err" ]'

sample() {
    "$volley" run "$brain" --quiet --json --prompt "$prompt" --generate 30 --temperature 1 \
        --top-p 0.9 --seed "$1" | sed -n 's/.*"text": //p'
}
sample 1 >"$work/one"
sample 1 >"$work/again"
sample 2 >"$work/two"
check "sampling repeats with its seed" cmp "$work/one" "$work/again"
check "another seed samples another text" eval '! cmp -s "$work/one" "$work/two"'

ids=$(sed -n 1,5p "$golden/tinybrain/paper.tokens" | paste -sd, -)
"$volley" run "$brain" --quiet --json --tokens "$ids" --generate 5 >"$work/json"
check "--json is valid JSON with the figures" eval \
    '[ "$(sql :memory: "select json_valid(t) and json_extract(t, '"'$.tokens'"') = 9 and
        json_extract(t, '"'$.total.spikes'"') > 0 and
        json_array_length(t, '"'$.energy.chips'"') = 4
        from (select cast(readfile('"'$work/json'"') as text) t)")" = 1 ]'
printf '%s' "$prompt" >"$work/prompt"
"$volley" run "$brain" --quiet --prompt-file "$work/prompt" --generate 20 \
    --logits "$work/file.npy" >/dev/null
check "a prompt from a file is the same prompt" cmp "$work/plain.npy" "$work/file.npy"

score() {
    "$volley" run "$brain" --quiet --json --score "$work/verse" "$@" |
        sed -n 's/.*"bits": //p'
}
head -n 12 "$brain/heldout.txt" >"$work/verse"
one=$(score --lanes 1)
check "a score does not depend on lanes" [ "$one" = "$(score --lanes 32)" ]
check "a score needs a float baseline of its own" [ "$one" != "$(score --float)" ]
check "--window changes what window layers see" [ "$one" != "$(score --window 4)" ]
check "--k changes the spikes" [ "$one" != "$(score --k 2)" ]
check "--down-proj repo differs from paper" [ "$one" != "$(score --down-proj repo)" ]
check "--table-bits 32 is as stored" [ "$one" = "$(score --table-bits 32)" ]
check "--table-bits 16 rounds what is stored in F16" [ "$one" != "$(score --table-bits 16)" ]
for bits in 16 8; do
    logits bits_plain --table-bits $bits --lanes 1 --threads 1 --vector plain
    check "tables of $bits bits give the same for any lanes, threads and vector extension" \
        eval 'logits bits --table-bits $bits --threads 3 --lanes 7 &&
              cmp "$work/bits_plain.npy" "$work/bits.npy"'
    rm -f "$work/bits.db" "$work/bits_plain.db"
    check "a head that is the embedding, in $bits bits" \
        eval '"$volley" run "$tied" --quiet --tokens 1,2,3 --generate 1 --table-bits $bits >"$work/out"'
done
# The score again, from the logits of the same tokens: -log2 softmax at each next token.
printf 'thecatsat' >"$work/cat"
ids=$(for letter in t h e c a t s a t; do
    sql :memory: "select json_extract(cast(readfile('$tied/vocab.json') as text), '\$.$letter')"
done | paste -sd, -)
"$volley" run "$tied" --quiet --tokens "$ids" --generate 1 --logits "$work/cat.npy" >/dev/null
bits=$("$volley" run "$tied" --quiet --json --score "$work/cat" | sed -n 's/.*"bits": //p')
again=$(tail -c +129 "$work/cat.npy" | od -An -v -t f4 -w1032 | awk -v ids="$ids" '
    BEGIN { split(ids, id, ",") }
    NR < 9 { total = 0
             for (i = 1; i <= NF; i++) total += exp($i)
             bits += (log(total) - $(id[NR + 1] + 1)) / log(2) }
    END { printf "%.6f\n", bits }')
check "the score follows from the logits" awk -v a="$bits" -v b="$again" \
    'BEGIN { exit !(a > 1 && (a - b) ^ 2 < 1e-8) }'
check "inspect lists every projection" eval \
    '[ "$("$volley" inspect "$brain" | grep -c "dense integer")" -eq 30 ]'

# 2 x (q + o: 2 x 256 x 256, k + v + gate: 3 x 128 x 256), 2 x the same without gate, 4 x 3 x 256 x 512,
# and the head 2048 x 256.
check "inspect knows the multiply-accumulates of a dense pass" eval \
    '"$volley" inspect "$brain" | grep -q " $((2 * (131072 + 98304) + 2 * (131072 + 65536) + 12 * 131072 +
        524288)) multiply-accumulates"'

finish
