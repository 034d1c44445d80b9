/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The schemes of changes (threshold-based, step-forward, moving-window, send-on-delta, sigma-delta)
 * against spikes worked out by hand, against the published loops run in Python, and against these
 * loops written out here; round trips against the bounds, of ordinary and of adversarial signals.
 *
 * Thresholds of 1/16 and the like with values in 64ths are exact in binary, so the published loops,
 * which add θ to a baseline again and again, must agree to the last tie.
 */
#include "encoding/scheme.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const names[] = {"threshold-based", "step-forward", "moving-window",
                                    "send-on-delta", "sigma-delta"};
enum { NAMES = sizeof names / sizeof *names };

static struct scheme_settings settings_of(const char *text)
{
    struct scheme_settings settings;
    struct error error = {0};
    if (!scheme_parse(text, &settings, &error))
        fail_msg("%s", error.text);
    return settings;
}

static size_t encode(const struct scheme_settings *settings, const double *x, size_t length,
                     struct timed_spike *spikes)
{
    return settings->scheme->encode(settings, x, length, 0, spikes);
}

/* The payload of every tick, checking what every encoder promises. */
static void payloads_of(const char *text, const double *x, size_t length, int32_t *payloads)
{
    struct scheme_settings settings = settings_of(text);
    assert_int_equal(scheme_room(&settings, length), length);
    struct timed_spike *spikes = malloc((length + 1) * sizeof *spikes);
    spikes[length].tick = -7;
    size_t count = encode(&settings, x, length, spikes);
    assert_int_equal(spikes[length].tick, -7);
    assert_true(count <= length);
    memset(payloads, 0, length * sizeof *payloads);
    for (size_t s = 0; s < count; s++) {
        assert_true(spikes[s].tick >= 0 && spikes[s].tick < (int64_t)length);
        assert_true(s == 0 || spikes[s].tick > spikes[s - 1].tick);
        assert_true(spikes[s].neuron == 0 && spikes[s].payload != 0);
        assert_true(settings.scheme->graded || abs(spikes[s].payload) == 1);
        payloads[spikes[s].tick] = spikes[s].payload;
    }
    free(spikes);
}

static void check_payloads(const char *text, const double *x, size_t length,
                           const int32_t *expected)
{
    int32_t *payloads = malloc((length + 1) * sizeof *payloads);
    payloads_of(text, x, length, payloads);
    for (size_t i = 0; i < length; i++)
        if (payloads[i] != expected[i])
            fail_msg("%s: tick %zu has %d, not %d", text, i, payloads[i], expected[i]);
    free(payloads);
}

/* "+", "-" and "." for 1, -1 and 0. */
static void check_signs(const char *text, const double *x, const char *expected)
{
    int32_t payloads[128];
    size_t length = strlen(expected);
    for (size_t i = 0; i < length; i++)
        payloads[i] = (expected[i] == '+') - (expected[i] == '-');
    check_payloads(text, x, length, payloads);
}

static void check_decoded(const char *text, const double *x, const double *expected,
                          size_t length)
{
    struct scheme_settings settings = settings_of(text);
    struct timed_spike spikes[64];
    double decoded[64];
    size_t count = encode(&settings, x, length, spikes);
    settings.scheme->decode(&settings, spikes, count, length, decoded);
    for (size_t i = 0; i < length; i++)
        if (decoded[i] != expected[i])
            fail_msg("%s: tick %zu is %g, not %g", text, i, decoded[i], expected[i]);
}

/* ---- by hand ---- */

static void test_threshold_based_by_hand(void **state)
{
    (void)state;
    /* Changes from 0.5: 0, 0.25 (no more than θ), 0.375, -0.5, 0, -0.25 (not), -0.375. */
    const double x[] = {0.5, 0.75, 1.125, 0.625, 0.625, 0.375, 0};
    check_signs("threshold-based:threshold=0.25,start=0.5", x, "..+-..-");
    check_decoded("threshold-based:threshold=0.25,start=0.5", x,
                  (const double[]){0.5, 0.5, 0.75, 0.5, 0.5, 0.5, 0.25}, 7);
    check_signs("threshold-based:threshold=0.25", x, "+.+-..-"); /* from 0: 0.5 at once */
}

static void test_step_forward_by_hand(void **state)
{
    (void)state;
    /* Baselines from 0, θ = 0.25: 0.25 is not beyond; 0.3125 is: 0.25; 1 leaves it behind: 0.5,
     * 0.75, and at 0.75 no more; 0.5 is not below 0.5; 0 is: 0.5, 0.25, and stays. */
    const double x[] = {0.25, 0.3125, 1, 1, 1, 0.5, 0, 0, 0};
    check_signs("step-forward:threshold=0.25", x, ".+++..--.");
    check_decoded("step-forward:threshold=0.25", x,
                  (const double[]){0, 0.25, 0.5, 0.75, 0.75, 0.75, 0.5, 0.25, 0.25}, 9);
    check_signs("step-forward:threshold=0.25,start=1", x, "--+...--.");
}

static void test_moving_window_by_hand(void **state)
{
    (void)state;
    /* w = 2, θ = 0.25, from 0. Means before each: 0, 0.25, 0.5, 0.625, 0.75, 0.5, 0.125. */
    const double x[] = {0.5, 0.5, 0.75, 0.75, 0.25, 0, 1};
    check_signs("moving-window:threshold=0.25,window=2", x, "+...--+");
    check_decoded("moving-window:threshold=0.25,window=2", x,
                  (const double[]){0.25, 0.25, 0.25, 0.25, 0, -0.25, 0}, 7);
    /* w = 1 compares with the value before, as the threshold-based representation does. */
    check_signs("moving-window:threshold=0.25,window=1", x, "+...-.+");
    check_signs("threshold-based:threshold=0.25", x, "+...-.+");
    /* w longer than the signal, from 1: means 1, 0.875, 0.75, 0.6875, 0.625, 0.4375 … */
    check_signs("moving-window:threshold=0.25,window=4,start=1", x, "--..--+");
}

static void test_send_on_delta_by_hand(void **state)
{
    (void)state;
    /* δ = 0.25 from 0: 0.25 is as much as δ: +1. 1 is 3 more. 0.8 stays. 0.4 is -0.6: -2, sent 0.5.
     * 0.26 stays, 0.25 does not. -0.25 is -2. */
    const double x[] = {0.25, 1, 0.8, 0.4, 0.26, 0.25, -0.25, -0.25};
    check_payloads("send-on-delta:delta=0.25", x, 8, (const int32_t[]){1, 3, 0, -2, 0, -1, -2, 0});
    check_decoded("send-on-delta:delta=0.25", x,
                  (const double[]){0.25, 1, 1, 0.5, 0.5, 0.25, -0.25, -0.25}, 8);
    check_payloads("send-on-delta:delta=0.25,start=1", x, 8,
                   (const int32_t[]){-3, 3, 0, -2, 0, -1, -2, 0});
}

static void test_sigma_delta_by_hand(void **state)
{
    (void)state;
    /* θ = 0.25, u = 0.125, from 0. d: 0.1875 not; 0.25: 2 units, residue 0; 0.2 not; 0.3 (2.4
     * units): 2, sent 0.5, residue 0.05; 1 - 0.5: 4; -0.3125 (-2.5 units, upwards): -2, sent 0.75,
     * residue -0.0625; 0.5 - 0.75: -2. */
    const double x[] = {0.1875, 0.25, 0.45, 0.55, 1, 0.6875, 0.5};
    check_payloads("sigma-delta:threshold=0.25,unit=0.125", x, 7,
                   (const int32_t[]){0, 2, 0, 2, 4, -2, -2});
    check_decoded("sigma-delta:threshold=0.25,unit=0.125", x,
                  (const double[]){0, 0.25, 0.25, 0.5, 1, 0.75, 0.5}, 7);
    /* A unit larger than 2θ: 0.1 is said to be nothing, 0.7 to be one. */
    check_payloads("sigma-delta:threshold=0.01,unit=1", (const double[]){0.1, 0.7, 0.6}, 3,
                   (const int32_t[]){0, 1, 0});
}

/* A tie, and what is just before and beyond it (2^-53), above and below the start. */
static void test_next_to_a_tie(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int32_t at, beyond; /* payloads at a distance of 0.25, and just beyond */
    } cases[] = {
        {"threshold-based:threshold=0.25,start=0.5", 0, 1},
        {"step-forward:threshold=0.25,start=0.5", 0, 1},
        {"moving-window:threshold=0.25,start=0.5", 0, 1},
        {"send-on-delta:delta=0.25,start=0.5", 1, 1},
        {"sigma-delta:threshold=0.25,unit=0.25,start=0.5", 1, 1},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        for (int sign = -1; sign <= 1; sign += 2) {
            double x = 0.5 + sign * 0.25, before = x - sign * 0x1p-53, after = x + sign * 0x1p-53;
            check_payloads(cases[c].text, &before, 1, (const int32_t[]){0});
            check_payloads(cases[c].text, &x, 1, (const int32_t[]){sign * cases[c].at});
            check_payloads(cases[c].text, &after, 1, (const int32_t[]){sign * cases[c].beyond});
        }
}

/* ---- the published loops, run in Python (NumPy) ---- */

/* round(64 (0.5 + 0.33 sin(2π i / 40) + 0.12 sin(2π i / 11))), with +14 at 20 and -13 at 41. */
static const int waves[64] = {
    32, 39, 46, 49, 50, 49, 47, 45, 44, 46, 49, 53, 56, 58, 57, 53, 47, 39, 33, 28, 39, 25,
    25, 27, 27, 25, 21, 15, 10, 5,  3,  4,  8,  13, 19, 24, 27, 28, 28, 27, 26, 15, 32, 37,
    44, 51, 56, 58, 58, 55, 51, 47, 44, 44, 45, 47, 49, 49, 46, 41, 34, 27, 20, 15};

static void test_python(void **state)
{
    (void)state;
    double x[64];
    for (int i = 0; i < 64; i++)
        x[i] = waves[i] / 64.0;
    check_signs("threshold-based:threshold=0.03125,start=0.5", x,
                ".+++......+++..-----+-....----..+++++....-+++++..----.....------");
    check_signs("threshold-based:threshold=0.015625", x,
                "++++..--.+++++.-----+-.+.------.+++++....-++++++.----..++.------");
    check_signs("step-forward:threshold=0.0625,start=0.5", x,
                ".++++......+.+..----.---..-----..++++....-++++++++.-.......-----");
    check_signs("step-forward:threshold=0.03125", x,
                "++++++++++++++++++--+---.--------.++++++.-++++++++++..+++..-----");
    check_signs("moving-window:threshold=0.0625,start=0.5", x,
                ".+++++.....++++.----.--...------.++++++..-+++++++.----.....-----");
    check_signs("moving-window:threshold=0.03125,window=8", x,
                "++++++++...++++.-----------------.+++++++-+++++++++-----...-----");
    check_payloads("send-on-delta:delta=0.0625,start=0.5", x, 64,
                   (const int32_t[]){0,  1,  2,  1, 0, 0, 0,  0,  -1, 0,  1,  1, 1, 0, 0, 0,
                                     -2, -2, -1, -2, 2, -2, 0, 0, 0, 0,  -1, -2, -1, -1, -1, 0,
                                     1,  1,  1,  2, 0, 1, 0,  0,  0,  -3, 4,  1, 2, 1, 2, 0,
                                     0,  0,  -1, -1, -1, 0, 0, 0, 1,  0,  0,  -1, -2, -2, -2, -1});
    check_payloads("sigma-delta:threshold=0.0625,unit=0.03125,start=0.5", x, 64,
                   (const int32_t[]){0,  4,  3,  0,  2, 0,  0, -2, 0,  0,  0,  4,  0, 2, 0, -2,
                                     -3, -4, -3, -3, 6, -7, 0, 0,  0,  0,  -2, -3, -3, -2, 0, 0,
                                     0,  4,  3,  2,  0, 2,  0, 0,  0,  -6, 8,  3,  3, 4, 2, 0,
                                     0,  0,  -2, -2, -2, 0, 0, 0,  3,  0,  -2, -2, -4, -3, -4, -2});
}

/* ---- the published loops, written out ---- */

enum { MOST = 3000, WINDOW_MOST = 1024 };

static int sign_beyond(long double difference, long double threshold)
{
    return (difference > threshold) - (difference < -threshold);
}

static void plain_threshold(const double *x, int length, double theta, double start, int32_t *out)
{
    for (int i = 0; i < length; i++)
        out[i] = sign_beyond((long double)x[i] - (i > 0 ? x[i - 1] : start), theta);
}

static void plain_step_forward(const double *x, int length, double theta, double start,
                               int32_t *out)
{
    long double base = start;
    for (int i = 0; i < length; i++) {
        out[i] = sign_beyond(x[i] - base, theta);
        base += out[i] * (long double)theta;
    }
}

static void plain_moving_window(const double *x, int length, double theta, int window,
                                double start, int32_t *out)
{
    for (int i = 0; i < length; i++) {
        long double sum = 0;
        for (int j = i - window; j < i; j++)
            sum += j >= 0 ? x[j] : start;
        out[i] = sign_beyond(x[i] - sum / window, theta);
    }
}

static void plain_send_on_delta(const double *x, int length, double delta, double start,
                                int32_t *out)
{
    long double sent = start;
    for (int i = 0; i < length; i++) {
        out[i] = 0;
        while (x[i] - sent >= delta) {
            sent += delta;
            out[i]++;
        }
        while (sent - x[i] >= delta) {
            sent -= delta;
            out[i]--;
        }
    }
}

static void plain_sigma_delta(const double *x, int length, double theta, double unit, double start,
                              int32_t *out)
{
    long double residue = 0, before = start;
    for (int i = 0; i < length; i++) {
        long double d = x[i] - before + residue;
        out[i] = fabsl(d) >= theta ? (int32_t)floorl(d / unit + 0.5L) : 0;
        residue = d - out[i] * (long double)unit;
        before = x[i];
    }
}

/* A walk of 64ths that sometimes leaps, within 0 … 1. */
static void walk_fill(double *x, int length, unsigned seed)
{
    srand(seed);
    int value = rand() % 65;
    for (int i = 0; i < length; i++) {
        value += rand() % 16 == 0 ? rand() % 65 - 32 : rand() % 7 - 3;
        value = value < 0 ? 0 : value > 64 ? 64 : value;
        x[i] = value / 64.0;
    }
}

/* Ties are common in 64ths; all agree to the last of them, since nothing is rounded. */
static void test_plain_loops_with_ties(void **state)
{
    (void)state;
    static double x[MOST];
    static int32_t expected[MOST];
    for (unsigned seed = 1; seed <= 20; seed++) {
        int length = seed == 1 ? 1 : MOST - (int)seed * 97;
        walk_fill(x, length, seed);
        plain_threshold(x, length, 3 / 64.0, 0.25, expected);
        check_payloads("threshold-based:threshold=0.046875,start=0.25", x, (size_t)length,
                       expected);
        plain_step_forward(x, length, 0.125, 0.25, expected);
        check_payloads("step-forward:threshold=0.125,start=0.25", x, (size_t)length, expected);
        plain_moving_window(x, length, 0.0625, 4, 0.25, expected);
        check_payloads("moving-window:threshold=0.0625,window=4,start=0.25", x, (size_t)length,
                       expected);
        plain_moving_window(x, length, 0.125, WINDOW_MOST, 0.25, expected);
        check_payloads("moving-window:threshold=0.125,window=1024,start=0.25", x, (size_t)length,
                       expected);
        plain_send_on_delta(x, length, 0.0625, 0.25, expected);
        check_payloads("send-on-delta:delta=0.0625,start=0.25", x, (size_t)length, expected);
        plain_sigma_delta(x, length, 0.0625, 0.03125, 0.25, expected);
        check_payloads("sigma-delta:threshold=0.0625,unit=0.03125,start=0.25", x, (size_t)length,
                       expected);
    }
}

/* Thresholds that are not exact in binary, and values that are never at a tie. */
static void test_plain_loops_without_ties(void **state)
{
    (void)state;
    static double x[MOST];
    static int32_t expected[MOST];
    srand(5);
    x[0] = 0.3;
    for (int i = 1; i < MOST; i++)
        x[i] = x[i - 1] + 0.2 * (rand() / (double)RAND_MAX - 0.5);
    plain_threshold(x, MOST, 0.03, 0.1, expected);
    check_payloads("threshold-based:threshold=0.03,start=0.1", x, MOST, expected);
    plain_step_forward(x, MOST, 0.07, 0.1, expected);
    check_payloads("step-forward:threshold=0.07,start=0.1", x, MOST, expected);
    plain_moving_window(x, MOST, 0.03, 7, 0.1, expected);
    check_payloads("moving-window:threshold=0.03,window=7,start=0.1", x, MOST, expected);
    plain_send_on_delta(x, MOST, 0.03, 0.1, expected);
    check_payloads("send-on-delta:delta=0.03,start=0.1", x, MOST, expected);
    plain_sigma_delta(x, MOST, 0.07, 0.003, 0.1, expected);
    check_payloads("sigma-delta:threshold=0.07,unit=0.003,start=0.1", x, MOST, expected);
}

/* ---- round trips ---- */

enum { KINDS = 12 };

static void signal_fill(int kind, double *x, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        double t = (double)i;
        switch (kind) {
        case 0: x[i] = 0; break;
        case 1: x[i] = 0.7; break;
        case 2: x[i] = i < length / 2 ? 0 : 1; break;
        case 3: x[i] = i == length / 2; break;
        case 4: x[i] = (t + 1) / (double)length; break;
        case 5: x[i] = 0.5 - 0.5 * cos(6.283185307179586 * t / 500); break;
        case 6: x[i] = (double)(i % 2); break;
        case 7: x[i] = fmod(t * 0.618033988749895, 1); break;
        case 8: x[i] = 0.1 * (double)(i % 10); break; /* ties, but for rounding */
        case 9: x[i] = 40 - 100 * (double)(i % 3); break; /* beyond the range */
        case 10: x[i] = 0x1p-1074 * t; break;
        default: x[i] = 0.1 * (double)(i % 20 < 10 ? i % 20 : 20 - i % 20); break;
        }
    }
}

/* The largest error of a round trip; *bound is what is promised. */
static double error_of(const char *text, const double *x, size_t length, double *bound)
{
    struct scheme_settings settings = settings_of(text);
    struct timed_spike *spikes = malloc((length + 1) * sizeof *spikes);
    double *decoded = malloc((length + 1) * sizeof *decoded), most = 0;
    assert_true(spikes != NULL && decoded != NULL);
    size_t count = encode(&settings, x, length, spikes);
    settings.scheme->decode(&settings, spikes, count, length, decoded);
    for (size_t i = 0; i < length; i++)
        most = fabs(x[i] - decoded[i]) > most ? fabs(x[i] - decoded[i]) : most;
    *bound = settings.scheme->bound(&settings, x, length);
    free(spikes);
    free(decoded);
    return most;
}

/* A bound is kept, and is what the definition says: θ. */
static void check_bound(const char *text, const double *x, size_t length, double promised)
{
    double bound, error = error_of(text, x, length, &bound);
    if (!(bound >= promised && bound <= promised + 1e-12))
        fail_msg("%s: the bound is %.17g, not %.17g", text, bound, promised);
    if (!(error <= bound))
        fail_msg("%s: an error of %.17g, the bound is %.17g", text, error, bound);
}

static void test_bounds(void **state)
{
    (void)state;
    static double x[MOST];
    static const size_t lengths[] = {0, 1, 2, 997, MOST};
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++)
        for (int kind = 0; kind < KINDS; kind++) {
            signal_fill(kind, x, lengths[l]);
            check_bound("send-on-delta", x, lengths[l], 0.1);
            check_bound("send-on-delta:delta=0.001,start=0.5", x, lengths[l], 0.001);
            check_bound("sigma-delta", x, lengths[l], 0.1);
            check_bound("sigma-delta:threshold=0.001,unit=0.0005", x, lengths[l], 0.001);
            check_bound("sigma-delta:threshold=0.001,unit=0.3", x, lengths[l], 0.15);
        }
}

static void test_bound_of_step_forward(void **state)
{
    (void)state;
    static double x[MOST];
    double bound;
    /* As steep as θ, and as steep as θ with rounding; a little less; a slow sine. */
    for (int i = 0; i < MOST; i++)
        x[i] = 0.125 * (i % 16 < 8 ? i % 16 + 1 : 15 - i % 16);
    check_bound("step-forward:threshold=0.125", x, MOST, 0.125);
    signal_fill(11, x, MOST);
    for (int i = 0; i < MOST; i++)
        x[i] *= 0.999;
    check_bound("step-forward:threshold=0.1", x, MOST, 0.1);
    signal_fill(5, x, MOST);
    check_bound("step-forward:threshold=0.0063", x, MOST, 0.0063);
    check_bound("step-forward:threshold=0.1", x, 1, 0.1);
    check_bound("step-forward:threshold=0.1", x, 0, 0.1);
    /* Steeper: nothing is promised, and rightly so. */
    assert_true(error_of("step-forward:threshold=0.006", x, MOST, &bound) > 0.006);
    assert_true(isinf(bound));
    signal_fill(1, x, MOST);
    assert_true(error_of("step-forward:threshold=0.1", x, MOST, &bound) > 0.1 && isinf(bound));
    assert_true(error_of("step-forward:threshold=0.7", x, MOST, &bound) <= 0.7 && !isinf(bound));
}

/* Beyond 2^30 steps the level stops; nothing is promised, nothing overflows. */
static void test_values_beyond_counting(void **state)
{
    (void)state;
    const double x[] = {0, 1e300, -1e300, 1.7e308, -1.7e308, 0, 900};
    double bound;
    for (int i = 0; i < NAMES; i++) {
        int32_t payloads[7];
        payloads_of(names[i], x, 7, payloads);
    }
    int32_t limits[7];
    payloads_of("send-on-delta:delta=1", x, 7, limits);
    assert_true(limits[1] == 1073741823 && limits[2] == -2 * 1073741823);
    error_of("send-on-delta:delta=1", x, 7, &bound);
    assert_true(isinf(bound));
    error_of("sigma-delta", x, 7, &bound);
    assert_true(isinf(bound));
    check_bound("send-on-delta:delta=1", x + 5, 2, 1);
}

/* What is fired until a tick does not depend on what comes after it. */
static void test_causality(void **state)
{
    (void)state;
    static double x[MOST], y[MOST];
    static int32_t first[MOST], second[MOST];
    walk_fill(x, MOST, 77);
    for (int n = 1; n < MOST; n += 401) {
        memcpy(y, x, sizeof x);
        for (int i = n; i < MOST; i++)
            y[i] = 1 - x[i];
        for (int k = 0; k < NAMES; k++) {
            payloads_of(names[k], x, MOST, first);
            payloads_of(names[k], y, MOST, second);
            assert_memory_equal(first, second, (size_t)n * sizeof *first);
        }
    }
}

/* A receiver gets spikes from anywhere: those beyond the end do nothing, sums do not overflow. */
static void test_foreign_spikes(void **state)
{
    (void)state;
    const struct timed_spike spikes[] = {{.tick = -5, .payload = INT32_MAX},
                                         {.tick = 0, .payload = INT32_MAX},
                                         {.tick = 2, .payload = INT32_MIN},
                                         {.tick = 3, .payload = 9},
                                         {.tick = INT64_MAX, .payload = 1}};
    for (int k = 0; k < NAMES; k++) {
        struct scheme_settings settings = settings_of(names[k]);
        double x[3], step = settings.parameter[0];
        if (strcmp(names[k], "sigma-delta") == 0)
            step = 1.0 / 256;
        settings.scheme->decode(&settings, spikes, 5, 3, x);
        assert_true(x[0] == 4294967294.0 * step && x[1] == x[0] && x[2] == 2147483646.0 * step);
        settings.scheme->decode(&settings, spikes, 0, 3, x);
        assert_true(x[0] == 0 && x[1] == 0 && x[2] == 0);
        settings.scheme->decode(&settings, spikes, 5, 0, NULL);
        assert_int_equal(encode(&settings, x, 0, NULL), 0);
    }
}

/* Ten million values: no drift, all within the bound. */
static void test_huge(void **state)
{
    (void)state;
    enum { HUGE_LENGTH = 10000000 };
    double *x = malloc(HUGE_LENGTH * sizeof *x);
    assert_non_null(x);
    uint32_t word = 1;
    double value = 0;
    for (int i = 0; i < HUGE_LENGTH; i++) {
        word = word * 1664525 + 1013904223;
        value += ((double)(word >> 8) * 0x1p-24 - 0.5) * 0.019;
        value = value < 0 ? 0 : value > 1 ? 1 : value;
        x[i] = value;
    }
    check_bound("step-forward:threshold=0.01", x, HUGE_LENGTH, 0.01);
    check_bound("send-on-delta:delta=0.001", x, HUGE_LENGTH, 0.001);
    check_bound("sigma-delta:threshold=0.001", x, HUGE_LENGTH, 1.0 / 512);
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threshold_based_by_hand),
        cmocka_unit_test(test_step_forward_by_hand),
        cmocka_unit_test(test_moving_window_by_hand),
        cmocka_unit_test(test_send_on_delta_by_hand),
        cmocka_unit_test(test_sigma_delta_by_hand),
        cmocka_unit_test(test_next_to_a_tie),
        cmocka_unit_test(test_python),
        cmocka_unit_test(test_plain_loops_with_ties),
        cmocka_unit_test(test_plain_loops_without_ties),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_bound_of_step_forward),
        cmocka_unit_test(test_values_beyond_counting),
        cmocka_unit_test(test_causality),
        cmocka_unit_test(test_foreign_spikes),
        cmocka_unit_test(test_huge),
    };
    return cmocka_run_group_tests_name("scheme_changes", tests, NULL, NULL);
}
