/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Population: neurons with Gaussian receptive fields, which fire the earlier the better x suits.
 *
 *     centres  mu_i = (2 i - 3) / (2 (m - 2)), i = 1 … m: two of them lie outside 0 … 1
 *     width    sigma = 1 / (beta (m - 2))
 *     response A_i = exp(-(x - mu_i)^2 / (2 sigma^2))
 *     spike at t_i = round((T - 1) (1 - A_i)), none at the last tick, T - 1
 *     decoded  x = sum of w_i mu_i / sum of w_i,  w_i = T - 1 - t_i;  1/2 if no neuron fires
 *
 * (Bohte, Kok and La Poutré: Error-backpropagation in temporally encoded networks of spiking
 * neurons, Neurocomputing 48, 2002, with beta = 1.5; the times are those of SpikingJelly's
 * GaussianTuningCurveEncoder.)
 *
 * How far the mean can be off: w_i / (T - 1) = A_i + e_i with |e_i| <= q = 1 / (2 (T - 1)), and for
 * a neuron whose A_i <= q, which does not fire, e_i = -A_i. So with d_i = mu_i - x
 *
 *     |error| <= (|sum of A_i d_i| + sum of min(A_i, q) |d_i|) / (sum of A_i - min(A_i, q)),
 *
 * the first term being the mean's own fault: at the ends of the range it lacks the neurons beyond.
 * Nor can a mean be farther off than the farthest neuron that may fire.
 */
#include "encoding/arithmetic.h"
#include "encoding/schemes/schemes.h"
#include "encoding/schemes/unit.h"

#include <math.h>

enum { TICKS, NEURONS, BETA };

struct fields {
    uint32_t neurons; /* m */
    double spacing;   /* from centre to centre */
    double sharpness; /* 1 / (2 sigma^2) */
    double last;      /* T - 1 */
};

static struct fields fields_of(const struct scheme_settings *settings)
{
    uint32_t neurons = (uint32_t)settings->parameter[NEURONS];
    double inverse = settings->parameter[BETA] * (neurons - 2); /* of sigma */
    return (struct fields){.neurons = neurons,
                           .spacing = 1.0 / (neurons - 2),
                           .sharpness = inverse * inverse / 2,
                           .last = settings->parameter[TICKS] - 1};
}

static uint32_t neurons_of(const struct scheme_settings *settings)
{
    return (uint32_t)settings->parameter[NEURONS];
}

static size_t room(const struct scheme_settings *settings, size_t length)
{
    size_t spikes;
    return __builtin_mul_overflow(length, neurons_of(settings), &spikes) ? SIZE_MAX : spikes;
}

/* The centre of neuron i, counted from 0. */
static double centre_of(const struct fields *fields, uint32_t i)
{
    return (i - 0.5) * fields->spacing;
}

static double response_of(const struct fields *fields, double distance)
{
    return arithmetic_exp(-(distance * distance) * fields->sharpness);
}

/* Puts a spike behind those of its value that are not later; there are `count` of the value. */
static void insert(struct timed_spike *spikes, size_t count, struct timed_spike spike)
{
    for (; count > 0 && spikes[count - 1].tick > spike.tick; count--)
        spikes[count] = spikes[count - 1];
    spikes[count] = spike;
}

static size_t encode(const struct scheme_settings *settings, const double *x, size_t length,
                     uint64_t start, struct timed_spike *spikes)
{
    (void)start;
    struct fields fields = fields_of(settings);
    /* From here on (a little more than) a response rounds to the last tick: exp is not needed. */
    double reach = (arithmetic_log(2 * fields.last) + 1e-6) / fields.sharpness; /* squared */
    size_t count = 0;
    int64_t begin = 0, last = (int64_t)fields.last;
    for (size_t i = 0; i < length; i++, begin += last + 1) {
        double clipped = unit_clip(x[i], 0);
        size_t first = count;
        for (uint32_t j = 0; j < fields.neurons; j++) {
            double distance = clipped - centre_of(&fields, j);
            if (distance * distance > reach)
                continue;
            int32_t t = (int32_t)(fields.last * (1 - response_of(&fields, distance)) + 0.5);
            if (t < last) {
                struct timed_spike spike = {.tick = begin + t, .neuron = j, .payload = 1};
                insert(spikes + first, count++ - first, spike);
            }
        }
    }
    return count;
}

static void decode(const struct scheme_settings *settings, const struct timed_spike *spikes,
                   size_t count, size_t length, double *x)
{
    struct fields fields = fields_of(settings);
    size_t next = 0;
    int64_t end = 0;
    for (size_t i = 0; i < length; i++) {
        uint64_t weights = 0, moments = 0; /* sums of w and of w i, exact */
        end += (int64_t)fields.last + 1;
        for (; next < count && spikes[next].tick < end; next++) {
            uint64_t weight = (uint64_t)(end - 1 - spikes[next].tick);
            weights += weight;
            moments += weight * spikes[next].neuron;
        }
        x[i] = weights > 0 ? ((double)moments / (double)weights - 0.5) * fields.spacing : 0.5;
    }
}

/* As the head of the file derives it, for one x of 0 … 1. */
static double bound_of(const struct fields *fields, double x)
{
    double half_step = 0.5 / fields->last;
    double pull = 0, doubt = 0, weights = 0, farthest = 0;
    bool silent = true; /* no neuron can fire */
    for (uint32_t j = 0; j < fields->neurons; j++) {
        double distance = centre_of(fields, j) - x;
        double response = response_of(fields, distance), from = fabs(distance);
        double unsure = response < half_step ? response : half_step;
        pull += response * distance;
        doubt += unsure * from;
        weights += response - unsure;
        if (response >= half_step * (1 - 1e-9)) {
            silent = false;
            farthest = from > farthest ? from : farthest;
        }
    }
    if (silent)
        return fabs(x - 0.5);
    double off = (fabs(pull) + doubt) / weights;
    /* weights barely above 0: a neuron may as well not fire */
    if (!(weights > 1e-9))
        return farthest > fabs(x - 0.5) ? farthest : fabs(x - 0.5);
    return off < farthest ? off : farthest;
}

static double bound(const struct scheme_settings *settings, const double *x, size_t length)
{
    struct fields fields = fields_of(settings);
    double widest = 0;
    for (size_t i = 0; i < length; i++) {
        double off = bound_of(&fields, unit_clip(x[i], 0));
        widest = off > widest ? off : widest;
    }
    return widest + 0x1p-40 + unit_excess(x, length, 0); /* 2^-40: the sums' and exp's rounding */
}

const struct scheme scheme_population = {
    .name = "population",
    .summary = "neurons with Gaussian receptive fields: the better x suits, the earlier",
    .definition = "t_i = round((T-1) (1 - exp(-(x - mu_i)^2 / (2 sigma^2)))), "
                  "mu_i = (2i-3)/(2m-4), sigma = 1/(beta (m-2)); "
                  "x = mean of mu_i weighted by T-1-t_i",
    .reference = "Bohte et al. 2002, Neurocomputing 48; SpikingJelly GaussianTuningCurveEncoder",
    .form = SCHEME_VALUE,
    .parameters = {[TICKS] = {"ticks", "ticks", 16, 2, 1000000, true, false, "T of each value"},
                   [NEURONS] = {"neurons", "", 8, 3, 256, true, false, "m: receptive fields"},
                   [BETA] = {"beta", "", 1.5, 0.1, 10, false, true,
                             "how narrow the fields are: distance of centres / sigma"}},
    .neurons = neurons_of,
    .room = room,
    .encode = encode,
    .decode = decode,
    .bound = bound,
};
