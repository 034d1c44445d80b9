# SPDX-License-Identifier: GPL-3.0-or-later
# How the shell benchmarks hand on what they found: read by them with ".", not run by itself.
# Rows go to the file that VOLLEY_BENCH_JSON names; where it is not set, nowhere. See table.c.

# median FILE: of a number a line
median() {
    sort -g "$1" | awk '{ value[NR] = $1 }
        END { if (NR) print (value[int((NR + 1) / 2)] + value[int(NR / 2) + 1]) / 2 }'
}

# json_text TEXT: as a JSON string
json_text() {
    printf '%s' "$1" | LC_ALL=C tr '\000-\037' ' ' | sed 's/\\/\\\\/g; s/"/\\"/g; s/^/"/; s/$/"/'
    [ -n "$1" ] || printf '""'
}

# row ID WHAT UNIT FILE [PEER [PEER_FILE [BOUND LIMIT TARGET]]]
#
# One figure: the median, lowest and highest of the numbers in FILE; the peer's, the median of
# PEER_FILE (either may be empty). All are such that less is better: ratio is the peer's by Volley's. BOUND
# says what TARGET, a text, means: `most`, the median is at most LIMIT; `least`, at least; `ratio`, the
# ratio is at least LIMIT.
row() {
    [ -n "${VOLLEY_BENCH_JSON:-}" ] || return 0
    row_peer=
    [ -n "${6:-}" ] && [ -s "$6" ] && row_peer=$(median "$6")
    row_head=$(printf '{"id":%s,"what":%s,"unit":%s' "$(json_text "$1")" "$(json_text "$2")" "$(json_text "$3")")
    row_name=null
    [ -n "${5:-}" ] && row_name=$(json_text "$5")
    row_target=null
    [ -n "${9:-}" ] && row_target=$(json_text "$9")
    sort -g "$4" | awk -v median="$(median "$4")" -v peer="$row_peer" -v bound="${7:-}" \
        -v limit="${8:-}" 'NR == 1 { low = $1 } { high = $1 }
        END {
            ratio = ""
            if (peer != "" && median > 0) ratio = peer / median
            figure = bound == "ratio" ? ratio : median
            met = "null"
            if (bound != "" && figure != "") {
                met = "false"
                if (bound == "most" && figure + 0 <= limit + 0) met = "true"
                if (bound != "most" && figure + 0 >= limit + 0) met = "true"
            }
            if (peer == "") peer = "null"
            if (ratio == "") ratio = "null"
            printf "%.6g %.6g %.6g %s %s %s\n", median, low, high, peer, ratio, met
        }' | {
        read -r volley low high peer ratio met
        printf '%s,"volley":%s,"low":%s,"high":%s,"peer":%s,"peer_value":%s,"ratio":%s,"target":%s,"met":%s}\n' \
            "$row_head" "$volley" "$low" "$high" "$row_name" "$peer" "$ratio" "$row_target" "$met" \
            >> "$VOLLEY_BENCH_JSON"
    }
}

# row_not_run ID WHAT REASON
row_not_run() {
    [ -n "${VOLLEY_BENCH_JSON:-}" ] || return 0
    printf '{"id":%s,"what":%s,"reason":%s}\n' "$(json_text "$1")" "$(json_text "$2")" \
        "$(json_text "$3")" >> "$VOLLEY_BENCH_JSON"
}
