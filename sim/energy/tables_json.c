/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The tables that were asked for, as JSON. */
#include "sim/energy/json.h"

#include "sim/figures_json.h"

static void append(json_t *list, json_t *value, bool *failed)
{
    if (json_array_append_new(list, value) != 0)
        *failed = true;
}

static void set_number(json_t *object, const char *key, double value, bool *failed)
{
    figures_set(object, key, figures_number(value), failed);
}

/* ---- break-even ---- */

static json_t *rate_object(const struct break_even_rate *rate, bool *failed)
{
    json_t *object = json_object();
    set_number(object, "spikes_per_vector", rate->vector, failed);
    set_number(object, "spikes_per_inference", rate->inference, failed);
    set_number(object, "spikes_per_slot", rate->slot, failed);
    return object;
}

static json_t *even_object(const struct break_even_row *row, bool *failed)
{
    static const char *const verdicts[] = {"at", "never", "always", "unknown", "none"};
    json_t *object = json_object();
    figures_set(object, "verdict", json_string(verdicts[row->verdict]), failed);
    set_number(object, "spiking_joules", row->spiking, failed);
    set_number(object, "dense_joules", row->dense, failed);
    set_number(object, "fixed_joules", row->fixed, failed);
    figures_set(object, "measured", rate_object(&row->measured, failed), failed);
    figures_set(object, "rate", rate_object(&row->rate, failed), failed);
    set_number(object, "margin", row->margin, failed);
    set_number(object, "blocks_per_expected", row->blocks, failed);
    json_t *moving = json_object();
    figures_set(moving, "verdict", json_string(verdicts[row->moving.verdict]), failed);
    figures_set(moving, "rate", rate_object(&row->moving.rate, failed), failed);
    set_number(moving, "margin", row->moving.margin, failed);
    figures_set(object, "without_fixed", moving, failed);
    return object;
}

static json_t *break_even_object(const struct comparison *comparison, size_t chip, size_t column,
                                 const struct break_even *table, bool *failed)
{
    size_t against = comparison->chips[chip].against[column];
    json_t *object = json_object(), *rows = json_array();
    figures_set(object, "chip", figures_text(comparison->chips[chip].chip->name), failed);
    figures_set(object, "dense", figures_text(comparison->chips[against].chip->name), failed);
    figures_set(object, "total", even_object(&table->total, failed), failed);
    for (uint32_t r = 0; r < table->row_count; r++) {
        json_t *row = even_object(&table->rows[r], failed);
        const char *name = comparison->load->populations[table->rows[r].population].name;
        figures_set(row, "population", figures_text(name), failed);
        append(rows, row, failed);
    }
    figures_set(object, "populations", rows, failed);
    return object;
}

static json_t *break_even_list(const struct comparison *comparison,
                               const struct energy_tables *tables, bool *failed)
{
    json_t *list = json_array();
    for (size_t i = 0; i < tables->break_even_count; i++)
        if (tables->break_even[i] != NULL)
            append(list,
                   break_even_object(comparison, i / BASELINES, i % BASELINES,
                                     tables->break_even[i], failed),
                   failed);
    return list;
}

/* ---- waterfall ---- */

static json_t *dense_object(const struct waterfall_dense *dense, bool *failed)
{
    json_t *object = json_object();
    figures_set(object, "chip", figures_text(dense->chip), failed);
    set_number(object, "arithmetic_joules", dense->arithmetic, failed);
    set_number(object, "memory_joules", dense->memory, failed);
    return object;
}

static json_t *waterfall_object(const struct energy_tables *tables, bool *failed)
{
    const struct waterfall *waterfall = tables->waterfall;
    json_t *object = json_object(), *rows = json_array(), *missing = json_array();
    for (uint32_t r = 0; r < waterfall->row_count; r++) {
        const struct waterfall_row *from = &waterfall->rows[r];
        json_t *row = json_object();
        figures_set(row, "label", figures_text(from->label), failed);
        figures_set(row, "added", figures_text(from->added), failed);
        set_number(row, "joules", from->joules, failed);
        set_number(row, "step_joules", from->step, failed);
        figures_set(row, "fetches", json_boolean(from->fetches), failed);
        set_number(row, "beside_fp16", from->fp16, failed);
        set_number(row, "beside_int8", from->int8, failed);
        append(rows, row, failed);
    }
    for (uint32_t m = 0; m < waterfall->missing_count; m++)
        append(missing, figures_text(waterfall->missing[m]), failed);
    figures_set(object, "chip", figures_text(tables->waterfall_of->chip->name), failed);
    figures_set(object, "rows", rows, failed);
    figures_set(object, "fp16", dense_object(&waterfall->fp16, failed), failed);
    figures_set(object, "int8", dense_object(&waterfall->int8, failed), failed);
    figures_set(object, "not_included", missing, failed);
    return object;
}

/* ---- NeuroBench ---- */

static json_t *neurobench_object(const struct neurobench *bench, bool *failed)
{
    json_t *object = json_object();
    set_number(object, "activation_sparsity", bench->activation_sparsity, failed);
    set_number(object, "activation_sparsity_spread", bench->activation_sparsity_spread, failed);
    set_number(object, "connection_sparsity", bench->connection_sparsity, failed);
    set_number(object, "connection_sparsity_full", bench->connection_sparsity_full, failed);
    set_number(object, "footprint_bytes", bench->footprint, failed);
    set_number(object, "footprint_float32_bytes", bench->footprint_float32, failed);
    set_number(object, "dense", bench->dense, failed);
    set_number(object, "dense_full", bench->dense_full, failed);
    set_number(object, "effective_macs", bench->effective_macs, failed);
    set_number(object, "effective_acs", bench->effective_acs, failed);
    set_number(object, "spread_acs", bench->spread_acs, failed);
    set_number(object, "value_macs", bench->value_macs, failed);
    figures_set(object, "value_macs_bounded", json_boolean(bench->value_macs_bounded), failed);
    set_number(object, "neuron_updates", bench->neuron_updates, failed);
    set_number(object, "neuron_updates_dense", bench->neuron_updates_dense, failed);
    figures_set(object, "updates_bounded", json_boolean(bench->updates_bounded), failed);
    set_number(object, "other_synops", bench->other_synops, failed);
    return object;
}

void energy_tables_set(json_t *root, const struct comparison *comparison,
                       const struct energy_tables *tables, bool *failed)
{
    if (tables->break_even != NULL)
        figures_set(root, "break_even", break_even_list(comparison, tables, failed), failed);
    if (tables->waterfall != NULL)
        figures_set(root, "waterfall", waterfall_object(tables, failed), failed);
    if (tables->has_neurobench)
        figures_set(root, "neurobench", neurobench_object(&tables->neurobench, failed), failed);
}
