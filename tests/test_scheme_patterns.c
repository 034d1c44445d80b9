/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Phase, radix, burst and population against vectors worked out by hand, against their definitions
 * written out another way, and against what they promise of every value.
 */
#include "tests/scheme_rig.h"

enum { RANDOM = 4000 };

struct place {
    int64_t tick;
    uint32_t neuron;
};

/* The spikes of one value, all of payload 1, and what comes back. */
static void check_pattern(const char *text, double x, const struct place *places, size_t count,
                          double decoded)
{
    struct encoded e = encode_values(text, &x, 1);
    if (e.count != count)
        fail_msg("%s of %g: %zu spikes, not %zu", text, x, e.count, count);
    for (size_t i = 0; i < count; i++) {
        if (e.spikes[i].tick != places[i].tick || e.spikes[i].neuron != places[i].neuron)
            fail_msg("%s of %g: spike %zu is of neuron %u at %d", text, x, i, e.spikes[i].neuron,
                     (int)e.spikes[i].tick);
        assert_int_equal(e.spikes[i].payload, 1);
    }
    if (!(fabs(e.decoded[0] - decoded) <= 2e-15))
        fail_msg("%s of %g: back comes %.17g, not %.17g", text, x, e.decoded[0], decoded);
    encoded_free(&e);
}

/* "101" for spikes at ticks 0 and 2. */
static void check_train(const char *text, double x, const char *train, double decoded)
{
    struct place places[64];
    size_t count = 0;
    for (int64_t t = 0; train[t] != '\0'; t++)
        if (train[t] == '1')
            places[count++] = (struct place){t, 0};
    struct scheme_settings settings = settings_of(text);
    assert_int_equal(scheme_ticks(&settings), strlen(train));
    check_pattern(text, x, places, count, decoded);
}

static void test_phase_by_hand(void **state)
{
    (void)state;
    /* the table of Kim et al. 2018 */
    check_train("phase", 192 / 256.0, "11000000", 192 / 256.0);
    check_train("phase", 1 / 256.0, "00000001", 1 / 256.0);
    check_train("phase", 128 / 256.0, "10000000", 128 / 256.0);
    check_train("phase", 255 / 256.0, "11111111", 255 / 256.0);
    check_train("phase", 0, "00000000", 0);
    check_train("phase", 1, "11111111", 255 / 256.0);
    check_train("phase", nextafter(0.5, 0), "01111111", 127 / 256.0);
    check_train("phase:ticks=7,phases=3", 0.7, "1011011", 0.625); /* twice, and once cut off */
    check_train("phase:ticks=2,phases=5", 0.7, "10", 0.5);        /* the first bits only */
    check_train("phase:ticks=3,phases=1", 0.7, "111", 0.5);
    check_train("phase:ticks=9,phases=3", 1 / 3.0, "010010010", 0.25);
}

static void test_radix_by_hand(void **state)
{
    (void)state;
    check_train("radix:ticks=3", 5 / 7.0, "101", 5 / 7.0);
    check_train("radix:ticks=3", 0.5, "100", 4 / 7.0); /* 3.5 goes up */
    check_train("radix:ticks=3", nextafter(0.5, 0), "011", 3 / 7.0);
    check_train("radix:ticks=3", 0, "000", 0);
    check_train("radix:ticks=3", 1, "111", 1);
    check_train("radix", 1 / 255.0, "00000001", 1 / 255.0);
    check_train("radix", 170 / 255.0, "10101010", 170 / 255.0);
    check_train("radix:ticks=1", 0.49, "0", 0);
    check_train("radix:ticks=1", 0.51, "1", 1);
    check_train("radix:ticks=32", 1, "11111111111111111111111111111111", 1);
}

static void test_burst_by_hand(void **state)
{
    (void)state;
    const char *text = "burst:ticks=10";         /* N = ceil(5 x), I = ceil(10 - 8 x) */
    check_train(text, 0, "0000000000", 0);
    check_train(text, 0.1, "1000000000", 0.1);    /* one: 0 < x <= 1/5 */
    check_train(text, 0.2, "1000000000", 0.1);
    check_train(text, 0.21, "1000000001", 0.225); /* 9 apart: 1/5 < x < 2/8 */
    check_train(text, 0.3, "1000000010", 0.3125); /* 8 apart: 2/8 <= x < 3/8 */
    check_train(text, 0.5, "1000001000", 0.5625); /* 6 apart, the third cut off: 4/8 <= x < 5/8 */
    check_train(text, 0.9, "1001001001", 0.9375); /* 3 apart, the fifth cut off: 7/8 <= x < 1 */
    check_train(text, 1, "1010101010", 1);        /* 2 apart: 8/8 <= x */
    /* 9 apart: 21/28 <= x < 22/28; a fourth spike would fit, so that x <= 3/4 */
    check_train("burst:ticks=30,spikes=4", 0.75, "100000000100000000100000000000", 0.75);
    /* 28 ticks at most apart, but 1 spike for x <= 1/4 */
    check_train("burst:ticks=30,spikes=4", 0.1, "100000000000000000000000000000", 0.125);
    check_train("burst:ticks=4,shortest=4", 1, "1000", 0.5); /* the interval says nothing */
    check_train("burst:ticks=4,shortest=1", 1, "1111", 1);   /* the fifth is cut off */
    check_train("burst:ticks=1,shortest=1", 0.3, "1", 0.5);
}

static void test_population_by_hand(void **state)
{
    (void)state;
    /* centres -1/4, 1/4, 3/4, 5/4, sigma 1/3; responses 1, e^-9/8 = 0.325, e^-9/2 = 0.011 */
    const char *text = "population:ticks=11,neurons=4";
    check_pattern(text, 0.25, (const struct place[]){{0, 1}, {7, 0}, {7, 2}}, 3, 0.25);
    /* e^-9/32 = 0.755 and e^-81/32 = 0.080: weights 8, 8, 1, 1 */
    check_pattern(text, 0.5, (const struct place[]){{2, 1}, {2, 2}, {9, 0}, {9, 3}}, 4, 0.5);
    /* (8 (-1/4) + 8/4 + 3/4) / 17 */
    check_pattern(text, 0, (const struct place[]){{2, 0}, {2, 1}, {9, 2}}, 3, 0.75 / 17);
    /* two ticks: who responds by more than a half fires; no one if the fields are too narrow */
    text = "population:ticks=2,neurons=3,beta=10"; /* centres -1/2, 1/2, 3/2, sigma 1/10 */
    check_pattern(text, 0.4, (const struct place[]){{0, 1}}, 1, 0.5);
    check_pattern(text, 0, NULL, 0, 0.5);
}

/* Computed in Python from the definition with its own exp. */
static void test_population_as_elsewhere(void **state)
{
    (void)state;
    static const struct {
        int ticks, neurons;
        double beta, x, decoded;
        size_t count;
        struct place places[5];
    } table[] = {
        {16, 8, 1.5, 0.000, 0.010869565217391, 3, {{4, 0}, {4, 1}, {14, 2}}},
        {16, 8, 1.5, 0.137, 0.143333333333333, 4, {{2, 1}, {6, 2}, {13, 0}, {14, 3}}},
        {16, 8, 1.5, 0.500, 0.500000000000000, 4, {{4, 3}, {4, 4}, {14, 2}, {14, 5}}},
        {16, 8, 1.5, 0.861, 0.856666666666667, 4, {{2, 6}, {6, 5}, {13, 7}, {14, 4}}},
        {16, 8, 1.5, 1.000, 0.989130434782609, 3, {{4, 6}, {4, 7}, {14, 5}}},
        {100, 12, 2.0, 0.000, 0.001239669421488, 3, {{39, 0}, {39, 1}, {98, 2}}},
        {100, 12, 2.0, 0.137, 0.138888888888889, 3, {{3, 2}, {77, 1}, {91, 3}}},
        {100, 12, 2.0, 0.500, 0.500000000000000, 4, {{39, 5}, {39, 6}, {98, 4}, {98, 7}}},
        {100, 12, 2.0, 0.861, 0.859600000000000, 3, {{2, 9}, {79, 10}, {91, 8}}},
        {100, 12, 2.0, 1.000, 0.998760330578512, 3, {{39, 10}, {39, 11}, {98, 9}}},
        {33, 5, 1.0, 0.000, 0.087064676616915, 4, {{4, 0}, {4, 1}, {22, 2}, {31, 3}}},
        {33, 5, 1.0, 0.137, 0.188888888888889, 4, {{0, 1}, {11, 0}, {14, 2}, {28, 3}}},
        {33, 5, 1.0, 0.500, 0.500000000000000, 5, {{0, 2}, {13, 1}, {13, 3}, {28, 0}, {28, 4}}},
        {33, 5, 1.0, 0.861, 0.811111111111111, 4, {{0, 3}, {11, 4}, {14, 2}, {28, 1}}},
        {33, 5, 1.0, 1.000, 0.912935323383085, 4, {{4, 3}, {4, 4}, {22, 2}, {31, 1}}},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char text[80];
        snprintf(text, sizeof text, "population:ticks=%d,neurons=%d,beta=%g", table[i].ticks,
                 table[i].neurons, table[i].beta);
        check_pattern(text, table[i].x, table[i].places, table[i].count, table[i].decoded);
    }
}

/* ---- the definitions, another way ---- */

/* Kim et al. and SpikingJelly: what remains of x loses each weight that it holds. */
static void test_phase_takes_weights_away(void **state)
{
    (void)state;
    double x[RANDOM];
    fill_random(x, RANDOM, 0);
    struct encoded e = encode_values("phase:ticks=23,phases=9", x, RANDOM);
    size_t next = 0;
    for (int64_t i = 0; i < RANDOM; i++) {
        double rest = 0;
        for (int64_t t = 0; t < 23; t++) {
            if (t % 9 == 0)
                rest = x[i];
            double weight = pow(2, -(1 + (double)(t % 9)));
            if (rest < weight)
                continue;
            rest -= weight;
            assert_true(next < e.count && e.spikes[next].tick == 23 * i + t);
            next++;
        }
        assert_true(e.decoded[i] == floor(x[i] * 512) / 512);
    }
    assert_int_equal(next, e.count);
    encoded_free(&e);
}

/* What comes back is the mean over the periods: a lost spike costs its weight in one of them. */
static void test_phase_forgives(void **state)
{
    (void)state;
    const double x = 0.7;
    struct encoded e = encode_values("phase:ticks=10,phases=3", &x, 1); /* 101 101 101 1 */
    assert_int_equal(e.count, 7);
    e.spikes[3] = e.spikes[4]; /* the 1/8 of the second period is lost … */
    e.spikes[4] = e.spikes[5];
    e.settings.scheme->decode(&e.settings, e.spikes, 5, 1, e.decoded); /* … and the last spike */
    assert_true(fabs(e.decoded[0] - (3 * 0.625 - 0.125) / 3) < 1e-15);
    encoded_free(&e);
}

/* The receiver of radix spikes doubles what it has and adds the spike. */
static void test_radix_doubles(void **state)
{
    (void)state;
    double x[RANDOM];
    fill_random(x, RANDOM, 0);
    struct encoded e = encode_values("radix:ticks=11", x, RANDOM);
    size_t next = 0;
    for (int64_t i = 0; i < RANDOM; i++) {
        long potential = 0;
        for (int64_t t = 0; t < 11; t++) {
            bool fires = next < e.count && e.spikes[next].tick == 11 * i + t;
            potential = 2 * potential + fires;
            next += fires;
        }
        assert_int_equal(potential, lround(x[i] * 2047));
        assert_true(e.decoded[i] == (double)potential / 2047);
    }
    encoded_free(&e);
}

/*
 * Bursts of a fine grid of values: each as the definition has it; and of all values that give the
 * same burst, half way between the least and the greatest comes back.
 */
static void check_burst(int ticks, int most, int shortest)
{
    enum { GRID = 30000 };
    char text[80];
    snprintf(text, sizeof text, "burst:ticks=%d,spikes=%d,shortest=%d", ticks, most, shortest);
    double *x = malloc((GRID + 1) * sizeof *x);
    for (int i = 0; i <= GRID; i++)
        x[i] = (double)i / GRID;
    struct encoded e = encode_values(text, x, GRID + 1);
    size_t next = 0;
    for (int i = 0, first = 0; i <= GRID; i++) {
        long double exact = (long double)i / GRID;
        long number = (long)ceill(most * exact - 1e-12L); /* on the grid's points: exact */
        long interval = (long)ceill(ticks - (ticks - shortest) * exact - 1e-12L);
        for (long j = 0; j < number && j * interval < ticks; j++, next++)
            assert_true(next < e.count && e.spikes[next].tick == (int64_t)i * ticks + j * interval);
        if (i < GRID && e.decoded[i + 1] == e.decoded[first])
            continue;
        double middle = (x[first] + x[i]) / 2;
        if (!(fabs(e.decoded[first] - middle) <= 1.0 / GRID))
            fail_msg("%s: %g … %g come back as %g", text, x[first], x[i], e.decoded[first]);
        first = i + 1;
    }
    assert_int_equal(next, e.count);
    encoded_free(&e);
    free(x);
}

static void test_burst_says_its_cell(void **state)
{
    (void)state;
    check_burst(32, 5, 2);
    check_burst(100, 5, 2); /* Guo et al. 2021 */
    check_burst(10, 5, 2);
    check_burst(10, 20, 1);
    check_burst(30, 4, 2);
    check_burst(16, 2, 3);
    check_burst(8, 3, 8);
    check_burst(5, 1, 1);
    check_burst(3, 64, 2);
    check_burst(1, 3, 1);
}

/* All responses in long double; where one lies next to a half, any tick is right. */
static void check_population(int ticks, int neurons, double beta)
{
    char text[80];
    snprintf(text, sizeof text, "population:ticks=%d,neurons=%d,beta=%g", ticks, neurons, beta);
    double x[RANDOM];
    fill_random(x, RANDOM, 0);
    struct encoded e = encode_values(text, x, RANDOM);
    size_t next = 0;
    for (int64_t i = 0; i < RANDOM; i++) {
        int64_t tick_of[256];
        for (int j = 0; j < neurons; j++)
            tick_of[j] = ticks - 1;
        for (; next < e.count && e.spikes[next].tick < (i + 1) * ticks; next++)
            tick_of[e.spikes[next].neuron] = e.spikes[next].tick - i * ticks;
        long double weights = 0, moments = 0;
        for (int j = 1; j <= neurons; j++) {
            long double mu = (2.0L * j - 3) / (2.0L * (neurons - 2));
            long double sigma = 1 / ((long double)beta * (neurons - 2));
            long double late =
                (ticks - 1) * (1 - expl(-(x[i] - mu) * (x[i] - mu) / (2 * sigma * sigma)));
            assert_true(fabsl((long double)tick_of[j - 1] - late) <= 0.5L + 1e-9L * ticks);
            weights += ticks - 1 - (long double)tick_of[j - 1];
            moments += (ticks - 1 - (long double)tick_of[j - 1]) * mu;
        }
        assert_true(weights == 0 ? e.decoded[i] == 0.5
                                 : fabsl(e.decoded[i] - moments / weights) < 1e-14L);
    }
    encoded_free(&e);
}

static void test_population_responds(void **state)
{
    (void)state;
    check_population(16, 8, 1.5);
    check_population(11, 3, 1);
    check_population(2, 5, 1.5);
    check_population(3, 4, 10);
    check_population(1000, 20, 2);
    check_population(64, 256, 0.1);
}

/* A response that rounds to the last tick does not fire, one hardly greater does a tick before. */
static void test_population_keeps_quiet_late(void **state)
{
    (void)state;
    const double centre = 2.5 / 6, sigma = 1 / 9.0; /* of the neuron 3 of 8 */
    for (int fires = 0; fires <= 1; fires++) {
        double x = centre + sigma * sqrt(2 * (log(2 * 15.0) + (fires ? -5e-7 : 5e-7)));
        struct encoded e = encode_values("population", &x, 1);
        int seen = 0;
        for (size_t i = 0; i < e.count; i++) {
            seen += e.spikes[i].neuron == 3 && e.spikes[i].tick == 14;
            assert_true(e.spikes[i].tick < 15);
        }
        assert_int_equal(seen, fires);
        encoded_free(&e);
    }
}

/* ---- what is promised ---- */

static const char *const texts[] = {
    "phase", "phase:ticks=7,phases=3", "phase:ticks=4", "phase:ticks=32,phases=32",
    "phase:ticks=1,phases=1", "radix", "radix:ticks=1", "radix:ticks=13", "radix:ticks=32",
    "burst", "burst:ticks=1000,spikes=64", "burst:ticks=10", "burst:ticks=3,spikes=64,shortest=1",
    "burst:ticks=9,shortest=9", "burst:ticks=1,shortest=1", "burst:ticks=50,spikes=1",
    "population", "population:ticks=2", "population:ticks=100,neurons=3",
    "population:ticks=1000,neurons=64,beta=2", "population:ticks=4,neurons=12,beta=10",
    "population:neurons=20,beta=0.1",
};

enum { TEXTS = sizeof texts / sizeof *texts };

static void test_round_trip(void **state)
{
    (void)state;
    const double edges[] = {0, 1, nextafter(0, 1), nextafter(1, 0), 0.5, nextafter(0.5, 0),
                            nextafter(0.5, 1), 0.2, 0.4, 0.6, 0.8, nextafter(0.2, 1),
                            nextafter(0.6, 1), 1e-300, 1 / 3.0, 0.25, -0.0};
    enum { EDGES = sizeof edges / sizeof *edges };
    double x[RANDOM], grid[1025];
    fill_random(x, RANDOM, 0);
    for (int i = 0; i < 1025; i++)
        grid[i] = i / 1024.0;
    for (int i = 0; i < TEXTS; i++) {
        check_bound(texts[i], x, RANDOM);
        check_bound(texts[i], edges, EDGES);
        check_bound(texts[i], grid, 1025);
        for (int j = 0; j < EDGES; j++)
            check_bound(texts[i], edges + j, 1); /* length 1, with a bound of its own */
        check_independence(texts[i], x, 50);
        check_independence(texts[i], edges, EDGES);
        check_clipping(texts[i], 0);
        check_empty(texts[i]);
    }
}

/* The bounds are what the definitions give, and are reached. */
static void test_bounds(void **state)
{
    (void)state;
    double x[RANDOM];
    fill_random(x, RANDOM, 0);
    for (int i = 0; i < TEXTS; i++) {
        double reached = check_bound(texts[i], x, RANDOM);
        if (!(reached > (strstr(texts[i], "population") != NULL ? 0.2 : 0.95)))
            fail_msg("%s: only %g of the bound is reached", texts[i], reached);
    }
    const double half = 0.5, outside[] = {0.5, 1.25, -0.125};
    struct scheme_settings settings = settings_of("phase:ticks=6,phases=9");
    assert_true(settings.scheme->bound(&settings, &half, 1) == 1 / 64.0);
    assert_true(settings.scheme->bound(&settings, outside, 3) == 1 / 64.0 + 0.25);
    settings = settings_of("radix:ticks=6");
    assert_true(fabs(settings.scheme->bound(&settings, &half, 1) - 0.5 / 63) < 1e-15);
    settings = settings_of("burst:ticks=10");
    const double slow[] = {0.1, 0.3}, fast[] = {1, 0};
    assert_true(fabs(settings.scheme->bound(&settings, slow, 2) - 0.1) < 1e-14);
    assert_true(fabs(settings.scheme->bound(&settings, slow + 1, 1) - 0.0625) < 1e-14);
    assert_true(settings.scheme->bound(&settings, fast, 2) < 1e-14);
    settings = settings_of("population:ticks=1000,neurons=12"); /* nearly the mean's own fault */
    assert_true(settings.scheme->bound(&settings, &half, 1) < 2e-3);
}

static void test_rooms(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t room;
    } table[] = {
        {"phase:ticks=9", 900}, {"radix:ticks=5", 500}, {"burst:ticks=9,spikes=3", 300},
        {"burst:ticks=9,spikes=30", 900}, {"population:neurons=7", 700},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct scheme_settings settings = settings_of(table[i].text);
        assert_int_equal(scheme_room(&settings, 100), table[i].room);
    }
    struct scheme_settings settings = settings_of("population:neurons=7");
    assert_int_equal(scheme_neurons(&settings), 7);
}

static void test_misuse(void **state)
{
    (void)state;
    static const char *const table[][2] = {
        {"burst:ticks=4,shortest=5", "more ticks"}, {"burst:ticks=1", "shortest interval of 2"},
        {"phase:phases=33", "phases"},              {"phase:phases=1.5", "whole"},
        {"radix:ticks=33", "ticks"},                {"population:neurons=2", "neurons"},
        {"population:ticks=1", "ticks"},            {"burst:length=3", "spikes, shortest"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct scheme_settings settings;
        struct error error = {0};
        assert_false(scheme_parse(table[i][0], &settings, &error));
        assert_int_equal(error.code, ERROR_MISUSED);
        if (strstr(error.text, table[i][1]) == NULL)
            fail_msg("%s", error.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_phase_by_hand),
        cmocka_unit_test(test_radix_by_hand),
        cmocka_unit_test(test_burst_by_hand),
        cmocka_unit_test(test_population_by_hand),
        cmocka_unit_test(test_population_as_elsewhere),
        cmocka_unit_test(test_phase_takes_weights_away),
        cmocka_unit_test(test_phase_forgives),
        cmocka_unit_test(test_radix_doubles),
        cmocka_unit_test(test_burst_says_its_cell),
        cmocka_unit_test(test_population_responds),
        cmocka_unit_test(test_population_keeps_quiet_late),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_rooms),
        cmocka_unit_test(test_misuse),
    };
    return cmocka_run_group_tests_name("scheme_patterns", tests, NULL, NULL);
}
