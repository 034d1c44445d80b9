#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the golden files of one model: what the float64 reference makes of it.

    ./write_golden.py ../../examples/tinybrain ../golden/tinybrain \\
                      --prompt "In the beginning"

For each mode (--modes, default float,repo,paper) the prompt is fed and then
continued greedily until --tokens tokens (default 200) have been fed.  The
files are OUT/<mode>.tokens, .counts.npy, .logits.npy, .columns, .top, .json;
spikingbrain.write_golden() says what they hold.  Prints a line a mode: how
close the run came to rounding edges, which tells how many spike counts
another arithmetic may legitimately round the other way.

--threshold and --k-at are those of spikingbrain.py; --name NAME then writes
OUT/NAME.* (of one mode).

One count rounded the other way changes all that follows, so a test by equal
counts wants a run that keeps away from the edges.  Give --prompt several
times, and the one is taken whose runs keep farthest away.
"""
import argparse
import os

import spikingbrain


KEY_VALUE_LENIENCY = 16     # 8-bit codes reach 127 where counts are near 8, so float32 errs that much more


def clearance(folder, prompt, fed, modes=("repo", "paper"), k=3.0, window=None, **thresholds):
    """The least distance of a run's spike counts from a rounding edge; its
    8-bit keys and values are judged more leniently."""
    least = 0.5
    for mode in modes:
        model = spikingbrain.SpikingBrain(folder, mode, k, window, **thresholds)
        spikingbrain.run(model, prompt, fed)
        least = min(least, model.spike_edges.least)
        if model.key_value_edges.values:
            least = min(least, model.key_value_edges.least / KEY_VALUE_LENIENCY)
    return least


def describe(about):
    line = (f"{about['model']} {about['mode']}: {about['tokens_fed']} tokens, largest logit "
            f"{about['largest_logit']:.4f}, least greedy margin {about['least_greedy_margin']:.2e}")
    for what, edge in about.get("edges", {}).items():
        near = ", ".join(f"{n} within {s}" for s, n in edge["within"].items())
        line += f"\n    {what}: least distance to a rounding edge {edge['least']:.3e} of {edge['values']} values ({near})"
    return line


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", help="checkpoint folder")
    parser.add_argument("out", help="folder for the golden files")
    prompt = parser.add_mutually_exclusive_group(required=True)
    prompt.add_argument("--prompt", action="append", help="text; may be given several times")
    prompt.add_argument("--prompt-tokens", metavar="1,2,3")
    parser.add_argument("--tokens", type=int, default=200, help="tokens to feed, the prompt's included")
    parser.add_argument("--modes", default="float,repo,paper")
    parser.add_argument("--k", type=float, default=3.0)
    parser.add_argument("--k-at", default="")
    parser.add_argument("--threshold", choices=("token", "group", "head"), default="token")
    parser.add_argument("--name", help="of the files, instead of the mode's")
    parser.add_argument("--window", type=int)
    parser.add_argument("--columns", type=int, default=64, help="logit columns, 0 for all")
    options = parser.parse_args()
    if options.prompt_tokens:
        prompts = [spikingbrain.prompt_of(options)]
    else:
        prompts = [spikingbrain.tokenise(options.model, text) for text in options.prompt]
    modes = options.modes.split(",")
    if options.name and len(modes) > 1:
        parser.error("--name is for one mode")
    thresholds = {"threshold": options.threshold, "k_at": options.k_at}
    tokens = prompts[0]
    if len(prompts) > 1:
        distances = [clearance(options.model, p, options.tokens, modes, options.k, options.window, **thresholds)
                     for p in prompts]
        for text, distance in zip(options.prompt, distances):
            print(f"{distance:.3e}  {text!r}")
        tokens = prompts[distances.index(max(distances))]
    for mode in modes:
        model = spikingbrain.SpikingBrain(options.model, mode, options.k, options.window, **thresholds)
        about = spikingbrain.write_golden(os.path.join(options.out, options.name or mode), model, tokens,
                                          options.tokens, options.columns)
        print(describe(about), flush=True)


if __name__ == "__main__":
    main()
