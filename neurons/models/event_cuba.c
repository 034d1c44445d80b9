/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Membranes behind a current that decays, between events (cuba_lif, cuba_li):
 *
 *     tau_syn I' = -I + w_in x,   tau_mem v' = (v_leak - v) + r I
 *
 * With s = tau_syn, m = tau_mem, I_end = w_in x, v_end = v_leak + r I_end, A = v - v_end and
 * B = r (I - I_end) at the last event,
 *
 *     I(t) = I_end + (I - I_end) e^(-t/s)
 *     v(t) = v_end + A e^(-t/m) + B K(t),   K as cuba_coupling in cuba.h
 *
 * v' has at most one zero, at which v has its one extremum:
 *
 *     t = s m / d ln(1 + y),   d = s - m,  y = d (1 - A/B) / m       (t = s (1 - A/B) where d = 0)
 *
 * So v rises to a maximum and falls to v_end, or falls to a minimum and rises to v_end, or goes
 * there without turning; which of them tells where a crossing can be, and brackets it. A pulse of
 * area 1 adds w_in / tau_syn to I, a jump of 1 adds w_in.
 */
#include "encoding/arithmetic.h"
#include "neurons/models/cuba.h"
#include "neurons/models/event_models.h"

#include <math.h>

enum { TAU_SYN, TAU_MEM, R, V_LEAK, W_IN, THRESHOLD };
enum { V, I };

static double jump(const double *p, bool impulse)
{
    return impulse ? p[W_IN] / p[TAU_SYN] : p[W_IN];
}

static double potential(const double *p, const double *state, double x, double seconds)
{
    double i_end = p[W_IN] * x, v_end = p[V_LEAK] + p[R] * i_end;
    return v_end + (state[V] - v_end) * arithmetic_exp(-seconds / p[TAU_MEM]) +
           p[R] * (state[I] - i_end) * cuba_coupling(seconds, p[TAU_SYN], p[TAU_MEM]);
}

static void advance(const double *p, double *state, double x, double seconds, bool held)
{
    double i_end = p[W_IN] * x;
    if (!held)
        state[V] = potential(p, state, x, seconds);
    state[I] = i_end + (state[I] - i_end) * arithmetic_exp(-seconds / p[TAU_SYN]);
}

/* ln(1 + y) for y > -1, with small y in full. */
static double log_of_one_plus(double y)
{
    if (fabs(y) > 0.5)
        return arithmetic_log(1 + y);
    double z = y / (2 + y), square = z * z, sum = 0; /* ln(1 + y) = 2 artanh z, |z| <= 1/3 */
    for (int k = 37; k >= 3; k -= 2)
        sum = (sum + 1.0 / k) * square;
    return 2 * z * (1 + sum);
}

/* Where v turns, or INFINITY. */
static double turn(const double *p, double a, double b)
{
    if (b == 0)
        return INFINITY;
    double d = p[TAU_SYN] - p[TAU_MEM], way = 1 - a / b, y = d * way / p[TAU_MEM];
    if (!isfinite(way) || !(y > -1) || !isfinite(y))
        return INFINITY;
    double t = d == 0 ? p[TAU_SYN] * way : p[TAU_SYN] * p[TAU_MEM] / d * log_of_one_plus(y);
    return t > 0 && isfinite(t) ? t : INFINITY;
}

struct course {
    const double *p, *state;
    double x;
};

static double above_threshold(double seconds, void *argument)
{
    const struct course *c = argument;
    return potential(c->p, c->state, c->x, seconds) - c->p[THRESHOLD];
}

/* The crossing on a way that only rises from `low` on, towards a v_end above the threshold. */
static double crossing_after(struct course *course, double low, struct event_root *root)
{
    const double *p = course->p;
    double reach = p[TAU_SYN] > p[TAU_MEM] ? p[TAU_SYN] : p[TAU_MEM];
    for (int doublings = 0; doublings < 64; doublings++, reach *= 2)
        if (above_threshold(low + reach, course) > 0)
            return event_root_find(root, above_threshold, course, low, low + reach);
    return INFINITY; /* v_end is above the threshold by less than v can tell */
}

static double crossing(const double *p, const double *state, double x, bool inclusive,
                       struct event_root *root)
{
    double i_end = p[W_IN] * x, v_end = p[V_LEAK] + p[R] * i_end;
    double a = state[V] - v_end, b = p[R] * (state[I] - i_end);
    if (state[V] > p[THRESHOLD] || (inclusive && state[V] == p[THRESHOLD]))
        return 0;
    if (!isfinite(a) || !isfinite(b))
        return INFINITY;
    struct course course = {p, state, x};
    double turns = turn(p, a, b);
    bool rises = b > a; /* tau_mem v' = B - A at first */
    if (rises && turns < INFINITY) {
        double top = above_threshold(turns, &course);
        if (top > 0)
            return event_root_find(root, above_threshold, &course, 0, turns);
        return inclusive && top == 0 ? turns : INFINITY;
    }
    if (!(v_end > p[THRESHOLD]) || (!rises && turns == INFINITY))
        return INFINITY;
    return crossing_after(&course, rises ? 0 : turns, root);
}

const struct event_model event_cuba_lif = {
    .parameters = {"tau_syn", "tau_mem", "r", "v_leak", "w_in", "v_threshold"},
    .jumps = I,
    .jump = jump,
    .advance = advance,
    .crossing = crossing,
};

const struct event_model event_cuba_li = {
    .parameters = {"tau_syn", "tau_mem", "r", "v_leak", "w_in"},
    .jumps = I,
    .jump = jump,
    .advance = advance,
};
