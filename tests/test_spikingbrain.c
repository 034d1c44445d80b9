/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * SpikingBrain checkpoints against an independent float64 reference, and every
 * fast path against the slow one: lanes, threads, vector extensions, codings
 * merged and expanded must all give the reference's spikes and one another's
 * logits, bit for bit. So too where thresholds are by group or head, and where
 * populations have a k of their own.
 */
#include "tests/golden.h"

#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "neurons/models/models.h"

/* One way of running a model. */
struct way {
    const char *coding;
    bool expand;
    uint32_t lanes, threads;
    const char *kernels;
};

struct outcome {
    uint64_t compared, different; /* counts */
    double *logits;               /* [length][vocabulary] */
    uint32_t vocabulary;
    double worst;                 /* |logit - reference|, largest */
    uint32_t other_choices;       /* tokens whose most likely successor differs */
    uint64_t ticks;               /* of all lanes, mixed */
};

struct comparison {
    const struct golden *golden;
    struct outcome *outcome;
    int64_t entered, position; /* tick at which the present wave entered, and its position */
};

/* With one lane, the lane's own clock and the queue's must agree. */
static void compare_clocks(struct comparison *comparison, const struct firing *firing)
{
    int64_t entered = firing->tick - firing->train->tick[0];
    if (comparison->position != firing->wave->position)
        comparison->entered = entered;
    comparison->position = firing->wave->position;
    assert_int_equal(entered, comparison->entered);
}

static bool compare_counts(void *self, const struct firing *firing, struct error *error)
{
    (void)error;
    struct comparison *comparison = self;
    const struct golden *golden = comparison->golden;
    if (firing->wave->lanes == 1)
        compare_clocks(comparison, firing);
    for (uint32_t p = 0; p < golden->population_count; p++) {
        if (strcmp(golden->populations[p], firing->population->name) != 0)
            continue;
        const struct train *train = firing->train;
        for (uint32_t lane = 0; lane < train->lanes; lane++) {
            size_t row = (size_t)firing->wave->position + lane;
            const int16_t *expected = golden->counts + row * golden->channels + golden->offsets[p];
            for (uint32_t i = 0; i < train->neurons; i++) {
                comparison->outcome->compared++;
                comparison->outcome->different +=
                    train->count[(size_t)lane * train->neurons + i] != expected[i];
            }
        }
        return true;
    }
    fail_msg("population %s fires but the reference does not know it", firing->population->name);
    return false;
}

static bool add_ticks(void *self, const struct wave *wave, const int64_t *ticks,
                      struct error *error)
{
    (void)error;
    struct comparison *comparison = self;
    for (uint32_t lane = 0; lane < wave->lanes; lane++)
        comparison->outcome->ticks = comparison->outcome->ticks * 31 + (uint64_t)ticks[lane];
    return true;
}

static void keep_logits(const struct golden *golden, struct outcome *outcome, uint32_t row,
                        const double *logits)
{
    memcpy(outcome->logits + (size_t)row * outcome->vocabulary, logits,
           outcome->vocabulary * sizeof *logits);
    for (uint32_t c = 0; c < golden->column_count; c++) {
        double expected = (double)golden->logits[(size_t)row * golden->column_count + c];
        double off = fabs(logits[golden->columns[c]] - expected);
        outcome->worst = off > outcome->worst ? off : outcome->worst;
    }
    uint32_t best = 0;
    for (uint32_t i = 1; i < outcome->vocabulary; i++)
        best = logits[i] > logits[best] ? i : best;
    outcome->other_choices += best != golden->next[row];
}

static struct language_model *open_model(const char *folder, const struct golden *golden,
                                         struct way way)
{
    struct error error = {0};
    bool spiking = strcmp(golden->mode, "float") != 0;
    struct spikingbrain_options options = {
        .coding = spiking ? coding_find(way.coding, &error) : NULL,
        .k = golden->k,
        .down_proj_spikes = strcmp(golden->mode, "paper") == 0,
        .lanes = way.lanes,
        .expand = way.expand && spiking,
    };
    struct k_list *k_at = golden->k_at[0] != '\0' ? k_list_parse(golden->k_at, &error) : NULL;
    assert_true(error.code == ERROR_NONE);
    options.k_at = k_at;
    assert_true(spikingbrain_find_threshold(golden->threshold, &options.threshold, &error));
    struct language_model *model = spikingbrain_open(folder, &options, &error);
    if (model == NULL)
        fail_msg("%s: %s", folder, error.text);
    k_list_free(k_at);
    return model;
}

static struct outcome run_way(const char *folder, const struct golden *golden, struct way way)
{
    struct error error = {0};
    struct language_model *model = open_model(folder, golden, way);
    struct workers *workers = workers_new(way.threads, &error);
    model->network->workers = workers;
    model->network->kernels = kernels_find(way.kernels, &error);
    assert_non_null(workers);
    assert_non_null(model->network->kernels);
    assert_true(network_seal(model->network, &error));
    struct outcome outcome = {.vocabulary = model->vocabulary};
    outcome.logits = calloc((size_t)golden->length * model->vocabulary, sizeof *outcome.logits);
    struct comparison comparison = {golden, &outcome, 0, -1};
    struct observer observer = {&comparison, compare_counts, add_ticks};
    assert_true(network_observe(model->network, observer, &error));
    for (uint32_t done = 0; done < golden->length;) {
        uint32_t left = golden->length - done, lanes = left < way.lanes ? left : way.lanes;
        struct wave wave = {done, lanes, 0};
        assert_true(embedding_feed(model->tokens, golden->tokens + done, lanes, &error));
        if (!network_wave(model->network, model->tokens, wave, NULL, &error))
            fail_msg("%s: %s", folder, error.text);
        for (uint32_t lane = 0; lane < lanes; lane++)
            keep_logits(golden, &outcome, done + lane,
                        model->logits->values + (size_t)lane * model->vocabulary);
        done += lanes;
    }
    language_model_free(model);
    workers_free(workers);
    return outcome;
}

static void check_against_reference(const char *folder, const struct golden *golden,
                                    const struct outcome *outcome)
{
    print_message("%s, %s, a threshold for each %s%s%s: %llu of %llu counts differ, logits off by "
                  "%.1e of %.3g\n",
                  folder, golden->mode, golden->threshold, golden->k_at[0] != '\0' ? ", k " : "",
                  golden->k_at, (unsigned long long)outcome->different,
                  (unsigned long long)outcome->compared, outcome->worst, golden->largest);
    assert_int_equal(outcome->compared, (uint64_t)golden->length * golden->channels);
    assert_true(outcome->different * 100000 <= outcome->compared);
    assert_true(outcome->worst <= 1e-4 * golden->largest);
    assert_int_equal(outcome->other_choices, 0);
}

/* The reference files hold logits in single precision. */
static void check_all_ways(const char *folder, const char *golden_files, const char *name,
                           bool thorough)
{
    struct golden golden;
    if (!golden_read(&golden, golden_files, name))
        fail_msg("%s: no golden files %s", golden_files, name);
    const struct way plain = {"bitwise", false, 1, 1, "plain"};
    struct outcome first = run_way(folder, &golden, plain);
    check_against_reference(folder, &golden, &first);
    size_t codings, versions;
    const struct coding *const *coding = coding_table(&codings);
    const struct kernels *const *version = kernels_available(&versions);
    struct way ways[64];
    size_t count = 0;
    for (size_t v = 0; v < versions; v++)
        ways[count++] = (struct way){"bitwise", false, 1 + (uint32_t)v * 5, 2, version[v]->name};
    ways[count++] = (struct way){"bitwise", false, 64, 3, "auto"};
    for (size_t c = 0; c < codings && thorough; c++) {
        ways[count++] = (struct way){coding[c]->name, false, 5, 2, "auto"};
        ways[count++] = (struct way){coding[c]->name, true, 3, 2, "auto"};
    }
    if (!thorough)
        ways[count++] = (struct way){"bitwise", true, 1, 2, "auto"};
    size_t bytes = (size_t)golden.length * first.vocabulary * sizeof *first.logits;
    for (size_t i = 0; i < count; i++) {
        struct outcome outcome = run_way(folder, &golden, ways[i]);
        if (outcome.different != first.different ||
            memcmp(outcome.logits, first.logits, bytes) != 0)
            fail_msg("%s, %s: coding %s, expand %d, lanes %u, threads %u, kernels %s differs from "
                     "the plain way", folder, name, ways[i].coding, ways[i].expand, ways[i].lanes,
                     ways[i].threads, ways[i].kernels);
        if (strcmp(ways[i].coding, "bitwise") == 0)
            assert_int_equal(outcome.ticks, first.ticks);
        free(outcome.logits);
    }
    free(first.logits);
    golden_free(&golden);
}

static void test_variant(void **state)
{
    const char *name = *state;
    char folder[4096];
    snprintf(folder, sizeof folder, "%s/variants/%s", golden_folder(), name);
    check_all_ways(folder, folder, "float", true);
    check_all_ways(folder, folder, "repo", true);
    check_all_ways(folder, folder, "paper", true);
}

static void test_thresholds(void **state)
{
    static const char *const names[] = {"group", "head", "layers"};
    const char *name = *state;
    char folder[4096];
    snprintf(folder, sizeof folder, "%s/variants/%s", golden_folder(), name);
    for (size_t i = 0; i < (strcmp(name, "short-group") == 0 ? 2 : 3); i++)
        check_all_ways(folder, folder, names[i], true);
}

/* The same bits of all logits from two settings of the same files. */
static bool alike(const char *folder, const struct golden *a, const struct golden *b,
                  struct way way_a, struct way way_b, double *apart)
{
    struct outcome first = run_way(folder, a, way_a), second = run_way(folder, b, way_b);
    size_t length = (size_t)a->length * first.vocabulary;
    bool same = memcmp(first.logits, second.logits, length * sizeof *first.logits) == 0;
    *apart = 0;
    for (size_t i = 0; i < length; i++)
        *apart = fmax(*apart, fabs(first.logits[i] - second.logits[i]));
    free(first.logits);
    free(second.logits);
    return same;
}

static void test_what_is_the_same(void **state)
{
    (void)state;
    char folder[4096];
    double apart;
    struct golden golden, other;
    const struct way way = {"bitwise", false, 8, 1, "auto"};
    /* No vector is longer than a group. */
    snprintf(folder, sizeof folder, "%s/variants/linear-only", golden_folder());
    assert_true(golden_read(&golden, folder, "paper"));
    other = golden;
    strcpy(other.threshold, "group");
    assert_true(alike(folder, &golden, &other, way, way, &apart));
    strcpy(other.threshold, "head");
    assert_false(alike(folder, &golden, &other, way, way, &apart));
    /* The last that matches holds; all of them are the k itself. */
    strcpy(other.threshold, "token");
    strcpy(other.k_at, "*=7,layers.*=3.5");
    other.k = 9;
    golden.k = 3.5;
    assert_true(alike(folder, &golden, &other, way, way, &apart));
    golden_free(&golden);
}

/* Counts beyond 16 bits, which are delivered in another way. There, thresholds hardly matter: the
 * activations are all but exact. */
static void test_wide_counts(void **state)
{
    (void)state;
    static const char *const names[] = {"group", "head"};
    const struct way merged = {"bitwise", false, 8, 2, "auto"};
    const struct way expanded = {"binary", true, 3, 1, "plain"};
    const struct way shifted = {"unsigned", true, 3, 1, "plain"};
    char folder[4096];
    snprintf(folder, sizeof folder, "%s/variants/short-group", golden_folder());
    for (size_t i = 0; i < 2; i++) {
        struct golden wide;
        double apart;
        assert_true(golden_read(&wide, folder, names[i]));
        wide.k = 20000;
        struct golden narrow = wide;
        narrow.k = 2000;
        assert_true(alike(folder, &wide, &wide, merged, shifted, &apart));
        assert_false(alike(folder, &wide, &narrow, merged, merged, &apart));
        assert_true(apart < 2e-3 * wide.largest);
        narrow.k = 50;
        assert_true(alike(folder, &narrow, &narrow, merged, expanded, &apart));
        golden_free(&wide);
    }
}

static void refuse(const char *folder, const char *text, const char *expected, bool floating,
                   bool paper)
{
    struct error error = {0};
    struct spikingbrain_options options = {.coding = floating ? NULL : coding_find("bitwise", NULL),
                                           .k = 3,
                                           .down_proj_spikes = paper,
                                           .lanes = 1};
    struct k_list *list = k_list_parse(text, &error);
    options.k_at = list;
    struct language_model *model =
        list != NULL ? spikingbrain_open(folder, &options, &error) : NULL;
    assert_null(model);
    assert_int_equal(error.code, ERROR_MISUSED);
    if (strstr(error.text, expected) == NULL)
        fail_msg("'%s' gives \"%s\"", text, error.text);
    k_list_free(list);
}

static void test_refused_k(void **state)
{
    (void)state;
    char folder[4096];
    snprintf(folder, sizeof folder, "%s/variants/wide-unit", golden_folder());
    static const char *const unreadable[] = {"",     "3",       "=3",     "*=",    "*=3,", ",*=3",
                                             "*=3x", "*=-3",    "*= 3",   "*=nan", "*=inf"};
    for (size_t i = 0; i < sizeof unreadable / sizeof *unreadable; i++)
        refuse(folder, unreadable[i], "GLOB=K", false, true);
    refuse(folder, "*=0", "between", false, true);
    refuse(folder, "*=1e9", "between", false, true);
    refuse(folder, "*=3,layers.2.*=3", "'layers.2.*'", false, true);
    refuse(folder, "layers.0.query=3", "no population that fires", false, true); /* linear */
    refuse(folder, "*.gated_unit=3", "no population that fires", false, false);
    refuse(folder, "*=3", "no population that fires", true, false);
    struct error error = {0};
    enum threshold_span span;
    assert_false(spikingbrain_find_threshold("layer", &span, &error));
    assert_int_equal(error.code, ERROR_MISUSED);
}

static void test_tinybrain(void **state)
{
    char folder[4096], files[4096];
    snprintf(folder, sizeof folder, "%s/tinybrain", examples_folder());
    snprintf(files, sizeof files, "%s/tinybrain", golden_folder());
    check_all_ways(folder, files, *state, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"variant grouped-query", test_variant, NULL, NULL, "grouped-query"},
        {"variant low-rank", test_variant, NULL, NULL, "low-rank"},
        {"variant short-group", test_variant, NULL, NULL, "short-group"},
        {"variant wide-unit", test_variant, NULL, NULL, "wide-unit"},
        {"variant shards", test_variant, NULL, NULL, "shards"},
        {"variant window-only", test_variant, NULL, NULL, "window-only"},
        {"variant linear-only", test_variant, NULL, NULL, "linear-only"},
        {"variant tied-text", test_variant, NULL, NULL, "tied-text"},
        {"variant uneven", test_variant, NULL, NULL, "uneven"},
        {"thresholds short-group", test_thresholds, NULL, NULL, "short-group"},
        {"thresholds wide-unit", test_thresholds, NULL, NULL, "wide-unit"},
        {"thresholds uneven", test_thresholds, NULL, NULL, "uneven"},
        cmocka_unit_test(test_what_is_the_same),
        cmocka_unit_test(test_wide_counts),
        cmocka_unit_test(test_refused_k),
        {"tinybrain float", test_tinybrain, NULL, NULL, "float"},
        {"tinybrain repo", test_tinybrain, NULL, NULL, "repo"},
        {"tinybrain paper", test_tinybrain, NULL, NULL, "paper"},
        {"tinybrain group", test_tinybrain, NULL, NULL, "group"},
        {"tinybrain head", test_tinybrain, NULL, NULL, "head"},
    };
    return cmocka_run_group_tests_name("spikingbrain", tests, NULL, NULL);
}
