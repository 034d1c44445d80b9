/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Counting what fires. Firings of a wave gather in `wave` and `wave_synops`
 * and join the totals when the wave is done. Clocked populations are counted up to
 * the tick of their last firing, and up to the end when the run is done.
 *
 * Invariant: a population's share of the wave is all zero unless `in_wave`.
 */
#include "traces/tally.h"

#include "traces/train_count.h"

#include <stdlib.h>
#include <string.h>

struct tally_work {
    struct population_tally *wave; /* [population_count] */
    struct wave_neurons **neurons; /* [population_count], of trains, else NULL */
    uint64_t *wave_synops;         /* [projection_count] */
    uint64_t *seen;                /* [projection_count], the target's counter when last read */
    bool *in_wave;                 /* [population_count], fired in the wave under way */
    int64_t *counted; /* [population_count], clocked: ticks of this run counted so far */
    uint64_t finished;             /* clocked: ticks of the runs before */
    uint32_t *leave_start;         /* [population_count + 1], into `leaving` */
    struct departure *leaving;     /* spike-carrying projections, by source */
    uint32_t *leaving_from;        /* [most that leave a population], the lanes they take */
    struct population_tally *part; /* [parts], of threads that count together */
    struct train_sums *sums;       /* [parts] */
    uint32_t parts;
    const struct lookup_entry **entries; /* [lanes], of the train that is counted */
    struct lookup lookup;
};

static void free_work(struct tally_work *work, uint32_t populations)
{
    uint32_t leaving = work->leave_start != NULL ? work->leave_start[populations] : 0;
    for (uint32_t i = 0; work->neurons != NULL && i < populations; i++)
        wave_neurons_free(work->neurons[i]);
    for (uint32_t i = 0; work->leaving != NULL && i < leaving; i++)
        free(work->leaving[i].narrow);
    for (uint32_t i = 0; work->sums != NULL && i < work->parts; i++)
        free(work->sums[i].synops);
    free(work->neurons);
    free(work->wave);
    free(work->wave_synops);
    free(work->seen);
    free(work->in_wave);
    free(work->counted);
    free(work->part);
    free(work->sums);
    free(work->leave_start);
    free(work->leaving);
    free(work->leaving_from);
    free(work->entries);
    free(work);
}

void tally_free(struct tally *tally)
{
    if (tally == NULL)
        return;
    uint32_t populations = tally->network->population_count;
    if (tally->work != NULL)
        free_work(tally->work, populations);
    for (uint32_t i = 0; tally->neurons != NULL && i < populations; i++)
        free(tally->neurons[i]);
    free(tally->neurons);
    free(tally->populations);
    free(tally->synops);
    free(tally);
}

/* Counters of each neuron, of trains as they come wave by wave and of everything in the end. */
static bool take_neurons(struct tally *tally)
{
    struct tally_work *work = tally->work;
    for (uint32_t i = 0; i < tally->network->population_count; i++) {
        const struct population *population = tally->network->populations[i];
        size_t neurons = (size_t)population->neurons + 1;
        if (population->noise || (population->train == NULL && population->spikes == NULL))
            continue;
        tally->neurons[i] = calloc(neurons, sizeof **tally->neurons);
        if (population->train != NULL)
            work->neurons[i] = wave_neurons_new(population->neurons);
        if (tally->neurons[i] == NULL || (population->train != NULL && work->neurons[i] == NULL))
            return false;
    }
    return true;
}

/* A projection, with its fan_out in 16 bits if that is of use and there is memory. */
static struct departure depart(const struct projection *projection)
{
    struct departure departure = {.projection = projection->id, .fan_out = projection->fan_out};
    uint32_t neurons = projection->source->neurons;
    if (departure.fan_out == NULL || projection->source->train == NULL)
        return departure;
    for (uint32_t i = 0; i < neurons; i++)
        if (departure.fan_out[i] > departure.most)
            departure.most = departure.fan_out[i];
    if (departure.most <= INT16_MAX)
        departure.narrow = malloc((size_t)neurons * sizeof *departure.narrow + 1);
    for (uint32_t i = 0; departure.narrow != NULL && i < neurons; i++)
        departure.narrow[i] = (int16_t)departure.fan_out[i];
    return departure;
}

/* Sorts the spike-carrying projections by source; returns the most that leave one. */
static uint32_t find_leaving(struct tally_work *work, const struct network *network)
{
    uint32_t length = 0, most = 0;
    for (uint32_t i = 0; i < network->population_count; i++) {
        work->leave_start[i] = length;
        for (uint32_t p = 0; p < network->projection_count; p++)
            if (network->projections[p]->carries == CARRIES_SPIKES &&
                network->projections[p]->source == network->populations[i])
                work->leaving[length++] = depart(network->projections[p]);
        if (length - work->leave_start[i] > most)
            most = length - work->leave_start[i];
    }
    work->leave_start[network->population_count] = length;
    return most;
}

/* What counting takes, by one thread or several. */
static bool take_sums(struct tally_work *work, const struct network *network)
{
    uint32_t leaving = find_leaving(work, network), lanes = 1;
    for (uint32_t i = 0; i < network->population_count; i++) {
        const struct train *train = network->populations[i]->train;
        if (train != NULL && train->lanes_limit > lanes)
            lanes = train->lanes_limit;
    }
    work->parts = network->workers != NULL ? workers_count(network->workers) : 1;
    work->leaving_from = calloc((size_t)leaving + 1, sizeof *work->leaving_from);
    work->entries = calloc(lanes, sizeof *work->entries);
    work->part = calloc(work->parts, sizeof *work->part);
    work->sums = calloc(work->parts, sizeof *work->sums);
    bool done = work->leaving_from != NULL && work->entries != NULL && work->part != NULL &&
                work->sums != NULL;
    for (uint32_t i = 0; done && i < work->parts; i++) {
        work->sums[i].tally = &work->part[i];
        work->sums[i].synops = calloc((size_t)leaving + 1, sizeof *work->sums[i].synops);
        done = work->sums[i].synops != NULL;
    }
    return done;
}

struct tally *tally_new(const struct network *network, struct error *error)
{
    size_t populations = network->population_count, projections = network->projection_count;
    struct tally *tally = calloc(1, sizeof *tally);
    struct tally_work *work = calloc(1, sizeof *work);
    if (tally == NULL || work == NULL) {
        free(tally);
        free(work);
        error_no_memory(error, "the counters");
        return NULL;
    }
    tally->network = network;
    tally->work = work;
    tally->populations = calloc(populations + 1, sizeof *tally->populations);
    tally->neurons = calloc(populations + 1, sizeof *tally->neurons);
    tally->synops = calloc(projections + 1, sizeof *tally->synops);
    work->neurons = calloc(populations + 1, sizeof *work->neurons);
    work->wave = calloc(populations + 1, sizeof *work->wave);
    work->wave_synops = calloc(projections + 1, sizeof *work->wave_synops);
    work->seen = calloc(projections + 1, sizeof *work->seen);
    work->in_wave = calloc(populations + 1, sizeof *work->in_wave);
    work->counted = calloc(populations + 1, sizeof *work->counted);
    work->leave_start = calloc(populations + 1, sizeof *work->leave_start);
    work->leaving = calloc(projections + 1, sizeof *work->leaving);
    if (tally->populations == NULL || tally->synops == NULL || work->wave == NULL ||
        work->wave_synops == NULL || work->seen == NULL || work->in_wave == NULL ||
        work->leave_start == NULL || work->leaving == NULL || work->counted == NULL ||
        tally->neurons == NULL || work->neurons == NULL || !take_neurons(tally) ||
        !take_sums(work, network)) {
        tally_free(tally);
        error_no_memory(error, "the counters");
        return NULL;
    }
    for (size_t p = 0; p < projections; p++)
        work->seen[p] = network->projections[p]->synops;
    return tally;
}

static void forget_wave(struct tally *tally)
{
    struct tally_work *work = tally->work;
    for (uint32_t i = 0; i < tally->network->population_count; i++) {
        if (work->in_wave[i])
            memset(&work->wave[i], 0, sizeof work->wave[i]);
        work->in_wave[i] = false;
    }
    memset(work->wave_synops, 0, tally->network->projection_count * sizeof *work->wave_synops);
    for (uint32_t p = 0; p < tally->network->projection_count; p++)
        if (!tally->network->projections[p]->source->clocked)
            work->seen[p] = tally->network->projections[p]->synops;
}

enum {
    MANY_CHANNELS = 65536, /* are counted by all threads */
    MOST_LANES = 1 << 16   /* at a time: more could overflow what a piece adds up */
};

struct train_job {
    struct train_count count;
    struct train_sums *sums; /* [parts] */
};

static void count_train_part(void *argument, uint32_t part, uint32_t parts)
{
    const struct train_job *job = argument;
    train_count(&job->count, &job->sums[part], part, parts);
}

/* Finds what the counts of lanes make, from `lane` on; returns where it has to stop. */
static uint32_t find_entries(struct tally_work *work, const struct train *train, uint32_t lane)
{
    uint32_t end = lane;
    lookup_begin(&work->lookup);
    while (end < train->lanes && end - lane < MOST_LANES) {
        work->entries[end] = lookup_find(&work->lookup, train->coding, train->frame[end]);
        if (work->entries[end] == NULL)
            break;
        end++;
    }
    return end;
}

/* Adds what the threads have counted to the wave, and leaves them nothing. */
static void gather_train(struct tally_work *work, uint32_t id, uint32_t parts)
{
    const struct departure *leaving = &work->leaving[work->leave_start[id]];
    uint32_t length = work->leave_start[id + 1] - work->leave_start[id];
    for (uint32_t part = 0; part < parts; part++) {
        struct train_sums *sums = &work->sums[part];
        population_tally_add(&work->wave[id], sums->tally);
        memset(sums->tally, 0, sizeof *sums->tally);
        for (uint32_t d = 0; d < length; d++) {
            work->wave_synops[leaving[d].projection] += sums->synops[d];
            sums->synops[d] = 0;
        }
        if (sums->most > work->neurons[id]->most)
            work->neurons[id]->most = sums->most;
        sums->most = 0;
    }
}

static void count_train(struct tally *tally, const struct firing *firing)
{
    struct tally_work *work = tally->work;
    const struct network *network = tally->network;
    const struct train *train = firing->train;
    uint32_t id = firing->population->id, start = work->leave_start[id];
    if (work->in_wave[id]) /* it fires once a wave: the wave before was cut off */
        forget_wave(tally);
    work->in_wave[id] = true;
    struct population_tally *sum = &work->wave[id];
    sum->vectors += train->lanes;
    sum->channels += (uint64_t)train->lanes * train->neurons;
    for (uint32_t lane = 0; lane < train->lanes; lane++)
        sum->slots += (uint64_t)train->frame[lane].ticks * train->neurons;

    struct train_job job = {.count = {.train = train, .entries = work->entries,
                                      .departures = &work->leaving[start],
                                      .departure_count = work->leave_start[id + 1] - start,
                                      .from = work->leaving_from, .neurons = work->neurons[id],
                                      .vector = network->kernels->vector},
                            .sums = work->sums};
    for (uint32_t d = 0; d < job.count.departure_count; d++) {
        const struct projection *projection =
            network->projections[job.count.departures[d].projection];
        work->leaving_from[d] =
            projection->readout && firing->wave != NULL ? firing->wave->readout_from : 0;
    }
    work->neurons[id]->most = 0;
    for (uint32_t lane = 0; lane < train->lanes; lane = job.count.end) {
        job.count.lane = lane;
        job.count.end = find_entries(work, train, lane);
        uint32_t parts = 1;
        if ((uint64_t)(job.count.end - lane) * train->neurons >= MANY_CHANNELS)
            parts = work->parts;
        if (parts > 1)
            workers_run(network->workers, count_train_part, &job, parts);
        else
            count_train_part(&job, 0, 1);
        gather_train(work, id, parts);
    }
}

/* Takes over what the target of a projection without fan_out, or the network where values are
 * carried, counted since last time. Values are not synops of their population. */
static void read_target(struct tally *tally, uint32_t p)
{
    const struct projection *projection = tally->network->projections[p];
    bool values = projection->carries == CARRIES_VALUES;
    if (values ? !projection->source->clocked : projection->fan_out != NULL)
        return;
    uint64_t *seen = &tally->work->seen[p];
    uint64_t more = projection->synops >= *seen ? projection->synops - *seen : projection->synops;
    *seen = projection->synops;
    tally->synops[p] += more;
    if (!values)
        tally->populations[projection->source->id].synops += more;
}

enum {
    NARROW = 8,        /* payloads 1 … NARROW are counted at once */
    MANY_SPIKES = 4096 /* are counted by all threads */
};

/* What one pass over a volley counts. */
struct volley_count {
    uint32_t payload[NARROW]; /* spikes of payload i + 1 */
    uint32_t sram, dram;      /* blocks with a spike in them */
};

/* Spikes, at least one, are in order of neurons: a block begins where a spike's is not that of the
 * one before. */
VECTOR_INLINE void count_volley(const struct spike *spikes, uint32_t length,
                                struct volley_count *count)
{
    uint32_t a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0, sram = 1, dram = 1;
    /* The last one by itself: a vector of payloads reaches into what comes behind the spike. */
    for (uint32_t i = 0; i < length - 1; i++) {
        int32_t payload = spikes[i].payload;
        a += payload == 1, b += payload == 2, c += payload == 3, d += payload == 4;
        e += payload == 5, f += payload == 6, g += payload == 7, h += payload == 8;
    }
    int32_t last = spikes[length - 1].payload;
    a += last == 1, b += last == 2, c += last == 3, d += last == 4;
    e += last == 5, f += last == 6, g += last == 7, h += last == 8;
    for (uint32_t i = 1; i < length; i++) {
        uint32_t neuron = spikes[i].neuron, before = spikes[i - 1].neuron;
        sram += neuron / TALLY_SRAM_BLOCK != before / TALLY_SRAM_BLOCK;
        dram += neuron / TALLY_DRAM_BLOCK != before / TALLY_DRAM_BLOCK;
    }
    *count = (struct volley_count){{a, b, c, d, e, f, g, h}, sram, dram};
}
VECTOR_VERSIONS(count_volley,
                (const struct spike *spikes, uint32_t length, struct volley_count *count),
                (spikes, length, count))

static void count_piece(struct population_tally *sum, const struct spike *spikes, uint32_t length,
                        enum vector_level vector)
{
    struct volley_count count;
    uint32_t narrow = 0;
    count_volley_by[vector](spikes, length, &count);
    sum->sram_blocks += count.sram;
    sum->dram_blocks += count.dram;
    for (int32_t i = 0; i < NARROW; i++) {
        sum->histogram[histogram_bin(i + 1)] += count.payload[i];
        narrow += count.payload[i];
    }
    for (uint32_t i = 0; narrow < length && i < length; i++)
        if (spikes[i].payload < 1 || spikes[i].payload > NARROW)
            sum->histogram[histogram_bin(spikes[i].payload)]++;
}

static void count_fired(struct neuron_tally *sums, const struct spike *spikes, uint32_t length)
{
    for (uint32_t i = 0; i < length; i++) {
        struct neuron_tally *sum = &sums[spikes[i].neuron];
        int64_t payload = spikes[i].payload;
        sum->active++;
        sum->spikes += (uint64_t)(payload < 0 ? -payload : payload);
    }
}

/* Spikes begin … end-1 of a volley, piece by piece, so that a rare payload costs a second look at
 * few spikes only. A block that goes on from the spike before has been counted with that one. */
static void count_range(struct population_tally *sum, struct neuron_tally *neurons,
                        const struct spike *spikes, uint32_t begin, uint32_t end,
                        enum vector_level vector)
{
    enum { PIECE = 512 };
    if (neurons != NULL)
        count_fired(neurons, spikes + begin, end - begin);
    for (uint32_t at = begin; at < end; at += PIECE) {
        count_piece(sum, spikes + at, end - at < PIECE ? end - at : PIECE, vector);
        if (at == 0)
            continue;
        uint32_t first = spikes[at].neuron, before = spikes[at - 1].neuron;
        sum->sram_blocks -= first / TALLY_SRAM_BLOCK == before / TALLY_SRAM_BLOCK;
        sum->dram_blocks -= first / TALLY_DRAM_BLOCK == before / TALLY_DRAM_BLOCK;
    }
}

struct count_job {
    const struct firing *firing;
    enum vector_level vector;
    struct population_tally *sums; /* [parts] */
    struct neuron_tally *neurons;  /* or NULL; a neuron stands in one part */
};

static void count_part(void *argument, uint32_t part, uint32_t parts)
{
    const struct count_job *job = argument;
    uint32_t begin, end;
    workers_slice(job->firing->spike_count, part, parts, &begin, &end);
    count_range(&job->sums[part], job->neurons, job->firing->spikes, begin, end, job->vector);
}

/* Large volleys are counted by all threads: each has the spikes that it made at hand. */
static void count_firing(struct tally *tally, struct population_tally *sum,
                         const struct firing *firing)
{
    struct tally_work *work = tally->work;
    const struct network *network = tally->network;
    struct count_job job = {firing, network->kernels->vector, work->part,
                            tally->neurons[firing->population->id]};
    sum->spikes += firing->spike_count;
    sum->spikes_up_to_3 += firing->spike_count;
    if (firing->spike_count < MANY_SPIKES || work->parts == 1) {
        count_range(sum, job.neurons, firing->spikes, 0, firing->spike_count, job.vector);
        return;
    }
    workers_run(network->workers, count_part, &job, work->parts);
    for (uint32_t part = 0; part < work->parts; part++) {
        population_tally_add(sum, &work->part[part]);
        memset(&work->part[part], 0, sizeof work->part[part]);
    }
}

/* A clocked population has come to the end of tick `ticks` - 1, and its last `fired` neurons are
 * all that fired since it was last counted. */
static void count_ticks(struct tally *tally, uint32_t id, int64_t ticks, uint32_t fired)
{
    struct population_tally *sum = &tally->populations[id];
    uint64_t vectors = (uint64_t)(ticks - tally->work->counted[id]);
    uint64_t channels = vectors * tally->network->populations[id]->neurons;
    sum->vectors += vectors;
    sum->channels += channels;
    sum->slots += channels;
    sum->silent += channels - fired;
    sum->histogram[TALLY_HISTOGRAM] += channels - fired;
    tally->work->counted[id] = ticks;
}

static uint64_t reached(const struct projection *projection, const struct firing *firing)
{
    uint64_t synops = 0;
    if (projection->same_fan_out > 0)
        return (uint64_t)projection->same_fan_out * firing->spike_count;
    for (uint32_t i = 0; i < firing->spike_count; i++)
        synops += projection->fan_out[firing->spikes[i].neuron];
    return synops;
}

static void count_plain(struct tally *tally, const struct firing *firing)
{
    struct tally_work *work = tally->work;
    uint32_t id = firing->population->id, length = firing->spike_count;
    struct population_tally *sum = &tally->populations[id];
    count_ticks(tally, id, firing->tick + 1, length);
    if (work->finished + (uint64_t)firing->tick + 1 > tally->ticks) /* as far as it has come */
        tally->ticks = work->finished + (uint64_t)firing->tick + 1;
    count_firing(tally, sum, firing);
    for (uint32_t j = work->leave_start[id]; j < work->leave_start[id + 1]; j++) {
        uint32_t p = work->leaving[j].projection;
        if (tally->network->projections[p]->fan_out == NULL) {
            read_target(tally, p);
            continue;
        }
        uint64_t synops = reached(tally->network->projections[p], firing);
        tally->synops[p] += synops;
        sum->synops += synops;
    }
}

static bool fired(void *self, const struct firing *firing, struct error *error)
{
    (void)error;
    if (firing->train != NULL)
        count_train(self, firing);
    else if (firing->spikes != NULL || firing->population->spikes != NULL)
        count_plain(self, firing);
    return true;
}

/* Adds a population's share of the wave to the totals. */
static void join_wave(struct tally *tally, uint32_t id)
{
    population_tally_add(&tally->populations[id], &tally->work->wave[id]);
    wave_neurons_join(tally->work->neurons[id], tally->neurons[id],
                      tally->network->kernels->vector);
}

static bool wave_done(void *self, const struct wave *wave, const int64_t *ticks,
                      struct error *error)
{
    (void)error;
    struct tally *tally = self;
    struct tally_work *work = tally->work;
    tally->positions += wave->lanes;
    if (tally->network->running)
        tally->ticks = work->finished; /* what it had come to is part of ticks[0] */
    for (uint32_t lane = 0; lane < wave->lanes; lane++)
        tally->ticks += (uint64_t)ticks[lane];
    work->finished = tally->ticks;
    for (uint32_t i = 0; i < tally->network->population_count; i++) {
        const struct population *population = tally->network->populations[i];
        if (work->in_wave[i])
            join_wave(tally, i);
        if (!tally->network->running || !population->clocked || population->spikes == NULL)
            continue;
        count_ticks(tally, i, ticks[0], 0); /* those after its last firing */
        work->counted[i] = 0;
    }
    for (uint32_t p = 0; p < tally->network->projection_count; p++) {
        tally->synops[p] += work->wave_synops[p];
        read_target(tally, p);
    }
    forget_wave(tally);
    return true;
}

struct observer tally_observer(struct tally *tally)
{
    return (struct observer){.self = tally, .fired = fired, .wave_done = wave_done};
}

const struct neuron_tally *tally_neurons(const struct tally *tally, uint32_t population)
{
    struct wave_neurons *recent = tally->work->neurons[population];
    if (recent != NULL && tally->neurons[population] != NULL)
        wave_neurons_settle(recent, tally->neurons[population]);
    return tally->neurons[population];
}

uint64_t tally_synops(const struct tally *tally, uint32_t projection)
{
    return tally->synops[projection];
}

struct sparsity sparsity_of(const struct population_tally *tally)
{
    struct sparsity sparsity = {0};
    if (tally->channels == 0)
        return sparsity;
    double channels = (double)tally->channels, spiking = channels - (double)tally->silent;
    double empty = 3 * channels - (double)tally->spikes_up_to_3;
    sparsity.silent_fraction = (double)tally->silent / channels;
    sparsity.mean_spikes = (double)tally->spikes / channels;
    sparsity.slot_sparsity_3 = 1 - (double)tally->spikes_up_to_3 / (3 * channels);
    if (tally->slots > 0)
        sparsity.slot_sparsity = 1 - (double)tally->spikes / (double)tally->slots;
    if (empty + spiking > 0)
        sparsity.report_sparsity = empty / (empty + spiking);
    return sparsity;
}

void population_tally_add(struct population_tally *a, const struct population_tally *b)
{
    a->vectors += b->vectors;
    a->channels += b->channels;
    a->silent += b->silent;
    a->spikes += b->spikes;
    a->spikes_up_to_3 += b->spikes_up_to_3;
    a->slots += b->slots;
    a->sram_blocks += b->sram_blocks;
    a->dram_blocks += b->dram_blocks;
    a->synops += b->synops;
    for (size_t i = 0; i < sizeof a->histogram / sizeof *a->histogram; i++)
        a->histogram[i] += b->histogram[i];
}
