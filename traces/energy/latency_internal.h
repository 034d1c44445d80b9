/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What both models of latency.h stand on: how long each thing takes, where each neuron sits, how
 * long the cores need when nothing fires; and the walk through a run's ticks, which asks a model
 * only about ticks in which something fires.
 */
#ifndef VOLLEY_LATENCY_INTERNAL_H
#define VOLLEY_LATENCY_INTERNAL_H

#include "traces/energy/latency.h"

/* Seconds; 0 where the chip does not say. */
struct durations {
    double synop[3], graded[3]; /* [enum synapse_kind], of plain and of graded spikes */
    double access, update, spike, message_out, message_in;
    double local, east, west, north, south, link;
    double tick; /* the shortest */
    double sync; /* of the tiles in use */
};

/* The tile of a core, and its chip. */
struct site {
    uint32_t x, y, chip_x, chip_y;
};

/* A run set on a chip. Inputs take no time but for their messages. */
struct setting {
    const struct load *load;
    const struct chip *chip;
    const struct placement *placement;
    const struct routes *routes;
    struct durations durations;
    struct site *sites; /* [core_count] */
    uint32_t **home;    /* [population_count][neurons], core; NULL: not placed */
    /* Each core goes through its neurons by population and number, then through the elements of
     * other compartments. */
    double **lead; /* [population_count][neurons], seconds until it is done with the neuron … */
    double *rest;  /* [core_count] … and with all of them, when nothing fires */
    uint32_t slowest; /* core of the longest rest */
};

/* What a model says of a tick in which something fired. */
struct model {
    void *self;
    /* Adds what a population fired. Its neurons are within it. */
    bool (*fire)(void *self, const struct load_volley *volley, struct error *error);
    /* The tick is complete: the seconds until the last core was done, and which one that was.
     * Forgets what fired. */
    bool (*finish)(void *self, double *seconds, uint32_t *core, struct error *error);
};

/* Whether the chip has cores and any figure of time, for there to be a setting. */
bool latency_known(const struct chip *chip, const struct placement *placement);

/* NULL with error. lead is left out unless asked for. */
struct setting *setting_new(const struct load *load, const struct chip *chip,
                            const struct placement *placement, const struct routes *routes,
                            bool leads, struct error *error);
void setting_free(struct setting *setting);

/* Through all ticks; fills latency, but for what only the queue has. */
bool setting_walk(const struct setting *setting, const struct model *model, struct latency *latency,
                  struct error *error);

/* As if all ticks were one like this. Fills latency likewise. */
bool setting_even(const struct setting *setting, double seconds, uint32_t core,
                  struct latency *latency, struct error *error);

/* Whether a population's spikes are graded ones there: coded, or not all of payload 1. */
bool setting_graded(const struct setting *setting, uint32_t population);

/* The spikes that a chip sends for one spike of such a payload. */
static inline uint32_t setting_spikes(const struct setting *setting,
                                      const struct load_volley *volley, uint32_t i)
{
    if (setting->chip->graded || volley->payload == NULL)
        return 1;
    int32_t payload = volley->payload[i];
    return payload < 0 ? 0 - (uint32_t)payload : (uint32_t)payload;
}

static inline uint32_t distance(uint32_t a, uint32_t b)
{
    return a < b ? b - a : a - b;
}

/* Seconds on the way from one core to another when nothing is in the way. */
static inline double setting_way(const struct setting *setting, uint32_t from, uint32_t to)
{
    const struct durations *durations = &setting->durations;
    const struct site *a = &setting->sites[from], *b = &setting->sites[to];
    if (a->x == b->x && a->y == b->y)
        return durations->local;
    return distance(a->x, b->x) * (a->x < b->x ? durations->east : durations->west) +
           distance(a->y, b->y) * (a->y < b->y ? durations->north : durations->south) +
           (distance(a->chip_x, b->chip_x) + distance(a->chip_y, b->chip_y)) * durations->link;
}

#endif
