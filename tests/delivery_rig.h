/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One projection between two populations without a network around them, for the tests of
 * the kinds that are delivered by event.
 */
#ifndef VOLLEY_TESTS_DELIVERY_RIG_H
#define VOLLEY_TESTS_DELIVERY_RIG_H

#include "neurons/projection.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct rig {
    struct population source, target;
    struct port port;
    struct projection projection;
    struct kernels kernels;
    uint32_t blocks;
};

struct rig_port {
    uint32_t slots;
    bool counts, touched;
    double scale;
    uint32_t parts;
};

static uint64_t random_state = UINT64_C(88172645463325252);

static inline uint64_t random_bits(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state * UINT64_C(0x2545f4914f6cdd1d);
}

static inline uint32_t random_below(uint32_t limit)
{
    return (uint32_t)((random_bits() >> 32) % limit);
}

static inline double random_value(void)
{
    return (double)(int64_t)random_bits() * 0x1p-62;
}

/* Fills the rig; the projection is not prepared yet. */
static inline void rig_fill(struct rig *rig, const struct projection_kind *kind, void *weights,
                            uint32_t sources, uint32_t targets, struct rig_port port)
{
    memset(rig, 0, sizeof *rig);
    size_t cells = (size_t)port.slots * targets;
    rig->blocks = (targets + PORT_BLOCK - 1) / PORT_BLOCK;
    rig->port = (struct port){.name = "in", .width = targets, .slots = port.slots,
                              .scale = port.scale};
    if (port.counts)
        rig->port.count = calloc(cells, sizeof(int32_t));
    else
        rig->port.current = calloc(cells, sizeof(double));
    if (port.touched)
        rig->port.touched = calloc((size_t)port.slots * rig->blocks, 1);
    rig->source = (struct population){.name = "from", .neurons = sources};
    rig->target = (struct population){.name = "to", .neurons = targets, .ports = &rig->port,
                                      .port_count = 1, .clocked = true};
    rig->projection = (struct projection){.name = "arrow", .kind = kind, .source = &rig->source,
                                          .target = &rig->target, .weights = weights,
                                          .parts = port.parts};
    rig->kernels.vector = VECTOR_PLAIN;
}

static inline void rig_clear(struct rig *rig)
{
    size_t cells = (size_t)rig->port.slots * rig->port.width;
    if (rig->port.count != NULL)
        memset(rig->port.count, 0, cells * sizeof(int32_t));
    if (rig->port.current != NULL)
        memset(rig->port.current, 0, cells * sizeof(double));
    if (rig->port.touched != NULL)
        memset(rig->port.touched, 0, (size_t)rig->port.slots * rig->blocks);
}

static inline void rig_free(struct rig *rig)
{
    free(rig->port.count);
    free(rig->port.current);
    free(rig->port.touched);
    rig->projection.kind->free(rig->projection.weights);
}

static inline void rig_prepare(struct rig *rig)
{
    struct error error = {0};
    if (!rig->projection.kind->prepare(&rig->projection, 1, false, &error))
        fail_msg("%s", error.text);
}

/* Prepares it, which must be refused in a sentence that names the projection and holds `words`. */
static inline void rig_refuse(struct rig *rig, uint32_t lanes, const char *words)
{
    struct error error = {0};
    assert_false(rig->projection.kind->prepare(&rig->projection, lanes, false, &error));
    assert_int_equal(error.code, ERROR_MISUSED);
    if (strstr(error.text, "projection arrow: ") != error.text || strstr(error.text, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", error.text, words);
}

/* Delivers to all targets in `parts` parts, the last first: their order must not matter. */
static inline void rig_deliver(struct rig *rig, const struct delivery *delivery, uint32_t parts)
{
    for (uint32_t part = parts; part-- > 0;) {
        uint32_t begin, end;
        workers_slice(rig->blocks, part, parts, &begin, &end);
        begin *= PORT_BLOCK;
        end = end == rig->blocks ? rig->port.width : end * PORT_BLOCK;
        if (begin < end)
            rig->projection.kind->deliver(&rig->projection, delivery, &rig->kernels, begin, end);
    }
}

/* The port holds exactly these bits; `current`, `count`, `touched` as in struct port. */
static inline void rig_assert(const struct rig *rig, const double *current, const int32_t *count,
                              const uint8_t *touched)
{
    size_t cells = (size_t)rig->port.slots * rig->port.width;
    if (rig->port.current != NULL)
        for (size_t i = 0; i < cells; i++)
            if (memcmp(&rig->port.current[i], &current[i], sizeof *current) != 0)
                fail_msg("slot %zu, target %zu: %.17g, not %.17g", i / rig->port.width,
                         i % rig->port.width, rig->port.current[i], current[i]);
    if (rig->port.count != NULL)
        assert_memory_equal(rig->port.count, count, cells * sizeof *count);
    if (rig->port.touched != NULL)
        assert_memory_equal(rig->port.touched, touched, (size_t)rig->port.slots * rig->blocks);
}

#endif
