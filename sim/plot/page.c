/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The script in gnuplot's language. Texts stand in single quotes, in which gnuplot replaces
 * nothing but '' by '; the terminals are told to take no markup in texts.
 */
#include "sim/plot/page.h"

#include <math.h>
#include <string.h>

static const double MILLIMETRE_INCHES = 1 / 25.4;
static const double TEXT_POINTS = 8;
static const double EM = 8 * 25.4 / 72; /* of that text, in mm */
enum { PNG_DOTS = 300, SVG_DOTS = 96 };  /* an inch */

const char *const page_colours[PAGE_COLOURS] = {
    PAGE_BLUE, PAGE_VERMILLION, PAGE_GREEN, PAGE_PURPLE, PAGE_ORANGE, PAGE_SKY, PAGE_BLACK,
};

/* ---- texts ---- */

/* The length of the UTF-8 character at `text`; 0: there is none that may stand in XML. */
static size_t character(const unsigned char *text)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = *text < 0x80 ? 1 : *text < 0xc2 ? 0 : *text < 0xe0 ? 2 : *text < 0xf0 ? 3
                  : *text < 0xf5 ? 4 : 0;
    if (length <= 1)
        return *text >= ' ' && *text != 0x7f ? length : 0;
    uint32_t code = *text & (0x7fU >> length);
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (text[i] & 0x3f);
    }
    bool shown = code >= least[length] && code >= 0xa0 && (code < 0xd800 || code > 0xdfff) &&
                 (code < 0xfdd0 || code > 0xfdef) && (code & 0xfffe) != 0xfffe && code <= 0x10ffff;
    return shown ? length : 0;
}

void page_put_text(struct page *page, const char *text, size_t limit)
{
    const unsigned char *at = (const unsigned char *)text;
    fputc('\'', page->script);
    for (size_t shown = 0; *at != '\0'; shown++) {
        if (shown == limit) {
            fputs("…", page->script);
            break;
        }
        size_t length = character(at);
        if (*at == '\'')
            fputs("''", page->script);
        else if (length == 0)
            fputc('?', page->script);
        else
            fwrite(at, 1, length, page->script);
        at += length > 0 ? length : 1;
    }
    fputc('\'', page->script);
}

/* Widths of Helvetica and Arial by kind of character, in em. */
double page_text_width(const char *text, size_t limit)
{
    double width = 0;
    size_t shown = 0;
    for (; *text != '\0' && shown < limit; text++) {
        unsigned char c = (unsigned char)*text;
        if ((c & 0xc0) == 0x80)
            continue;
        shown++;
        if (strchr("iljtfrI.,:;'|!()[]/- ", c) != NULL)
            width += 0.29;
        else if (strchr("mwMW@%", c) != NULL)
            width += 0.85;
        else
            width += c >= 'A' && c <= 'Z' ? 0.69 : 0.556;
    }
    return (width + (*text != '\0')) * EM;
}

/* ---- the page ---- */

void page_begin(struct page *page, double width, double height)
{
    page->width = page->width > 0 ? page->width : width;
    page->height = page->height > 0 ? page->height : height;
    double wide = page->width * MILLIMETRE_INCHES, high = page->height * MILLIMETRE_INCHES;
    double scale = (double)PNG_DOTS / SVG_DOTS;
    fputs("set encoding utf8\n", page->script);
    switch (page->format) {
    case PAGE_SVG: /* one dot of the drawing is 1/96 of an inch, a point 96/72 of a dot */
        fprintf(page->script,
                "set terminal svg size %.0f,%.0f font 'Arial,%.2f' linewidth %.3f butt noenhanced "
                "background '#ffffff'\n",
                wide * SVG_DOTS, high * SVG_DOTS, TEXT_POINTS * SVG_DOTS / 72, SVG_DOTS / 72.0);
        break;
    case PAGE_PNG:
        fprintf(page->script,
                "set terminal pngcairo size %.0f,%.0f font 'Arial,%g' fontscale %.3f "
                "linewidth %.3f pointscale %.3f butt noenhanced background '#ffffff'\n",
                wide * PNG_DOTS, high * PNG_DOTS, TEXT_POINTS, scale, scale * SVG_DOTS / 72,
                scale * 1.5);
        break;
    case PAGE_PDF:
        fprintf(page->script,
                "set terminal pdfcairo size %.4fin,%.4fin font 'Arial,%g' fontscale 0.75 linewidth "
                "2 butt noenhanced background '#ffffff'\n",
                wide, high, TEXT_POINTS);
        break;
    }
    fputs("set multiplot\nunset key\nset border 3 linewidth 0.5\nset style fill solid noborder\n",
          page->script);
}

void page_end(struct page *page)
{
    fputs("unset multiplot\n", page->script);
}

static double across(const struct page *page, double x)
{
    return x / page->width;
}

static double up(const struct page *page, double y)
{
    return y / page->height;
}

void page_panel(struct page *page, double left, double right, double bottom, double top)
{
    page->left = left;
    page->right = right > left + 1 ? right : left + 1;
    page->bottom = bottom;
    page->top = top > bottom + 1 ? top : bottom + 1;
    fprintf(page->script,
            "set lmargin at screen %.6f\nset rmargin at screen %.6f\n"
            "set bmargin at screen %.6f\nset tmargin at screen %.6f\n"
            "set tics out nomirror scale 0.5\nset xtics offset 0,%s\n",
            across(page, page->left), across(page, page->right), up(page, page->bottom),
            up(page, page->top), page->format == PAGE_SVG ? "0.4" : "0");
}

void page_panel_end(struct page *page)
{
    fputs("unset label\nunset arrow\nunset object\nunset logscale\n"
          "set xtics auto\nset ytics auto\nset border 3 linewidth 0.5\n",
          page->script);
}

void page_label(struct page *page, double x, double y, enum page_align align, const char *colour,
                const char *text)
{
    static const char *const names[] = {"left", "center", "right"};
    fputs("set label ", page->script);
    page_put_text(page, text, PAGE_TEXT);
    fprintf(page->script, " at screen %.6f,%.6f %s front textcolor rgb '%s'\n", across(page, x),
            up(page, y), names[align], colour);
}

void page_rule(struct page *page, double x0, double y0, double x1, double y1, const char *colour,
               double points)
{
    fprintf(page->script,
            "set arrow from screen %.6f,%.6f to screen %.6f,%.6f nohead front linewidth %.3f "
            "linecolor rgb '%s'\n",
            across(page, x0), up(page, y0), across(page, x1), up(page, y1), points, colour);
}

void page_mark(struct page *page, double x, double y, int type, double size, const char *colour)
{
    fprintf(page->script,
            "set label '' at screen %.6f,%.6f front point pointtype %d pointsize %.3f "
            "linecolor rgb '%s'\n",
            across(page, x), up(page, y), type, size, colour);
}

void page_box(struct page *page, double x0, double y0, double x1, double y1, const char *colour)
{
    fprintf(page->script,
            "set object rectangle from screen %.6f,%.6f to screen %.6f,%.6f front fillcolor rgb "
            "'%s' fillstyle solid noborder\n",
            across(page, x0), up(page, y0), across(page, x1), up(page, y1), colour);
}

/* ---- the legend ---- */

static double legend_text(struct page *page, double x, double y, const char *text)
{
    page_label(page, x, y, PAGE_LEFT, PAGE_BLACK, text);
    return x + page_text_width(text, PAGE_TEXT) + 4;
}

double page_legend_box(struct page *page, double x, double y, const char *colour, const char *text)
{
    page_box(page, x, y - 1, x + 3, y + 1, colour);
    return legend_text(page, x + 4, y, text);
}

double page_legend_mark(struct page *page, double x, double y, int type, const char *colour,
                        const char *text)
{
    page_mark(page, x + 1, y, type, 0.5, colour);
    return legend_text(page, x + 3, y, text);
}

double page_legend_line(struct page *page, double x, double y, const char *colour, double points,
                        const char *text)
{
    page_rule(page, x, y, x + 5, y, colour, points);
    return legend_text(page, x + 6, y, text);
}

/* ---- axes ---- */

double page_step(double range, double wanted)
{
    double power = pow(10, floor(log10(range / wanted))), step = power;
    if (range / step > wanted * 5)
        step = 10 * power;
    else if (range / step > wanted * 2)
        step = 5 * power;
    else if (range / step > wanted)
        step = 2 * power;
    return step;
}

/* What is along an axis, at its middle. */
static void put_label(struct page *page, char axis, const char *label)
{
    double x = axis == 'x' ? (page->left + page->right) / 2 : page->left - 13;
    double y = axis == 'x' ? page->bottom - 9 : (page->bottom + page->top) / 2;
    if (label == NULL)
        return;
    fputs("set label ", page->script);
    page_put_text(page, label, PAGE_TEXT * 2);
    fprintf(page->script, " at screen %.6f,%.6f center%s front\n", across(page, x), up(page, y),
            axis == 'x' ? "" : " rotate by 90");
}

/* The value of a tic and where it is (no -0), with a minus as long as a digit. */
static void put_value(struct page *page, double value, int digits, double at)
{
    fprintf(page->script, "'%s%.*f' %.15g", value < 0 ? "−" : "", value == 0 ? 0 : digits,
            fabs(value), at);
}

static double axis_length(const struct page *page, char axis)
{
    return axis == 'x' ? page->right - page->left : page->top - page->bottom;
}

static void put_axis(struct page *page, char axis, double low, double high, double step,
                     const char *label)
{
    double digits = step < 1 ? ceil(-log10(step) - 1e-9) : 0;
    const char *separator = "";
    fprintf(page->script, "set %crange [%.15g:%.15g]\nset %ctics (", axis, low, high, axis);
    for (double i = ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) {
        fputs(separator, page->script);
        put_value(page, i * step, (int)digits, i * step + 0.0);
        separator = ", ";
    }
    fputs(*separator == '\0' ? "'' 0)\n" : ")\n", page->script);
    put_label(page, axis, label);
}

void page_axis(struct page *page, char axis, double low, double high, const char *label)
{
    double step = page_step(high - low, axis_length(page, axis) / (axis == 'x' ? 14 : 9) + 1);
    put_axis(page, axis, low, high, step, label);
}

void page_axis_whole(struct page *page, char axis, double low, double high, const char *label)
{
    double step = page_step(high - low, axis_length(page, axis) / (axis == 'x' ? 14 : 9) + 1);
    put_axis(page, axis, low, high, step < 1 ? 1 : step, label);
}

void page_axis_bare(struct page *page, char axis, double low, double high, const char *label)
{
    fprintf(page->script, "set %crange [%.15g:%.15g]\nunset %ctics\n", axis, low, high, axis);
    put_label(page, axis, label);
}

/* 10 to a power: 0.01 … 1000, or with raised digits. */
static void put_power(struct page *page, int power, bool plain)
{
    static const char *const raised[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
    if (plain) {
        fprintf(page->script, "'%.*f'", power < 0 ? -power : 0, pow(10, power));
        return;
    }
    int size = power < 0 ? -power : power;
    fprintf(page->script, "'10%s", power < 0 ? "⁻" : "");
    if (size >= 100)
        fputs(raised[size / 100 % 10], page->script);
    if (size >= 10)
        fputs(raised[size / 10 % 10], page->script);
    fprintf(page->script, "%s'", raised[size % 10]);
}

void page_axis_log(struct page *page, char axis, double low, double high, const char *label)
{
    int first = (int)floor(log10(low) + 1e-9), last = (int)ceil(log10(high) - 1e-9);
    int every = 1 + (int)((last - first) / (axis_length(page, axis) / (axis == 'x' ? 12 : 7) + 1));
    bool plain = first >= -3 && last <= 3;
    const char *separator = "";
    fprintf(page->script, "set logscale %c\nset %crange [%.15g:%.15g]\nset %ctics (", axis, axis,
            low, high, axis);
    for (int power = first; power <= last; power++) {
        fputs(separator, page->script);
        if ((power - first) % every == 0)
            put_power(page, power, plain);
        else
            fputs("''", page->script);
        fprintf(page->script, " 1e%d", power);
        for (int digit = 2; every == 1 && digit < 10; digit++)
            fprintf(page->script, ", '' %de%d 1", digit, power);
        separator = ", ";
    }
    fputs(")\n", page->script);
    put_label(page, axis, label);
}

struct page_unit page_unit(double largest)
{
    static const struct page_unit units[] = {{1e-9, "G"}, {1e-6, "M"}, {1e-3, "k"}, {1, ""},
                                             {1e3, "m"},  {1e6, "µ"},  {1e9, "n"},  {1e12, "p"},
                                             {1e15, "f"}};
    const size_t length = sizeof units / sizeof *units;
    size_t i = 0;
    while (i + 1 < length && largest * units[i].scale < 1)
        i++;
    return units[i];
}
