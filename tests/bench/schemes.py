#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast encoding schemes are on one core, beside the same in NumPy.

    schemes.py PROGRAM [--values N] [--runs N]

PROGRAM is schemes.c, built. Both take processor time, medians of runs, of the same signal; both
write a list of ticks and payloads. What NumPy can do for all values at once is done so; what
depends on the spike before is a loop over Python floats (faster than one over NumPy's), and in BSA
and HSA a loop over ticks with NumPy for the taps; loops are timed on 1/20 of the values. Both must
fire the same number of spikes (of rate: within five standard deviations), else the exit code is 1.
Without NumPy, Volley's figures stand alone. Rows go to the file that VOLLEY_BENCH_JSON names. Takes a
few seconds.
"""
import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import time

try:
    import numpy as np
except ImportError:
    np = None

TARGETS = {"rate": 100, "latency": 100, "step-forward": 100, "send-on-delta": 100, "bsa": 5}


def signal(length):
    """The signal of schemes.c, to the last bit."""
    i = np.arange(length, dtype=np.uint64)
    slow, fast = (i % np.uint64(1000)) / 1000.0, (i % np.uint64(137)) / 137.0
    slow = np.where(slow < 0.5, 2 * slow, 2 - 2 * slow)
    fast = np.where(fast < 0.5, 2 * fast, 2 - 2 * fast)
    noise = ((i * np.uint64(2654435761)) & np.uint64(0xffffffff)) * 2.0**-32
    return 0.1 + 0.6 * slow + 0.2 * fast + 0.02 * noise


def fired(signs):
    ticks = np.flatnonzero(signs)
    return ticks, signs[ticks]


def rate(x):
    ticks = np.flatnonzero(np.random.default_rng(1).random(len(x)) < x)
    return ticks, np.ones(len(ticks), np.int32)


def latency(x, ticks=16):
    y = np.clip(x, 0, 1)
    at = (np.floor((1 - y) * (ticks - 1) + 0.5) + np.arange(len(x)) * ticks)[y > 0]
    return at.astype(np.int64), np.ones(len(at), np.int32)


def threshold_based(x, threshold=0.01):
    change = np.diff(x, prepend=0.0)
    return fired((change > threshold).astype(np.int32) - (change < -threshold))


def moving_window(x, threshold=0.01, window=5):
    before = np.concatenate([np.zeros(window), x[:-1]])
    mean = np.lib.stride_tricks.sliding_window_view(before, window).sum(axis=1) / window
    return fired((x - mean > threshold).astype(np.int32) - (x - mean < -threshold))


def step_forward(x, threshold=0.01):
    ticks, payloads, base = [], [], 0.0
    for i, value in enumerate(x.tolist()):
        if value > base + threshold:
            ticks.append(i)
            payloads.append(1)
            base += threshold
        elif value < base - threshold:
            ticks.append(i)
            payloads.append(-1)
            base -= threshold
    return ticks, payloads


def send_on_delta(x, delta=0.01):
    ticks, payloads, sent = [], [], 0.0
    for i, value in enumerate(x.tolist()):
        steps = int((value - sent) / delta)
        if steps != 0:
            ticks.append(i)
            payloads.append(steps)
            sent += steps * delta
    return ticks, payloads


def sigma_delta(x, threshold=0.01, unit=1 / 256):
    ticks, payloads, before, residue = [], [], 0.0, 0.0
    for i, value in enumerate(x.tolist()):
        change = value - before + residue
        if abs(change) >= threshold:
            units = math.floor(change / unit + 0.5)
            ticks.append(i)
            payloads.append(units)
            change -= units * unit
        before, residue = value, change
    return ticks, payloads


def low_pass(taps=16, cutoff=0.1):
    m = np.arange(taps) - (taps - 1) / 2
    h = np.sinc(cutoff * m) * np.hamming(taps)
    return h / h.sum()


def bsa(x, threshold=0.955):
    h, left, ticks = low_pass(), x.copy(), []
    taps = len(h)
    for t in range(len(left)):
        window = left[t:t + taps]
        inside = h[:len(window)]
        rest = window - inside
        if np.abs(rest).sum() <= np.abs(window).sum() - threshold:
            window[:] = rest
            ticks.append(t)
    return ticks, [1] * len(ticks)


def hsa(x):
    h, left, ticks = low_pass(), x.copy(), []
    taps = len(h)
    for t in range(len(left) - taps + 1):
        window = left[t:t + taps]
        if (window >= h).all():
            window -= h
            ticks.append(t)
    return ticks, [1] * len(ticks)


SCHEMES = [  # as in schemes.c; whether it is a loop
    ("rate:ticks=1", rate, False),
    ("latency:ticks=16", latency, False),
    ("threshold-based:threshold=0.01", threshold_based, False),
    ("step-forward:threshold=0.01", step_forward, True),
    ("moving-window:threshold=0.01", moving_window, False),
    ("send-on-delta:delta=0.01", send_on_delta, True),
    ("sigma-delta:threshold=0.01", sigma_delta, True),
    ("bsa", bsa, True),
    ("hsa", hsa, True),
]


def volley(program, text, values, runs):
    """(spikes, ns to encode a value, ns to decode one, least and greatest ns to encode one)"""
    done = subprocess.run([program, str(values), str(runs), text], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"schemes.py: {done.stderr.strip() or program + ' failed'}")
    fields = done.stdout.strip().split("\t")
    return int(fields[3]), *map(float, fields[4:8])


def numpy_rate(encode, x, runs):
    """(spikes, ns to encode a value)"""
    times = []
    for _ in range(runs + 1):
        begin = time.process_time()
        spikes = encode(x)
        times.append((time.process_time() - begin) / len(x) * 1e9)
    return len(spikes[0]), statistics.median(times[1:])


def write_row(text, median, least, greatest, slow, target):
    path = os.environ.get("VOLLEY_BENCH_JSON")
    if not path:
        return
    row = {"id": "scheme_" + text.split(":")[0], "what": "encoding, " + text, "unit": "M values/s",
           "volley": 1e3 / median, "low": 1e3 / greatest, "high": 1e3 / least,
           "peer": "NumPy" if slow else None, "peer_value": 1e3 / slow if slow else None,
           "ratio": slow / median if slow else None,
           "target": f"{target} M values/s" if target else None,
           "met": 1e3 / median >= target if target else None}
    with open(path, "a") as rows:
        rows.write(json.dumps(row) + "\n")


def agree(text, spikes, fires, x):
    if text.startswith("rate"):  # by chance, each from its own random numbers
        most = 5 * math.sqrt((x * (1 - x)).sum())
        return abs(spikes - x.sum()) < most and abs(fires - x.sum()) < most
    return spikes == fires


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--values", type=int, default=1000000)
    parser.add_argument("--runs", type=int, default=9)
    options = parser.parse_args()
    right = True
    print(f"schemes: {options.values} values, one core, medians of {options.runs} runs; "
          "million values a second")
    print(f"  {'':32} {'encode':>8} {'decode':>8} {'NumPy':>8} {'times':>7}  target")
    for text, encode, is_loop in SCHEMES:
        spikes, nanoseconds, back, least, greatest = volley(options.program, text, options.values,
                                                            options.runs)
        slow = None
        columns = f"{1e3 / nanoseconds:8.0f} {1e3 / back:8.0f}"
        if np is None:
            columns += f" {'':8} {'':7}"
        else:
            x = signal(max(1, options.values // 20) if is_loop else options.values)
            fires, slow = numpy_rate(encode, x, 1 if is_loop else 3)
            if is_loop:
                spikes = volley(options.program, text, len(x), 1)[0]
            columns += f" {1e3 / slow:8.3g} {slow / nanoseconds:7.0f}"
            if not agree(text, spikes, fires, x):
                columns += f"  {spikes} spikes, NumPy {fires}"
                right = False
        target = TARGETS.get(text.split(":")[0])
        write_row(text, nanoseconds, least, greatest, slow, target)
        print(f"  {text:32} {columns}  {target or ''}".rstrip())
    if np is None:
        print("  NumPy is missing (python3-numpy)")
    sys.exit(0 if right else 1)


if __name__ == "__main__":
    main()
