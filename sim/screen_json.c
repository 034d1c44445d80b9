/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The figures of a run as one JSON object, for scripts. */
#include "sim/screen.h"

#include "sim/figures_json.h"

static void add_tally(json_t *object, const struct population_tally *tally, bool *failed)
{
    struct sparsity s = sparsity_of(tally);
    figures_set(object, "vectors", json_integer((json_int_t)tally->vectors), failed);
    figures_set(object, "silent_fraction", figures_number(s.silent_fraction), failed);
    figures_set(object, "mean_spikes", figures_number(s.mean_spikes), failed);
    figures_set(object, "slot_sparsity_3", figures_number(s.slot_sparsity_3), failed);
    figures_set(object, "slot_sparsity", figures_number(s.slot_sparsity), failed);
    figures_set(object, "report_sparsity", figures_number(s.report_sparsity), failed);
    figures_set(object, "spikes", json_integer((json_int_t)tally->spikes), failed);
    figures_set(object, "synops", json_integer((json_int_t)tally->synops), failed);
}

static json_t *populations(const struct report *report, struct population_tally *total,
                           bool *failed)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < report->row_count; i++) {
        const struct report_row *row = &report->rows[i];
        json_t *item = json_object();
        figures_set(item, "layer", row->layer >= 0 ? json_integer(row->layer) : json_null(),
                    failed);
        figures_set(item, "population", figures_text(row->name), failed);
        figures_set(item, "neurons", json_integer(row->neurons), failed);
        add_tally(item, &row->tally, failed);
        population_tally_add(total, &row->tally);
        if (json_array_append_new(list, item) != 0)
            *failed = true;
    }
    return list;
}

static void add_outcome(json_t *root, const struct run_outcome *outcome, bool *failed)
{
    if (outcome->text != NULL)
        figures_set(root, "text", figures_text(outcome->text), failed);
    figures_set(root, "end", figures_text(outcome->end), failed);
    figures_set(root, "prompt_tokens", json_integer((json_int_t)outcome->prompt_tokens), failed);
    figures_set(root, "generated_tokens", json_integer((json_int_t)outcome->generated_tokens),
                failed);
    figures_set(root, "prompt_seconds", figures_number(outcome->prompt_seconds), failed);
    figures_set(root, "generate_seconds", figures_number(outcome->generate_seconds), failed);
    figures_set(root, "memory_bytes", json_integer((json_int_t)outcome->memory_bytes), failed);
    if (!outcome->scored)
        return;
    figures_set(root, "scored_tokens", json_integer((json_int_t)outcome->scored_tokens), failed);
    figures_set(root, "scored_characters", json_integer((json_int_t)outcome->scored_characters),
                failed);
    figures_set(root, "bits", figures_number(outcome->bits), failed);
    figures_set(root, "bits_per_token",
                figures_number(outcome->bits / (double)outcome->scored_tokens), failed);
    figures_set(root, "bits_per_character",
                figures_number(outcome->bits / (double)outcome->scored_characters), failed);
}

bool screen_print_json(FILE *out, const struct report *report, const struct references *references,
                       const struct run_outcome *outcome, struct error *error)
{
    bool failed = false;
    struct population_tally total = {0};
    json_t *root = json_object();
    figures_set(root, "model", figures_text(report->model), &failed);
    figures_set(root, "status", figures_text(report->status), &failed);
    figures_set(root, "coding", figures_text(report->coding), &failed);
    figures_set(root, "k", report->coding != NULL ? figures_number(report->k) : json_null(),
                &failed);
    figures_set(root, "down_proj", figures_text(report->down_proj), &failed);
    figures_set(root, "window", json_integer(report->window), &failed);
    figures_set(root, "tokens", json_integer((json_int_t)report->positions), &failed);
    figures_set(root, "virtual_ticks", json_integer((json_int_t)report->ticks), &failed);
    figures_set(root, "wall_seconds", figures_number(report->wall_seconds), &failed);
    if (outcome != NULL)
        add_outcome(root, outcome, &failed);
    figures_set(root, "populations", populations(report, &total, &failed), &failed);
    json_t *all = json_object();
    add_tally(all, &total, &failed);
    figures_set(root, "total", all, &failed);
    figures_set(root, "energy", screen_references_json(references, &failed), &failed);
    return figures_print(out, root, failed, error);
}
