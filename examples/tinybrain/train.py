#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains tinybrain: a SpikingBrain language model small enough to ship.

Text: the King James Bible, public domain, from Debian's bible-kjv (the
reader) and bible-kjv-text (the text).  Every twentieth chapter is held out;
some of those are written to heldout.txt for `volley run --score`.

Spiking is in the loop: every linear input goes through the adaptive
threshold (V_th = mean|x|/k, s = round(x/V_th)), every linear weight through
its group-128 scales, window keys and values through 8 bits, and gradients
pass straight through.  Half of the steps feed down_proj unspiked, so that
the model holds in both modes ("repo" and "paper").

    apt install python3-torch python3-numpy python3-regex libopenblas0-pthread \
                bible-kjv bible-kjv-text
    ./train.py --out .            # about an hour on two busy cores

Not needed to build, run or test Volley.
"""
import argparse, collections, json, math, os, re, struct, subprocess, time
import numpy, regex, torch
import torch.nn.functional as F

PRE_TOKENISATION = regex.compile(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+")

CONFIG = dict(
    architectures=["GLAswaForCausalLM"], model_type="gla_swa", vocab_size=2048, hidden_size=256,
    num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2, intermediate_size=512,
    hidden_act="swish", rope_theta=10000.0, norm_eps=1e-6, sliding_window=128,
    max_position_embeddings=131072, tie_word_embeddings=False, use_short_conv=False,
    bos_token_id=2047, eos_token_id=2047, attn_layers=[1, 3], torch_dtype="float16")
GROUP = 128          # inputs that share a weight scale
CODE_AT_MAX = 140.0  # code of a group's largest weight: a few codes exceed 8 bits, as published


# ---------------------------------------------------------------- text
def read_bible():
    """Chapters in order: list of (book, text), one verse a line."""
    out = subprocess.run(["bible", "-f", "Gen1:1-Rev22:21"], capture_output=True, text=True, check=True).stdout
    chapters = collections.OrderedDict()
    for line in out.splitlines():
        ref, verse = line.split(" ", 1)
        book, chapter = re.fullmatch(r"(.+?)(\d+):\d+", ref).groups()
        chapters.setdefault((book, int(chapter)), []).append(verse.strip())
    return [(book, "\n".join(v) + "\n") for (book, _), v in chapters.items()]


def byte_alphabet():
    """The printable stand-in of each byte (byte-level BPE as GPT-2 defined it)."""
    keep = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    table, extra = {b: chr(b) for b in keep}, 0
    for b in range(256):
        if b not in table:
            table[b] = chr(256 + extra)
            extra += 1
    return table


def train_bpe(text, size):
    table = byte_alphabet()
    words = collections.Counter(PRE_TOKENISATION.findall(text))
    words = [([table[b] for b in w.encode()], n) for w, n in sorted(words.items())]
    vocab = sorted(table.values(), key=lambda c: ord(c))
    merges = []
    while len(vocab) < size:
        pairs = collections.Counter()
        for w, n in words:
            for pair in zip(w, w[1:]):
                pairs[pair] += n
        best = max(pairs, key=lambda p: (pairs[p], p))
        merges.append(best)
        vocab.append(best[0] + best[1])
        for w, _ in words:
            i = 0
            while i + 1 < len(w):
                if w[i] == best[0] and w[i + 1] == best[1]:
                    w[i:i + 2] = [best[0] + best[1]]
                i += 1
    return {t: i for i, t in enumerate(vocab)}, merges


def tokenise(text, vocab, merges, cache={}):
    table, rank = byte_alphabet(), {m: i for i, m in enumerate(merges)}
    ids = []
    for word in PRE_TOKENISATION.findall(text):
        if word not in cache:
            w = [table[b] for b in word.encode()]
            while len(w) > 1:
                r, i = min((rank.get(p, 1 << 30), i) for i, p in enumerate(zip(w, w[1:])))
                if r == 1 << 30:
                    break
                w[i:i + 2] = [w[i] + w[i + 1]]
            cache[word] = [vocab[t] for t in w]
        ids += cache[word]
    return ids


# ---------------------------------------------------------------- model
class Straight(torch.autograd.Function):
    """Forward: the second argument; backward: as if it had been the first."""
    @staticmethod
    def forward(ctx, x, y):
        return y
    @staticmethod
    def backward(ctx, g):
        return g, None


def spike(x, k=3.0):
    with torch.no_grad():
        vth = (x.abs().mean(-1, keepdim=True) / k).clamp(1e-5, 1e4)
        y = torch.round(x / vth) * vth
    return Straight.apply(x, y)


def eight_bits(x):
    with torch.no_grad():
        scale = (x.abs().amax(-1, keepdim=True) / 127).clamp(1e-5, 1e4)
        y = torch.clamp(torch.round(x / scale), -128, 127) * scale
    return Straight.apply(x, y)


def weight_scales(w):
    g = w.view(w.shape[0], -1, GROUP)
    return (g.abs().amax(-1, keepdim=True) / CODE_AT_MAX).clamp(min=1e-8)


def coded(w):
    with torch.no_grad():
        scale = weight_scales(w)
        y = (torch.round(w.view(w.shape[0], -1, GROUP) / scale) * scale).view_as(w)
    return Straight.apply(w, y)


def rms_norm(x, w, eps):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps) * w


def gated_linear_attention(q, k, v, a, chunk=32):
    """q [B,T,G,R,D] k,v,a [B,T,G,D] (a: log decay) -> o [B,T,G,R,D]."""
    B, T, G, R, D = q.shape
    n = T // chunk
    q = q.view(B, n, chunk, G, R, D).permute(0, 1, 3, 4, 2, 5)          # B n G R C D
    k, v, a = (t.view(B, n, chunk, G, D).permute(0, 1, 3, 2, 4) for t in (k, v, a))  # B n G C D
    A = a.cumsum(3)
    total = A[..., -1:, :]
    qd = q * A.exp().unsqueeze(3) / math.sqrt(D)
    kd = k * (-A).clamp(max=60).exp()
    scores = qd @ kd.transpose(-1, -2).unsqueeze(3)
    scores = scores * torch.tril(torch.ones(chunk, chunk))
    o = scores @ v.unsqueeze(3)
    update = (k * (total - A).exp()).transpose(-1, -2) @ v               # B n G D D
    S, states = torch.zeros(B, G, D, D), []
    for i in range(n):
        states.append(S)
        S = S * total[:, i].transpose(-1, -2).exp() + update[:, i]
    o = o + qd @ torch.stack(states, 1).unsqueeze(3)
    return o.permute(0, 1, 4, 2, 3, 5).reshape(B, T, G, R, D)


class TinyBrain(torch.nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        H, I, V = c["hidden_size"], c["intermediate_size"], c["vocab_size"]
        self.d = H // c["num_attention_heads"]
        KV = c["num_key_value_heads"] * self.d
        self.p = torch.nn.ParameterDict()
        def add(name, *shape, std=None, fill=None):
            t = torch.full(shape, float(fill)) if fill is not None else torch.randn(shape) * std
            self.p[name.replace(".", "/")] = torch.nn.Parameter(t)
        add("model.embeddings.weight", V, H, std=0.5)
        add("model.norm.weight", H, fill=1)
        add("lm_head.weight", V, H, std=0.3 / math.sqrt(H))
        for i in range(c["num_hidden_layers"]):
            L = f"model.layers.{i}."
            add(L + "attn_norm.weight", H, fill=1)
            add(L + "mlp_norm.weight", H, fill=1)
            heads = ["q", "k", "v"] + ([] if i in c["attn_layers"] else ["gk"])
            for n in heads:
                add(L + f"attn.{n}_proj.weight", H if n == "q" else KV, H, std=1 / math.sqrt(H))
                add(L + f"attn.{n}_proj.bias", H if n == "q" else KV, fill=0)
            if i not in c["attn_layers"]:
                add(L + "attn.g_norm.weight", self.d, fill=1)
            deep = math.sqrt(2 * c["num_hidden_layers"])
            add(L + "attn.o_proj.weight", H, H, std=1 / math.sqrt(H) / deep)
            add(L + "mlp.gate_proj.weight", I, H, std=1 / math.sqrt(H))
            add(L + "mlp.up_proj.weight", I, H, std=1 / math.sqrt(H))
            add(L + "mlp.down_proj.weight", H, I, std=1 / math.sqrt(I) / deep)

    def w(self, name):
        return self.p[name.replace(".", "/")]

    def forward(self, ids, mode="paper", drop=0.0):
        c, d = self.c, self.d
        B, T = ids.shape
        G = c["num_key_value_heads"]
        R = c["num_attention_heads"] // G
        spiking = mode != "float"
        enc = spike if spiking else (lambda x: x)
        lin = lambda n: coded(self.w(n)) if spiking else self.w(n)
        dropout = lambda x: F.dropout(x, drop, self.training)
        pos = torch.arange(T)
        freq = c["rope_theta"] ** (-torch.arange(0, d, 2).float() / d)
        cos, sin = (f(pos[:, None].float() * freq).repeat(1, 2)[None, :, None] for f in (torch.cos, torch.sin))
        rope = lambda x: x * cos + torch.cat([-x[..., d // 2:], x[..., :d // 2]], -1) * sin
        mask = torch.ones(T, T, dtype=torch.bool).tril().triu(1 - c["sliding_window"])
        h = dropout(F.embedding(ids, self.w("model.embeddings.weight")))
        for i in range(c["num_hidden_layers"]):
            L = f"model.layers.{i}."
            window = i in c["attn_layers"]
            names = ["q", "k", "v"] + ([] if window else ["gk"])
            x = enc(rms_norm(h, self.w(L + "attn_norm.weight"), c["norm_eps"]))
            both = F.linear(x, torch.cat([lin(L + f"attn.{n}_proj.weight") for n in names]),
                            torch.cat([self.w(L + f"attn.{n}_proj.bias") for n in names]))
            q, k, v, *g = both.split([R * G * d] + [G * d] * (len(names) - 1), -1)
            if window:
                q, k, v = rope(q.view(B, T, R * G, d)), rope(k.view(B, T, G, d)), v.reshape(B, T, G, d)
                if spiking:
                    q, k, v = spike(q), eight_bits(k), eight_bits(v)
                q = q.view(B, T, G, R, d).permute(0, 2, 3, 1, 4)
                k, v = k.permute(0, 2, 1, 3).unsqueeze(2), v.permute(0, 2, 1, 3).unsqueeze(2)
                s = (q @ k.transpose(-1, -2) / math.sqrt(d)).masked_fill(~mask, -1e30).softmax(-1)
                o = (s @ v).permute(0, 3, 1, 2, 4).reshape(B, T, -1)
            else:
                o = gated_linear_attention(F.relu(q).view(B, T, G, R, d), F.relu(k).view(B, T, G, d),
                                           v.reshape(B, T, G, d), F.logsigmoid(g[0]).view(B, T, G, d) / 16)
                o = rms_norm(o, self.w(L + "attn.g_norm.weight"), c["norm_eps"]).reshape(B, T, -1)
            h = h + dropout(F.linear(enc(o), lin(L + "attn.o_proj.weight")))
            x = enc(rms_norm(h, self.w(L + "mlp_norm.weight"), c["norm_eps"]))
            gate, up = F.linear(x, torch.cat([lin(L + "mlp.gate_proj.weight"),
                                              lin(L + "mlp.up_proj.weight")])).chunk(2, -1)
            m = F.silu(gate) * up
            down = F.linear(enc(m), lin(L + "mlp.down_proj.weight")) if mode == "paper" \
                else F.linear(m, lin(L + "mlp.down_proj.weight"))
            h = h + dropout(down)
        return F.linear(rms_norm(h, self.w("model.norm.weight"), c["norm_eps"]), self.w("lm_head.weight"))


# ---------------------------------------------------------------- files
def save_safetensors(model, path):
    """Linear weights as scale x code in F16 (codes survive exactly: 11 bits hold them), scales in F32."""
    tensors = {}
    for key, p in model.p.items():
        name, w = key.replace("/", "."), p.detach()
        if name.endswith("proj.weight"):
            scale = weight_scales(w)
            code = torch.round(w.view(w.shape[0], -1, GROUP) / scale)
            half = (code * scale).to(torch.float16)
            assert torch.equal(torch.round(half.float() / scale), code)
            tensors[name] = half.view_as(w)
            tensors[name + "_quantizer.scales"] = scale
        else:
            tensors[name] = w.to(torch.float16) if w.dim() > 1 else w
    header, offset, blobs = {"__metadata__": {"format": "pt"}}, 0, []
    for name in sorted(tensors):
        a = tensors[name].contiguous().numpy()
        header[name] = {"dtype": {"float16": "F16", "float32": "F32"}[str(a.dtype)],
                        "shape": list(a.shape), "data_offsets": [offset, offset + a.nbytes]}
        offset += a.nbytes
        blobs.append(a.tobytes())
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def bits_per_token(model, ids, mode, length=512):
    model.eval()
    total, n = 0.0, 0
    with torch.no_grad():
        for at in range(0, len(ids) - 1 - length, length):
            x = torch.tensor(ids[at:at + length])[None]
            y = torch.tensor(ids[at + 1:at + length + 1])
            total += F.cross_entropy(model(x, mode)[0], y, reduction="sum").item()
            n += length
    model.train()
    return total / n / math.log(2)


def main():
    ap = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    ap.add_argument("--out", default=".", help="folder to write config.json, model.safetensors, … to")
    ap.add_argument("--steps", type=int, default=2400)
    ap.add_argument("--batch", type=int, default=16)
    ap.add_argument("--length", type=int, default=256)
    ap.add_argument("--rate", type=float, default=3e-3)
    ap.add_argument("--dropout", type=float, default=0.1)
    ap.add_argument("--threads", type=int, default=2)
    a = ap.parse_args()
    torch.manual_seed(1)
    torch.set_num_threads(a.threads)
    numpy.random.seed(1)
    c = CONFIG
    chapters = read_bible()
    train, held, book = [], [], None
    for i, (b, text) in enumerate(chapters):
        if i % 20 == 19:
            held.append(text)
        else:
            train.append(("\x00" if b != book and book else "\n" if book else "") + text)
            book = b
    train_text = "".join(train)
    vocab, merges = train_bpe(train_text.replace("\x00", ""), c["vocab_size"] - 1)
    ids = []
    for part in train_text.split("\x00"):
        ids += tokenise(part, vocab, merges) + [c["eos_token_id"]]
    held_text = "\n".join(held[3::5])
    held_ids = tokenise(held_text, vocab, merges)
    os.makedirs(a.out, exist_ok=True)
    write = lambda name, s: open(os.path.join(a.out, name), "w", encoding="utf-8").write(s)
    write("config.json", json.dumps(c, indent=2) + "\n")
    write("vocab.json", json.dumps(vocab, ensure_ascii=False, separators=(",", ":")) + "\n")
    write("merges.txt", "#version: 0.2\n" + "".join(f"{x} {y}\n" for x, y in merges))
    write("heldout.txt", held_text)
    print(f"{len(train_text)} characters, {len(ids)} tokens; held out {len(held_text)} characters, "
          f"{len(held_ids)} tokens", flush=True)
    model = TinyBrain(c)
    print(sum(p.numel() for p in model.parameters()), "parameters", flush=True)
    decay = [p for p in model.parameters() if p.dim() > 1]
    rest = [p for p in model.parameters() if p.dim() == 1]
    opt = torch.optim.AdamW([{"params": decay, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0}],
                            lr=a.rate, betas=(0.9, 0.95))
    data, start, mean = torch.tensor(ids), time.time(), None
    for step in range(a.steps):
        warm = min(1.0, (step + 1) / 100)
        cosine = 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / a.steps))
        for group in opt.param_groups:
            group["lr"] = a.rate * warm * cosine
        at = torch.randint(0, len(data) - a.length - 1, (a.batch,))
        x = torch.stack([data[i:i + a.length] for i in at])
        y = torch.stack([data[i + 1:i + a.length + 1] for i in at])
        logits = model(x, "paper" if step % 2 else "repo", a.dropout)
        loss = F.cross_entropy(logits.reshape(-1, c["vocab_size"]), y.reshape(-1))
        opt.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
        mean = loss.item() if mean is None else 0.98 * mean + 0.02 * loss.item()
        if step % 50 == 0:
            print(f"step {step} loss {mean:.4f} {(time.time() - start) / (step + 1):.3f} s/step", flush=True)
        if step % 500 == 499:
            save_safetensors(model, os.path.join(a.out, "model.safetensors"))
            scale = len(held_ids) / len(held_text)
            print("held-out bits per character:",
                  *(f"{m} {bits_per_token(model, held_ids, m) * scale:.4f}" for m in ("float", "repo", "paper")),
                  flush=True)
    save_safetensors(model, os.path.join(a.out, "model.safetensors"))


if __name__ == "__main__":
    main()
