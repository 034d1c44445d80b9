#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The example networks cuba and brunel as Brian2 programs in C++, for networks.sh.

    brian2_networks.py NETWORK SECONDS FOLDER

Writes, and compiles into FOLDER, a program that runs NETWORK for SECONDS of simulated time with
one thread: FOLDER/main, to be run in FOLDER. After a run, FOLDER/results/last_run_info.txt begins
with the seconds that its loop over ticks took (of processor time: Brian2 takes std::clock), and
FOLDER/results/spikes.txt holds the number of spikes. Needs Debian's python3-brian.

The equations, parameters and mean numbers of synapses are those of examples/NETWORK, written as
Brian2's own examples write them; in brunel the in-degrees are binomial (a pair is connected with
probability 0.1) and not fixed. Spikes are recorded, nothing else.
"""
import sys

import brian2 as b
from brian2 import Hz, mV, ms, second

SPIKES_TO_FILE = """
std::ofstream spikes("results/spikes.txt");
spikes << _dynamic_array_%s_i.size() << std::endl;
"""


def cuba():
    """Vogels and Abbott (2005) as in Brette et al. (2007), benchmark 2."""
    equations = """
    dv/dt = (ge + gi - (v - El))/taum : volt (unless refractory)
    dge/dt = -ge/taue : volt
    dgi/dt = -gi/taui : volt
    """
    constants = {"taum": 20 * ms, "taue": 5 * ms, "taui": 10 * ms, "El": -49 * mV}
    cells = b.NeuronGroup(4000, equations, threshold="v > -50*mV", reset="v = -60*mV",
                          refractory=5 * ms, method="exact", namespace=constants)
    cells.v = "-60*mV + rand()*10*mV"
    exc = b.Synapses(cells, cells, on_pre="ge += 1.62*mV")
    inh = b.Synapses(cells, cells, on_pre="gi += -9*mV")
    exc.connect("i < 3200", p=0.02)
    inh.connect("i >= 3200", p=0.02)
    return [cells, exc, inh], cells


def brunel():
    """Brunel (2000): g = 5, eta = 2, potentials above rest."""
    cells = b.NeuronGroup(12500, "dv/dt = -v/(20*ms) : volt (unless refractory)",
                          threshold="v > 20*mV", reset="v = 0*mV", refractory=2 * ms,
                          method="exact")
    cells.v = "rand()*20*mV"
    exc = b.Synapses(cells, cells, on_pre="v += 0.1*mV", delay=1.5 * ms)
    inh = b.Synapses(cells, cells, on_pre="v += -0.5*mV", delay=1.5 * ms)
    exc.connect("i < 10000", p=0.1)
    inh.connect("i >= 10000", p=0.1)
    outside = b.PoissonInput(cells, "v", N=1000, rate=20 * Hz, weight=0.1 * mV)
    return [cells, exc, inh, outside], cells


def main():
    networks = {"cuba": cuba, "brunel": brunel}
    if len(sys.argv) != 4 or sys.argv[1] not in networks:
        sys.exit("usage: brian2_networks.py cuba|brunel SECONDS FOLDER")
    name, seconds, folder = sys.argv[1], float(sys.argv[2]), sys.argv[3]
    b.prefs.devices.cpp_standalone.openmp_threads = 0
    b.set_device("cpp_standalone", directory=folder, build_on_run=False)
    b.defaultclock.dt = 0.1 * ms
    b.seed(1)
    parts, cells = networks[name]()
    spikes = b.SpikeMonitor(cells, name="spikes")
    b.Network(*parts, spikes).run(seconds * second)
    b.device.insert_code("main", SPIKES_TO_FILE % spikes.name)
    b.device.build(directory=folder, compile=True, run=False)


if __name__ == "__main__":
    main()
