#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Turns the chip files $@ into a C header on standard output, in their order.
set -e
echo '/* Made from the files in chips by chips.sh; edit those. */'
echo 'const char *const chip_names[] = {'
for file; do
    name=${file##*/}
    echo "    \"${name%.json}\","
done
echo '    NULL};'
echo '/* [chip_names] */'
echo 'static const char *const chip_texts[] = {'
for file; do
    sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/    "/' -e 's/$/\\n"/' "$file"
    echo '    ,'
done
echo '    NULL};'
