/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Time by the queue of messages against ways and lines worked out by hand, and against a plain
 * model on random traffic: every message is moved hop by hop, the next event is looked for in a
 * list, and lines are arrays. The plain model knows no short cut for ticks in which nothing can be
 * full, so that holds both ways to the same picosecond.
 */
#include "tests/latency_rig.h"

static struct latency work_out(void)
{
    struct latency latency;
    struct error error = {0};
    assert_true(latency_queue(&rig.load, &rig.chip, &rig.placement, &rig.routes, &latency, &error));
    assert_false(latency.lower_bound);
    return latency;
}

static int64_t in_picoseconds(double time)
{
    return (int64_t)llround(time * 1e12);
}

static int64_t given(enum chip_figure figure)
{
    return rig.chip.figure[figure].given ? in_picoseconds(rig.chip.figure[figure].value) : 0;
}

/* ---- worked out by hand ---- */

/* One message from any core to any other, over four chips of 3 x 2 tiles of 2 cores. */
static void a_single_message(void **state)
{
    (void)state;
    for (uint32_t from = 0; from < 48; from++)
        for (uint32_t to = 0; to < 48; to++) {
            rig_begin(2, 3, 2, 2, 48, 1);
            rig.chip.mesh.link_buffer = from % 3;
            rig_population(3, (const uint32_t[]){from, from, from});
            rig_route(0, 1, to, 2, 3, 4);
            rig_fire(0, 0, 1, (const uint32_t[]){1}, NULL);
            rig_time(CHIP_TIME_NEURON_ACCESS, 1e-9);
            rig_time(CHIP_TIME_NEURON_UPDATE, 2e-9);
            rig_time(CHIP_TIME_SPIKE, 4e-9);
            rig_time(CHIP_TIME_MESSAGE_OUT, 8e-9);
            rig_time(CHIP_TIME_MESSAGE_IN, 16e-9);
            rig_time(CHIP_TIME_SYNOP_DENSE, 32e-9);
            rig_time(CHIP_TIME_SYNOP, 64e-9);
            rig_time(CHIP_TIME_HOP_LOCAL, 1e-6);
            rig_time(CHIP_TIME_HOP_EAST, 1e-5);
            rig_time(CHIP_TIME_HOP_WEST, 1e-4);
            rig_time(CHIP_TIME_HOP_NORTH, 1e-3);
            rig_time(CHIP_TIME_HOP_SOUTH, 1e-2);
            rig_time(CHIP_TIME_LINK, 1e-1);
            rig.chip.sync_count = 1;
            rig.chip.sync[0].seconds = 1;
            /* Two neurons have been gone through, and the spike and its message sent. */
            double expected = 2 * 3e-9 + 12e-9 + 16e-9 + 2 * 32e-9 + 7 * 64e-9 + 1;
            int east = (int)(to / 2 % 6) - (int)(from / 2 % 6);
            int north = (int)(to / 12) - (int)(from / 12);
            expected += (east > 0 ? east * 1e-5 : -east * 1e-4);
            expected += (north > 0 ? north * 1e-3 : -north * 1e-2);
            expected += ((to / 2 % 6 > 2) != (from / 2 % 6 > 2)) * 1e-1;
            expected += ((to / 12 > 1) != (from / 12 > 1)) * 1e-1;
            expected += from / 2 == to / 2 ? 1e-6 : 0;
            struct latency latency = work_out();
            assert_true(near(latency.seconds, expected) && latency.messages == 1);
            assert_true(latency.blocked_seconds == 0 && latency.longest_queue == 1);
            assert_int_equal(latency.busiest_core, to);
            latency_free(&latency);
        }
}

/* `count` messages in a row from core 0 to core 1 (of the next tile), one each `generating`, which
 * take `handling` there. */
static void in_a_row(uint32_t count, double generating, double handling, uint32_t buffer)
{
    uint32_t home[RIG_NEURONS] = {0}, all[RIG_NEURONS];
    rig_begin(1, 2, 1, 1, 2, 1);
    rig.chip.mesh.link_buffer = buffer;
    rig_population(count, home);
    for (uint32_t n = 0; n < count; n++) {
        rig_route(0, n, 1, 1, 0, 0);
        all[n] = n;
    }
    rig_fire(0, 0, count, all, NULL);
    rig_time(CHIP_TIME_MESSAGE_OUT, generating);
    rig_time(CHIP_TIME_SYNOP, handling);
    rig_time(CHIP_TIME_HOP_EAST, 4e-9);
}

/* A line before one receiver: it is never idle once it has begun, or never has a line. */
static void serial_service(void **state)
{
    (void)state;
    for (uint32_t count = 1; count <= RIG_NEURONS; count++) {
        in_a_row(count, 3e-9, 10e-9, 0);
        struct latency latency = work_out();
        assert_true(near(latency.seconds, 3e-9 + 4e-9 + count * 10e-9));
        /* Message i waits i times the difference. */
        assert_true(fabs(latency.blocked_seconds - count * (count - 1) / 2 * 7e-9) < 1e-20);
        latency_free(&latency);
        in_a_row(count, 10e-9, 3e-9, 0);
        latency = work_out();
        assert_true(near(latency.seconds, count * 10e-9 + 4e-9 + 3e-9));
        assert_true(latency.blocked_seconds == 0 && latency.longest_queue == 1);
        latency_free(&latency);
    }
}

/* Room for one message in the link and one in the input. Five messages, generated in 3 ns each,
 * 4 ns on the link, handled in 10 ns:
 *
 *     message   generated   link     input   handled   waits
 *     0          3           3- 7     7       7-17       0
 *     1          6           7-11    11      17-27       1 for the link, 6 in the input
 *     2         10          11-15→17 17      27-37       1, 2 at the link's end, 10
 *     3         14          17-21→27 27      37-47       3, 6, 10
 *     4         20          27-31→37 37      47-57       7, 6, 10
 *
 * So the last one ends as with any room, but the last has left core 0 at 27, not at 15. */
static void blocking(void **state)
{
    (void)state;
    in_a_row(5, 3e-9, 10e-9, 1);
    struct latency latency = work_out();
    assert_true(near(latency.seconds, 57e-9) && near(latency.blocked_seconds, 62e-9));
    assert_true(latency.longest_queue == 2 && latency.messages == 5);
    assert_int_equal(latency.busiest_core, 1);
    latency_free(&latency);
    /* That core 0 was held up shows once it has more to do after the last: 27 + 100. */
    rig_compartment(0, 1, (const uint32_t[]){0});
    rig_time(CHIP_TIME_NEURON_ACCESS, 100e-9);
    for (uint32_t n = 0; n < 5; n++)
        rig.updates[0][n] = 0;
    rig.populations[0].input = true; /* its neurons take no time */
    latency = work_out();
    assert_true(near(latency.seconds, 127e-9));
    assert_int_equal(latency.busiest_core, 0);
    latency_free(&latency);
    rig.chip.mesh.link_buffer = 0;
    latency = work_out();
    assert_true(near(latency.seconds, 115e-9));
    latency_free(&latency);
}

/* What is behind a message that cannot go on waits, though its own way is clear. Core 0 sends to
 * core 1 three times, then to core 2, all over the link to the east of tile 0. */
static void the_first_in_line_holds_up_the_others(void **state)
{
    (void)state;
    for (uint32_t buffer = 0; buffer < 3; buffer++) {
        rig_begin(1, 3, 1, 1, 3, 1);
        rig.chip.mesh.link_buffer = buffer;
        rig_population(4, (const uint32_t[]){0, 0, 0, 0});
        for (uint32_t n = 0; n < 4; n++)
            rig_route(0, n, n < 3 ? 1 : 2, n < 3 ? 100 : 300, 0, 0);
        rig_fire(0, 0, 4, (const uint32_t[]){0, 1, 2, 3}, NULL);
        rig_time(CHIP_TIME_MESSAGE_OUT, 1e-9);
        rig_time(CHIP_TIME_SYNOP, 1e-9);
        rig_time(CHIP_TIME_HOP_EAST, 1e-9);
        struct latency latency = work_out();
        /* Two of room, as any: they are handled from 2, 102, 202 and, after two hops, 6. One: when
         * the first is handled and the second is in the input, the third keeps the link from 3 to
         * 102, and only then does the fourth enter it, to arrive at 104. */
        double waits = buffer == 1 ? 99 + (98 + 100) + 98 : 99 + 198;
        assert_true(near(latency.seconds, (buffer == 1 ? 104 + 300 : 6 + 300) * 1e-9));
        assert_true(near(latency.blocked_seconds, waits * 1e-9));
        assert_int_equal(latency.busiest_core, 2);
        latency_free(&latency);
    }
}

/* SANA-FE's example of four neurons (two inputs), without updates: its detailed model gives 844 ns,
 * of which updates take 196. */
static void example_network(void **state)
{
    (void)state;
    rig_begin(1, 2, 1, 4, 8, 100);
    rig.placement.tiles = 1;
    rig.chip.mesh.link_buffer = 4;
    rig_population(2, (const uint32_t[]){0, 1});
    rig_population(2, (const uint32_t[]){0, 0});
    rig.populations[0].input = true;
    rig_route(0, 0, 0, 2, 0, 0);
    rig_route(0, 1, 0, 2, 0, 0);
    rig_route(1, 1, 0, 1, 0, 0);
    rig_fire(0, 0, 1, (const uint32_t[]){1}, NULL);
    rig_fire(1, 1, 1, (const uint32_t[]){1}, NULL);
    rig_fire(2, 0, 1, (const uint32_t[]){1}, NULL);
    rig_time(CHIP_TIME_SYNOP, 3e-9);
    rig_time(CHIP_TIME_NEURON_ACCESS, 3e-9);
    rig_time(CHIP_TIME_SPIKE, 30e-9);
    rig_time(CHIP_TIME_MESSAGE_OUT, 5e-9);
    struct latency latency = work_out();
    /* 5 + 6; 6 + 30 + 5 + 3; 5 + 6; then 6 each */
    assert_true(near(latency.seconds, (11 + 44 + 11 + 97 * 6) * 1e-9));
    latency_free(&latency);
}

static void empty_ticks_and_real_time(void **state)
{
    (void)state;
    in_a_row(2, 3e-9, 10e-9, 1);
    rig.load.ticks = 1000000000;
    rig.chip.sync_count = 1;
    rig.chip.sync[0].seconds = 1e-6;
    struct latency latency = work_out();
    assert_true(near(latency.seconds, 1e3 + 27e-9) && latency.ticks == 1e9);
    assert_true(near(latency.synchronising, 1e3));
    assert_int_equal(latency.busiest_core, 1); /* the others take no time at all */
    latency_free(&latency);
    rig_time(CHIP_TIME_TICK, 1e-3);
    latency = work_out();
    assert_true(near(latency.seconds, 1e6) && latency.real_time);
    assert_true(near(latency.slowest_tick, 1e-3));
    latency_free(&latency);
}

static void refusals(void **state)
{
    (void)state;
    struct latency latency;
    struct error error = {0};
    in_a_row(2, 3e-9, 10e-9, 1);
    rig.load.has_spikes = false;
    assert_false(
        latency_queue(&rig.load, &rig.chip, &rig.placement, &rig.routes, &latency, &error));
    assert_int_equal(error.code, ERROR_MISUSED);
    rig.load.has_spikes = true;
    static const enum chip_figure figures[] = {CHIP_TIME_SYNOP, CHIP_TIME_HOP_LOCAL,
                                               CHIP_TIME_SPIKE, CHIP_TIME_NEURON_ACCESS};
    static const double times[] = {1e7, 1e300, INFINITY};
    for (int i = 0; i < 4; i++)
        for (int t = 0; t < 3; t++) {
            in_a_row(2, 3e-9, 10e-9, 1);
            rig_time(figures[i], times[t]);
            error = (struct error){0};
            assert_false(
                latency_queue(&rig.load, &rig.chip, &rig.placement, &rig.routes, &latency, &error));
            assert_non_null(strstr(error.text, "13 days"));
        }
    in_a_row(2, 3e-9, 10e-9, 1);
    rig_fire(0, 0, 1, (const uint32_t[]){1}, (const int32_t[]){INT32_MIN});
    error = (struct error){0};
    assert_false(
        latency_queue(&rig.load, &rig.chip, &rig.placement, &rig.routes, &latency, &error));
    assert_non_null(strstr(error.text, "messages of a tick"));
    in_a_row(2, 3e-9, 10e-9, 1);
    rig.placement.side = UINT32_MAX;
    assert_false(latency_queue(&rig.load, &rig.chip, &rig.placement, &rig.routes, &latency, NULL));
    rig.placement.side = 1 << 20;
    assert_false(latency_queue(&rig.load, &rig.chip, &rig.placement, &rig.routes, &latency, NULL));
    for (int figure = 0; figure < CHIP_FIGURES; figure++)
        rig.chip.figure[figure].given = false;
    assert_true(latency_queue(&rig.load, &rig.chip, &rig.placement, &rig.routes, &latency, NULL));
    assert_false(latency.known);
}

/* ---- a plain model ---- */

enum { PLAIN_MESSAGES = 30000, PLAIN_NODES = 4 * 36 + 3 * RIG_CORES, PLAIN_NONE = -1 };

struct plain_message {
    int64_t generating, handling, ready;
    int to, x, y;
};

/* Messages and nodes in line, as arrays: the first is number 0. */
struct plain_node {
    int *messages;
    int length, room;
    int line[PLAIN_NODES], line_length;
    int64_t due; /* of its event; PLAIN_NONE: it has none */
};

static struct plain {
    struct plain_message message[PLAIN_MESSAGES];
    int count;
    struct plain_node node[PLAIN_NODES];
    int width, cores, nodes;
    int64_t now, end, held_up;
    int64_t trail[RIG_CORES], free_at[RIG_CORES];
    int look[PLAIN_NODES], look_length;
    int longest;
    int handled;
} plain;

static int first_local(void)
{
    return plain.nodes - 3 * plain.cores;
}

static void append(struct plain_node *node, int at, int message)
{
    if (node->length == node->room) {
        node->room = 2 * node->room + 8;
        node->messages = realloc(node->messages, (size_t)node->room * sizeof *node->messages);
        assert_non_null(node->messages);
    }
    for (int i = node->length++; i > at; i--)
        node->messages[i] = node->messages[i - 1];
    node->messages[at] = message;
}

static int take_first(int *list, int *length)
{
    int first = list[0];
    for (int i = 1; i < *length; i++)
        list[i - 1] = list[i];
    (*length)--;
    return first;
}

/* What each core does in the one tick of the rig, straight from the definition. */
static void plain_send(void)
{
    for (int core = 0; core < plain.cores; core++) {
        int64_t gap = 0;
        for (uint32_t p = 0; p < rig.load.population_count; p++)
            for (uint32_t n = 0; n < rig.populations[p].neurons; n++) {
                if (rig.home[p][n] != (uint32_t)core)
                    continue;
                bool input = rig.populations[p].input;
                if (!input)
                    gap += given(CHIP_TIME_NEURON_ACCESS) + given(CHIP_TIME_NEURON_UPDATE);
                for (uint64_t spike = 0; spike < rig.spikes[p][n]; spike++) {
                    gap += input ? 0 : given(CHIP_TIME_SPIKE);
                    for (uint64_t r = rig.start[p][n]; r < rig.start[p][n + 1]; r++) {
                        const struct route *route = &rig.route[p][r];
                        struct plain_message *own = &plain.message[plain.count];
                        assert_true(plain.count < PLAIN_MESSAGES);
                        *own =
                            (struct plain_message){.generating = gap + given(CHIP_TIME_MESSAGE_OUT),
                                                   .to = (int)route->core,
                                                   .x = (int)rig.cores[core].x,
                                                   .y = (int)rig.cores[core].y};
                        double handling = (double)given(CHIP_TIME_MESSAGE_IN);
                        for (int kind = 0; kind < 3; kind++)
                            handling += route->synapses[kind] *
                                        (double)(rig.chip.figure[CHIP_TIME_SYNOP_DENSE + kind].given
                                                     ? given(CHIP_TIME_SYNOP_DENSE + kind)
                                                     : given(CHIP_TIME_SYNOP));
                        own->handling = (int64_t)floor(handling + 0.5);
                        struct plain_node *node = &plain.node[first_local() + plain.cores + core];
                        append(node, node->length, plain.count++);
                        gap = 0;
                    }
                }
            }
        plain.trail[core] = gap;
        if (plain.node[first_local() + plain.cores + core].length == 0 && gap > plain.end)
            plain.end = gap;
    }
}

static int plain_next(int at, const struct plain_message *message)
{
    const struct core *to = &rig.cores[message->to];
    int link = 4 * (message->y * plain.width + message->x);
    if (message->x != (int)to->x)
        return link + (message->x < (int)to->x ? 0 : 1);
    if (message->y != (int)to->y)
        return link + (message->y < (int)to->y ? 2 : 3);
    return first_local() + (at >= first_local() + plain.cores ? 0 : 2 * plain.cores) + message->to;
}

static int64_t plain_step(struct plain_message *message, int link)
{
    static const int dx[] = {1, -1, 0, 0}, dy[] = {0, 0, 1, -1};
    if (link >= first_local())
        return given(CHIP_TIME_HOP_LOCAL);
    int direction = link % 4, columns = (int)rig.chip.mesh.columns, rows = (int)rig.chip.mesh.rows;
    int x = message->x + dx[direction], y = message->y + dy[direction];
    int64_t time = given(CHIP_TIME_HOP_EAST + direction);
    if (x / columns != message->x / columns || y / rows != message->y / rows)
        time += given(CHIP_TIME_LINK);
    message->x = x;
    message->y = y;
    return time;
}

static void plain_enter(int at, int number)
{
    struct plain_node *node = &plain.node[at];
    struct plain_message *message = &plain.message[number];
    int core = at - first_local() - 2 * plain.cores;
    if (core < 0) {
        message->ready = plain.now + plain_step(message, at);
        append(node, node->length, number);
        if (node->length == 1)
            node->due = message->ready;
        return;
    }
    message->ready = plain.now;
    int place = node->length;
    while (place > 0 && plain.message[node->messages[place - 1]].ready == plain.now &&
           node->messages[place - 1] > number)
        place--;
    append(node, place, number);
    int present = node->length + (plain.free_at[core] > plain.now);
    plain.longest = present > plain.longest ? present : plain.longest;
    if (node->due == PLAIN_NONE)
        node->due = plain.free_at[core] > plain.now ? plain.free_at[core] : plain.now;
}

static void plain_move(int from, int to)
{
    int sources = first_local() + plain.cores;
    for (;;) {
        struct plain_node *node = &plain.node[from];
        int number = take_first(node->messages, &node->length);
        plain.held_up += plain.now - plain.message[number].ready;
        if (from >= sources && node->length > 0) {
            struct plain_message *next = &plain.message[node->messages[0]];
            next->ready = plain.now + next->generating;
        } else if (from >= sources && plain.now + plain.trail[from - sources] > plain.end) {
            plain.end = plain.now + plain.trail[from - sources];
        }
        plain_enter(to, number);
        if (node->length > 0)
            plain.look[plain.look_length++] = from;
        if (node->line_length == 0)
            return;
        to = from;
        from = take_first(node->line, &node->line_length);
    }
}

static void plain_look(int at)
{
    struct plain_node *node = &plain.node[at];
    const struct plain_message *message = &plain.message[node->messages[0]];
    if (message->ready > plain.now) {
        node->due = message->ready;
        return;
    }
    struct plain_node *next = &plain.node[plain_next(at, message)];
    if (rig.chip.mesh.link_buffer > 0 && next->length >= (int)rig.chip.mesh.link_buffer)
        next->line[next->line_length++] = at;
    else
        plain_move(at, (int)(next - plain.node));
}

static void plain_begin(int core)
{
    int at = first_local() + 2 * plain.cores + core;
    struct plain_node *input = &plain.node[at];
    const struct plain_message *message =
        &plain.message[take_first(input->messages, &input->length)];
    plain.held_up += plain.now - message->ready;
    plain.free_at[core] = plain.now + message->handling;
    plain.end = plain.free_at[core] > plain.end ? plain.free_at[core] : plain.end;
    plain.handled++;
    if (input->length > 0)
        input->due = plain.free_at[core];
    if (input->line_length > 0)
        plain_move(take_first(input->line, &input->line_length), at);
}

/* The rig's one tick. */
static void plain_run(void)
{
    for (int i = 0; i < PLAIN_NODES; i++)
        free(plain.node[i].messages);
    memset(&plain, 0, sizeof plain);
    plain.width = (int)(rig.placement.side * rig.chip.mesh.columns);
    plain.cores = (int)rig.placement.core_count;
    plain.nodes =
        4 * plain.width * (int)(rig.placement.side * rig.chip.mesh.rows) + 3 * plain.cores;
    assert_true(plain.nodes <= PLAIN_NODES);
    for (int i = 0; i < plain.nodes; i++)
        plain.node[i].due = PLAIN_NONE;
    plain_send();
    for (int at = first_local() + plain.cores; at < first_local() + 2 * plain.cores; at++)
        if (plain.node[at].length > 0) {
            struct plain_message *first = &plain.message[plain.node[at].messages[0]];
            plain.node[at].due = first->ready = first->generating;
        }
    for (;;) {
        int next = PLAIN_NONE;
        for (int i = 0; i < plain.nodes; i++)
            if (plain.node[i].due != PLAIN_NONE &&
                (next == PLAIN_NONE || plain.node[i].due < plain.node[next].due))
                next = i;
        if (next == PLAIN_NONE)
            return;
        plain.now = plain.node[next].due;
        plain.node[next].due = PLAIN_NONE;
        if (next >= first_local() + 2 * plain.cores)
            plain_begin(next - first_local() - 2 * plain.cores);
        else
            plain_look(next);
        while (plain.look_length > 0)
            plain_look(take_first(plain.look, &plain.look_length));
    }
}

/* The least that a tick can take: what the busiest sender, or receiver, has to do. */
static int64_t least_time(void)
{
    int64_t least = 0, sent[RIG_CORES] = {0}, received[RIG_CORES] = {0};
    for (int core = 0; core < plain.cores; core++)
        sent[core] = plain.trail[core];
    for (int i = 0; i < plain.count; i++)
        received[plain.message[i].to] += plain.message[i].handling;
    for (uint32_t p = 0; p < rig.load.population_count; p++)
        for (uint32_t n = 0; n < rig.populations[p].neurons; n++)
            sent[rig.home[p][n]] += (int64_t)rig.spikes[p][n] *
                                    (int64_t)(rig.start[p][n + 1] - rig.start[p][n]) *
                                    given(CHIP_TIME_MESSAGE_OUT);
    for (int core = 0; core < plain.cores; core++) {
        least = sent[core] > least ? sent[core] : least;
        least = received[core] > least ? received[core] : least;
    }
    return least;
}

static void random_chip(uint32_t tiles_per_side)
{
    uint32_t side = 1 + (uint32_t)rig_random(2);
    uint32_t columns = 1 + (uint32_t)rig_random(tiles_per_side);
    uint32_t rows = 1 + (uint32_t)rig_random(tiles_per_side);
    uint32_t per_tile = 1 + (uint32_t)rig_random(2);
    rig_begin(side, columns, rows, per_tile, side * side * columns * rows * per_tile, 1);
}

static void random_traffic(void **state)
{
    (void)state;
    static const uint32_t buffers[] = {0, 1, 2, 3, 16, 1000, PLAIN_MESSAGES};
    uint32_t later = 0, most = 0;
    int64_t anyhow = 0; /* end with any room */
    for (uint64_t seed = 1; seed < 500; seed++) {
        uint64_t total = 0;
        rig_random_from(seed);
        random_chip(3);
        rig_random_load(1, 3);
        rig_random_times();
        if (rig_random(3) == 0) /* much happens at one instant */
            for (int figure = CHIP_TIME_SYNOP; figure < CHIP_TIME_TICK; figure++)
                rig_time((enum chip_figure)figure, (double)rig_random(3) * 1e-9);
        for (uint32_t p = 0; p < rig.load.population_count; p++)
            for (uint32_t n = 0; n < rig.populations[p].neurons; n++)
                total += rig.spikes[p][n] * (rig.start[p][n + 1] - rig.start[p][n]);
        for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) {
            rig.chip.mesh.link_buffer = buffers[i];
            plain_run();
            struct latency latency = work_out();
            assert_int_equal(in_picoseconds(latency.seconds), plain.end);
            assert_int_equal(in_picoseconds(latency.blocked_seconds), plain.held_up);
            assert_true(latency.longest_queue == plain.longest);
            assert_true(latency.messages == (double)total); /* sent … */
            assert_int_equal(plain.handled, total);         /* … and handled */
            assert_true(plain.end >= least_time());
            most = total > most ? (uint32_t)total : most;
            anyhow = buffers[i] == 0 ? plain.end : anyhow;
            later += buffers[i] == 1 && plain.end > anyhow;
            latency_free(&latency);
        }
    }
    assert_true(later > 150 && most > 400);
}

/* Room for all but one of the messages: hop by hop, though nothing is ever full if they go to many
 * cores; the same as with any room, for which nothing is simulated hop by hop. */
static void with_room_enough_the_way_is_free(void **state)
{
    (void)state;
    uint32_t compared = 0;
    for (uint64_t seed = 1; seed < 300; seed++) {
        rig_random_from(seed);
        random_chip(3);
        rig_random_load(1, 2);
        rig_random_times();
        struct latency any = work_out();
        if (any.messages > 2 && any.longest_queue < any.messages - 1) {
            rig.chip.mesh.link_buffer = (uint32_t)any.messages - 1;
            struct latency hops = work_out();
            assert_true(hops.seconds == any.seconds && hops.messages == any.messages);
            assert_true(hops.blocked_seconds == any.blocked_seconds);
            assert_true(hops.longest_queue == any.longest_queue);
            assert_int_equal(hops.busiest_core, any.busiest_core);
            compared++;
            latency_free(&hops);
        }
        latency_free(&any);
    }
    assert_true(compared > 100);
}

/* Ticks do not touch each other: a run takes as long as its ticks, each as a run of its own. */
static void ticks_are_apart(void **state)
{
    (void)state;
    enum { TICKS = 20 };
    for (uint64_t seed = 1; seed < 60; seed++) {
        rig_random_from(seed);
        random_chip(3);
        rig.load.ticks = TICKS;
        rig_random_load(TICKS, 3);
        rig_random_times();
        rig.chip.mesh.link_buffer = (uint32_t)rig_random(4);
        struct latency whole = work_out();
        static struct rig_volley volleys[RIG_VOLLEYS];
        uint32_t count = rig.volley_count;
        memcpy(volleys, rig.volleys, sizeof volleys);
        double seconds = 0, messages = 0, blocked = 0, slowest = 0;
        rig.load.ticks = 1;
        for (int64_t tick = 0; tick < TICKS; tick++) {
            rig.volley_count = 0;
            for (uint32_t i = 0; i < count; i++)
                if (volleys[i].volley.tick == tick) {
                    struct rig_volley *own = &rig.volleys[rig.volley_count++];
                    *own = volleys[i];
                    own->volley.tick = 0;
                    own->volley.neurons = own->neurons;
                    own->volley.payload = own->payload;
                }
            struct latency one = work_out();
            seconds += one.seconds;
            messages += one.messages;
            blocked += one.blocked_seconds;
            slowest = fmax(slowest, one.seconds);
            latency_free(&one);
        }
        assert_true(near(whole.seconds, seconds) && near(whole.slowest_tick, slowest));
        assert_true(whole.messages == messages && near(whole.blocked_seconds, blocked));
        latency_free(&whole);
    }
}

/* Where a time step has many ticks, its volleys come in any order of populations, and a neuron may
 * fire in several: a core sends in order of its neurons all the same. */
static void volleys_of_a_long_tick(void **state)
{
    (void)state;
    for (int order = 0; order < 2; order++) {
        rig_begin(1, 2, 1, 1, 2, 1);
        rig_population(2, (const uint32_t[]){0, 0});
        rig_population(1, (const uint32_t[]){0});
        rig_route(0, 0, 1, 5, 0, 0);
        rig_route(1, 0, 1, 50, 0, 0);
        rig_fire(0, order == 0 ? 0 : 1, 1, (const uint32_t[]){0}, NULL);
        rig_fire(0, order == 0 ? 0 : 1, 1, (const uint32_t[]){0}, NULL);
        rig_fire(0, order == 0 ? 1 : 0, 1, (const uint32_t[]){0}, NULL);
        if (order == 1)
            rig_fire(0, 0, 1, (const uint32_t[]){0}, NULL);
        else
            rig_fire(0, 1, 1, (const uint32_t[]){0}, NULL);
        rig_time(CHIP_TIME_NEURON_ACCESS, 100e-9);
        rig_time(CHIP_TIME_MESSAGE_OUT, 1e-9);
        rig_time(CHIP_TIME_SYNOP, 1e-9);
        struct latency latency = work_out();
        /* 101 and 102 for the first neuron; 200 more for the others, then 50 twice from 303 on. */
        assert_true(near(latency.seconds, 403e-9));
        latency_free(&latency);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_single_message),
        cmocka_unit_test(serial_service),
        cmocka_unit_test(blocking),
        cmocka_unit_test(the_first_in_line_holds_up_the_others),
        cmocka_unit_test(example_network),
        cmocka_unit_test(empty_ticks_and_real_time),
        cmocka_unit_test(refusals),
        cmocka_unit_test(random_traffic),
        cmocka_unit_test(with_room_enough_the_way_is_free),
        cmocka_unit_test(ticks_are_apart),
        cmocka_unit_test(volleys_of_a_long_tick),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
