/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Fuzzing what is read of where source neurons lead: three numbers of four bytes (sources, targets,
 * grain), then the bytes. They are refused with a sentence, or every row can be walked; and what is
 * made anew of these rows, within either of two limits, is read again with as many synapses.
 */
#include "traces/energy/reach.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

/* One row, which must be one that may be; and its synapses as a list of targets, unless there are
 * too many to write out. */
static uint32_t *row_check(const struct reach *reach, uint32_t source, uint32_t *length)
{
    enum { MANY = 1 << 16 };
    struct reach_entry *entries = malloc((reach->most + (size_t)1) * sizeof *entries);
    uint32_t *targets = malloc(MANY * sizeof *targets);
    uint64_t synapses = 0;
    if (entries == NULL || targets == NULL)
        abort();
    uint32_t count = reach_row(reach, source, entries);
    if (count > reach->most)
        abort();
    for (uint32_t i = 0; i < count; i++) {
        if (entries[i].group >= reach_groups(reach) || entries[i].synapses == 0 ||
            (i > 0 && entries[i].group <= entries[i - 1].group))
            abort();
        for (uint32_t j = 0; synapses + j < MANY && j < entries[i].synapses; j++)
            targets[synapses + j] = entries[i].group * reach->grain;
        synapses += entries[i].synapses;
    }
    if (synapses > UINT32_MAX)
        abort();
    free(entries);
    *length = (uint32_t)synapses;
    if (synapses <= MANY)
        return targets;
    free(targets);
    return NULL;
}

/* A projection of the rows that were read. */
struct rows {
    uint32_t **target; /* [sources] */
    uint32_t *length;  /* [sources] */
};

static uint32_t reach_of_rows(const struct projection *self, uint32_t source, uint32_t *targets)
{
    const struct rows *rows = self->weights;
    memcpy(targets, rows->target[source], rows->length[source] * sizeof *targets);
    return rows->length[source];
}

static const struct projection_kind projection_rows = {.name = "rows", .reach = reach_of_rows};

/* What is made of the rows keeps within the limit and is read again, with as many synapses. */
static void encode_check(const struct reach *reach, struct rows *rows, size_t limit)
{
    struct error error = {0};
    struct port port = {.width = reach->targets};
    struct population from = {.neurons = reach->sources};
    struct population to = {.ports = &port, .port_count = 1};
    struct projection projection = {.name = "fuzz", .kind = &projection_rows, .source = &from,
                                    .target = &to, .weights = rows, .fan_out = rows->length};
    struct reach *made = reach_of(&projection, limit, &error);
    if (made == NULL)
        abort();
    if (made->length > limit && made->length > 1 + (size_t)REACH_SOURCE_BYTES * reach->sources &&
        made->grain < UINT32_C(1) << 31)
        abort();
    struct reach *copy = reach_read(made->data, made->length, made->sources, made->targets,
                                    made->grain, &error);
    if (copy == NULL || copy->most != made->most)
        abort();
    for (uint32_t s = 0; s < copy->sources; s++) {
        uint32_t length;
        free(row_check(copy, s, &length));
        if (length != rows->length[s])
            abort();
    }
    reach_free(copy);
    reach_free(made);
}

static void reach_check(const struct reach *reach, size_t limit)
{
    struct rows rows = {calloc(reach->sources + (size_t)1, sizeof *rows.target),
                        calloc(reach->sources + (size_t)1, sizeof *rows.length)};
    if (rows.target == NULL || rows.length == NULL)
        abort();
    bool all = reach->sources < 256;
    for (uint32_t s = 0; all && s < reach->sources; s++) {
        rows.target[s] = row_check(reach, s, &rows.length[s]);
        all = rows.target[s] != NULL;
    }
    if (all)
        encode_check(reach, &rows, limit);
    for (uint32_t s = 0; s < reach->sources; s++)
        free(rows.target[s]);
    free(rows.target);
    free(rows.length);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct error error = {0};
    uint32_t numbers[3];
    if (length < sizeof numbers)
        return 0;
    memcpy(numbers, bytes, sizeof numbers);
    struct reach *reach = reach_read(bytes + sizeof numbers, length - sizeof numbers, numbers[0],
                                     numbers[1], numbers[2], &error);
    if ((reach == NULL) != (error.code != ERROR_NONE))
        abort();
    if (reach == NULL)
        return 0;
    reach_check(reach, SIZE_MAX);
    reach_check(reach, length / 2);
    reach_free(reach);
    return 0;
}
