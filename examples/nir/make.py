#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes recurrent.nir, a small network as NIR files hold them, and bar.npy, something for it to
look at: a bar that moves over 16 x 16 pixels, seen by a camera that reports where it gets
brighter (channel 0) and darker (channel 1).

    pixels (2,16,16) -> edges: Conv2d, 4 kernels of 3 x 3, stride 2 -> detectors: LIF (4,8,8)
      -> flat: Flatten -> mix: Affine 256 to 16 -> memory: CubaLIF (16) -> sum: Affine 16 to 4
      -> readout: LI (4) -> out
    memory -> echo: Linear 16 to 16 -> memory         (back, one tick later)

Weights are random (fixed seed), on a grid of 1/64 so that they compress. Arrays are f4; the large
one is packed with gzip, as present writers of NIR do, the small ones lie as they are, as older
writers leave them. Nothing but h5py and numpy is needed.

    apt install python3-h5py python3-numpy
    ./make.py            # writes both files beside itself and prints what must come out

`simulate` is a plain reading of NIR's equations in double precision: exact integration, a value
held for one tick, a spike where v > threshold, then v = v_reset; forward edges take no time.
It reads the file just written, not the arrays that it was made of.
"""
import os
import h5py, numpy

HERE = os.path.dirname(os.path.abspath(__file__))
TICKS = 100
DT = 1e-4 # seconds in a tick


# ---------------------------------------------------------------- the files
def on_grid(weights):
    return (numpy.round(weights * 64) / 64).astype("f4")


def make_nodes(random):
    """Nodes by name, each a dictionary of its datasets; and the edges."""
    def same(value, *shape):
        return numpy.full(shape, value, "f4")

    kernels = on_grid(random.normal(0.5, 1.5, (4, 2, 3, 3)))
    mix = on_grid(random.normal(0.2, 1.0, (16, 256)))
    echo = on_grid(random.normal(-0.5, 2.0, (16, 16)))
    total = on_grid(random.normal(0.0, 1.0, (4, 16)))
    nodes = {
        "pixels": dict(type="Input", shape=numpy.array([2, 16, 16])),
        "edges": dict(type="Conv2d", input_shape=numpy.array([16, 16]), weight=kernels,
                      stride=numpy.array([2, 2]), padding=numpy.array([1, 1]),
                      dilation=numpy.array([1, 1]), groups=1, bias=same(0, 4)),
        "detectors": dict(type="LIF", tau=same(2e-3, 4, 8, 8), r=same(1, 4, 8, 8),
                          v_leak=same(0, 4, 8, 8), v_threshold=same(0.25, 4, 8, 8),
                          v_reset=same(0, 4, 8, 8)),
        "flat": dict(type="Flatten", input_type=numpy.array([4, 8, 8]), start_dim=0, end_dim=-1),
        "mix": dict(type="Affine", weight=mix, bias=on_grid(random.normal(0.25, 0.1, 16))),
        "memory": dict(type="CubaLIF", tau_syn=same(5e-4, 16), tau_mem=same(2e-3, 16),
                       r=same(1, 16), v_leak=same(0, 16), v_threshold=same(0.25, 16),
                       v_reset=same(0, 16), w_in=same(1, 16)),
        "echo": dict(type="Linear", weight=echo),
        "sum": dict(type="Affine", weight=total, bias=same(0.125, 4)),
        "readout": dict(type="LI", tau=same(5e-3, 4), r=same(1, 4), v_leak=same(0, 4)),
        "out": dict(type="Output", shape=numpy.array([4])),
    }
    edges = [("pixels", "edges"), ("edges", "detectors"), ("detectors", "flat"), ("flat", "mix"),
             ("mix", "memory"), ("memory", "echo"), ("echo", "memory"), ("memory", "sum"),
             ("sum", "readout"), ("readout", "out")]
    return nodes, edges


def write_nir(path, nodes, edges):
    """HDF5 as NIR lays it out: /version, and the graph under /node."""
    text = h5py.string_dtype("utf-8")
    with h5py.File(path, "w", track_order=False) as file:
        file.create_dataset("version", data="1.0", dtype=text)
        graph = file.create_group("node")
        graph.create_dataset("type", data="NIRGraph", dtype=text)
        graph.create_dataset("edges", data=numpy.array(edges, dtype=object), dtype=text)
        for name, node in nodes.items():
            group = graph.create_group("nodes/" + name)
            for key, value in node.items():
                if isinstance(value, str):
                    group.create_dataset(key, data=value, dtype=text)
                elif numpy.size(value) > 1024:
                    group.create_dataset(key, data=value, compression="gzip", compression_opts=9)
                else:
                    group.create_dataset(key, data=value)


def make_bar():
    """uint8 [TICKS][512]: the bar, three columns wide, moves one column every five ticks. The
    column in front of it gets brighter and the one behind it darker, even rows and odd rows by
    turns, so that one tick brings at most sixteen spikes."""
    spikes = numpy.zeros((TICKS, 2, 16, 16), "u1")
    for tick in range(TICKS):
        front = tick // 5
        for channel, column in ((0, front), (1, front - 3)):
            if 0 <= column < 16:
                spikes[tick, channel, tick % 2::2, column] = 1
    return spikes.reshape(TICKS, 512)


# ---------------------------------------------------------------- what must come out
def convolve(node, x):
    """Cross-correlation; x and the result are [channels][height][width], stride and padding the
    same both ways."""
    weight, stride, padding = node["weight"], int(node["stride"][0]), int(node["padding"][0])
    x = numpy.pad(x, ((0, 0), (padding, padding), (padding, padding)))
    size = weight.shape[2]
    side = (x.shape[1] - size) // stride + 1
    out = numpy.zeros((weight.shape[0], side, side))
    for row in range(side):
        for column in range(side):
            window = x[:, row * stride:row * stride + size, column * stride:column * stride + size]
            out[:, row, column] = (weight * window).sum(axis=(1, 2, 3)) + node["bias"]
    return out


def read_nodes(path):
    """Parameters of every node as the file has them, numbers widened to doubles."""
    with h5py.File(path) as file:
        return {name: {key: numpy.asarray(group[key][()], "f8") for key in group if key != "type"}
                for name, group in file["node/nodes"].items()}


def simulate(nodes, inputs, dt):
    """Counts of spikes by layer, and the readout [ticks][4]."""
    detectors, memory, readout = nodes["detectors"], nodes["memory"], nodes["readout"]
    v = numpy.zeros((4, 8, 8))
    current, membrane = numpy.zeros(16), numpy.zeros(16)
    fired = numpy.zeros(16)
    level = numpy.zeros(4)
    counts = dict(pixels=0, detectors=0, memory=0)
    levels = []
    for row in inputs:
        counts["pixels"] += int(row.sum())

        # tau v' = v_leak - v + r I, with I constant over the tick
        drive = convolve(nodes["edges"], row.reshape(2, 16, 16).astype("f8"))
        decay = numpy.exp(-dt / detectors["tau"])
        v = decay * v + (1 - decay) * (detectors["v_leak"] + detectors["r"] * drive)
        spikes = v > detectors["v_threshold"]
        v = numpy.where(spikes, detectors["v_reset"], v)
        counts["detectors"] += int(spikes.sum())

        # tau_syn I' = w_in S - I and tau_mem v' = v_leak - v + r I, with S constant over the tick:
        # I = S' + (I0 - S') exp(-t / tau_syn), and v follows it in closed form
        held = memory["w_in"] * (nodes["mix"]["weight"] @ spikes.reshape(-1) + nodes["mix"]["bias"]
                                 + nodes["echo"]["weight"] @ fired)
        slow, fast = memory["tau_mem"], memory["tau_syn"]
        decay_v, decay_i = numpy.exp(-dt / slow), numpy.exp(-dt / fast)
        share = fast / (fast - slow) * (decay_i - decay_v)
        membrane = (decay_v * membrane + (1 - decay_v) * (memory["v_leak"] + memory["r"] * held)
                    + memory["r"] * (current - held) * share)
        current = held + (current - held) * decay_i
        fired = (membrane > memory["v_threshold"]).astype("f8")
        membrane = numpy.where(fired > 0, memory["v_reset"], membrane)
        counts["memory"] += int(fired.sum())

        drive = nodes["sum"]["weight"] @ fired + nodes["sum"]["bias"]
        decay = numpy.exp(-dt / readout["tau"])
        level = decay * level + (1 - decay) * (readout["v_leak"] + readout["r"] * drive)
        levels.append(level)
    return counts, numpy.array(levels)


def main():
    path = os.path.join(HERE, "recurrent.nir")
    write_nir(path, *make_nodes(numpy.random.RandomState(3)))
    bar = make_bar()
    numpy.save(os.path.join(HERE, "bar.npy"), bar)
    counts, levels = simulate(read_nodes(path), bar, DT)
    for name, count in counts.items():
        print(f"{name:10} {count:6} spikes")
    print("readout at the end:", " ".join(f"{level:.12f}" for level in levels[-1]))


if __name__ == "__main__":
    main()
