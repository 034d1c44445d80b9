/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Burst: the larger x, the more spikes and the closer together.
 *
 *     N(x) = ceil(N_max x) spikes,
 *     I(x) = ceil(T - (T - T_min) x) ticks from one to the next,
 *     spikes at ticks 0, I, 2 I, … (N - 1) I as far as they lie before T
 *
 * The longest interval T_max is the window T itself. (Guo, Fouda, Eltawil and Salama: Neural
 * coding in spiking neural networks: a comparative study for robust neuromorphic systems,
 * Frontiers in Neuroscience 15:638474, 2021, with N_max = 5 and T_min = 2 ms. Where N = 1 they call
 * the interval T_max: no second spike shows it.)
 *
 * What was seen, n spikes at an interval I, leaves a cell of values:
 *
 *     n = 0     x = 0
 *     n = 1     0 < x <= 1/N_max, or a second spike would have come at T or later
 *     n >= 2    (T-I) / (T-T_min) <= x < (T-I+1) / (T-T_min)  and  x > (n-1) / N_max, and also
 *               x <= n / N_max where one spike more would still have come before T
 *
 * Decoded is the middle of the cell, so that the error is at most half of its width.
 */
#include "encoding/schemes/schemes.h"
#include "encoding/schemes/unit.h"

enum { TICKS, SPIKES, SHORTEST };

struct burst {
    uint32_t ticks, most, shortest; /* T, N_max, T_min */
};

struct cell {
    double lower, upper;
};

static struct burst burst_of(const struct scheme_settings *settings)
{
    return (struct burst){.ticks = (uint32_t)settings->parameter[TICKS],
                          .most = (uint32_t)settings->parameter[SPIKES],
                          .shortest = (uint32_t)settings->parameter[SHORTEST]};
}

static bool check(const struct scheme_settings *settings, struct error *error)
{
    struct burst b = burst_of(settings);
    if (b.shortest > b.ticks)
        return error_set(error, ERROR_MISUSED,
                         "burst: the shortest interval of %u ticks is longer than the %u ticks of "
                         "a value; give a smaller shortest or more ticks", b.shortest, b.ticks);
    return true;
}

static size_t room(const struct scheme_settings *settings, size_t length)
{
    struct burst b = burst_of(settings);
    size_t most = b.most < b.ticks ? b.most : b.ticks, spikes;
    return __builtin_mul_overflow(length, most, &spikes) ? SIZE_MAX : spikes;
}

/* Of a number that is not negative; the C library's may be a call. */
static uint32_t ceiling(double number)
{
    uint32_t whole = (uint32_t)number;
    return whole + (whole < number);
}

/* N before the window cuts the burst off. */
static uint32_t number_of(const struct burst *b, double x)
{
    return ceiling(b->most * x);
}

static uint32_t interval_of(const struct burst *b, double x)
{
    return ceiling(b->ticks - (double)(b->ticks - b->shortest) * x);
}

static double smaller(double a, double b)
{
    return a < b ? a : b;
}

static double larger(double a, double b)
{
    return a > b ? a : b;
}

/* The values for which n spikes are seen, the second `interval` ticks after the first. */
static struct cell cell_of(const struct burst *b, uint32_t n, uint32_t interval)
{
    double steps = b->ticks - b->shortest; /* of the interval */
    if (n == 0)
        return (struct cell){0, 0};
    if (n == 1)
        return (struct cell){0, larger(1.0 / b->most, steps > 0 ? 1 / steps : 1)};
    struct cell cell = {0, 1};
    double over = (double)b->ticks - interval;
    if (steps > 0)
        cell = (struct cell){over / steps, smaller(1, (over + 1) / steps)};
    cell.lower = larger(cell.lower, (double)(n - 1) / b->most);
    if ((uint64_t)n * interval < b->ticks)
        cell.upper = smaller(cell.upper, (double)n / b->most);
    return cell;
}

static size_t encode(const struct scheme_settings *settings, const double *x, size_t length,
                     uint64_t start, struct timed_spike *spikes)
{
    (void)start;
    struct burst b = burst_of(settings);
    size_t count = 0;
    int64_t begin = 0;
    for (size_t i = 0; i < length; i++, begin += b.ticks) {
        double clipped = unit_clip(x[i], 0);
        uint32_t n = number_of(&b, clipped), interval = interval_of(&b, clipped);
        for (uint32_t j = 0, t = 0; j < n && t < b.ticks; j++, t += interval)
            spikes[count++] = (struct timed_spike){.tick = begin + t, .payload = 1};
    }
    return count;
}

static void decode(const struct scheme_settings *settings, const struct timed_spike *spikes,
                   size_t count, size_t length, double *x)
{
    struct burst b = burst_of(settings);
    size_t next = 0;
    int64_t end = 0;
    for (size_t i = 0; i < length; i++) {
        size_t first = next;
        end += b.ticks;
        while (next < count && spikes[next].tick < end)
            next++;
        uint32_t n = (uint32_t)(next - first);
        uint32_t interval = n > 1 ? (uint32_t)(spikes[first + 1].tick - spikes[first].tick) : 0;
        struct cell cell = cell_of(&b, n, interval);
        x[i] = (cell.lower + cell.upper) / 2;
    }
}

/* Half the widest cell that any x lies in; and the rounding of N_max x and of the cells' ends. */
static double bound(const struct scheme_settings *settings, const double *x, size_t length)
{
    struct burst b = burst_of(settings);
    double widest = 0;
    for (size_t i = 0; i < length; i++) {
        double clipped = unit_clip(x[i], 0);
        uint32_t n = number_of(&b, clipped), interval = interval_of(&b, clipped);
        uint32_t fit = (b.ticks - 1) / interval + 1;
        struct cell cell = cell_of(&b, n < fit ? n : fit, interval);
        widest = larger(widest, cell.upper - cell.lower);
    }
    return widest / 2 + 0x1p-50 + unit_excess(x, length, 0);
}

const struct scheme scheme_burst = {
    .name = "burst",
    .summary = "more spikes, and closer together, the larger x",
    .definition = "N = ceil(N_max x) spikes from tick 0 on, ceil(T - (T - T_min) x) ticks apart; "
                  "x = middle of the values that N and the interval leave",
    .reference = "Guo et al. 2021, Frontiers in Neuroscience 15:638474",
    .form = SCHEME_VALUE,
    .parameters = {[TICKS] = {"ticks", "ticks", 32, 1, 1000000, true, false,
                              "T of each value, and the longest interval"},
                   [SPIKES] = {"spikes", "", 5, 1, 64, true, true, "N_max: spikes of x = 1"},
                   [SHORTEST] = {"shortest", "ticks", 2, 1, 1000000, true, false,
                                 "T_min: the interval of x = 1"}},
    .check = check,
    .room = room,
    .encode = encode,
    .decode = decode,
    .bound = bound,
};
