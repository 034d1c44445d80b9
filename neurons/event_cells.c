/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Going from event to event.
 *
 * A population of cells made by cells_new lends its parameters, variables, ports and drive; its
 * update is replaced. Moments lie between ticks: a tick and the seconds since it. Three things
 * touch a neuron: something arrives, a held current ends, or v reaches the threshold at the
 * moment that was predicted. Then the neuron is brought to the present with the current that
 * flowed until now, passing through its spikes, and the next crossing is predicted from there.
 *
 * Invariants between updates, for every neuron i: variable[·][i] is the state at since[i];
 * flowing[i] has been its input since then; crossing[i] is when it fires if nothing else comes, and
 * due[i] the first tick not before that. The heap holds the neurons with due[i] < INT64_MAX, and
 * the ring the held currents, in order of their ends.
 */
#include "neurons/event_cells.h"

#include <gsl/gsl_errno.h>
#include <gsl/gsl_roots.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    SPIKES_AT_ONCE = 1 << 20, /* of one neuron between two ticks */
    ROOT_ITERATIONS = 200
};
static const double FARTHEST = 0x1p60; /* ticks; what lies beyond never comes */

struct event_root {
    gsl_root_fsolver *solver;
};

/* `offset` seconds after `tick`, less than a tick. */
struct instant {
    int64_t tick;
    double offset;
};

/* A current that flows until `tick`. */
struct held {
    int64_t tick;
    double weight;
    uint32_t neuron;
};

struct event_cells {
    struct population_model runner;
    const struct population_model *base; /* of the cells */
    struct cells *cells;
    const struct event_model *model;
    uint32_t neurons, blocks, ports; /* ports of the model; the population has twice as many */
    double tick_seconds;
    int64_t hold; /* ticks that a held current flows */
    int source[EVENT_PARAMETERS]; /* the cells' parameters that the model names */
    int threshold, rest, refractory;
    uint32_t variables;
    struct event_root root;

    struct instant *since, *free_from, *crossing; /* [neurons] */
    double *flowing;  /* [neurons] */
    double *changed;  /* [neurons], sum of all changes: analog input */
    double *holding;  /* [neurons], sum of the held currents that flow … */
    uint32_t *holds;  /* [neurons], … and their number */
    int64_t *due;     /* [neurons] */
    uint32_t *heap;   /* [heap_length], neurons, the earliest due first */
    uint32_t *place;  /* [neurons], in the heap; UINT32_MAX: not there */
    uint32_t heap_length;
    uint64_t *marked; /* [blocks], a bit for every neuron that was touched */
    uint8_t *touched[2 * CELL_PORTS]; /* [blocks], of the ports */
    struct held *ring; /* [ring_room], a power of two; ring_count from ring_first on */
    uint64_t ring_room, ring_first, ring_count;
    int64_t updated; /* tick of the last update; -1: none yet */
};

/* ---- the root finder ---- */

static bool root_new(struct event_root *root, struct error *error)
{
    root->solver = gsl_root_fsolver_alloc(gsl_root_fsolver_brent);
    return root->solver != NULL || error_no_memory(error, "neurons");
}

double event_root_find(struct event_root *root, double (*f)(double seconds, void *argument),
                       void *argument, double low, double high)
{
    if (!(f(low, argument) < 0)) /* GSL wants the signs to differ */
        return low;
    gsl_function function = {f, argument};
    gsl_root_fsolver_set(root->solver, &function, low, high);
    for (int i = 0; i < ROOT_ITERATIONS; i++) {
        gsl_root_fsolver_iterate(root->solver);
        low = gsl_root_fsolver_x_lower(root->solver);
        high = gsl_root_fsolver_x_upper(root->solver);
        if (!(high - low > 1e-15 * high))
            break;
    }
    return gsl_root_fsolver_root(root->solver);
}

/* ---- moments ---- */

static struct instant at_tick(int64_t tick)
{
    return (struct instant){tick, 0};
}

static double seconds_between(const struct event_cells *e, struct instant from, struct instant to)
{
    return (double)(to.tick - from.tick) * e->tick_seconds + (to.offset - from.offset);
}

/* `seconds` later; tick INT64_MAX if that is too far off to come. */
static struct instant later(const struct event_cells *e, struct instant from, double seconds)
{
    double ticks = floor(seconds / e->tick_seconds);
    if (!(ticks < FARTHEST))
        return at_tick(INT64_MAX);
    struct instant to = {from.tick + (int64_t)ticks,
                         from.offset + (seconds - ticks * e->tick_seconds)};
    if (to.offset < 0)
        to.offset = 0; /* a rounding error */
    for (; to.offset >= e->tick_seconds; to.tick++)
        to.offset -= e->tick_seconds;
    return to;
}

static int64_t tick_not_before(struct instant instant)
{
    return instant.tick + (instant.tick < INT64_MAX && instant.offset > 0);
}

/* ---- the heap of crossings ---- */

static void heap_put(struct event_cells *e, uint32_t place, uint32_t neuron)
{
    e->heap[place] = neuron;
    e->place[neuron] = place;
}

static void heap_rise(struct event_cells *e, uint32_t place, uint32_t neuron)
{
    for (; place > 0 && e->due[neuron] < e->due[e->heap[(place - 1) / 2]]; place = (place - 1) / 2)
        heap_put(e, place, e->heap[(place - 1) / 2]);
    heap_put(e, place, neuron);
}

static void heap_sink(struct event_cells *e, uint32_t place, uint32_t neuron)
{
    for (uint32_t child; (child = 2 * place + 1) < e->heap_length; place = child) {
        if (child + 1 < e->heap_length && e->due[e->heap[child + 1]] < e->due[e->heap[child]])
            child++;
        if (e->due[neuron] <= e->due[e->heap[child]])
            break;
        heap_put(e, place, e->heap[child]);
    }
    heap_put(e, place, neuron);
}

static void heap_remove(struct event_cells *e, uint32_t neuron)
{
    uint32_t place = e->place[neuron], last = e->heap[--e->heap_length];
    e->place[neuron] = UINT32_MAX;
    if (last == neuron)
        return;
    if (place > 0 && e->due[last] < e->due[e->heap[(place - 1) / 2]])
        heap_rise(e, place, last);
    else
        heap_sink(e, place, last);
}

static void set_due(struct event_cells *e, uint32_t neuron, int64_t tick)
{
    if (e->place[neuron] != UINT32_MAX)
        heap_remove(e, neuron);
    e->due[neuron] = tick;
    if (tick < INT64_MAX)
        heap_rise(e, e->heap_length++, neuron);
}

/* ---- held currents ---- */

static bool ring_grow(struct event_cells *e, struct error *error)
{
    uint64_t room = e->ring_room > 0 ? 2 * e->ring_room : 64;
    struct held *ring = malloc(room * sizeof *ring);
    if (ring == NULL)
        return error_no_memory(error, "currents on their way");
    for (uint64_t i = 0; i < e->ring_count; i++)
        ring[i] = e->ring[(e->ring_first + i) & (e->ring_room - 1)];
    free(e->ring);
    e->ring = ring;
    e->ring_room = room;
    e->ring_first = 0;
    return true;
}

static bool hold(struct event_cells *e, uint32_t neuron, double weight, int64_t tick,
                 struct error *error)
{
    if (e->ring_count == e->ring_room && !ring_grow(e, error))
        return false;
    e->ring[(e->ring_first + e->ring_count++) & (e->ring_room - 1)] =
        (struct held){tick + e->hold, weight, neuron};
    e->holding[neuron] += weight;
    e->holds[neuron]++;
    return true;
}

static void mark(struct event_cells *e, uint32_t neuron)
{
    e->marked[neuron / CELL_BLOCK] |= UINT64_C(1) << neuron % CELL_BLOCK;
}

/* Ends those that flow no longer than `tick`. The last of a neuron leaves exactly nothing. */
static void end_holds(struct event_cells *e, int64_t tick)
{
    while (e->ring_count > 0 && e->ring[e->ring_first].tick <= tick) {
        const struct held *held = &e->ring[e->ring_first];
        uint32_t i = held->neuron;
        e->holding[i] = --e->holds[i] > 0 ? e->holding[i] - held->weight : 0;
        e->ring_first = (e->ring_first + 1) & (e->ring_room - 1);
        e->ring_count--;
        mark(e, i);
    }
}

/* ---- one neuron ---- */

/* A neuron taken out of the arrays while it is worked on. */
struct cell {
    uint32_t index;
    double p[EVENT_PARAMETERS];
    double state[CELL_VARIABLES];
};

static void take(const struct event_cells *e, uint32_t index, struct cell *cell)
{
    cell->index = index;
    for (uint32_t k = 0; e->model->parameters[k] != NULL; k++)
        cell->p[k] = cells_parameter(e->cells, (uint32_t)e->source[k], index);
    for (uint32_t v = 0; v < e->variables; v++)
        cell->state[v] = e->cells->variable[v][index];
}

/* Moves a state from `from` to `to` through what is left of its refractory period. */
static void move(const struct event_cells *e, struct cell *cell, struct instant from,
                 struct instant to)
{
    double seconds = seconds_between(e, from, to), x = e->flowing[cell->index];
    double held = seconds_between(e, from, e->free_from[cell->index]);
    held = held < 0 ? 0 : held > seconds ? seconds : held;
    if (held > 0)
        e->model->advance(cell->p, cell->state, x, held, true);
    if (seconds - held > 0)
        e->model->advance(cell->p, cell->state, x, seconds - held, false);
}

static void move_to(struct event_cells *e, struct cell *cell, struct instant to)
{
    move(e, cell, e->since[cell->index], to);
    e->since[cell->index] = to;
}

static void predict(struct event_cells *e, const struct cell *cell)
{
    uint32_t i = cell->index;
    if (e->model->crossing == NULL)
        return;
    struct cell then = *cell;
    double held = seconds_between(e, e->since[i], e->free_from[i]);
    if (held > 0)
        e->model->advance(then.p, then.state, e->flowing[i], held, true);
    double wait = e->model->crossing(then.p, then.state, e->flowing[i],
                                     e->cells->rules.inclusive, &e->root);
    e->crossing[i] = later(e, e->since[i], held > 0 ? held + wait : wait);
    set_due(e, i, tick_not_before(e->crossing[i]));
}

/* The spikes up to `tick`; returns how many, and leaves the state at the last of them. */
static int32_t fire_until(struct event_cells *e, struct cell *cell, int64_t tick)
{
    uint32_t i = cell->index;
    int32_t count = 0;
    while (e->due[i] <= tick && count < SPIKES_AT_ONCE) {
        const struct cells *cells = e->cells;
        double threshold = cells_parameter(cells, (uint32_t)e->threshold, i);
        double reset = cells_parameter(cells, (uint32_t)e->rest, i);
        move_to(e, cell, e->crossing[i]);
        double over = cell->state[0] - threshold; /* more than nothing only after a jump */
        bool keeps = cells->rules.reset == RESET_SUBTRACT && over > 0;
        cell->state[0] = keeps ? reset + over : reset;
        double seconds = cells_parameter(cells, (uint32_t)e->refractory, i);
        e->free_from[i] = later(e, e->since[i], seconds);
        count++;
        predict(e, cell);
    }
    return count;
}

/* Takes what arrived at a port. */
static double arrived(struct port *port, uint32_t neuron)
{
    double weight = port->count != NULL ? port->scale * port->count[neuron] : port->current[neuron];
    if (port->count != NULL)
        port->count[neuron] = 0;
    else
        port->current[neuron] = 0;
    return weight;
}

static bool receive(struct event_cells *e, struct cell *cell, int64_t tick, struct error *error)
{
    uint32_t i = cell->index;
    struct port *ports = e->cells->population->ports;
    for (uint32_t p = 0; p < e->ports; p++) {
        double weight = arrived(&ports[p], i);
        e->changed[i] += arrived(&ports[e->ports + p], i);
        if (weight == 0)
            continue;
        enum spike_area area = e->cells->rules.area;
        bool lost = e->model->jumps == 0 && seconds_between(e, at_tick(tick), e->free_from[i]) > 0;
        if (area != AREA_HOLD && !lost)
            cell->state[e->model->jumps] += weight * e->model->jump(cell->p, area == AREA_IMPULSE);
        if (area == AREA_HOLD && !hold(e, i, weight, tick, error))
            return false;
    }
    double drive = e->cells->drive[0] != NULL ? e->cells->drive[0][i] : 0;
    e->flowing[i] = drive + e->changed[i] + e->holding[i];
    return true;
}

static bool touch(struct event_cells *e, uint32_t index, int64_t tick, struct error *error)
{
    struct population *self = e->cells->population;
    struct cell cell;
    take(e, index, &cell);
    int32_t count = fire_until(e, &cell, tick);
    move_to(e, &cell, at_tick(tick));
    if (!receive(e, &cell, tick, error))
        return false;
    predict(e, &cell);
    count += fire_until(e, &cell, tick);
    for (uint32_t v = 0; v < e->variables; v++)
        e->cells->variable[v][index] = cell.state[v];
    if (count >= SPIKES_AT_ONCE)
        return error_set(error, ERROR_FAILED,
                         "neuron %" PRIu32 " fires more than %d times between two ticks; its input "
                         "is too strong", index, SPIKES_AT_ONCE);
    if (count > 0)
        self->spikes[self->spike_count++] = (struct spike){.neuron = index, .payload = count};
    return true;
}

/* ---- the population ---- */

/* Marks the neurons of a block at which something has arrived at a port. */
static void mark_arrivals(struct event_cells *e, uint32_t p, uint32_t block)
{
    const struct port *port = &e->cells->population->ports[p];
    uint32_t from = block * CELL_BLOCK;
    uint32_t end = from + CELL_BLOCK < e->neurons ? from + CELL_BLOCK : e->neurons;
    if (e->touched[p][block] == 0)
        return;
    e->touched[p][block] = 0;
    for (uint32_t i = from; i < end; i++)
        if (port->count != NULL ? port->count[i] != 0 : port->current[i] != 0)
            mark(e, i);
}

static bool update(struct population *self, const struct moment *moment, struct error *error)
{
    struct event_cells *e = self->state;
    int64_t tick = moment->tick;
    self->spike_count = 0;
    end_holds(e, tick);
    for (uint32_t block = 0; block < e->blocks; block++) {
        for (uint32_t p = 0; p < 2 * e->ports; p++)
            mark_arrivals(e, p, block);
        if (e->updated < 0)
            e->marked[block] = UINT64_MAX;
    }
    while (e->heap_length > 0 && e->due[e->heap[0]] <= tick) {
        mark(e, e->heap[0]);
        heap_remove(e, e->heap[0]); /* it is put back when its next crossing is predicted */
    }
    e->updated = tick;
    for (uint32_t block = 0; block < e->blocks; block++) {
        uint64_t bits = e->marked[block];
        e->marked[block] = 0;
        for (; bits != 0; bits &= bits - 1) {
            uint32_t i = block * CELL_BLOCK + (uint32_t)__builtin_ctzll(bits);
            if (i < e->neurons && !touch(e, i, tick, error))
                return false;
        }
    }
    self->due = e->heap_length > 0 ? e->due[e->heap[0]] : INT64_MAX;
    if (e->ring_count > 0 && e->ring[e->ring_first].tick < self->due)
        self->due = e->ring[e->ring_first].tick;
    return true;
}

/* Everything at the beginning: a moment before tick 0 nothing flows. */
static void begin(struct event_cells *e)
{
    for (uint32_t i = 0; i < e->neurons; i++) {
        e->since[i] = e->free_from[i] = at_tick(0);
        e->flowing[i] = e->changed[i] = e->holding[i] = 0;
        e->holds[i] = 0;
        e->due[i] = INT64_MAX;
        e->place[i] = UINT32_MAX;
    }
    memset(e->marked, 0, e->blocks * sizeof *e->marked);
    for (uint32_t p = 0; p < 2 * e->ports; p++)
        memset(e->touched[p], 0, e->blocks);
    e->heap_length = 0;
    e->ring_first = e->ring_count = 0;
    e->updated = -1;
}

static void reset(struct population *self)
{
    struct event_cells *e = self->state;
    self->state = e->cells;
    e->base->reset(self);
    self->state = e;
    begin(e);
}

static void release(void *state)
{
    struct event_cells *e = state;
    e->base->free(e->cells);
    if (e->root.solver != NULL)
        gsl_root_fsolver_free(e->root.solver);
    for (uint32_t p = 0; p < 2 * CELL_PORTS; p++)
        free(e->touched[p]);
    free(e->since);
    free(e->free_from);
    free(e->crossing);
    free(e->flowing);
    free(e->changed);
    free(e->holding);
    free(e->holds);
    free(e->due);
    free(e->heap);
    free(e->place);
    free(e->marked);
    free(e->ring);
    free(e);
}

/* ---- making ---- */

uint32_t event_cells_ports(const struct cell_model *model)
{
    uint32_t ports = 0;
    while (model->ports[ports] != NULL)
        ports++;
    return ports;
}

static bool check_rules(const char *name, const struct cell_model *model,
                        const struct cell_settings *settings, double tick_seconds,
                        struct error *error)
{
    const struct cell_rules *rules = &settings->rules;
    const char *rule = rules->raw          ? "the raw discrete-time form"
                       : rules->single     ? "single precision"
                       : rules->late_reset ? "a reset that acts in the next tick"
                                           : NULL;
    if (model->event == NULL)
        return error_set(error, ERROR_MISUSED,
                         "population %s: the model %s has no closed form from event to event; "
                         "choose another --integration", name, model->name);
    if (rule != NULL)
        return error_set(error, ERROR_MISUSED,
                         "population %s: %s has no meaning without ticks; choose another "
                         "--integration", name, rule);
    double ticks = rules->dt / tick_seconds;
    if (!(ticks >= 0.5 && ticks < FARTHEST && fabs(ticks - floor(ticks + 0.5)) <= 1e-6 * ticks))
        return error_set(error, ERROR_MISUSED,
                         "population %s: dt, %g s, is no whole multiple of the tick, %g s", name,
                         rules->dt, tick_seconds);
    for (uint32_t p = 0; model->ports[p] != NULL; p++)
        if (settings->slots[p] > 1)
            return error_set(error, ERROR_MISUSED,
                             "population %s: synapses with delays of their own need ticks; choose "
                             "another --integration", name);
    return true;
}

static bool check_thresholds(const struct event_cells *e, struct error *error)
{
    for (uint32_t i = 0; e->model->crossing != NULL && i < e->neurons; i++) {
        double threshold = cells_parameter(e->cells, (uint32_t)e->threshold, i);
        double rest = cells_parameter(e->cells, (uint32_t)e->rest, i);
        if (!(rest < threshold))
            return error_set(error, ERROR_MISUSED,
                             "population %s: v_reset of neuron %" PRIu32 " is %g, which is not "
                             "below v_threshold, %g: it would fire for ever",
                             e->cells->population->name, i, rest, threshold);
    }
    return true;
}

/* The model's ports once more, for changes. */
static bool add_ports(struct event_cells *e, struct error *error)
{
    struct population *population = e->cells->population;
    for (uint32_t p = 0; p < 2 * e->ports; p++) {
        if (p >= e->ports && population_add_current(population, "changes", e->neurons, error) < 0)
            return false;
        e->touched[p] = calloc(e->blocks, 1);
        if (e->touched[p] == NULL)
            return error_no_memory(error, "neurons");
        population->ports[p].slots = 1;
        population->ports[p].touched = e->touched[p];
    }
    return true;
}

static bool take_memory(struct event_cells *e, struct error *error)
{
    size_t n = e->neurons;
    e->since = calloc(n, sizeof *e->since);
    e->free_from = calloc(n, sizeof *e->free_from);
    e->crossing = calloc(n, sizeof *e->crossing);
    e->flowing = calloc(n, sizeof *e->flowing);
    e->changed = calloc(n, sizeof *e->changed);
    e->holding = calloc(n, sizeof *e->holding);
    e->holds = calloc(n, sizeof *e->holds);
    e->due = calloc(n, sizeof *e->due);
    e->heap = calloc(n, sizeof *e->heap);
    e->place = calloc(n, sizeof *e->place);
    e->marked = calloc(e->blocks, sizeof *e->marked);
    e->cells->population->state_bytes +=
        n * (3 * sizeof *e->since + 3 * sizeof *e->flowing + sizeof *e->due + 3 * sizeof *e->heap);
    bool taken = e->since != NULL && e->free_from != NULL && e->crossing != NULL &&
                 e->flowing != NULL && e->changed != NULL && e->holding != NULL &&
                 e->holds != NULL && e->due != NULL && e->heap != NULL && e->place != NULL &&
                 e->marked != NULL;
    return taken || error_no_memory(error, "neurons");
}

static void find_names(struct event_cells *e)
{
    const struct cell_model *model = e->cells->model;
    for (uint32_t k = 0; e->model->parameters[k] != NULL; k++)
        e->source[k] = cell_model_parameter(model, e->model->parameters[k]);
    e->threshold = cell_model_parameter(model, "v_threshold");
    e->rest = cell_model_parameter(model, "v_reset");
    e->refractory = cell_model_parameter(model, "refractory");
    while (model->variables[e->variables].name != NULL)
        e->variables++;
}

struct population *event_cells_new(struct network *network, const char *name,
                                   const struct cell_model *model, uint32_t neurons,
                                   const struct cell_settings *settings, double tick_seconds,
                                   struct error *error)
{
    if (!check_rules(name, model, settings, tick_seconds, error))
        return NULL;
    struct cell_settings lent = *settings;
    lent.rules.integration = INTEGRATE_EXACT; /* coefficients that are not used */
    lent.rules.several = false;
    struct population *population = cells_new(network, name, model, neurons, &lent, error);
    struct event_cells *e = population != NULL ? calloc(1, sizeof *e) : NULL;
    if (e == NULL) {
        error_no_memory(error, "neurons");
        return NULL;
    }
    *e = (struct event_cells){.base = population->model,
                              .cells = population->state,
                              .model = model->event,
                              .neurons = neurons,
                              .blocks = neurons / CELL_BLOCK + (neurons % CELL_BLOCK != 0),
                              .ports = event_cells_ports(model),
                              .tick_seconds = tick_seconds,
                              .hold = (int64_t)floor(settings->rules.dt / tick_seconds + 0.5)};
    e->runner = (struct population_model){.name = model->name,
                                          .equation = model->equation,
                                          .update = update,
                                          .reset = reset,
                                          .free = release};
    population->state = e;
    population->model = &e->runner;
    find_names(e);
    if (!take_memory(e, error) || !add_ports(e, error) || !root_new(&e->root, error) ||
        !check_thresholds(e, error))
        return NULL;
    begin(e);
    return population;
}

bool event_cells_read(const struct population *population, uint32_t variable, int64_t tick,
                      double *out)
{
    const struct event_cells *e = population->state;
    for (uint32_t i = 0; i < e->neurons; i++) {
        struct cell cell;
        take(e, i, &cell);
        if (seconds_between(e, e->since[i], at_tick(tick)) < 0)
            return false;
        move(e, &cell, e->since[i], at_tick(tick));
        out[i] = cell.state[variable];
    }
    return true;
}
