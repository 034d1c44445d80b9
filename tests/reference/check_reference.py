#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Second opinions on the float64 reference.

    ./check_reference.py ../../examples/tinybrain --trainer ../../examples/tinybrain/train.py

1. The analytic figures for Gaussian and Laplace inputs at k = 3, by numerical
   integration of the density and by the closed form.
2. Given MODEL and its trainer: the recurrent reference against the trainer's
   chunked PyTorch model, in the three modes, both in float64.  What the
   trainer does otherwise is evened out: it gets the stored scales (or those
   the specification makes where none are stored), the stored weight for
   down_proj in repo mode, the low-rank gate as one matrix, tied embeddings
   twice.  So MODEL may be any of ../golden/variants/.
3. Given MODEL: what a disturbance of the size of float32 rounding does to a
   free-running generation: how many counts differ, from which token on.

Needs NumPy; 2 needs python3-torch and python3-regex.  Exit code 1 if 1 or 2
disagree.
"""
import argparse
import importlib.util
import math

import numpy as np

import spikingbrain


def popcount(n):
    return bin(n).count("1")


def analytic(k=3.0, counts=400):
    """Silent fraction, mean spikes (bitwise), P(|s| <= 7) for unit Gaussian and Laplace inputs."""
    densities = {        # of |x|, mean |x|, P(|x| > x)
        "Gaussian": (lambda x: math.sqrt(2 / math.pi) * np.exp(-x * x / 2), math.sqrt(2 / math.pi),
                     lambda x: math.erfc(x / math.sqrt(2))),
        "Laplace": (lambda x: np.exp(-x), 1.0, lambda x: math.exp(-x)),
    }
    good = True
    for name, (density, mean, tail) in densities.items():
        v_th = mean / k
        numerical, closed = [], []
        for n in range(counts):
            low, high = max(0.0, (n - 0.5) * v_th), (n + 0.5) * v_th
            x = np.linspace(low, high, 201)
            weight = np.ones(201)                       # Simpson
            weight[1:-1:2], weight[2:-1:2] = 4, 2
            numerical.append(float(weight @ density(x)) * (high - low) / 600)
            closed.append(tail(low) - tail(high))
        for how, p in (("integrated", numerical), ("closed form", closed)):
            spikes = sum(popcount(n) * q for n, q in enumerate(p))
            print(f"{name:8} {how:11} silent {p[0]:.6f}  mean popcount {spikes:.6f}  "
                  f"P(|s| <= 7) {sum(p[:8]):.6f}  mean |s| {sum(n * q for n, q in enumerate(p)):.6f}  "
                  f"total {sum(p):.6f}")
        good = good and np.allclose(numerical, closed, atol=1e-9)
    rng = np.random.default_rng(1)
    for name, x in (("Gaussian", rng.normal(size=1 << 20)), ("Laplace", rng.laplace(size=1 << 20))):
        s = np.abs(np.rint(x / spikingbrain.threshold(x, k))).astype(int)
        bits = np.array([popcount(n) for n in range(s.max() + 1)])
        print(f"{name:8} sampled     silent {np.mean(s == 0):.4f}    mean popcount {bits[s].mean():.4f}    "
              f"P(|s| <= 7) {np.mean(s <= 7):.4f}")
    return good


def coded(weight, scales):
    """The weight as codes times scales, in PyTorch, a group at a time."""
    import torch
    inputs = weight.shape[1]
    size = spikingbrain.GROUP if scales is None else inputs // scales.shape[1]
    parts = []
    for n, part in enumerate(weight.split(size, 1)):
        if scales is None:
            scale = (part.to(torch.float32).abs().amax(1, keepdim=True) / 127).to(torch.float64)
            scale = torch.where(scale == 0, torch.ones_like(scale), scale)
        else:
            scale = scales[:, n]
        parts.append(torch.round(part / scale) * scale)
    return torch.cat(parts, 1)


def against_trainer(folder, trainer, k, length, tolerance):
    import torch
    spec = importlib.util.spec_from_file_location("train", trainer)
    train = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(train)
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    torch.Tensor.float = torch.Tensor.double        # the trainer's angles are float32 otherwise
    files, config = spikingbrain.Safetensors(folder), spikingbrain.SpikingBrain(folder, "float").config
    net = train.TinyBrain(config).double().eval()
    spike = train.spike
    train.spike = lambda x: spike(x, k)
    # token ids: some often, some rare, more than the window of a small model
    tokens = [int(t) for t in np.random.default_rng(5).zipf(1.3, length) % config["vocab_size"]]
    good = True
    for mode in ("float", "repo", "paper"):
        stored, down = {}, set()
        with torch.no_grad():
            for key, parameter in net.p.items():
                name = key.replace("/", ".")
                if name == "lm_head.weight" and config["tie_word_embeddings"]:
                    value = files["model.embeddings.weight"]
                elif name.endswith("gk_proj.weight") and name not in files:
                    value = files[name[:-6] + "1.weight"] @ files[name[:-6] + "0.weight"]
                    if mode != "float":
                        value = value.astype(np.float32).astype(np.float64)
                elif name.endswith("gk_proj.bias") and name not in files:
                    value = files[name[:-4] + "1.bias"]
                else:
                    value = files[name]
                parameter.copy_(torch.from_numpy(value))
                scales = name + "_quantizer.scales"
                stored[parameter.data_ptr()] = torch.from_numpy(files[scales]) if scales in files else None
                if "down_proj" in name:
                    down.add(parameter.data_ptr())
            train.coded = lambda w: w if mode == "repo" and w.data_ptr() in down else coded(w, stored[w.data_ptr()])
            theirs = net(torch.tensor(tokens)[None], mode)[0].numpy()
        _, ours, _ = spikingbrain.run(spikingbrain.SpikingBrain(folder, mode, k), tokens, length)
        difference = np.abs(ours - theirs).max(axis=1)
        relative = difference.max() / np.abs(ours).max()
        same = np.mean(ours.argmax(1) == theirs.argmax(1))
        print(f"trainer's model, {config['hidden_size']} hidden, k {k:g}, {mode:5}: {length} tokens, largest difference "
              f"{difference.max():.3e} ({relative:.3e} of the largest logit), same argmax {same:.4f}")
        good = good and relative < tolerance
    return good


def disturbance(folder, k, prompt, fed):
    for mode in ("repo", "paper"):
        tokens, plain, counts = spikingbrain.run(spikingbrain.SpikingBrain(folder, mode, k), prompt, fed)
        largest = np.abs(plain).max()
        for noise in (1e-12, 1e-9, 1e-8, 6e-8, 1e-6):
            model = spikingbrain.SpikingBrain(folder, mode, k, noise=noise)
            _, logits, other = spikingbrain.run(model, tokens, fed)
            differ = (counts != other).any(axis=1)
            first = int(differ.argmax()) if differ.any() else None
            first = "none" if first is None else f"first at token {first}, {np.count_nonzero(counts[first] != other[first])} there"
            print(f"disturbed by {noise:g}, {mode}: counts that differ {np.mean(counts != other):.2e} of {counts.size} "
                  f"({first}), logits {np.abs(plain - logits).max() / largest:.2e} of the largest, "
                  f"same argmax {np.mean(plain.argmax(1) == logits.argmax(1)):.3f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", nargs="?", help="checkpoint folder")
    parser.add_argument("--trainer", metavar="train.py")
    parser.add_argument("--prompt-tokens", default="1,2,3")
    parser.add_argument("--prompt")
    parser.add_argument("--k", type=float, default=3.0)
    parser.add_argument("--tokens", type=int, default=200)
    options = parser.parse_args()
    good = analytic()
    if options.model and options.trainer:
        good = against_trainer(options.model, options.trainer, options.k, 192, 1e-4) and good
    if options.model:
        prompt = spikingbrain.tokenise(options.model, options.prompt) if options.prompt else \
            [int(t) for t in options.prompt_tokens.split(",")]
        disturbance(options.model, options.k, prompt, options.tokens)
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
