#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# `volley chips` as a user calls it: the list, one chip, a file of one's own, mistakes.
. "${0%/*}/cli.sh"

list=$("$volley" chips) || list=
names=$(sqlite3 -batch :memory: "select group_concat(json_extract(value, '\$.name'), ' ')
    from json_each('$("$volley" chips --json)')")

# narrow ARGUMENTS…: at most 80 characters a line, none of them a space at its end.
narrow() {
    "$volley" chips "$@" >"$work/text" && [ -s "$work/text" ] &&
        [ "$(LC_ALL=C.UTF-8 awk 'length($0) > 80 || / $/' "$work/text" | wc -l)" -eq 0 ]
}
check "the list fits eighty columns" narrow
for name in loihi loihi-sanafe loihi2 truenorth spinnaker spinnaker2 odin darwin3 speck \
    ideal-45nm event-45nm int8-45nm fp16-45nm; do
    check "the list has $name" eval 'echo "$list" | grep -q "^$name "'
done
check "the list as JSON has as many" eval '[ "$(echo "$list" | grep -c "^[a-z0-9-]*  *[A-Z].*[0-9-]$")" \
    -eq "$(echo $names | wc -w)" ]'
for name in $names; do
    check "$name fits eighty columns" narrow "$name"
    check "$name has as many sources as it refers to" eval \
        'refers=$(grep -o "\[[0-9]*\]$" "$work/text" | sort -u) &&
         [ "$refers" = "$(grep -o "^  \[[0-9]*\] " "$work/text" | tr -d " " | sort -u)" ]'
    check "$name says what it leaves out" grep -q '^not included$' "$work/text"
    check "$name can be copied, and the copy opened" eval \
        '"$volley" chips "$name" --json >"$work/mine.json" &&
         "$volley" chips "$work/mine.json" >"$work/copy" && cmp "$work/text" "$work/copy" &&
         "$volley" chips "$work/mine.json" --json | cmp - "$work/mine.json"'
done
check "a figure stands with range, scope, evidence and source" eval \
    '"$volley" chips truenorth |
     grep -q "^  synop  *26.82 pJ  26 to 27  *all-in  *silicon  *\[1\]$"'
check "the help says what a file may hold" eval '"$volley" chips --help | grep -q chip.schema.json'

check "an unknown name" fails 2 "there is loihi, loihi-sanafe, loihi2, truenorth" chips loihi3
check "two names" fails 2 "unexpected argument" chips loihi loihi2
check "an unknown option" fails 2 "--frob" chips --frob
check "a file that is not there" fails 2 "none.json: cannot be opened" chips "$work/none.json"
"$volley" chips loihi --json | sed '1,/"pJ"/s/"pJ"/"kg"/' >"$work/mine.json"
check "a unit that is none" fails 1 \
    "mine.json: /energy/synop/unit is 'kg'; energies take J, mJ, uJ, nJ, pJ, fJ" \
    chips "$work/mine.json"
"$volley" chips loihi --json | sed '1,/"per-term"/s/"per-term"/"all-in"/' >"$work/mine.json"
check "an all-in figure beside others" fails 1 "nothing can be added to it" chips "$work/mine.json"
echo '{' >"$work/mine.json"
check "a file that is no JSON" fails 1 "mine.json: line 2" chips "$work/mine.json" --json
check "standard output that is full" eval \
    '"$volley" chips loihi >/dev/full 2>"$work/err"; [ $? -eq 1 ] &&
     [ "$(wc -l <"$work/err")" -eq 1 ]'

finish
