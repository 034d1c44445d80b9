#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Turns the SQL file $1 into a C header on standard output.
set -e
echo '/* Made from schema.sql by schema.sh; edit that. */'
echo 'static const char schema_sql[] ='
sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/    "/' -e 's/$/\\n"/' "$1"
echo '    ;'
