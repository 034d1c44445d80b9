/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Chips: the energy, time and capacity figures of one piece of hardware, with where each comes
 * from. A chip is one JSON file; traces/chips/ holds those that are shipped (they are compiled in
 * and installed), chip.schema.json says what a file may hold.
 *
 * Scope. Published "pJ per synaptic operation" are of three kinds: per-term (one figure for each
 * kind of event), all-in (everything at one operating point, leakage too, divided by the synops)
 * and incremental (the slope of power over rate, without what flows at rest). They do not add up
 * with each other: a chip with an all-in figure holds no other energy or power but the platform's,
 * and one with an incremental figure nothing else but power and the platform's.
 */
#ifndef VOLLEY_CHIP_H
#define VOLLEY_CHIP_H

#include "scheduler/error.h"

#include <stddef.h>
#include <stdint.h>

/* What a chip may say a figure of. In SI units: joules, seconds, watts. Each stands in the file
 * under "energy", "time" or "power" by the name that chip_figures gives it. */
enum chip_figure {
    /* joules */
    CHIP_SYNOP, /* one spike at one synapse, where there is none for its kind: */
    CHIP_SYNOP_DENSE,
    CHIP_SYNOP_SPARSE,
    CHIP_SYNOP_CONVOLUTION,
    CHIP_SYNOP_GRADED, /* one graded spike, whatever its payload, at one synapse: a multiply-add */
    CHIP_MAC,          /* dense chips: one multiply-accumulate */
    CHIP_NEURON_ACCESS, /* one neuron, one tick, whether anything happened or not */
    CHIP_NEURON_UPDATE, /* one neuron, one tick in which it is updated, beyond the access */
    CHIP_SPIKE,         /* firing once */
    CHIP_MESSAGE_OUT,   /* one message (spike x destination core) leaving its core */
    CHIP_MESSAGE_IN,    /* … arriving */
    CHIP_HOP_LOCAL,     /* a message between cores of one tile (or within a core) */
    CHIP_HOP_EAST,      /* a message from one tile to its neighbour */
    CHIP_HOP_WEST,
    CHIP_HOP_NORTH,
    CHIP_HOP_SOUTH,
    CHIP_LINK_BIT,      /* one bit of a message crossing to a neighbouring chip */
    CHIP_CONTROL_SPIKE, /* detecting and queueing one spike */
    CHIP_CONTROL_SYNOP, /* control of one synop: decoding, addressing */
    /* watts */
    CHIP_POWER_CORE,     /* of each core in use, at rest */
    CHIP_POWER_CHIP,     /* of each chip, at rest, beyond its cores */
    CHIP_POWER_BYTE,     /* of each byte of synaptic memory in use */
    CHIP_POWER_PLATFORM, /* of board and host, for each chip: shown apart, in no total */
    /* seconds */
    CHIP_TIME_SYNOP,
    CHIP_TIME_SYNOP_DENSE,
    CHIP_TIME_SYNOP_SPARSE,
    CHIP_TIME_SYNOP_CONVOLUTION,
    CHIP_TIME_SYNOP_GRADED,
    CHIP_TIME_NEURON_ACCESS,
    CHIP_TIME_NEURON_UPDATE,
    CHIP_TIME_SPIKE,
    CHIP_TIME_MESSAGE_OUT,
    CHIP_TIME_MESSAGE_IN,
    CHIP_TIME_HOP_LOCAL,
    CHIP_TIME_HOP_EAST,
    CHIP_TIME_HOP_WEST,
    CHIP_TIME_HOP_NORTH,
    CHIP_TIME_HOP_SOUTH,
    CHIP_TIME_LINK, /* a message crossing to a neighbouring chip */
    CHIP_TIME_TICK, /* the shortest tick: a chip in real time holds to it, however idle */
    CHIP_FIGURES
};

enum chip_group { CHIP_ENERGY, CHIP_POWER, CHIP_TIME };

struct chip_figure_line {
    const char *key; /* in its group: "synop_dense" */
    enum chip_group group;
    const char *meaning; /* one line */
};
/* [CHIP_FIGURES] */
extern const struct chip_figure_line chip_figures[];

enum chip_scope { SCOPE_PER_TERM, SCOPE_ALL_IN, SCOPE_INCREMENTAL };
enum chip_evidence {
    EVIDENCE_SILICON,     /* measured on the chip */
    EVIDENCE_PRE_SILICON, /* simulated before it was made */
    EVIDENCE_CIRCUIT,     /* of single circuits in a technology */
    EVIDENCE_DATASHEET,
    EVIDENCE_FITTED,      /* fitted by others to measurements */
    EVIDENCE_SCALED,      /* taken over from another chip, scaled: no measurement */
    EVIDENCE_ASSUMED      /* somebody's what-if; no shipped chip has such a figure */
};
/* "per-term", "all-in", "incremental"; "silicon", "pre-silicon", …; NULL ends. */
extern const char *const chip_scope_names[];
extern const char *const chip_evidence_names[];

struct coefficient {
    bool given;
    double value;     /* SI */
    double low, high; /* SI; the published range; equal to value where there is none */
    enum chip_scope scope;
    enum chip_evidence evidence;
    char unit[8];     /* as the file has it: "pJ" */
    char *source;     /* full text; owned */
    char *note;       /* or NULL; owned */
};

enum { CHIP_MEMORIES = 4, CHIP_SYNCS = 16 };

/* Weights are fetched from here. With the layout by target, weights of consecutive source neurons
 * onto one target lie side by side, so that a fetch brings a block of them and is saved only where
 * all of the block's sources are silent in that vector. By source, each spike fetches the row of
 * its targets in blocks. */
struct chip_memory {
    char *name;           /* "SRAM" */
    uint32_t block_bytes; /* that one read brings */
    enum { LAYOUT_BY_TARGET, LAYOUT_BY_SOURCE } layout;
    struct coefficient read; /* joules, one block */
};

/* 0: no such limit. */
struct chip_limits {
    uint64_t neurons;       /* per core */
    uint64_t synapses;      /* per core */
    uint64_t synapse_bytes; /* per core */
    uint64_t fan_in;        /* per core: source neurons that send to it */
    uint64_t fan_out;       /* per core: messages that a spike of each of its neurons would send */
    uint64_t neuron_fan_in; /* synapses per neuron */
    uint64_t chips;
};

/* Tiles in columns and rows, XY routing (first along x, then along y). Tile t stands at
 * x = t / rows, y = t % rows (column-major) or x = t % columns, y = t / columns. North is towards
 * larger y, east towards larger x. Several chips stand in a square: chip c at column c % side, row
 * c / side with side = ⌈√chips⌉; a message that leaves its chip goes on in the next one's mesh, and
 * each border that it crosses is a link. */
struct chip_mesh {
    uint32_t columns, rows; /* 1 x 1: no mesh */
    uint32_t cores_per_tile;
    bool column_major;
    uint32_t link_buffer; /* messages that a link between tiles holds; 0: not said */
};

struct chip {
    char *name;        /* "loihi" */
    char *title;       /* "Intel Loihi" */
    char *description; /* one or two sentences */
    char *origin;      /* path, or "built in" */
    char digest[17];   /* of the file and of all that was changed since */
    uint32_t year;     /* 0: not said */
    double nanometres; /* 0: not said */
    bool dense;        /* it multiplies and adds every weight, whatever is silent */
    bool graded;       /* a spike carries its payload; else a payload p is |p| spikes */
    bool shares_kernels; /* a convolution's weights are held once per core; else one per synapse */
    uint32_t weight_bits;  /* 0: not said; not where there is memory or a limit in bytes */
    uint32_t message_bits; /* of a message on a link, without payload */
    uint32_t payload_bits; /* more for a graded spike */
    struct chip_limits limits;
    struct chip_mesh mesh;
    struct coefficient figure[CHIP_FIGURES];
    struct chip_memory memory[CHIP_MEMORIES];
    uint32_t memory_count;
    /* Synchronising all tiles in use at the end of a tick: from so many on it takes so long. */
    struct {
        uint32_t tiles;
        double seconds;
    } sync[CHIP_SYNCS]; /* ascending; [sync_count] */
    uint32_t sync_count;
    struct coefficient sync_source; /* value is that of the last row; given if sync_count > 0 */
    char **missing; /* [missing_count] sentences: what the figures do not include */
    uint32_t missing_count;
};

/* The shipped ones, in the order they are listed; NULL ends. */
extern const char *const chip_names[];

/* A shipped chip by name, or a file by path (anything with a '/' or ending in .json). NULL with one
 * sentence that names the file and the place in it. */
struct chip *chip_open(const char *name, struct error *error);
/* From text; `origin` is for sentences. */
struct chip *chip_parse(const char *text, size_t length, const char *origin, struct error *error);
void chip_free(struct chip *chip);

/* "energy.hop_east=3.5pJ", "time.tick=1ms", "limits.neurons=512", "memory.SRAM.read=10pJ",
 * "memory.SRAM.block_bytes=16", "weight_bits=4", "graded=true": a change of one entry, by its place
 * in the file. A figure so given has no range; its source becomes "changed on the command line",
 * its evidence "assumed". Scopes are checked anew: a figure keeps the scope it had, and one that
 * the chip did not have is per-term. A chip whose change is refused stays as it was. */
bool chip_change(struct chip *chip, const char *assignment, struct error *error);

/* A value of the coefficient (joules, watts, seconds) in the unit that its file has. */
double chip_in_unit(const struct coefficient *coefficient, double value);

/* Whether any energy is all-in (incremental); these chips' totals have no terms. */
bool chip_is_all_in(const struct chip *chip);
bool chip_is_incremental(const struct chip *chip);

/* The text of a shipped chip's file, for a copy to start from; NULL if there is none. */
const char *chip_text(const char *name);

/* Cores of one chip. */
static inline uint32_t chip_cores(const struct chip *chip)
{
    return chip->mesh.columns * chip->mesh.rows * chip->mesh.cores_per_tile;
}

#endif
