/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The two ways to run PHOLD that model.h describes.
 *
 * In parts: a part holds processes that stand side by side, and the queue of their events. All parts
 * go through a window of time as long as the lookahead. What a process pushes is due after the
 * window, since no delay is shorter: so no part can miss an event of this window, and parts need not
 * wait for one another within it. Events for other parts are laid into boxes, one for each pair of
 * parts, which the receivers empty when they begin the next window. There are two sets of boxes, used
 * in turn, so that one is written while the other is read.
 *
 * Main invariant: between windows every event that has not been met lies in the queue of its
 * process's part, or in the set of boxes last written, and is due at `earliest` of some part or later.
 */
#include "examples/phold/model.h"

#include "encoding/arithmetic.h"
#include "scheduler/queue.h"
#include "scheduler/random.h"

#include <stdlib.h>
#include <time.h>

enum { PROCESSES_A_PART = 8192, PARTS_MOST = 64, BOX_SMALLEST = 16 };

struct process {
    uint64_t sequence; /* draws so far */
    uint64_t digest;   /* of the events met so far */
};

struct box {
    struct event *events; /* [capacity] */
    size_t length;
    size_t capacity;
};

struct part {
    struct queue *queue;
    struct box *boxes[2]; /* [parts] each: events for every part */
    uint32_t begin, end;  /* its processes */
    uint64_t events;      /* met */
    int64_t earliest;     /* of what waits in the queue or was laid into boxes in the last window */
    struct error error;
};

struct simulation {
    const struct phold_settings *settings;
    struct random_stream stream;
    uint64_t remote_below;     /* a word below this sends the event to any process */
    struct process *processes; /* [settings->processes] */
    struct part *parts;        /* [part_count] */
    uint32_t part_count;
    uint32_t set;       /* of boxes, that this window writes */
    int64_t window_end; /* the window's ticks lie before */
};

uint32_t phold_parts(uint32_t processes)
{
    uint32_t parts = processes / PROCESSES_A_PART;
    return parts < 1 ? 1 : parts > PARTS_MOST ? PARTS_MOST : parts;
}

/* The finaliser of splitmix64: every bit of `value` changes half the bits of the result. */
static uint64_t digest_mix(uint64_t value)
{
    value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
    return value ^ value >> 31;
}

/* Lookahead plus an exponential delay with mean PHOLD_UNIT. */
static inline int64_t delay_of(const struct simulation *simulation, uint32_t word)
{
    double exponential = -arithmetic_log(random_uniform(word));
    return simulation->settings->lookahead + (int64_t)(exponential * PHOLD_UNIT);
}

/* What a process does when it meets an event: the event that it pushes. */
static inline struct event process_meet(struct simulation *simulation, struct event event)
{
    struct process *process = &simulation->processes[event.order];
    uint32_t words[4];
    random_words(&simulation->stream, process->sequence, event.order, words);
    process->digest = digest_mix(process->digest + (uint64_t)event.tick);
    process->sequence++;
    uint32_t destination = event.order;
    if (words[1] < simulation->remote_below)
        destination = random_below(words[2], simulation->settings->processes);
    return (struct event){event.tick + delay_of(simulation, words[0]), destination, 0};
}

/* The part that a process belongs to: the inverse of workers_slice. */
static inline uint32_t part_of_process(const struct simulation *simulation, uint32_t process)
{
    return (uint32_t)((((uint64_t)process + 1) * simulation->part_count - 1) /
                      simulation->settings->processes);
}

static bool box_lay(struct box *box, struct event event, struct error *error)
{
    if (box->length == box->capacity) {
        size_t capacity = box->capacity == 0 ? BOX_SMALLEST : 2 * box->capacity;
        struct event *events = realloc(box->events, capacity * sizeof *events);
        if (events == NULL)
            return error_no_memory(error, "the events between parts");
        box->events = events;
        box->capacity = capacity;
    }
    box->events[box->length++] = event;
    return true;
}

/* Moves what other parts have laid out for this one in the last window into its queue. */
static bool part_receive(struct simulation *simulation, uint32_t receiver)
{
    struct part *part = &simulation->parts[receiver];
    for (uint32_t sender = 0; sender < simulation->part_count; sender++) {
        struct box *box = &simulation->parts[sender].boxes[!simulation->set][receiver];
        for (size_t i = 0; i < box->length; i++)
            if (!queue_push(part->queue, box->events[i], &part->error))
                return false;
        box->length = 0;
    }
    return true;
}

static bool part_push(struct simulation *simulation, struct part *part, struct event event)
{
    if (event.order >= part->begin && event.order < part->end)
        return queue_push(part->queue, event, &part->error);
    if (event.tick < part->earliest)
        part->earliest = event.tick;
    uint32_t receiver = part_of_process(simulation, event.order);
    return box_lay(&part->boxes[simulation->set][receiver], event, &part->error);
}

/* One part's window. */
static void part_advance(void *argument, uint32_t index, uint32_t parts)
{
    (void)parts;
    struct simulation *simulation = argument;
    struct part *part = &simulation->parts[index];
    part->earliest = INT64_MAX;
    if (!part_receive(simulation, index))
        return;
    int64_t tick;
    struct event event;
    while (queue_peek(part->queue, &tick) && tick < simulation->window_end) {
        if (!queue_pop(part->queue, &event)) {
            error_no_memory(&part->error, "the event queue");
            return;
        }
        part->events++;
        if (!part_push(simulation, part, process_meet(simulation, event)))
            return;
    }
    if (queue_peek(part->queue, &tick) && tick < part->earliest)
        part->earliest = tick;
}

static int64_t earliest_of_parts(const struct simulation *simulation)
{
    int64_t earliest = INT64_MAX;
    for (uint32_t p = 0; p < simulation->part_count; p++)
        if (simulation->parts[p].earliest < earliest)
            earliest = simulation->parts[p].earliest;
    return earliest;
}

static bool parts_failed(const struct simulation *simulation, struct error *error)
{
    for (uint32_t p = 0; p < simulation->part_count; p++)
        if (simulation->parts[p].error.code != ERROR_NONE)
            return !error_set(error, ERROR_FAILED, "%s", simulation->parts[p].error.text);
    return false;
}

/* ---- building */

static void simulation_close(struct simulation *simulation)
{
    for (uint32_t p = 0; simulation->parts != NULL && p < simulation->part_count; p++) {
        struct part *part = &simulation->parts[p];
        for (int set = 0; set < 2; set++) {
            for (uint32_t i = 0; part->boxes[set] != NULL && i < simulation->part_count; i++)
                free(part->boxes[set][i].events);
            free(part->boxes[set]);
        }
        queue_free(part->queue);
    }
    free(simulation->parts);
    free(simulation->processes);
}

static bool part_open(struct simulation *simulation, uint32_t index, struct error *error)
{
    const struct phold_settings *settings = simulation->settings;
    struct part *part = &simulation->parts[index];
    workers_slice(settings->processes, index, simulation->part_count, &part->begin, &part->end);
    part->queue = queue_new(0);
    for (int set = 0; set < 2; set++)
        part->boxes[set] = calloc(simulation->part_count, sizeof *part->boxes[set]);
    if (part->queue == NULL || part->boxes[0] == NULL || part->boxes[1] == NULL)
        return error_no_memory(error, "the parts");
    for (uint32_t process = part->begin; process < part->end; process++)
        for (uint32_t i = 0; i < settings->population; i++) {
            uint32_t words[4];
            random_words(&simulation->stream, simulation->processes[process].sequence++, process,
                         words);
            struct event event = {delay_of(simulation, words[0]), process, 0};
            if (!queue_push(part->queue, event, error))
                return false;
        }
    queue_peek(part->queue, &part->earliest);
    return true;
}

/* Processes, parts, and the first events, drawn by the processes that will meet them. */
static bool simulation_open(struct simulation *simulation, const struct phold_settings *settings,
                            uint32_t parts, struct error *error)
{
    *simulation = (struct simulation){
        .settings = settings,
        .stream = random_stream_of(settings->seed, RANDOM_SOURCE, 0),
        .remote_below = (uint64_t)(settings->remote * 0x1p32),
        .processes = calloc(settings->processes, sizeof *simulation->processes),
        .parts = calloc(parts, sizeof *simulation->parts),
        .part_count = parts,
    };
    if (simulation->processes == NULL || simulation->parts == NULL) {
        simulation_close(simulation);
        return error_no_memory(error, "the processes");
    }
    for (uint32_t p = 0; p < parts; p++)
        if (!part_open(simulation, p, error)) {
            simulation_close(simulation);
            return false;
        }
    return true;
}

struct times {
    double wall, processor; /* seconds */
};

static double clock_seconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static struct times times_now(void)
{
    return (struct times){clock_seconds(CLOCK_MONOTONIC), clock_seconds(CLOCK_PROCESS_CPUTIME_ID)};
}

static void result_fill(const struct simulation *simulation, struct times begin,
                        struct phold_result *result)
{
    struct times end = times_now();
    *result = (struct phold_result){.seconds = end.wall - begin.wall,
                                    .processor = end.processor - begin.processor};
    for (uint32_t p = 0; p < simulation->part_count; p++)
        result->events += simulation->parts[p].events;
    for (uint32_t i = 0; i < simulation->settings->processes; i++) {
        const struct process *process = &simulation->processes[i];
        result->checksum = digest_mix(result->checksum + process->digest) + process->sequence;
    }
}

bool phold_run_parts(const struct phold_settings *settings, struct workers *workers,
                     struct phold_result *result, struct error *error)
{
    struct simulation simulation;
    if (!simulation_open(&simulation, settings, phold_parts(settings->processes), error))
        return false;
    struct times begin = times_now();
    bool failed = false;
    for (int64_t earliest; !failed && (earliest = earliest_of_parts(&simulation)) <
                                          settings->duration;) {
        bool last = settings->duration - earliest <= settings->lookahead;
        simulation.window_end = last ? settings->duration : earliest + settings->lookahead;
        workers_run(workers, part_advance, &simulation, simulation.part_count);
        failed = parts_failed(&simulation, error);
        simulation.set = !simulation.set;
    }
    if (!failed)
        result_fill(&simulation, begin, result);
    simulation_close(&simulation);
    return !failed;
}

bool phold_run(const struct phold_settings *settings, struct phold_result *result,
               struct error *error)
{
    struct simulation simulation;
    if (!simulation_open(&simulation, settings, 1, error))
        return false;
    struct part *part = &simulation.parts[0];
    struct times begin = times_now();
    bool done = true;
    struct event event;
    while (done && queue_pop(part->queue, &event) && event.tick < settings->duration) {
        part->events++;
        done = queue_push(part->queue, process_meet(&simulation, event), error);
    }
    if (done)
        result_fill(&simulation, begin, result);
    simulation_close(&simulation);
    return done;
}
