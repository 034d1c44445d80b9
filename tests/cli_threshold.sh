#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Thresholds by group and head, k by population, and the search for the k of each layer.
. "${0%/*}/cli.sh"

prompt='And God said, Let there be light: and there was light.'

# logits NAME OPTIONS…
logits() {
    name=$1
    shift
    "$volley" run "$brain" --quiet --prompt "$prompt" --generate 8 --logits "$work/$name.npy" "$@" \
        >"$work/$name.out" 2>"$work/$name.err"
}

# alike WAY… : these options change nothing of the present $span.
alike() {
    logits other --threshold "$span" "$@" && cmp "$work/$span.npy" "$work/other.npy"
}

check "the plain way runs" logits plain
check "--threshold token is the plain way" \
    eval 'logits token --threshold token && cmp "$work/plain.npy" "$work/token.npy"'
for span in group head; do
    check "--threshold $span runs" \
        logits "$span" --threshold "$span" --lanes 1 --threads 1 --vector plain
    check "--threshold $span differs from token" eval '! cmp -s "$work/plain.npy" "$work/$span.npy"'
    check "$span: lanes, threads and vector extensions change nothing" alike --lanes 7 --threads 3
    check "$span: expanded volleys change nothing" alike --expand
    check "$span: another coding changes nothing" alike --coding binary
    check "$span: … nor expanded" alike --coding twos-complement --expand --lanes 3
done
check "one k for all by name is that k" eval 'logits two --k 2 && logits named --k-at "*=2" &&
    cmp "$work/two.npy" "$work/named.npy"'
check "the last name that matches holds" eval 'logits named --k 5 --k-at "*=7,layers.*=2" &&
    cmp "$work/two.npy" "$work/named.npy"'
check "k of one layer differs from k of all" eval 'logits one --k-at "layers.2.*=2" &&
    ! cmp -s "$work/two.npy" "$work/one.npy" && ! cmp -s "$work/plain.npy" "$work/one.npy"'
check "an unknown span" fails 2 "token, group or head" run "$brain" --prompt a --threshold layer
check "a name that no population has" fails 2 "'layers.4.*'" run "$brain" --prompt a \
    --k-at 'layers.0.*=2,layers.4.*=2'
check "a k that is none" fails 2 "GLOB=K" run "$brain" --prompt a --k-at 'layers.0.*=many'
check "a k by name where nothing fires" fails 2 "no population that fires" run "$brain" \
    --prompt a --float --k-at '*=2'

# ---- volley allocate

head -n 4 "$brain/heldout.txt" >"$work/verse"
allocate() {
    "$volley" allocate "$brain" --quiet --score "$work/verse" --chip ideal-45nm "$@"
}
value() {
    sql :memory: "select json_extract(cast(readfile('$work/json') as text), '\$.$1')"
}
allocate --loss 0.05 --choices 1.5,2 --json >"$work/json" 2>"$work/err"
check "--json is quiet JSON" eval '[ ! -s "$work/err" ] && [ "$(value uniform[2].k)" = 2.0 ]'
check "what was found keeps to the loss and needs less energy" awk \
    -v lost="$(value found.bits_per_character)" -v was="$(value uniform[0].bits_per_character)" \
    -v needs="$(value found.joules_per_token)" -v needed="$(value uniform[0].joules_per_token)" \
    'BEGIN { exit !(lost - was <= 0.05 && needs < needed) }'
bits=$("$volley" run "$brain" --quiet --json --score "$work/verse" --k-at "$(value found.k_at)" |
    sed -n 's/.*"bits": //p')
check "a run with its --k-at scores the same" awk -v a="$bits" \
    -v b="$(value found.bits_per_character)" -v characters="$(value characters)" \
    'BEGIN { exit !((a / characters - b) ^ 2 < 1e-10) }'
allocate --loss 0.05 --choices 1.5,2 --json --threads 3 --lanes 5 >"$work/again"
check "threads and lanes change nothing" cmp "$work/json" "$work/again"
check "a table with the command to run" eval \
    'allocate --loss 0.05 --choices 1 | grep -qF -- "--k-at '"'"'layers."'
check "nothing to choose from" eval \
    'allocate --loss 0 --choices 3 | grep -q "^Nothing among these"'
check "--loss is needed" fails 2 "--loss BITS" allocate "$brain" --score "$work/verse"
check "a text of one token" eval \
    'printf a >"$work/one" && fails 2 "two tokens" allocate "$brain" --score "$work/one" --loss 1'
check "choices that are none" fails 2 "--choices" allocate "$brain" --score "$work/verse" \
    --loss 1 --choices 2,,3
check "a chip that is none" fails 2 "unknown chip" allocate "$brain" --score "$work/verse" \
    --loss 1 --chip nothing

finish
