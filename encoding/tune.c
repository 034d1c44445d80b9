/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The best value of a scheme's parameter for one signal, as quality.h describes.
 *
 * A parameter's range is seen as a scale of places 0 … GRID - 1, linear or logarithmic. Quality
 * over a parameter is no smooth curve (a spike more or less is a step), so the grid finds the right
 * hill and Brent's method only climbs it; a poor climb can never lose what the grid has found.
 *
 * Invariant of a search: tried [length] holds every value that was judged, once, and the best of
 * them is tried[best], the earliest of equals.
 */
#include "encoding/quality.h"

#include "encoding/arithmetic.h"
#include "encoding/quality_information.h"

#include <gsl/gsl_errno.h>
#include <gsl/gsl_min.h>
#include <math.h>
#include <stdlib.h>

enum {
    GRID = 33,
    EDGE_PROBES = 4 /* between the end of the range and its neighbour, if the end is best */
};

static const double DECADES = 1e4; /* a logarithmic scale from 0 begins so far below its end */
static const double WORST = -1e9, BEST = 1e9; /* scores are finite, as the minimiser wants them */
static const double PLACE_TOLERANCE = 0.005;

struct trial {
    double place, value, score;
};

struct search {
    struct scheme_settings settings; /* the parameter changes from trial to trial */
    int index;                       /* of the parameter */
    const struct scheme_parameter *parameter;
    enum quality_goal goal;
    const double *x; /* [length] */
    size_t length;
    double *decoded;                 /* [length] */
    struct information *information; /* of x; NULL for TUNE_SNR */
    struct timed_spike *spikes;      /* [room] */
    size_t room;

    bool logarithmic;
    double low; /* of the scale */
    struct trial tried[TUNE_LIMIT];
    uint32_t trials;
    uint32_t best;
    uint32_t evaluations; /* of all parameters */
    bool failed;
    struct error *error;
};

/* ---- the scale ---- */

static void scale_choose(struct search *search)
{
    const struct scheme_parameter *parameter = search->parameter;
    search->low = parameter->low;
    search->logarithmic = parameter->low >= 0 && parameter->high >= 10 * parameter->low;
    if (search->logarithmic && parameter->low == 0)
        search->low = parameter->whole && parameter->high >= 1 ? 1 : parameter->high / DECADES;
}

static double value_at(const struct search *search, double place)
{
    const struct scheme_parameter *parameter = search->parameter;
    double part = place / (GRID - 1), value;
    if (search->logarithmic)
        value = search->low * arithmetic_pow(parameter->high / search->low, part);
    else
        value = search->low + (parameter->high - search->low) * part;
    if (parameter->whole)
        value = floor(value + 0.5);
    return value < parameter->low    ? parameter->low
           : value > parameter->high ? parameter->high : value;
}

/* Below 0 for what lies below a logarithmic scale. */
static double place_of(const struct search *search, double value)
{
    double high = search->parameter->high;
    if (!(high > search->low))
        return 0;
    if (!search->logarithmic)
        return (GRID - 1) * (value - search->low) / (high - search->low);
    return value < search->low ? -1
                               : (GRID - 1) * arithmetic_log(value / search->low) /
                                     arithmetic_log(high / search->low);
}

/* ---- one trial ---- */

static bool make_room(struct search *search)
{
    size_t room = scheme_room(&search->settings, search->length);
    if (room <= search->room)
        return true;
    free(search->spikes);
    search->room = 0;
    search->spikes = room <= SIZE_MAX / sizeof *search->spikes
                         ? malloc(room * sizeof *search->spikes) : NULL;
    if (search->spikes == NULL) {
        search->failed = true;
        return error_no_memory(search->error, "the spikes of a signal");
    }
    search->room = room;
    return true;
}

static double per_spike(struct search *search, size_t spikes)
{
    if (spikes == 0)
        return WORST;
    double bits = information_bits(search->information, search->decoded) -
                  3 * information_chance(search->information);
    return bits * (double)search->length / (double)spikes;
}

/* Encodes with the settings as they are. */
static double score(struct search *search)
{
    if (!make_room(search))
        return WORST;
    const struct scheme *scheme = search->settings.scheme;
    size_t count = scheme->encode(&search->settings, search->x, search->length, 0, search->spikes);
    scheme->decode(&search->settings, search->spikes, count, search->length, search->decoded);
    search->evaluations++;
    for (size_t i = 0; i < search->length; i++)
        if (!isfinite(search->decoded[i]))
            return WORST;
    double found = search->goal == TUNE_SNR
                       ? quality_snr(&search->settings, search->x, search->decoded, search->length)
                       : per_spike(search, count);
    return found > BEST ? BEST : found < WORST ? WORST : found;
}

/* Judges a value, unless that was done before, there is no trial left, or a trial failed. */
static double trial(struct search *search, double place, double value)
{
    for (uint32_t i = 0; i < search->trials; i++)
        if (search->tried[i].value == value)
            return search->tried[i].score;
    if (search->trials == TUNE_LIMIT || search->failed)
        return WORST;
    struct trial new = {place, value, WORST};
    search->settings.parameter[search->index] = value;
    if (scheme_check(&search->settings, NULL))
        new.score = score(search);
    uint32_t at = search->trials++;
    search->tried[at] = new;
    if (new.score > search->tried[search->best].score)
        search->best = at;
    return new.score;
}

static double trial_at(struct search *search, double place)
{
    return trial(search, place, value_at(search, place));
}

/* ---- coarse, then fine ---- */

static void search_coarse(struct search *search)
{
    const struct scheme_parameter *parameter = search->parameter;
    double given = search->settings.parameter[search->index];
    trial(search, place_of(search, given), given);
    trial(search, place_of(search, parameter->standard), parameter->standard);
    if (parameter->whole && parameter->high - parameter->low < GRID) {
        for (double value = parameter->low; value <= parameter->high; value++)
            trial(search, place_of(search, value), value);
        return;
    }
    trial(search, place_of(search, parameter->low), parameter->low);
    for (int place = 0; place < GRID; place++)
        trial_at(search, place);
}

/* The nearest trials on both sides of the best that are worse. False if there are none. */
static bool find_bracket(const struct search *search, struct trial *below, struct trial *above)
{
    struct trial best = search->tried[search->best];
    *below = *above = (struct trial){NAN, 0, 0};
    for (uint32_t i = 0; i < search->trials; i++) {
        struct trial other = search->tried[i];
        if (!(other.score < best.score) || other.place < 0)
            continue;
        if (other.place < best.place && !(other.place <= below->place))
            *below = other;
        if (other.place > best.place && !(other.place >= above->place))
            *above = other;
    }
    return !isnan(below->place) && !isnan(above->place);
}

/* The end of the scale is best: is there better just inside? */
static void probe_edge(struct search *search)
{
    struct trial edge = search->tried[search->best];
    double step = edge.place <= 0 ? 0.5 : -0.5;
    for (int i = 0; i < EDGE_PROBES && search->tried[search->best].place == edge.place; i++) {
        trial_at(search, edge.place + step);
        step /= 2;
    }
}

static double minimised(double place, void *self)
{
    return -trial_at(self, place);
}

static void search_fine(struct search *search, gsl_min_fminimizer *minimizer)
{
    struct trial below, above, best = search->tried[search->best];
    if (best.place < 0)
        return;
    if (best.place <= 0 || best.place >= GRID - 1)
        probe_edge(search);
    if (!find_bracket(search, &below, &above))
        return;
    best = search->tried[search->best];
    gsl_function function = {minimised, search};
    double low = below.place, high = above.place;
    gsl_min_fminimizer_set_with_values(minimizer, &function, best.place, -best.score, low,
                                       -below.score, high, -above.score);
    for (int i = 0; i < TUNE_LIMIT && search->trials < TUNE_LIMIT && !search->failed; i++) {
        if (gsl_min_fminimizer_iterate(minimizer) != GSL_SUCCESS)
            break;
        low = gsl_min_fminimizer_x_lower(minimizer);
        high = gsl_min_fminimizer_x_upper(minimizer);
        if (gsl_min_test_interval(low, high, PLACE_TOLERANCE, 0) != GSL_CONTINUE)
            break;
    }
}

/* Brent's method sees a whole number as a step as long as its place on the scale, and may end on
 * the one beside the best. */
static void search_beside(struct search *search)
{
    double value;
    do {
        value = search->tried[search->best].value;
        trial(search, place_of(search, value - 1), value - 1);
        trial(search, place_of(search, value + 1), value + 1);
    } while (search->tried[search->best].value != value);
}

static void search_run(struct search *search, gsl_min_fminimizer *minimizer)
{
    search->trials = 0;
    search->best = 0;
    scale_choose(search);
    search_coarse(search);
    if (!search->failed && search->tried[search->best].score < BEST)
        search_fine(search, minimizer);
    if (search->parameter->whole)
        search_beside(search);
    search->settings.parameter[search->index] = search->tried[search->best].value;
}

static bool search_parameters(struct search *search)
{
    gsl_min_fminimizer *minimizer = gsl_min_fminimizer_alloc(gsl_min_fminimizer_brent);
    if (minimizer == NULL)
        return error_no_memory(search->error, "a minimiser");
    const struct scheme *scheme = search->settings.scheme;
    for (int i = 0; scheme->parameters[i].name != NULL && !search->failed; i++)
        if (scheme->parameters[i].tuned) {
            search->index = i;
            search->parameter = &scheme->parameters[i];
            search_run(search, minimizer);
        }
    gsl_min_fminimizer_free(minimizer);
    return !search->failed;
}

bool quality_tune(struct scheme_settings *settings, enum quality_goal goal, const double *x,
                  size_t length, uint32_t *evaluations, struct error *error)
{
    *evaluations = 0;
    for (size_t i = 0; i < length; i++)
        if (!isfinite(x[i]))
            return error_set(error, ERROR_MISUSED, "value %zu of the signal is %g; replace it by a "
                             "number", i, x[i]);
    if (length == 0 || settings->scheme->encode == NULL)
        return true;
    struct search search = {.settings = *settings, .goal = goal, .x = x, .length = length,
                            .error = error};
    search.decoded = length <= SIZE_MAX / sizeof(double) ? malloc(length * sizeof(double)) : NULL;
    bool ready = search.decoded != NULL || error_no_memory(error, "a decoded signal");
    if (ready && goal == TUNE_INFORMATION_PER_SPIKE)
        search.information = information_open(x, length, error);
    ready = ready && (goal == TUNE_SNR || search.information != NULL);
    bool found = ready && search_parameters(&search);
    if (found)
        *settings = search.settings;
    *evaluations = search.evaluations;
    information_close(search.information);
    free(search.spikes);
    free(search.decoded);
    return found;
}
