#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A float64 reference of the SpikingBrain language model, token by token.

Written from the published description of the model alone, apart from Volley's
C code, so that the two can disagree.  It is plain rather than fast: one token
goes through every layer before the next one is looked at, everything is
float64, every integer dot product is exact.

    ./spikingbrain.py MODEL --prompt "In the beginning" --generate 40 --mode paper
    ./spikingbrain.py MODEL --prompt-tokens 1,2,3 --generate 40 --mode repo \\
                      --golden OUT/repo

MODEL is a folder with config.json and model.safetensors (or shards and
model.safetensors.index.json).  --golden writes OUT/repo.tokens, .counts.npy,
.logits.npy, .columns, .top and .json; see write_golden() for what they hold.

As a module:

    model = SpikingBrain("MODEL", mode="paper", k=3.0)
    logits, counts = model.step(token)      # counts: {"layers.0.attn_norm": int array, ...}

Modes: "float" (no spiking), "repo" (down_proj takes the float activation and
the stored weight), "paper" (every linear projection takes spikes).

Thresholds: one for each token's vector ("token"), for every 128 consecutive
channels of it ("group"), or for every head where the vector is an attention's
output ("head").  Queries of window layers always have one a head.  --k-at
gives populations another k by their names: "layers.0.*=2.5,*.attention=4",
the last that matches.

Needs NumPy only; --prompt TEXT needs python3-regex as well.
"""
import argparse
import fnmatch
import json
import math
import os
import struct
import sys

import numpy as np

GROUP = 128                 # inputs that share a weight scale, if the file brings no scales
THRESHOLD_GROUP = 128       # channels that share a threshold, if thresholds are by group
THRESHOLD_RANGE = (1e-5, 1e4)
EIGHT_BIT_SCALE_RANGE = (1e-5, 1e4)
GATE_NORMALISER = 16.0      # decay = exp(logsigmoid(g) / 16)


# ---------------------------------------------------------------- files
class Safetensors:
    """The tensors of a checkpoint folder, by name, as float64 arrays."""

    def __init__(self, folder):
        index = os.path.join(folder, "model.safetensors.index.json")
        if os.path.exists(index):
            with open(index, encoding="utf-8") as f:
                self.weight_map = json.load(f)["weight_map"]
            files = sorted(set(self.weight_map.values()))
        else:
            self.weight_map, files = None, ["model.safetensors"]
        self.entries = {}
        for name in files:
            path = os.path.join(folder, name)
            with open(path, "rb") as f:
                length, = struct.unpack("<Q", f.read(8))
                header = json.loads(f.read(length))
            header.pop("__metadata__", None)
            for tensor, entry in header.items():
                if self.weight_map is None or self.weight_map.get(tensor) == name:
                    self.entries[tensor] = (path, 8 + length, entry)

    def __contains__(self, name):
        return name in self.entries

    def dtype(self, name):
        return self.entries[name][2]["dtype"]

    def __getitem__(self, name):
        path, start, entry = self.entries[name]
        begin, end = entry["data_offsets"]
        with open(path, "rb") as f:
            f.seek(start + begin)
            raw = f.read(end - begin)
        dtype = entry["dtype"]
        if dtype == "BF16":
            values = (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).view(np.float32)
        else:
            values = np.frombuffer(raw, {"F64": "<f8", "F32": "<f4", "F16": "<f2"}[dtype])
        return values.astype(np.float64).reshape(entry["shape"])


# ---------------------------------------------------------------- arithmetic
def rms_norm(x, weight, eps):
    return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps) * weight


def silu(x):
    return x / (1.0 + np.exp(-x))


def log_sigmoid(x):
    return -np.logaddexp(0.0, -x)


def threshold(x, k):
    """V_th of each row of x."""
    return np.clip(np.mean(np.abs(x), axis=-1, keepdims=True) / k, *THRESHOLD_RANGE)


class EdgeMeter:
    """How close values that were rounded came to a rounding edge (n + 0.5)."""
    STEPS = (1e-7, 1e-6, 1e-5, 1e-4)

    def __init__(self):
        self.values, self.least, self.within = 0, 0.5, [0] * len(self.STEPS)

    def add(self, x):
        distance = np.abs(np.abs(x) - np.floor(np.abs(x)) - 0.5).ravel()
        self.values += distance.size
        self.least = min(self.least, float(distance.min()))
        for i, step in enumerate(self.STEPS):
            self.within[i] += int(np.count_nonzero(distance < step))

    def summary(self):
        return {"values": self.values, "least": self.least,
                "within": {f"{s:g}": n for s, n in zip(self.STEPS, self.within)}}


class Linear:
    """A projection: the stored weight, its bias, and its codes and scales where it takes spikes."""

    def __init__(self, weight, bias, scales=None, coded=True, edges=None):
        self.weight, self.bias = weight, bias
        self.codes = None
        if not coded:
            return
        outputs, inputs = weight.shape
        if scales is None:
            size = GROUP
            groups = -(-inputs // size)
        else:
            scales = scales.reshape(outputs, -1)
            groups = scales.shape[1]
            if inputs % groups:
                raise ValueError(f"{inputs} inputs do not divide into {groups} groups")
            size = inputs // groups
        padded = np.zeros((outputs, groups * size))
        padded[:, :inputs] = weight
        padded = padded.reshape(outputs, groups, size)
        if scales is None:
            largest = np.abs(padded).max(axis=2).astype(np.float32)
            scales = (largest / np.float32(127)).astype(np.float64)
            scales[scales == 0] = 1.0
        ratio = padded / scales[:, :, None]
        if edges is not None:
            edges.add(ratio)
        self.size, self.groups, self.inputs = size, groups, inputs
        self.scales = scales                                            # [out, groups]
        self.codes = np.ascontiguousarray(np.rint(ratio).transpose(1, 0, 2))  # [groups, out, size]

    def dense(self, x):
        y = self.weight @ x
        return y if self.bias is None else y + self.bias

    def spikes(self, counts, v_th):
        """counts and v_th [inputs]: the channels of a threshold, one threshold after the other."""
        y = 0.0
        for v in np.unique(v_th):
            s = np.zeros(self.groups * self.size)
            s[:self.inputs] = np.where(v_th == v, counts, 0)
            dots = self.codes @ s.reshape(self.groups, self.size, 1)    # integers, exact in float64
            y = y + v * np.sum(self.scales * dots[:, :, 0].T, axis=1)
        return y if self.bias is None else y + self.bias


# ---------------------------------------------------------------- model
class SpikingBrain:
    def __init__(self, folder, mode="paper", k=3.0, window=None, noise=0.0, threshold="token", k_at=""):
        """threshold: "token", "group" or "head"; k_at: "GLOB=K,…" by names of populations.
        noise: relative size of a random disturbance of every value about to be
        rounded to spikes; it imitates another machine's arithmetic (see
        check_reference.py) and is 0 in anything that is a reference."""
        if mode not in ("float", "repo", "paper"):
            raise ValueError(f"unknown mode {mode}")
        if threshold not in ("token", "group", "head"):
            raise ValueError(f"unknown threshold {threshold}")
        self.threshold, self.k_at = threshold, k_at
        self.own_k = [item.rsplit("=", 1) for item in k_at.split(",") if item]
        with open(os.path.join(folder, "config.json"), encoding="utf-8") as f:
            self.config = c = json.load(f)
        self.folder, self.mode, self.k = folder, mode, float(k)
        self.spiking = mode != "float"
        self.noise, self.random = noise, np.random.default_rng(0)
        self.hidden, self.vocab = c["hidden_size"], c["vocab_size"]
        self.heads, self.kv_heads = c["num_attention_heads"], c["num_key_value_heads"]
        self.head_size = self.hidden // self.heads
        self.sharing = self.heads // self.kv_heads      # query heads that read one kv head
        self.layers = c["num_hidden_layers"]
        self.intermediate = c["intermediate_size"]
        self.eps = c.get("norm_eps", 1e-6)
        self.window = window if window else c["sliding_window"]
        self.window_layers = set(c["attn_layers"])
        half = np.arange(self.head_size // 2, dtype=np.float64)
        self.inverse_frequency = c["rope_theta"] ** (-2.0 * half / self.head_size)
        self.spike_edges, self.key_value_edges, self.weight_edges = EdgeMeter(), EdgeMeter(), EdgeMeter()
        self._load(Safetensors(folder))
        self.reset()

    def _load(self, files):
        self.embeddings = files["model.embeddings.weight"]
        self.final_norm = files["model.norm.weight"]
        tied = self.config.get("tie_word_embeddings", False)
        self.lm_head = self.embeddings if tied else files["lm_head.weight"]
        self.layer = []
        for i in range(self.layers):
            prefix = f"model.layers.{i}."

            def linear(name, bias=False, coded=self.spiking):
                full = prefix + name
                scales = full + ".weight_quantizer.scales"
                return Linear(files[full + ".weight"], files[full + ".bias"] if bias else None,
                              files[scales] if coded and scales in files else None,
                              coded, self.weight_edges)

            layer = {"attn_norm": files[prefix + "attn_norm.weight"],
                     "mlp_norm": files[prefix + "mlp_norm.weight"],
                     "q": linear("attn.q_proj", True), "k": linear("attn.k_proj", True),
                     "v": linear("attn.v_proj", True), "o": linear("attn.o_proj"),
                     "gate": linear("mlp.gate_proj"), "up": linear("mlp.up_proj"),
                     "down": linear("mlp.down_proj", coded=self.mode == "paper")}
            if i not in self.window_layers:
                layer["g_norm"] = files[prefix + "attn.g_norm.weight"]
                gate = prefix + "attn.gk_proj."
                if gate + "weight" in files:
                    layer["gk"] = linear("attn.gk_proj", True)
                else:
                    first, second = files[gate + "0.weight"], files[gate + "1.weight"]
                    bias = files[gate + "1.bias"]
                    if self.spiking:
                        product = (second @ first).astype(np.float32).astype(np.float64)
                        layer["gk"] = Linear(product, bias, None, True, self.weight_edges)
                    else:
                        layer["gk_pair"] = (first, second, bias)
            self.layer.append(layer)

    def reset(self):
        """Forgets every token."""
        self.position = 0
        self.state = [np.zeros((self.kv_heads, self.head_size, self.head_size)) for _ in range(self.layers)]
        self.keys = [[] for _ in range(self.layers)]
        self.values = [[] for _ in range(self.layers)]

    def populations(self):
        """(name, neurons) of the spiking populations, in the order of the golden files."""
        names = []
        if self.spiking:
            for i in range(self.layers):
                names.append((f"layers.{i}.attn_norm", self.hidden))
                if i in self.window_layers:
                    names.append((f"layers.{i}.query", self.hidden))
                names.append((f"layers.{i}.attention", self.hidden))
                names.append((f"layers.{i}.mlp_norm", self.hidden))
                if self.mode == "paper":
                    names.append((f"layers.{i}.gated_unit", self.intermediate))
        return names

    # -- spikes
    def k_of(self, name):
        k = self.k
        for glob, own in self.own_k:
            if fnmatch.fnmatchcase(name, glob):
                k = float(own)
        return k

    def _parts(self, name, x):
        """x [n] in the parts that share a threshold, as a list."""
        if self.threshold == "group":
            return [x[at:at + THRESHOLD_GROUP] for at in range(0, len(x), THRESHOLD_GROUP)]
        if self.threshold == "head" and name.endswith(".attention"):
            return list(x.reshape(self.heads, self.head_size))
        return [x]

    def _encode(self, name, x):
        """Counts and threshold of each row of x; the counts are noted under name."""
        v_th = threshold(x, self.k_of(name))
        return self._fire(name, x, v_th)

    def _fire(self, name, x, v_th):
        ratio = x / v_th
        if self.noise:
            ratio = ratio * (1.0 + self.noise * self.random.standard_normal(ratio.shape))
        self.spike_edges.add(ratio)
        s = np.rint(ratio)
        self.counts[name] = s.astype(np.int64).ravel()
        return s, v_th

    def _project(self, name, x, linears):
        """The linears' outputs for one shared input vector, as spikes if the model spikes."""
        if not self.spiking:
            return [linear.dense(x) for linear in linears]
        v_th = np.concatenate([np.repeat(threshold(part, self.k_of(name)), len(part))
                               for part in self._parts(name, x)])
        s, v_th = self._fire(name, x, v_th)
        return [linear.spikes(s, v_th) for linear in linears]

    def _eight_bits(self, x):
        """Fake quantisation of each row of x to 8 bits."""
        scale = np.clip(np.max(np.abs(x), axis=-1, keepdims=True) / 127.0, *EIGHT_BIT_SCALE_RANGE)
        self.key_value_edges.add(x / scale)
        return np.clip(np.rint(x / scale), -128, 127) * scale

    # -- attention
    def _rotate(self, x):
        angle = self.position * self.inverse_frequency
        cos, sin = np.tile(np.cos(angle), 2), np.tile(np.sin(angle), 2)
        half = self.head_size // 2
        return x * cos + np.concatenate([-x[:, half:], x[:, :half]], axis=1) * sin

    def _window_attention(self, i, q, k, v):
        q, k = self._rotate(q), self._rotate(k)
        if self.spiking:
            s, v_th = self._encode(f"layers.{i}.query", q)      # a threshold for each head
            q = s * v_th
            k, v = self._eight_bits(k), self._eight_bits(v)
        self.keys[i] = (self.keys[i] + [k])[-self.window:]
        self.values[i] = (self.values[i] + [v])[-self.window:]
        keys, values = np.stack(self.keys[i]), np.stack(self.values[i])     # [time, kv head, head size]
        out = np.empty_like(q)
        for h in range(self.heads):
            g = h // self.sharing
            scores = keys[:, g] @ q[h] / math.sqrt(self.head_size)
            p = np.exp(scores - scores.max())
            out[h] = (p / p.sum()) @ values[:, g]
        return out.ravel()

    def _linear_attention(self, i, q, k, v, gate):
        q, k = np.maximum(q, 0.0), np.maximum(k, 0.0)
        decay = np.exp(log_sigmoid(gate) / GATE_NORMALISER)
        out = np.empty_like(q)
        for g in range(self.kv_heads):
            self.state[i][g] = decay[g][:, None] * self.state[i][g] + np.outer(k[g], v[g])
        for h in range(self.heads):
            out[h] = (q[h] / math.sqrt(self.head_size)) @ self.state[i][h // self.sharing]
        return rms_norm(out, self.layer[i]["g_norm"], self.eps).ravel()

    # -- one token
    def step(self, token):
        """Feeds one token; returns its logits [vocab] and the counts of each spiking population."""
        self.counts = {}
        h = self.embeddings[token].copy()
        for i, layer in enumerate(self.layer):
            x = rms_norm(h, layer["attn_norm"], self.eps)
            linears = [layer["q"], layer["k"], layer["v"]]
            if "gk" in layer:
                linears.append(layer["gk"])
            q, k, v, *gate = self._project(f"layers.{i}.attn_norm", x, linears)
            if "gk_pair" in layer:
                first, second, bias = layer["gk_pair"]
                gate = [second @ (first @ x) + bias]
            q = q.reshape(self.heads, self.head_size)
            k, v = (t.reshape(self.kv_heads, self.head_size) for t in (k, v))
            if i in self.window_layers:
                attention = self._window_attention(i, q, k, v)
            else:
                attention = self._linear_attention(i, q, k, v, gate[0].reshape(k.shape))
            out, = self._project(f"layers.{i}.attention", attention, [layer["o"]])
            h = h + out
            x = rms_norm(h, layer["mlp_norm"], self.eps)
            gate, up = self._project(f"layers.{i}.mlp_norm", x, [layer["gate"], layer["up"]])
            unit = silu(gate) * up
            if self.mode == "paper":
                down, = self._project(f"layers.{i}.gated_unit", unit, [layer["down"]])
            else:
                down = layer["down"].dense(unit)
            h = h + down
        self.position += 1
        assert [n for n, _ in self.populations()] == list(self.counts)
        return self.lm_head @ rms_norm(h, self.final_norm, self.eps), self.counts


# ---------------------------------------------------------------- text
PRE_TOKENISATION = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
                    r"|\s*[\r\n]+|\s+(?!\S)|\s+")


def byte_symbols():
    """The printable character that stands for each byte in vocab.json."""
    keep = set(range(33, 127)) | set(range(161, 173)) | set(range(174, 256))
    rest = [b for b in range(256) if b not in keep]
    return {**{b: chr(b) for b in keep}, **{b: chr(256 + i) for i, b in enumerate(rest)}}


def tokenise(folder, text):
    """Byte-level BPE with the pre-tokenisation of Qwen2."""
    import unicodedata
    import regex
    with open(os.path.join(folder, "vocab.json"), encoding="utf-8") as f:
        vocab = json.load(f)
    rank = {}
    with open(os.path.join(folder, "merges.txt"), encoding="utf-8") as f:
        for line in f.read().split("\n"):
            if line and not line.startswith("#version"):
                rank[tuple(line.split(" "))] = len(rank)
    symbols, ids = byte_symbols(), []
    for word in regex.findall(PRE_TOKENISATION, unicodedata.normalize("NFC", text)):
        parts = [symbols[b] for b in word.encode("utf-8")]
        while len(parts) > 1:
            best = min(zip(parts, parts[1:]), key=lambda pair: rank.get(pair, math.inf))
            if best not in rank:
                break
            merged, i = [], 0
            while i < len(parts):
                if tuple(parts[i:i + 2]) == best:
                    merged.append(parts[i] + parts[i + 1])
                    i += 2
                else:
                    merged.append(parts[i])
                    i += 1
            parts = merged
        ids += [vocab[p] for p in parts]
    return ids


def detokenise(folder, ids):
    with open(os.path.join(folder, "vocab.json"), encoding="utf-8") as f:
        names = {i: t for t, i in json.load(f).items()}
    byte = {c: b for b, c in byte_symbols().items()}
    return bytes(byte[c] for i in ids for c in names.get(i, "")).decode("utf-8", "replace")


# ---------------------------------------------------------------- runs
def run(model, prompt, fed):
    """Feeds the prompt, then the greedy continuation, until `fed` tokens have been fed.
    Returns the tokens fed, logits [fed, vocab] and counts [fed, channels]."""
    tokens, logits, counts = list(prompt)[:fed], [], []
    channels = [name for name, _ in model.populations()]
    for at in range(fed):
        if at == len(tokens):
            tokens.append(int(np.argmax(logits[-1])))
        row, spikes = model.step(tokens[at])
        logits.append(row)
        counts.append(np.concatenate([spikes[name] for name in channels]) if channels else np.zeros(0, int))
    return tokens, np.stack(logits), np.stack(counts)


def write_golden(prefix, model, prompt, fed, columns=64):
    """Runs the model and writes what it did:

    PREFIX.tokens      ids fed, one a line: the prompt's, then greedy ones
    PREFIX.counts.npy  int8 (int16 if a count needs it) [fed, channels]; the
                       populations of PREFIX.json side by side (not in float mode)
    PREFIX.logits.npy  float32 [fed, columns]
    PREFIX.columns     the vocabulary ids of those columns, one a line
    PREFIX.top         a line for each token fed: id of the largest logit, the logit
    PREFIX.json        mode, k, window, threshold and k_at if given, model,
                       populations, and how close the run came to rounding
                       edges (n + 0.5)

    The .npy files are version 1.0, little-endian, C order.  columns: how many,
    evenly spaced; 0 for all.  Returns the contents of PREFIX.json."""
    tokens, logits, counts = run(model, prompt, fed)
    folder = os.path.dirname(prefix)
    if folder:
        os.makedirs(folder, exist_ok=True)
    if columns and columns < model.vocab:
        ids = np.unique(np.linspace(0, model.vocab - 1, columns).round().astype(int))
    else:
        ids = np.arange(model.vocab)

    def text(name, lines):
        with open(f"{prefix}.{name}", "w", encoding="utf-8") as f:
            f.write("".join(f"{line}\n" for line in lines))

    def array(name, values):
        with open(f"{prefix}.{name}.npy", "wb") as f:
            np.lib.format.write_array(f, np.ascontiguousarray(values), version=(1, 0))

    text("tokens", tokens)
    text("columns", ids)
    text("top", (f"{row.argmax()} {row.max():.17g}" for row in logits))
    array("logits", logits[:, ids].astype("<f4"))
    if model.spiking:
        array("counts", counts.astype("<i1" if np.abs(counts).max() <= 127 else "<i2"))
    ordered = np.sort(logits, axis=1)
    about = {"mode": model.mode, "k": model.k, "window": model.window,
             **({"threshold": model.threshold} if model.threshold != "token" else {}),
             **({"k_at": model.k_at} if model.k_at else {}),
             "model": os.path.basename(os.path.abspath(model.folder)),
             "prompt_tokens": min(len(prompt), fed), "tokens_fed": fed,
             "populations": [{"name": n, "neurons": w} for n, w in model.populations()],
             "largest_logit": float(np.abs(logits).max()),
             "least_greedy_margin": float((ordered[:, -1] - ordered[:, -2]).min())}
    if model.spiking:
        about["largest_count"] = int(np.abs(counts).max())
        about["edges"] = {"spikes": model.spike_edges.summary(), "weight_codes": model.weight_edges.summary()}
        if model.key_value_edges.values:
            about["edges"]["keys_and_values"] = model.key_value_edges.summary()
    with open(f"{prefix}.json", "w", encoding="utf-8") as f:
        json.dump(about, f, indent=1)
        f.write("\n")
    return about


def prompt_of(options):
    if options.prompt_tokens:
        return [int(t) for t in options.prompt_tokens.split(",")]
    return tokenise(options.model, options.prompt)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", help="checkpoint folder")
    prompt = parser.add_mutually_exclusive_group(required=True)
    prompt.add_argument("--prompt", help="text")
    prompt.add_argument("--prompt-tokens", metavar="1,2,3")
    parser.add_argument("--generate", type=int, default=0, metavar="N", help="greedy tokens after the prompt")
    parser.add_argument("--mode", choices=("float", "repo", "paper"), default="paper")
    parser.add_argument("--k", type=float, default=3.0)
    parser.add_argument("--k-at", default="", metavar="GLOB=K,…", help="another k for populations of such names")
    parser.add_argument("--threshold", choices=("token", "group", "head"), default="token")
    parser.add_argument("--window", type=int, help="keys a window layer reads, its own included")
    parser.add_argument("--golden", metavar="PREFIX", help="write golden files instead of printing")
    parser.add_argument("--columns", type=int, default=64, help="logit columns in golden files, 0 for all")
    options = parser.parse_args()
    tokens = prompt_of(options)
    model = SpikingBrain(options.model, options.mode, options.k, options.window,
                         threshold=options.threshold, k_at=options.k_at)
    fed = len(tokens) + max(0, options.generate - 1)    # the last token generated is not fed
    if options.golden:
        json.dump(write_golden(options.golden, model, tokens, fed, options.columns), sys.stdout, indent=1)
        print()
        return
    ids, logits, counts = run(model, tokens, fed)
    ids.append(int(np.argmax(logits[-1])))
    print(",".join(map(str, ids)))
    if os.path.exists(os.path.join(options.model, "vocab.json")):
        print(detokenise(options.model, ids))
    at = 0
    for name, neurons in model.populations():
        part = np.abs(counts[:, at:at + neurons])
        at += neurons
        print(f"{name:24} neurons {neurons:6} silent {np.mean(part == 0):.4f} mean count {part.mean():.4f} "
              f"largest {part.max()}")


if __name__ == "__main__":
    main()
