/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "neurons/models/membrane.h"

#include <math.h>
#include <stdlib.h>

#include "encoding/arithmetic.h"

/* ---- preparing ---- */

static bool over(const struct membrane *m, double v, double threshold)
{
    return m->inclusive ? v >= threshold : v > threshold;
}

static double at(const struct coefficient *coefficient, uint32_t neuron)
{
    return coefficient->each != NULL ? coefficient->each[neuron] : coefficient->same[0];
}

/* Whether no neuron can fire at a tick in which nothing arrives. */
static bool silent_without_input(const struct membrane *m, const struct cells *cells)
{
    for (uint32_t i = 0; i < cells->neurons; i++) {
        double threshold = at(&m->threshold, i), unit = m->unit != NULL ? m->unit[i] : 1;
        if (over(m, at(&m->leak, i), threshold) ||
            over(m, cells->variable[0][i] / unit, threshold) ||
            over(m, at(&m->reset, i), threshold))
            return false;
    }
    return true;
}

static bool check_rules(const struct membrane *m, const struct cells *cells, struct error *error)
{
    const char *name = cells->population->name;
    for (uint32_t i = 0; i < cells->neurons; i++) {
        if (m->several && (!m->subtract || !(at(&m->threshold, i) > at(&m->reset, i))))
            return error_set(error, ERROR_MISUSED,
                             "population %s: several spikes a tick need reset by subtraction and a "
                             "threshold above the reset (neuron %u)", name, i);
        if (m->late && (m->several || at(&m->rest, i) > 0))
            return error_set(
                error, ERROR_MISUSED,
                "population %s: a reset in the next tick goes with one spike a tick and "
                "no refractory period",
                name);
    }
    return true;
}

bool membrane_prepare(struct membrane *m, struct cells *cells, bool same_decay, struct error *error)
{
    const struct cell_rules *rules = &cells->rules;
    m->inclusive = rules->inclusive;
    m->subtract = rules->reset == RESET_SUBTRACT;
    m->several = rules->several;
    m->late = rules->late_reset;
    m->single = rules->single;
    if (!check_rules(m, cells, error))
        return false;
    m->since = cells_array(cells, sizeof *m->since, error);
    if (m->since == NULL)
        return false;
    double decay = m->decay.same[0];
    m->since_event = same_decay && cells->drive[0] == NULL && !m->single && !m->late &&
                     (!m->subtract || m->several) && decay > 0 && silent_without_input(m, cells);
    if (!m->since_event)
        return true;
    m->table = malloc(MEMBRANE_TABLE * sizeof *m->table);
    if (m->table == NULL)
        return error_no_memory(error, "neurons");
    m->table[0] = 1;
    for (uint32_t n = 1; n < MEMBRANE_TABLE; n++)
        m->table[n] = m->table[n - 1] * decay;
    m->rate = -arithmetic_log(decay);
    return true;
}

void membrane_free(void *own)
{
    struct membrane *m = own;
    free(m->table);
    free(m->unit);
    free(m);
}

void membrane_reset(struct cells *cells)
{
    struct membrane *m = cells->own;
    for (uint32_t i = 0; i < cells->neurons; i++)
        m->since[i] = -1; /* the initial potential is the one before tick 0 */
    for (uint32_t i = 0; m->unit != NULL && i < cells->neurons; i++)
        cells->variable[0][i] /= m->unit[i];
}

static double decay_of(const struct membrane *m, int64_t ticks)
{
    return ticks < MEMBRANE_TABLE ? m->table[ticks] : arithmetic_exp(-m->rate * (double)ticks);
}

double membrane_read(const struct cells *cells, uint32_t variable, uint32_t neuron, int64_t tick)
{
    const struct membrane *m = cells->own;
    double v = cells->variable[variable][neuron], leak = at(&m->leak, neuron);
    if (!m->since_event || tick <= m->since[neuron])
        return v;
    return leak + (v - leak) * decay_of(m, tick - m->since[neuron]);
}

/* ---- stepping ---- */

struct block {
    double *v;      /* [count], as all below */
    int64_t *since; /* the tick v belongs to; ahead while refractory */
    const double *input, *decay, *gain, *leak, *threshold, *reset, *rest, *table;
    int64_t tick;
    bool inclusive, late, subtract;
    uint32_t count;
};

struct moved {
    int64_t over;    /* not 0: a neuron of the block has reached its threshold */
    int64_t far;     /* not 0: one was last touched before the table's end, and has been left out */
    int64_t changed; /* not 0: a bit of the state has changed, or something arrived */
};

/* From the last event: only neurons with input are moved. */
VECTOR_INLINE void move_touched(const struct block *b, uint32_t count, struct moved *moved)
{
    double *v = b->v;
    int64_t *since = b->since;
    const double *leak = b->leak, *gain = b->gain, *threshold = b->threshold, *in = b->input;
    const double *table = b->table;
    const int64_t tick = b->tick;
    int64_t any_over = 0, any_far = 0;
#pragma GCC ivdep
    for (uint32_t i = 0; i < count; i++) {
        int64_t passed = tick - since[i];
        int64_t near = passed < MEMBRANE_TABLE ? -1 : 0;
        int64_t touched = in[i] != 0 ? -1 : 0;
        touched = passed > 0 ? touched : 0;
        int64_t taken = touched & near;
        double next = leak[i] + (v[i] - leak[i]) * table[passed & taken] + gain[i] * in[i];
        int64_t over = next >= threshold[i] ? taken : 0;
        v[i] = taken != 0 ? next : v[i];
        since[i] = taken != 0 ? tick : since[i];
        any_over |= over;
        any_far |= touched & ~near;
    }
    *moved = (struct moved){.over = any_over, .far = any_far};
}

/* Tick by tick: every neuron that is not refractory is moved. */
VECTOR_INLINE void move_all(const struct block *b, uint32_t count, struct moved *moved)
{
    const int64_t tick = b->tick;
    int64_t any_over = 0, changed = 0;
#pragma GCC ivdep
    for (uint32_t i = 0; i < count; i++) {
        double leak = b->leak[i], v = b->v[i], input = b->input[i];
        double next = leak + (v - leak) * b->decay[i] + b->gain[i] * input;
        bool rests = b->since[i] >= tick;
        next = rests ? v : next;
        b->v[i] = next;
        any_over |= next >= b->threshold[i] ? -1 : 0;
        changed |= (int64_t)(double_bits(next) ^ double_bits(v)) | (input != 0) | rests;
    }
    *moved = (struct moved){.over = any_over, .changed = changed};
}

/* The same with the reset of a spike in the tick before (snnTorch), and in single precision. */
VECTOR_INLINE void move_late(const struct block *b, uint32_t count, struct moved *moved)
{
    int64_t any_over = 0, changed = 0;
#pragma GCC ivdep
    for (uint32_t i = 0; i < count; i++) {
        double leak = b->leak[i], v = b->v[i], input = b->input[i], threshold = b->threshold[i];
        double next = leak + (v - leak) * b->decay[i] + b->gain[i] * input;
        bool fired = (v > threshold) | (b->inclusive & (v == threshold));
        double reset = b->subtract ? next - (threshold - b->reset[i]) : b->reset[i];
        next = fired ? reset : next;
        b->v[i] = next;
        any_over |= next >= threshold ? -1 : 0;
        changed |= (int64_t)(double_bits(next) ^ double_bits(v)) | (input != 0);
    }
    *moved = (struct moved){.over = any_over, .changed = changed};
}

VECTOR_INLINE void move_single(const struct block *b, uint32_t count, struct moved *moved)
{
    int64_t any_over = 0, changed = 0;
#pragma GCC ivdep
    for (uint32_t i = 0; i < count; i++) {
        float leak = (float)b->leak[i], v = (float)b->v[i], input = (float)b->input[i];
        float threshold = (float)b->threshold[i], reset = (float)b->reset[i];
        float faded = (float)b->decay[i] * (v - leak), driven = (float)b->gain[i] * input;
        float next = faded + driven;
        next = next + leak;
        bool fired = b->late & ((v > threshold) | (b->inclusive & (v == threshold)));
        float after = b->subtract ? next - (threshold - reset) : reset;
        next = fired ? after : next;
        bool rests = b->since[i] >= b->tick;
        next = rests ? v : next;
        b->v[i] = next;
        any_over |= next >= threshold ? -1 : 0;
        changed |= (next != v) | (input != 0) | rests;
    }
    *moved = (struct moved){.over = any_over, .changed = changed};
}

/* Whole blocks have a constant length, which the compiler likes best. */
#define MOVE(kind)                                                                                 \
    VECTOR_INLINE void kind##_block(const struct block *b, struct moved *moved)                    \
    {                                                                                              \
        if (b->count == CELL_BLOCK)                                                                \
            kind(b, CELL_BLOCK, moved);                                                            \
        else                                                                                       \
            kind(b, b->count, moved);                                                              \
    }                                                                                              \
    VECTOR_VERSIONS(kind##_block, (const struct block *b, struct moved *moved), (b, moved))
MOVE(move_touched)
MOVE(move_all)
MOVE(move_late)
MOVE(move_single)

/* Moves the neurons that move_touched left out. */
static void move_far(const struct membrane *m, const struct block *b, struct moved *moved)
{
    for (uint32_t i = 0; i < b->count; i++) {
        int64_t passed = b->tick - b->since[i];
        if (b->input[i] == 0 || passed < MEMBRANE_TABLE)
            continue;
        double leak = b->leak[i];
        b->v[i] = leak + (b->v[i] - leak) * decay_of(m, passed) + b->gain[i] * b->input[i];
        b->since[i] = b->tick;
        moved->over |= -1;
    }
}

/* Spikes and resets of a block in which a threshold may have been reached. */
static void fire(const struct membrane *m, const struct block *b, uint32_t begin,
                 struct cell_step *step)
{
    for (uint32_t i = 0; i < b->count; i++) {
        double threshold = b->threshold[i], span = threshold - b->reset[i];
        bool rests = m->since_event ? b->since[i] != b->tick : b->since[i] >= b->tick;
        if (rests || !over(m, b->v[i], threshold))
            continue;
        double spikes = m->several ? floor((b->v[i] - b->reset[i]) / span) : 1;
        spikes = spikes < 1 ? 1 : spikes > INT32_MAX ? INT32_MAX : spikes;
        step->fired[step->fired_count++] =
            (struct spike){.neuron = begin + i, .payload = (int32_t)spikes};
        if (m->late)
            continue;
        b->v[i] = !m->subtract ? b->reset[i]
                  : m->single  ? (float)b->v[i] - (float)span
                               : b->v[i] - spikes * span;
        b->since[i] = b->tick + (int64_t)b->rest[i];
    }
}

static void step_block(const struct membrane *m, const struct block *b, uint32_t begin,
                       struct cell_step *step)
{
    struct moved moved;
    if (m->since_event)
        move_touched_block_by[step->vector](b, &moved);
    else if (m->single)
        move_single_block_by[step->vector](b, &moved);
    else if (m->late)
        move_late_block_by[step->vector](b, &moved);
    else
        move_all_block_by[step->vector](b, &moved);
    if (moved.far != 0)
        move_far(m, b, &moved);
    if (moved.over != 0)
        fire(m, b, begin, step);
    if (step->watch)
        step->awake[(begin - step->begin) / CELL_BLOCK] =
            !m->since_event && (moved.changed != 0 || moved.over != 0);
}

void membrane_step(struct cells *cells, struct cell_step *step)
{
    const struct membrane *m = cells->own;
    step->fired_count = 0;
    for (uint32_t i = step->begin; i < step->end; i += CELL_BLOCK) {
        struct block block = {
            .v = cells->variable[0] + i,
            .since = m->since + i,
            .input = step->input[0] + (i - step->begin),
            .decay = coefficient_block(&m->decay, i),
            .gain = coefficient_block(&m->gain, i),
            .leak = coefficient_block(&m->leak, i),
            .threshold = coefficient_block(&m->threshold, i),
            .reset = coefficient_block(&m->reset, i),
            .rest = coefficient_block(&m->rest, i),
            .table = m->table,
            .tick = step->tick,
            .inclusive = m->inclusive,
            .late = m->late,
            .subtract = m->subtract,
            .count = step->end - i < CELL_BLOCK ? step->end - i : CELL_BLOCK,
        };
        step_block(m, &block, i, step);
    }
}
