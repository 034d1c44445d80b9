#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# `volley make-model` as a user calls it: what it writes runs, is the same bytes for any number of
# threads, and is there whole or not at all.
. "${0%/*}/cli.sh"

# made NAME OPTIONS…: a checkpoint like tiny at $work/NAME.
made() {
    name=$1
    shift
    "$volley" make-model "$work/$name" --like tiny --quiet "$@" >"$work/out" 2>"$work/err" &&
        [ ! -s "$work/err" ]
}

# run NAME OPTIONS…: its screen.
tokens=1,2,3,4,5,6,7,8,9,10,300,200,100,50,60,70,90,91,92,93,94,95,96,97,98,99,311,312,313,314
run() {
    name=$1
    shift
    "$volley" run "$work/$name" --quiet --tokens $tokens --generate 3 --ignore-end "$@"
}

# alone NAME: nothing of that name or of its parts is left.
alone() {
    [ -z "$(find "$work" -maxdepth 1 -name "$1*")" ]
}

check "a checkpoint is written" made model
check "…and one line says what" eval \
    '[ "$(wc -l <"$work/out")" -eq 1 ] &&
     grep -q "4 layers, 87 tensors, 2710656 numbers" "$work/out"'
check "…with config, index and weights, and nothing else" eval \
    '[ "$(cd "$work/model" && echo *)" = \
       "config.json model-00001-of-00001.safetensors model.safetensors.index.json" ]'
check "it runs" eval 'run model >"$work/screen"'
check "16 to 20 % of its channels are silent" awk \
    '$1 == "all" { right = $2 + 0 >= 16 && $2 + 0 <= 20 } END { exit !right }' "$work/screen"
check "inspect knows what it is" eval \
    '"$volley" inspect "$work/model" | grep -q "attn.gk_proj.*dense integer"'

check "one thread writes the same" eval \
    'made single --threads 1 && diff -r "$work/model" "$work/single"'
check "seven threads write the same" eval \
    'made seven --threads 7 && diff -r "$work/model" "$work/seven"'
check "another seed, other weights" eval \
    'made seeded --seed 1 && ! cmp -s "$work/model/model-00001-of-00001.safetensors" \
         "$work/seeded/model-00001-of-00001.safetensors"'

# One tensor a file: the same logits, and the same tensors for another number of layers.
check "a shard for every tensor" eval \
    'made split --shard-bytes 1 && [ "$(find "$work/split" -type f | wc -l)" -eq 89 ]'
logits() {
    run "$1" --logits "$work/$1.npy" >/dev/null
}
check "…gives the same logits" eval \
    'logits model && logits split && cmp "$work/model.npy" "$work/split.npy"'
check "layers that are in both are the same in both" eval \
    'made less --shard-bytes 1 --layers 2 && for i in 01 02 03 10 20 30 40 42; do
         cmp "$work/split/model-000$i-of-00087.safetensors" \
             "$work/less/model-000$i-of-00045.safetensors" || return 1
     done'

index() {
    sql :memory: "select $2 from json_each(json_extract(readfile('$work/$1'), '\$.weight_map'))"
}
total() {
    sql :memory: "select json_extract(readfile('$work/$1'), '\$.metadata.total_size')"
}
list=model.safetensors.index.json
check "the index lists every tensor once" eval \
    '[ "$(index split/$list "count(distinct key), count(distinct value)")" = "87|87" ]'
check "…and how many bytes they have" eval \
    '[ "$(total model/$list)" -eq $((4 * 2710656)) ]'

check "window layers throughout, with another window" eval \
    'made full --attn-layers all --window 777 && run full >"$work/screen" &&
     grep -q "window 777" "$work/screen" && [ "$(grep -c " query " "$work/screen")" -eq 4 ]'

check "the base checkpoint" eval 'made base --format base --shard-bytes 1000000 &&
    [ -f "$work/base/pytorch_model.bin.index.json" ] &&
    [ -f "$work/base/pytorch_model-00001-of-00006.bin" ]'
check "…has a tensor for every name" eval \
    '[ "$(index base/pytorch_model.bin.index.json "count(*), count(distinct value)")" = "59|6" ]'
members() {
    sql :memory: "select group_concat(name, ' ') from (select name
        from zipfile('$work/base/pytorch_model-00001-of-00006.bin') where method = 0 limit 4)"
}
check "…in archives that others can read" eval \
    'stem=pytorch_model-00001-of-00006
     [ "$(members)" = "$stem/data.pkl $stem/byteorder $stem/data/0 $stem/data/1" ]'
check "…with three threads the same" eval \
    'made base3 --format base --shard-bytes 1000000 --threads 3 &&
     diff -r "$work/base" "$work/base3"'

# What is in the way.
check "an empty folder is filled" eval 'mkdir "$work/empty" && made empty && run empty >/dev/null'
check "a slash at the end" eval 'made slash/ && run slash >/dev/null'
check "a folder that holds something" fails 2 "is not empty" make-model "$work/model" --like tiny
: >"$work/file"
check "a file" fails 2 "is not a folder" make-model "$work/file" --like tiny
check "a folder that is not there" fails 2 "none/model" make-model "$work/none/model" --like tiny
check "no folder" fails 2 "to which folder" make-model --like tiny
check "no model" fails 2 "like which model" make-model "$work/new"
check "another model" fails 2 "not 'llama'" make-model "$work/new" --like llama
check "another format" fails 2 "--format takes" make-model "$work/new" --like tiny --format gguf
check "other layers" fails 2 "--attn-layers takes" make-model "$work/new" --like tiny \
    --attn-layers even
check "no layers" fails 2 "--layers takes" make-model "$work/new" --like tiny --layers 0
check "…and nothing of these is left" alone new

check "a disk that is too small" fails 1 "free; make room" \
    make-model "$work/huge" --like spikingbrain-7b --layers 4096
check "…leaves nothing" alone huge
limited() (
    ulimit -f 2000 || exit 1
    fails "$@"
)
check "a file that may not grow so large" limited 1 "cannot be written: File too large" \
    make-model "$work/limited" --like tiny
check "…leaves nothing" alone limited
: >"$work/out"

# interrupted SIGNAL CODE: stops it in the midst.
interrupted() {
    "$volley" make-model "$work/stopped" --like tiny --layers 1000 --shard-bytes 50000000 \
        --threads 1 --quiet >"$work/out" 2>"$work/err" &
    child=$!
    until [ -n "$(find "$work" -path "*/stopped.*.part/*")" ]; do
        kill -0 $child 2>/dev/null || break
    done
    kill -"$1" $child
    wait $child
    [ $? -eq "$2" ] && [ ! -e "$work/stopped" ] && [ ! -s "$work/out" ]
}
check "a signal stops it" interrupted TERM 143
check "…and leaves nothing" alone stopped
check "killed outright it leaves no model" interrupted KILL 137
check "…and what it leaves is not taken for one" fails 2 "config.json" \
    run "$(find "$work" -name 'stopped.*.part')" --tokens 1
rm -rf "$work"/stopped.*

"$volley" make-model --help >"$work/help"
check "the help fits a terminal" narrow help
check "a full standard output" eval \
    '"$volley" make-model "$work/said" --like tiny --quiet >/dev/full 2>"$work/err"
     [ $? -eq 1 ] && [ "$(wc -l <"$work/err")" -eq 1 ]'

finish
