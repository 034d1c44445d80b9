#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the small NIR files of tests/golden/nir with h5py: networks as frameworks write them, and
files that are broken in one way each (broken_*.nir). Numbers are simple enough to be written into
test_nir.c by hand.

    write_nir.py FOLDER
"""
import functools
import os
import sys

import h5py
import numpy as np

folder = sys.argv[1]
TEXT = h5py.string_dtype()


def f4(*values):
    return np.array(values, dtype=np.float32)


def ramp(*shape):
    """1, 2, 3, ... in the shape, as float32."""
    return np.arange(1, 1 + int(np.prod(shape)), dtype=np.float32).reshape(shape)


def compact(group, name, data):
    """A dataset within its own header, which takes the least room."""
    value = np.asarray(data)
    layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    layout.set_layout(h5py.h5d.COMPACT)
    layout.set_obj_track_times(False)
    space = h5py.h5s.create_simple(value.shape) if value.ndim else h5py.h5s.create(h5py.h5s.SCALAR)
    kind = h5py.h5t.py_create(value.dtype, logical=True)
    dataset = h5py.h5d.create(group.id, name.encode(), kind, space, layout)
    dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, np.ascontiguousarray(value))


def graph_write(group, nodes, edges, gzip=False, fixed=None, old=False):
    """nodes: name -> (type, {parameter: value}), or name -> (nodes, edges) for a graph."""
    small = fixed and not old
    put = functools.partial(compact, group) if small else group.create_dataset
    if fixed:
        put("type", data=np.bytes_("NIRGraph"))
        put("edges", data=np.array(edges, dtype="S%d" % fixed))
    else:
        group.create_dataset("type", data="NIRGraph", dtype=TEXT)
        group.create_dataset("edges", data=np.array(edges, dtype=object), dtype=TEXT)
    inside = group.create_group("nodes")
    for name, (kind, content) in nodes.items():
        node = inside.create_group(name)
        if isinstance(kind, dict):
            graph_write(node, kind, content, gzip, fixed, old)
            continue
        if fixed:
            put = functools.partial(compact, node) if small else node.create_dataset
            put("type", data=np.bytes_(kind))
        else:
            node.create_dataset("type", data=kind, dtype=TEXT)
        for key, value in content.items():
            if isinstance(value, str):
                node.create_dataset(key, data=value, dtype=TEXT)
            elif isinstance(value, np.ndarray) and value.ndim > 0 and gzip:
                node.create_dataset(key, data=value, compression="gzip", shuffle=True)
            elif isinstance(value, dict):
                inner = node.create_group(key)
                for k, v in value.items():
                    inner.create_dataset(k, data=v)
            elif small:
                compact(node, key, value)
            else:
                node.create_dataset(key, data=value)


def write(name, nodes, edges, latest=False, **options):
    # what is broken in a small file: new groups and short strings
    if name.startswith("broken_"):
        latest, options["fixed"] = True, 12
    with h5py.File(os.path.join(folder, name + ".nir"), "w",
                   libver="latest" if latest else None) as file:
        if not options.get("fixed"):
            file.create_dataset("version", data="1.0.4", dtype=TEXT)
        graph_write(file.create_group("node"), nodes, edges, **options)


def inp(*shape):
    return ("Input", {"shape": np.array(shape)})


def out(*shape):
    return ("Output", {"shape": np.array(shape)})


def lif(n, **more):
    content = {"tau": np.full(n, 0.01), "r": f4(*[1] * n), "v_leak": f4(*[0] * n),
               "v_threshold": f4(*[1] * n), "v_reset": f4(*[0] * n)}
    content.update(more)
    return ("LIF", content)


def affine(n_out, n_in, bias=None):
    return ("Affine", {"weight": ramp(n_out, n_in),
                       "bias": ramp(n_out) if bias is None else np.array(bias)})


def conv2d(weight, **more):
    content = {"weight": weight, "bias": np.zeros(weight.shape[0]), "stride": np.array([1, 1]),
               "padding": np.array([0, 0]), "dilation": np.array([1, 1]), "groups": 1,
               "input_shape": np.array([4, 4])}
    content.update(more)
    return ("Conv2d", {k: v for k, v in content.items() if v is not None})


def pool(kind, size, **more):
    content = {"kernel_size": np.array([size, size]), "stride": np.array([size, size]),
               "padding": np.array([0, 0])}
    content.update(more)
    return (kind, content)


def line(*names):
    return [(a, b) for a, b in zip(names, names[1:])]


def good():
    # one of each kind of cells, fan-out and fan-in, fields that may be missing; gzip
    write("cells", {
        "input": inp(2), "a": affine(2, 2, [0.5, -0.5]),
        "i": ("I", {"r": f4(2, 3)}),
        "if": ("IF", {"r": f4(1, 1), "v_threshold": f4(1, 2)}),
        "li": ("LI", {"tau": np.array([0.01, 0.02]), "r": f4(1, 1), "v_leak": f4(0, 0.25)}),
        "lif": lif(2, v_threshold=f4(1, 2)),
        "cubali": ("CubaLI", {"tau_syn": f4(0.005, 0.005), "tau_mem": f4(0.01, 0.01),
                              "r": f4(1, 1), "v_leak": f4(0, 0), "w_in": f4(2, 3)}),
        "cubalif": ("CubaLIF", {"tau_syn": np.float32(0.005), "tau_mem": np.float32(0.01),
                                "r": np.float32(1), "v_leak": np.float32(0),
                                "v_threshold": np.float32(1)}),
        "threshold": ("Threshold", {"threshold": f4(0.5, 0.5)}),
        "output": out(1, 1, 1),
    }, [("input", "a"), ("a", "lif"), ("a", "if"), ("lif", "threshold"), ("if", "threshold"),
        ("threshold", "i"), ("threshold", "li"), ("threshold", "cubali"), ("i", "cubalif"),
        ("li", "cubalif"), ("cubali", "cubalif"), ("cubalif", "output")])

    # convolution, pools, flattening, dense; new style
    write("image", {
        "input": inp(1, 4, 4),
        "0": conv2d(ramp(2, 1, 3, 3), bias=f4(0.5, -1), padding="same"),
        "1": lif(1, tau=np.full((2, 4, 4), 0.01), r=np.ones((2, 1, 1)),
                 v_threshold=np.arange(1.0, 3.0).reshape(2, 1, 1), v_leak=np.float64(0),
                 v_reset=np.float64(0)),
        "2": pool("SumPool2d", 2),
        "3": ("IF", {"r": np.ones((2, 2, 2)), "v_threshold": np.ones((2, 2, 2)),
                     "v_reset": np.zeros((2, 2, 2))}),
        "4": pool("AvgPool2d", 2),
        "5": ("Flatten", {"start_dim": 1, "end_dim": -1, "input_type": np.array([2, 1, 1])}),
        "6": affine(3, 2, [0.0, 0.0, 0.0]),
        "output": out(3),
    }, line("input", "0", "1", "2", "3", "4", "5", "6", "output"), gzip=True, latest=True)

    # convolutions told by their sources, lines, groups, strides, "valid", "null"
    write("convolutions", {
        "input": inp(2, 5, 5),
        "a": conv2d(ramp(2, 1, 2, 2), bias=None, input_shape="null", groups=2, stride=2,
                    padding="valid", dilation=1),
        "x": lif(1),
        "flat": ("Flatten", {"start_dim": 0, "end_dim": -1,
                             "input_type": {"input": np.array([2, 2, 2])}}),
        "b": ("Conv1d", {"weight": ramp(3, 1, 3), "bias": np.zeros(3), "input_shape": 8,
                         "stride": np.array([1]), "padding": np.array([1]), "dilation": 1,
                         "groups": 1}),
        "y": lif(1),
        "output": out(3, 8),
    }, line("input", "a", "x", "flat", "b", "y", "output"), latest=True, fixed=12)

    # scales and delays in all places
    write("scales", {
        "input": inp(2),
        "s1": ("Scale", {"scale": f4(2, 3)}), "w1": affine(2, 2, [1.0, 1.0]),
        "s2": ("Scale", {"scale": f4(10, 100)}), "d1": ("Delay", {"delay": f4(0, 0)}),
        "x": lif(2),
        "d2": ("Delay", {"delay": np.array([0.003, 0.003])}), "w2": affine(2, 2, [0.0, 0.0]),
        "y": lif(2),
        "d3": ("Delay", {"delay": np.array([0.001, 0.002])}),
        "s3": ("Scale", {"scale": np.float32(0.5)}),
        "z": lif(2),
        "d4": ("Delay", {"delay": np.array([0.001, 0.002])}), "w4": affine(2, 2, [0.0, 0.0]),
        "v": lif(2),
        "output": out(2),
    }, line("input", "s1", "w1", "s2", "d1", "x", "d2", "w2", "y", "d3", "s3", "z", "d4", "w4", "v",
            "output"), latest=True, fixed=12)

    # two dense in a row, and a read-out by a dense
    write("chain", {
        "input": inp(3), "a": affine(2, 3, [1.0, 2.0]), "b": ("Linear", {"weight": ramp(2, 2)}),
        "x": lif(2), "c": affine(1, 2, [3.0]), "output": out(1),
    }, line("input", "a", "b", "x", "c", "output"), gzip=True, latest=True)

    # an average that cannot be counts, a bias that must not be late
    write("pools", {
        "input": inp(1, 4, 4), "p": pool("AvgPool2d", 2), "n": lif(1), "a": affine(2, 4),
        "d": ("Delay", {"delay": np.float64(0.003)}), "m": lif(2), "output": out(2),
    }, line("input", "p", "n", "a", "d", "m", "output"), latest=True, fixed=12)

    # a recurrent layer in a graph of its own, as snnTorch writes it, and names with dots
    write("nested", {
        "input": inp(2), "fc.1": affine(3, 2, [0.0, 0.0, 0.0]),
        "rnn": ({"input": inp(3), "lif": lif(3), "w_rec": ("Linear", {"weight": ramp(3, 3)}),
                 "output": out(3)},
                [("input", "lif"), ("lif", "w_rec"), ("w_rec", "lif"), ("lif", "output")]),
        "fc.2": affine(1, 3, [0.0]), "last": lif(1), "output": out(1),
    }, line("input", "fc.1", "rnn", "fc.2", "last", "output"), latest=True, fixed=12)

    # as old writers leave it: no version, no v_reset, fixed-length strings, contiguous, big-endian
    write("old", {
        "input": inp(1), "0": ("Affine", {"weight": np.array([[2]], dtype=">f4"),
                                          "bias": np.array([0], dtype=">f8")}),
        "1": ("LIF", {"tau": f4(0.01), "r": f4(1), "v_leak": f4(0), "v_threshold": f4(0.1)}),
        "output": out(1),
    }, [("1", "output"), ("input", "0"), ("0", "1")], fixed=12, old=True)

    # loops: two that meet, one neuron to itself, a delay in one
    write("loops", {
        "input": inp(1), "a": lif(1), "b": lif(1), "c": lif(1),
        "back": ("Linear", {"weight": f4(2).reshape(1, 1)}),
        "late": ("Delay", {"delay": np.array([0.005])}), "output": out(1),
    }, [("input", "a"), ("a", "b"), ("b", "c"), ("c", "back"), ("back", "a"), ("b", "b"),
        ("c", "late"), ("late", "b"), ("c", "output")], latest=True, fixed=12)

    # with metadata, and a time constant below the tick
    write("fast", {"input": inp(1), "n": ("LIF", {
        "tau": f4(1e-5), "r": f4(1), "v_leak": f4(0), "v_threshold": f4(1), "v_reset": f4(0),
        "metadata": {"note": 1}}), "output": out(1)}, line("input", "n", "output"), gzip=True)


def simple(**changes):
    nodes = {"input": inp(2), "fc": affine(3, 2), "n": lif(3), "output": out(3)}
    nodes.update(changes)
    return nodes


SIMPLE = line("input", "fc", "n", "output")


def broken():
    write("broken_edge", simple(), SIMPLE + [("n", "ghost")])
    write("broken_twice", simple(), SIMPLE + [("n", "output")])
    write("broken_type", simple(n=("Izhikevich", {"a": 1.0})), SIMPLE)
    write("broken_shape", simple(fc=affine(3, 4)), SIMPLE)
    write("broken_parameter_shape", simple(n=lif(2)), SIMPLE)
    write("broken_weight", simple(fc=("Affine", {"weight": ramp(6), "bias": ramp(3)})), SIMPLE)
    write("broken_bias", simple(fc=("Affine", {"weight": ramp(3, 2), "bias": ramp(2)})), SIMPLE)
    write("broken_nan", simple(n=lif(3, r=f4(1, np.nan, 1))), SIMPLE)
    write("broken_infinite", simple(n=lif(3, v_threshold=f4(1, 1, np.inf))), SIMPLE)
    write("broken_tau", simple(n=lif(3, tau=f4(0.01, 0, 0.01))), SIMPLE)
    write("broken_missing", simple(n=("LIF", {"r": f4(1), "v_leak": f4(0)})), SIMPLE)
    write("broken_no_input", {"n": lif(3), "output": out(3)}, line("n", "output"))
    write("broken_no_neurons", {"input": inp(2), "output": out(2)}, line("input", "output"))
    write("broken_loop", simple(d=("Scale", {"scale": np.float32(2)})),
          SIMPLE + [("fc", "d"), ("d", "d")])
    write("broken_into_input", simple(), SIMPLE + [("n", "input")])
    write("broken_name", simple(**{"a.b": lif(3), "a": ({"b": lif(3)}, [("b", "b")])}), SIMPLE)
    write("broken_two_inputs", simple(g=({"i": inp(3), "j": inp(3), "k": lif(3)},
                                         [("i", "k"), ("j", "k")])), SIMPLE + [("n", "g")])
    write("broken_delay", simple(d=("Delay", {"delay": f4(-1, 0, 0)})), SIMPLE + [("fc", "d")])
    write("broken_padding", simple(c=conv2d(ramp(1, 1, 2, 2), padding="mirror")), SIMPLE)
    write("broken_stride", {"input": inp(1, 4, 4),
                            "c": conv2d(ramp(1, 1, 2, 2), stride=np.array([0, 1])),
                            "n": lif(1), "output": out(9)}, line("input", "c", "n", "output"))
    write("broken_window", {"input": inp(1, 4, 4), "c": conv2d(ramp(1, 1, 5, 5)), "n": lif(1),
                            "output": out(1)}, line("input", "c", "n", "output"))
    write("broken_size", simple(input=inp(1 << 20, 1 << 20)), SIMPLE)
    write("broken_delay_values", {"input": inp(2), "v": ("I", {"r": f4(1, 1)}),
                                  "d": ("Delay", {"delay": f4(0.001, 0.002)}), "n": lif(2),
                                  "output": out(2)}, line("input", "v", "d", "n", "output"))
    inner, edges = {"n": lif(1)}, [("n", "n")]
    for _ in range(17):
        inner, edges = {"g": (inner, edges)}, [("g.n", "g.n")]
    write("broken_deep", inner, edges)
    with h5py.File(os.path.join(folder, "broken_bomb.nir"), "w", libver="latest") as file:
        graph = file.create_group("node")
        graph_write(graph, simple(), SIMPLE, fixed=12)
        del graph["nodes/fc/weight"]
        graph.create_dataset("nodes/fc/weight", shape=(40000, 40000), dtype="f4",
                             chunks=(1000, 1000), compression="gzip")
    for name, link in (("external", h5py.ExternalLink("other.nir", "/n")),
                       ("soft", h5py.SoftLink("/node/nodes/m"))):
        with h5py.File(os.path.join(folder, "broken_%s.nir" % name), "w", libver="latest") as file:
            graph = file.create_group("node")
            graph_write(graph, simple(m=lif(3)), SIMPLE, fixed=12)
            del graph["nodes/n"]
            graph["nodes/n"] = link
    with h5py.File(os.path.join(folder, "broken_cycle.nir"), "w", libver="latest") as file:
        graph = file.create_group("node")
        graph_write(graph, {"n": lif(1)}, [("n", "n")], fixed=12)
        graph["nodes/again"] = graph
    with h5py.File(os.path.join(folder, "broken_empty.nir"), "w", libver="latest") as file:
        file.create_dataset("version", data="1.0", dtype=TEXT)


def recorded():
    """NIRData as other tools write it."""
    with h5py.File(os.path.join(folder, "data.nir"), "w", libver="latest") as file:
        file.attrs["__type__"] = "NIRGraphData"
        nodes = file.create_group("nodes")

        def observable(node, name, kind):
            group = nodes.require_group(node)
            group.attrs["__type__"] = "NIRNodeData"
            group = group.require_group("observables").create_group(name)
            group.attrs["__type__"] = kind
            return group
        g = observable("grid", "input", "TimeGriddedData")
        g.create_dataset("data", data=np.arange(12, dtype=np.float32).reshape(2, 3, 2),
                         compression="gzip")
        g.attrs["dt"] = 0.001
        g = observable("flags", "spikes", "TimeGriddedData")
        g.create_dataset("data", data=np.array([[[True, False], [False, True]]]))
        g.attrs["dt"] = 0.001
        g = observable("events", "spikes", "EventData")
        g.create_dataset("idx", data=np.array([[1, 0, 2], [2, -1, -1]]))
        g.create_dataset("time", data=np.array([[0.0029, 0.001, 0.001], [0.0, np.inf, np.inf]]))
        g.attrs["n_neurons"] = 3
        g.attrs["t_max"] = 0.004
        g = observable("valued", "spikes", "ValuedEventData")
        g.create_dataset("idx", data=np.array([[0, 1]]))
        g.create_dataset("time", data=np.array([[0.0, 0.002]], dtype=np.float32))
        g.create_dataset("value", data=np.array([[3.0, -2.0]]))
        g.attrs["n_neurons"] = 2
        g.attrs["t_max"] = 0.01


os.makedirs(folder, exist_ok=True)
good()
broken()
recorded()
