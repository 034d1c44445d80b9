#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes tiny checkpoints of odd shapes and what the float64 reference makes of them.

    ./write_variants.py ../golden/variants

Each variant becomes a folder: a checkpoint, and for the modes float, repo and
paper the golden files of spikingbrain.write_golden(), over 24 given tokens
(none generated) and all logit columns.

The tokens of a variant are the ones, of many random draws, that keep its spike
counts (and, less strictly, its 8-bit keys and values) farthest from a rounding
edge: float32 arithmetic must reproduce every count.  Some variants have golden
files of other thresholds besides, each with tokens of its own.
"""
import argparse
import os
import shutil

import numpy as np

import make_checkpoint
import spikingbrain
from write_golden import clearance, describe

TOKENS = 24
DRAWS = 200

# name: (options of make_checkpoint.py, k)
VARIANTS = {
    # three query heads on one kv head, head size 24, groups no power of two, short window
    "grouped-query": ("--seed 11 --hidden 72 --heads 3 --kv-heads 1 --intermediate 48 --layers 2 --attn-layers 1 "
                      "--vocab 61 --window 7 --group 24 --dtype F16", 3.0),
    # no scales, low-rank gate, a hidden size below one group, window first
    "low-rank": ("--seed 12 --hidden 80 --heads 5 --kv-heads 1 --intermediate 40 --layers 2 --attn-layers 0 "
                 "--vocab 53 --window 9 --dtype BF16 --no-scales --gate-rank 4", 3.0),
    # no scales: a full group of 128 and a short last one; low-rank gate over the same
    "short-group": ("--seed 13 --hidden 144 --heads 12 --kv-heads 2 --intermediate 24 --layers 1 --attn-layers= "
                    "--vocab 40 --window 8 --dtype F16 --no-scales --gate-rank 3", 3.0),
    # down_proj's input is longer than one group, hidden is not; no scales, a full-rank gate
    "wide-unit": ("--seed 14 --hidden 32 --heads 2 --kv-heads 2 --intermediate 200 --layers 2 --attn-layers 1 "
                  "--vocab 47 --window 1 --dtype F16 --no-scales", 3.0),
    # three shards that split layers
    "shards": ("--seed 15 --hidden 64 --heads 4 --kv-heads 2 --intermediate 32 --layers 3 --attn-layers 1 "
               "--vocab 50 --window 12 --group 32 --dtype F16 --shards 3", 3.0),
    # window layers only, every head its own kv head, one scale a row, F32
    "window-only": ("--seed 16 --hidden 48 --heads 4 --kv-heads 4 --intermediate 40 --layers 2 --attn-layers 0,1 "
                    "--vocab 45 --window 5 --group 0 --rope-theta 1000000 --dtype F32", 3.0),
    # linear layers only, small groups, another k
    "linear-only": ("--seed 17 --hidden 48 --heads 6 --kv-heads 3 --intermediate 48 --layers 2 --attn-layers= "
                    "--vocab 45 --window 4 --group 16 --norm-eps 1e-5 --dtype F32", 2.5),
    # tied embeddings, byte tokens, two window layers in a row, the window never full, BF16 scales
    "tied-text": ("--seed 18 --hidden 40 --heads 2 --kv-heads 1 --intermediate 60 --layers 3 --attn-layers 1,2 "
                  "--vocab 258 --window 4096 --group 20 --dtype BF16 --scales-dtype BF16 --tied --tokeniser", 3.0),
    # heads of 20 channels, scales for 28, thresholds for 128: none divides another
    "uneven": ("--seed 19 --hidden 140 --heads 7 --kv-heads 1 --intermediate 28 --layers 2 --attn-layers 1 "
               "--vocab 40 --window 6 --group 28 --dtype F16", 3.0),
}

# name: golden files of other thresholds (file name, mode, threshold, k by population)
THRESHOLDS = {
    "short-group": [("group", "paper", "group", ""), ("head", "paper", "head", "")],
    "wide-unit": [("group", "paper", "group", ""), ("head", "paper", "head", ""),
                  ("layers", "paper", "token", "layers.0.*=2,*.gated_unit=4,layers.1.query=1.5")],
    "uneven": [("group", "paper", "group", ""), ("head", "repo", "head", ""),
               ("layers", "paper", "group", "layers.[0-3].attention=5,layers.1.a*=2.25")],
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out", help="folder; each variant's is replaced")
    parser.add_argument("--only", help="one variant")
    options = parser.parse_args()
    for name, (arguments, k) in VARIANTS.items():
        if options.only and name != options.only:
            continue
        folder = os.path.join(options.out, name)
        shutil.rmtree(folder, ignore_errors=True)
        o = make_checkpoint.parse(arguments.split())
        make_checkpoint.write_checkpoint(folder, o)
        random = np.random.default_rng(o.seed)
        draws = [[int(t) for t in random.integers(0, o.vocab, TOKENS)] for _ in range(DRAWS)]
        for file, mode, threshold, k_at in THRESHOLDS.get(name, []):
            own = {"threshold": threshold, "k_at": k_at}
            tokens = max(draws, key=lambda t: clearance(folder, t, TOKENS, (mode,), k, **own))
            model = spikingbrain.SpikingBrain(folder, mode, k, **own)
            print(file, end=": ")
            print(describe(spikingbrain.write_golden(os.path.join(folder, file), model, tokens, TOKENS, 0)))
        tokens = max(draws, key=lambda t: clearance(folder, t, TOKENS, k=k))
        for mode in ("float", "repo", "paper"):
            model = spikingbrain.SpikingBrain(folder, mode, k)
            about = spikingbrain.write_golden(os.path.join(folder, mode), model, tokens, TOKENS, 0)
            print(describe(about), flush=True)


if __name__ == "__main__":
    main()
