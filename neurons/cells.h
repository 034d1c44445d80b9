/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Cells: populations that live in time, tick by tick. What every such neuron model would
 * otherwise write for itself is here: parameters and state variables by name, initial values,
 * the drive, splitting over threads, and leaving out blocks in which nothing happens.
 *
 * A neuron model is one file in models/ that defines a `struct cell_model`, and one line in the
 * table of cells.c. Times are in seconds; potentials, currents and weights in any units that
 * fit together (a model that needs certain ones says so).
 *
 * Blocks. Neurons are stepped in blocks of CELL_BLOCK. A block must be stepped at a tick when
 * something reached it, or when its last step left it awake. Any other block may be left out,
 * which must not change a bit: so a step may call a block asleep only if stepping it again and
 * again without input would leave all it holds as it is. Two ways lead there: the step changed
 * no bit of the state (and its input was zero); or the model keeps the state as of the last
 * event and comes back to it in closed form, so that a tick without input has nothing
 * to do.
 */
#ifndef VOLLEY_CELLS_H
#define VOLLEY_CELLS_H

#include "neurons/network.h"
#include "encoding/vector.h"

enum {
    CELL_BLOCK = PORT_BLOCK, /* neurons */
    CELL_PARAMETERS = 16, /* of a model, at most */
    CELL_VARIABLES = 6,
    CELL_PORTS = 3,
    CELL_STRETCH = 2048   /* neurons stepped by one call, at most: a multiple of CELL_BLOCK */
};

enum integration { INTEGRATE_EXACT, INTEGRATE_EULER, INTEGRATE_EVENT };
/* What a spike of weight w is to its target: a current w that flows for one tick; a pulse of area w
 * (the builder divides weights by dt); or a jump by w of the variable that the port feeds. */
enum spike_area { AREA_HOLD, AREA_IMPULSE, AREA_JUMP };
enum reset_rule { RESET_VALUE, RESET_SUBTRACT };

/* What a description of a network leaves open, for all its populations. */
struct cell_rules {
    double dt;                     /* seconds in a tick */
    enum integration integration;
    enum reset_rule reset;         /* v = v_reset, or v = v - (threshold - v_reset) */
    bool inclusive;                /* a spike at v >= threshold; else at v > threshold */
    bool several;                  /* as many spikes a tick as thresholds fit in: payload > 1 */
    bool late_reset;               /* the reset acts in the next tick's step (snnTorch) */
    enum spike_area area;
    bool raw;                      /* discrete-time form: v = decay v + I, the input not scaled by
                                      (1 - decay): snnTorch's beta (see each model) */
    bool single;                   /* state and arithmetic in IEEE single precision */
    uint64_t seed;
};

enum parameter_range { RANGE_ANY, RANGE_POSITIVE, RANGE_NOT_NEGATIVE, RANGE_INTEGER };

struct cell_parameter {
    const char *name; /* NULL ends the list */
    const char *unit; /* "s", "V", "" */
    double standard;  /* used when not given; NAN: it must be given */
    enum parameter_range range;
    const char *meaning;
};

struct cell_variable {
    const char *name; /* NULL ends the list */
    const char *unit;
    const char *initial; /* the parameter that it begins at; NULL: 0 */
};

struct cells;

/* One call of a model's step: neurons begin … end-1, at most CELL_STRETCH of them, begin a
 * multiple of CELL_BLOCK; end too, except at the population's last neuron. */
struct cell_step {
    int64_t tick;
    uint32_t begin, end;
    const double *input[CELL_PORTS]; /* [end - begin]: what arrived, drive included; NULL for a
                                        port that the model keeps (see cells_keep_port) */
    struct spike *fired; /* room for end - begin; in ascending order of neurons */
    uint32_t fired_count; /* out */
    bool watch;  /* `awake` is wanted; else need not be worked out */
    uint8_t *awake; /* [blocks of begin … end-1], out: 0 where the block may be left out (only if
                       watch) */
    enum vector_level vector;
};

struct cell_model {
    const char *name;     /* as in the native form: "lif" */
    const char *summary;  /* one line: what it is, and its source */
    const char *equation; /* one line */
    struct cell_parameter parameters[CELL_PARAMETERS + 1];
    struct cell_variable variables[CELL_VARIABLES + 1]; /* of a membrane "v" is the first */
    const char *ports[CELL_PORTS + 1];
    unsigned integrations; /* bits 1 << INTEGRATE_… */
    /* Spikes, or as values the first variable after the step. */
    enum { CELLS_FIRE = 1, CELLS_SHOW = 2 } output;
    /* Works coefficients out of parameters, rules and dt; fills cells->own and may call
     * cells_keep_port. Fails with one sentence on a bad combination. */
    bool (*prepare)(struct cells *cells, struct error *error);
    /* Moves neurons on by one tick. Must give the same bits for every vector level. */
    void (*step)(struct cells *cells, struct cell_step *step);
    /* A variable as it stands after `tick` (models that keep it as of the last event); NULL: as
     * it is in cells->variable. */
    double (*read)(const struct cells *cells, uint32_t variable, uint32_t neuron, int64_t tick);
    void (*reset)(struct cells *cells); /* what initial values do not cover; may be NULL */
    void (*free)(void *own);            /* releases cells->own; may be NULL */
    const struct event_model *event;    /* for INTEGRATE_EVENT (event_cells.h); may be NULL */
};

/* A population's state (population->state). */
struct cells {
    struct population *population;
    const struct cell_model *model;
    struct cell_rules rules;
    uint32_t neurons;
    double *parameter[CELL_PARAMETERS]; /* [1] or [neurons] */
    bool each[CELL_PARAMETERS];         /* one value for each neuron */
    double *variable[CELL_VARIABLES];   /* [neurons], 64-byte aligned */
    double *initial[CELL_VARIABLES];    /* [neurons], or NULL: from the parameter */
    double *drive[CELL_PORTS];          /* [neurons], a constant input every tick, or NULL */
    void *own;                          /* the model's coefficients */
    struct cells_work *work;            /* private to cells.c */
};

/* Parameter `p` of neuron `i`. */
static inline double cells_parameter(const struct cells *cells, uint32_t p, uint32_t i)
{
    return cells->parameter[p][cells->each[p] ? i : 0];
}

/* ---- for models ---- */

/* Lets what arrives at `port` add straight to a state variable, which the step never clears.
 * Only without delays beyond the projections' own; otherwise cells.c adds it there before the step.
 */
void cells_keep_port(struct cells *cells, uint32_t port, uint32_t variable);
/* Memory of the model's own, counted and freed with the population: [neurons] elements, zeroed,
 * 64-byte aligned. NULL with error. */
void *cells_array(struct cells *cells, size_t element, struct error *error);
/* The double that v' = -v / tau decays by in `ticks` ticks: exp(-ticks dt / tau), or
 * (1 - dt / tau)^ticks under INTEGRATE_EULER. */
double cells_decay(const struct cells *cells, double tau, int64_t ticks);

/* ---- for those who build networks ---- */

const struct cell_model *cell_model_find(const char *name, struct error *error);
/* All of them, in the order of the table; *length says how many. */
const struct cell_model *const *cell_models(size_t *length);
/* Index of a parameter, a variable by name; -1 if there is none. */
int cell_model_parameter(const struct cell_model *model, const char *name);
int cell_model_variable(const struct cell_model *model, const char *name);

/* Which blocks are stepped: whichever is cheaper, or always all, or only those that must be. */
enum update_rule { UPDATE_AUTO, UPDATE_ALL, UPDATE_TOUCHED };

/* What a population of cells is made of. Arrays are copied. */
struct cell_settings {
    struct cell_rules rules;
    enum update_rule updates;
    const double *parameter[CELL_PARAMETERS]; /* NULL: the standard */
    uint32_t parameter_length[CELL_PARAMETERS]; /* 1 or neurons */
    const double *initial[CELL_VARIABLES];    /* NULL: as the model says */
    uint32_t initial_length[CELL_VARIABLES];
    const double *drive[CELL_PORTS];          /* [neurons] or NULL */
    /* Ports: how many coming ticks one holds (a power of two; 0 means 1), and how it adds up:
     * doubles, integers worth `scale` each, or whichever is quicker. */
    uint32_t slots[CELL_PORTS];
    enum { SUM_DOUBLES, SUM_INTEGERS, SUM_EITHER } sums[CELL_PORTS];
    double scale[CELL_PORTS];
};

/* Adds a population of cells. Checks every parameter (finite, in range), naming the population,
 * the parameter and the neuron. NULL with error. */
struct population *cells_new(struct network *network, const char *name,
                             const struct cell_model *model, uint32_t neurons,
                             const struct cell_settings *settings, struct error *error);

/* From now on counts in population->updates the ticks in which each neuron was updated: the sum of
 * what reached it is not 0, it has a drive, a current that it keeps flows, or its first state
 * variable is not what it began with. (So inputs that cancel to the bit are not seen.) Steps all
 * blocks at every tick, which changes no bit. Before the network is sealed; false with error for a
 * population that is none of cells stepped tick by tick. */
bool cells_count_updates(struct population *population, struct error *error);

/* A state variable of all neurons as it stands after `tick`, the last one run (after resets). */
void cells_read(const struct population *population, uint32_t variable, int64_t tick, double *out);
/* The model of a population of cells; NULL where it is no such population. */
const struct cell_model *cells_model(const struct population *population);

#endif
