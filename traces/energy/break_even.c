/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Break-even. A curve is E(f) of one population, in joules of the whole run; E(1) is its row of
 * the estimate but for the order of additions. All parts of a curve rise with f or stay, so that
 * there is one root at most, or one stretch of them.
 */
#include "traces/energy/break_even.h"

#include <gsl/gsl_roots.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ITERATIONS = 200 };

/* Fetches of one memory by target. */
struct fetches {
    uint32_t width;     /* channels in a block */
    double joules;      /* as measured */
    double expected;    /* A(1) */
    double independent; /* joules if channels fired independently, at f = 1 */
    double most;        /* … if all blocks were fetched in every vector */
};

struct curve {
    uint32_t population;
    uint32_t neurons;
    double *share; /* [neurons], p(n), in the order channels lie in; NULL: all `mean` */
    double mean;   /* of p(n); 0: it never fired */
    double least;  /* smallest p(n) above 0 */
    bool once;     /* what costs by the spike is firings: s(f) = t(f) */
    bool binary;   /* … because each firing is one spike */
    double fixed, per_spike, per_firing; /* joules */
    struct fetches fetches[CHIP_MEMORIES];
    uint32_t fetches_count;
    double dense;   /* joules */
    double targets; /* weights that one channel reaches */
};

struct curves {
    struct curve *curves; /* [count] */
    uint32_t count;
    double fixed, dense; /* of no population */
};

/* ---- a curve ---- */

static double share_of(const struct curve *curve, uint32_t neuron, double factor)
{
    double share = factor * (curve->share != NULL ? curve->share[neuron] : curve->mean);
    return share < 1 ? share : 1;
}

/* t(f). */
static double firings(const struct curve *curve, double factor)
{
    if (curve->mean == 0)
        return 0;
    if (curve->share == NULL)
        return share_of(curve, 0, factor) / curve->mean;
    double sum = 0, measured = 0;
    for (uint32_t n = 0; n < curve->neurons; n++) {
        sum += share_of(curve, n, factor);
        measured += curve->share[n];
    }
    return sum / measured;
}

/* Probability that channels of these shares, `step` apart, do not all stay silent. */
static double active_block(const double *share, uint32_t width, uint32_t step, double factor)
{
    double any = 0;
    for (uint32_t n = 0; n < width; n++, share += step) {
        double scaled = factor * *share;
        scaled = scaled < 1 ? scaled : 1;
        any += scaled - any * scaled;
    }
    return any;
}

/* A(f). */
static double active_blocks(const struct curve *curve, uint32_t width, double factor)
{
    uint32_t whole = curve->neurons / width, rest = curve->neurons % width;
    if (curve->share == NULL)
        return whole * active_block(&curve->mean, width, 0, factor) +
               active_block(&curve->mean, rest, 0, factor);
    const double *share = curve->share;
    double sum = 0;
    for (uint32_t block = 0; block < whole; block++, share += width)
        sum += active_block(share, width, 1, factor);
    return sum + active_block(share, rest, 1, factor);
}

static double fetching(const struct curve *curve, const struct fetches *fetches, double factor)
{
    if (!(fetches->expected > 0))
        return fetches->joules;
    double joules =
        fetches->joules * (active_blocks(curve, fetches->width, factor) / fetches->expected);
    return joules < fetches->most ? joules : fetches->most;
}

static double curve_at(const struct curve *curve, double factor)
{
    double sum = curve->fixed;
    bool counts_firings = curve->once || curve->per_firing > 0;
    double times = counts_firings ? firings(curve, factor) : 0;
    sum += curve->per_firing * times + curve->per_spike * (curve->once ? times : factor);
    for (uint32_t m = 0; m < curve->fetches_count; m++)
        sum += fetching(curve, &curve->fetches[m], factor);
    return sum;
}

/* ---- making curves ---- */

static void free_curves(struct curves *curves)
{
    for (uint32_t i = 0; i < curves->count; i++)
        free(curves->curves[i].share);
    free(curves->curves);
}

static int descending(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a < b) - (a > b);
}

/* Measured activity. False for short memory. */
static bool take_shares(struct curve *curve, const struct load_population *population,
                        bool by_activity)
{
    double vectors = (double)population->tally.vectors;
    curve->neurons = population->neurons;
    if (vectors == 0 || population->neurons == 0 || population->active_total == 0)
        return true;
    if (population->active == NULL) {
        curve->mean = fmin(1, (double)population->active_total / vectors / population->neurons);
        curve->least = curve->mean;
        return true;
    }
    curve->share = malloc(population->neurons * sizeof *curve->share);
    if (curve->share == NULL)
        return false;
    double sum = 0;
    curve->least = 1;
    for (uint32_t n = 0; n < population->neurons; n++) {
        curve->share[n] = fmin(1, (double)population->active[n] / vectors);
        sum += curve->share[n];
        if (curve->share[n] > 0)
            curve->least = fmin(curve->least, curve->share[n]);
    }
    curve->mean = sum / population->neurons;
    if (by_activity)
        qsort(curve->share, curve->neurons, sizeof *curve->share, descending);
    return true;
}

/* Weights of a full pass that leave one channel. */
static double targets_of(const struct load *load, uint32_t population)
{
    double weights = 0;
    for (uint32_t p = 0; p < load->projection_count; p++)
        if (load->projections[p].spikes && load->projections[p].source == population)
            weights += (double)load->projections[p].weight_count;
    uint32_t neurons = load->populations[population].neurons;
    return neurons > 0 ? weights / neurons : 0;
}

static void add_fetches(struct curve *curve, const struct chip *chip, uint32_t memory, double reads,
                        double vectors)
{
    const struct chip_memory *own = &chip->memory[memory];
    double bits = chip->weight_bits > 0 ? chip->weight_bits : 8, block = 8.0 * own->block_bytes;
    double each = block > 0 ? ceil(bits / block) : 1; /* reads, of a weight wider than a block */
    struct fetches *fetches = &curve->fetches[curve->fetches_count++];
    fetches->width = (uint32_t)fmin(fmax(floor(block / bits), 1), UINT32_MAX);
    fetches->joules = reads * own->read.value;
    fetches->expected = active_blocks(curve, fetches->width, 1);
    double all = curve->targets * vectors * each * own->read.value; /* joules, of one block */
    fetches->independent = all * fetches->expected;
    fetches->most = fmax(all * ceil((double)curve->neurons / fetches->width), fetches->joules);
}

/* Sorts the terms of a row into what is fixed, proportional, and fetched by target. */
static void take_row(struct curve *curve, const struct estimate *estimate,
                     const struct estimate_row *row)
{
    const struct chip *chip = estimate->chip;
    double by_target = 0;
    for (uint32_t m = 0; m < chip->memory_count; m++) {
        if (chip->memory[m].layout != LAYOUT_BY_TARGET || !chip->memory[m].read.given ||
            !(row->events.reads[m] > 0))
            continue;
        double vectors = (double)estimate->load->populations[row->population].tally.vectors;
        add_fetches(curve, chip, m, row->events.reads[m], vectors);
        by_target += curve->fetches[curve->fetches_count - 1].joules;
    }
    for (int term = 0; term < TERMS; term++)
        if (term == TERM_NEURON || term == TERM_STATIC)
            curve->fixed += row->joules[term];
        else if (term != TERM_MEMORY)
            curve->per_spike += row->joules[term];
    double by_source = row->joules[TERM_MEMORY] - by_target;
    if (by_source > 1e-12 * by_target)
        curve->per_firing += by_source;
}

static bool start_curve(struct curve *curve, const struct estimate *estimate, uint32_t population)
{
    const struct load_population *own = &estimate->load->populations[population];
    curve->population = population;
    curve->binary = own->clocked && own->spikes_total == own->active_total;
    curve->once = curve->binary || estimate->chip->graded;
    curve->targets = targets_of(estimate->load, population);
    return take_shares(curve, own, estimate->options.by_activity);
}

static double row_total(const struct estimate_row *row)
{
    double sum = 0;
    for (int term = 0; term < TERMS; term++)
        sum += row->joules[term];
    return sum;
}

/* One curve for each population that has a row in either estimate: place [population_count] says
 * which, UINT32_MAX: none. */
static void find_populations(const struct estimate *estimate, uint32_t *place)
{
    for (uint32_t i = 0; i < estimate->row_count; i++)
        if (estimate->rows[i].population < estimate->load->population_count)
            place[estimate->rows[i].population] = 0;
}

static bool make_curves(struct curves *curves, const struct estimate *spiking,
                        const struct estimate *dense, uint32_t *place)
{
    uint32_t populations = spiking->load->population_count;
    memset(place, 0xff, populations * sizeof *place);
    find_populations(spiking, place);
    find_populations(dense, place);
    curves->curves = calloc((size_t)populations + 1, sizeof *curves->curves);
    if (curves->curves == NULL)
        return false;
    for (uint32_t i = 0; i < populations; i++) {
        if (place[i] == UINT32_MAX)
            continue;
        place[i] = curves->count++;
        if (!start_curve(&curves->curves[place[i]], spiking, i))
            return false;
    }
    for (uint32_t i = 0; i < spiking->row_count; i++) {
        const struct estimate_row *row = &spiking->rows[i];
        if (row->population < populations)
            take_row(&curves->curves[place[row->population]], spiking, row);
        else
            curves->fixed += row_total(row);
    }
    for (uint32_t i = 0; i < dense->row_count; i++) {
        const struct estimate_row *row = &dense->rows[i];
        *(row->population < populations ? &curves->curves[place[row->population]].dense
                                        : &curves->dense) += row_total(row);
    }
    return true;
}

/* ---- solving ---- */

/* One population, or all. */
struct balance {
    const struct curve *curves; /* [count] */
    uint32_t count;
    double fixed; /* joules of the chip itself */
    double dense; /* joules of the dense pass, of all */
    bool moving;  /* leave out what is fixed */
};

/* E(f). */
static double energy_at(const struct balance *balance, double factor)
{
    double sum = balance->moving ? 0 : balance->fixed;
    for (uint32_t i = 0; i < balance->count; i++)
        sum += curve_at(&balance->curves[i], factor) -
               (balance->moving ? balance->curves[i].fixed : 0);
    return sum;
}

/* E(f) - E_dense. */
static double excess_at(double factor, void *argument)
{
    const struct balance *balance = argument;
    return energy_at(balance, factor) - balance->dense;
}

/* The factor beyond which nothing changes; INFINITY: there is none; 0: nothing ever fired. */
static double saturation(const struct balance *balance)
{
    double most = 0;
    for (uint32_t i = 0; i < balance->count; i++) {
        const struct curve *curve = &balance->curves[i];
        if (curve->mean == 0)
            continue;
        if (!curve->once && curve->per_spike > 0)
            return INFINITY;
        most = fmax(most, 1 / curve->least);
    }
    return most;
}

/* The root between low and high, where the signs differ. */
static double find_root(gsl_root_fsolver *solver, struct balance *balance, double low, double high)
{
    gsl_function function = {excess_at, balance};
    gsl_root_fsolver_set(solver, &function, low, high);
    for (int i = 0; i < ITERATIONS; i++) {
        gsl_root_fsolver_iterate(solver);
        low = gsl_root_fsolver_x_lower(solver);
        high = gsl_root_fsolver_x_upper(solver);
        if (!(high - low > 1e-12 * high))
            break;
    }
    return gsl_root_fsolver_root(solver);
}

static enum break_even_verdict solve(gsl_root_fsolver *solver, struct balance *balance,
                                     double *factor)
{
    *factor = NAN;
    if (!(balance->dense > 0))
        return BREAK_EVEN_NONE;
    if (excess_at(0, balance) >= 0) {
        *factor = 0;
        return BREAK_EVEN_NEVER;
    }
    double most = saturation(balance);
    if (most == 0)
        return BREAK_EVEN_UNKNOWN;
    if (isfinite(most) && excess_at(most, balance) <= 0) {
        *factor = INFINITY;
        return BREAK_EVEN_ALWAYS;
    }
    double low = 0, high = fmin(1, most);
    while (excess_at(high, balance) < 0) {
        low = high;
        high = fmin(2 * high, most);
    }
    if (!isfinite(high)) { /* GSL ends the program over INFINITY */
        *factor = INFINITY;
        return BREAK_EVEN_ALWAYS;
    }
    *factor = find_root(solver, balance, low, high);
    return BREAK_EVEN_AT;
}

/* ---- rows ---- */

/* Spikes at a factor, and what they are counted by. */
struct amounts {
    double spikes, channels, neurons, slots;
};

static void add_amounts(struct amounts *sum, const struct load *load, const struct curve *curve,
                        double factor)
{
    const struct load_population *own = &load->populations[curve->population];
    double part = curve->binary ? firings(curve, factor) : factor;
    sum->spikes += own->spikes_total > 0 ? (double)own->spikes_total * part : 0;
    sum->channels += (double)own->tally.channels;
    sum->neurons += own->neurons;
    sum->slots += (double)own->tally.slots;
}

static struct break_even_rate rate_of(const struct amounts *amounts, double inferences)
{
    return (struct break_even_rate){
        .vector = amounts->channels > 0 ? amounts->spikes / amounts->channels : 0,
        .inference = amounts->neurons > 0 ? amounts->spikes / amounts->neurons / inferences : 0,
        .slot = amounts->slots > 0 ? amounts->spikes / amounts->slots : 0,
    };
}

/* Of the curves that dense weights leave (all, if there is but one). */
static struct break_even_rate mean_rate(const struct load *load, const struct balance *balance,
                                        double factor)
{
    struct amounts sum = {0};
    for (uint32_t i = 0; i < balance->count; i++)
        if (balance->count == 1 || balance->curves[i].dense > 0)
            add_amounts(&sum, load, &balance->curves[i], factor);
    return rate_of(&sum, load_inferences(load));
}

/* Fetches by target, measured / expected. */
static double blocks_of(const struct balance *balance)
{
    double measured = 0, expected = 0;
    for (uint32_t i = 0; i < balance->count; i++) {
        const struct curve *curve = &balance->curves[i];
        for (uint32_t m = 0; m < curve->fetches_count; m++) {
            measured += curve->fetches[m].joules;
            expected += curve->fetches[m].independent;
        }
    }
    return expected > 0 ? measured / expected : NAN;
}

static struct break_even_point point_of(const struct load *load, gsl_root_fsolver *solver,
                                        struct balance *balance)
{
    double factor;
    struct break_even_point point = {.verdict = solve(solver, balance, &factor)};
    point.rate = (struct break_even_rate){factor, factor, factor};
    point.margin = factor;
    if (point.verdict == BREAK_EVEN_NEVER)
        point.rate = mean_rate(load, balance, 0);
    if (point.verdict == BREAK_EVEN_AT) {
        double measured = mean_rate(load, balance, 1).vector;
        point.rate = mean_rate(load, balance, factor);
        if (measured > 0)
            point.margin = point.rate.vector / measured;
    }
    return point;
}

static struct break_even_row row_of(const struct load *load, gsl_root_fsolver *solver,
                                    struct balance *balance)
{
    double inferences = load_inferences(load);
    struct balance moving = *balance;
    moving.moving = true;
    struct break_even_point point = point_of(load, solver, balance);
    return (struct break_even_row){
        .population = UINT32_MAX,
        .verdict = point.verdict,
        .spiking = energy_at(balance, 1) / inferences,
        .dense = balance->dense / inferences,
        .fixed = energy_at(balance, 0) / inferences,
        .measured = mean_rate(load, balance, 1),
        .rate = point.rate,
        .margin = point.margin,
        .moving = point_of(load, solver, &moving),
        .blocks = blocks_of(balance),
    };
}

static void fill(struct break_even *break_even, const struct load *load,
                 const struct curves *curves, gsl_root_fsolver *solver)
{
    struct balance all = {curves->curves, curves->count, curves->fixed, curves->dense, false};
    for (uint32_t i = 0; i < curves->count; i++) {
        struct balance one = {&curves->curves[i], 1, 0, curves->curves[i].dense, false};
        break_even->rows[i] = row_of(load, solver, &one);
        break_even->rows[i].population = curves->curves[i].population;
        all.dense += curves->curves[i].dense;
    }
    break_even->row_count = curves->count;
    break_even->total = row_of(load, solver, &all);
}

/* ---- the whole ---- */

void break_even_free(struct break_even *break_even)
{
    if (break_even == NULL)
        return;
    free(break_even->rows);
    free(break_even);
}

static bool check(const struct estimate *spiking, const struct estimate *dense,
                  struct error *error)
{
    if (spiking->load != dense->load)
        return error_set(error, ERROR_MISUSED,
                         "break-even compares estimates of one run; %s and %s are of two",
                         spiking->chip->name, dense->chip->name);
    if (spiking->chip->dense)
        return error_set(error, ERROR_MISUSED,
                         "%s is dense, so its energy does not depend on spikes; break-even needs a "
                         "spiking chip", spiking->chip->name);
    if (!dense->chip->dense)
        return error_set(error, ERROR_MISUSED,
                         "%s is not dense; the baseline of a break-even must be, such as int8-45nm",
                         dense->chip->name);
    if (!isfinite(spiking->total) || !isfinite(dense->total))
        return error_set(error, ERROR_FAILED, "the estimates for %s and %s are not finite numbers",
                         spiking->chip->name, dense->chip->name);
    return true;
}

struct break_even *break_even_new(const struct estimate *spiking, const struct estimate *dense,
                                  struct error *error)
{
    if (!check(spiking, dense, error))
        return NULL;
    struct curves curves = {0};
    struct break_even *break_even = calloc(1, sizeof *break_even);
    uint32_t *place = malloc(((size_t)spiking->load->population_count + 1) * sizeof *place);
    gsl_root_fsolver *solver = gsl_root_fsolver_alloc(gsl_root_fsolver_brent);
    bool made = break_even != NULL && place != NULL && solver != NULL &&
                make_curves(&curves, spiking, dense, place);
    if (made)
        break_even->rows = calloc((size_t)curves.count + 1, sizeof *break_even->rows);
    made = made && break_even->rows != NULL;
    if (made)
        fill(break_even, spiking->load, &curves, solver);
    if (solver != NULL)
        gsl_root_fsolver_free(solver);
    free(place);
    free_curves(&curves);
    if (made)
        return break_even;
    error_no_memory(error, "the break-even");
    break_even_free(break_even);
    return NULL;
}
