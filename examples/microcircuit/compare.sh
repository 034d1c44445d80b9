#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs the microcircuit and puts the rates it fires at beside the published ones.
#
#     compare.sh [SCALE [SECONDS]]     default: the shipped scale, 0.1, for 10 seconds
#
# The first half second is left out of the figures. Other scales are made by make.py, which needs Python 3.
# The program is $VOLLEY_PROGRAM, or else volley; the table is made by sqlite3.
set -eu

scale=${1:-0.1}
seconds=${2:-10}
program=${VOLLEY_PROGRAM:-volley}
here=$(cd "$(dirname "$0")" && pwd)

if [ $# -gt 2 ]; then
    echo "usage: compare.sh [SCALE [SECONDS]]" >&2
    exit 2
fi
for tool in "$program" sqlite3; do
    if ! command -v "$tool" >/dev/null; then
        echo "compare.sh: there is no program $tool; put it into PATH (volley: or name it in VOLLEY_PROGRAM)" >&2
        exit 2
    fi
done

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

network=$here/microcircuit.json
if [ "$scale" != 0.1 ]; then
    network=$folder/microcircuit.json
    "$here/make.py" --scale "$scale" >"$network"
fi
"$program" run "$network" --duration "$seconds" --warm-up 0.5 --json --quiet >"$folder/figures.json"

# Published: mean rates at full scale (Hz), full_mean_rates of the authors' reference implementation.
cd "$folder"
sqlite3 -box :memory: <<'SQL'
WITH published(place, population, rate) AS (
    VALUES (1, 'L23E', 0.903), (2, 'L23I', 2.965), (3, 'L4E', 4.414), (4, 'L4I', 5.876),
           (5, 'L5E', 7.569), (6, 'L5I', 8.633), (7, 'L6E', 1.105), (8, 'L6I', 7.829)
), measured AS (
    SELECT value ->> 'population' AS population, value ->> 'rate_hz' AS rate,
           value ->> 'cv_isi' AS cv, value ->> 'synchrony' AS synchrony
    FROM json_each(readfile('figures.json'), '$.populations')
)
SELECT population, format('%.3f', p.rate) AS 'published Hz', format('%.3f', m.rate) AS 'measured Hz',
       format('%+.0f %%', 100 * (m.rate / p.rate - 1)) AS difference,
       iif(m.cv IS NULL, '-', format('%.3f', m.cv)) AS 'CV of intervals',
       iif(m.synchrony IS NULL, '-', format('%.2f', m.synchrony)) AS synchrony
FROM published p JOIN measured m USING (population) ORDER BY place;
SELECT format('%g', figures ->> '$.simulated_seconds') AS 'seconds simulated',
       format('%.1f', figures ->> '$.build_seconds') AS 'built in s',
       format('%.1f', figures ->> '$.run_seconds') AS 'ran in s',
       format('%.0f', (figures ->> '$.memory_bytes') / 1048576.0) AS 'MiB of memory'
FROM (SELECT readfile('figures.json') AS figures);
SQL
