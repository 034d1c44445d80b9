/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The coefficients of cuba.h's recurrence, one function each. */
#include "neurons/models/cuba.h"

#include "encoding/arithmetic.h"

/* (1 - e^-y) / y for y >= 0. */
static double mean_decay(double y)
{
    if (y > 0.5)
        return (1 - arithmetic_exp(-y)) / y;
    double sum = 0;
    for (int k = 17; k >= 1; k--) /* 1 - y/2 (1 - y/3 (…)): the next term is below 2^-70 */
        sum = (1 - sum) * y / (k + 1);
    return 1 - sum;
}

double cuba_coupling(double dt, double tau_syn, double tau_mem)
{
    double slower = tau_syn > tau_mem ? tau_syn : tau_mem;
    double difference = fabs(tau_syn - tau_mem) / tau_syn / tau_mem;
    return dt / tau_mem * arithmetic_exp(-dt / slower) * mean_decay(dt * difference);
}

static double tau_syn_of(const struct cells *cells, uint32_t i)
{
    return cells_parameter(cells, CUBA_TAU_SYN, i);
}

static double tau_mem_of(const struct cells *cells, uint32_t i)
{
    return cells_parameter(cells, CUBA_TAU_MEM, i);
}

static bool jumps(const struct cells *cells)
{
    return cells->rules.area == AREA_JUMP;
}

/* Whether the tick is solved exactly, the current and the potential together. */
static bool is_coupled(const struct cells *cells)
{
    return cells->rules.integration != INTEGRATE_EULER && !cells->rules.raw;
}

/* What an input of 1 adds to v in a tick in raw forward steps. */
static double raw_unit_of(const struct cells *cells, uint32_t i)
{
    return cells_parameter(cells, CUBA_R, i) * relaxation(cells, tau_mem_of(cells, i)) *
           cells_parameter(cells, CUBA_W_IN, i) * relaxation(cells, tau_syn_of(cells, i));
}

double cuba_unit(const struct cells *cells, uint32_t i)
{
    return in_raw_units(cells) ? raw_unit_of(cells, i) : 1;
}

void cuba_reset(struct cells *cells)
{
    for (uint32_t i = 0; in_raw_units(cells) && i < cells->neurons; i++) {
        cells->variable[CUBA_V][i] /= raw_unit_of(cells, i);
        cells->variable[CUBA_I][i] /=
            cells_parameter(cells, CUBA_W_IN, i) * relaxation(cells, tau_syn_of(cells, i));
    }
}

static double jump_of(const struct cells *cells, uint32_t i)
{
    return jumps(cells) ? cells_parameter(cells, CUBA_W_IN, i) : 0;
}

static double fade_of(const struct cells *cells, uint32_t i)
{
    return rounded(cells_decay(cells, tau_syn_of(cells, i), 1), cells->rules.single);
}

static double entry_of(const struct cells *cells, uint32_t i)
{
    if (jumps(cells))
        return 0;
    double entry = in_raw_units(cells) ? 1
                                       : cells_parameter(cells, CUBA_W_IN, i) *
                                             relaxation(cells, tau_syn_of(cells, i));
    return rounded(entry, cells->rules.single);
}

static double decay_of(const struct cells *cells, uint32_t i)
{
    return rounded(cells_decay(cells, tau_mem_of(cells, i), 1), cells->rules.single);
}

static double leak_of(const struct cells *cells, uint32_t i)
{
    double leak = relaxation(cells, tau_mem_of(cells, i)) * cells_parameter(cells, CUBA_V_LEAK, i);
    return rounded(leak / cuba_unit(cells, i), cells->rules.single);
}

static double coupling_of(const struct cells *cells, uint32_t i)
{
    return cuba_coupling(cells->rules.dt, tau_syn_of(cells, i), tau_mem_of(cells, i));
}

static double old_of(const struct cells *cells, uint32_t i)
{
    double old = is_coupled(cells) ? coupling_of(cells, i)
                 : jumps(cells)    ? relaxation(cells, tau_mem_of(cells, i))
                                   : 0;
    return rounded(cells_parameter(cells, CUBA_R, i) * old, cells->rules.single);
}

static double direct_of(const struct cells *cells, uint32_t i)
{
    if (!is_coupled(cells) || jumps(cells))
        return 0;
    double direct = relaxation(cells, tau_mem_of(cells, i)) - coupling_of(cells, i);
    double gain = cells_parameter(cells, CUBA_R, i) * cells_parameter(cells, CUBA_W_IN, i);
    return rounded(gain * direct, cells->rules.single);
}

static double fresh_of(const struct cells *cells, uint32_t i)
{
    if (is_coupled(cells) || jumps(cells))
        return 0;
    double fresh = in_raw_units(cells) ? 1
                                       : cells_parameter(cells, CUBA_R, i) *
                                             relaxation(cells, tau_mem_of(cells, i));
    return rounded(fresh, cells->rules.single);
}

bool cuba_prepare(struct cuba *cuba, struct cells *cells, struct error *error)
{
    const unsigned all = (1u << CUBA_PARAMETERS) - 1;
    return raw_form_is_sound(cells, raw_unit_of, error) &&
           coefficient_fill(&cuba->jump, cells, all, jump_of, error) &&
           coefficient_fill(&cuba->fade, cells, all, fade_of, error) &&
           coefficient_fill(&cuba->entry, cells, all, entry_of, error) &&
           coefficient_fill(&cuba->decay, cells, all, decay_of, error) &&
           coefficient_fill(&cuba->leak, cells, all, leak_of, error) &&
           coefficient_fill(&cuba->old, cells, all, old_of, error) &&
           coefficient_fill(&cuba->direct, cells, all, direct_of, error) &&
           coefficient_fill(&cuba->fresh, cells, all, fresh_of, error);
}

struct cuba_block cuba_block_of(const struct cuba *cuba, const struct cells *cells,
                                const struct cell_step *step, uint32_t begin)
{
    return (struct cuba_block){
        .v = cells->variable[CUBA_V] + begin,
        .current = cells->variable[CUBA_I] + begin,
        .input = step->input[0] + (begin - step->begin),
        .jump = coefficient_block(&cuba->jump, begin),
        .fade = coefficient_block(&cuba->fade, begin),
        .entry = coefficient_block(&cuba->entry, begin),
        .decay = coefficient_block(&cuba->decay, begin),
        .leak = coefficient_block(&cuba->leak, begin),
        .old = coefficient_block(&cuba->old, begin),
        .direct = coefficient_block(&cuba->direct, begin),
        .fresh = coefficient_block(&cuba->fresh, begin),
        .count = step->end - begin < CELL_BLOCK ? step->end - begin : CELL_BLOCK,
    };
}
