/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Leaky integrate-and-fire with an excitatory and an inhibitory current (as in the benchmark of
 * Vogels and Abbott 2005, after Brette et al. 2007):
 *
 *     tau_m v' = (v_leak - v) + r (g_exc + g_inh + i_offset)
 *     tau_exc g_exc' = -g_exc,   tau_inh g_inh' = -g_inh
 *     a spike if v > v_threshold, then v = v_reset
 *
 * Exact, with cuba.h's coupling c for each of the two,
 *
 *     v ← a v + (1 - a) (v_leak + r i_offset) + r c_exc g_exc + r c_inh g_inh
 *     g ← g e^(-dt/tau)
 *
 * and in forward steps the same with 1 - dt/tau and r dt/tau_m. What arrives is added to g before
 * the tick. If a weight is held for the tick instead of jumping, g relaxes towards it as cuba.h's
 * current does. For `refractory` after a spike v stays where the reset put it.
 *
 * Where all neurons have the same parameters, which is the usual case, the loop holds them in
 * registers; the currents are the ports themselves. And as all currents then fade alike, they are
 * not touched at each tick: in ticks of phase k = tick mod FADES what is stored is g / fade^k,
 * which an arriving weight is divided by, too (the port's gains), and only the last phase
 * multiplies by fade^FADES. What limits the loop is the transfer between first- and second-level
 * cache, of which storing the currents would be most.
 */
#include "neurons/models/cell_models.h"
#include "neurons/models/cuba.h"
#include "neurons/models/refractory.h"

#include <inttypes.h>
#include <stdlib.h>

enum { TAU_M, TAU_EXC, TAU_INH, V_LEAK, V_THRESHOLD, V_RESET, REFRACTORY, I_OFFSET, R };
enum { V, G_EXC, G_INH };
enum { EXC, INH };
enum { FADES = 64 }; /* a power of two */
static const double LEAST_FADED =
    0x1p-30; /* fade^FADES, so that nothing comes near a double's ends */

/* What all neurons have in common, where they are alike. */
struct common {
    double decay, leak, above;
    double old[2][FADES];   /* what a current adds to v, by phase */
    double faded[2][FADES]; /* fade^k */
    double gains[2][FADES]; /* fade^-k */
    double wholly[2];       /* fade^FADES */
};

struct exc_inh {
    struct coefficient decay, leak, above, reset, drop; /* fires above `above` */
    struct coefficient fade[2], old[2]; /* of the currents; what they add to v */
    struct coefficient entry[2], direct[2]; /* a weight that is held: what it adds to g and to v */
    struct refractory refractory;
    bool alike; /* all neurons, and weights jump, and fade slowly: `common` holds */
    struct common common;
};

static double decay_of(const struct cells *cells, uint32_t i)
{
    return cells_decay(cells, cells_parameter(cells, TAU_M, i), 1);
}

static double leak_of(const struct cells *cells, uint32_t i)
{
    return relaxation(cells, cells_parameter(cells, TAU_M, i)) *
           (cells_parameter(cells, V_LEAK, i) +
            cells_parameter(cells, R, i) * cells_parameter(cells, I_OFFSET, i));
}

static double above_of(const struct cells *cells, uint32_t i)
{
    double threshold = cells_parameter(cells, V_THRESHOLD, i);
    return cells->rules.inclusive ? nextafter(threshold, -INFINITY) : threshold;
}

static double reset_of(const struct cells *cells, uint32_t i)
{
    return cells_parameter(cells, V_RESET, i);
}

static double drop_of(const struct cells *cells, uint32_t i)
{
    return cells_parameter(cells, V_THRESHOLD, i) - cells_parameter(cells, V_RESET, i);
}

static double fade_of(const struct cells *cells, uint32_t tau, uint32_t i)
{
    return cells_decay(cells, cells_parameter(cells, tau, i), 1);
}

static double old_of(const struct cells *cells, uint32_t tau, uint32_t i)
{
    double tau_m = cells_parameter(cells, TAU_M, i);
    double coupling = cells->rules.integration == INTEGRATE_EULER
                          ? relaxation(cells, tau_m)
                          : cuba_coupling(cells->rules.dt, cells_parameter(cells, tau, i), tau_m);
    return cells_parameter(cells, R, i) * coupling;
}

static double entry_of(const struct cells *cells, uint32_t tau, uint32_t i)
{
    return relaxation(cells, cells_parameter(cells, tau, i));
}

/* Forward steps let the currents of the tick before act; held input comes to v through them. */
static double direct_of(const struct cells *cells, uint32_t tau, uint32_t i)
{
    double r = cells_parameter(cells, R, i);
    double all = r * relaxation(cells, cells_parameter(cells, TAU_M, i));
    return cells->rules.integration == INTEGRATE_EULER ? 0 : all - old_of(cells, tau, i);
}

#define OF_BOTH(name)                                                                              \
    static double name##_exc(const struct cells *cells, uint32_t i)                                \
    {                                                                                              \
        return name(cells, TAU_EXC, i);                                                            \
    }                                                                                              \
    static double name##_inh(const struct cells *cells, uint32_t i)                                \
    {                                                                                              \
        return name(cells, TAU_INH, i);                                                            \
    }
OF_BOTH(fade_of)
OF_BOTH(old_of)
OF_BOTH(entry_of)
OF_BOTH(direct_of)

static bool resets_are_sound(const struct cells *cells, struct error *error)
{
    bool distinct = cells->rules.reset == RESET_SUBTRACT || cells->rules.inclusive;
    for (uint32_t i = 0; i < cells->neurons; i++) {
        double threshold = cells_parameter(cells, V_THRESHOLD, i);
        double reset = cells_parameter(cells, V_RESET, i);
        if (reset > threshold || (distinct && reset == threshold))
            return error_set(error, ERROR_MISUSED,
                             "population %s: v_reset of neuron %" PRIu32 " is %g, which is not "
                             "below v_threshold, %g: it would fire for ever",
                             cells->population->name, i, reset, threshold);
    }
    return true;
}

static bool fill(struct exc_inh *own, struct cells *cells, struct error *error)
{
    const unsigned m = 1u << TAU_M, exc = 1u << TAU_EXC, inh = 1u << TAU_INH, r = 1u << R;
    const unsigned threshold = 1u << V_THRESHOLD, reset = 1u << V_RESET;
    const unsigned leak = m | r | 1u << V_LEAK | 1u << I_OFFSET;
    return coefficient_fill(&own->decay, cells, m, decay_of, error) &&
           coefficient_fill(&own->leak, cells, leak, leak_of, error) &&
           coefficient_fill(&own->above, cells, threshold, above_of, error) &&
           coefficient_fill(&own->reset, cells, reset, reset_of, error) &&
           coefficient_fill(&own->drop, cells, threshold | reset, drop_of, error) &&
           coefficient_fill(&own->fade[EXC], cells, exc, fade_of_exc, error) &&
           coefficient_fill(&own->fade[INH], cells, inh, fade_of_inh, error) &&
           coefficient_fill(&own->old[EXC], cells, m | r | exc, old_of_exc, error) &&
           coefficient_fill(&own->old[INH], cells, m | r | inh, old_of_inh, error) &&
           coefficient_fill(&own->entry[EXC], cells, exc, entry_of_exc, error) &&
           coefficient_fill(&own->entry[INH], cells, inh, entry_of_inh, error) &&
           coefficient_fill(&own->direct[EXC], cells, m | r | exc, direct_of_exc, error) &&
           coefficient_fill(&own->direct[INH], cells, m | r | inh, direct_of_inh, error) &&
           refractory_prepare(&own->refractory, cells, REFRACTORY, error);
}

/* Fills `common`; false where a current fades too fast for it. */
static bool find_common(struct exc_inh *own, struct cells *cells)
{
    struct common *common = &own->common;
    common->decay = own->decay.same[0];
    common->leak = own->leak.same[0];
    common->above = own->above.same[0];
    for (int p = EXC; p <= INH; p++) {
        double power = 1;
        for (uint32_t k = 0; k < FADES; k++) {
            common->faded[p][k] = power;
            common->gains[p][k] = 1 / power;
            common->old[p][k] = own->old[p].same[0] * power;
            power *= own->fade[p].same[0];
        }
        common->wholly[p] = power;
    }
    if (!(own->fade[EXC].same[0] > 0 && own->fade[INH].same[0] > 0 &&
          common->wholly[EXC] >= LEAST_FADED && common->wholly[INH] >= LEAST_FADED))
        return false;
    for (uint32_t p = EXC; p <= INH; p++) {
        struct port *port = &cells->population->ports[p];
        port->gains = common->gains[p];
        port->gain_mask = FADES - 1;
    }
    return true;
}

static bool prepare(struct cells *cells, struct error *error)
{
    if (!rules_are_plain(cells, true, error) || !resets_are_sound(cells, error))
        return false;
    struct exc_inh *own = cells->own = calloc(1, sizeof *own);
    if (own == NULL)
        return error_no_memory(error, "neurons");
    own->alike = cells->rules.area == AREA_JUMP;
    for (uint32_t p = TAU_M; p <= R; p++)
        own->alike &= !cells->each[p];
    if (cells->rules.area == AREA_JUMP) {
        cells_keep_port(cells, EXC, G_EXC);
        cells_keep_port(cells, INH, G_INH);
    }
    if (!fill(own, cells, error))
        return false;
    own->alike = own->alike && find_common(own, cells);
    return true;
}

struct block {
    double *v, *exc, *inh; /* [count], as all below */
    uint16_t *left;
    const double *held[2]; /* input held for the tick, or NULL: weights jump */
    const double *decay, *leak, *above;
    const double *fade[2], *old[2], *entry[2], *direct[2];
    uint32_t count;
};

/* What a block's loop found: bits, not counts. */
struct outcome {
    uint64_t fires;   /* its sign bit is set if some v is above its threshold */
    uint64_t changed; /* not 0: something moved, came or is held; only if watched */
};

/* The numbers of one neuron's step. */
struct numbers {
    double decay, leak, above, fade_exc, fade_inh, old_exc, old_inh;
};

VECTOR_INLINE struct numbers numbers_of(const struct block *b, uint32_t i)
{
    return (struct numbers){.decay = b->decay[i],
                            .leak = b->leak[i],
                            .above = b->above[i],
                            .fade_exc = b->fade[EXC][i],
                            .fade_inh = b->fade[INH][i],
                            .old_exc = b->old[EXC][i],
                            .old_inh = b->old[INH][i]};
}

VECTOR_INLINE struct outcome move_jumping(const struct block *block)
{
    const struct block b = *block;
    double *v = b.v, *exc = b.exc, *inh = b.inh;
    uint16_t *left = b.left;
    uint64_t fires = 0, changed = 0;
#pragma GCC ivdep
    for (uint32_t i = 0; i < b.count; i++) {
        const struct numbers n = numbers_of(&b, i);
        double v_old = v[i], exc_old = exc[i], inh_old = inh[i];
        double moved = n.decay * v_old + n.leak + (n.old_exc * exc_old + n.old_inh * inh_old);
        uint16_t held = refractory_after(left[i]);
        double v_next = settled(held != 0 ? v_old : moved, false);
        double exc_next = settled(n.fade_exc * exc_old, false);
        double inh_next = settled(n.fade_inh * inh_old, false);
        changed |= double_bits(v_old) ^ double_bits(v_next);
        changed |= double_bits(exc_old) ^ double_bits(exc_next);
        changed |= (double_bits(inh_old) ^ double_bits(inh_next)) | left[i];
        fires |= double_bits(n.above - v_next); /* below 0 if above */
        v[i] = v_next;
        exc[i] = exc_next;
        inh[i] = inh_next;
        left[i] = held;
    }
    return (struct outcome){fires, changed};
}

VECTOR_INLINE struct outcome move_held(const struct block *block)
{
    const struct block b = *block;
    double *v = b.v, *exc = b.exc, *inh = b.inh;
    uint16_t *left = b.left;
    uint64_t fires = 0, changed = 0;
#pragma GCC ivdep
    for (uint32_t i = 0; i < b.count; i++) {
        const struct numbers n = numbers_of(&b, i);
        double v_old = v[i], exc_old = exc[i], inh_old = inh[i];
        double exc_in = b.held[EXC][i], inh_in = b.held[INH][i];
        double moved = n.decay * v_old + n.leak + (n.old_exc * exc_old + n.old_inh * inh_old) +
                       (b.direct[EXC][i] * exc_in + b.direct[INH][i] * inh_in);
        uint16_t held = refractory_after(left[i]);
        double v_next = settled(held != 0 ? v_old : moved, false);
        double exc_next = settled(n.fade_exc * exc_old + b.entry[EXC][i] * exc_in, false);
        double inh_next = settled(n.fade_inh * inh_old + b.entry[INH][i] * inh_in, false);
        changed |= double_bits(v_old) ^ double_bits(v_next);
        changed |= double_bits(exc_old) ^ double_bits(exc_next);
        changed |= double_bits(inh_old) ^ double_bits(inh_next);
        changed |= double_bits(exc_in) | double_bits(inh_in) | left[i];
        fires |= double_bits(n.above - v_next); /* below 0 if above */
        v[i] = v_next;
        exc[i] = exc_next;
        inh[i] = inh_next;
        left[i] = held;
    }
    return (struct outcome){fires, changed};
}

VECTOR_INLINE struct outcome advance(const struct block *block)
{
    const struct block b = *block;
    if (b.held[EXC] != NULL)
        return move_held(&b);
    return move_jumping(&b);
}
VECTOR_VERSIONS_OF(struct outcome, advance, (const struct block *b), (b))

/* A stretch of neurons that are all alike. */
struct stretch {
    double *v, *exc, *inh; /* [count] */
    uint16_t *left;        /* [count] */
    const struct common *common;
    uint32_t phase, count;
};

/* A block of them. `last`: the last phase. A current of which anything is left is about to change.
 */
VECTOR_INLINE struct outcome move_alike(double *restrict v, double *restrict exc,
                                        double *restrict inh, uint16_t *restrict left,
                                        const struct common *common, uint32_t phase, bool last,
                                        bool watch, uint32_t count)
{
    const double decay = common->decay, leak = common->leak, above = common->above;
    const double old_exc = common->old[EXC][phase], old_inh = common->old[INH][phase];
    const double wholly_exc = common->wholly[EXC], wholly_inh = common->wholly[INH];
    uint64_t fires = 0, changed = 0;
#pragma GCC ivdep
    for (uint32_t i = 0; i < count; i++) {
        double v_old = v[i], exc_old = exc[i], inh_old = inh[i];
        double moved = decay * v_old + leak + (old_exc * exc_old + old_inh * inh_old);
        uint16_t held = refractory_after(left[i]);
        double v_next = settled(held != 0 ? v_old : moved, false);
        if (watch)
            changed |= (double_bits(v_old) ^ double_bits(v_next)) | double_bits(exc_old) |
                       double_bits(inh_old) | left[i];
        fires |= double_bits(above - v_next); /* below 0 if above */
        v[i] = v_next;
        left[i] = held;
        if (last) {
            exc[i] = settled(wholly_exc * exc_old, false);
            inh[i] = settled(wholly_inh * inh_old, false);
        }
    }
    return (struct outcome){fires, changed};
}

VECTOR_INLINE void advance_blocks(const struct stretch *s, bool last, bool watch,
                                  struct outcome *restrict outcomes)
{
    for (uint32_t i = 0; i < s->count; i += CELL_BLOCK, outcomes++) {
        double *v = s->v + i, *exc = s->exc + i, *inh = s->inh + i;
        uint16_t *left = s->left + i;
        if (s->count - i >= CELL_BLOCK)
            *outcomes = move_alike(v, exc, inh, left, s->common, s->phase, last, watch, CELL_BLOCK);
        else
            *outcomes =
                move_alike(v, exc, inh, left, s->common, s->phase, last, watch, s->count - i);
    }
}

/* All blocks of the stretch, one after the other, without a call for each. */
VECTOR_INLINE void advance_alike(const struct stretch *stretch, bool watch,
                                 struct outcome *restrict outcomes)
{
    const struct stretch s = *stretch;
    const bool last = s.phase == FADES - 1;
    if (watch && last)
        advance_blocks(&s, true, true, outcomes);
    else if (watch)
        advance_blocks(&s, false, true, outcomes);
    else if (last)
        advance_blocks(&s, true, false, outcomes);
    else
        advance_blocks(&s, false, false, outcomes);
}
VECTOR_VERSIONS(advance_alike,
                (const struct stretch *stretch, bool watch, struct outcome *outcomes),
                (stretch, watch, outcomes))

static void fire(struct cells *cells, struct cell_step *step, uint32_t begin, uint32_t end)
{
    struct exc_inh *own = cells->own;
    const double *above = coefficient_block(&own->above, begin);
    const double *reset = coefficient_block(&own->reset, begin);
    const double *drop = coefficient_block(&own->drop, begin);
    double *v = cells->variable[V] + begin;
    for (uint32_t i = 0; i < end - begin; i++) {
        if (!(v[i] > above[i]) || own->refractory.left[begin + i] != 0)
            continue;
        step->fired[step->fired_count++] = (struct spike){begin + i, 1};
        v[i] = cells->rules.reset == RESET_SUBTRACT ? v[i] - drop[i] : reset[i];
        refractory_begin(&own->refractory, begin + i);
    }
}

static struct block block_of(const struct cells *cells, const struct cell_step *step, uint32_t i)
{
    const struct exc_inh *own = cells->own;
    struct block block = {
        .v = cells->variable[V] + i,
        .exc = cells->variable[G_EXC] + i,
        .inh = cells->variable[G_INH] + i,
        .left = own->refractory.left + i,
        .decay = coefficient_block(&own->decay, i),
        .leak = coefficient_block(&own->leak, i),
        .above = coefficient_block(&own->above, i),
        .count = step->end - i < CELL_BLOCK ? step->end - i : CELL_BLOCK,
    };
    for (int p = EXC; p <= INH; p++) {
        block.held[p] = step->input[p] != NULL ? step->input[p] + (i - step->begin) : NULL;
        block.fade[p] = coefficient_block(&own->fade[p], i);
        block.old[p] = coefficient_block(&own->old[p], i);
        block.entry[p] = coefficient_block(&own->entry[p], i);
        block.direct[p] = coefficient_block(&own->direct[p], i);
    }
    return block;
}

static void step(struct cells *cells, struct cell_step *step)
{
    const struct exc_inh *own = cells->own;
    struct outcome outcomes[CELL_STRETCH / CELL_BLOCK];
    const uint32_t blocks = (step->end - step->begin + CELL_BLOCK - 1) / CELL_BLOCK;
    if (own->alike) {
        const struct stretch stretch = {.v = cells->variable[V] + step->begin,
                                        .exc = cells->variable[G_EXC] + step->begin,
                                        .inh = cells->variable[G_INH] + step->begin,
                                        .left = own->refractory.left + step->begin,
                                        .common = &own->common,
                                        .phase = (uint64_t)step->tick % FADES,
                                        .count = step->end - step->begin};
        advance_alike_by[step->vector](&stretch, step->watch, outcomes);
    }
    for (uint32_t k = 0; !own->alike && k < blocks; k++) {
        const struct block block = block_of(cells, step, step->begin + k * CELL_BLOCK);
        outcomes[k] = advance_by[step->vector](&block);
    }
    step->fired_count = 0;
    for (uint32_t k = 0; k < blocks; k++) {
        uint32_t begin = step->begin + k * CELL_BLOCK;
        uint32_t end = step->end - begin < CELL_BLOCK ? step->end : begin + CELL_BLOCK;
        bool fires = outcomes[k].fires >> 63 != 0;
        if (fires)
            fire(cells, step, begin, end);
        if (step->watch)
            step->awake[k] = fires || outcomes[k].changed != 0;
    }
}

/* Currents are stored as of their phase. */
static double read(const struct cells *cells, uint32_t variable, uint32_t neuron, int64_t tick)
{
    const struct exc_inh *own = cells->own;
    double stored = cells->variable[variable][neuron];
    if (!own->alike || variable == V)
        return stored;
    return stored * own->common.faded[variable == G_EXC ? EXC : INH][(uint64_t)(tick + 1) % FADES];
}

static void reset(struct cells *cells)
{
    struct exc_inh *own = cells->own;
    memset(own->refractory.left, 0, cells->neurons * sizeof *own->refractory.left);
}

const struct cell_model cuba_lif_exc_inh_cells = {
    .name = "cuba_lif_exc_inh",
    .summary = "leaky integrate-and-fire, excitatory and inhibitory currents (Vogels, Abbott 2005)",
    .equation = "tau_m v' = v_leak - v + r (g_exc + g_inh + i_offset); tau_exc g_exc' = -g_exc; "
                "tau_inh g_inh' = -g_inh; spike if v > v_threshold, then v = v_reset",
    .parameters = {{"tau_m", "s", 0.02, RANGE_POSITIVE, "membrane time constant"},
                   {"tau_exc", "s", 0.005, RANGE_POSITIVE, "time constant of g_exc"},
                   {"tau_inh", "s", 0.01, RANGE_POSITIVE, "time constant of g_inh"},
                   {"v_leak", "", 0, RANGE_ANY, "potential at rest"},
                   {"v_threshold", "", 1, RANGE_ANY, "a spike above it"},
                   {"v_reset", "", 0, RANGE_ANY, "potential after a spike"},
                   {"refractory", "s", 0, RANGE_NOT_NEGATIVE, "held after a spike for so long"},
                   {"i_offset", "", 0, RANGE_ANY, "constant current"},
                   {"r", "", 1, RANGE_ANY, "resistance: current to potential"}},
    .variables = {{"v", "", "v_leak"}, {"g_exc", "", NULL}, {"g_inh", "", NULL}},
    .ports = {"exc", "inh"},
    .integrations = 1u << INTEGRATE_EXACT | 1u << INTEGRATE_EULER,
    .output = CELLS_FIRE,
    .prepare = prepare,
    .step = step,
    .read = read,
    .reset = reset,
    .free = free,
};
