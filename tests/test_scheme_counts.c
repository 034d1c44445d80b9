/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The count codings as schemes: spike by spike what coding.h opens for a vector of the same counts,
 * vectors worked out by hand, and the promised half step.
 */
#include "tests/scheme_rig.h"

#include "encoding/coding.h"

enum { RANDOM = 3000, KINDS = 5 };

static const char *const names[KINDS] = {"binary", "ternary", "bitwise", "unsigned",
                                         "twos-complement"};

static bool is_signed(const char *name)
{
    return strcmp(name, "binary") != 0 && strcmp(name, "unsigned") != 0;
}

static void text_of(char *text, const char *name, int levels)
{
    snprintf(text, 60, "%s:levels=%d", name, levels);
}

static void test_by_hand(void **state)
{
    (void)state;
    /* L = 5 */
    static const struct {
        const char *text;
        double x;
        uint32_t ticks;
        int32_t payload[5];
        double decoded;
    } table[] = {
        {"binary:levels=5", 0.6, 5, {1, 1, 1}, 0.6},
        {"binary:levels=5", 1, 5, {1, 1, 1, 1, 1}, 1},
        {"binary:levels=5", 0, 5, {0}, 0},
        {"binary:levels=5", 0.1, 5, {0}, 0},                /* 0.5, to even */
        {"binary:levels=5", 0.3, 5, {1, 1}, 0.4},           /* 1.5, to even */
        {"binary:levels=5", -0.6, 5, {0}, 0},
        {"ternary:levels=5", 0.6, 5, {1, 1, 1}, 0.6},
        {"ternary:levels=5", -0.4, 5, {-1, -1}, -0.4},
        {"ternary:levels=5", -7, 5, {-1, -1, -1, -1, -1}, -1},
        {"bitwise:levels=5", 1, 3, {4, 0, 1}, 1},
        {"bitwise:levels=5", -0.6, 3, {0, -2, -1}, -0.6},
        {"bitwise:levels=5", -0.1, 3, {0}, 0},
        {"unsigned:levels=5", 1, 3, {4, 0, 1}, 1},
        {"unsigned:levels=5", 0.8, 3, {4}, 0.8},
        {"unsigned:levels=5", -0.8, 3, {0}, 0},
        {"twos-complement:levels=5", 1, 4, {0, 4, 0, 1}, 1},
        {"twos-complement:levels=5", -0.6, 4, {-8, 4, 0, 1}, -0.6},
        {"twos-complement:levels=5", -1, 4, {-8, 0, 2, 1}, -1},
        {"twos-complement:levels=1", -1, 2, {-2, 1}, -1},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct encoded e = encode_values(table[i].text, &table[i].x, 1);
        assert_int_equal(scheme_ticks(&e.settings), table[i].ticks);
        size_t next = 0;
        for (int64_t t = 0; t < 5; t++) {
            if (table[i].payload[t] == 0)
                continue;
            assert_true(next < e.count && e.spikes[next].tick == t);
            assert_int_equal(e.spikes[next].payload, table[i].payload[t]);
            next++;
        }
        assert_int_equal(next, e.count);
        assert_true(e.decoded[0] == table[i].decoded);
        encoded_free(&e);
    }
}

/* T from first principles: L spikes; or so many bits that 2^bits > L; or one more for the sign. */
static void test_ticks(void **state)
{
    (void)state;
    static const int levels[] = {1, 2, 3, 4, 7, 8, 15, 16, 100, 127, 128, 255, 256, 65535};
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        uint32_t bits = 0, level = (uint32_t)levels[i];
        while (1L << bits <= (long)level)
            bits++;
        const uint32_t expected[KINDS] = {level, level, bits, bits, bits + 1};
        for (int k = 0; k < KINDS; k++) {
            char text[60];
            text_of(text, names[k], levels[i]);
            struct scheme_settings settings = settings_of(text);
            assert_int_equal(scheme_ticks(&settings), expected[k]);
        }
    }
    for (int k = 0; k < KINDS; k++) { /* of 15 levels unless said */
        struct scheme_settings settings = settings_of(names[k]);
        assert_true(settings.parameter[0] == 15);
    }
}

/* Values as the neurons of one vector, whose ends give it the frame of the scheme. */
static void check_coding(const char *name, int levels)
{
    char text[60];
    text_of(text, name, levels);
    double lowest = is_signed(name) ? -1 : 0;
    static double x[RANDOM];
    static int32_t counts[RANDOM];
    static struct spike volley[RANDOM];
    fill_random(x, RANDOM, lowest);
    x[0] = lowest;
    x[1] = 1;
    for (int i = 0; i < RANDOM; i++)
        counts[i] = (int32_t)rint(x[i] * levels);
    const struct coding *coding = coding_find(name, NULL);
    struct frame frame = coding_frame(coding, counts, RANDOM);
    struct encoded e = encode_values(text, x, RANDOM);
    assert_int_equal(scheme_ticks(&e.settings), frame.ticks);
    assert_int_equal(frame.zero, 0);
    static size_t next[RANDOM]; /* the value's next spike */
    size_t end = 0, seen = 0;
    for (int64_t i = 0; i < RANDOM; i++) {
        next[i] = end;
        while (end < e.count && e.spikes[end].tick < (i + 1) * frame.ticks)
            end++;
        assert_int_equal(end - next[i], coding->spikes(counts[i], frame));
        assert_true(e.decoded[i] == (double)counts[i] / levels);
    }
    for (uint32_t t = 0; t < frame.ticks; t++) {
        uint32_t fired = coding_open(coding, counts, RANDOM, frame, t, volley);
        for (uint32_t i = 0; i < fired; i++, seen++) {
            struct timed_spike spike = e.spikes[next[volley[i].neuron]++];
            assert_true(spike.tick == (int64_t)volley[i].neuron * frame.ticks + t);
            assert_int_equal(spike.payload, volley[i].payload);
        }
    }
    assert_int_equal(seen, e.count);
    encoded_free(&e);
}

static void test_as_codings_open_them(void **state)
{
    (void)state;
    static const int levels[] = {1, 2, 3, 5, 7, 8, 15, 100, 255};
    for (int k = 0; k < KINDS; k++)
        for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
            check_coding(names[k], levels[i]);
    check_coding("bitwise", 4194303);
    check_coding("unsigned", 4194303);
    check_coding("twos-complement", 4194303);
}

static void test_round_trip(void **state)
{
    (void)state;
    static const int levels[] = {1, 2, 3, 10, 15, 127, 1000};
    static double x[RANDOM];
    const double edges[] = {0, 1, -1, nextafter(0, 1), nextafter(1, 0), 0.5, -0.5, 1 / 3.0,
                            nextafter(0.5, 0), nextafter(0.5, 1), -1e-300, 0.1, 0.3, -0.0};
    enum { EDGES = sizeof edges / sizeof *edges };
    for (int k = 0; k < KINDS; k++) {
        double lowest = is_signed(names[k]) ? -1 : 0;
        fill_random(x, RANDOM, lowest);
        for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
            char text[60];
            text_of(text, names[k], levels[i]);
            assert_true(check_bound(text, x, RANDOM) > 0.98);
            check_bound(text, edges, EDGES);
            for (int j = 0; j < EDGES; j++)
                check_bound(text, edges + j, 1);
            check_independence(text, edges, EDGES);
            check_clipping(text, lowest);
            check_empty(text);
            struct scheme_settings settings = settings_of(text);
            assert_true(fabs(settings.scheme->bound(&settings, x, RANDOM) - 0.5 / levels[i]) <
                        1e-15);
        }
    }
}

/* What lies on a level comes back as it was. */
static void test_levels_are_exact(void **state)
{
    (void)state;
    double x[201];
    for (int k = 0; k < KINDS; k++) {
        char text[60];
        text_of(text, names[k], 100);
        int from = is_signed(names[k]) ? -100 : 0;
        for (int i = from; i <= 100; i++)
            x[i - from] = i / 100.0;
        struct encoded e = encode_values(text, x, (size_t)(101 - from));
        for (size_t i = 0; i < e.length; i++)
            assert_true(e.decoded[i] == x[i]);
        encoded_free(&e);
    }
}

static void test_misuse(void **state)
{
    (void)state;
    static const char *const table[] = {"binary:levels=0", "ternary:levels=65536",
                                        "bitwise:levels=4194304", "unsigned:levels=2.5",
                                        "twos-complement:ticks=4"};
    for (int k = 0; k < KINDS; k++) {
        struct scheme_settings settings;
        struct error error = {0};
        assert_false(scheme_parse(table[k], &settings, &error));
        assert_int_equal(error.code, ERROR_MISUSED);
        assert_non_null(strstr(error.text, "levels"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_ticks),
        cmocka_unit_test(test_as_codings_open_them),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_levels_are_exact),
        cmocka_unit_test(test_misuse),
    };
    return cmocka_run_group_tests_name("scheme_counts", tests, NULL, NULL);
}
