/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/columns.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

static bool continues(char byte)
{
    return ((unsigned char)byte & 0xc0) == 0x80;
}

/* Bytes of the character that a text begins with; its continuation goes along. */
static size_t character(const char *text)
{
    size_t length = 1;
    while (continues(text[length]))
        length++;
    return length;
}

static void print_character(FILE *out, const char *text, size_t length)
{
    unsigned char first = (unsigned char)text[0], second = (unsigned char)text[1];
    bool control = first < ' ' || first == 0x7f || (first == 0xc2 && length > 1 && second < 0xa0);
    if (control || continues(text[0]))
        putc('?', out);
    else
        fwrite(text, 1, length, out);
}

void columns_cell(FILE *out, int width, const char *text)
{
    int limit = width < 0 ? -width : width, used = 0;
    for (const char *c = text; *c != '\0' && used < limit; c += character(c))
        used++;
    for (int i = used; width < 0 && i < limit; i++)
        putc(' ', out);
    for (int i = 0; i < used; i++) {
        size_t length = character(text);
        print_character(out, text, length);
        text += length;
    }
    for (int i = used; width > 0 && i < limit; i++)
        putc(' ', out);
}

void columns_paragraph(FILE *out, const char *lead, int indent, const char *text)
{
    int column = 0;
    fputs(lead, out);
    for (const char *c = lead; *c != '\0'; c += character(c))
        column++;
    bool begins = true; /* a line: no space before its first word */
    while (*(text += strspn(text, " ")) != '\0') {
        size_t bytes = strcspn(text, " ");
        int wide = 0;
        for (size_t i = 0; i < bytes; i++)
            wide += !continues(text[i]);
        if (!begins && column + 1 + wide > COLUMNS_WIDTH) {
            fprintf(out, "\n%*s", indent, "");
            column = indent;
            begins = true;
        }
        if (!begins)
            putc(' ', out);
        column += wide + !begins;
        begins = false;
        for (const char *end = text + bytes; text < end;) {
            size_t length = character(text);
            print_character(out, text, length);
            text += length;
        }
    }
    putc('\n', out);
}

/* The prefixes, from the smallest on, and what the smallest stands for. */
static const char *const prefixes[] = {"a", "f", "p", "n", "u", "m", "", "k", "M", "G", "T", "P"};
enum { PREFIXES = sizeof prefixes / sizeof *prefixes };
static const double smallest = 1e-18;

/* Which prefix keeps a value below 1000, and what one of it is. */
static int prefix_of(double value, double *unit)
{
    int prefix = 0;
    *unit = smallest;
    while (fabs(value) / *unit >= 999.5 && prefix + 1 < PREFIXES) {
        *unit *= 1000;
        prefix++;
    }
    return prefix;
}

const char *columns_quantity(double value, const char *unit, char text[COLUMNS_TEXT])
{
    double one;
    int prefix = prefix_of(value, &one);
    const char *space = *prefixes[prefix] != '\0' || *unit != '\0' ? " " : "";
    if (!isfinite(value))
        snprintf(text, COLUMNS_TEXT, "-");
    else if (value == 0)
        snprintf(text, COLUMNS_TEXT, "0");
    else
        snprintf(text, COLUMNS_TEXT, "%.3g%s%s%.8s", value / one, space, prefixes[prefix], unit);
    return text;
}

const char *columns_range(double low, double high, const char *unit, char text[COLUMNS_TEXT])
{
    double one;
    int prefix = prefix_of(high, &one);
    if (!isfinite(low) || !isfinite(high))
        snprintf(text, COLUMNS_TEXT, "-");
    else
        snprintf(text, COLUMNS_TEXT, "%.3g ... %.3g %s%.8s", low / one, high / one,
                 prefixes[prefix], unit);
    return text;
}

const char *columns_ratio(double value, double other, char text[COLUMNS_TEXT])
{
    if (!(value > 0 && other > 0 && isfinite(value) && isfinite(other))) {
        snprintf(text, COLUMNS_TEXT, "-");
        return text;
    }
    double times = value < other ? other / value : value / other;
    int digits = times < 9.995 ? 2 : times < 99.95 ? 1 : 0;
    if (times < 1e6)
        snprintf(text, COLUMNS_TEXT, "%.*fx %s", digits, times, value < other ? "less" : "more");
    else
        snprintf(text, COLUMNS_TEXT, "%.2gx %s", times, value < other ? "less" : "more");
    return text;
}

const char *columns_share(double part, char text[COLUMNS_TEXT])
{
    if (!isfinite(part))
        snprintf(text, COLUMNS_TEXT, "-");
    else
        snprintf(text, COLUMNS_TEXT, "%.1f%%", fabs(part) < 0.0005 ? 0 : 100 * part);
    return text;
}
