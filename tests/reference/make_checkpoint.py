#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a small random SpikingBrain checkpoint, of any odd shape, from a seed.

    ./make_checkpoint.py OUT --hidden 72 --heads 3 --kv-heads 1 --intermediate 48 \\
        --layers 2 --attn-layers 1 --vocab 61 --window 7 --group 24 --dtype F16

Writes config.json and model.safetensors (or --shards N files and an index,
cut by size alone, so that a layer may be split), and with --tokeniser a
vocab.json of the 256 byte symbols and an empty merges.txt.

Linear weights are integer codes times a scale: codes have a standard
deviation of about 48, about 1 % lie beyond 8 bits, up to +-194.  With
--no-scales the scales are kept out of the file and the weights are ordinary
normal ones.  Weights are sized so that activations stay near 1.  Needs NumPy.
"""
import argparse
import json
import math
import os
import struct

import numpy as np

from spikingbrain import byte_symbols

BYTES = {"F32": 4, "F16": 2, "BF16": 2}


def encode(values, dtype):
    """Little-endian bytes of an array in a safetensors type."""
    values = np.ascontiguousarray(values, dtype=np.float32)
    if dtype == "F32":
        return values.astype("<f4").tobytes()
    if dtype == "F16":
        return values.astype("<f2").tobytes()
    bits = values.view(np.uint32).astype(np.uint64)                 # BF16, round half to even
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2").tobytes()


def rounded(values, dtype):
    """The array as it will be read back."""
    raw = encode(values, dtype)
    if dtype == "BF16":
        return (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).view(np.float32).reshape(values.shape)
    return np.frombuffer(raw, {"F32": "<f4", "F16": "<f2"}[dtype]).astype(np.float32).reshape(values.shape)


def write_safetensors(path, tensors):
    """tensors: {name: (array, dtype)}; widest types first, so that everything is aligned."""
    header, blobs, offset = {"__metadata__": {"format": "pt"}}, [], 0
    for name in sorted(tensors, key=lambda n: (-BYTES[tensors[n][1]], n)):
        values, dtype = tensors[name]
        raw = encode(values, dtype)
        header[name] = {"dtype": dtype, "shape": list(values.shape), "data_offsets": [offset, offset + len(raw)]}
        offset += len(raw)
        blobs.append(raw)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def random_tensors(o, random):
    """{name: (array, dtype)} in the order of the model."""
    tensors = {}
    head = o.hidden // o.heads
    kv = o.kv_heads * head

    def add(name, values, dtype=None):
        tensors[name] = (np.asarray(values, dtype=np.float32), dtype or o.dtype)

    def linear(name, outputs, inputs, size=1.0, bias=0.0, zero_row=False):
        deviation = size / math.sqrt(inputs)
        if o.scales:
            group = o.group or inputs
            if inputs % group:
                raise SystemExit(f"make_checkpoint: {name} has {inputs} inputs, not a multiple of the group, {group}")
            codes = np.clip(np.rint(random.normal(0, 48, (outputs, inputs // group, group))), -127, 127)
            beyond = random.random(codes.shape) < 0.01
            sign = np.where(random.random(codes.shape) < 0.5, -1, 1)
            codes = np.where(beyond, sign * random.integers(128, 195, codes.shape), codes)
            scales = deviation / 50 * np.exp(random.normal(0, 0.2, codes.shape[:2] + (1,)))
            scales = rounded(scales, o.scales_dtype)
            add(name + ".weight", (codes * scales.astype(np.float64)).reshape(outputs, inputs))
            add(name + ".weight_quantizer.scales", scales, o.scales_dtype)
        else:
            weight = random.normal(0, deviation, (outputs, inputs))
            if zero_row:
                weight[outputs // 2] = 0    # a group without a largest weight
            add(name + ".weight", weight)
        if bias:
            add(name + ".bias", random.normal(0, bias, outputs))

    def norm(name, size):
        add(name, np.exp(random.normal(0, 0.15, size)))

    deep = 1 / math.sqrt(2 * o.layers)
    embedding_size = 0.7
    add("model.embeddings.weight", random.normal(0, embedding_size, (o.vocab, o.hidden)))
    for i in range(o.layers):
        prefix = f"model.layers.{i}."
        norm(prefix + "attn_norm.weight", o.hidden)
        linear(prefix + "attn.q_proj", o.hidden, o.hidden, bias=0.2)
        linear(prefix + "attn.k_proj", kv, o.hidden, bias=0.2)
        linear(prefix + "attn.v_proj", kv, o.hidden, bias=0.2)
        if i not in o.attn_layers:
            if o.gate_rank:
                add(prefix + "attn.gk_proj.0.weight", random.normal(0, 1 / math.sqrt(o.hidden), (o.gate_rank, o.hidden)))
                add(prefix + "attn.gk_proj.1.weight", random.normal(0, 2 / math.sqrt(o.gate_rank), (kv, o.gate_rank)))
                add(prefix + "attn.gk_proj.1.bias", random.normal(0, 1, kv))
            else:
                linear(prefix + "attn.gk_proj", kv, o.hidden, size=2, bias=1)
            norm(prefix + "attn.g_norm.weight", head)
        linear(prefix + "attn.o_proj", o.hidden, o.hidden, size=deep)
        norm(prefix + "mlp_norm.weight", o.hidden)
        linear(prefix + "mlp.gate_proj", o.intermediate, o.hidden, zero_row=True)
        linear(prefix + "mlp.up_proj", o.intermediate, o.hidden)
        linear(prefix + "mlp.down_proj", o.hidden, o.intermediate, size=2 * deep)
    norm("model.norm.weight", o.hidden)
    if not o.tied:
        add("lm_head.weight", random.normal(0, 2 / math.sqrt(o.hidden), (o.vocab, o.hidden)))
    return tensors


def cut(tensors, shards):
    """Into consecutive parts of about equal bytes, none empty."""
    names = list(tensors)
    size = {n: tensors[n][0].size * BYTES[tensors[n][1]] for n in names}
    total, parts, done = sum(size.values()), [[]], 0
    for at, name in enumerate(names):
        left = len(names) - at
        if parts[-1] and len(parts) < shards and (done >= total * len(parts) / shards or left <= shards - len(parts)):
            parts.append([])
        parts[-1].append(name)
        done += size[name]
    return parts


def write_checkpoint(out, o):
    os.makedirs(out, exist_ok=True)
    tensors = random_tensors(o, np.random.default_rng(o.seed))

    def write_json(name, content, **how):
        with open(os.path.join(out, name), "w", encoding="utf-8") as f:
            json.dump(content, f, **how)
            f.write("\n")

    write_json("config.json", dict(
        architectures=["GLAswaForCausalLM"], model_type="gla_swa", vocab_size=o.vocab, hidden_size=o.hidden,
        num_hidden_layers=o.layers, num_attention_heads=o.heads, num_key_value_heads=o.kv_heads,
        intermediate_size=o.intermediate, hidden_act="swish", rope_theta=o.rope_theta, norm_eps=o.norm_eps,
        sliding_window=o.window, max_position_embeddings=131072, tie_word_embeddings=o.tied,
        use_short_conv=False, bos_token_id=o.vocab - 1, eos_token_id=o.vocab - 1, attn_layers=o.attn_layers,
        torch_dtype={"F32": "float32", "F16": "float16", "BF16": "bfloat16"}[o.dtype]), indent=2)
    if o.shards == 1:
        write_safetensors(os.path.join(out, "model.safetensors"), tensors)
    else:
        where, total = {}, 0
        for n, names in enumerate(cut(tensors, o.shards)):
            file = f"model-{n + 1:05}-of-{o.shards:05}.safetensors"
            write_safetensors(os.path.join(out, file), {name: tensors[name] for name in names})
            where.update({name: file for name in names})
            total += sum(tensors[name][0].size * BYTES[tensors[name][1]] for name in names)
        write_json("model.safetensors.index.json",
                   {"metadata": {"total_size": total}, "weight_map": dict(sorted(where.items()))}, indent=1)
    if o.tokeniser:
        if o.vocab < 256:
            raise SystemExit("make_checkpoint: a tokeniser needs a vocabulary of at least 256")
        write_json("vocab.json", {s: i for i, s in enumerate(sorted(byte_symbols().values()))},
                   ensure_ascii=False, separators=(",", ":"))
        with open(os.path.join(out, "merges.txt"), "w", encoding="utf-8") as f:
            f.write("#version: 0.2\n")


def parser():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--hidden", type=int, default=64)
    p.add_argument("--intermediate", type=int, default=96)
    p.add_argument("--heads", type=int, default=4)
    p.add_argument("--kv-heads", type=int, default=2)
    p.add_argument("--layers", type=int, default=2)
    p.add_argument("--attn-layers", default="1", metavar="1,3", help="window layers; empty for none")
    p.add_argument("--vocab", type=int, default=64)
    p.add_argument("--window", type=int, default=16)
    p.add_argument("--rope-theta", type=float, default=10000.0)
    p.add_argument("--norm-eps", type=float, default=1e-6)
    p.add_argument("--dtype", choices=sorted(BYTES), default="F32")
    p.add_argument("--group", type=int, default=32, help="inputs that share a weight scale; 0 for the whole row")
    p.add_argument("--no-scales", dest="scales", action="store_false")
    p.add_argument("--scales-dtype", choices=sorted(BYTES), default="F32")
    p.add_argument("--gate-rank", type=int, default=0, help="write the decay gate as a pair of this rank")
    p.add_argument("--shards", type=int, default=1)
    p.add_argument("--tied", action="store_true", help="lm_head is the embeddings")
    p.add_argument("--tokeniser", action="store_true", help="write vocab.json and merges.txt too")
    return p


def parse(arguments, p=None):
    o = (p or parser()).parse_args(arguments)
    o.attn_layers = [int(i) for i in o.attn_layers.split(",") if i]
    if o.hidden % o.heads or o.heads % o.kv_heads or o.hidden // o.heads % 2:
        raise SystemExit("make_checkpoint: hidden / heads must be an even integer, heads / kv heads an integer")
    return o


def main():
    p = parser()
    p.add_argument("out", help="folder to write")
    o = parse(None, p)
    write_checkpoint(o.out, o)


if __name__ == "__main__":
    main()
