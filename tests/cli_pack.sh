#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# `volley pack`, and running what it wrote: the same bytes as from the folder, and no half files.
. "${0%/*}/cli.sh"

packed=$work/brain.volley
prompt='And God said, Let there be light: and there was light.'

check "pack writes a file" eval '"$volley" pack "$brain" "$packed" >"$work/out" 2>"$work/err" &&
    [ -s "$packed" ] && [ ! -s "$work/err" ] && grep -qF "volley run $packed" "$work/out"'

# run NAME MODEL OPTIONS…
run() {
    name=$1 model=$2
    shift 2
    "$volley" run "$model" --quiet --prompt "$prompt" --generate 20 --logits "$work/$name.npy" \
        --trace "$work/$name.db" --trace-level spike "$@" >"$work/$name.out" 2>"$work/$name.err"
}
# The trace but for what tells runs apart, and for the model's path.
content() {
    sql "$work/$1.db" "select model_digest from run;
        select * from population order by 1, 2; select * from projection order by 1, 2;
        select run, tick, population, hex(data) from volley order by rowid;
        select * from histogram order by 1, 2, 3; select * from token order by 1, 2;
        select * from layer_sparsity"
}
check "the folder runs" run folder "$brain"
check "the packed model runs" run packed "$packed"
content folder >"$work/folder.sql"
content packed >"$work/packed.sql"
check "with the same logits" cmp "$work/folder.npy" "$work/packed.npy"
check "with the same trace" eval '[ -s "$work/folder.sql" ] && cmp "$work/folder.sql" "$work/packed.sql"'
check "with the same screen" eval 'for name in folder packed; do
        sed -e "s|$packed|MODEL|;s|$brain|MODEL|;s|$work/$name.db|RUN|" -e "/^speed:/d;/^trace:/d" "$work/$name.out" >"$work/$name.screen"
    done; cmp "$work/folder.screen" "$work/packed.screen"'
check "expanded, by other threads and vectors, too" eval \
    'run plain "$packed" --expand --threads 3 --lanes 5 --vector plain && cmp "$work/plain.npy" "$work/folder.npy"'
# shown MODEL
shown() {
    "$volley" inspect "$1" | sed -n '/multiply-acc/p;/^population/,$p'
}
shown "$brain" >"$work/folder.inspect"
shown "$packed" >"$work/packed.inspect"
check "inspect shows the same network" eval '[ "$(wc -l <"$work/folder.inspect")" -gt 50 ] &&
    cmp "$work/folder.inspect" "$work/packed.inspect"'
check "a name alone is a file in this folder" eval \
    '(cd "$work" && case $volley in /*) ;; *) volley=$OLDPWD/$volley ;; esac &&
      case $brain in /*) ;; *) brain=$OLDPWD/$brain ;; esac &&
      "$volley" pack "$brain" here.volley >/dev/null && cmp here.volley brain.volley)'
check "sixteen bits for the tables make it no larger" eval \
    '"$volley" pack "$brain" "$work/half.volley" --table-bits 16 >/dev/null && run half "$work/half.volley"'

check "one that is there is left alone" fails 2 "there already" pack "$brain" "$packed"
check "a folder that is none" fails 2 "config.json" pack "$work/none" "$work/x.volley"
check "a packed model packed again" fails 2 "is a file" pack "$packed" "$work/x.volley"
check "a folder that is not there to write to" fails 1 "cannot be written" pack "$brain" "$work/none/x.volley"
check "one argument" fails 2 "to which file" pack "$brain"
check "bits between" fails 2 "32 or 16" pack "$brain" "$work/x.volley" --table-bits 24
check "an unknown span" fails 2 "token, group or head" pack "$brain" "$work/x.volley" --threshold layer
check "an unknown mode" fails 2 "paper or repo" pack "$brain" "$work/x.volley" --down-proj both
check "--float needs the checkpoint" fails 2 "--float needs" run "$packed" --prompt x --float
check "another span was not packed" fails 2 "--threshold head" run "$packed" --prompt x --threshold head
check "another mode was not packed" fails 2 "--down-proj repo" run "$packed" --prompt x --down-proj repo
check "a safetensors file that is not packed" fails 2 "not a packed model" \
    run "$brain/model.safetensors" --prompt x
check "no file was made by any of these" eval '[ ! -e "$work/x.volley" ]'
check "a model without a tokenizer runs tokens" eval \
    '"$volley" pack "$golden/variants/low-rank" "$work/bare.volley" >/dev/null &&
     "$volley" run "$work/bare.volley" --quiet --tokens 1,2 --generate 2 | head -n 1 | grep -q "^1 2 [0-9]" &&
     fails 2 "does not hold the tokenizer" run "$work/bare.volley" --prompt x'

# damage OFFSET: a copy with a byte changed there.
damage() {
    cp "$packed" "$work/bad.volley"
    byte=$(od -An -t u1 -j "$1" -N 1 "$packed" | tr -d ' ')
    printf "\\$(printf %o $((byte ^ 1)))" | dd of="$work/bad.volley" bs=1 seek="$1" conv=notrunc 2>/dev/null
    "$volley" run "$work/bad.volley" --quiet --prompt x >"$work/out" 2>"$work/err"
    [ $? -eq 1 ] && [ "$(wc -l <"$work/err")" -eq 1 ] && grep -q "bad.volley" "$work/err" &&
        ! grep -q tokens "$work/out"
}
size=$(wc -c <"$packed")
for place in 3 100 30000 50000 $((size / 3)) $((size / 2)) $((size * 3 / 4)) $((size - 20000)) $((size - 1)); do
    check "a byte changed at $place" damage "$place"
done
check "a damaged weight is named" eval 'damage 50000 && grep -q "q_proj.weight.codes.*checksum" "$work/err"'
cp "$packed" "$work/cut.volley"
truncate -s -1 "$work/cut.volley"
check "one that was cut short" fails 1 "cut.volley" run "$work/cut.volley" --prompt x
: >"$work/empty.volley"
check "an empty one" fails 1 "empty.volley" run "$work/empty.volley" --prompt x

check "a disk that fills" eval \
    '(ulimit -f 1000 && fails 1 "cannot be written" pack "$brain" "$work/full.volley") &&
     [ -z "$(ls "$work" | grep full)" ]'

# A checkpoint of zeros, nearly all of it a hole, that takes seconds to pack.
mkdir "$work/hole"
cat >"$work/hole/config.json" <<'END'
{"model_type": "gla_swa", "vocab_size": 131072, "hidden_size": 2048, "intermediate_size": 2, "num_hidden_layers": 1,
 "num_attention_heads": 1024, "num_key_value_heads": 1, "attn_layers": []}
END
awk 'function add(name, rows, columns,  bytes) {
         bytes = (rows > 0 ? rows : 1) * columns * 4
         printf "%s\"model.%s\":{\"dtype\":\"F32\",\"shape\":[%s%d],\"data_offsets\":[%.0f,%.0f]}",
             (size ? "," : "{"), name, (rows > 0 ? rows "," : ""), columns, size, size + bytes
         size += bytes
     }
     BEGIN { layer = "layers.0."
         add("embeddings.weight", 131072, 2048); add("norm.weight", 0, 2048)
         add(layer "attn_norm.weight", 0, 2048); add(layer "mlp_norm.weight", 0, 2048)
         add(layer "attn.g_norm.weight", 0, 2); add(layer "attn.o_proj.weight", 2048, 2048)
         add(layer "attn.q_proj.weight", 2048, 2048); add(layer "attn.q_proj.bias", 0, 2048)
         split("k_proj v_proj gk_proj", part)
         for (i in part) { add(layer "attn." part[i] ".weight", 2, 2048); add(layer "attn." part[i] ".bias", 0, 2) }
         add(layer "mlp.gate_proj.weight", 2, 2048); add(layer "mlp.up_proj.weight", 2, 2048)
         add(layer "mlp.down_proj.weight", 2048, 2)
         printf "}%.0f\n", size }' </dev/null >"$work/header"
sed -i 's/"vocab/"tie_word_embeddings": true, "vocab/' "$work/hole/config.json"
bytes=$(sed 's/.*}//' "$work/header")
header=$(sed 's/[0-9]*$//' "$work/header")
length=${#header}
{
    printf "\\$(printf %o $((length % 256)))\\$(printf %o $((length / 256)))\\0\\0\\0\\0\\0\\0"
    printf %s "$header"
} >"$work/hole/model.safetensors"
truncate -s $((8 + length + bytes)) "$work/hole/model.safetensors"

# stop SIGNAL: begins to pack it and, once there is a file, sends the signal; sets $got.
stop() {
    "$volley" pack "$work/hole" "$work/stopped.volley" --quiet >"$work/out" 2>"$work/err" &
    packing=$!
    tries=0
    until ls "$work"/stopped.volley.unfinished-* >/dev/null 2>&1 || [ $tries -gt 200 ]; do
        tries=$((tries + 1))
        sleep 0.05
    done
    kill -"$1" $packing
    wait $packing
    got=$?
}
check "a signal ends it" eval 'stop TERM; [ "$got" -eq 143 ]'
check "…and leaves nothing" eval '[ -z "$(ls "$work" | grep stopped)" ] && [ ! -s "$work/out" ]'
check "killed at once, it leaves no file of the name" eval 'stop KILL; [ ! -e "$work/stopped.volley" ]'
check "…but one whose name says what it is" eval \
    '[ "$(ls "$work" | grep -c "^stopped.volley.unfinished-")" -eq 1 ]'
rm -f "$work"/stopped.volley.*

finish
