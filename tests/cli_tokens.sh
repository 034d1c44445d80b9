#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Prompts from a file of token ids, and the file of times: what they take, what they hold, and that
# they change nothing.
. "${0%/*}/cli.sh"

# ---- --tokens-file

# logits NAME OPTIONS…: 5 tokens after what the options give, with their logits
logits() {
    name=$1
    shift
    "$volley" run "$tied" --quiet --generate 5 --ignore-end --threads 1 --logits "$work/$name.npy" \
        "$@" >"$work/raw" 2>"$work/$name.err" && sed '/^speed:/d' "$work/raw" >"$work/$name.out"
}

# same_as_list TEXT: the ids 3 1 4 1 5 written as TEXT run like --tokens 3,1,4,1,5
same_as_list() {
    printf "$1" >"$work/ids"
    logits file --tokens-file "$work/ids" && cmp "$work/list.npy" "$work/file.npy" &&
        cmp "$work/list.out" "$work/file.out"
}
logits list --tokens 3,1,4,1,5
check "one id a line" same_as_list '3\n1\n4\n1\n5\n'
check "the last line may be open" same_as_list '3\n1\n4\n1\n5'
check "commas" same_as_list '3,1,4,1,5\n'
check "commas, blanks, tabs, lines of Windows, empty lines" \
    same_as_list '\n 3, 1\r\n4 ,\t1\r\n\r\n\n  5  \n'
check "leading zeros" same_as_list '03 0001 0000000000000000000000000000000000004 1 5\n'
mkfifo "$work/pipe"
printf '3 1 4 1 5' >"$work/pipe" &
check "a pipe" eval 'logits file --tokens-file "$work/pipe" && cmp "$work/list.npy" "$work/file.npy"'
wait

# Longer than any piece in which it is read, and than any command line: every id counts.
awk 'BEGIN { for (i = 0; i < 300000; i++) print i % 7 }' >"$work/many"
check "300,000 ids" eval '"$volley" run "$tied" --quiet --json --float --window 1 --generate 0 \
    --tokens-file "$work/many" | grep -q "\"prompt_tokens\": 300000,"'

# refused WORDS TEXT
refused() {
    printf "$2" >"$work/ids"
    fails 2 "$1" run "$tied" --tokens-file "$work/ids"
}
check "a file that is not there" fails 2 "none: No such file" run "$tied" --tokens-file "$work/none"
check "a folder" fails 1 "directory" run "$tied" --tokens-file "$work"
check "an empty file" refused "empty" ''
check "a file of blanks" refused "empty" ' \n\n'
check "a word" refused "line 2: 'x' is no digit" '1\n2 x\n3\n'
check "a sign" refused "'-' is no digit" '1\n-2\n'
check "a fraction" refused "'.' is no digit" '1.5\n'
check "a byte of 0" refused "byte 0x00 is no digit" '1 2\000 3'
check "a byte beyond ASCII" refused "byte 0xc3 is no digit" '1 2 \303\251'
check "an id beyond 32 bits" refused "line 1: an id beyond 32 bits" '4294967296'
check "an id beyond 64 bits" refused "beyond 32 bits" '18446744073709551617'
check "an id beyond the vocabulary" refused "out of range" '1 4294967295'
check "two commas" refused "line 2: a comma without an id before it" '1,2\n,,3'
check "a comma first" refused "a comma without" ',1'
check "a comma last" refused "a comma at the end" '1,2,\n'
check "another prompt beside it" fails 2 "one only" run "$tied" --tokens 1 --tokens-file "$work/many"
check "bytes without end" fails 2 "byte 0x00" run "$tied" --tokens-file /dev/zero

# ---- --timing

ids=$(awk 'BEGIN { for (i = 0; i < 333; i++) printf "%s%d", i ? "," : "", i % 7 }')
logits plain --tokens "$ids"
check "the times of a run" logits timed --tokens "$ids" --lanes 32 --timing "$work/times.csv"
check "… change nothing" eval 'cmp "$work/plain.npy" "$work/timed.npy" &&
    cmp "$work/plain.out" "$work/timed.out"'
check "waves of 32: each reaches a number of two digits; then the prompt's end and the run's" [ \
    "$(cut -d , -f 1 "$work/times.csv" | tr '\n' ' ')" = \
    "tokens 0 32 64 96 128 160 192 224 256 288 320 333 337 " ]
logits one --tokens "$ids" --lanes 1 --timing "$work/times.csv"
check "one by one: all up to 100, then tens, and the ends" [ \
    "$(cut -d , -f 1 "$work/times.csv" | tr '\n' ' ')" = "tokens $(awk 'BEGIN {
        for (i = 0; i < 100; i++) printf "%d ", i
        for (i = 100; i <= 330; i += 10) printf "%d ", i }')333 337 " ]
check "one by one gives the same bits" cmp "$work/plain.npy" "$work/one.npy"
check "seconds rise from 0, memory is that of a process" awk -F , '
    NR == 1 { wrong += $0 != "tokens,seconds,resident_bytes"; next }
    NR == 2 { wrong += $2 != 0 } NR > 2 && $2 < before { wrong++ }
    { before = $2; wrong += !($3 > 1e6 && $3 < 1e10 && $3 % 1024 == 0) }
    END { exit wrong != 0 }' "$work/times.csv"
check "a run of one token" eval '"$volley" run "$tied" --quiet --tokens 1 --generate 1 \
    --timing "$work/times.csv" >/dev/null &&
    [ "$(cut -d , -f 1 "$work/times.csv" | tr "\n" " ")" = "tokens 0 1 " ]'
check "times where nothing can be written" fails 2 "cannot be written" \
    run "$tied" --tokens 1 --timing "$work/missing/t.csv"
check "times on a full disk" eval '"$volley" run "$tied" --quiet --tokens 1 --generate 1 \
    --timing /dev/full >/dev/null 2>"$work/err"; [ $? -eq 1 ] && [ "$(wc -l <"$work/err")" -eq 1 ] &&
    grep -q "/dev/full: cannot be written: No space" "$work/err"'
check "a run that is stopped leaves its times" eval '"$volley" run "$tied" --quiet --float \
    --tokens-file "$work/many" --generate 1000000000 --ignore-end --lanes 1 \
    --timing "$work/times.csv" >/dev/null & process=$!
    for try in 1 2 3 4 5 6 7 8 9 10; do
        sleep 0.2; [ "$(wc -l 2>/dev/null <"$work/times.csv")" -gt 10 ] && break; done
    kill -INT $process; wait $process; [ $? -eq 130 ] && [ "$(wc -l <"$work/times.csv")" -gt 10 ] &&
    ! grep -vq "^[0-9]*,[0-9.]*,[0-9]*$\|^tokens" "$work/times.csv"'

finish
