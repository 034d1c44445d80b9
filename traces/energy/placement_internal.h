/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the files of placement share, and routes.c with them; nobody else includes it.
 *
 *     placement.c               placement_new: the steps below, one after the other
 *     placement_needs.c         what every part of a network asks of a core
 *     placement_deal.c          elements to cores, in order
 *     placement_explicit.c      … as the network file says
 *     placement_destinations.c  the cores that a neuron's spikes go to
 *     placement_layout.c        cores to places: messages between cores, and greedy
 *     placement_annealed.c      … and annealed
 */
#ifndef VOLLEY_PLACEMENT_INTERNAL_H
#define VOLLEY_PLACEMENT_INTERNAL_H

#include "traces/energy/placement.h"

enum { SYNAPSE_KINDS = 3 };

/* ---------------------------------------------------------------- needs */

/* A unit is what is not split between cores: one element, or a group of them where a reach has a
 * grain. */
struct unit {
    uint64_t synapses; /* non-zero weights that end here … */
    uint64_t weights;  /* … and those of them that are held here, shared kernels left out */
    uint64_t fan_out;  /* messages that one spike of each of its neurons would send; 0 until a
                          first dealing has shown them */
};

/* Who sends to each unit of a projection's compartment. A source neuron may stand there twice. */
struct senders {
    size_t *first;     /* [units of the compartment + 1], into neurons; NULL: all the source's */
    uint32_t *neurons; /* [first[units]] */
};

struct needs {
    const struct load *load;
    const struct chip *chip;
    uint32_t *grain;     /* [compartments], elements in a unit, but for the last */
    size_t *first_unit;  /* [compartments + 1] */
    struct unit *units;  /* [first_unit[compartments]] */
    uint64_t *kernels;   /* [compartments], weights that a core with elements of it holds once */
    uint32_t *arriving;  /* projections, by the compartment they end in, … */
    uint32_t *first_arriving; /* [compartments + 1] */
    struct senders *senders;  /* [projections]; NULL if fan-in is not limited */
    size_t *first_neuron;     /* [populations + 1]: neurons of placed populations counted through */
};

/* `senders` says whether these are wanted. */
struct needs *needs_new(const struct load *load, const struct chip *chip, bool senders,
                        struct error *error);
void needs_free(struct needs *needs);

/* Elements of unit `unit` of a compartment, counted from its own first. */
static inline uint32_t unit_elements(const struct needs *needs, uint32_t compartment, size_t unit)
{
    uint64_t first = (uint64_t)unit * needs->grain[compartment];
    uint64_t left = needs->load->compartments[compartment].width - first;
    return left < needs->grain[compartment] ? (uint32_t)left : needs->grain[compartment];
}

/* Whether a projection ends in a compartment with anything that is not 0. */
static inline bool projection_leads(const struct load_projection *projection)
{
    return projection->spikes && projection->compartment != UINT32_MAX && projection->synapses > 0;
}

/* Whether every source neuron of a projection leads to all of its compartment. */
static inline bool projection_is_full(const struct load_projection *projection)
{
    return projection->reach == NULL && !projection->one_to_one;
}

/* Synapses that neuron `neuron` has in a projection one to one. */
double projection_own_synapses(const struct load *load, const struct load_projection *projection,
                               uint32_t neuron);

/* Bytes that so many weights take. */
uint64_t weights_bytes(const struct chip *chip, uint64_t weights);

/* --------------------------------------------------------------- limits */

enum limit {
    LIMIT_NEURONS,
    LIMIT_SYNAPSES,
    LIMIT_BYTES,
    LIMIT_FAN_IN,
    LIMIT_FAN_OUT,
    LIMIT_NEURON_FAN_IN,
    LIMIT_NONE
};

/* The first limit that a core breaks. */
enum limit limit_broken(const struct chip *chip, const struct core *core);
/* What it would need, and what there is. */
uint64_t limit_needed(enum limit limit, const struct core *core);
uint64_t limit_given(enum limit limit, const struct chip *chip);

/* Synapses per neuron of a unit, rounded up. */
uint64_t unit_fan_in(const struct needs *needs, uint32_t compartment, size_t unit);

/* The chip in sentences. */
static inline const char *chip_called(const struct chip *chip)
{
    return chip->title != NULL ? chip->title : chip->name;
}
/* "population conv2" or "port 1 of population conv2", in text. */
void compartment_called(const struct load *load, uint32_t compartment, char text[200]);
/* `subject` needs room for more than a core (or neuron) has; returns false. */
bool limit_sentence(const struct chip *chip, enum limit limit, uint64_t needed,
                    const char *subject, struct error *error);

/* -------------------------------------------------------------- dealing */

/* Fills ranges, first_range and core_count, and cores with their index as place. `limited`: within
 * all limits of the chip but that of chips; else its neurons alone count. */
bool placement_deal(struct placement *placement, const struct needs *needs, bool limited,
                    struct error *error);
/* The same from the network file; places from there. Sets no sentence of limits. */
bool placement_take(struct placement *placement, const struct needs *needs, struct error *error);

/* Ranges in the making, by compartment, then first. */
struct range_list {
    struct placed_range *ranges;
    uint32_t count, capacity;
};
/* Elements behind those that are there; lengthens the last range where they follow it. */
bool range_list_add(struct range_list *list, uint32_t compartment, uint32_t first, uint32_t count,
                    uint32_t core, struct error *error);
/* Makes them the placement's, who owns them from then on. */
bool placement_set_ranges(struct placement *placement, struct range_list *list,
                          uint32_t compartments, struct error *error);

/* --------------------------------------------------------- destinations */

/* The cores that spikes of one neuron go to, and the synapses they meet there. A set of cores as
 * bits, and bits that say which words of it are not 0. */
struct destinations {
    const struct load *load;
    const struct placement *placement;
    size_t *first_element;       /* [compartments + 1] */
    uint32_t *core_of;           /* [elements of all compartments] */
    uint32_t *leaving;           /* projections that lead anywhere, by source population, … */
    uint32_t *first_leaving;     /* [populations + 1] */
    struct reach_entry *entries; /* of one row */
    double (*synapses)[SYNAPSE_KINDS]; /* [cores], 0 of cores that are not in the set; or NULL */
    uint64_t *words;             /* [⌈cores / 64⌉] */
    uint64_t *blocks;            /* [⌈cores / 4096⌉] */
    uint32_t block;              /* no block before it holds any */
    uint32_t block_count;
};

/* `synapses`: whether they are wanted. */
struct destinations *destinations_new(const struct load *load, const struct placement *placement,
                                      bool synapses, struct error *error);
void destinations_free(struct destinations *destinations);

/* Whether it sends any message, and whether all its neurons send to the same cores. */
bool destinations_any(const struct destinations *destinations, uint32_t population);
bool destinations_shared(const struct destinations *destinations, uint32_t population);
/* Fills the set, which must be empty. */
void destinations_of(struct destinations *destinations, uint32_t population, uint32_t neuron);
/* Takes the lowest core out of the set; false if there is none. `synapses` may be NULL. */
bool destinations_next(struct destinations *destinations, uint32_t *core,
                       double synapses[SYNAPSE_KINDS]);

/* Messages to each destination that a neuron sent in the run. */
static inline double neuron_messages(const struct load_population *population, bool graded,
                                     uint32_t neuron)
{
    const uint64_t *each = graded ? population->active : population->spikes;
    uint64_t total = graded ? population->active_total : population->spikes_total;
    return each != NULL ? (double)each[neuron] : (double)total / population->neurons;
}

/* -------------------------------------------------------------- layouts */

enum { NO_CORE = UINT32_MAX };

/* Cores on places. A layout costs messages x (hops + links x columns of a chip), as though each
 * border of chips were as long as a chip is wide. With that, places have the coordinates (x, y) in
 * which the way from one to another is |x - x'| + |y - y'|. */
struct layout {
    const struct chip *chip;
    uint32_t core_count, place_count;
    /* Whom each core exchanges messages with: those sent stand at one of the two, those received
     * at the other. */
    size_t *first;    /* [cores + 1] */
    uint32_t *other;  /* [first[cores]] */
    double *messages; /* [first[cores]] */
    uint32_t *x, *y;  /* [places] */
    uint32_t *place;  /* [cores] */
};

/* Gives the cores of a placement places by its method: greedy or annealed. Never dearer than in
 * order. */
bool placement_lay_out(struct placement *placement, const struct load *load,
                       const struct chip *chip, struct error *error);
double layout_cost(const struct layout *layout, const uint32_t *place);
/* Improves layout->place; leaves it as it is where nothing better is found. */
bool layout_anneal(struct layout *layout, uint64_t seed, struct error *error);

#endif
