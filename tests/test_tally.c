/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The counters against their definitions, spelled out tick by tick. */
#include "tests/made_network.h"
#include "traces/tally.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { POSITIONS = 12 };

static uint64_t spikes_by_definition(const struct coding *coding, int32_t count,
                                     struct frame frame)
{
    uint64_t spikes = 0;
    for (uint32_t tick = 0; tick < frame.ticks; tick++)
        spikes += coding->payload(count, frame, tick) != 0;
    return spikes;
}

/* Adds what population `id` fires at a position; `neurons_sum` [neurons]. */
static void count_by_definition(struct population_tally *sum, struct neuron_tally *neurons_sum,
                                const struct made *made, uint32_t id, int64_t position)
{
    const struct train *train = made->populations[id].train;
    uint32_t neurons = train->neurons;
    int32_t counts[256];
    uint64_t spikes[256];
    for (uint32_t i = 0; i < neurons; i++)
        counts[i] = made_count(id, i, position);
    struct frame frame = coding_frame(train->coding, counts, neurons);
    for (uint32_t i = 0; i < neurons; i++) {
        spikes[i] = spikes_by_definition(train->coding, counts[i], frame);
        neurons_sum[i].active += spikes[i] > 0;
        neurons_sum[i].spikes += spikes[i];
        sum->channels++;
        sum->silent += spikes[i] == 0;
        sum->spikes += spikes[i];
        sum->spikes_up_to_3 += spikes[i] < 3 ? spikes[i] : 3;
        int bin = counts[i] + TALLY_HISTOGRAM;
        sum->histogram[bin < 0 ? 0 : bin > 2 * TALLY_HISTOGRAM ? 2 * TALLY_HISTOGRAM : bin]++;
        for (uint32_t p = 0; p < MADE_PROJECTIONS; p++)
            if (made->projections[p].source == &made->populations[id] && made->fan_out[p] != NULL)
                sum->synops += spikes[i] * made->fan_out[p][i];
    }
    sum->vectors++;
    sum->slots += (uint64_t)frame.ticks * neurons;
    for (uint32_t i = 0; i < neurons; i++) { /* a block counts at its first spike */
        uint32_t sram = i / 8 * 8, dram = i / 64 * 64;
        bool first_sram = spikes[i] > 0, first_dram = spikes[i] > 0;
        for (uint32_t j = dram; j < i; j++) {
            first_dram &= spikes[j] == 0;
            first_sram &= j < sram || spikes[j] == 0;
        }
        sum->sram_blocks += first_sram;
        sum->dram_blocks += first_dram;
    }
}

static void counts_by_definition(void **state)
{
    (void)state;
    size_t codings;
    const struct coding *const *table = coding_table(&codings);
    for (size_t c = 0; c < codings; c++) {
        struct made *made = made_new(table[c]->name);
        struct tally *tally = tally_new(&made->network, NULL);
        assert_non_null(tally);
        made->network.observers[made->network.observer_count++] = tally_observer(tally);
        struct population_tally expected[MADE_POPULATIONS] = {0};
        struct neuron_tally neurons[MADE_POPULATIONS][256] = {0};
        assert_true(made_wave(made, 0, 1, false, NULL));
        assert_true(made_wave(made, 1, 2, true, NULL)); /* cut off: counts nowhere */
        assert_true(made_wave(made, 1, 7, false, NULL));
        assert_true(made_wave(made, 8, 4, false, NULL));
        for (uint32_t id = 1; id <= 3; id++)
            for (int64_t position = 0; position < POSITIONS; position++)
                count_by_definition(&expected[id], neurons[id], made, id, position);
        expected[3].synops += POSITIONS * 1000; /* counted by the target */
        for (uint32_t id = 0; id < MADE_POPULATIONS; id++)
            assert_memory_equal(&expected[id], &tally->populations[id], sizeof *expected);
        for (uint32_t id = 1; id <= 3; id++)
            assert_memory_equal(neurons[id], tally_neurons(tally, id),
                                made->populations[id].neurons * sizeof(struct neuron_tally));
        assert_null(tally_neurons(tally, 0)); /* it does not spike */
        assert_int_equal(tally->positions, POSITIONS);
        assert_int_equal(tally_synops(tally, 0), 0);
        assert_int_equal(tally_synops(tally, 1) + tally_synops(tally, 2), expected[1].synops);
        assert_int_equal(tally_synops(tally, 3), expected[2].synops);
        assert_int_equal(tally_synops(tally, 4), POSITIONS * 1000);
        tally_free(tally);
        made_free(made);
    }
}

static void lanes_do_not_matter(void **state)
{
    (void)state;
    struct tally *tallies[2];
    struct made *made[2];
    for (int i = 0; i < 2; i++) {
        made[i] = made_new("bitwise");
        tallies[i] = tally_new(&made[i]->network, NULL);
        assert_non_null(tallies[i]);
        made[i]->network.observers[made[i]->network.observer_count++] = tally_observer(tallies[i]);
        uint32_t lanes = i == 0 ? 1 : 6;
        for (int64_t position = 0; position < POSITIONS; position += lanes)
            assert_true(made_wave(made[i], position, lanes, false, NULL));
    }
    assert_memory_equal(tallies[0]->populations, tallies[1]->populations,
                        MADE_POPULATIONS * sizeof *tallies[0]->populations);
    assert_memory_equal(tallies[0]->synops, tallies[1]->synops,
                        MADE_PROJECTIONS * sizeof *tallies[0]->synops);
    assert_int_equal(tallies[0]->ticks, tallies[1]->ticks);
    for (int i = 0; i < 2; i++) {
        tally_free(tallies[i]);
        made_free(made[i]);
    }
}

static void clocked_counts(void **state)
{
    (void)state;
    struct made *made = made_new("bitwise");
    made->populations[4].noise = true; /* counted in sum, not one by one */
    struct tally *tally = tally_new(&made->network, NULL);
    assert_non_null(tally);
    assert_null(tally_neurons(tally, 4));
    tally_free(tally);
    made->populations[4].noise = false;
    tally = tally_new(&made->network, NULL);
    assert_non_null(tally);
    made->network.observers[made->network.observer_count++] = tally_observer(tally);
    uint64_t spikes = 0, synops = 0;
    struct neuron_tally neurons[90] = {0};
    for (int64_t tick = 0; tick < 50; tick++) {
        assert_true(made_clocked(made, tick, NULL));
        spikes += made->populations[4].spike_count;
        for (uint32_t i = 0; i < made->populations[4].spike_count; i++) {
            synops += made->fan_out[5][made->plain[i].neuron];
            neurons[made->plain[i].neuron].active++;
            neurons[made->plain[i].neuron].spikes++;
        }
    }
    assert_memory_equal(neurons, tally_neurons(tally, 4), sizeof neurons);
    const struct population_tally *sum = &tally->populations[4];
    assert_int_equal(sum->vectors, 50);
    assert_int_equal(sum->channels, 50 * 90);
    assert_int_equal(sum->spikes, spikes);
    assert_int_equal(sum->silent, 50 * 90 - spikes);
    assert_int_equal(sum->synops, synops);
    assert_int_equal(tally_synops(tally, 5), synops);
    assert_int_equal(sum->histogram[TALLY_HISTOGRAM + 1], spikes);
    assert_int_equal(tally->positions, 0);

    /* Ten silent ticks more until the run is over; then time begins anew. */
    struct observer observer = tally_observer(tally);
    const struct wave wave = {.lanes = 1};
    int64_t ticks = 60;
    made->network.running = true;
    assert_true(observer.wave_done(observer.self, &wave, &ticks, NULL));
    assert_int_equal(sum->vectors, 60);
    assert_int_equal(sum->channels, 60 * 90);
    assert_int_equal(sum->silent, 60 * 90 - spikes);
    assert_int_equal(sum->histogram[TALLY_HISTOGRAM], 60 * 90 - spikes);
    assert_int_equal(tally->positions, 1);
    assert_int_equal(tally->ticks, 60);
    assert_true(made_clocked(made, 4, NULL)); /* after four silent ticks */
    assert_int_equal(sum->vectors, 65);
    assert_int_equal(sum->silent, 65 * 90 - spikes - made->populations[4].spike_count);
    tally_free(tally);
    made_free(made);
}

/* Volleys of thousands of spikes with payloads of every size, against counting one by one. */
static void large_volleys(void **state)
{
    (void)state;
    enum { NEURONS = 5000, TICKS = 40 };
    static struct spike spikes[NEURONS];
    static const struct population_model model = {.name = "noise"};
    struct population population = {.name = "noise", .model = &model, .neurons = NEURONS,
                                    .clocked = true, .spikes = spikes};
    struct population *list[] = {&population};
    struct network network = {.populations = list, .population_count = 1};
    size_t versions;
    const struct kernels *const *kernels = kernels_available(&versions);
    for (size_t v = 0; v < 3 * versions; v++) {
        network.kernels = kernels[v / 3];
        network.workers = workers_new((uint32_t)v % 3 + 1, NULL);
        struct tally *tally = tally_new(&network, NULL);
        struct observer observer = tally_observer(tally);
        static struct population_tally expected;
        static struct neuron_tally neurons[NEURONS];
        memset(&expected, 0, sizeof expected);
        memset(neurons, 0, sizeof neurons);
        uint64_t random = 7;
        for (int64_t tick = 0; tick < TICKS; tick++) {
            uint32_t length = 0, density = (uint32_t)tick + 1, sram = UINT32_MAX, dram = UINT32_MAX;
            for (uint32_t i = 0; i < NEURONS; i++) {
                random = random * 6364136223846793005u + 1442695040888963407u;
                if ((random >> 33) % TICKS >= density)
                    continue;
                int32_t payload = (int32_t)((random >> 40) % (tick < 20 ? 12 : 900)) - 3;
                spikes[length++] = (struct spike){i, payload};
                neurons[i].active++;
                neurons[i].spikes += (uint64_t)labs(payload);
                expected.sram_blocks += i / 8 != sram;
                expected.dram_blocks += i / 64 != dram;
                sram = i / 8;
                dram = i / 64;
                int bin = payload > TALLY_HISTOGRAM ? TALLY_HISTOGRAM : payload;
                expected.histogram[bin + TALLY_HISTOGRAM]++;
            }
            expected.spikes += length;
            expected.histogram[TALLY_HISTOGRAM] += NEURONS - length;
            struct firing firing = {&population, tick, NULL, spikes, length, NULL};
            assert_true(observer.fired(observer.self, &firing, NULL));
        }
        const struct population_tally *sum = &tally->populations[0];
        assert_int_equal(sum->spikes, expected.spikes);
        assert_int_equal(sum->spikes_up_to_3, expected.spikes);
        assert_int_equal(sum->sram_blocks, expected.sram_blocks);
        assert_int_equal(sum->dram_blocks, expected.dram_blocks);
        assert_int_equal(sum->silent, (uint64_t)NEURONS * TICKS - expected.spikes);
        assert_memory_equal(sum->histogram, expected.histogram, sizeof expected.histogram);
        assert_memory_equal(tally_neurons(tally, 0), neurons, sizeof neurons);
        tally_free(tally);
        workers_free(network.workers);
    }
}

/* ---- trains of every size, against counting channel by channel ---- */

enum { DEPARTURES = 4, TRAIN_LANES = 7, TRAIN_NEURONS = 20000 };

/* One population with projections of small, large and no fan-outs, and one for readout. */
struct rig {
    struct network network;
    struct population population, *population_list[1];
    struct projection projections[DEPARTURES], *projection_list[DEPARTURES];
    uint32_t *fan_out[DEPARTURES];
    struct tally *tally;
    struct population_tally sum; /* by definition */
    struct neuron_tally *neurons;
    uint64_t synops[DEPARTURES];
};

static uint32_t random_below(uint32_t limit)
{
    static uint64_t state = 11;
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((state >> 33) % limit);
}

static void rig_open(struct rig *rig, const struct coding *coding, uint32_t neurons,
                     const struct kernels *kernels, uint32_t threads)
{
    static const struct population_model model = {.name = "rig"};
    *rig = (struct rig){0};
    rig->population = (struct population){.name = "rig", .model = &model, .neurons = neurons,
                                          .train = train_new(coding, neurons, 1, TRAIN_LANES)};
    rig->population_list[0] = &rig->population;
    for (uint32_t p = 0; p < DEPARTURES; p++) {
        rig->projections[p] = (struct projection){.id = p, .source = &rig->population,
                                                  .target = &rig->population, .readout = p == 2};
        rig->projection_list[p] = &rig->projections[p];
        rig->fan_out[p] = calloc(neurons, sizeof *rig->fan_out[p]);
        for (uint32_t i = 0; i < neurons; i++)
            rig->fan_out[p][i] = random_below(p == 1 ? 100000 : p == 0 ? 32768 : 600);
        rig->projections[p].fan_out = p < 3 ? rig->fan_out[p] : NULL;
    }
    rig->network = (struct network){.lanes_limit = TRAIN_LANES, .kernels = kernels,
                                    .populations = rig->population_list, .population_count = 1,
                                    .projections = rig->projection_list,
                                    .projection_count = DEPARTURES,
                                    .workers = workers_new(threads, NULL)};
    rig->neurons = calloc(neurons, sizeof *rig->neurons);
    rig->tally = tally_new(&rig->network, NULL);
    assert_non_null(rig->tally);
}

static void rig_close(struct rig *rig)
{
    assert_memory_equal(&rig->sum, &rig->tally->populations[0], sizeof rig->sum);
    assert_memory_equal(rig->neurons, tally_neurons(rig->tally, 0),
                        rig->population.neurons * sizeof *rig->neurons);
    for (uint32_t p = 0; p < DEPARTURES; p++) {
        assert_int_equal(rig->synops[p], tally_synops(rig->tally, p));
        free(rig->fan_out[p]);
    }
    tally_free(rig->tally);
    train_free(rig->population.train);
    workers_free(rig->network.workers);
    free(rig->neurons);
}

static uint64_t spikes_by_coding(const struct coding *coding, int64_t count, struct frame frame)
{
    if (strcmp(coding->name, "ternary") == 0)
        return (uint64_t)llabs(count);
    if (strcmp(coding->name, "binary") == 0)
        return (uint64_t)(count - frame.zero);
    uint64_t bits = strcmp(coding->name, "bitwise") == 0    ? (uint64_t)llabs(count)
                    : strcmp(coding->name, "unsigned") == 0 ? (uint64_t)(count - frame.zero)
                                     : (uint64_t)count & ((UINT64_C(1) << frame.ticks) - 1);
    return (uint64_t)__builtin_popcountll(bits);
}

/* Counts one lane by definition. */
static void rig_expect(struct rig *rig, uint32_t lane, uint32_t readout_from)
{
    const struct train *train = rig->population.train;
    const int32_t *counts = train->count + (size_t)lane * train->neurons;
    uint32_t sram = UINT32_MAX, dram = UINT32_MAX;
    rig->sum.vectors++;
    rig->sum.channels += train->neurons;
    rig->sum.slots += (uint64_t)train->frame[lane].ticks * train->neurons;
    for (uint32_t i = 0; i < train->neurons; i++) {
        uint64_t spikes = spikes_by_coding(train->coding, counts[i], train->frame[lane]);
        int32_t bin = counts[i] < -256 ? -256 : counts[i] > 256 ? 256 : counts[i];
        rig->sum.histogram[bin + 256]++;
        rig->sum.silent += spikes == 0;
        rig->sum.spikes += spikes;
        rig->sum.spikes_up_to_3 += spikes < 3 ? spikes : 3;
        rig->neurons[i].active += spikes > 0;
        rig->neurons[i].spikes += spikes;
        for (uint32_t p = 0; p < 3; p++) {
            uint64_t synops = p == 2 && lane < readout_from ? 0 : spikes * rig->fan_out[p][i];
            rig->synops[p] += synops;
            rig->sum.synops += synops;
        }
        if (spikes == 0)
            continue;
        rig->sum.sram_blocks += i / 8 != sram;
        rig->sum.dram_blocks += i / 64 != dram;
        sram = i / 8;
        dram = i / 64;
    }
}

/* One in `rare` counts is up to `limit`; long stretches are silent. */
static void rig_wave(struct rig *rig, uint32_t lanes, uint32_t rare, uint32_t limit, bool cut)
{
    struct train *train = rig->population.train;
    struct observer observer = tally_observer(rig->tally);
    struct wave wave = {.lanes = lanes, .readout_from = lanes / 2};
    struct firing firing = {.population = &rig->population, .train = train, .wave = &wave};
    int64_t ticks[TRAIN_LANES] = {0};
    for (uint32_t lane = 0; lane < lanes; lane++) {
        int32_t *counts = train->count + (size_t)lane * train->neurons;
        for (uint32_t i = 0; i < train->neurons; i++) {
            int32_t count = (int32_t)random_below(random_below(rare) == 0 ? limit : 9);
            bool silent = i % 700 > 500 || random_below(5) == 0;
            counts[i] = silent ? 0 : random_below(2) ? count : -count;
        }
        train->frame[lane] = coding_frame(train->coding, counts, train->neurons);
        if (!cut)
            rig_expect(rig, lane, wave.readout_from);
    }
    train_seal(train, lanes);
    assert_true(observer.fired(observer.self, &firing, NULL));
    if (!cut)
        assert_true(observer.wave_done(observer.self, &wave, ticks, NULL));
}

static void trains_of_every_size(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {1, 7, 64, 65, 1023, 1024, 1025, 3584, TRAIN_NEURONS};
    size_t versions, codings;
    const struct kernels *const *kernels = kernels_available(&versions);
    const struct coding *const *table = coding_table(&codings);
    for (size_t n = 0; n < sizeof sizes / sizeof *sizes; n++)
        for (size_t c = 0; c < codings; c++)
            for (size_t v = 0; v < versions; v++) {
                struct rig rig;
                rig_open(&rig, table[c], sizes[n], kernels[v], 1 + (uint32_t)(n + c + v) % 3);
                rig_wave(&rig, 1, 100, 200, false);
                rig_wave(&rig, TRAIN_LANES, 100, 200, false); /* of several frames */
                rig_wave(&rig, 1, 1000, 30000, false);        /* beyond what is looked up */
                rig_wave(&rig, 1, 5, 200, true);              /* cut off: counts nowhere */
                rig_wave(&rig, 1, 1000, 4194304, false);      /* more spikes than 16 bits hold */
                rig_wave(&rig, TRAIN_LANES, 50, 4194304, false);
                rig_wave(&rig, 2, 2, 900, false);
                rig_wave(&rig, 1, 100, 200, false);
                rig_close(&rig);
            }
}

/* What waves leave in 16 bits goes to the totals in time. */
static void narrow_sums_do_not_overflow(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig, coding_find("ternary", NULL), 3, kernels_find("auto", NULL), 1);
    for (int wave = 0; wave < 70000; wave++)
        rig_wave(&rig, 1, 100000, 2, false);
    for (int wave = 0; wave < 1000; wave++)
        rig_wave(&rig, 1, 2, 32768, false);
    rig_close(&rig);
    rig_open(&rig, coding_find("bitwise", NULL), 1, kernels_find("auto", NULL), 1);
    for (int wave = 0; wave < 140000; wave++)
        rig_wave(&rig, 1, 100000, 2, false);
    rig_close(&rig);
}

/* The bars of the SpikingBrain report's figure 9, read as its definition of sparsity: of the zero
 * slots and the spiking channels together, 69.15 % are zero slots, and 19.30, 9.69 and 1.85 % are
 * channels of 1, 2 and 3 or more spikes. */
static void reported_sparsity(void **state)
{
    (void)state;
    const uint64_t zeros = 6915, one = 1930, two = 969, three = 185;
    const uint64_t up_to_3 = one + 2 * two + 3 * three;
    /* zeros = 3 channels - up_to_3; ten thousandths are coarse, so channels are in thirds */
    struct population_tally tally = {0};
    tally.channels = zeros + up_to_3;
    tally.silent = tally.channels - 3 * (one + two + three);
    tally.spikes = tally.spikes_up_to_3 = 3 * up_to_3;
    struct sparsity sparsity = sparsity_of(&tally);
    assert_true(fabs(sparsity.report_sparsity - 0.6915) < 1e-4);
    assert_true(fabs(sparsity.silent_fraction - 0.1840) < 5e-4);
    assert_true(fabs(sparsity.mean_spikes - 1.17) < 5e-3);
    assert_true(fabs(sparsity.slot_sparsity_3 - 0.61) < 5e-3);
    assert_true(sparsity_of(&(struct population_tally){0}).report_sparsity == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_by_definition),
        cmocka_unit_test(lanes_do_not_matter),
        cmocka_unit_test(clocked_counts),
        cmocka_unit_test(large_volleys),
        cmocka_unit_test(trains_of_every_size),
        cmocka_unit_test(narrow_sums_do_not_overflow),
        cmocka_unit_test(reported_sparsity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
