/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A piece of a lane is read twice: for its least and greatest count, and, if
 * all are looked up, channel by channel for its histogram and its spikes, at
 * four instructions each. What else there is to know is summed up from the
 * spikes by loops that compilers turn into vectors. Pieces with counts that are
 * not looked up take the long way, with the same results.
 */
#include "traces/train_count.h"

#include "scheduler/workers.h"

#include <stddef.h>
#include <string.h>

enum { WORDS = TALLY_SRAM_BLOCK * sizeof(uint16_t) / sizeof(uint64_t) }; /* of a block */

/* A piece of a lane. */
struct piece {
    uint32_t first, length;
    const int32_t *counts;
    uint16_t *spikes; /* [NEURONS_PIECE], 0 behind the last */
};

VECTOR_INLINE void find_range(const int32_t *counts, uint32_t length, int32_t *smallest,
                              int32_t *largest)
{
    int32_t low = counts[0], high = counts[0];
    for (uint32_t i = 1; i < length; i++) {
        low = counts[i] < low ? counts[i] : low;
        high = counts[i] > high ? counts[i] : high;
    }
    *smallest = low;
    *largest = high;
}
VECTOR_VERSIONS(find_range,
                (const int32_t *counts, uint32_t length, int32_t *smallest, int32_t *largest),
                (counts, length, smallest, largest))

struct summary {
    uint32_t active, total, up_to_3, most;
};

/* A piece is so short that 16 bits hold all sums but `total`. */
VECTOR_INLINE void summarise(const uint16_t *spikes, uint32_t length, struct summary *summary)
{
    uint16_t active = 0, up_to_3 = 0, most = 0;
    uint32_t total = 0;
    for (uint32_t i = 0; i < length; i++) {
        active = (uint16_t)(active + (spikes[i] != 0));
        up_to_3 = (uint16_t)(up_to_3 + (spikes[i] < 3 ? spikes[i] : 3));
        most = spikes[i] > most ? spikes[i] : most;
    }
    for (uint32_t i = 0; i < length; i++)
        total += spikes[i];
    *summary = (struct summary){active, total, up_to_3, most};
}
VECTOR_VERSIONS(summarise, (const uint16_t *spikes, uint32_t length, struct summary *summary),
                (spikes, length, summary))

VECTOR_INLINE void dot(const int16_t *spikes, const int16_t *fan_out, uint32_t length, int32_t *sum)
{
    int32_t synops = 0;
    for (uint32_t i = 0; i < length; i++)
        synops += spikes[i] * fan_out[i];
    *sum = synops;
}
VECTOR_VERSIONS(dot,
                (const int16_t *spikes, const int16_t *fan_out, uint32_t length, int32_t *sum),
                (spikes, fan_out, length, sum))

/* What a piece fired in several lanes. */
struct piece_lanes {
    uint32_t active[NEURONS_PIECE], spikes[NEURONS_PIECE];
};

VECTOR_INLINE void add_lane(struct piece_lanes *lanes, const uint16_t *spikes, uint32_t length)
{
    for (uint32_t i = 0; i < length; i++) {
        lanes->active[i] += spikes[i] != 0;
        lanes->spikes[i] += spikes[i];
    }
}
VECTOR_VERSIONS(add_lane, (struct piece_lanes *lanes, const uint16_t *spikes, uint32_t length),
                (lanes, spikes, length))

/* Channel by channel, all counts smallest … largest being looked up. Neighbours have bins of their
 * own, as one cannot be added to before the addition before it has been written. */
static void look_up(struct train_sums *sums, const struct lookup_entry *entry,
                    const struct piece *piece, int32_t smallest, int32_t largest)
{
    const uint16_t *table = entry->spikes + LOOKUP_REACH;
    uint32_t *even = sums->bins[0] + LOOKUP_REACH, *odd = sums->bins[1] + LOOKUP_REACH;
    const int32_t *counts = piece->counts;
    uint16_t *spikes = piece->spikes;
    uint32_t i = 0;
    for (; i + 2 <= piece->length; i += 2) {
        ptrdiff_t a = counts[i], b = counts[i + 1];
        even[a]++;
        odd[b]++;
        spikes[i] = table[a];
        spikes[i + 1] = table[b];
    }
    if (i < piece->length) {
        even[counts[i]]++;
        spikes[i] = table[counts[i]];
    }
    uint64_t *histogram = sums->tally->histogram + TALLY_HISTOGRAM;
    for (ptrdiff_t count = smallest; count <= largest; count++) {
        histogram[count] += even[count] + odd[count];
        even[count] = odd[count] = 0;
    }
}

/* The long way: any count. False, and nothing is counted, if one makes more than LOOKUP_MOST
 * spikes. */
static bool look_up_any(struct train_sums *sums, const struct lookup_entry *entry,
                        const struct piece *piece)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < piece->length; i++) {
        uint32_t spikes = lookup_spikes(entry, piece->counts[i]);
        most = spikes > most ? spikes : most;
        piece->spikes[i] = (uint16_t)spikes;
    }
    for (uint32_t i = 0; most <= LOOKUP_MOST && i < piece->length; i++)
        sums->tally->histogram[histogram_bin(piece->counts[i])]++;
    return most <= LOOKUP_MOST;
}

/* Blocks with a spike in them, of a piece filled up with silent neurons. */
static void count_blocks(struct population_tally *tally, const uint16_t *spikes, uint32_t length)
{
    for (uint32_t first = 0; first < length; first += TALLY_DRAM_BLOCK) {
        uint64_t any = 0;
        for (uint32_t block = first; block < first + TALLY_DRAM_BLOCK; block += TALLY_SRAM_BLOCK) {
            uint64_t words[WORDS], some = 0;
            memcpy(words, spikes + block, sizeof words);
            for (int i = 0; i < WORDS; i++)
                some |= words[i];
            tally->sram_blocks += some != 0;
            any |= some;
        }
        tally->dram_blocks += any != 0;
    }
}

static void count_synops(const struct train_count *count, struct train_sums *sums, uint32_t lane,
                         const struct piece *piece, uint32_t total)
{
    for (uint32_t d = 0; d < count->departure_count; d++) {
        const struct departure *departure = &count->departures[d];
        if (departure->fan_out == NULL || lane < count->from[d])
            continue;
        uint64_t synops = 0;
        if (departure->narrow != NULL && (uint64_t)total * departure->most <= INT32_MAX) {
            int32_t sum;
            dot_by[count->vector]((const int16_t *)piece->spikes,
                                  departure->narrow + piece->first, piece->length, &sum);
            synops = (uint64_t)sum;
        } else {
            const uint32_t *fan_out = departure->fan_out + piece->first;
            for (uint32_t i = 0; i < piece->length; i++)
                synops += (uint64_t)piece->spikes[i] * fan_out[i];
        }
        sums->synops[d] += synops;
        sums->tally->synops += synops;
    }
}

/* Counts a piece of a lane and leaves its spikes in piece->spikes. False: it has channels of more
 * than LOOKUP_MOST spikes, and is to be counted by count_wide. */
static bool count_narrow(const struct train_count *count, struct train_sums *sums, uint32_t lane,
                         const struct piece *piece)
{
    const struct lookup_entry *entry = count->entries[lane];
    int32_t smallest, largest;
    find_range_by[count->vector](piece->counts, piece->length, &smallest, &largest);
    if (smallest >= entry->first && largest <= entry->last)
        look_up(sums, entry, piece, smallest, largest);
    else if (!look_up_any(sums, entry, piece))
        return false;
    struct summary summary;
    summarise_by[count->vector](piece->spikes, piece->length, &summary);
    sums->tally->silent += piece->length - summary.active;
    sums->tally->spikes += summary.total;
    sums->tally->spikes_up_to_3 += summary.up_to_3;
    sums->most = summary.most > sums->most ? summary.most : sums->most;
    count_blocks(sums->tally, piece->spikes, piece->length);
    count_synops(count, sums, lane, piece, summary.total);
    return true;
}

/* Counts a piece of a lane with any spikes at all, and adds them to wave [piece->length]. */
static void count_wide(const struct train_count *count, struct train_sums *sums, uint32_t lane,
                       const struct piece *piece, struct neuron_tally *wave)
{
    struct population_tally *tally = sums->tally;
    uint32_t sram = UINT32_MAX, dram = UINT32_MAX; /* the last blocks that counted */
    for (uint32_t i = 0; i < piece->length; i++) {
        uint32_t spikes = lookup_spikes(count->entries[lane], piece->counts[i]);
        tally->histogram[histogram_bin(piece->counts[i])]++;
        if (spikes == 0) {
            tally->silent++;
            continue;
        }
        tally->spikes += spikes;
        tally->spikes_up_to_3 += spikes < 3 ? spikes : 3;
        tally->sram_blocks += i / TALLY_SRAM_BLOCK != sram;
        tally->dram_blocks += i / TALLY_DRAM_BLOCK != dram;
        sram = i / TALLY_SRAM_BLOCK;
        dram = i / TALLY_DRAM_BLOCK;
        wave[i].active++;
        wave[i].spikes += spikes;
        for (uint32_t d = 0; d < count->departure_count; d++) {
            const uint32_t *fan_out = count->departures[d].fan_out;
            if (fan_out == NULL || lane < count->from[d])
                continue;
            sums->synops[d] += (uint64_t)spikes * fan_out[piece->first + i];
            tally->synops += (uint64_t)spikes * fan_out[piece->first + i];
        }
    }
}

static void count_one_lane(const struct train_count *count, struct train_sums *sums,
                           struct piece *piece)
{
    struct wave_neurons *neurons = count->neurons;
    piece->spikes = neurons->spikes + piece->first;
    neurons->form[piece->first / NEURONS_PIECE] = PIECE_NARROW;
    if (count_narrow(count, sums, count->lane, piece))
        return;
    neurons->form[piece->first / NEURONS_PIECE] = PIECE_WIDE;
    memset(neurons->wave + piece->first, 0, piece->length * sizeof *neurons->wave);
    count_wide(count, sums, count->lane, piece, neurons->wave + piece->first);
}

static void count_lanes(const struct train_count *count, struct train_sums *sums,
                        struct piece *piece)
{
    struct wave_neurons *neurons = count->neurons;
    struct neuron_tally *wave = neurons->wave + piece->first;
    struct piece_lanes lanes;
    uint16_t spikes[NEURONS_PIECE] = {0};
    piece->spikes = spikes;
    memset(&lanes, 0, sizeof lanes);
    if (count->lane == 0)
        memset(wave, 0, piece->length * sizeof *wave);
    neurons->form[piece->first / NEURONS_PIECE] = PIECE_WIDE;
    for (uint32_t lane = count->lane; lane < count->end; lane++) {
        if (count_narrow(count, sums, lane, piece))
            add_lane_by[count->vector](&lanes, spikes, piece->length);
        else
            count_wide(count, sums, lane, piece, wave);
        piece->counts += count->train->neurons;
    }
    for (uint32_t i = 0; i < piece->length; i++) {
        wave[i].active += lanes.active[i];
        wave[i].spikes += lanes.spikes[i];
    }
}

void train_count(const struct train_count *count, struct train_sums *sums, uint32_t part,
                 uint32_t parts)
{
    const struct train *train = count->train;
    uint32_t neurons = train->neurons, begin, end;
    workers_slice((neurons + NEURONS_PIECE - 1) / NEURONS_PIECE, part, parts, &begin, &end);
    for (uint32_t p = begin; p < end; p++) {
        uint32_t first = p * NEURONS_PIECE, left = neurons - first;
        struct piece piece = {.first = first, .length = left < NEURONS_PIECE ? left : NEURONS_PIECE,
                              .counts = train->count + (size_t)count->lane * neurons + first};
        if (train->lanes == 1)
            count_one_lane(count, sums, &piece);
        else
            count_lanes(count, sums, &piece);
    }
}
