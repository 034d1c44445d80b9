/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The figures of a run as one JSON object, for scripts. */
#include "sim/screen.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

#include "traces/energy.h"

/* Sets a member; a NULL value (short memory) makes the object incomplete, which is found at
 * the end because *failed is set. */
static void set(json_t *object, const char *key, json_t *value, bool *failed)
{
    if (value == NULL || json_object_set_new(object, key, value) != 0)
        *failed = true;
}

static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *text_or_null(const char *text)
{
    json_t *value = text != NULL ? json_string(text) : NULL;
    return value != NULL ? value : json_null(); /* also for what is not valid UTF-8 */
}

static void add_tally(json_t *object, const struct population_tally *tally, bool *failed)
{
    struct sparsity s = sparsity_of(tally);
    set(object, "vectors", json_integer((json_int_t)tally->vectors), failed);
    set(object, "silent_fraction", number(s.silent_fraction), failed);
    set(object, "mean_spikes", number(s.mean_spikes), failed);
    set(object, "slot_sparsity_3", number(s.slot_sparsity_3), failed);
    set(object, "slot_sparsity", number(s.slot_sparsity), failed);
    set(object, "report_sparsity", number(s.report_sparsity), failed);
    set(object, "spikes", json_integer((json_int_t)tally->spikes), failed);
    set(object, "synops", json_integer((json_int_t)tally->synops), failed);
}

static json_t *populations(const struct report *report, struct population_tally *total,
                           bool *failed)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < report->row_count; i++) {
        const struct report_row *row = &report->rows[i];
        json_t *item = json_object();
        set(item, "layer", row->layer >= 0 ? json_integer(row->layer) : json_null(), failed);
        set(item, "population", text_or_null(row->name), failed);
        set(item, "neurons", json_integer(row->neurons), failed);
        add_tally(item, &row->tally, failed);
        population_tally_add(total, &row->tally);
        if (json_array_append_new(list, item) != 0)
            *failed = true;
    }
    return list;
}

static json_t *energy_lines(const struct report *report, bool *failed)
{
    struct energy energy = energy_of(report);
    json_t *object = json_object(), *list = json_array();
    set(object, "technology", json_string("45 nm"), failed);
    set(object, "weights_in_scope", number(energy.macs), failed);
    set(object, "mean_spikes_per_mac", number(energy.spikes_per_mac), failed);
    for (size_t i = 0; i < ENERGY_LINES && energy.macs > 0; i++) {
        const struct energy_line *line = &energy.lines[i];
        json_t *item = json_object();
        set(item, "name", json_string(line->key), failed);
        set(item, "picojoules_per_token", number(line->picojoules), failed);
        set(item, "part_of_fp16", number(line->per_fp16), failed);
        set(item, "part_of_int8", number(line->per_int8), failed);
        set(item, "includes", json_string(line->includes), failed);
        if (json_array_append_new(list, item) != 0)
            *failed = true;
    }
    set(object, "lines", list, failed);
    return object;
}

static void add_outcome(json_t *root, const struct run_outcome *outcome, bool *failed)
{
    if (outcome->text != NULL)
        set(root, "text", text_or_null(outcome->text), failed);
    set(root, "end", text_or_null(outcome->end), failed);
    set(root, "prompt_tokens", json_integer((json_int_t)outcome->prompt_tokens), failed);
    set(root, "generated_tokens", json_integer((json_int_t)outcome->generated_tokens), failed);
    set(root, "prompt_seconds", number(outcome->prompt_seconds), failed);
    set(root, "generate_seconds", number(outcome->generate_seconds), failed);
    set(root, "memory_bytes", json_integer((json_int_t)outcome->memory_bytes), failed);
    if (!outcome->scored)
        return;
    set(root, "scored_tokens", json_integer((json_int_t)outcome->scored_tokens), failed);
    set(root, "scored_characters", json_integer((json_int_t)outcome->scored_characters), failed);
    set(root, "bits", number(outcome->bits), failed);
    set(root, "bits_per_token", number(outcome->bits / (double)outcome->scored_tokens), failed);
    set(root, "bits_per_character", number(outcome->bits / (double)outcome->scored_characters),
        failed);
}

bool screen_print_json(FILE *out, const struct report *report, const struct run_outcome *outcome,
                       struct error *error)
{
    bool failed = false;
    struct population_tally total = {0};
    json_t *root = json_object();
    set(root, "model", text_or_null(report->model), &failed);
    set(root, "status", text_or_null(report->status), &failed);
    set(root, "coding", text_or_null(report->coding), &failed);
    set(root, "k", report->coding != NULL ? number(report->k) : json_null(), &failed);
    set(root, "down_proj", text_or_null(report->down_proj), &failed);
    set(root, "window", json_integer(report->window), &failed);
    set(root, "tokens", json_integer((json_int_t)report->positions), &failed);
    set(root, "virtual_ticks", json_integer((json_int_t)report->ticks), &failed);
    set(root, "wall_seconds", number(report->wall_seconds), &failed);
    if (outcome != NULL)
        add_outcome(root, outcome, &failed);
    set(root, "populations", populations(report, &total, &failed), &failed);
    json_t *all = json_object();
    add_tally(all, &total, &failed);
    set(root, "total", all, &failed);
    set(root, "energy", energy_lines(report, &failed), &failed);
    if (!failed)
        failed = json_dumpf(root, out, JSON_INDENT(2) | JSON_REAL_PRECISION(12)) != 0 ||
                 fputc('\n', out) == EOF;
    json_decref(root);
    return !failed || error_set(error, ERROR_FAILED, "the figures cannot be written as JSON");
}
