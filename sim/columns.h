/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Text in columns and paragraphs, and numbers that fit into them. Texts may come from hostile
 * files: what a terminal would take for a command becomes '?'.
 */
#ifndef VOLLEY_COLUMNS_H
#define VOLLEY_COLUMNS_H

#include <stdio.h>

enum { COLUMNS_TEXT = 48, COLUMNS_WIDTH = 80 };

/* A text in a column: cut or filled up to `width` characters; to the right if width < 0. */
void columns_cell(FILE *out, int width, const char *text);
/* A paragraph: `lead`, then the text in lines of at most COLUMNS_WIDTH characters, those after the
 * first indented by `indent`. */
void columns_paragraph(FILE *out, const char *lead, int indent, const char *text);

/* A quantity with three digits and the prefix that keeps it readable: "12.3 uJ". */
const char *columns_quantity(double value, const char *unit, char text[COLUMNS_TEXT]);
/* Two of them in the unit that fits the larger: "11.2 ... 13.4 uJ". */
const char *columns_range(double low, double high, const char *unit, char text[COLUMNS_TEXT]);
/* What `value` is beside `other`: "12.3x less", "1.23x more"; "-" if it cannot be said. */
const char *columns_ratio(double value, double other, char text[COLUMNS_TEXT]);
/* A part of 1 in per cent. */
const char *columns_share(double part, char text[COLUMNS_TEXT]);

#endif
