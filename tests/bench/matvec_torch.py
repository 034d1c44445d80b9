#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A dense peer for delivery: matrix-vector products in PyTorch (Debian's python3-torch).

    matvec_torch.py [--megabytes N] [--seconds N] [--against ID]

The down projection of SpikingBrain-7B, 3584 x 18944, bf16 and f32, with one thread and with two. The
weights are in no cache: products go round as many copies as fill N megabytes (standard: 1536), which
is more than processors' caches hold. Each figure is the median of rounds through all copies, with the
slowest and the fastest, over N seconds (standard: 4) of each kind. Rows go to the file that
VOLLEY_BENCH_JSON names, measured against the row ID + number of threads.
"""
import argparse
import json
import os
import statistics
import time

import torch

OUT, IN = 3584, 18944


def rates(kind, threads, copies, seconds):
    """Weights per second of each round through the copies."""
    torch.set_num_threads(threads)
    x = torch.randn(IN).to(kind)
    found, begin = [], time.monotonic()
    torch.mv(copies[-1], x)
    while len(found) < 3 or time.monotonic() - begin < seconds:
        start = time.monotonic()
        for copy in copies:
            torch.mv(copy, x)
        found.append(len(copies) * OUT * IN / (time.monotonic() - start))
    return found


def write_row(name, threads, found, against):
    path = os.environ.get("VOLLEY_BENCH_JSON")
    if not path:
        return
    row = {"id": f"torch_{name}_{threads}",
           "what": f"matrix-vector product 3584 x 18944, {threads} thread{'s' * (threads > 1)}, "
                   f"against {name}",
           "unit": "G weights/s", "volley": None, "low": None, "high": None,
           "peer": f"PyTorch {torch.__version__.split('+')[0]} {name}",
           "peer_value": round(statistics.median(found) / 1e9, 3),
           "peer_low": round(min(found) / 1e9, 3), "peer_high": round(max(found) / 1e9, 3),
           "ratio": None, "target": None, "met": None}
    if against:
        row["against"] = f"{against}{threads}"
    with open(path, "a") as rows:
        rows.write(json.dumps(row) + "\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--megabytes", type=int, default=1536)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--against")
    options = parser.parse_args()
    print(f"PyTorch {torch.__version__}: {OUT} x {IN} times a vector, G weights a second")
    for name, kind, size in (("bf16", torch.bfloat16, 2), ("f32", torch.float32, 4)):
        count = max(1, -(-options.megabytes * 10**6 // (OUT * IN * size)))
        first = torch.randn(OUT, IN).to(kind)
        copies = [first] + [first.clone() for _ in range(count - 1)]
        for threads in (1, 2):
            found = rates(kind, threads, copies, options.seconds)
            print(f"  {name:5} {threads} threads {statistics.median(found) / 1e9:8.2f}  "
                  f"({min(found) / 1e9:.2f} … {max(found) / 1e9:.2f})", flush=True)
            write_row(name, threads, found, options.against)
        del first, copies


if __name__ == "__main__":
    main()
