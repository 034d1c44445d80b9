/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Messages over the mesh, on Volley's own event queue.
 *
 * Each core sends its messages in order and begins the next when the one before has left. A message
 * goes along x, then along y, over links; each takes its hop time (on a border of chips the link's,
 * too), from the moment the message enters it. Within a tile it goes over the receiving core's own
 * local link. From the last link it enters the receiving core's input, and the core handles one
 * message at a time. Links and inputs are first in, first out, and hold at most mesh.link_buffer
 * messages (0: any number; what is being handled is no longer in the input). Where the next one is
 * full, a message stays where it is, and so does all that is behind it. The tick ends when every
 * message is handled and every core has done the rest of its work.
 *
 * Nodes: what holds messages is numbered: links (tile x 4 + direction), local links, sources (what
 * a core has still to send), inputs.
 *
 * Main invariant: of each node that is not empty, its first message has an event due when it is
 * ready, or the node waits in the line of the full node it leads to, or it stands on the list of
 * those to look at before the next event. So nothing is polled. A node with a line before it is
 * full: whoever makes room lets the first of the line in at once.
 *
 * Order. Events of one instant come by number of their node: messages move before cores begin to
 * handle. Messages that reach an input at one instant stand by their number: cores in order, each
 * as it sends. So where nothing can be full, the order of arrival is all that counts, and the way
 * itself need not be simulated: the messages of such a tick are one event each.
 *
 * No deadlock. A link along x waits for one further along the same way, for a link along y or for
 * an input; one along y, for one further along or an input; sources and local links, for these; an
 * input, for its core alone, which handles messages whatever it has still to send. So no ring of
 * nodes can wait for each other.
 *
 * SANA-FE's detailed model has the same sources and receivers, but takes messages from them in
 * order of sending and estimates how long they are held up from how many share their links.
 */
#include "traces/energy/latency_mesh.h"

#include "scheduler/queue.h"

#include <stdlib.h>
#include <string.h>

enum { EAST, WEST, NORTH, SOUTH, DIRECTIONS };

/* In these two, references to another are its number + 1; 0 is none. */
struct node {
    uint32_t first, last;    /* message */
    uint32_t length;         /* messages */
    uint32_t line, line_end; /* nodes that wait for room here */
    uint32_t next;           /* node, in a line or in the list of those to look at */
};

struct message {
    int64_t ready; /* when it may go on; behind the first of a source: how long it takes to make */
    int64_t handling;
    uint32_t destination; /* core */
    uint32_t next;        /* message behind it */
    uint32_t x, y;        /* of the tile that it is in or on its way to */
};

struct mesh {
    const struct site *sites; /* [cores] */
    uint32_t cores;
    struct queue *queue;
    uint32_t capacity; /* messages in a link or input; 0: any number */
    int64_t hop[DIRECTIONS], local, link;
    int64_t *step[DIRECTIONS]; /* [width or height], from the tile of this x or y: hop and link */
    int64_t longest_way;
    int64_t rest;           /* of the slowest core, when nothing fires … */
    uint32_t rest_core;     /* … and which that is */
    uint32_t width, height; /* tiles, over all chips */
    struct node *nodes;     /* [first_input + cores] */
    uint32_t first_local, first_source, first_input;
    uint32_t look, look_end;  /* list of those to look at */
    int64_t *trail;           /* [cores], of a core that sends: from its last message to its end */
    int64_t *free_at;         /* [cores], when it has handled what it began */
    bool *beginning;          /* [cores], an event is due for it to begin another message */
    struct message *messages; /* [message_count] */
    size_t message_count, message_room;
    uint32_t *sources; /* [source_count], cores that send */
    uint32_t source_count;
    int64_t begin, now, end; /* of the tick; time goes on from tick to tick */
    uint32_t last_core;      /* that is done at `end` */
    int64_t held_up;
    uint32_t longest_queue;
    bool short_of_memory;
};

/* A core is done with something at `time`. */
static void done_at(struct mesh *mesh, uint32_t core, int64_t time)
{
    if (time > mesh->end || (time == mesh->end && core < mesh->last_core)) {
        mesh->end = time;
        mesh->last_core = core;
    }
}

static void schedule(struct mesh *mesh, int64_t time, uint32_t order, uint32_t payload)
{
    struct event event = {time, order, payload};
    if (!queue_push(mesh->queue, event, NULL))
        mesh->short_of_memory = true;
}

/* ---- nodes ---- */

static void line_join(struct mesh *mesh, uint32_t *line, uint32_t *line_end, uint32_t at)
{
    mesh->nodes[at].next = 0;
    if (*line == 0)
        *line = at + 1;
    else
        mesh->nodes[*line_end - 1].next = at + 1;
    *line_end = at + 1;
}

static uint32_t line_leave(struct mesh *mesh, uint32_t *line)
{
    uint32_t at = *line - 1;
    *line = mesh->nodes[at].next;
    return at;
}

static void node_append(struct mesh *mesh, struct node *node, uint32_t message)
{
    mesh->messages[message].next = 0;
    if (node->first == 0)
        node->first = message + 1;
    else
        mesh->messages[node->last - 1].next = message + 1;
    node->last = message + 1;
    node->length++;
}

static uint32_t node_take(struct mesh *mesh, struct node *node)
{
    uint32_t message = node->first - 1;
    node->first = mesh->messages[message].next;
    node->length--;
    return message;
}

/* Where the first message of a node goes next. */
static uint32_t node_after(const struct mesh *mesh, uint32_t at, const struct message *message)
{
    const struct site *site = &mesh->sites[message->destination];
    uint32_t link = (message->y * mesh->width + message->x) * DIRECTIONS;
    if (message->x != site->x)
        return link + (message->x < site->x ? EAST : WEST);
    if (message->y != site->y)
        return link + (message->y < site->y ? NORTH : SOUTH);
    bool within = at >= mesh->first_source;
    return (within ? mesh->first_local : mesh->first_input) + message->destination;
}

static bool is_full(const struct mesh *mesh, uint32_t at)
{
    return mesh->capacity > 0 && mesh->nodes[at].length >= mesh->capacity;
}

/* The step that a link makes. */
static void message_step(const struct mesh *mesh, struct message *message, uint32_t direction)
{
    switch (direction) {
    case EAST: message->ready = mesh->now + mesh->step[EAST][message->x++]; break;
    case WEST: message->ready = mesh->now + mesh->step[WEST][message->x--]; break;
    case NORTH: message->ready = mesh->now + mesh->step[NORTH][message->y++]; break;
    default: message->ready = mesh->now + mesh->step[SOUTH][message->y--]; break;
    }
}

static void enter_link(struct mesh *mesh, uint32_t at, uint32_t message)
{
    struct message *own = &mesh->messages[message];
    if (at < mesh->first_local)
        message_step(mesh, own, at % DIRECTIONS);
    else
        own->ready = mesh->now + mesh->local;
    if (mesh->nodes[at].length == 0)
        schedule(mesh, own->ready, at, at);
    node_append(mesh, &mesh->nodes[at], message);
}

/* Puts a message into an input, before those of the same instant and a higher number. */
static void input_insert(struct mesh *mesh, struct node *input, uint32_t message)
{
    struct message *messages = mesh->messages;
    uint32_t *link = &input->first;
    if (input->first == 0 || input->last - 1 < message ||
        messages[input->last - 1].ready < mesh->now) {
        node_append(mesh, input, message);
        return;
    }
    while (messages[*link - 1].ready < mesh->now || *link - 1 < message)
        link = &messages[*link - 1].next;
    messages[message].next = *link;
    *link = message + 1;
    input->length++;
}

static void enter_input(struct mesh *mesh, uint32_t at, uint32_t message)
{
    uint32_t core = at - mesh->first_input;
    struct node *input = &mesh->nodes[at];
    int64_t free_at = mesh->free_at[core];
    mesh->messages[message].ready = mesh->now;
    input_insert(mesh, input, message);
    uint32_t length = input->length + (free_at > mesh->now);
    if (length > mesh->longest_queue)
        mesh->longest_queue = length;
    if (!mesh->beginning[core]) {
        mesh->beginning[core] = true;
        schedule(mesh, free_at > mesh->now ? free_at : mesh->now, at, at);
    }
}

/* Moves the first message of `from` on to `to`, which has room; then into the room it leaves the
 * first message of the node that waited longest for it, and so on. */
static void message_move(struct mesh *mesh, uint32_t from, uint32_t to)
{
    for (;;) {
        struct node *node = &mesh->nodes[from];
        uint32_t message = node_take(mesh, node);
        mesh->held_up += mesh->now - mesh->messages[message].ready;
        if (from >= mesh->first_source) {
            if (node->first != 0)
                mesh->messages[node->first - 1].ready += mesh->now;
            else
                done_at(mesh, from - mesh->first_source,
                        mesh->now + mesh->trail[from - mesh->first_source]);
        }
        if (to < mesh->first_input)
            enter_link(mesh, to, message);
        else
            enter_input(mesh, to, message);
        if (node->first != 0)
            line_join(mesh, &mesh->look, &mesh->look_end, from);
        if (node->line == 0)
            return;
        to = from;
        from = line_leave(mesh, &node->line);
    }
}

/* Looks at the first message of a node: moves it on if it is ready and there is room. */
static void node_look(struct mesh *mesh, uint32_t at)
{
    const struct message *message = &mesh->messages[mesh->nodes[at].first - 1];
    if (message->ready > mesh->now) {
        schedule(mesh, message->ready, at, at);
        return;
    }
    uint32_t to = node_after(mesh, at, message);
    if (is_full(mesh, to))
        line_join(mesh, &mesh->nodes[to].line, &mesh->nodes[to].line_end, at);
    else
        message_move(mesh, at, to);
}

/* A core begins to handle the first message of its input. */
static void core_begin(struct mesh *mesh, uint32_t core)
{
    uint32_t at = mesh->first_input + core;
    struct node *input = &mesh->nodes[at];
    const struct message *message = &mesh->messages[node_take(mesh, input)];
    mesh->held_up += mesh->now - message->ready;
    mesh->free_at[core] = mesh->now + message->handling;
    done_at(mesh, core, mesh->free_at[core]);
    mesh->beginning[core] = input->first != 0;
    if (input->first != 0)
        schedule(mesh, mesh->free_at[core], at, at);
    if (input->line != 0)
        message_move(mesh, line_leave(mesh, &input->line), at);
}

static bool deliver_over_links(struct mesh *mesh)
{
    for (uint32_t i = 0; i < mesh->source_count; i++) {
        uint32_t at = mesh->first_source + mesh->sources[i];
        struct message *first = &mesh->messages[mesh->nodes[at].first - 1];
        first->ready += mesh->begin;
        schedule(mesh, first->ready, at, at);
    }
    struct event event;
    while (!mesh->short_of_memory && queue_pop(mesh->queue, &event)) {
        mesh->now = event.tick;
        if (event.payload >= mesh->first_input)
            core_begin(mesh, event.payload - mesh->first_input);
        else
            node_look(mesh, event.payload);
        while (mesh->look != 0)
            node_look(mesh, line_leave(mesh, &mesh->look));
    }
    return !mesh->short_of_memory && queue_length(mesh->queue) == 0;
}

/* ---- ticks in which nothing can be full ---- */

static int64_t way_of(const struct mesh *mesh, uint32_t from, uint32_t to)
{
    const struct site *a = &mesh->sites[from], *b = &mesh->sites[to];
    if (a->x == b->x && a->y == b->y)
        return mesh->local;
    int64_t borders = (int64_t)distance(a->chip_x, b->chip_x) + distance(a->chip_y, b->chip_y);
    return mesh->hop[a->x < b->x ? EAST : WEST] * distance(a->x, b->x) +
           mesh->hop[a->y < b->y ? NORTH : SOUTH] * distance(a->y, b->y) + mesh->link * borders;
}

/* Sends all that a core has to send, and files when each arrives. */
static void source_empty(struct mesh *mesh, uint32_t core)
{
    int64_t now = mesh->begin;
    struct node *source = &mesh->nodes[mesh->first_source + core];
    while (source->first != 0) {
        uint32_t number = node_take(mesh, source);
        struct message *message = &mesh->messages[number];
        now += message->ready;
        message->ready = now + way_of(mesh, core, message->destination);
        schedule(mesh, message->ready, 0, number);
    }
    done_at(mesh, core, now + mesh->trail[core]);
}

/* A message reaches its core. In the input stand those that are not handled to the end, `ready`
 * being when they will be. */
static void message_arrive(struct mesh *mesh, uint32_t number)
{
    struct message *message = &mesh->messages[number];
    uint32_t core = message->destination;
    struct node *input = &mesh->nodes[mesh->first_input + core];
    while (input->first != 0) {
        const struct message *first = &mesh->messages[input->first - 1];
        if (first->ready > mesh->now || first->ready - first->handling == mesh->now)
            break;
        node_take(mesh, input);
    }
    int64_t begin = mesh->free_at[core] > mesh->now ? mesh->free_at[core] : mesh->now;
    mesh->held_up += begin - mesh->now;
    message->ready = mesh->free_at[core] = begin + message->handling;
    done_at(mesh, core, message->ready);
    node_append(mesh, input, number);
    if (input->length > mesh->longest_queue)
        mesh->longest_queue = input->length;
}

static bool deliver_freely(struct mesh *mesh)
{
    for (uint32_t i = 0; i < mesh->source_count; i++)
        source_empty(mesh, mesh->sources[i]);
    struct event event;
    while (!mesh->short_of_memory && queue_pop(mesh->queue, &event)) {
        mesh->now = event.tick;
        message_arrive(mesh, event.payload);
    }
    for (size_t i = 0; i < mesh->message_count; i++)
        mesh->nodes[mesh->first_input + mesh->messages[i].destination] = (struct node){0};
    return !mesh->short_of_memory && queue_length(mesh->queue) == 0;
}

/* ---- a tick ---- */

bool mesh_reserve(struct mesh *mesh, double messages, struct error *error)
{
    if (messages <= (double)mesh->message_room)
        return true;
    struct message *more = NULL;
    if (messages < UINT32_MAX / 2)
        more = realloc(mesh->messages, 2 * (size_t)messages * sizeof *more);
    if (more == NULL)
        return error_no_memory(error, "the messages of a tick");
    mesh->messages = more;
    mesh->message_room = 2 * (size_t)messages;
    return true;
}

void mesh_send(struct mesh *mesh, uint32_t core, uint32_t destination, int64_t generating,
               int64_t handling)
{
    struct node *source = &mesh->nodes[mesh->first_source + core];
    const struct site *site = &mesh->sites[core];
    if (source->first == 0)
        mesh->sources[mesh->source_count++] = core;
    mesh->messages[mesh->message_count] = (struct message){.ready = generating,
                                                           .handling = handling,
                                                           .destination = destination,
                                                           .x = site->x,
                                                           .y = site->y};
    node_append(mesh, source, (uint32_t)mesh->message_count++);
}

void mesh_trail(struct mesh *mesh, uint32_t core, int64_t trail)
{
    mesh->trail[core] = trail;
    if (mesh->nodes[mesh->first_source + core].first == 0)
        done_at(mesh, core, mesh->begin + trail);
}

static void begin_tick(struct mesh *mesh)
{
    mesh->begin = mesh->end;
    mesh->end += mesh->rest;
    mesh->last_core = mesh->rest_core;
    mesh->held_up = 0;
    mesh->longest_queue = 0;
    mesh->message_count = 0;
    mesh->source_count = 0;
}

bool mesh_deliver(struct mesh *mesh, struct mesh_passage *passage, struct error *error)
{
    bool free_way = mesh->capacity == 0 || mesh->message_count <= mesh->capacity;
    if (!(free_way ? deliver_freely(mesh) : deliver_over_links(mesh)))
        return error_no_memory(error, "the queue of messages");
    *passage = (struct mesh_passage){.duration = mesh->end - mesh->begin,
                                     .last_core = mesh->last_core,
                                     .held_up = mesh->held_up,
                                     .longest_queue = mesh->longest_queue};
    if ((double)mesh->end > 2 * MESH_LIMIT) { /* before time runs out it begins anew */
        memset(mesh->free_at, 0, mesh->cores * sizeof *mesh->free_at);
        queue_clear(mesh->queue, 0);
        mesh->end = 0;
    }
    begin_tick(mesh);
    return true;
}

int64_t mesh_longest_way(const struct mesh *mesh)
{
    return mesh->longest_way;
}

/* ---- setting up ---- */

/* Takes over all durations, unless one is too long to be counted in picoseconds. */
static bool times_of(struct mesh *mesh, const struct setting *setting, struct error *error)
{
    const struct durations *durations = &setting->durations;
    double hop[DIRECTIONS] = {durations->east, durations->west, durations->north, durations->south};
    double rest = picoseconds(setting->rest[setting->slowest]);
    double tiles = (double)mesh->width + mesh->height, longest = durations->local;
    for (int direction = 0; direction < DIRECTIONS; direction++)
        longest += tiles * (hop[direction] + durations->link);
    if (!(rest + picoseconds(longest) < MESH_LIMIT))
        return error_set(error, ERROR_FAILED,
                         "the queue model cannot count a tick of more than 13 days; look at the "
                         "chip's figures of time");
    for (int direction = 0; direction < DIRECTIONS; direction++)
        mesh->hop[direction] = whole(picoseconds(hop[direction]));
    mesh->local = whole(picoseconds(durations->local));
    mesh->link = whole(picoseconds(durations->link));
    mesh->longest_way = whole(picoseconds(longest));
    mesh->rest = whole(rest);
    mesh->rest_core = setting->slowest;
    return true;
}

/* Times of the steps from each of `tiles` columns or rows; every `per_chip` there is a border. Up
 * leads to the next one, down to the one before. */
static bool steps_of(struct mesh *mesh, uint32_t tiles, uint32_t per_chip, int up, int down)
{
    mesh->step[up] = malloc(tiles * sizeof **mesh->step);
    mesh->step[down] = malloc(tiles * sizeof **mesh->step);
    if (mesh->step[up] == NULL || mesh->step[down] == NULL)
        return false;
    for (uint32_t i = 0; i < tiles; i++) {
        bool first = i % per_chip == 0, last = (i + 1) % per_chip == 0;
        mesh->step[up][i] = mesh->hop[up] + (last ? mesh->link : 0);
        mesh->step[down][i] = mesh->hop[down] + (first ? mesh->link : 0);
    }
    return true;
}

static bool nodes_of(struct mesh *mesh, const struct chip_mesh *grid)
{
    double links = (double)mesh->width * mesh->height * DIRECTIONS;
    if (links + 3.0 * mesh->cores > UINT32_MAX - 1)
        return false;
    mesh->first_local = mesh->width * mesh->height * DIRECTIONS;
    mesh->first_source = mesh->first_local + mesh->cores;
    mesh->first_input = mesh->first_source + mesh->cores;
    mesh->nodes = calloc((size_t)mesh->first_input + mesh->cores, sizeof *mesh->nodes);
    mesh->trail = calloc(mesh->cores, sizeof *mesh->trail);
    mesh->free_at = calloc(mesh->cores, sizeof *mesh->free_at);
    mesh->beginning = calloc(mesh->cores, sizeof *mesh->beginning);
    mesh->sources = calloc(mesh->cores, sizeof *mesh->sources);
    mesh->queue = queue_new(0);
    return mesh->nodes != NULL && mesh->trail != NULL && mesh->free_at != NULL &&
           mesh->beginning != NULL && mesh->sources != NULL && mesh->queue != NULL &&
           steps_of(mesh, mesh->width, grid->columns, EAST, WEST) &&
           steps_of(mesh, mesh->height, grid->rows, NORTH, SOUTH);
}

static bool mesh_fill(struct mesh *mesh, const struct setting *setting, struct error *error)
{
    const struct chip_mesh *grid = &setting->chip->mesh;
    uint64_t width = (uint64_t)setting->placement->side * grid->columns;
    uint64_t height = (uint64_t)setting->placement->side * grid->rows;
    if (width > UINT32_MAX || height > UINT32_MAX)
        return error_no_memory(error, "the links between cores");
    mesh->sites = setting->sites;
    mesh->cores = setting->placement->core_count;
    mesh->capacity = grid->link_buffer;
    mesh->width = (uint32_t)width;
    mesh->height = (uint32_t)height;
    if (!times_of(mesh, setting, error))
        return false;
    if (!nodes_of(mesh, grid))
        return error_no_memory(error, "the links between cores");
    begin_tick(mesh);
    return true;
}

struct mesh *mesh_new(const struct setting *setting, struct error *error)
{
    struct mesh *mesh = calloc(1, sizeof *mesh);
    if (mesh == NULL) {
        error_no_memory(error, "the links between cores");
        return NULL;
    }
    if (mesh_fill(mesh, setting, error))
        return mesh;
    mesh_free(mesh);
    return NULL;
}

void mesh_free(struct mesh *mesh)
{
    if (mesh == NULL)
        return;
    for (int direction = 0; direction < DIRECTIONS; direction++)
        free(mesh->step[direction]);
    queue_free(mesh->queue);
    free(mesh->nodes);
    free(mesh->trail);
    free(mesh->free_at);
    free(mesh->beginning);
    free(mesh->messages);
    free(mesh->sources);
    free(mesh);
}
