/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/energy/json.h"

#include <math.h>

#include "sim/figures_json.h"

/* A list of texts, or of objects that are made one by one. */
static void append(json_t *list, json_t *value, bool *failed)
{
    if (json_array_append_new(list, value) != 0)
        *failed = true;
}

static void set_number(json_t *object, const char *key, double value, bool *failed)
{
    figures_set(object, key, figures_number(value), failed);
}

static void set_text(json_t *object, const char *key, const char *text, bool *failed)
{
    figures_set(object, key, figures_text(text), failed);
}

static void set_count(json_t *object, const char *key, uint64_t value, bool *failed)
{
    figures_set(object, key,
                json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value), failed);
}

static void set_flag(json_t *object, const char *key, bool value, bool *failed)
{
    figures_set(object, key, json_boolean(value), failed);
}

/* ---- populations ---- */

static json_t *traffic_object(const struct traffic *traffic, double inferences, bool *failed)
{
    json_t *object = json_object();
    set_number(object, "messages", traffic->messages / inferences, failed);
    set_number(object, "hops", traffic_hops(traffic) / inferences, failed);
    set_number(object, "hops_east", traffic->hops_east / inferences, failed);
    set_number(object, "hops_west", traffic->hops_west / inferences, failed);
    set_number(object, "hops_north", traffic->hops_north / inferences, failed);
    set_number(object, "hops_south", traffic->hops_south / inferences, failed);
    set_number(object, "hops_local", traffic->hops_local / inferences, failed);
    set_number(object, "links", traffic->links / inferences, failed);
    set_count(object, "most_hops", traffic->most_hops, failed);
    return object;
}

static json_t *events_object(const struct chip *chip, const struct estimate_events *events,
                             double inferences, bool *failed)
{
    static const char *const kinds[] = {"synops_dense", "synops_sparse", "synops_convolution"};
    json_t *object = json_object(), *reads = json_object();
    for (int kind = 0; kind < 3; kind++)
        set_number(object, kinds[kind], events->synops[kind] / inferences, failed);
    set_number(object, "graded_synops", events->graded_synops / inferences, failed);
    set_number(object, "macs", events->macs / inferences, failed);
    set_number(object, "accesses", events->accesses / inferences, failed);
    set_number(object, "updates", events->updates / inferences, failed);
    set_flag(object, "updates_bounded", events->updates_bounded, failed);
    set_number(object, "spikes", events->spikes / inferences, failed);
    set_number(object, "link_bits", events->link_bits / inferences, failed);
    for (uint32_t m = 0; m < chip->memory_count; m++)
        set_number(reads, chip->memory[m].name, events->reads[m] / inferences, failed);
    figures_set(object, "memory_reads", reads, failed);
    figures_set(object, "traffic", traffic_object(&events->traffic, inferences, failed), failed);
    return object;
}

/* Joules of a row of the estimate or, with UINT32_MAX, of all. */
static json_t *terms_object(const struct estimate *estimate, uint32_t row, bool *failed)
{
    json_t *object = json_object();
    for (int term = 0; term < TERMS; term++)
        set_number(object, energy_term_names[term],
                   row != UINT32_MAX
                       ? estimate_cell(estimate, row, (enum energy_term)term)
                       : estimate->joules[term] / load_inferences(estimate->load),
                   failed);
    return object;
}

static json_t *population_object(const struct estimate *estimate, uint32_t row, bool *failed)
{
    const struct estimate_row *of = &estimate->rows[row];
    json_t *object = json_object();
    if (of->population == UINT32_MAX) {
        figures_set(object, "population", json_null(), failed);
        figures_set(object, "layer", json_null(), failed);
    } else {
        const struct load_population *p = &estimate->load->populations[of->population];
        set_text(object, "population", p->name, failed);
        figures_set(object, "layer", p->layer >= 0 ? json_integer(p->layer) : json_null(), failed);
        set_count(object, "neurons", p->neurons, failed);
        figures_set(object, "events",
                    events_object(estimate->chip, &of->events, load_inferences(estimate->load),
                                  failed),
                    failed);
    }
    set_number(object, "joules", estimate_cell(estimate, row, TERMS), failed);
    figures_set(object, "terms", terms_object(estimate, row, failed), failed);
    return object;
}

/* ---- one chip ---- */

static json_t *placement_object(const struct estimate *estimate, bool *failed)
{
    const struct placement *placement = estimate->placement;
    if (placement == NULL)
        return json_null();
    struct chip_use uses[CHIP_USES];
    chip_uses(estimate, uses);
    json_t *object = json_object(), *used = json_object();
    struct traffic traffic = estimate_traffic(estimate);
    set_text(object, "method", placement_names[placement->method], failed);
    set_flag(object, "beyond_limits", placement->beyond_limits, failed);
    set_count(object, "cores", placement->core_count, failed);
    set_count(object, "tiles", placement->tiles, failed);
    set_count(object, "chips", placement->chips, failed);
    set_count(object, "cores_per_chip", chip_cores(estimate->chip), failed);
    for (size_t i = 0; i < CHIP_USES; i++) {
        json_t *use = json_object();
        set_number(use, "mean", uses[i].mean, failed);
        set_number(use, "largest", uses[i].largest, failed);
        figures_set(use, "limit",
                    uses[i].limit > 0 ? figures_number((double)uses[i].limit) : json_null(),
                    failed);
        figures_set(used, uses[i].key, use, failed);
    }
    figures_set(object, "per_core", used, failed);
    figures_set(object, "traffic",
                traffic_object(&traffic, load_inferences(estimate->load), failed), failed);
    set_number(object, "mean_hops",
               traffic.messages > 0 ? traffic_hops(&traffic) / traffic.messages : NAN, failed);
    set_number(object, "local_fraction",
               traffic.messages > 0 ? traffic.hops_local / traffic.messages : NAN, failed);
    return object;
}

static json_t *stages_list(const struct latency *latency, bool *failed)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < latency->stage_count; i++) {
        json_t *stage = json_object();
        figures_set(stage, "layer",
                    latency->stages[i].layer >= 0 ? json_integer(latency->stages[i].layer)
                                                  : json_null(),
                    failed);
        set_number(stage, "seconds", latency->stages[i].seconds, failed);
        append(list, stage, failed);
    }
    return list;
}

static json_t *latency_object(const struct estimate *estimate, const struct latency *latency,
                              bool queue, bool *failed)
{
    if (!latency->known)
        return json_null();
    json_t *object = json_object();
    set_number(object, "seconds", latency->per_inference, failed);
    set_number(object, "run_seconds", latency->seconds, failed);
    set_flag(object, "lower_bound", latency->lower_bound, failed);
    set_flag(object, "real_time", latency->real_time, failed);
    set_number(object, "slowest_tick_seconds", latency->slowest_tick, failed);
    set_number(object, "run_ticks", latency->ticks, failed);
    set_number(object, "run_synchronising_seconds", latency->synchronising, failed);
    if (estimate->placement != NULL && latency->busiest_core < estimate->placement->core_count) {
        const struct core *core = &estimate->placement->cores[latency->busiest_core];
        json_t *busiest = json_object();
        set_count(busiest, "chip", core->chip, failed);
        set_count(busiest, "core", core->place - core->chip * chip_cores(estimate->chip), failed);
        set_count(busiest, "x", core->x, failed);
        set_count(busiest, "y", core->y, failed);
        set_number(busiest, "fraction_of_ticks", latency->busiest_share, failed);
        figures_set(object, "busiest_core", busiest, failed);
    }
    if (latency->pipelined > 0) {
        set_number(object, "pipelined_seconds", latency->pipelined, failed);
        figures_set(object, "stages", stages_list(latency, failed), failed);
    }
    if (queue) {
        set_number(object, "run_messages", latency->messages, failed);
        set_number(object, "run_blocked_seconds", latency->blocked_seconds, failed);
        set_number(object, "longest_queue", latency->longest_queue, failed);
    }
    return object;
}

static json_t *coefficient_object(const struct coefficient *coefficient, const char *name,
                                  const char *unit, double events, bool *failed)
{
    json_t *object = json_object();
    set_text(object, "name", name, failed);
    set_number(object, "value", coefficient->value, failed);
    set_number(object, "low", coefficient->low, failed);
    set_number(object, "high", coefficient->high, failed);
    set_text(object, "unit", unit, failed);
    set_text(object, "scope", chip_scope_names[coefficient->scope], failed);
    set_text(object, "evidence", chip_evidence_names[coefficient->evidence], failed);
    set_text(object, "source", coefficient->source, failed);
    set_number(object, "run_events", events, failed);
    return object;
}

/* What was charged, and for how many events; times are not charged. */
static json_t *coefficients_list(const struct estimate *estimate, bool *failed)
{
    const struct chip *chip = estimate->chip;
    json_t *list = json_array();
    char name[256];
    for (int i = 0; i < CHIP_FIGURES; i++) {
        if (!chip->figure[i].given || chip_figures[i].group == CHIP_TIME)
            continue;
        bool power = chip_figures[i].group == CHIP_POWER;
        snprintf(name, sizeof name, "%s.%s", power ? "power" : "energy", chip_figures[i].key);
        append(list,
               coefficient_object(&chip->figure[i], name, power ? "W" : "J", estimate->events[i],
                                  failed),
               failed);
    }
    for (uint32_t m = 0; m < chip->memory_count; m++) {
        snprintf(name, sizeof name, "memory.%.200s.read", chip->memory[m].name);
        append(list,
               coefficient_object(&chip->memory[m].read, name, "J",
                                  estimate->events[CHIP_FIGURES + m], failed),
               failed);
    }
    return list;
}

static json_t *against_object(const struct comparison *comparison, const struct chip_cost *cost,
                              bool *failed)
{
    json_t *object = json_object();
    for (size_t b = 0; b < comparison->baseline_count; b++) {
        const struct chip_cost *other =
            cost->against[b] != SIZE_MAX ? &comparison->chips[cost->against[b]] : NULL;
        if (other == NULL || other->estimate == NULL || !(other->estimate->total > 0))
            continue;
        json_t *ratio = json_object();
        set_text(ratio, "chip", other->chip->name, failed);
        set_number(ratio, "ratio", cost->estimate->total / other->estimate->total, failed);
        figures_set(object, comparison->baselines[b], ratio, failed);
    }
    return object;
}

static void set_energy(json_t *object, const struct estimate *estimate, bool *failed)
{
    double inferences = load_inferences(estimate->load);
    const struct latency *latency = &estimate->latency;
    enum bound bound = energy_bound(estimate);
    bool timed = latency->known;
    set_number(object, "joules", estimate->total / inferences, failed);
    set_number(object, "joules_low", estimate->low / inferences, failed);
    set_number(object, "joules_high", estimate->high / inferences, failed);
    set_count(object, "ranged_coefficients", estimate->ranged, failed);
    set_text(object, "joules_bound", bound_names[bound], failed);
    set_number(object, "run_joules", estimate->total, failed);
    set_number(object, "seconds", timed ? latency->per_inference : NAN, failed);
    set_number(object, "run_seconds", timed ? latency->seconds : NAN, failed);
    set_number(object, "watts",
               timed && latency->seconds > 0 ? estimate->total / latency->seconds : NAN, failed);
    set_number(object, "joule_seconds",
               timed ? estimate->total / inferences * latency->per_inference : NAN, failed);
    set_number(object, "platform_joules", estimate->platform / inferences, failed);
    set_number(object, "dense_passes", estimate->passes / inferences, failed);
}

static void set_memory_orders(json_t *object, const struct estimate *estimate, bool *failed)
{
    double inferences = load_inferences(estimate->load);
    json_t *orders = json_object();
    if (!estimate->options.by_activity || !(estimate->memory_joules[ORDER_NATURAL] > 0)) {
        json_decref(orders);
        return;
    }
    set_number(orders, "natural", estimate->memory_joules[ORDER_NATURAL] / inferences, failed);
    set_number(orders, "by_activity", estimate->memory_joules[ORDER_HELD_OUT] / inferences,
               failed);
    set_number(orders, "in_sample", estimate->memory_joules[ORDER_IN_SAMPLE] / inferences, failed);
    figures_set(object, "memory_joules", orders, failed);
}

static json_t *chip_object(const struct comparison *comparison, size_t index, bool *failed)
{
    const struct chip_cost *cost = &comparison->chips[index];
    const struct estimate *estimate = cost->estimate;
    json_t *object = json_object();
    set_text(object, "chip", cost->chip->name, failed);
    set_text(object, "title", cost->chip->title, failed);
    set_text(object, "origin", cost->chip->origin, failed);
    set_text(object, "digest", cost->chip->digest, failed);
    set_flag(object, "baseline", index >= comparison->asked, failed);
    set_flag(object, "dense", cost->chip->dense, failed);
    set_text(object, "scope", chip_scope_text(cost->chip), failed);
    set_text(object, "evidence", chip_evidence_text(cost->chip), failed);
    set_text(object, "what_if", cost->changes, failed);
    set_flag(object, "fits", estimate != NULL, failed);
    if (estimate == NULL) {
        set_text(object, "does_not_fit", cost->failure.text, failed);
        return object;
    }
    json_t *populations = json_array(), *missing = json_array();
    for (uint32_t r = 0; r < estimate->row_count; r++)
        append(populations, population_object(estimate, r, failed), failed);
    for (uint32_t m = 0; m < estimate->missing_count; m++)
        append(missing, figures_text(estimate->missing[m]), failed);
    set_energy(object, estimate, failed);
    figures_set(object, "against", against_object(comparison, cost, failed), failed);
    figures_set(object, "terms", terms_object(estimate, UINT32_MAX, failed), failed);
    figures_set(object, "populations", populations, failed);
    figures_set(object, "placement", placement_object(estimate, failed), failed);
    figures_set(object, "latency", latency_object(estimate, &estimate->latency, false, failed),
                failed);
    if (estimate->options.queue)
        figures_set(object, "queue", latency_object(estimate, &estimate->queue, true, failed),
                    failed);
    set_memory_orders(object, estimate, failed);
    figures_set(object, "coefficients", coefficients_list(estimate, failed), failed);
    figures_set(object, "not_included", missing, failed);
    return object;
}

static json_t *options_object(const struct estimate_options *options, bool *failed)
{
    json_t *object = json_object();
    set_text(object, "placement", placement_names[options->method], failed);
    set_flag(object, "beyond_limits", options->beyond_limits, failed);
    set_text(object, "channel_order", options->by_activity ? "by-activity" : "natural", failed);
    set_flag(object, "queue", options->queue, failed);
    set_count(object, "samples", options->samples, failed);
    set_count(object, "seed", options->seed, failed);
    return object;
}

bool energy_json_print(FILE *out, const struct comparison *comparison,
                       const struct energy_tables *tables, struct error *error)
{
    bool failed = false;
    const struct load *load = comparison->load;
    json_t *root = json_object(), *chips = json_array();
    set_text(root, "trace", load->path, &failed);
    set_count(root, "run", (uint64_t)load->run, &failed);
    set_text(root, "model", load->model, &failed);
    set_text(root, "status", load->status, &failed);
    set_text(root, "unit", load_unit(load), &failed);
    set_number(root, "inferences", load_inferences(load), &failed);
    set_count(root, "ticks", load->ticks, &failed);
    set_number(root, "tick_seconds", load->tick_seconds, &failed);
    figures_set(root, "options", options_object(&comparison->options, &failed), &failed);
    for (size_t i = 0; i < comparison->count; i++)
        append(chips, chip_object(comparison, i, &failed), &failed);
    figures_set(root, "chips", chips, &failed);
    energy_tables_set(root, comparison, tables, &failed);
    return figures_print(out, root, failed, error);
}
