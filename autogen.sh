#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# From a fresh clone to a result. The build goes to build/, the long logs too.

set -eu

packages='autoconf automake libtool pkg-config gcc libc6-dev make libevent-dev libsqlite3-dev libgsl-dev
  libcmocka-dev libjansson-dev libpcre2-dev libutf8proc-dev librandom123-dev
  libhdf5-dev zlib1g-dev libsndfile1-dev libxxhash-dev sqlite3 gnuplot-nox'
modules='libevent_core libevent_pthreads sqlite3 gsl cmocka jansson libpcre2-8 libutf8proc zlib sndfile libxxhash'

usage()
{
    cat <<'END'
Usage: ./autogen.sh          make ./configure (autoreconf), nothing else
       ./autogen.sh run      install what is missing, build, and let examples/tinybrain write
       ./autogen.sh check    install what is missing, build, and run every test
       ./autogen.sh --help   show this

`run` and `check` build in build/. On Debian they install missing packages with apt (as root or
through sudo), and say so first; if nothing is missing they need no network. CC and CFLAGS are heeded
the first time. The last line of `check` is "N passed, N failed"; its exit code is 0 if none failed.
END
}

say()  { printf '%s\n' "$*"; }
fail() { printf 'autogen.sh: %s\n' "$*" >&2; exit 1; }

# Runs a command with all it says in a log; if it fails, shows the end of the log and stops.
quietly() # LOG COMMAND...
{
    log=$1
    shift
    if "$@" >"$log" 2>&1; then
        return
    fi
    tail -n 40 "$log" >&2
    fail "$* failed; all of its output is in $log"
}

# ---- packages

# The packages that are missing, on one line.
missing_packages()
{
    separator=
    for package in $packages; do
        state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || state=
        if [ "$state" != installed ]; then
            printf '%s' "$separator$package"
            separator=' '
        fi
    done
}

# On systems without dpkg: the tools and libraries that are missing, on one line.
missing_parts()
{
    for tool in autoreconf automake libtoolize pkg-config cc make; do
        command -v "$tool" >/dev/null || printf '%s ' "$tool"
    done
    for module in $modules; do
        pkg-config --exists "$module" 2>/dev/null || printf '%s ' "$module"
    done
    pkg-config --exists hdf5 2>/dev/null || pkg-config --exists hdf5-serial 2>/dev/null || printf 'hdf5 '
}

apt_install() # PACKAGES...
{
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@"
}

install_missing()
{
    if ! command -v dpkg-query >/dev/null; then
        missing=$(missing_parts)
        [ -z "$missing" ] || fail "this is not a Debian system; please install, by its own means: $missing"
        return 0
    fi
    missing=$(missing_packages)
    [ -n "$missing" ] || return 0

    command -v apt-get >/dev/null || fail "there is no apt-get; please install these Debian packages: $missing"
    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        # sudo may ask for a password if there is a terminal to ask at
        if command -v sudo >/dev/null && { sudo -n true 2>/dev/null || { [ -t 2 ] && [ -r /dev/tty ]; }; }; then
            as_root=sudo
        else
            fail "not root and no usable sudo; have these Debian packages installed, then run me again: $missing"
        fi
    fi
    say "Installing with ${as_root:+$as_root }apt-get, to build and test Volley: $missing"

    # Package lists are fetched only if the present ones will not do.
    log=build/packages.log
    : >"$log"
    # shellcheck disable=SC2086 # a list of words
    if apt-get -s install $missing >>"$log" 2>&1 && apt_install $missing >>"$log" 2>&1; then
        return 0
    fi
    # shellcheck disable=SC2086
    if $as_root apt-get update -q >>"$log" 2>&1 && apt_install $missing >>"$log" 2>&1; then
        return 0
    fi
    tail -n 3 "$log" >&2
    fail "apt-get could not install the packages (is the network there?); all it said is in $log"
}

# ---- building

generate()
{
    mkdir -p m4 build-aux
    autoreconf --install
}

# Whether FILE is there and no older than the others.
is_newest() # FILE OTHERS...
{
    file=$1
    shift
    [ -e "$file" ] || return 1
    for other in "$@"; do
        [ -z "$(find "$other" -prune -newer "$file")" ] || return 1
    done
}

build()
{
    if ! { is_newest Makefile.in Makefile.am configure.ac && is_newest configure configure.ac &&
        [ -e config.h.in ]; }; then
        say "Generating configure"
        quietly build/autoreconf.log generate
    fi
    [ ! -e config.status ] || fail "the tree itself is configured; run \`make distclean\` here first"
    if ! { is_newest build/config.status configure && [ -e build/Makefile ]; }; then
        say "Configuring"
        (cd build && quietly configure.log ../configure)
    fi
    say "Building"
    quietly build/make.log make -C build -j "$(getconf _NPROCESSORS_ONLN)"
}

# ---- testing

# From the logs of all tests, how many cases passed, failed and were skipped. A CMocka program counts case by
# case: one that began and did not end well has failed, so has one that was announced and never began. A shell
# test counts its lines "ok ..." and "not ok ...". A program that shows no case counts as one, and one that
# ends badly without a failed case to show for it has failed.
count_cases()
{
    passed=0 failed=0 skipped=0
    for trs in build/tests/*.trs; do
        [ -e "$trs" ] || break
        name=${trs%.trs} name=${name#build/}
        form=cmocka
        [ ! -e "$name.sh" ] || form=shell
        result=$(sed -n 's/^:test-result: *\([A-Z]*\).*/\1/p' "$trs")
        counts=$(awk -v form="$form" -v result="$result" '
            form == "cmocka" && /^\[==========\] Running [0-9]+ test/ { announced += $3 }
            form == "cmocka" && /^\[ RUN      \] / { begun++; open = 1 }
            form == "cmocka" && open && /\[       OK \] / { passed++; open = 0 }
            form == "cmocka" && open && /\[  SKIPPED \] / { skipped++; open = 0 }
            form == "cmocka" && open && /\[  FAILED  \] / { open = 0 }
            form == "shell" && /^ok / { if (/# SKIP/) skipped++; else passed++ }
            form == "shell" && /^not ok / { failed++ }
            END {
                cases = announced > begun ? announced : begun
                if (form == "cmocka")
                    failed = cases - passed - skipped
                if (result == "SKIP")
                    skipped += (passed + failed + skipped == 0)
                else if (result == "PASS")
                    passed += (passed + failed + skipped == 0)
                else if (failed == 0)
                    failed = 1
                print passed + 0, failed + 0, skipped + 0
            }' "build/$name.log")
        # shellcheck disable=SC2086 # three numbers
        set -- $counts
        passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
        if [ "$2" -gt 0 ]; then
            say "---- build/$name.log"
            tail -n 60 "build/$name.log"
        fi >&2
    done
}

check()
{
    say "Testing"
    rm -f build/tests/*.trs build/tests/*.log
    made=0
    make -C build -j "$(getconf _NPROCESSORS_ONLN)" check >build/check.log 2>&1 || made=$?
    count_cases
    if [ "$made" -ne 0 ] && [ "$failed" -eq 0 ]; then
        tail -n 40 build/check.log >&2
        fail "the tests could not be built or run; all of the output is in build/check.log"
    fi
    [ "$skipped" -eq 0 ] || say "$skipped skipped, for want of what they need (see the logs in build/tests)"
    say "$passed passed, $failed failed"
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}

run()
{
    set -- run examples/tinybrain --prompt "In the beginning" --generate 200 --temperature 0.6 --top-p 0.9 \
        --seed 4 --trace build/run.db
    say "build/volley run examples/tinybrain --prompt \"In the beginning\" --generate 200 \\"
    say "    --temperature 0.6 --top-p 0.9 --seed 4 --trace build/run.db"
    say
    exec build/volley "$@"
}

# ----

exec </dev/null # nothing here asks anything, and configure needs an open standard input
CDPATH='' cd -- "$(dirname -- "$0")"

[ $# -le 1 ] || { usage >&2; exit 2; }
case ${1-} in
'') generate ;;
run | check)
    mkdir -p build
    install_missing
    build
    "$1"
    ;;
-h | --help) usage ;;
*)
    usage >&2
    exit 2
    ;;
esac
