/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The events of a run, and what they cost. By term, of a population s (its row) with its neurons n,
 * the projections p that carry its spikes, and T ticks in all:
 *
 *   synops    Σ_p synops counted in the run, by kind of synapse. What one event is depends on the
 *             chip: a graded one takes a firing (vector, tick) as one, whatever its payload; others
 *             every spike of the coding, and a payload p of a clocked population as |p| spikes.
 *             Counted are spikes of language models and firings of clocked populations; the other
 *             one follows by
 *                 synops · Σ_n wanted[n] fan_out[n] / Σ_n counted[n] fan_out[n].
 *             Dense chips: Σ_p weight_count x passes (of weights, so not of projections without).
 *   memory    reads of blocks. By target: Σ_p (weight_count / neurons) targets x blocks with a
 *             spike in them, summed over vectors (blocks.h), as if the connections that there are
 *             lay side by side; dense chips: all blocks in every pass. By source:
 *             Σ_p Σ_n active[n] x ⌈fan_out[n] · weight_bits / block⌉.
 *   neurons   access x elements (neurons, and what else adds up input: load.h) x T, update x
 *             updates (language models: elements x vectors); dense chips: both for each element and
 *             pass. Not of inputs.
 *   spikes    firings on a graded chip, else spikes. Not of inputs.
 *   messages  (out + in) x messages: spike x destination core (routes.h).
 *   hops      messages x steps, by direction.
 *   links     messages x borders of chips x bits of a message.
 *   control   spike x spikes as above + synop x synops.
 *   static    (core x cores + chip x chips + byte x bytes of synapses) x seconds: a row of its own.
 *
 * Invariant: joules are added nowhere but in `charge`, which counts the same events for the
 * coefficient, so that Σ over coefficients of events x value is the total, too.
 */
#include "traces/energy/estimate_internal.h"

#include <math.h>
#include <stdlib.h>

const char *const energy_term_names[TERMS] = {
    [TERM_ALL_IN] = "all-in",     [TERM_SYNOP] = "synops", [TERM_MEMORY] = "memory",
    [TERM_NEURON] = "neurons",    [TERM_SPIKE] = "spikes", [TERM_MESSAGE] = "messages",
    [TERM_HOP] = "hops",          [TERM_LINK] = "links",   [TERM_CONTROL] = "control",
    [TERM_STATIC] = "static",
};

const char *const energy_term_meanings[TERMS] = {
    [TERM_ALL_IN] = "everything the chip used, divided by its synops",
    [TERM_SYNOP] = "adding weights; dense chips: multiplying and adding them",
    [TERM_MEMORY] = "fetching weights, in blocks",
    [TERM_NEURON] = "accessing and updating neurons",
    [TERM_SPIKE] = "firing",
    [TERM_MESSAGE] = "sending and receiving messages",
    [TERM_HOP] = "carrying messages over the mesh",
    [TERM_LINK] = "carrying messages from chip to chip",
    [TERM_CONTROL] = "detecting, queueing and decoding events",
    [TERM_STATIC] = "power at rest, for as long as it takes",
};

enum { NO_SLOT = UINT32_MAX };

/* How the weights of one memory lie in its blocks. */
struct fetching {
    uint32_t width;  /* by target: channels in a block */
    double bits;     /* of a block */
    double reads;    /* blocks that one weight takes, where it is wider than a block */
    uint32_t slot;   /* of the width in `blocks`; NO_SLOT: the tally has it */
};

/* What is needed while the rows are made. */
struct making {
    struct estimate *estimate;
    const struct load *load;
    const struct chip *chip;
    double *elements;        /* [population_count] */
    struct traffic *traffic; /* [population_count] */
    struct fetching fetching[CHIP_MEMORIES];
    struct blocks *blocks; /* or NULL: the tally is enough */
};

double estimate_passes(const struct load *load, uint32_t population)
{
    const struct load_population *of = &load->populations[population];
    if (of->clocked)
        return load->sampled ? load_inferences(load) : (double)load->ticks;
    return of->spiking ? (double)of->tally.vectors : load_inferences(load);
}

/* ---- synops ---- */

/* Σ over neurons of count x fan-out; evenly where either is not kept for each neuron. */
static double reached(const struct load *load, const struct load_projection *projection,
                      const uint64_t *count, uint64_t total)
{
    uint32_t neurons = load->populations[projection->source].neurons;
    double sum = 0, fan_out = 0;
    if (projection->fan_out == NULL)
        return neurons > 0 ? (double)total * (double)projection->synapses / neurons : 0;
    for (uint32_t n = 0; n < neurons; n++) {
        fan_out += projection->fan_out[n];
        if (count != NULL)
            sum += (double)count[n] * projection->fan_out[n];
    }
    return count != NULL ? sum : neurons > 0 ? (double)total * fan_out / neurons : 0;
}

static double synops_of(const struct making *making, const struct load_projection *projection)
{
    const struct load_population *source = &making->load->populations[projection->source];
    double synops = (double)projection->synops;
    if (source->clocked == making->chip->graded || source->active_total == source->spikes_total)
        return synops;
    double firings = reached(making->load, projection, source->active, source->active_total);
    double spikes = reached(making->load, projection, source->spikes, source->spikes_total);
    if (firings == 0 || spikes == 0) { /* what a spike reaches is not the same at all times */
        firings = (double)source->active_total;
        spikes = (double)source->spikes_total;
    }
    double counted = source->clocked ? firings : spikes;
    double wanted = source->clocked ? spikes : firings;
    return synops == counted ? wanted : counted > 0 ? synops * (wanted / counted) : 0;
}

/* Whether a population's spikes are graded ones on this chip. */
static bool sends_graded(const struct chip *chip, const struct load_population *population)
{
    return chip->graded && (population->coding != NULL ||
                            population->active_total != population->spikes_total);
}

/* ---- memory ---- */

static double across(double count, double width)
{
    return ceil(count / width);
}

static double active_blocks(const struct making *making, uint32_t population, uint32_t memory,
                            enum block_order order)
{
    const struct fetching *fetching = &making->fetching[memory];
    const struct load_population *of = &making->load->populations[population];
    if (fetching->slot != NO_SLOT)
        return (double)blocks_in_run(making->blocks, population, fetching->slot, order);
    return (double)(fetching->width == TALLY_DRAM_BLOCK   ? of->tally.dram_blocks
                    : fetching->width == TALLY_SRAM_BLOCK ? of->tally.sram_blocks
                                                          : of->active_total);
}

static double reads_by_target(const struct making *making, uint32_t memory,
                              const struct load_projection *projection, enum block_order order)
{
    const struct fetching *fetching = &making->fetching[memory];
    uint32_t neurons = making->load->populations[projection->source].neurons;
    double targets = neurons > 0 ? (double)projection->weight_count / neurons : 0;
    double blocks = making->chip->dense
                        ? across(neurons, fetching->width) *
                              estimate_passes(making->load, projection->source)
                        : active_blocks(making, projection->source, memory, order);
    return targets * blocks * fetching->reads;
}

static double reads_by_source(const struct making *making, uint32_t memory,
                              const struct load_projection *projection)
{
    const struct load_population *source = &making->load->populations[projection->source];
    double bits = making->chip->weight_bits, block = making->fetching[memory].bits, reads = 0;
    if (source->neurons == 0)
        return 0;
    if (making->chip->dense)
        return source->neurons * estimate_passes(making->load, projection->source) *
               across((double)projection->weight_count / source->neurons * bits, block);
    if (projection->fan_out == NULL)
        return (double)source->active_total *
               across((double)projection->synapses / source->neurons * bits, block);
    for (uint32_t n = 0; n < source->neurons; n++) {
        double active = source->active != NULL ? (double)source->active[n]
                                               : (double)source->active_total / source->neurons;
        reads += active * across(projection->fan_out[n] * bits, block);
    }
    return reads;
}

static double reads_of(const struct making *making, uint32_t memory,
                       const struct load_projection *projection, enum block_order order)
{
    if (!projection->weighted)
        return 0;
    return making->chip->memory[memory].layout == LAYOUT_BY_TARGET
               ? reads_by_target(making, memory, projection, order)
               : reads_by_source(making, memory, projection);
}

static bool lay_out(struct making *making, uint32_t memory, struct error *error)
{
    const struct chip *chip = making->chip;
    const struct chip_memory *of = &chip->memory[memory];
    double block = 8.0 * of->block_bytes;
    if (chip->weight_bits == 0 || of->block_bytes == 0)
        return error_set(error, ERROR_MISUSED,
                         "%s: memory %s cannot be charged without %s", chip->name, of->name,
                         of->block_bytes == 0 ? "its block_bytes" : "the chip's weight_bits");
    double width = floor(block / chip->weight_bits);
    making->fetching[memory] = (struct fetching){
        .width = width < 1 ? 1 : width < UINT32_MAX ? (uint32_t)width : UINT32_MAX,
        .bits = block,
        .reads = width < 1 ? across(chip->weight_bits, block) : 1,
        .slot = NO_SLOT,
    };
    return true;
}

static bool refuse_width(const struct making *making, uint32_t memory, struct error *error)
{
    const char *path = making->load->path != NULL ? making->load->path : "the run";
    if (making->estimate->options.by_activity)
        return error_set(error, ERROR_MISUSED,
                         "%s does not hold every spike of its run, which ordering channels by "
                         "activity needs; run the model again with --trace-level spike",
                         path);
    return error_set(error, ERROR_MISUSED,
                     "memory %s of chip %s brings %u weights of %u bits at once, and %s only says "
                     "how often blocks of %d and %d had a spike in them; run the model again with "
                     "--trace-level spike",
                     making->chip->memory[memory].name, making->chip->name,
                     making->fetching[memory].width, making->chip->weight_bits, path,
                     TALLY_SRAM_BLOCK, TALLY_DRAM_BLOCK);
}

/* Whether spikes have to be looked at to know what is fetched. */
static bool needs_spikes(const struct making *making, uint32_t memory)
{
    uint32_t width = making->fetching[memory].width;
    return !making->chip->dense && making->chip->memory[memory].layout == LAYOUT_BY_TARGET &&
           width != 1 && (making->estimate->options.by_activity ||
                          (width != TALLY_SRAM_BLOCK && width != TALLY_DRAM_BLOCK));
}

static bool lay_out_all(struct making *making, struct error *error)
{
    uint32_t widths[CHIP_MEMORIES], count = 0;
    for (uint32_t m = 0; m < making->chip->memory_count; m++) {
        if (!lay_out(making, m, error))
            return false;
        if (!needs_spikes(making, m))
            continue;
        if (!making->load->has_spikes)
            return refuse_width(making, m, error);
        uint32_t slot = 0;
        while (slot < count && widths[slot] != making->fetching[m].width)
            slot++;
        widths[slot] = making->fetching[m].width;
        count += slot == count;
        making->fetching[m].slot = slot;
    }
    if (count > 0)
        making->blocks = blocks_count(making->load, widths, count,
                                      making->estimate->options.by_activity, error);
    return count == 0 || making->blocks != NULL;
}

/* ---- joules ---- */

static void charge(struct estimate *estimate, struct estimate_row *row, enum energy_term term,
                   uint32_t number, double events)
{
    const struct coefficient *coefficient = estimate_coefficient(estimate->chip, number);
    estimate->events[number] += events;
    if (coefficient->given)
        row->joules[term] += events * coefficient->value;
}

/* The figure that a synop is charged by: that of its kind, or the one for any. */
static uint32_t synop_figure(const struct chip *chip, int kind, bool graded)
{
    static const uint32_t figures[] = {
        [SYNAPSES_DENSE] = CHIP_SYNOP_DENSE,
        [SYNAPSES_SPARSE] = CHIP_SYNOP_SPARSE,
        [SYNAPSES_CONVOLUTION] = CHIP_SYNOP_CONVOLUTION,
    };
    if (graded && chip->figure[CHIP_SYNOP_GRADED].given)
        return CHIP_SYNOP_GRADED;
    return chip->figure[figures[kind]].given || !chip->figure[CHIP_SYNOP].given ? figures[kind]
                                                                                : CHIP_SYNOP;
}

static void charge_traffic(struct estimate *estimate, struct estimate_row *row)
{
    const struct traffic *traffic = &row->events.traffic;
    charge(estimate, row, TERM_MESSAGE, CHIP_MESSAGE_OUT, traffic->messages);
    charge(estimate, row, TERM_MESSAGE, CHIP_MESSAGE_IN, traffic->messages);
    charge(estimate, row, TERM_HOP, CHIP_HOP_LOCAL, traffic->hops_local);
    charge(estimate, row, TERM_HOP, CHIP_HOP_EAST, traffic->hops_east);
    charge(estimate, row, TERM_HOP, CHIP_HOP_WEST, traffic->hops_west);
    charge(estimate, row, TERM_HOP, CHIP_HOP_NORTH, traffic->hops_north);
    charge(estimate, row, TERM_HOP, CHIP_HOP_SOUTH, traffic->hops_south);
    charge(estimate, row, TERM_LINK, CHIP_LINK_BIT, row->events.link_bits);
}

static void charge_row(struct estimate *estimate, struct estimate_row *row)
{
    const struct estimate_events *events = &row->events;
    enum energy_term adding = chip_is_all_in(estimate->chip) ? TERM_ALL_IN : TERM_SYNOP;
    double synops = 0;
    for (int kind = 0; kind < 3; kind++) {
        uint32_t figure = synop_figure(estimate->chip, kind, events->graded_synops > 0);
        charge(estimate, row, adding, figure, events->synops[kind]);
        synops += events->synops[kind];
    }
    charge(estimate, row, adding, CHIP_MAC, events->macs);
    for (uint32_t m = 0; m < estimate->chip->memory_count; m++)
        charge(estimate, row, TERM_MEMORY, CHIP_FIGURES + m, events->reads[m]);
    charge(estimate, row, TERM_NEURON, CHIP_NEURON_ACCESS, events->accesses);
    charge(estimate, row, TERM_NEURON, CHIP_NEURON_UPDATE, events->updates);
    charge(estimate, row, TERM_SPIKE, CHIP_SPIKE, events->spikes);
    charge_traffic(estimate, row);
    charge(estimate, row, TERM_CONTROL, CHIP_CONTROL_SPIKE, events->spikes);
    charge(estimate, row, TERM_CONTROL, CHIP_CONTROL_SYNOP, synops);
}

/* Of the chip itself: adds a row where it gives power at rest and the time is known. */
static void charge_static(struct estimate *estimate)
{
    const struct chip *chip = estimate->chip;
    if (!estimate->latency.known)
        return;
    double seconds = estimate->latency.seconds;
    const struct placement *placement = estimate->placement;
    estimate->events[CHIP_POWER_PLATFORM] = placement->chips * seconds;
    if (chip->figure[CHIP_POWER_PLATFORM].given)
        estimate->platform =
            estimate->events[CHIP_POWER_PLATFORM] * chip->figure[CHIP_POWER_PLATFORM].value;
    if (!chip->figure[CHIP_POWER_CORE].given && !chip->figure[CHIP_POWER_CHIP].given &&
        !chip->figure[CHIP_POWER_BYTE].given)
        return;
    double bytes = 0;
    for (uint32_t i = 0; i < placement->core_count; i++)
        bytes += (double)placement->cores[i].synapse_bytes;
    struct estimate_row *row = &estimate->rows[estimate->row_count++];
    row->population = UINT32_MAX;
    charge(estimate, row, TERM_STATIC, CHIP_POWER_CORE, placement->core_count * seconds);
    charge(estimate, row, TERM_STATIC, CHIP_POWER_CHIP, placement->chips * seconds);
    charge(estimate, row, TERM_STATIC, CHIP_POWER_BYTE, bytes * seconds);
}

static void add_up(struct estimate *estimate)
{
    for (int term = 0; term < TERMS; term++) {
        for (uint32_t r = 0; r < estimate->row_count; r++)
            estimate->joules[term] += estimate->rows[r].joules[term];
        estimate->total += estimate->joules[term];
    }
}

/* ---- events ---- */

static void count_neurons(const struct making *making, uint32_t id, struct estimate_events *events)
{
    const struct load *load = making->load;
    const struct load_population *population = &load->populations[id];
    if (population->input)
        return;
    if (making->chip->dense) {
        events->accesses = events->updates = making->elements[id] * estimate_passes(load, id);
        return;
    }
    events->spikes = (double)(making->chip->graded ? population->active_total
                                                   : population->spikes_total);
    events->accesses = making->elements[id] * (double)load->ticks;
    if (!population->clocked) { /* it is updated when its inputs are complete */
        events->updates = making->elements[id] * estimate_passes(load, id);
        return;
    }
    events->updates_bounded = population->updates == NULL;
    if (population->updates == NULL)
        events->updates = (double)population->neurons * (double)load->ticks;
    for (uint32_t n = 0; population->updates != NULL && n < population->neurons; n++)
        events->updates += (double)population->updates[n];
}

static void count_traffic(const struct making *making, uint32_t id, struct estimate_events *events)
{
    const struct chip *chip = making->chip;
    double bits = chip->message_bits;
    if (sends_graded(chip, &making->load->populations[id]))
        bits += chip->payload_bits;
    events->traffic = making->traffic[id];
    events->link_bits = making->traffic[id].links * bits;
}

static void count_projection(const struct making *making, const struct load_projection *projection,
                             struct estimate_events *events)
{
    const struct chip *chip = making->chip;
    enum block_order order =
        making->estimate->options.by_activity ? ORDER_HELD_OUT : ORDER_NATURAL;
    for (uint32_t m = 0; m < chip->memory_count; m++)
        events->reads[m] += reads_of(making, m, projection, order);
    if (chip->dense) {
        events->macs += (double)projection->weight_count *
                        estimate_passes(making->load, projection->source);
        return;
    }
    double synops = synops_of(making, projection);
    events->synops[projection->kind] += synops;
    if (sends_graded(chip, &making->load->populations[projection->source]))
        events->graded_synops += synops;
}

/* What fetching would cost in each order of channels. */
static void compare_orders(const struct making *making)
{
    struct estimate *estimate = making->estimate;
    for (int order = 0; order < BLOCK_ORDERS; order++)
        for (uint32_t p = 0; p < making->load->projection_count; p++)
            for (uint32_t m = 0; m < making->chip->memory_count; m++)
                if (making->load->projections[p].spikes && making->chip->memory[m].read.given)
                    estimate->memory_joules[order] +=
                        making->chip->memory[m].read.value *
                        reads_of(making, m, &making->load->projections[p], (enum block_order)order);
}

/* Rows of all populations that have a place, and room for that of the chip. */
static bool make_rows(struct making *making, struct error *error)
{
    const struct load *load = making->load;
    struct estimate *estimate = making->estimate;
    estimate->rows = calloc((size_t)load->population_count + 1, sizeof *estimate->rows);
    uint32_t *row_of = malloc(((size_t)load->population_count + 1) * sizeof *row_of);
    if (estimate->rows == NULL || row_of == NULL) {
        free(row_of);
        return error_no_memory(error, "an estimate");
    }
    for (uint32_t i = 0; i < load->population_count; i++) {
        row_of[i] = UINT32_MAX;
        if (!load->populations[i].placed)
            continue;
        row_of[i] = estimate->row_count++;
        struct estimate_row *row = &estimate->rows[row_of[i]];
        row->population = i;
        count_neurons(making, i, &row->events);
        if (!making->chip->dense)
            count_traffic(making, i, &row->events);
    }
    for (uint32_t p = 0; p < load->projection_count; p++) {
        uint32_t row = row_of[load->projections[p].source];
        if (load->projections[p].spikes && row != UINT32_MAX)
            count_projection(making, &load->projections[p], &estimate->rows[row].events);
    }
    for (uint32_t r = 0; r < estimate->row_count; r++)
        charge_row(estimate, &estimate->rows[r]);
    if (estimate->options.by_activity)
        compare_orders(making);
    free(row_of);
    return true;
}

/* ---- cores ---- */

bool estimate_needs_cores(const struct chip *chip)
{
    static const uint32_t figures[] = {
        CHIP_MESSAGE_OUT, CHIP_MESSAGE_IN, CHIP_HOP_LOCAL,  CHIP_HOP_EAST,   CHIP_HOP_WEST,
        CHIP_HOP_NORTH,   CHIP_HOP_SOUTH,  CHIP_LINK_BIT,   CHIP_POWER_CORE, CHIP_POWER_CHIP,
        CHIP_POWER_BYTE,  CHIP_POWER_PLATFORM,
    };
    const struct chip_limits *limits = &chip->limits;
    bool needed = chip_cores(chip) > 1 || chip->sync_count > 0 || limits->neurons > 0 ||
                  limits->synapses > 0 || limits->synapse_bytes > 0 || limits->fan_in > 0 ||
                  limits->fan_out > 0 || limits->neuron_fan_in > 0;
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++)
        needed |= chip->figure[figures[i]].given;
    for (uint32_t i = 0; i < CHIP_FIGURES; i++)
        needed |= chip_figures[i].group == CHIP_TIME && chip->figure[i].given;
    return needed;
}

bool estimate_has_reach(const struct load *load)
{
    bool known = load->path != NULL;
    for (uint32_t p = 0; !known && p < load->projection_count; p++) {
        const struct load_projection *projection = &load->projections[p];
        if (projection->spikes && projection->reach == NULL && !projection->one_to_one &&
            projection->kind != SYNAPSES_DENSE)
            return false;
    }
    return true;
}

static bool place(struct making *making, struct error *error)
{
    struct estimate *estimate = making->estimate;
    const struct estimate_options *options = &estimate->options;
    const struct load *load = making->load;
    const struct chip *chip = making->chip;
    if (options->unplaced || load->compartment_count == 0 || !estimate_needs_cores(chip) ||
        !estimate_has_reach(load))
        return true;
    struct error short_of = {0};
    estimate->placement =
        placement_new(load, chip, options->method, false, options->seed, &short_of);
    if (estimate->placement == NULL && options->beyond_limits)
        estimate->placement =
            placement_new(load, chip, options->method, true, options->seed, error);
    else if (estimate->placement == NULL)
        error_set(error, short_of.code, "%s", short_of.text);
    if (estimate->placement == NULL)
        return false;
    estimate->placed = true;
    estimate->routes = routes_new(load, estimate->placement, error);
    if (estimate->routes == NULL)
        return false;
    routes_traffic(load, chip, estimate->placement, estimate->routes, making->traffic, NULL);
    return latency_per_tick(load, chip, estimate->placement, estimate->routes, &estimate->latency,
                            error) &&
           (!options->queue || latency_queue(load, chip, estimate->placement, estimate->routes,
                                             &estimate->queue, error));
}

/* ---- the whole ---- */

static bool make(struct making *making, struct error *error)
{
    const struct load *load = making->load;
    making->elements = calloc((size_t)load->population_count + 1, sizeof *making->elements);
    making->traffic = calloc((size_t)load->population_count + 1, sizeof *making->traffic);
    if (making->elements == NULL || making->traffic == NULL)
        return error_no_memory(error, "an estimate");
    for (uint32_t c = 0; c < load->compartment_count; c++)
        making->elements[load->compartments[c].population] += load->compartments[c].width;
    if (!place(making, error) || !lay_out_all(making, error) || !make_rows(making, error))
        return false;
    charge_static(making->estimate);
    add_up(making->estimate);
    return estimate_interval(making->estimate, error) && estimate_missing(making->estimate, error);
}

struct estimate *estimate_new(const struct load *load, const struct chip *chip,
                              const struct estimate_options *options, struct error *error)
{
    struct estimate *estimate = calloc(1, sizeof *estimate);
    if (estimate == NULL) {
        error_no_memory(error, "an estimate");
        return NULL;
    }
    estimate->load = load;
    estimate->chip = chip;
    estimate->options = *options;
    estimate->passes = load->sampled ? load_inferences(load) : (double)load->ticks;
    struct making making = {.estimate = estimate, .load = load, .chip = chip};
    bool made = make(&making, error);
    free(making.elements);
    free(making.traffic);
    blocks_free(making.blocks);
    if (!made) {
        estimate_free(estimate);
        return NULL;
    }
    return estimate;
}

void estimate_free(struct estimate *estimate)
{
    if (estimate == NULL)
        return;
    placement_free(estimate->placement);
    routes_free(estimate->routes);
    latency_free(&estimate->latency);
    latency_free(&estimate->queue);
    for (uint32_t i = 0; i < estimate->missing_count; i++)
        free(estimate->missing[i]);
    free(estimate->missing);
    free(estimate->rows);
    free(estimate);
}

double estimate_cell(const struct estimate *estimate, uint32_t row, enum energy_term term)
{
    double sum = 0;
    for (int t = 0; t < TERMS; t++)
        if (term == TERMS || t == (int)term)
            sum += estimate->rows[row].joules[t];
    return sum / load_inferences(estimate->load);
}
