#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# What it changes to hold the embedding and the head in fewer bits: the score of the held-out text,
# and the logits of every token of its first lines beside those of the tables as stored.
#   table_bits.sh [VOLLEY [LINES]]
folder=${0%/*}
volley=${1:-volley}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
head -n "${2:-25}" "$folder/heldout.txt" >"$work/text"

numbers() { # the logits, one token a line
    tail -c +129 "$1" | od -An -v -t f4 -w8192
}

printf '%6s %6s %15s %15s %15s %12s\n' tables spikes 'bits/character' 'mean |change|' 'most |change|' 'same choice'
for mode in '' --float; do
    for bits in 32 16 8; do
        score=$("$volley" run "$folder" $mode --table-bits $bits --score "$folder/heldout.txt" --quiet |
            sed -n 's/^score: \([0-9.]*\).*/\1/p')
        "$volley" run "$folder" $mode --table-bits $bits --prompt-file "$work/text" --generate 1 --quiet \
            --logits "$work/$bits.npy" >"$work/out" || exit 1
        numbers "$work/32.npy" >"$work/stored"
        numbers "$work/$bits.npy" | awk -v bits=$bits -v score="$score" -v stored="$work/stored" \
            -v spikes="$([ -z "$mode" ] && echo yes || echo no)" '
            { getline line <stored
              split(line, was)
              best = best_was = 1
              for (i = 1; i <= NF; i++) {
                  change = $i < was[i] ? was[i] - $i : $i - was[i]
                  sum += change
                  if (change > most) most = change
                  if ($i > $best) best = i
                  if (was[i] > was[best_was]) best_was = i
              }
              same += best == best_was
              count += NF }
            END { printf "%6d %6s %15.4f %15.4f %15.3f %11.2f%%\n", bits, spikes, score, sum / count, most,
                      100 * same / NR }'
    done
done
