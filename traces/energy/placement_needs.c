/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What every unit of a network asks of the core it is put on, and the limits of chips.
 *
 * Synapses are counted where they end. Of a projection with a reach each is where the reach says;
 * without, they are spread evenly over the compartment, such that units first … last - 1 together
 * have ⌊last · S / W⌋ - ⌊first · S / W⌋ of the S of a compartment of W: all of them add up to S.
 */
#include "traces/energy/placement_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* ---------------------------------------------------------------- limits */

uint64_t weights_bytes(const struct chip *chip, uint64_t weights)
{
    uint64_t bits;
    if (__builtin_mul_overflow(weights, (uint64_t)chip->weight_bits, &bits))
        return UINT64_MAX / 8;
    return bits / 8 + (bits % 8 != 0);
}

static const char *const limit_things[] = {
    [LIMIT_NEURONS] = "neurons",
    [LIMIT_SYNAPSES] = "synapses",
    [LIMIT_BYTES] = "bytes of weights",
    [LIMIT_FAN_IN] = "source neurons",
    [LIMIT_FAN_OUT] = "messages to send for one spike each",
    [LIMIT_NEURON_FAN_IN] = "synapses",
};

uint64_t limit_needed(enum limit limit, const struct core *core)
{
    switch (limit) {
    case LIMIT_NEURONS:
        return core->elements;
    case LIMIT_SYNAPSES:
        return core->synapses;
    case LIMIT_BYTES:
        return core->synapse_bytes;
    case LIMIT_FAN_IN:
        return core->fan_in;
    case LIMIT_FAN_OUT:
        return core->fan_out;
    default:
        return 0;
    }
}

uint64_t limit_given(enum limit limit, const struct chip *chip)
{
    switch (limit) {
    case LIMIT_NEURONS:
        return chip->limits.neurons;
    case LIMIT_SYNAPSES:
        return chip->limits.synapses;
    case LIMIT_BYTES:
        return chip->limits.synapse_bytes;
    case LIMIT_FAN_IN:
        return chip->limits.fan_in;
    case LIMIT_FAN_OUT:
        return chip->limits.fan_out;
    case LIMIT_NEURON_FAN_IN:
        return chip->limits.neuron_fan_in;
    default:
        return 0;
    }
}

enum limit limit_broken(const struct chip *chip, const struct core *core)
{
    for (int limit = LIMIT_NEURONS; limit <= LIMIT_FAN_OUT; limit++) {
        uint64_t given = limit_given((enum limit)limit, chip);
        if (given > 0 && limit_needed((enum limit)limit, core) > given)
            return (enum limit)limit;
    }
    return LIMIT_NONE;
}

void compartment_called(const struct load *load, uint32_t compartment, char text[200])
{
    const struct load_compartment *own = &load->compartments[compartment];
    const char *name = load->populations[own->population].name;
    if (own->port != NULL)
        snprintf(text, 200, "port %.60s of population %.100s", own->port, name);
    else
        snprintf(text, 200, "population %.160s", name);
}

bool limit_sentence(const struct chip *chip, enum limit limit, uint64_t needed,
                    const char *subject, struct error *error)
{
    return error_set(error, ERROR_FAILED, "%s needs room for %" PRIu64 " %s, more than the "
                     "%" PRIu64 " that a %s of %s takes; choose another chip, or --beyond-limits "
                     "projects it nevertheless", subject, needed, limit_things[limit],
                     limit_given(limit, chip), limit == LIMIT_NEURON_FAN_IN ? "neuron" : "core",
                     chip_called(chip));
}

/* ----------------------------------------------------------------- units */

/* The coarsest grain of all that ends in a compartment is that of its units; being powers of two,
 * the others' groups lie within. */
static bool units_size(struct needs *needs)
{
    const struct load *load = needs->load;
    size_t count = load->compartment_count;
    needs->grain = malloc((count + 1) * sizeof *needs->grain);
    needs->first_unit = calloc(count + 1, sizeof *needs->first_unit);
    needs->kernels = calloc(count + 1, sizeof *needs->kernels);
    if (needs->grain == NULL || needs->first_unit == NULL || needs->kernels == NULL)
        return false;
    for (size_t i = 0; i < count; i++)
        needs->grain[i] = 1;
    for (uint32_t i = 0; i < load->projection_count; i++) {
        const struct load_projection *projection = &load->projections[i];
        if (projection_leads(projection) && projection->reach != NULL
            && projection->reach->grain > needs->grain[projection->compartment])
            needs->grain[projection->compartment] = projection->reach->grain;
    }
    for (size_t i = 0; i < count; i++)
        needs->first_unit[i + 1] =
            needs->first_unit[i]
            + ((uint64_t)load->compartments[i].width + needs->grain[i] - 1) / needs->grain[i];
    needs->units = calloc(needs->first_unit[count] + 1, sizeof *needs->units);
    return needs->units != NULL;
}

static bool neurons_count_through(struct needs *needs)
{
    const struct load *load = needs->load;
    needs->first_neuron = calloc((size_t)load->population_count + 1, sizeof *needs->first_neuron);
    if (needs->first_neuron == NULL)
        return false;
    for (uint32_t i = 0; i < load->population_count; i++) {
        const struct load_population *own = &load->populations[i];
        needs->first_neuron[i + 1] = needs->first_neuron[i] + (own->placed ? own->neurons : 0);
    }
    return true;
}

static bool arriving_sort(struct needs *needs)
{
    const struct load *load = needs->load;
    uint32_t count = load->compartment_count;
    needs->arriving = malloc(((size_t)load->projection_count + 1) * sizeof *needs->arriving);
    needs->first_arriving = calloc((size_t)count + 2, sizeof *needs->first_arriving);
    if (needs->arriving == NULL || needs->first_arriving == NULL)
        return false;
    for (uint32_t i = 0; i < load->projection_count; i++)
        if (projection_leads(&load->projections[i]))
            needs->first_arriving[load->projections[i].compartment + 2]++;
    for (uint32_t i = 0; i < count; i++)
        needs->first_arriving[i + 2] += needs->first_arriving[i + 1];
    for (uint32_t i = 0; i < load->projection_count; i++)
        if (projection_leads(&load->projections[i]))
            needs->arriving[needs->first_arriving[load->projections[i].compartment + 1]++] = i;
    return true;
}

/* ⌊part · whole / parts⌋ for part <= parts < 2^32, without overflow. */
static uint64_t share(uint64_t whole, uint64_t part, uint64_t parts)
{
    return whole / parts * part + whole % parts * part / parts;
}

double projection_own_synapses(const struct load *load, const struct load_projection *projection,
                               uint32_t neuron)
{
    uint32_t sources = load->populations[projection->source].neurons;
    uint32_t width = load->compartments[projection->compartment].width;
    uint32_t pairs = sources < width ? sources : width;
    if (neuron >= pairs)
        return 0;
    return projection->fan_out != NULL ? projection->fan_out[neuron]
                                       : (double)projection->synapses / pairs;
}

/* ------------------------------------------------- synapses of the units */

static void add_synapses(struct needs *needs, const struct load_projection *projection,
                         size_t unit, uint64_t synapses)
{
    bool kernel = projection->kind == SYNAPSES_CONVOLUTION && needs->chip->shares_kernels;
    needs->units[unit].synapses += synapses;
    if (!kernel)
        needs->units[unit].weights += synapses;
}

static void add_full(struct needs *needs, const struct load_projection *projection)
{
    uint32_t compartment = projection->compartment;
    uint32_t width = needs->load->compartments[compartment].width;
    uint64_t before = 0, end = 0;
    for (size_t unit = needs->first_unit[compartment]; unit < needs->first_unit[compartment + 1];
         unit++) {
        end += unit_elements(needs, compartment, unit - needs->first_unit[compartment]);
        uint64_t after = share(projection->synapses, end, width);
        add_synapses(needs, projection, unit, after - before);
        before = after;
    }
}

static void add_one_to_one(struct needs *needs, const struct load_projection *projection)
{
    uint32_t compartment = projection->compartment;
    uint32_t sources = needs->load->populations[projection->source].neurons;
    uint32_t width = needs->load->compartments[compartment].width;
    uint32_t pairs = sources < width ? sources : width;
    for (uint32_t i = 0; i < pairs; i++) {
        size_t unit = needs->first_unit[compartment] + i / needs->grain[compartment];
        uint64_t synapses = projection->fan_out != NULL
                                ? projection->fan_out[i]
                                : share(projection->synapses, (uint64_t)i + 1, pairs)
                                      - share(projection->synapses, i, pairs);
        add_synapses(needs, projection, unit, synapses);
    }
}

static size_t unit_of_group(const struct needs *needs, const struct load_projection *projection,
                            uint32_t group)
{
    uint64_t element = (uint64_t)group * projection->reach->grain;
    return (size_t)(element / needs->grain[projection->compartment]);
}

/* Also counts who sends to each unit, one place further, if that is wanted. */
static void add_reach(struct needs *needs, const struct load_projection *projection,
                      struct reach_entry *entries, struct senders *senders)
{
    size_t first = needs->first_unit[projection->compartment];
    for (uint32_t source = 0; source < projection->reach->sources; source++) {
        uint32_t length = reach_row(projection->reach, source, entries);
        for (uint32_t i = 0; i < length; i++) {
            size_t unit = unit_of_group(needs, projection, entries[i].group);
            add_synapses(needs, projection, first + unit, entries[i].synapses);
            if (senders != NULL)
                senders->first[unit + 1]++;
        }
    }
}

static void fill_senders(const struct needs *needs, const struct load_projection *projection,
                         struct reach_entry *entries, struct senders *senders)
{
    for (uint32_t source = 0; source < projection->reach->sources; source++) {
        uint32_t length = reach_row(projection->reach, source, entries);
        for (uint32_t i = 0; i < length; i++)
            senders->neurons[senders->first[unit_of_group(needs, projection,
                                                          entries[i].group)]++] = source;
    }
}

/* Units' synapses of a projection with a reach, and their senders: counted, then filled in. */
static bool reach_take(struct needs *needs, const struct load_projection *projection,
                       struct senders *senders)
{
    uint32_t compartment = projection->compartment;
    size_t units = needs->first_unit[compartment + 1] - needs->first_unit[compartment];
    struct reach_entry *entries = malloc(((size_t)projection->reach->most + 1) * sizeof *entries);
    bool taken = entries != NULL;
    if (taken && senders != NULL) {
        senders->first = calloc(units + 1, sizeof *senders->first);
        taken = senders->first != NULL;
    }
    if (taken)
        add_reach(needs, projection, entries, senders);
    if (taken && senders != NULL) {
        for (size_t i = 0; i < units; i++)
            senders->first[i + 1] += senders->first[i];
        senders->neurons = malloc((senders->first[units] + 1) * sizeof *senders->neurons);
        taken = senders->neurons != NULL;
        if (taken) {
            fill_senders(needs, projection, entries, senders);
            /* Filling has moved each unit's beginning to its end. */
            for (size_t i = units; i > 0; i--)
                senders->first[i] = senders->first[i - 1];
            senders->first[0] = 0;
        }
    }
    free(entries);
    return taken;
}

static bool synapses_take(struct needs *needs)
{
    const struct load *load = needs->load;
    for (uint32_t i = 0; i < load->projection_count; i++) {
        const struct load_projection *projection = &load->projections[i];
        if (!projection_leads(projection))
            continue;
        if (projection->kind == SYNAPSES_CONVOLUTION && needs->chip->shares_kernels)
            needs->kernels[projection->compartment] += projection->parameters;
        if (projection->reach != NULL) {
            if (!reach_take(needs, projection,
                            needs->senders != NULL ? &needs->senders[i] : NULL))
                return false;
        } else if (projection->one_to_one) {
            add_one_to_one(needs, projection);
        } else {
            add_full(needs, projection);
        }
    }
    return true;
}

uint64_t unit_fan_in(const struct needs *needs, uint32_t compartment, size_t unit)
{
    uint64_t synapses = needs->units[needs->first_unit[compartment] + unit].synapses;
    uint32_t elements = unit_elements(needs, compartment, unit);
    return synapses / elements + (synapses % elements != 0);
}

/* ----------------------------------------------------------------- needs */

/* What the arithmetic above and the places of cores rely on. */
static bool load_check(const struct load *load, struct error *error)
{
    uint64_t elements = 0;
    for (uint32_t i = 0; i < load->compartment_count; i++)
        elements += load->compartments[i].width;
    if (elements >= UINT32_MAX)
        return error_set(error, ERROR_FAILED, "the network has %" PRIu64 " neurons and ports' "
                         "elements to be placed; at most %" PRIu32 " can be", elements,
                         UINT32_MAX - 1);
    return true;
}

struct needs *needs_new(const struct load *load, const struct chip *chip, bool senders,
                        struct error *error)
{
    if (!load_check(load, error))
        return NULL;
    struct needs *needs = calloc(1, sizeof *needs);
    if (needs != NULL) {
        needs->load = load;
        needs->chip = chip;
        if (senders)
            needs->senders = calloc((size_t)load->projection_count + 1, sizeof *needs->senders);
    }
    if (needs == NULL || (senders && needs->senders == NULL) || !units_size(needs)
        || !neurons_count_through(needs) || !arriving_sort(needs) || !synapses_take(needs)) {
        error_no_memory(error, "the placement");
        needs_free(needs);
        return NULL;
    }
    return needs;
}

void needs_free(struct needs *needs)
{
    if (needs == NULL)
        return;
    if (needs->senders != NULL) {
        for (uint32_t i = 0; i < needs->load->projection_count; i++) {
            free(needs->senders[i].first);
            free(needs->senders[i].neurons);
        }
        free(needs->senders);
    }
    free(needs->grain);
    free(needs->first_unit);
    free(needs->units);
    free(needs->kernels);
    free(needs->arriving);
    free(needs->first_arriving);
    free(needs->first_neuron);
    free(needs);
}
