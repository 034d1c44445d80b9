#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Memory and time per token against the length of the sequence: the linear-attention state and
# the window are all that is kept, so both should stay flat.
#   length.sh [VOLLEY] [TOKENS…]
folder=${0%/*}
volley=${1:-volley}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- 1024 16384 131072

printf '%10s %16s %18s\n' tokens 'us per token' 'resident KiB'
for tokens; do
    "$volley" run "$folder" --prompt "In the beginning" --generate "$tokens" --ignore-end --quiet \
        --json | awk -v tokens="$tokens" '
            /"generate_seconds"/ { seconds = $2 + 0 }
            /"generated_tokens"/ { made = $2 + 0 }
            /"memory_bytes"/ { memory = $2 / 1024 }
            END { printf "%10d %16.1f %18d\n", tokens, 1e6 * seconds / made, memory }'
done
