#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the cortical microcircuit of Potjans and Diesmann (2014) as a Volley network, at any scale.

    make.py --scale 0.1 >microcircuit.json     # neurons and in-degrees, both at a tenth
    make.py --scale 1 >full.json               # 77,169 neurons, 299 million synapses

Source of all numbers: T. C. Potjans and M. Diesmann, The cell-type specific cortical microcircuit,
Cerebral Cortex 24 (2014) 785-806, tables 4 and 5. Smaller networks keep mean and variance of every
neuron's input (S. J. van Albada et al., PLoS Comput. Biol. 11 (2015) e1004490): weights grow with
1/sqrt(in-degree scale), and a constant current makes up for the mean that this leaves out.
"""
import argparse
import json
import math

NAMES = ["L23E", "L23I", "L4E", "L4I", "L5E", "L5I", "L6E", "L6I"]
NEURONS = [20683, 5834, 21915, 5479, 4850, 1065, 14395, 2948]
OUTSIDE = [1600, 1500, 2100, 1900, 2000, 1900, 2900, 2100]  # external in-degrees
# Probability that a pair is connected: row target, column source.
PROBABILITY = [
    [0.1009, 0.1689, 0.0437, 0.0818, 0.0323, 0.0000, 0.0076, 0.0000],
    [0.1346, 0.1371, 0.0316, 0.0515, 0.0755, 0.0000, 0.0042, 0.0000],
    [0.0077, 0.0059, 0.0497, 0.1350, 0.0067, 0.0003, 0.0453, 0.0000],
    [0.0691, 0.0029, 0.0794, 0.1597, 0.0033, 0.0000, 0.1057, 0.0000],
    [0.1004, 0.0622, 0.0505, 0.0057, 0.0831, 0.3726, 0.0204, 0.0000],
    [0.0548, 0.0269, 0.0257, 0.0022, 0.0600, 0.3158, 0.0086, 0.0000],
    [0.0156, 0.0066, 0.0211, 0.0166, 0.0572, 0.0197, 0.0396, 0.2252],
    [0.0364, 0.0010, 0.0034, 0.0005, 0.0277, 0.0080, 0.0658, 0.1443],
]
# Mean rates at full scale (Hz), which the compensation of smaller networks needs.
RATES = [0.903, 2.965, 4.414, 5.876, 7.569, 8.633, 1.105, 7.829]
# Where potentials begin, near the stationary state (mV): mean, standard deviation.
BEGIN = [(-68.28, 5.36), (-63.16, 4.57), (-63.33, 4.74), (-63.45, 4.94),
         (-63.11, 4.94), (-61.66, 4.55), (-66.72, 5.46), (-61.43, 4.48)]

TICK = 1e-4                                        # s
TAU_M, TAU_SYN, REFRACTORY = 10e-3, 0.5e-3, 2e-3   # s
CAPACITY = 250.0                                   # pF
LEAK, THRESHOLD, RESET = -65.0, -50.0, -65.0       # mV
POTENTIAL = 0.15                                   # mV, of one excitatory spike
SPREAD, INHIBITION = 0.1, -4.0                     # relative
BACKGROUND = 8.0                                   # Hz
DELAY = {"E": (1.5e-3, 0.75e-3), "I": (0.75e-3, 0.375e-3)}  # s: mean, standard deviation


def current_of(potential):
    """Peak of the exponential current (pA) whose potential peaks at `potential` (mV)."""
    m, s = TAU_M * 1e3, TAU_SYN * 1e3
    ratio = m / s
    peak = ratio ** (-m / (m - s)) - ratio ** (-s / (m - s))
    return potential * CAPACITY / (m * s / (s - m) * peak)


def synapses_of(target, source):
    """So many synapses, drawn with replacement, connect a pair with the given probability."""
    pairs = NEURONS[target] * NEURONS[source]
    return math.log(1 - PROBABILITY[target][source]) / math.log1p(-1 / pairs)


def mean_weight(target, source):
    weight = current_of(POTENTIAL)
    if NAMES[source].endswith("I"):
        return INHIBITION * weight
    return 2 * weight if (NAMES[target], NAMES[source]) == ("L23E", "L4E") else weight


def offset_of(target, scale):
    """The constant current (pA) that makes up for inputs that a smaller network lacks."""
    inputs = sum(mean_weight(target, s) * synapses_of(target, s) / NEURONS[target] * RATES[s]
                 for s in range(len(NAMES)))
    inputs += current_of(POTENTIAL) * OUTSIDE[target] * BACKGROUND
    return TAU_SYN * (1 - math.sqrt(scale)) * inputs


def population(i, scale, size):
    return {
        "model": "cuba_lif_exc_inh",
        "neurons": size[i],
        "parameters": {"tau_m": TAU_M, "tau_exc": TAU_SYN, "tau_inh": TAU_SYN, "v_leak": LEAK,
                       "v_threshold": THRESHOLD, "v_reset": RESET, "refractory": REFRACTORY,
                       "r": TAU_M * 1e3 / CAPACITY, "i_offset": offset_of(i, scale)},
        "initial": {"v": {"normal": list(BEGIN[i])}},
        "output": True,
    }


def projection(target, source, scale, count):
    weight = mean_weight(target, source) / math.sqrt(scale)
    mean, deviation = DELAY[NAMES[source][-1]]
    sign = {"low": 0} if weight > 0 else {"high": 0}
    return {
        "from": NAMES[source], "to": NAMES[target], "port": "exc",
        "rule": {"fixed_total": count},
        "weight": {"normal": [weight, abs(SPREAD * weight)], **sign},
        "type": "int16", "scale": current_of(POTENTIAL) / math.sqrt(scale) / 4096,
        "delay": {"normal": [mean, deviation], "low": TICK},
    }


def network(scale):
    size = [max(1, round(scale * n)) for n in NEURONS]
    populations = {name: population(i, scale, size) for i, name in enumerate(NAMES)}
    projections = []
    for target, name in enumerate(NAMES):
        for source in range(len(NAMES)):
            count = round(synapses_of(target, source) * scale * scale)
            if count > 0:
                projections.append(projection(target, source, scale, count))
    for target, name in enumerate(NAMES):
        populations["background_" + name] = {
            "model": "poisson", "neurons": size[target],
            "parameters": {"rate": BACKGROUND, "sources": max(1, round(scale * OUTSIDE[target]))}}
        projections.append({
            "from": "background_" + name, "to": name, "port": "exc", "rule": "one_to_one",
            "weight": current_of(POTENTIAL) / math.sqrt(scale), "delay": TICK})
    return {
        "volley": 1,
        "name": "microcircuit",
        "notes": "Potjans and Diesmann (2014), Cereb. Cortex 24:785-806, at scale %g. Potentials in "
                 "mV, currents and weights in pA." % scale,
        "tick": TICK, "seed": 55, "duration": 1.0,
        "rules": {"integration": "exact", "reset": "value", "threshold": "inclusive",
                  "spike_area": "jump"},
        "populations": populations,
        "projections": projections,
    }


def main():
    parser = argparse.ArgumentParser(description="Writes the cortical microcircuit as a Volley network.")
    parser.add_argument("--scale", type=float, default=0.1, help="of neurons and in-degrees (default 0.1)")
    scale = parser.parse_args().scale
    if not 0 < scale <= 1:
        parser.error("the scale lies above 0 and is at most 1")
    document = network(scale)
    lines = ["{"]
    for key, value in document.items():
        if key == "populations":
            inner = ",\n".join("    %s: %s" % (json.dumps(k), json.dumps(v)) for k, v in value.items())
            lines.append('  "populations": {\n%s\n  },' % inner)
        elif key == "projections":
            inner = ",\n".join("    " + json.dumps(v) for v in value)
            lines.append('  "projections": [\n%s\n  ]' % inner)
        else:
            lines.append("  %s: %s," % (json.dumps(key), json.dumps(value)))
    print("\n".join(lines + ["}"]))


if __name__ == "__main__":
    main()
