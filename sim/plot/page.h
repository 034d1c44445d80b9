/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A page: what the pictures of `volley plot` are drawn on, a script for the plotting program.
 *
 * All places on the page are in millimetres from its lower left corner, so that a picture looks the
 * same in every format. Texts of traces come into the script only through page_put_text, which
 * makes them harmless: they can be read, never run. Numbers in the script are finite.
 *
 * A picture is one panel or several. For each: page_panel, axes, labels, then "plot …" lines
 * written to `script`, and page_panel_end.
 */
#ifndef VOLLEY_PLOT_PAGE_H
#define VOLLEY_PLOT_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum page_format { PAGE_SVG, PAGE_PNG, PAGE_PDF };

struct page {
    FILE *script;
    enum page_format format;
    double width, height; /* mm; 0 before page_begin: the picture's own */
    double left, right, bottom, top; /* edges of the panel, mm */
};

/* Okabe and Ito's colours, which the colour-blind can tell apart, the darkest first. */
enum { PAGE_COLOURS = 7 };
extern const char *const page_colours[PAGE_COLOURS];
#define PAGE_BLUE "#0072B2"
#define PAGE_VERMILLION "#D55E00"
#define PAGE_GREEN "#009E73"
#define PAGE_PURPLE "#CC79A7"
#define PAGE_ORANGE "#E69F00"
#define PAGE_SKY "#56B4E9"
#define PAGE_YELLOW "#F0E442"
#define PAGE_BLACK "#000000"
#define PAGE_DARK "#666666"
#define PAGE_GREY "#A0A0A0"
#define PAGE_PALE "#D8D8D8"

/* Writes what comes first. The sizes, in mm, are taken unless others were asked for. */
void page_begin(struct page *page, double width, double height);
void page_end(struct page *page);

/* The next panel; its edges in mm. */
void page_panel(struct page *page, double left, double right, double bottom, double top);
void page_panel_end(struct page *page);

/* Text in the quotes of the script; at most `limit` characters, then "…". What is no valid UTF-8 or
 * cannot be shown becomes '?'. */
void page_put_text(struct page *page, const char *text, size_t limit);
/* How wide a text is, about, in mm. */
double page_text_width(const char *text, size_t limit);
enum { PAGE_TEXT = 48 }; /* a limit that suits */

/* Things at places in mm. */
enum page_align { PAGE_LEFT, PAGE_CENTRE, PAGE_RIGHT };
void page_label(struct page *page, double x, double y, enum page_align align, const char *colour,
                const char *text);
void page_rule(struct page *page, double x0, double y0, double x1, double y1, const char *colour,
               double points);
void page_mark(struct page *page, double x, double y, int type, double size, const char *colour);
void page_box(struct page *page, double x0, double y0, double x1, double y1, const char *colour);

/* Kinds of marks, by the plotting program's numbers. */
enum {
    MARK_SQUARE_OPEN = 4,
    MARK_SQUARE = 5,
    MARK_CIRCLE_OPEN = 6,
    MARK_CIRCLE = 7,
    MARK_TRIANGLE = 9,
    MARK_DIAMOND = 13
};

/* One entry of a legend, its left edge at x; returns where the next one begins. */
double page_legend_box(struct page *page, double x, double y, const char *colour, const char *text);
double page_legend_mark(struct page *page, double x, double y, int type, const char *colour,
                        const char *text);
double page_legend_line(struct page *page, double x, double y, const char *colour, double points,
                        const char *text);

/* Axes: 'x' or 'y'. `label` may be NULL. low < high; of page_axis_log 0 < low. */
void page_axis(struct page *page, char axis, double low, double high, const char *label);
/* Steps are whole numbers. */
void page_axis_whole(struct page *page, char axis, double low, double high, const char *label);
void page_axis_log(struct page *page, char axis, double low, double high, const char *label);
/* No numbers at it. */
void page_axis_bare(struct page *page, char axis, double low, double high, const char *label);

/* A power of ten from 1e-15 to 1e9 and its prefix, such that the largest value is 1 or more. */
struct page_unit {
    double scale; /* value x scale is in units with the prefix */
    const char *prefix;
};
struct page_unit page_unit(double largest);

/* The step of about `wanted` tics over a range: 1, 2 or 5 times a power of ten. */
double page_step(double range, double wanted);

#endif
