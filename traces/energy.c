/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The energy table. With, for every spike-carrying projection p of a source s
 * that has neurons n, vectors v, spikes a and active blocks b:
 *
 *     targets = weight_count / n,   macs = targets · n · v,   adds = targets · a
 *     fetches = targets · b (spikes),   targets · v · ceil(n / block) (dense)
 *
 * summed over p, and divided by the tokens of the run. The view layer_energy
 * of schema.sql computes the same, population by population.
 */
#include "traces/energy.h"

#define HOROWITZ "M. Horowitz, Computing's energy problem, ISSCC 2014 (45 nm, 0.9 V)"

const struct energy_coefficient energy_coefficients[ENERGY_COSTS] = {
    [ENERGY_ADD_INT8] = {"add_int8", 0.03, "pJ", "circuit", HOROWITZ},
    [ENERGY_ADD_INT32] = {"add_int32", 0.1, "pJ", "circuit", HOROWITZ},
    [ENERGY_MAC_FP16] = {"mac_fp16", 1.5, "pJ", "circuit", HOROWITZ ": multiply 1.1 + add 0.4"},
    [ENERGY_MAC_INT8] = {"mac_int8", 0.23, "pJ", "circuit", HOROWITZ ": multiply 0.2 + add 0.03"},
    [ENERGY_SRAM_READ] = {"sram_read", 20, "pJ per 64 bits", "circuit", HOROWITZ ": 32 KB SRAM"},
    [ENERGY_DRAM_READ_LOW] = {"dram_read_low", 1300, "pJ per 64 bits", "circuit",
                              HOROWITZ ": DRAM, low end"},
    [ENERGY_DRAM_READ_HIGH] = {"dram_read_high", 2600, "pJ per 64 bits", "circuit",
                               HOROWITZ ": DRAM, high end"},
};

enum operand { SPIKES_INT8, SPIKES_INT32, DENSE_FP16, DENSE_INT8 };

static const struct {
    const char *key, *name;
    enum operand operand;
    enum energy_memory memory;
    const char *includes;
} table[ENERGY_LINES] = {
    {"report", "spikes, 8-bit add", SPIKES_INT8, ENERGY_NO_MEMORY,
     "The SpikingBrain report's formula: mean spikes times an 8-bit addition (0.03 pJ) for every "
     "weight; no memory."},
    {"accumulate", "spikes, 32-bit add", SPIKES_INT32, ENERGY_NO_MEMORY,
     "The same with the 32-bit accumulator that exact sums need (0.1 pJ); no memory."},
    {"accumulate_sram", "spikes, 32-bit add, SRAM", SPIKES_INT32, ENERGY_SRAM,
     "32-bit additions, and weights of one byte from a 32 KB SRAM in lines of 64 bits (20 pJ); a "
     "line is skipped only if its 8 channels are all silent."},
    {"accumulate_dram_low", "spikes, 32-bit add, DRAM (low)", SPIKES_INT32, ENERGY_DRAM_LOW,
     "32-bit additions, and weights of one byte from DRAM in bursts of 64 bytes (1300 pJ per 64 "
     "bits); a burst is skipped only if its 64 channels are all silent."},
    {"accumulate_dram_high", "spikes, 32-bit add, DRAM (high)", SPIKES_INT32, ENERGY_DRAM_HIGH,
     "The same at the high end of the range (2600 pJ per 64 bits)."},
    {"fp16", "dense FP16", DENSE_FP16, ENERGY_NO_MEMORY,
     "One FP16 multiply-accumulate (1.5 pJ) for every weight; no memory."},
    {"fp16_sram", "dense FP16, SRAM", DENSE_FP16, ENERGY_SRAM,
     "FP16 multiply-accumulates, and all weights of two bytes from a 32 KB SRAM in lines of 64 "
     "bits (20 pJ)."},
    {"fp16_dram_low", "dense FP16, DRAM (low)", DENSE_FP16, ENERGY_DRAM_LOW,
     "FP16 multiply-accumulates, and all weights of two bytes from DRAM in bursts of 64 bytes "
     "(1300 pJ per 64 bits)."},
    {"fp16_dram_high", "dense FP16, DRAM (high)", DENSE_FP16, ENERGY_DRAM_HIGH,
     "The same at the high end of the range (2600 pJ per 64 bits)."},
    {"int8", "dense INT8", DENSE_INT8, ENERGY_NO_MEMORY,
     "One INT8 multiply-accumulate (0.23 pJ) for every weight; no memory."},
    {"int8_sram", "dense INT8, SRAM", DENSE_INT8, ENERGY_SRAM,
     "INT8 multiply-accumulates, and all weights of one byte from a 32 KB SRAM in lines of 64 "
     "bits (20 pJ)."},
    {"int8_dram_low", "dense INT8, DRAM (low)", DENSE_INT8, ENERGY_DRAM_LOW,
     "INT8 multiply-accumulates, and all weights of one byte from DRAM in bursts of 64 bytes (1300 "
     "pJ per 64 bits)."},
    {"int8_dram_high", "dense INT8, DRAM (high)", DENSE_INT8, ENERGY_DRAM_HIGH,
     "The same at the high end of the range (2600 pJ per 64 bits)."},
};

static double cost(enum energy_cost which)
{
    return energy_coefficients[which].value;
}

/* Events per token. */
struct amounts {
    double macs, adds;
    double spike_lines, spike_bursts; /* of 64 bits, of 64 bytes */
    double fp16_lines, fp16_bursts;
    double int8_lines, int8_bursts;
};

static double blocks(uint32_t neurons, uint32_t width)
{
    return (double)((neurons + (uint64_t)width - 1) / width);
}

static struct amounts amounts_of(const struct report *report, double tokens)
{
    struct amounts sum = {0};
    for (uint32_t p = 0; p < report->projection_count; p++) {
        const struct report_projection *projection = &report->projections[p];
        if (!projection->spiking || projection->source >= report->row_count ||
            report->rows[projection->source].neurons == 0)
            continue;
        const struct report_row *row = &report->rows[projection->source];
        double targets = (double)projection->weight_count / row->neurons / tokens;
        double vectors = (double)row->tally.vectors;
        sum.macs += targets * row->neurons * vectors;
        sum.adds += targets * (double)row->tally.spikes;
        sum.spike_lines += targets * (double)row->tally.sram_blocks;
        sum.spike_bursts += targets * (double)row->tally.dram_blocks;
        sum.fp16_lines += targets * vectors * blocks(row->neurons, TALLY_SRAM_BLOCK / 2);
        sum.fp16_bursts += targets * vectors * blocks(row->neurons, TALLY_DRAM_BLOCK / 2);
        sum.int8_lines += targets * vectors * blocks(row->neurons, TALLY_SRAM_BLOCK);
        sum.int8_bursts += targets * vectors * blocks(row->neurons, TALLY_DRAM_BLOCK);
    }
    return sum;
}

static double memory_cost(enum energy_memory memory, double lines, double bursts)
{
    const double burst_words = 8; /* 64 bytes are eight times 64 bits */
    switch (memory) {
    case ENERGY_SRAM:
        return lines * cost(ENERGY_SRAM_READ);
    case ENERGY_DRAM_LOW:
        return bursts * burst_words * cost(ENERGY_DRAM_READ_LOW);
    case ENERGY_DRAM_HIGH:
        return bursts * burst_words * cost(ENERGY_DRAM_READ_HIGH);
    default:
        return 0;
    }
}

static double picojoules(const struct amounts *amounts, enum operand operand,
                         enum energy_memory memory)
{
    switch (operand) {
    case DENSE_FP16:
        return amounts->macs * cost(ENERGY_MAC_FP16) +
               memory_cost(memory, amounts->fp16_lines, amounts->fp16_bursts);
    case DENSE_INT8:
        return amounts->macs * cost(ENERGY_MAC_INT8) +
               memory_cost(memory, amounts->int8_lines, amounts->int8_bursts);
    default:
        return amounts->adds * cost(operand == SPIKES_INT8 ? ENERGY_ADD_INT8 : ENERGY_ADD_INT32) +
               memory_cost(memory, amounts->spike_lines, amounts->spike_bursts);
    }
}

struct energy energy_of(const struct report *report)
{
    struct energy energy = {.tokens = report->positions > 0 ? (double)report->positions : 1};
    struct amounts amounts = amounts_of(report, energy.tokens);
    energy.macs = amounts.macs;
    energy.adds = amounts.adds;
    energy.spikes_per_mac = amounts.macs > 0 ? amounts.adds / amounts.macs : 0;
    energy.report_per_mac = energy.spikes_per_mac * cost(ENERGY_ADD_INT8);
    for (int i = 0; i < ENERGY_LINES; i++) {
        double fp16 = picojoules(&amounts, DENSE_FP16, table[i].memory);
        double int8 = picojoules(&amounts, DENSE_INT8, table[i].memory);
        double own = picojoules(&amounts, table[i].operand, table[i].memory);
        energy.lines[i] = (struct energy_line){
            .name = table[i].name,
            .key = table[i].key,
            .memory = table[i].memory,
            .spiking = table[i].operand == SPIKES_INT8 || table[i].operand == SPIKES_INT32,
            .picojoules = own,
            .per_fp16 = fp16 > 0 ? own / fp16 : 0,
            .per_int8 = int8 > 0 ? own / int8 : 0,
            .includes = table[i].includes,
        };
    }

    struct amounts rest = {0};
    for (uint32_t p = 0; p < report->projection_count; p++)
        if (!report->projections[p].spiking)
            rest.macs += (double)report->projections[p].weight_count;
    rest.int8_lines = rest.macs / TALLY_SRAM_BLOCK;
    rest.int8_bursts = rest.macs / TALLY_DRAM_BLOCK;
    rest.fp16_lines = 2 * rest.int8_lines;
    rest.fp16_bursts = 2 * rest.int8_bursts;
    energy.rest_macs = rest.macs;
    for (int memory = 0; memory < ENERGY_MEMORIES; memory++) {
        energy.rest_fp16[memory] = picojoules(&rest, DENSE_FP16, (enum energy_memory)memory);
        energy.rest_int8[memory] = picojoules(&rest, DENSE_INT8, (enum energy_memory)memory);
    }
    return energy;
}
