/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Making and updating populations of cells.
 *
 * An update walks over the blocks that must be stepped, in stretches of up to CELL_STRETCH
 * neurons, in several parts at once. What a part fired is written to the place of its first neuron
 * in population->spikes and joined afterwards.
 *
 * Invariant of watching (work->watching): a block whose `awake` and `touched` bytes are 0 holds
 * nothing in the present slots, and stepping it would change nothing.
 */
#include "neurons/cells.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "encoding/arithmetic.h"
#include "neurons/models/cell_models.h"

enum {
    WINDOW = 256,  /* updates after which UPDATE_AUTO looks at what was stepped … */
    PATIENCE = 32, /* … and so many windows before it tries watching again */
    ALIGNMENT = 64
};

/* ---- the table ---- */

static const struct cell_model *const models[] = {
    &if_cells,        &lif_cells,      &integrator_cells, &li_cells,
    &cuba_li_cells,   &cuba_lif_cells, &cuba_lif_exc_inh_cells, &threshold_cells,
    &adaptive_lif_cells, &izhikevich_cells, &adex_cells,  &cond_lif_cells,
    &loihi_cells,     &sigma_delta_cells, &graded_cells,  &relay_cells,
    &poisson_cells,   &regular_cells,
};

const struct cell_model *const *cell_models(size_t *length)
{
    *length = sizeof models / sizeof *models;
    return models;
}

const struct cell_model *cell_model_find(const char *name, struct error *error)
{
    char names[512] = "";
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        if (strcmp(models[i]->name, name) == 0)
            return models[i];
        strcat(strcat(names, i > 0 ? ", " : ""), models[i]->name);
    }
    error_set(error, ERROR_MISUSED, "there is no neuron model '%.60s'; there are: %s", name, names);
    return NULL;
}

int cell_model_parameter(const struct cell_model *model, const char *name)
{
    for (int i = 0; model->parameters[i].name != NULL; i++)
        if (strcmp(model->parameters[i].name, name) == 0)
            return i;
    return -1;
}

int cell_model_variable(const struct cell_model *model, const char *name)
{
    for (int i = 0; model->variables[i].name != NULL; i++)
        if (strcmp(model->variables[i].name, name) == 0)
            return i;
    return -1;
}

/* ---- what a population of cells holds beside its state ---- */

/* What one part of an update leaves. */
struct part_sums {
    _Alignas(ALIGNMENT) uint64_t stepped; /* blocks, in this window */
    uint32_t begin, fired; /* its spikes stand in population->spikes from `begin` on */
};

struct cells_work {
    struct population_model runner; /* what the network calls: the same but for the name */
    uint32_t blocks;
    uint32_t port_count;
    uint8_t *awake;               /* [blocks] */
    uint8_t *touched[CELL_PORTS]; /* [slots][blocks]; ports[p].touched while watching */
    int keeps[CELL_PORTS];        /* the variable a port is kept in, or -1 */
    double *scratch;              /* [parts][CELL_PORTS][CELL_STRETCH], inputs of a stretch */
    struct part_sums *sums;       /* [parts] */
    uint32_t parts;
    enum update_rule rule;
    bool watching, driven;
    double *rest; /* [neurons], the first variable at the start; NULL: updates are not counted */
    uint32_t updates, windows;    /* since the last look, the last change */
    void **arrays;                /* [array_count], of the model */
    uint32_t array_count;
};

static void *array_new(size_t bytes)
{
    size_t room = (bytes + ALIGNMENT) / ALIGNMENT * ALIGNMENT;
    void *array = aligned_alloc(ALIGNMENT, room);
    if (array != NULL)
        memset(array, 0, room);
    return array;
}

void *cells_array(struct cells *cells, size_t element, struct error *error)
{
    struct cells_work *work = cells->work;
    void **list = realloc(work->arrays, (work->array_count + 1) * sizeof *list);
    if (list != NULL)
        work->arrays = list;
    void *array = list != NULL ? array_new(cells->neurons * element) : NULL;
    if (array == NULL) {
        error_no_memory(error, "neurons");
        return NULL;
    }
    list[work->array_count++] = array;
    cells->population->state_bytes += cells->neurons * element;
    return array;
}

double cells_decay(const struct cells *cells, double tau, int64_t ticks)
{
    double dt = cells->rules.dt;
    if (cells->rules.integration != INTEGRATE_EULER)
        return arithmetic_exp(-(double)ticks * dt / tau);
    double once = 1 - dt / tau, all = 1;
    for (; ticks > 0; ticks >>= 1, once *= once) /* by squaring */
        if (ticks & 1)
            all *= once;
    return all;
}

void cells_keep_port(struct cells *cells, uint32_t port, uint32_t variable)
{
    cells->work->keeps[port] = (int)variable;
}

/* ---- updating ---- */

static uint32_t slot_of(const struct port *port, int64_t tick)
{
    return (uint32_t)tick & (port->slots - 1);
}

/* Where the input of neurons begin … end-1 stands: in its slot, or worked out in `scratch`. */
static const double *input_of(const struct cells *cells, uint32_t p, int64_t tick, uint32_t begin,
                              uint32_t end, double *scratch)
{
    const struct port *port = &cells->population->ports[p];
    size_t at = (size_t)slot_of(port, tick) * port->width + begin;
    const double *drive = cells->drive[p];
    uint32_t length = end - begin;
    if (port->count != NULL) {
        const int32_t *count = port->count + at;
        for (uint32_t i = 0; i < length; i++)
            scratch[i] = port->scale * count[i];
    } else if (drive != NULL) {
        memcpy(scratch, port->current + at, length * sizeof *scratch);
    } else {
        return port->current + at;
    }
    for (uint32_t i = 0; drive != NULL && i < length; i++)
        scratch[i] += drive[begin + i];
    return scratch;
}

/* Adds what arrived to the variable that the model keeps it in. */
static void add_to_kept(struct cells *cells, uint32_t p, int64_t tick, uint32_t begin, uint32_t end,
                        double *scratch)
{
    const struct port *port = &cells->population->ports[p];
    double *variable = cells->variable[cells->work->keeps[p]] + begin;
    const double *input = port->kept ? NULL : input_of(cells, p, tick, begin, end, scratch);
    if (port->kept && cells->drive[p] != NULL)
        input = cells->drive[p] + begin;
    double gain = port->gains != NULL ? port->gains[(uint64_t)tick & port->gain_mask] : 1;
    for (uint32_t i = 0; input != NULL && i < end - begin; i++)
        variable[i] += input[i] * gain;
}

static void clear_slot(struct cells *cells, uint32_t p, int64_t tick, uint32_t begin, uint32_t end)
{
    struct port *port = &cells->population->ports[p];
    size_t at = (size_t)slot_of(port, tick) * port->width + begin;
    if (port->count != NULL)
        memset(port->count + at, 0, (end - begin) * sizeof *port->count);
    else if (!port->kept)
        memset(port->current + at, 0, (end - begin) * sizeof *port->current);
}

/* Counts which of neurons begin … end-1 this tick updates; see cells_count_updates. */
static void count_updates(struct cells *cells, const struct cell_step *step)
{
    const struct cells_work *work = cells->work;
    for (uint32_t i = step->begin; i < step->end; i++) {
        bool moved = cells->variable[0] != NULL && cells->variable[0][i] != work->rest[i];
        for (uint32_t p = 0; p < work->port_count; p++) {
            const double *drive = cells->drive[p];
            moved |= work->keeps[p] >= 0 ? cells->variable[work->keeps[p]][i] != 0
                                         : step->input[p][i - step->begin] != 0;
            moved |= drive != NULL && drive[i] != 0;
        }
        cells->population->updates[i] += moved;
    }
}

/* Writes what is fired to `fired` and returns how many. */
static uint32_t step_stretch(struct cells *cells, const struct moment *moment, uint32_t begin,
                             uint32_t end, double *scratch, struct spike *fired)
{
    struct cells_work *work = cells->work;
    struct cell_step step = {.tick = moment->tick,
                             .begin = begin,
                             .end = end,
                             .watch = work->watching,
                             .fired = fired,
                             .awake = work->awake + begin / CELL_BLOCK,
                             .vector = moment->kernels->vector};
    for (uint32_t p = 0; p < work->port_count; p++) {
        if (work->keeps[p] < 0)
            step.input[p] =
                input_of(cells, p, moment->tick, begin, end, scratch + p * CELL_STRETCH);
        else
            add_to_kept(cells, p, moment->tick, begin, end, scratch);
    }
    if (work->rest != NULL)
        count_updates(cells, &step);
    cells->model->step(cells, &step);
    for (uint32_t p = 0; p < work->port_count; p++)
        clear_slot(cells, p, moment->tick, begin, end);
    return step.fired_count;
}

/* Whether a block must be stepped; forgets what touched it. */
static bool take_block(struct cells *cells, int64_t tick, uint32_t block)
{
    struct cells_work *work = cells->work;
    bool needed = work->awake[block] != 0;
    for (uint32_t p = 0; p < work->port_count; p++) {
        uint8_t *touched = work->touched[p] +
                           (size_t)slot_of(&cells->population->ports[p], tick) * work->blocks +
                           block;
        needed |= *touched != 0;
        *touched = 0;
    }
    return needed;
}

static void part(struct population *self, const struct moment *moment, uint32_t number,
                 uint32_t parts)
{
    struct cells *cells = self->state;
    struct cells_work *work = cells->work;
    struct part_sums *sums = &work->sums[number];
    double *scratch = work->scratch + (size_t)number * CELL_PORTS * CELL_STRETCH;
    uint32_t block, end, stepped = 0, fired = 0;
    workers_slice(work->blocks, number, parts, &block, &end);
    sums->begin = block * CELL_BLOCK;
    struct spike *spikes = self->spikes != NULL ? self->spikes + sums->begin : NULL;
    while (block < end) {
        uint32_t first = block;
        while (block < end && block - first < CELL_STRETCH / CELL_BLOCK &&
               (!work->watching || take_block(cells, moment->tick, block)))
            block++;
        if (block == first) { /* nothing to do here */
            block++;
            continue;
        }
        uint32_t last = block * CELL_BLOCK < cells->neurons ? block * CELL_BLOCK : cells->neurons;
        fired += step_stretch(cells, moment, first * CELL_BLOCK, last, scratch,
                              spikes != NULL ? spikes + fired : NULL);
        stepped += block - first;
    }
    sums->stepped += stepped;
    sums->fired = fired;
    if (number == 0 && parts > 1 && fired > 0) { /* to the end, so that part 1 follows unmoved */
        uint32_t last = end * CELL_BLOCK < cells->neurons ? end * CELL_BLOCK : cells->neurons;
        memmove(spikes + last - fired, spikes, fired * sizeof *spikes);
        sums->begin = last - fired;
    }
}

static void watch(struct cells *cells, bool watching)
{
    struct cells_work *work = cells->work;
    work->watching = watching;
    work->windows = 0;
    for (uint32_t p = 0; p < work->port_count; p++) {
        struct port *port = &cells->population->ports[p];
        port->touched = watching ? work->touched[p] : NULL;
        memset(work->touched[p], watching, (size_t)port->slots * work->blocks);
    }
    memset(work->awake, watching, work->blocks);
}

/* Every WINDOW updates: stops watching where most blocks were stepped anyway, and tries again
 * after a while. Depends on what was stepped only, never on time. */
static void choose(struct cells *cells)
{
    struct cells_work *work = cells->work;
    if (work->rule != UPDATE_AUTO || work->driven || ++work->updates < WINDOW)
        return;
    uint64_t stepped = 0;
    for (uint32_t i = 0; i < work->parts; i++) {
        stepped += work->sums[i].stepped;
        work->sums[i].stepped = 0;
    }
    work->updates = 0;
    if (work->watching && 2 * stepped > (uint64_t)WINDOW * work->blocks)
        watch(cells, false);
    else if (!work->watching && ++work->windows == PATIENCE)
        watch(cells, true);
}

/* Joins the spikes of all parts, in order of neurons, and puts the counts back. Those of the first
 * two lie side by side already: they stay with the threads that made them, which will deliver them.
 */
static void gather_spikes(struct population *self, struct cells_work *work)
{
    self->spike_count = self->spike_first = 0;
    for (uint32_t i = 0; i < work->parts; i++) {
        struct part_sums *sums = &work->sums[i];
        if (sums->fired == 0)
            continue;
        if (self->spike_count == 0)
            self->spike_first = sums->begin;
        uint32_t next = self->spike_first + self->spike_count;
        if (sums->begin != next)
            memmove(self->spikes + next, self->spikes + sums->begin,
                    sums->fired * sizeof *self->spikes);
        self->spike_count += sums->fired;
        sums->fired = 0;
    }
}

static bool any(const uint8_t *flags, uint32_t length)
{
    return length > 0 && (flags[0] != 0 || memcmp(flags, flags + 1, length - 1) != 0);
}

static bool update(struct population *self, const struct moment *moment, struct error *error)
{
    (void)error;
    struct cells *cells = self->state;
    struct cells_work *work = cells->work;
    gather_spikes(self, work);
    if (self->values != NULL) {
        memcpy(self->values, cells->variable[0], self->neurons * sizeof *self->values);
        self->shown = true;
    }
    choose(cells);
    bool again = !work->watching || any(work->awake, work->blocks);
    self->due = again ? moment->tick + 1 : INT64_MAX;
    return true;
}

static bool prepare(struct population *self, uint32_t parts, struct error *error)
{
    struct cells *cells = self->state;
    struct cells_work *work = cells->work;
    work->parts = parts;
    work->scratch = array_new((size_t)parts * CELL_PORTS * CELL_STRETCH * sizeof *work->scratch);
    work->sums = array_new(parts * sizeof *work->sums);
    if (work->scratch == NULL || work->sums == NULL)
        return error_no_memory(error, "neurons");
    watch(cells, work->rule != UPDATE_ALL && !work->driven && work->rest == NULL);
    return true;
}

/* ---- making ---- */

static void set_initial(struct cells *cells)
{
    const struct cell_model *model = cells->model;
    for (uint32_t v = 0; model->variables[v].name != NULL; v++) {
        const char *from = model->variables[v].initial;
        int p = from != NULL ? cell_model_parameter(model, from) : -1;
        for (uint32_t i = 0; i < cells->neurons; i++)
            cells->variable[v][i] = cells->initial[v] != NULL ? cells->initial[v][i]
                                    : p >= 0 ? cells_parameter(cells, (uint32_t)p, i)
                                             : 0;
    }
}

static void reset(struct population *self)
{
    struct cells *cells = self->state;
    set_initial(cells);
    for (uint32_t i = 0; i < cells->work->parts; i++)
        cells->work->sums[i].fired = 0;
    if (cells->model->reset != NULL)
        cells->model->reset(cells);
    if (cells->work->scratch != NULL)
        watch(cells, cells->work->watching);
}

static void release(void *state)
{
    struct cells *cells = state;
    struct cells_work *work = cells->work;
    if (cells->model->free != NULL && cells->own != NULL)
        cells->model->free(cells->own);
    for (uint32_t p = 0; p < CELL_PARAMETERS; p++)
        free(cells->parameter[p]);
    for (uint32_t v = 0; v < CELL_VARIABLES; v++) {
        free(cells->variable[v]);
        free(cells->initial[v]);
    }
    for (uint32_t p = 0; p < CELL_PORTS; p++)
        free(cells->drive[p]);
    if (work != NULL) {
        for (uint32_t i = 0; i < work->array_count; i++)
            free(work->arrays[i]);
        for (uint32_t p = 0; p < CELL_PORTS; p++)
            free(work->touched[p]);
        free(work->arrays);
        free(work->awake);
        free(work->scratch);
        free(work->sums);
        free(work->rest);
    }
    free(work);
    free(cells);
}

static bool check_value(const struct population *population, const struct cell_parameter *parameter,
                        double value, uint32_t neuron, struct error *error)
{
    const char *wrong = !isfinite(value)                                 ? "must be a finite number"
                      : parameter->range == RANGE_POSITIVE && value <= 0 ? "must be positive"
                      : parameter->range == RANGE_NOT_NEGATIVE && value < 0 ? "must not be negative"
                      : parameter->range == RANGE_INTEGER && value != floor(value)
                          ? "must be a whole number"
                          : NULL;
    return wrong == NULL ||
           error_set(error, ERROR_MISUSED, "population %s: %s of neuron %u is %g; it %s",
                     population->name, parameter->name, neuron, value, wrong);
}

static bool take_parameters(struct cells *cells, const struct cell_settings *settings,
                            struct error *error)
{
    const struct population *population = cells->population;
    for (uint32_t p = 0; cells->model->parameters[p].name != NULL; p++) {
        const struct cell_parameter *parameter = &cells->model->parameters[p];
        const double *given = settings->parameter[p];
        uint32_t length = given != NULL ? settings->parameter_length[p] : 1;
        if (given == NULL && isnan(parameter->standard))
            return error_set(error, ERROR_MISUSED,
                             "population %s: the model %s needs a value for %s", population->name,
                             cells->model->name, parameter->name);
        if (length != 1 && length != cells->neurons)
            return error_set(error, ERROR_MISUSED,
                             "population %s: %s has %u values; 1 or %u (one each) are needed",
                             population->name, parameter->name, length, cells->neurons);
        cells->parameter[p] = malloc(length * sizeof *given);
        if (cells->parameter[p] == NULL)
            return error_no_memory(error, "parameters");
        bool same = true;
        for (uint32_t i = 0; i < length; i++) {
            double value = given != NULL ? given[i] : parameter->standard;
            if (!check_value(population, parameter, value, i, error))
                return false;
            cells->parameter[p][i] = value;
            same &= value == cells->parameter[p][0];
        }
        cells->each[p] = length > 1 && !same;
    }
    return true;
}

static bool take_variables(struct cells *cells, const struct cell_settings *settings,
                           struct error *error)
{
    for (uint32_t v = 0; cells->model->variables[v].name != NULL; v++) {
        cells->variable[v] = array_new(cells->neurons * sizeof **cells->variable);
        if (cells->variable[v] == NULL)
            return error_no_memory(error, "neurons");
        cells->population->state_bytes += cells->neurons * sizeof **cells->variable;
        const double *given = settings->initial[v];
        if (given == NULL)
            continue;
        cells->initial[v] = malloc(cells->neurons * sizeof **cells->initial);
        if (cells->initial[v] == NULL)
            return error_no_memory(error, "neurons");
        for (uint32_t i = 0; i < cells->neurons; i++) {
            cells->initial[v][i] = given[settings->initial_length[v] > 1 ? i : 0];
            if (!isfinite(cells->initial[v][i]))
                return error_set(
                    error, ERROR_MISUSED,
                    "population %s: the initial %s of neuron %u is not a finite number",
                    cells->population->name, cells->model->variables[v].name, i);
        }
    }
    return true;
}

/* A port of the population for each of the model's, with a slot for each coming tick that is asked
 * for. */
static bool make_port(struct cells *cells, uint32_t p, const struct cell_settings *settings,
                      struct error *error)
{
    struct population *population = cells->population;
    struct cells_work *work = cells->work;
    uint32_t slots = settings->slots[p] > 1 ? settings->slots[p] : 1;
    const char *name = cells->model->ports[p];
    population->lanes_limit = slots; /* the room that the port is given */
    bool counts = settings->sums[p] != SUM_DOUBLES;
    int made = counts ? population_add_count(population, name, cells->neurons, 1, error)
                      : population_add_current(population, name, cells->neurons, error);
    population->lanes_limit = 1;
    if (made < 0)
        return false;
    struct port *port = &population->ports[p];
    port->slots = slots;
    if (counts)
        port->scale = settings->scale[p];
    work->port_count++;
    work->touched[p] = array_new((size_t)slots * work->blocks);
    if (work->touched[p] == NULL)
        return error_no_memory(error, "neurons");
    if (settings->drive[p] == NULL)
        return true;
    work->driven = true;
    cells->drive[p] = malloc(cells->neurons * sizeof **cells->drive);
    if (cells->drive[p] == NULL)
        return error_no_memory(error, "neurons");
    memcpy(cells->drive[p], settings->drive[p], cells->neurons * sizeof **cells->drive);
    for (uint32_t i = 0; i < cells->neurons; i++)
        if (!isfinite(cells->drive[p][i]))
            return error_set(error, ERROR_MISUSED,
                             "population %s: the drive of neuron %u is not a finite number",
                             population->name, i);
    return true;
}

/* A port whose sums the model keeps in a variable adds to that straight away, where it can. */
static void join_kept_ports(struct cells *cells, const struct cell_settings *settings)
{
    for (uint32_t p = 0; p < cells->work->port_count; p++) {
        struct port *port = &cells->population->ports[p];
        if (cells->work->keeps[p] < 0 || port->slots > 1 || settings->sums[p] == SUM_INTEGERS)
            continue;
        free(port->current);
        free(port->count);
        port->count = NULL;
        port->current = cells->variable[cells->work->keeps[p]];
        port->kept = true;
    }
}

static bool fill(struct cells *cells, const struct cell_settings *settings, struct error *error)
{
    const struct cell_model *model = cells->model;
    struct population *population = cells->population;
    struct cells_work *work = cells->work;
    work->awake = array_new(work->blocks);
    if (work->awake == NULL)
        return error_no_memory(error, "neurons");
    if ((model->integrations & 1u << cells->rules.integration) == 0)
        return error_set(
            error, ERROR_MISUSED,
            "population %s: the model %s cannot be integrated in this way; choose another "
            "--integration",
            population->name, model->name);
    if (!take_parameters(cells, settings, error) || !take_variables(cells, settings, error))
        return false;
    for (uint32_t p = 0; model->ports[p] != NULL; p++)
        if (!make_port(cells, p, settings, error))
            return false;
    set_initial(cells);
    if (((model->output & CELLS_FIRE) != 0 && !population_spikes(population, error)) ||
        ((model->output & CELLS_SHOW) != 0 && !population_shows(population, error)))
        return false;
    if (model->prepare != NULL && !model->prepare(cells, error))
        return false;
    join_kept_ports(cells, settings);
    if (model->reset != NULL)
        model->reset(cells);
    return true;
}

struct population *cells_new(struct network *network, const char *name,
                             const struct cell_model *model, uint32_t neurons,
                             const struct cell_settings *settings, struct error *error)
{
    struct cells *cells = calloc(1, sizeof *cells);
    struct cells_work *work = calloc(1, sizeof *work);
    if (cells == NULL || work == NULL) {
        free(cells);
        free(work);
        error_no_memory(error, "neurons");
        return NULL;
    }
    work->runner = (struct population_model){.name = model->name,
                                             .equation = model->equation,
                                             .part = part,
                                             .update = update,
                                             .prepare = prepare,
                                             .reset = reset,
                                             .free = release};
    struct population *population =
        network_add_population(network, name, -1, &work->runner, neurons, error);
    if (population == NULL) {
        free(cells);
        free(work);
        return NULL;
    }
    population->state = cells;
    population->clocked = true;
    *cells = (struct cells){.population = population,
                            .model = model,
                            .rules = settings->rules,
                            .neurons = neurons,
                            .work = work};
    work->blocks = (uint32_t)(((uint64_t)neurons + CELL_BLOCK - 1) / CELL_BLOCK);
    work->rule = settings->updates;
    for (uint32_t p = 0; p < CELL_PORTS; p++)
        work->keeps[p] = -1;
    return fill(cells, settings, error) ? population : NULL;
}

bool cells_count_updates(struct population *population, struct error *error)
{
    if (population->model->update != update)
        return error_set(error, ERROR_MISUSED,
                         "population %s: updates are counted only of neurons that are stepped tick "
                         "by tick", population->name);
    struct cells *cells = population->state;
    size_t neurons = cells->neurons > 0 ? cells->neurons : 1;
    cells->work->rest = calloc(neurons, sizeof *cells->work->rest);
    population->updates = calloc(neurons, sizeof *population->updates);
    if (cells->work->rest == NULL || population->updates == NULL)
        return error_no_memory(error, "the counters");
    if (cells->variable[0] != NULL)
        memcpy(cells->work->rest, cells->variable[0], cells->neurons * sizeof *cells->work->rest);
    cells->work->rule = UPDATE_ALL;
    return true;
}

void cells_read(const struct population *population, uint32_t variable, int64_t tick, double *out)
{
    const struct cells *cells = population->state;
    for (uint32_t i = 0; i < cells->neurons; i++)
        out[i] = cells->model->read != NULL ? cells->model->read(cells, variable, i, tick)
                                            : cells->variable[variable][i];
}

const struct cell_model *cells_model(const struct population *population)
{
    const struct cells *cells = population->state;
    return population->model->update == update ? cells->model : NULL;
}
