#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the networks of energy_networks.sh: a native document and, where there are weights, a
safetensors file beside it. Nothing is random: weights are scrambled indices.

    energy_networks.py gesture gesture.json [--sanafe gesture.yaml]
        Five layers for 32 x 32 pixels, 18,678 neurons and 3.6 million synapses: the shape of the
        network for gestures that SANA-FE ships, with weights of its own. 1000 ticks make about 51
        million synaptic events. Placed on 49 cores of a mesh of 8 x 4 tiles. --sanafe writes the
        same network once more, as SANA-FE (commit 8951ab07) reads it for its Loihi.
    energy_networks.py crossbars crossbars.json [--cores N]
        TrueNorth's typical point: cores of 256 neurons that fire 20 times a second, each onto 128
        synapses of one other core. 4096 cores are 1,048,576 neurons and 134 million synapses.
"""
import argparse
import array
import json
import math
import os
import struct
import sys

TICK = 1e-3  # s

# ---- gesture ----

PIXELS = 32
# channels, height, width, kernel, stride; threshold; weights: spread, mean. They were chosen so
# that about as many spikes leave each layer as in the network whose shape this is: 25,000 pixels',
# then 28,000, 70,000, 190,000 and 50,000.
LAYERS = [
    (16, 15, 15, 3, 2, 420, 120, 5),
    (32, 13, 13, 3, 1, 351, 60, 4.375),
    (64, 11, 11, 3, 1, 276, 60, 2),
    (11, 9, 9, 3, 1, 371, 40, 1.5),
]
CLASSES, CLASS_THRESHOLD, CLASS_SPREAD = 11, 341, 30
PARTS = [1, 8, 8, 22, 9, 1]  # cores of each layer


def scramble(i):
    mask = 0xffffffff
    i = (i + 0x9e3779b9) & mask
    i = (i ^ i >> 16) * 0x85ebca6b & mask
    i = (i ^ i >> 13) * 0xc2b2ae35 & mask
    return i ^ i >> 16


def weights_of(salt, count, spread, shift):
    """Whole numbers of a triangle about `shift`, none of them 0."""
    made = array.array("h")
    for i in range(count):
        a, b = scramble(salt << 24 | 2 * i), scramble(salt << 24 | 2 * i + 1)
        made.append(round((a - b) / 2**32 * spread + shift) or 1)
    return made


def write_tensors(path, tensors):
    """tensors: name to (shape, array of int16)."""
    header, begin = {}, 0
    for name, (shape, values) in tensors.items():
        end = begin + 2 * len(values)
        header[name] = {"dtype": "I16", "shape": shape, "data_offsets": [begin, end]}
        begin = end
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, values in tensors.values():
            if sys.byteorder == "big":
                values.byteswap()
            file.write(values.tobytes())


def drive_of(pixel):
    """Three pixels of ten are lit."""
    return 6 + scramble(0x7000000 + pixel) % 36 if scramble(pixel) % 10 < 3 else 0


def places(populations, neurons):
    core = 0
    for name, parts in zip(populations, PARTS):
        count = -(-neurons[name] // parts)
        for first in range(0, neurons[name], count):
            yield {"population": name, "neurons": [first, min(count, neurons[name] - first)],
                   "core": core}
            core += 1


def gesture(path, peer):
    names = ["pixels"] + [f"conv{i + 1}" for i in range(len(LAYERS))] + ["classes"]
    shapes = [(1, PIXELS, PIXELS)] + [layer[:3] for layer in LAYERS] + [(CLASSES, 1, 1)]
    neurons = {name: c * h * w for name, (c, h, w) in zip(names, shapes)}
    thresholds = [255] + [layer[5] for layer in LAYERS] + [CLASS_THRESHOLD]
    populations, projections, tensors = {}, [], {}
    for name, shape, threshold in zip(names, shapes, thresholds):
        populations[name] = {"model": "if", "shape": list(shape),
                             "parameters": {"v_threshold": threshold}}
    populations["pixels"]["drive"] = {"input": [drive_of(i) for i in range(neurons["pixels"])]}
    populations["classes"]["output"] = True
    for i, (channels, _, _, kernel, stride, _, spread, mean) in enumerate(LAYERS):
        shape = [channels, shapes[i][0], kernel, kernel]
        tensors[names[i + 1]] = (shape, weights_of(i + 1, math.prod(shape), spread, mean))
        projections.append({"rule": {"convolution": {"channels": channels, "kernel": kernel,
                                                     "stride": stride}}})
    shape = [CLASSES, neurons[names[-2]]]
    tensors["classes"] = (shape, weights_of(9, math.prod(shape), CLASS_SPREAD, 0))
    projections.append({"rule": "dense"})
    for source, target, projection in zip(names, names[1:], projections):
        projection.update({"from": source, "to": target, "type": "int16", "scale": 1,
                           "weight": {"tensor": target}})
    placement = list(places(names, neurons))
    if peer:
        write_sanafe(peer, populations, shapes, tensors, placement)
    document(path, {"duration": 1, "rules": {"spike_area": "jump"}, "populations": populations,
                    "projections": projections, "placement": placement})
    write_tensors(os.path.splitext(path)[0] + ".safetensors", tensors)


def write_sanafe(path, populations, shapes, tensors, placement):
    names = list(populations)
    with open(path, "w", encoding="utf-8") as file:
        file.write("network:\n  name: gesture\n  groups:\n")
        for name in names:
            kind = "dense" if name == "classes" else "conv"
            threshold = populations[name]["parameters"]["v_threshold"]
            drive = populations[name].get("drive", {}).get("input")
            count = math.prod(populations[name]["shape"])
            each = [f"{i}: {{bias: {b}}}" for i, b in enumerate(drive)] if drive else \
                   [f"0..{count - 1}: {{}}"]
            file.write(f"  - name: {name}\n    attributes: {{soma_hw_name: loihi_lif, "
                       f"synapse_hw_name: loihi_{kind}_synapse, threshold: {threshold}, reset: 0, "
                       "leak_decay: 1.0}\n    neurons:\n")
            file.writelines(f"    - {line}\n" for line in each)
        file.write("  edges:\n")
        for i, (source, target) in enumerate(zip(names, names[1:])):
            (outputs, inputs, *kernel), weights = tensors[target]
            taps = math.prod(kernel)
            ordered = [weights[(o * inputs + c) * taps + k]
                       for k in range(taps) for c in range(inputs) for o in range(outputs)]
            fields = {"type": "dense"}
            if kernel:
                fields = {"type": "conv2d", "input_channels": inputs, "kernel_count": outputs,
                          "input_height": shapes[i][1], "input_width": shapes[i][2],
                          "kernel_height": kernel[0], "kernel_width": kernel[1],
                          "stride_height": LAYERS[i][4], "stride_width": LAYERS[i][4]}
            fields["weight"] = ordered
            file.write(f"  - {source} -> {target}: {json.dumps(fields)}\n".replace('"', ""))
        file.write("mappings:\n")
        for place in placement:
            first, count = place["neurons"]
            core = f"{place['core'] // 4}.{place['core'] % 4}"
            file.write(f"- {place['population']}.{first}..{first + count - 1}: [core: {core}]\n")


# ---- crossbars ----

CORE, SYNAPSES, PERIOD = 256, 128, 50  # neurons; of each; ticks


def crossbars(path, cores):
    """Neurons are driven far beyond their threshold and rest for 49 ticks, so they fire every 50
    ticks whatever reaches them. Each core leads to the one 21 columns and 21 rows further, as far
    as in the chip's typical network, and around the edges."""
    side = max(1, round(cores**0.5))
    reach = min(21, side - 1)
    population = {"model": "if", "neurons": CORE, "drive": {"input": 1e6},
                  "initial": {"v": [-1e6 * (i % PERIOD) for i in range(CORE)]},
                  "parameters": {"v_threshold": 5e5, "refractory": (PERIOD - 1) * TICK}}
    projections = []
    for core in range(cores):
        x, y = core % side, core // side
        rows = -(-cores // side)
        target = ((y + reach) % rows * side + (x + reach) % side) % cores
        projections.append({"from": f"c{core}", "to": f"c{target}", "weight": 1,
                            "rule": {"fixed_out_degree": SYNAPSES}})
    document(path, {"duration": 1, "rules": {"spike_area": "jump"},
                    "populations": {f"c{core}": population for core in range(cores)},
                    "projections": projections,
                    "placement": [{"population": f"c{core}", "core": core}
                                  for core in range(cores)]})


def document(path, rest):
    name = os.path.splitext(os.path.basename(path))[0]
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"volley": 1, "name": name, "tick": TICK, **rest}, file)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", choices=["gesture", "crossbars"])
    parser.add_argument("path", help="ends in .json")
    parser.add_argument("--cores", type=int, default=4096)
    parser.add_argument("--sanafe", metavar="FILE", help="the same network for SANA-FE")
    arguments = parser.parse_args()
    if arguments.network == "gesture":
        gesture(arguments.path, arguments.sanafe)
    else:
        crossbars(arguments.path, arguments.cores)


if __name__ == "__main__":
    main()
