/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Membranes without a synaptic current, between events (if, integrator, lif, li):
 *
 *     if, integrator   v' = r x                         v(t) = v + r x t
 *     lif, li          tau v' = (v_leak - v) + r x      v(t) = end + (v - end) e^(-t/tau),
 *                                                       end = v_leak + r x
 *
 * A pulse of area 1 adds r, or r / tau, to v. All crossings have closed forms.
 */
#include "encoding/arithmetic.h"
#include "neurons/models/event_models.h"

#include <math.h>

static bool is_over(double v, double threshold, bool inclusive)
{
    return v > threshold || (inclusive && v == threshold);
}

/* ---- without a leak ---- */

enum { IF_R, IF_THRESHOLD };

static double if_jump(const double *p, bool impulse)
{
    return impulse ? p[IF_R] : 1;
}

static void if_advance(const double *p, double *state, double x, double seconds, bool held)
{
    if (!held)
        state[0] += p[IF_R] * x * seconds;
}

static double if_crossing(const double *p, const double *state, double x, bool inclusive,
                          struct event_root *root)
{
    (void)root;
    double slope = p[IF_R] * x;
    if (is_over(state[0], p[IF_THRESHOLD], inclusive))
        return 0;
    return slope > 0 ? (p[IF_THRESHOLD] - state[0]) / slope : INFINITY;
}

/* ---- with a leak ---- */

enum { TAU, R, V_LEAK, THRESHOLD };

static double lif_jump(const double *p, bool impulse)
{
    return impulse ? p[R] / p[TAU] : 1;
}

static void lif_advance(const double *p, double *state, double x, double seconds, bool held)
{
    double end = p[V_LEAK] + p[R] * x;
    if (!held)
        state[0] = end + (state[0] - end) * arithmetic_exp(-seconds / p[TAU]);
}

static double lif_crossing(const double *p, const double *state, double x, bool inclusive,
                           struct event_root *root)
{
    (void)root;
    double end = p[V_LEAK] + p[R] * x;
    if (is_over(state[0], p[THRESHOLD], inclusive))
        return 0;
    if (!(end > p[THRESHOLD])) /* it comes near at most */
        return INFINITY;
    double ratio = (end - state[0]) / (end - p[THRESHOLD]);
    return isfinite(ratio) ? p[TAU] * arithmetic_log(ratio) : INFINITY;
}

const struct event_model event_if = {
    .parameters = {"r", "v_threshold"},
    .jump = if_jump,
    .advance = if_advance,
    .crossing = if_crossing,
};

const struct event_model event_integrator = {
    .parameters = {"r"},
    .jump = if_jump,
    .advance = if_advance,
};

const struct event_model event_lif = {
    .parameters = {"tau", "r", "v_leak", "v_threshold"},
    .jump = lif_jump,
    .advance = lif_advance,
    .crossing = lif_crossing,
};

const struct event_model event_li = {
    .parameters = {"tau", "r", "v_leak"},
    .jump = lif_jump,
    .advance = lif_advance,
};
