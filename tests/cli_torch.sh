#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# A checkpoint in the form of PyTorch's .bin files gives what it gives as safetensors, bit for bit.
# The model has the form of SpikingBrain's base checkpoint: bf16, no scales, the gate as a pair.
. "${0%/*}/cli.sh"

base=$golden/variants/low-rank
writer=${0%/*}/reference/write_torch.py
python=${PYTHON:-/usr/bin/python3}

logits() {
    "$volley" run "$1" --quiet --tokens 1,2,3,5,8,13,21,34 --generate 4 --logits "$work/$2.npy" \
        >"$work/$2.out" 2>"$work/$2.err"
}
same() {
    logits "$work/$1" "$1" && cmp "$work/safetensors.npy" "$work/$1.npy"
}
converted() {
    name=$1
    shift
    "$python" "$writer" "$base" "$work/$name" "$@" && same "$name"
}

if ! "$python" -c 'import zipfile, pickle' 2>"$work/err"; then
    echo "ok 1 - checkpoints of PyTorch # SKIP no python3 to write them"
    echo "1..1"
    exit 0
fi
check "the base checkpoint runs as safetensors" logits "$base" safetensors
check "and as one .bin file" converted single
check "and as .bin shards with their index" converted shards --shards 3
check "inspect shows the same network" eval '"$volley" inspect "$work/shards" |
    sed 1,3d >"$work/shards.txt" && "$volley" inspect "$base" | sed 1,3d | cmp - "$work/shards.txt"'
if "$python" -c 'import torch' 2>"$work/err"; then
    check "and as torch.save writes it" converted saved --shards 2 --with-torch
    check "torch.load reads what the test writes" "$python" -c "
import torch
for n in range(1, 4):
    name = f'$work/shards/pytorch_model-{n:05}-of-00003.bin'
    assert all(t.dtype == torch.bfloat16 for t in torch.load(name).values())"
else
    echo "ok 5 - as torch.save writes it # SKIP no PyTorch"
    cases=$((cases + 1))
fi

first=$work/shards/pytorch_model-00001-of-00003.bin
cp "$work/single/pytorch_model.bin" "$first"
check "a shard of another model is refused" fails 1 "is also in" run "$work/shards" --tokens 1
truncate -s 3000 "$first"
check "a shard cut short is refused" fails 1 "cut short" run "$work/shards" --tokens 1
rm "$first"
check "a missing shard is named" fails 1 "shard 'pytorch_model-00001-of-00003.bin' is not in" \
    run "$work/shards" --tokens 1
cp "$golden/torch/model.bin" "$work/single/pytorch_model.bin"
check "a pickle of more than tensors is refused, by name" fails 1 \
    "asks for 'torch.nn.modules.container.Sequential'" run "$work/single" --tokens 1

finish
