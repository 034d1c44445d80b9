# SPDX-License-Identifier: GPL-3.0-or-later
# What the shell tests share: read by them with ".", not run by itself.
# A case is one call of `check`, which prints "ok …" or "not ok …".

volley=${VOLLEY_PROGRAM:-./volley}
golden=${VOLLEY_TEST_DATA:-tests/golden}
examples=${VOLLEY_EXAMPLES:-examples}
tied=$golden/variants/tied-text
brain=$examples/tinybrain
work=$(mktemp -d "${TMPDIR:-/tmp}/cli.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
cases=0
failures=0

# check DESCRIPTION COMMAND…: the command must succeed.
check() {
    cases=$((cases + 1))
    description=$1
    shift
    if "$@"; then
        echo "ok $cases - $description"
    else
        echo "not ok $cases - $description"
        failures=$((failures + 1))
    fi
}

# fails CODE WORDS ARGUMENTS…: volley must end with the code, one line on standard error that
# holds the words, and nothing on standard output.
fails() {
    code=$1 words=$2
    shift 2
    "$volley" "$@" >"$work/out" 2>"$work/err"
    got=$?
    if [ "$got" -ne "$code" ] || [ "$(wc -l <"$work/err")" -ne 1 ] || [ -s "$work/out" ] ||
        ! grep -qF -- "$words" "$work/err"; then
        echo "# exit code $got, wanted $code with '$words'; standard error:"
        sed 's/^/# /' "$work/err"
        return 1
    fi
}

# sql DATABASE QUERY
sql() {
    sqlite3 -batch "$1" "$2"
}

finish() {
    echo "1..$cases"
    [ "$failures" -eq 0 ]
    exit
}

# narrow FILE: no line of this file in $work is wider than a terminal, but for those with a path of
# the test's own, which is as long as it is.
narrow() {
    LC_ALL=C awk -v path="$work" 'index($0, path) { next }
        { gsub(/[\200-\277]/, ""); if (length($0) > 80) { print "# " $0; bad = 1 } } END { exit bad }' \
        "$work/$1"
}
