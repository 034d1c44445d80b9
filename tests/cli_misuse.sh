#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Wrong calls and damaged models: one sentence, exit code 1 or 2, nothing half-done.
. "${0%/*}/cli.sh"

check "no command" eval '"$volley" 2>/dev/null; [ $? -eq 2 ]'
check "unknown command" fails 2 "unknown command" frobnicate
check "unknown option" fails 2 "--frob" run "$tied" --prompt x --frob
check "an option without its value" fails 2 "needs a value" run "$tied" --prompt
check "no model" fails 2 "which model" run --prompt x
check "two models" fails 2 "unexpected" run "$tied" "$tied" --prompt x
check "a model that is not there" fails 2 "config.json" run "$work/none" --prompt x
check "no prompt" fails 2 "--prompt" run "$tied"
check "two prompts" fails 2 "one only" run "$tied" --prompt x --tokens 1
check "an empty prompt" fails 2 "empty" run "$tied" --prompt ""
check "an empty list of tokens" fails 2 "empty" run "$tied" --tokens ""
check "a token out of range" fails 2 "out of range" run "$tied" --tokens 1,99999
check "a token that is no number" fails 2 "--tokens" run "$tied" --tokens 1,x
check "a negative token" fails 2 "--tokens" run "$tied" --tokens -1
check "a token beyond 32 bits" fails 2 "--tokens" run "$tied" --tokens 99999999999999999999
check "a trailing comma" fails 2 "--tokens" run "$tied" --tokens 1,2,
check "unknown coding" fails 2 "bitwise, ternary, binary" run "$tied" --prompt x --coding morse
check "bits of a table" fails 2 "32, 16 or 8, not 12" run "$tied" --prompt x --table-bits 12
check "unknown mode of down_proj" fails 2 "paper or repo" run "$tied" --prompt x --down-proj both
check "unknown trace level" fails 2 "summary, volley" run "$tied" --prompt x --trace-level all
check "a range the wrong way round" fails 2 "A:B" run "$tied" --prompt x --trace-tokens 9:3
check "unknown vector extension" fails 2 "plain" run "$tied" --prompt x --vector mmx
check "k of zero" fails 2 "--k" run "$tied" --prompt x --k 0
check "k that is no number" fails 2 "--k" run "$tied" --prompt x --k nan
check "a window of nothing" fails 2 "--window" run "$tied" --prompt x --window 0
check "no thread" fails 2 "--threads" run "$tied" --prompt x --threads 0
check "a prompt file that is not there" fails 2 "none.txt" run "$tied" --prompt-file "$work/none.txt"
printf 'ab\377cd' >"$work/latin"
check "a prompt that is not UTF-8" fails 2 "UTF-8" run "$tied" --prompt-file "$work/latin"
printf 'a' >"$work/short"
check "a text too short to be scored" fails 2 "two tokens" run "$tied" --score "$work/short"
check "logits where nothing can be written" fails 2 "cannot be written" \
    run "$tied" --prompt x --logits "$work/missing/l.npy"
check "standard output that is full" eval \
    '"$volley" run "$tied" --quiet --prompt x >/dev/full 2>"$work/err"; [ $? -eq 1 ] &&
     [ "$(wc -l <"$work/err")" -eq 1 ]'

# A damaged copy of a model: damage FILE… puts it in $work/model.
fresh() {
    rm -rf "$work/model"
    mkdir "$work/model"
    cp "$tied/"*.json "$tied/merges.txt" "$tied/"*.safetensors "$work/model/"
}
# config KEY VALUE: sets a key of config.json.
config() {
    fresh
    sqlite3 -batch :memory: "select json_set(cast(readfile('$tied/config.json') as text), \
        '\$.$1', json('$2'))" >"$work/model/config.json"
}
damaged() { # CODE WORDS
    fails "$1" "$2" run "$work/model" --prompt x
}
fresh
check "the undamaged copy runs" eval '"$volley" run "$work/model" --quiet --prompt x >/dev/null'
echo '{' >"$work/model/config.json"
check "config.json that is no JSON" damaged 1 "config.json"
config hidden_size '"many"'
check "a size of the wrong type" damaged 1 "hidden_size"
config hidden_size 1e3
check "a size that is no integer" damaged 1 "hidden_size"
config hidden_size 999999999999
check "an absurd size" damaged 1 "hidden_size"
config num_hidden_layers 0
check "no layers" damaged 1 "num_hidden_layers"
config num_hidden_layers 4000
check "more layers than tensors" damaged 1 "no tensor"
config num_attention_heads 7
check "heads that do not divide" damaged 1 "divide"
config attn_layers '[99]'
check "a window layer that is not there" damaged 1 "attn_layers"
config attn_layers '"odd"'
check "window layers of the wrong type" damaged 1 "attn_layers"
config intermediate_size 64
check "a size that the tensors do not have" damaged 1 "shape"
config model_type '"llama"'
check "another architecture" damaged 1 "llama"
config use_short_conv true
check "short convolutions" damaged 1 "use_short_conv"
config norm_eps -1
check "a negative epsilon" damaged 1 "norm_eps"
fresh
rm "$work/model/model.safetensors"
check "no weights" damaged 2 "safetensors"
fresh
truncate -s -100 "$work/model/model.safetensors"
check "truncated weights" damaged 1 "model.safetensors"
fresh
truncate -s 5 "$work/model/model.safetensors"
check "weights cut within the header" damaged 1 "model.safetensors"
fresh
printf '\377\377\377\377\377\377\377\377' | dd of="$work/model/model.safetensors" conv=notrunc 2>/dev/null
check "an absurd header" damaged 1 "model.safetensors"
fresh
rm "$work/model/vocab.json"
check "no vocabulary" damaged 2 "vocab.json"
check "…which --tokens can do without" eval \
    '"$volley" run "$work/model" --quiet --tokens 1,2 --generate 2 | head -n 1 | grep -q "^1 2 [0-9]"'
fresh
echo 'x' >>"$work/model/merges.txt"
check "a merge that is none" damaged 1 "merges.txt"
check "…is not passed over with --tokens" fails 1 "merges.txt" run "$work/model" --tokens 1

# not_finite TENSOR: writes a NaN over the first weight of a tensor.
not_finite() {
    fresh
    header=$(od -An -t u8 -N 8 "$tied/model.safetensors" | tr -d ' ')
    begin=$(sqlite3 -batch :memory: "select json_extract(substr(cast(readfile( \
        '$tied/model.safetensors') as blob), 9, $header) , '\$.\"$1\".data_offsets[0]')")
    printf '\377\377\377\377' | dd of="$work/model/model.safetensors" bs=1 \
        seek=$((8 + header + begin)) conv=notrunc 2>/dev/null
    damaged 1 "finite"
}
check "a linear weight that is not a number" not_finite model.layers.0.attn.q_proj.weight
check "a norm that is not a number" not_finite model.norm.weight
check "an embedding that is not a number" not_finite model.embeddings.weight
not_positive() {
    not_finite model.layers.0.attn.q_proj.weight_quantizer.scales >/dev/null ||
        damaged 1 "scales are positive numbers"
}
check "a scale that is not a number" not_positive

finish
