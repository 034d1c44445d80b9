/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The schemes of filters (BSA, HSA): the filter against SciPy's firwin and against its formula;
 * spikes worked out by hand, given by the published loops in Python, and by these loops written out
 * here; signals that are made of the filter come back whole.
 */
#include "encoding/scheme.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MOST = 5000, TAPS_MOST = 64 };

static struct scheme_settings settings_of(const char *text)
{
    struct scheme_settings settings;
    struct error error = {0};
    if (!scheme_parse(text, &settings, &error))
        fail_msg("%s", error.text);
    return settings;
}

/* What is left when a spike at tick 0 alone is decoded: the filter. */
static void filter_of(const char *text, double *h, size_t length)
{
    struct scheme_settings settings = settings_of(text);
    settings.scheme->decode(&settings, &(struct timed_spike){.tick = 0, .payload = 1}, 1, length,
                            h);
}

/* Where a spike is, checking what every encoder promises; returns how many. */
static size_t spikes_of(const char *text, const double *x, size_t length, uint8_t *fired)
{
    struct scheme_settings settings = settings_of(text);
    assert_int_equal(scheme_room(&settings, length), length);
    struct timed_spike *spikes = malloc((length + 1) * sizeof *spikes);
    spikes[length].tick = -7;
    size_t count = settings.scheme->encode(&settings, x, length, 0, spikes);
    assert_int_equal(spikes[length].tick, -7);
    assert_true(count <= length);
    memset(fired, 0, length);
    for (size_t s = 0; s < count; s++) {
        assert_true(spikes[s].tick >= 0 && spikes[s].tick < (int64_t)length);
        assert_true(s == 0 || spikes[s].tick > spikes[s - 1].tick);
        assert_true(spikes[s].neuron == 0 && spikes[s].payload == 1);
        fired[spikes[s].tick] = 1;
    }
    free(spikes);
    return count;
}

/* "+" and "." for a spike and none. */
static void check_spikes(const char *text, const double *x, const char *expected)
{
    uint8_t fired[128];
    size_t length = strlen(expected);
    spikes_of(text, x, length, fired);
    for (size_t i = 0; i < length; i++)
        if (fired[i] != (expected[i] == '+'))
            fail_msg("%s: tick %zu has %d", text, i, fired[i]);
}

static void decode(const char *text, const double *x, size_t length, double *decoded)
{
    struct scheme_settings settings = settings_of(text);
    struct timed_spike *spikes = malloc((length + 1) * sizeof *spikes);
    size_t count = settings.scheme->encode(&settings, x, length, 0, spikes);
    settings.scheme->decode(&settings, spikes, count, length, decoded);
    free(spikes);
}

/* ---- the filter ---- */

/* scipy.signal.firwin(taps, cutoff): a Hamming window. */
static void test_filter_of_scipy(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int taps;
        double h[16];
    } cases[] = {
        {"bsa:taps=16,cutoff=0.1", 16,
         {0.0034089478331426576, 0.007420256275887396, 0.018846292833328206, 0.03946715195051533,
          0.06766407718940495, 0.09843336868199415, 0.12477493681773187, 0.13998496841799538,
          0.13998496841799538, 0.12477493681773187, 0.09843336868199418, 0.067664077189405,
          0.03946715195051533, 0.01884629283332822, 0.0074202562758874, 0.0034089478331426576}},
        {"bsa:taps=15,cutoff=0.4", 15,
         {0.002131539593192604, 0.00631494409001078, 0, -0.033017674584738047,
          -0.039935437021764726, 0.07710361101127594, 0.28803171716927617, 0.3987425994854944,
          0.28803171716927617, 0.07710361101127594, -0.039935437021764726, -0.033017674584738047,
          0, 0.00631494409001078, 0.002131539593192604}},
        {"hsa:taps=2,cutoff=0.3", 2, {0.5, 0.5}},
        {"hsa:taps=3,cutoff=0.5", 3,
         {0.04622149860240617, 0.9075570027951875, 0.04622149860240617}},
        {"bsa:taps=1,cutoff=0.3", 1, {1}},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        double h[32];
        filter_of(cases[c].text, h, 32);
        for (int j = 0; j < 32; j++)
            if (!(fabs(h[j] - (j < cases[c].taps ? cases[c].h[j] : 0)) < 1e-15))
                fail_msg("%s: tap %d is %.17g", cases[c].text, j, h[j]);
    }
}

static void test_filter_of_formula(void **state)
{
    (void)state;
    const long double pi = acosl(-1);
    for (int taps = 1; taps <= TAPS_MOST; taps++)
        for (double cutoff = 0.001; cutoff <= 1; cutoff += 0.0427) {
            char text[80];
            long double expected[TAPS_MOST], sum = 0;
            double h[TAPS_MOST + 1];
            for (int j = 0; j < taps; j++) {
                long double m = j - (taps - 1) / 2.0L;
                expected[j] = (m == 0 ? cutoff : sinl(pi * cutoff * m) / (pi * m)) *
                              (taps == 1 ? 1 : 0.54L - 0.46L * cosl(2 * pi * j / (taps - 1)));
                sum += expected[j];
            }
            snprintf(text, sizeof text, "bsa:taps=%d,cutoff=%.17g,gain=2.5", taps, cutoff);
            filter_of(text, h, TAPS_MOST + 1);
            for (int j = 0; j < taps; j++) {
                assert_true(fabsl(h[j] - 2.5L * expected[j] / sum) < 1e-14L);
                assert_true(h[j] == h[taps - 1 - j]);
            }
            assert_true(h[taps] == 0);
        }
}

static void test_negative_taps(void **state)
{
    (void)state;
    struct scheme_settings settings;
    struct error error = {0};
    assert_false(scheme_parse("hsa:taps=16,cutoff=0.2", &settings, &error));
    assert_int_equal(error.code, ERROR_MISUSED);
    assert_string_equal(error.text, "hsa: with taps=16 and cutoff=0.2, tap 0 of the filter is "
                                    "negative; a cutoff up to 2 / (taps - 1) = 0.133333 has none");
    assert_true(scheme_parse("hsa:taps=16,cutoff=0.1333", &settings, NULL));
    assert_true(scheme_parse("bsa:taps=16,cutoff=0.2", &settings, NULL));
    assert_true(scheme_parse("hsa:taps=1,cutoff=1", &settings, NULL));
    assert_true(scheme_parse("hsa:taps=2,cutoff=1", &settings, NULL));
}

/* ---- by hand: two taps are halves of the gain, whatever the cutoff ---- */

static void test_hsa_by_hand(void **state)
{
    (void)state;
    /* h = {0.25, 0.25}. Left from each tick on: 0.5 0.25: fits, 0.25 0 stays; 0 1: not; 1 0.75:
     * fits, 0.75 0.5; 0.5 0.25: fits, 0.25 0; 0 0.5: not; at the end there is no room for two. */
    const double x[] = {0.5, 0.25, 1, 0.75, 0.25, 0.5};
    check_spikes("hsa:taps=2,gain=0.5", x, "+.++..");
    double decoded[6];
    decode("hsa:taps=2,gain=0.5", x, 6, decoded);
    assert_memory_equal(decoded, ((const double[]){0.25, 0.25, 0.25, 0.5, 0.25, 0}),
                        sizeof decoded);
    /* One tap: a comparison with the gain. */
    check_spikes("hsa:taps=1,gain=0.5", x, "+.++.+");
}

static void test_bsa_by_hand(void **state)
{
    (void)state;
    /* h = {0.25, 0.25}, Σ|h| = 0.5, θ = 0.5: the sum has to fall by 0.25. The falls:
     * 0.125 0: 0 - 0.25 < 0. 0 0.5: -0.25 + 0.25 = 0. 0.5 0.25: 0.5, leaves 0.25 0.
     * 0 0.25 (after the first was left behind): 0. 0.25 0.125: 0.25 + 0, as much as needed:
     * leaves 0 -0.125. -0.125 0.5: -0.25 + 0.25 = 0. 0.5 0.375: 0.5, leaves 0.25 0.125. The last
     * has one tap: 0.125 falls by 0, not enough. */
    const double x[] = {0.125, 0, 0.5, 0.25, 0.25, 0.125, 0.5, 0.375};
    check_spikes("bsa:taps=2,gain=0.5,threshold=0.5", x, "..+.+.+.");
    double decoded[8];
    decode("bsa:taps=2,gain=0.5,threshold=0.5", x, 8, decoded);
    assert_memory_equal(decoded,
                        ((const double[]){0, 0, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25}),
                        sizeof decoded);
    /* A threshold of 1 asks for a perfect fit: 0.25 and more at both. */
    check_spikes("bsa:taps=2,gain=0.5,threshold=1", x, "..+...+.");
    /* The last value alone, by one tap of h: it falls by 0.25. */
    check_spikes("bsa:taps=2,gain=0.5,threshold=0.5", (const double[]){0.25}, "+");
    check_spikes("bsa:taps=2,gain=0.5,threshold=0.51", (const double[]){0.25}, ".");
    check_spikes("bsa:taps=1,gain=0.5,threshold=0.5", x, "..+...++");
}

/* ---- the published loops, run in Python with SciPy's filter ---- */

static void test_python(void **state)
{
    (void)state;
    /* round(64 (0.5 + 0.33 sin(2π i / 40) + 0.12 sin(2π i / 11))), with +14 at 20, -13 at 41. */
    static const int waves[64] = {
        32, 39, 46, 49, 50, 49, 47, 45, 44, 46, 49, 53, 56, 58, 57, 53, 47, 39, 33, 28, 39, 25,
        25, 27, 27, 25, 21, 15, 10, 5,  3,  4,  8,  13, 19, 24, 27, 28, 28, 27, 26, 15, 32, 37,
        44, 51, 56, 58, 58, 55, 51, 47, 44, 44, 45, 47, 49, 49, 46, 41, 34, 27, 20, 15};
    double x[64];
    for (int i = 0; i < 64; i++)
        x[i] = waves[i] / 64.0;
    check_spikes("bsa", x, "++++++.++++...+...+.........+.++.....+.++++++.+..+++............");
    check_spikes("bsa:taps=8,cutoff=0.2,threshold=0.9", x,
                 "+++.++.++++.++.+..+..+.........+..+.+...+++.++++.++.+++.+.......");
    check_spikes("bsa:taps=16,cutoff=0.4,threshold=0.5", x,
                 "++.++++++.+.+.+..+.........+..+..+..++.+++.++.++.++.+.+.........");
    check_spikes("hsa", x, "++++++..+++..+....+...........++.....+....+++++.................");
    check_spikes("hsa:taps=8,cutoff=0.2,gain=0.75", x,
                 "+++++.+++++++++..+.+.+.........+.+.+...++++.++++++.++++++.......");
}

/* ---- the published loops, written out, in long double ---- */

static void plain_bsa(const double *h, int taps, const double *x, int length, long double theta,
                      uint8_t *fired)
{
    static long double left[MOST];
    for (int i = 0; i < length; i++)
        left[i] = x[i];
    for (int i = 0; i < length; i++) {
        long double with = 0, without = 0;
        for (int j = 0; j < taps && i + j < length; j++) {
            with += fabsl(left[i + j] - h[j]);
            without += fabsl(left[i + j]);
        }
        assert_true(fabsl(without - theta - with) > 1e-14L); /* no tie: rounding does not decide */
        fired[i] = with <= without - theta;
        for (int j = 0; fired[i] && j < taps && i + j < length; j++)
            left[i + j] -= h[j];
    }
}

static void plain_hsa(const double *h, int taps, const double *x, int length, uint8_t *fired)
{
    static long double left[MOST];
    for (int i = 0; i < length; i++)
        left[i] = x[i];
    for (int i = 0; i < length; i++) {
        int fit = 0;
        for (int j = 0; j < taps && i + j < length; j++)
            fit += left[i + j] >= h[j];
        fired[i] = fit == taps;
        for (int j = 0; fired[i] && j < taps; j++)
            left[i + j] -= h[j];
    }
}

static void noise_fill(double *x, int length, unsigned seed)
{
    srand(seed);
    double value = 0.5;
    for (int i = 0; i < length; i++) {
        value += (rand() / (double)RAND_MAX - 0.5) * 0.2;
        value = value < -0.1 ? -0.1 : value > 1.2 ? 1.2 : value;
        x[i] = value + rand() / (double)RAND_MAX * 0.01;
    }
}

static void check_plain(const char *name, int taps, double cutoff, double gain, double threshold,
                        const double *x, int length)
{
    static uint8_t fired[MOST], expected[MOST];
    char text[100];
    double h[TAPS_MOST], magnitude = 0;
    bool is_bsa = strcmp(name, "bsa") == 0;
    int used = snprintf(text, sizeof text, "%s:taps=%d,cutoff=%.17g,gain=%.17g", name, taps,
                        cutoff, gain);
    if (is_bsa)
        snprintf(text + used, sizeof text - (size_t)used, ",threshold=%.17g", threshold);
    filter_of(text, h, (size_t)taps);
    for (int j = 0; j < taps; j++)
        magnitude += fabs(h[j]);
    spikes_of(text, x, (size_t)length, fired);
    if (is_bsa)
        plain_bsa(h, taps, x, length, (long double)threshold * magnitude, expected);
    else
        plain_hsa(h, taps, x, length, expected);
    for (int i = 0; i < length; i++)
        if (fired[i] != expected[i])
            fail_msg("%s: tick %d of %d has %d", text, i, length, fired[i]);
}

static void test_plain_loops(void **state)
{
    (void)state;
    static double x[MOST];
    /* Around the blocks of 1024 that the encoders work in, and shorter than the filter. */
    static const int lengths[] = {0, 1, 2, 15, 16, 17, 63, 64, 1023, 1024, 1025, 1030, 1087, 1088,
                                  1089, 2047, 2048, 2049, 3100, MOST};
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
        noise_fill(x, lengths[l], (unsigned)l + 1);
        check_plain("bsa", 16, 0.1, 1, 0.955, x, lengths[l]);
        check_plain("bsa", 16, 0.35, 1.3, 0.61, x, lengths[l]);
        check_plain("bsa", 13, 0.05, 0.7, 0.3, x, lengths[l]);
        check_plain("bsa", 64, 0.03, 2, 0.8, x, lengths[l]);
        check_plain("bsa", 1, 0.1, 0.3, 0.77, x, lengths[l]);
        check_plain("hsa", 16, 0.1, 1, 0, x, lengths[l]);
        check_plain("hsa", 64, 0.03, 0.5, 0, x, lengths[l]);
        check_plain("hsa", 7, 0.2, 0.2, 0, x, lengths[l]);
        check_plain("hsa", 1, 0.2, 0.6, 0, x, lengths[l]);
    }
}

/* ---- round trips ---- */

/* A sum of filters that do not touch comes back, spike by spike. */
static void test_made_of_the_filter(void **state)
{
    (void)state;
    static double h[TAPS_MOST], x[MOST], decoded[MOST];
    static uint8_t made[MOST], fired[MOST];
    static const char *const texts[] = {"bsa", "bsa:gain=3", "hsa", "hsa:gain=0.2"};
    for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) {
        filter_of(texts[k], h, 16);
        memset(x, 0, sizeof x);
        memset(made, 0, sizeof made);
        srand(3);
        for (int t = rand() % 16; t + 16 <= MOST; t += 16 + rand() % 20) {
            made[t] = 1;
            memcpy(x + t, h, 16 * sizeof *h);
        }
        spikes_of(texts[k], x, MOST, fired);
        assert_memory_equal(fired, made, MOST);
        decode(texts[k], x, MOST, decoded);
        assert_memory_equal(decoded, x, sizeof x);
    }
}

static double snr(const double *x, const double *decoded, int begin, int end)
{
    double power = 0, error = 0;
    for (int i = begin; i < end; i++) {
        power += x[i] * x[i];
        error += (x[i] - decoded[i]) * (x[i] - decoded[i]);
    }
    return 10 * log10(power / error);
}

/* A slow sine: 4000 values of 0.5 + 0.4 sin, for which the published loops in NumPy give these. */
static void test_signal_to_noise_of_a_sine(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double period, decibels;
        size_t spikes;
    } cases[] = {
        {"bsa", 400, 19.16, 1865}, {"bsa:threshold=0.8", 100, 23.59, 2075},
        {"bsa", 20, 25.47, 1993}, {"hsa", 400, 17.77, 1792}, {"hsa", 40, 22.88, 1893},
    };
    static double x[4000], decoded[4000];
    static uint8_t fired[4000];
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        for (int i = 0; i < 4000; i++)
            x[i] = 0.5 + 0.4 * sin(2 * 3.14159265358979323846 * i / cases[c].period);
        assert_int_equal(spikes_of(cases[c].text, x, 4000, fired), cases[c].spikes);
        decode(cases[c].text, x, 4000, decoded);
        assert_true(fabs(snr(x, decoded, 0, 4000) - cases[c].decibels) < 0.006);
    }
}

/* More than the gain is a spike at every tick; nothing, and less than nothing, is none. */
static void test_constants(void **state)
{
    (void)state;
    static double x[MOST];
    static uint8_t fired[MOST];
    for (int i = 0; i < MOST; i++)
        x[i] = 1.7;
    assert_true(spikes_of("bsa:threshold=0.5", x, MOST, fired) > MOST - 16);
    assert_int_equal(spikes_of("hsa", x, MOST, fired), MOST - 15);
    memset(x, 0, sizeof x);
    assert_int_equal(spikes_of("bsa:threshold=0", x, MOST, fired), 0);
    assert_int_equal(spikes_of("hsa", x, MOST, fired), 0);
    x[70] = -5;
    assert_int_equal(spikes_of("hsa", x, MOST, fired), 0);
}

/* HSA takes away only what is there. */
static void test_hsa_stays_below(void **state)
{
    (void)state;
    static double x[MOST], decoded[MOST];
    for (unsigned seed = 1; seed <= 10; seed++) {
        noise_fill(x, MOST, seed);
        for (int i = 0; i < MOST; i++)
            x[i] = fabs(x[i]) * (i % 700 < 350) + (i % 100 == 0) * 0.2;
        decode("hsa:gain=0.5", x, MOST, decoded);
        for (int i = 0; i < MOST; i++)
            assert_true(decoded[i] <= x[i] + 1e-15);
    }
}

static void test_extremes(void **state)
{
    (void)state;
    static uint8_t fired[8];
    const double x[] = {1e308, -1e308, 1.7e308, 0, -0.0, 0x1p-1074, 1, -1};
    spikes_of("bsa", x, 8, fired);
    spikes_of("hsa:taps=2", x, 8, fired);
    const struct timed_spike spikes[] = {{.tick = -1, .payload = 1}, {.tick = 2, .payload = -2},
                                         {.tick = 4, .payload = 1}, {.tick = INT64_MAX}};
    static const char *const texts[] = {"bsa:taps=2", "hsa:taps=2"};
    for (int k = 0; k < 2; k++) {
        struct scheme_settings settings = settings_of(texts[k]);
        double decoded[4];
        settings.scheme->decode(&settings, spikes, 4, 4, decoded);
        assert_true(decoded[0] == 0 && decoded[1] == 0 && decoded[2] == -1 && decoded[3] == -1);
        settings.scheme->decode(&settings, spikes, 4, 0, NULL);
        assert_int_equal(settings.scheme->encode(&settings, x, 0, 0, NULL), 0);
        assert_null(settings.scheme->bound);
    }
}

/* Ten million values: the far end is encoded as a signal of its own would be. */
static void test_huge(void **state)
{
    (void)state;
    enum { HUGE_LENGTH = 10000000, PERIOD = 4000 };
    double *x = malloc(HUGE_LENGTH * sizeof *x);
    uint8_t *fired = malloc(HUGE_LENGTH);
    assert_true(x != NULL && fired != NULL);
    static uint8_t one[PERIOD];
    /* A period begins and ends with more zeros than the filter is long, so periods do not meet. */
    for (int i = 0, at = 0; i < HUGE_LENGTH; i++, at = i % PERIOD)
        x[i] = at >= 100 && at < PERIOD - 100 ? 0.5 + 0.3 * (at % 170) / 170 : 0;
    static const char *const texts[] = {"bsa", "hsa"};
    for (int k = 0; k < 2; k++) {
        spikes_of(texts[k], x, PERIOD, one);
        spikes_of(texts[k], x, HUGE_LENGTH, fired);
        for (size_t begin = 0; begin < HUGE_LENGTH; begin += PERIOD)
            assert_memory_equal(fired + begin, one, PERIOD);
    }
    free(x);
    free(fired);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filter_of_scipy),
        cmocka_unit_test(test_filter_of_formula),
        cmocka_unit_test(test_negative_taps),
        cmocka_unit_test(test_hsa_by_hand),
        cmocka_unit_test(test_bsa_by_hand),
        cmocka_unit_test(test_python),
        cmocka_unit_test(test_plain_loops),
        cmocka_unit_test(test_made_of_the_filter),
        cmocka_unit_test(test_signal_to_noise_of_a_sine),
        cmocka_unit_test(test_constants),
        cmocka_unit_test(test_hsa_stays_below),
        cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_huge),
    };
    return cmocka_run_group_tests_name("scheme_filters", tests, NULL, NULL);
}
