/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Private to the files that make and change chips: units, what must hold of a chip as a whole, and
 * values of JSON files with the place they stand at, so that every mistake is one sentence that
 * names it: "my.json: /energy/synop/unit is 'kg'; energies take J, mJ, uJ, nJ, pJ, fJ".
 */
#ifndef VOLLEY_CHIP_INTERNAL_H
#define VOLLEY_CHIP_INTERNAL_H

#include "traces/energy/chip.h"

#include <jansson.h>

/* ---- chips */

/* Largest values that mean something. */
enum { CHIP_CORES_LIMIT = 1 << 24, CHIP_BITS_LIMIT = 1 << 16, CHIP_BLOCK_LIMIT = 1 << 20 };
extern const double chip_figure_most; /* of a figure, in SI units */

/* Whole numbers that the command line and the file call by the same name. NULL ends. */
struct chip_number_line {
    const char *key;
    size_t offset; /* in struct chip_limits, struct chip_mesh */
    double low, high;
};
extern const struct chip_number_line chip_limit_lines[]; /* of uint64_t */
extern const struct chip_number_line chip_mesh_lines[];  /* of uint32_t */

extern const char *const chip_group_names[];  /* "energy", "power", "time"; NULL ends */
extern const char *const chip_layout_names[]; /* "by-target", "by-source"; NULL ends */

/* The figure of that name, or CHIP_FIGURES. */
enum chip_figure chip_figure_find(enum chip_group group, const char *key);

/* Sets the unit and turns the three values, which are in that unit, into SI. */
bool chip_unit_apply(struct coefficient *coefficient, enum chip_group group, const char *unit);
/* "energies take J, mJ, uJ, nJ, pJ, fJ" */
const char *chip_unit_remedy(enum chip_group group);
/* What a unit measures ("power"), or NULL if there is no such unit. */
const char *chip_unit_kind(const char *unit);

/* What no entry can say alone: sizes of the mesh, names of memories, and which figures may stand
 * together. */
bool chip_check(const struct chip *chip, struct error *error);

/* What sentences about a chip begin with: its file, or the name of a shipped one. */
const char *chip_place(const struct chip *chip);

void chip_digest(struct chip *chip, const void *bytes, size_t length);

/* ---- values of files */

/* A value and where it stands. */
struct chip_item {
    json_t *json;               /* NULL: it is not there */
    const struct chip_item *up; /* what it is in; NULL: the document itself */
    const char *key;            /* in an object; NULL: in an array, at … */
    size_t index;
};

struct chip_reader {
    const char *origin; /* for sentences */
    const json_t *sources;
    struct chip *chip; /* being filled in */
    struct error *error;
};

struct chip_item chip_member(const struct chip_item *object, const char *key);
struct chip_item chip_element(const struct chip_item *array, size_t index);

/* "my.json: /energy/synop/unit SENTENCE"; returns false. */
bool chip_refuse(const struct chip_reader *reader, const struct chip_item *item, const char *format,
                 ...) __attribute__((format(printf, 3, 4)));
/* Refuses, unless it is `right`: "must be WHAT", "is missing; it must be WHAT". */
bool chip_expect(const struct chip_reader *reader, const struct chip_item *item, bool right,
                 const char *what);

/* It is an object and has no members but these; `keys` ends with NULL. */
bool chip_members(const struct chip_reader *reader, const struct chip_item *item,
                  const char *const *keys);
bool chip_flag(const struct chip_reader *reader, const struct chip_item *item, bool *value);
bool chip_number(const struct chip_reader *reader, const struct chip_item *item, double *value);
bool chip_integer(const struct chip_reader *reader, const struct chip_item *item, double low,
                  double high, uint64_t *value);
/* The index of a string among `words`, which end with NULL. */
bool chip_word(const struct chip_reader *reader, const struct chip_item *item,
               const char *const *words, unsigned *value);
/* A text that is not empty and has no control characters; it belongs to the document. */
bool chip_text_at(const struct chip_reader *reader, const struct chip_item *item,
                  const char **text);
/* … copied. */
bool chip_copy(const struct chip_reader *reader, const struct chip_item *item, char **text);

/* Appends to a list of names for a sentence: "one, two"; what has no room becomes "…". */
enum { CHIP_LIST = 400 };
void chip_list(char list[CHIP_LIST], const char *name);

#endif
