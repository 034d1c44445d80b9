/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Allocations against all there are, and against what can be seen by eye. */
#include "sim/allocation.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { LAYERS = 4, CHOICES = 5, ALL = 625 /* CHOICES^LAYERS */ };

static struct allocation_option sum_of(const struct allocation_option *options,
                                       const uint32_t *choice)
{
    struct allocation_option sum = {0, 0};
    for (uint32_t l = 0; l < LAYERS; l++) {
        sum.loss += options[l * CHOICES + choice[l]].loss;
        sum.energy += options[l * CHOICES + choice[l]].energy;
    }
    return sum;
}

/* The least energy of all allocations within the budget; INFINITY: none. */
static double least_energy(const struct allocation_option *options, double budget)
{
    double least = INFINITY;
    for (uint32_t i = 0; i < ALL; i++) {
        uint32_t choice[LAYERS], rest = i;
        for (uint32_t l = 0; l < LAYERS; l++, rest /= CHOICES)
            choice[l] = rest % CHOICES;
        struct allocation_option sum = sum_of(options, choice);
        if (sum.loss <= budget)
            least = fmin(least, sum.energy);
    }
    return least;
}

static double random_number(void)
{
    return rand() / (RAND_MAX + 1.0);
}

/* With convex options, whatever budget the steps use up exactly, no allocation is better. */
static void test_convex_options_are_solved(void **state)
{
    (void)state;
    srand(7);
    for (int trial = 0; trial < 500; trial++) {
        struct allocation_option options[LAYERS * CHOICES];
        for (uint32_t l = 0; l < LAYERS; l++) {
            double scale = random_number() + 0.1, slope = 0.5 + random_number();
            for (uint32_t c = 0; c < CHOICES; c++)
                options[l * CHOICES + c] = (struct allocation_option){
                    scale * c * c, scale * slope * (10.0 - 2.0 * c)};
        }
        uint32_t choice[LAYERS];
        double budget = 30 * random_number();
        assert_true(allocation_choose(options, LAYERS, CHOICES, budget, choice));
        struct allocation_option sum = sum_of(options, choice);
        assert_true(sum.loss <= budget);
        /* The last steps may have been small ones that still fitted: then another is better at
         * most by what one step saves. */
        double least = least_energy(options, budget), step = 0;
        for (uint32_t i = 0; i < LAYERS * CHOICES; i++)
            if (i % CHOICES > 0)
                step = fmax(step, options[i - 1].energy - options[i].energy);
        assert_true(sum.energy >= least && sum.energy <= least + step);
    }
}

static void test_any_options_are_used_up(void **state)
{
    (void)state;
    srand(8);
    for (int trial = 0; trial < 500; trial++) {
        struct allocation_option options[LAYERS * CHOICES];
        for (uint32_t i = 0; i < LAYERS * CHOICES; i++)
            options[i] = (struct allocation_option){random_number() - 0.2, random_number()};
        uint32_t choice[LAYERS];
        double budget = random_number() - 0.5, least = least_energy(options, budget);
        if (!allocation_choose(options, LAYERS, CHOICES, budget, choice)) {
            assert_true(isinf(least));
            continue;
        }
        struct allocation_option sum = sum_of(options, choice);
        assert_true(sum.loss <= budget && sum.energy >= least);
        for (uint32_t l = 0; l < LAYERS; l++)
            for (uint32_t c = 0, kept = choice[l]; c < CHOICES; c++, choice[l] = kept) {
                choice[l] = c;
                struct allocation_option other = sum_of(options, choice);
                assert_true(other.loss > budget - 1e-12 || other.energy >= sum.energy - 1e-12);
            }
    }
}

static void test_what_can_be_seen(void **state)
{
    (void)state;
    /* Layer 0 saves 3 for 1, layer 1 saves 2 for 2; both have an option that is worse in all. */
    const struct allocation_option options[] = {{0, 10}, {1, 7}, {5, 11}, {0, 10}, {2, 8}, {1, 12}};
    uint32_t choice[2];
    assert_true(allocation_choose(options, 2, 3, 1.5, choice));
    assert_true(choice[0] == 1 && choice[1] == 0);
    assert_true(allocation_choose(options, 2, 3, 0.5, choice));
    assert_true(choice[0] == 0 && choice[1] == 0);
    assert_true(allocation_choose(options, 2, 3, 3, choice));
    assert_true(choice[0] == 1 && choice[1] == 1);
    assert_false(allocation_choose(options, 2, 3, -0.5, choice));
    assert_true(choice[0] == 0 && choice[1] == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_convex_options_are_solved),
        cmocka_unit_test(test_any_options_are_used_up),
        cmocka_unit_test(test_what_can_be_seen),
    };
    return cmocka_run_group_tests_name("allocation", tests, NULL, NULL);
}
