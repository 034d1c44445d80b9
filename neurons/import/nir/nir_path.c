/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Planning ways through a NIR graph.
 *
 * Linear nodes are looked at from the inputs on. Each is compared with all that lie before it on
 * its ways; if one of these cannot be in one projection with it, the nodes just before it stand as
 * populations, which ends the ways there.
 */
#include "neurons/import/nir/nir_path.h"

#include "neurons/import/utf8.h"

#include <stdlib.h>
#include <string.h>

enum { DEPTH_LIMIT = 1000, STEP_LIMIT = 1 << 22 };

#define NODE "%s: node '%.*s': "
#define NODE_SHOWN(plan, index)                                                                    \
    (plan)->graph->path, utf8_clip((plan)->graph->nodes[index].name),                              \
        (plan)->graph->nodes[index].name

/* -------------------------------------------------------------- loops and order */

/* Depth-first from `root`; what has been left is put at the front of the order. */
static void plan_search(struct nir_plan *plan, uint32_t root, uint8_t *colour, uint32_t *stack,
                        uint32_t *next, uint32_t *front)
{
    enum { UNSEEN, OPEN, LEFT };
    const struct nir_graph *graph = plan->graph;
    uint32_t height = 0;
    if (colour[root] != UNSEEN)
        return;
    colour[root] = OPEN;
    stack[height++] = root;
    while (height > 0) {
        uint32_t at = stack[height - 1];
        const struct nir_node *node = &graph->nodes[at];
        if (next[at] == node->out_count) {
            colour[at] = LEFT;
            plan->order[--*front] = at;
            height--;
            continue;
        }
        uint32_t edge = node->out[next[at]++], target = graph->edges[edge].target;
        plan->back[edge] = colour[target] == OPEN;
        if (colour[target] == UNSEEN) {
            colour[target] = OPEN;
            stack[height++] = target;
        }
    }
}

static bool plan_order(struct nir_plan *plan, struct error *error)
{
    const struct nir_graph *graph = plan->graph;
    uint32_t nodes = graph->node_count, front = nodes;
    uint8_t *colour = calloc((size_t)nodes + 1, sizeof *colour);
    uint32_t *stack = calloc((size_t)nodes + 1, sizeof *stack);
    uint32_t *next = calloc((size_t)nodes + 1, sizeof *next);
    bool made = colour != NULL && stack != NULL && next != NULL;
    /* the last input first, as each search goes before those already in the order */
    for (int rest = 0; made && rest < 2; rest++)
        for (uint32_t i = nodes; i-- > 0;)
            if (rest == 1 || graph->nodes[i].kind->role == NODE_INPUT)
                plan_search(plan, i, colour, stack, next, &front);
    free(colour);
    free(stack);
    free(next);
    return made || error_no_memory(error, "the order of a NIR file's nodes");
}

static bool node_passes(const struct nir_plan *plan, uint32_t index)
{
    enum node_role role = plan->graph->nodes[index].kind->role;
    return role == NODE_WIRE || role == NODE_LINEAR;
}

/* Puts wires and linear nodes in an order of their own, sources first, whatever closes a loop
 * through neurons; fails if they make a loop without any. */
static bool passive_order(const struct nir_plan *plan, uint32_t *order, uint32_t *count,
                          struct error *error)
{
    const struct nir_graph *graph = plan->graph;
    uint32_t *waits = calloc((size_t)graph->node_count + 1, sizeof *waits), passive = 0, done = 0;
    if (waits == NULL)
        return error_no_memory(error, "the order of a NIR file's nodes");
    *count = 0;
    for (uint32_t i = 0; i < graph->edge_count; i++)
        if (node_passes(plan, graph->edges[i].source))
            waits[graph->edges[i].target]++;
    for (uint32_t k = 0; k < graph->node_count; k++) {
        uint32_t i = plan->order[k];
        passive += node_passes(plan, i);
        if (node_passes(plan, i) && waits[i] == 0)
            order[(*count)++] = i;
    }
    while (done < *count) {
        const struct nir_node *node = &graph->nodes[order[done++]];
        for (uint32_t i = 0; i < node->out_count; i++) {
            uint32_t target = graph->edges[node->out[i]].target;
            if (--waits[target] == 0 && node_passes(plan, target))
                order[(*count)++] = target;
        }
    }
    uint32_t looped = 0;
    while (*count < passive && (!node_passes(plan, looped) || waits[looped] == 0))
        looped++;
    free(waits);
    return *count == passive
           || error_set(error, ERROR_FAILED, NODE "lies on a loop of edges, or after one, in which "
                        "there are no neurons; put some in", NODE_SHOWN(plan, looped));
}

/* ----------------------------------------------------------------- what goes together */

static bool node_has_weights(const struct nir_node *node)
{
    return node->kind->role == NODE_LINEAR && node->kind->type != TYPE_SCALE
           && node->kind->type != TYPE_DELAY;
}

static bool node_delays_each(const struct nir_node *node)
{
    return node->kind->type == TYPE_DELAY && node->parameter[DELAY].count > 1;
}

bool nir_delay_is_none(const struct nir_plan *plan, const struct nir_node *node)
{
    return node->parameter[DELAY].count == 1 && node->parameter[DELAY].values[0] < plan->dt / 2;
}

static bool node_has_bias(const struct nir_node *node)
{
    return node_has_weights(node) && node->kind->type != TYPE_LINEAR
           && node->kind->parameter[BIAS].name != NULL
           && strcmp(node->kind->parameter[BIAS].name, "bias") == 0
           && node->parameter[BIAS].values != NULL;
}

/* Whether a scale can be taken into weights that lie after it, or before it (`outward`). */
static bool scale_fits(const struct nir_node *scale, const struct nir_node *weights,
                       const struct node_shapes *shapes, bool outward)
{
    const struct nir_array *array = &scale->parameter[SCALE];
    enum node_type type = weights->kind->type;
    if (array->count == 1 || type == TYPE_AFFINE || type == TYPE_LINEAR)
        return true;
    if (type != TYPE_CONV1D && type != TYPE_CONV2D)
        return false;
    const struct convolution_shape *window = &shapes->window;
    uint64_t area = outward ? (uint64_t)window->out_height * window->out_width
                            : (uint64_t)window->in_height * window->in_width;
    for (uint64_t i = 0; i < array->count; i++)
        if (memcmp(&array->values[i], &array->values[i - i % area], sizeof array->values[i]) != 0)
            return false;
    return true;
}

/* Whether two linear nodes can be in one projection. */
static bool pair_fits(const struct nir_plan *plan, uint32_t before, uint32_t after)
{
    const struct nir_node *one = &plan->graph->nodes[before], *two = &plan->graph->nodes[after];
    bool one_weighs = node_has_weights(one), two_weighs = node_has_weights(two);
    bool one_delays = node_delays_each(one), two_delays = node_delays_each(two);
    if ((one_weighs || one_delays) && (two_weighs || two_delays))
        return false;
    if (two->kind->type == TYPE_DELAY && node_has_bias(one) && !nir_delay_is_none(plan, two))
        return false; /* the bias would be late, the drive is not */
    if (one->kind->type == TYPE_SCALE && two_weighs)
        return scale_fits(one, two, &plan->shapes[after], false);
    if (two->kind->type == TYPE_SCALE && one_weighs)
        return scale_fits(two, one, &plan->shapes[before], true);
    return true;
}

static bool step_take(struct nir_plan *plan, uint32_t index, uint32_t depth, struct error *error)
{
    if (depth > DEPTH_LIMIT || plan->steps == 0)
        return error_set(error, ERROR_FAILED, NODE "there are too many nodes, or ways between "
                         "them, without neurons before it", NODE_SHOWN(plan, index));
    plan->steps--;
    return true;
}

/* Whether `after` fits with all that lie before `at` on the way, and how many in a row there
 * are. */
static bool ways_fit(struct nir_plan *plan, uint32_t after, uint32_t at, uint32_t depth,
                     uint32_t linear, bool *fit, struct error *error)
{
    const struct nir_node *node = &plan->graph->nodes[at];
    for (uint32_t i = 0; *fit && i < node->in_count; i++) {
        uint32_t source = plan->graph->edges[node->in[i]].source;
        if (!step_take(plan, after, depth, error))
            return false;
        if (!node_passes(plan, source) || plan->stands[source])
            continue;
        bool is_linear = plan->graph->nodes[source].kind->role == NODE_LINEAR;
        *fit = !is_linear || (linear + 1 < PATH_LINEAR && pair_fits(plan, source, after));
        if (*fit && !ways_fit(plan, after, source, depth + 1, linear + is_linear, fit, error))
            return false;
    }
    return true;
}

/* Lets the linear nodes that lead to `at` stand. */
static bool ways_part(struct nir_plan *plan, uint32_t at, uint32_t depth, struct error *error)
{
    const struct nir_node *node = &plan->graph->nodes[at];
    for (uint32_t i = 0; i < node->in_count; i++) {
        uint32_t source = plan->graph->edges[node->in[i]].source;
        if (!step_take(plan, at, depth, error))
            return false;
        if (plan->graph->nodes[source].kind->role == NODE_LINEAR)
            plan->stands[source] = true;
        else if (node_passes(plan, source) && !ways_part(plan, source, depth + 1, error))
            return false;
    }
    return true;
}

/* Whether all that leads to `at` puts out spikes. */
static bool sources_spike(struct nir_plan *plan, uint32_t at, uint32_t depth, bool *spike,
                          struct error *error)
{
    const struct nir_node *node = &plan->graph->nodes[at];
    for (uint32_t i = 0; *spike && i < node->in_count; i++) {
        uint32_t source = plan->graph->edges[node->in[i]].source;
        const struct nir_node *from = &plan->graph->nodes[source];
        if (!step_take(plan, at, depth, error))
            return false;
        if (from->kind->role == NODE_WIRE) {
            if (!sources_spike(plan, source, depth + 1, spike, error))
                return false;
        } else {
            *spike = from->kind->spikes || plan->graded[source];
        }
    }
    return true;
}

static bool plan_part(struct nir_plan *plan, const uint32_t *order, uint32_t count,
                      struct error *error)
{
    const struct nir_graph *graph = plan->graph;
    bool *read_out = calloc((size_t)graph->node_count + 1, sizeof *read_out);
    if (read_out == NULL)
        return error_no_memory(error, "the order of a NIR file's nodes");
    for (uint32_t i = 0; i < graph->node_count; i++)
        plan->stands[i] = graph->nodes[i].kind->role == NODE_INPUT
                          || graph->nodes[i].kind->role == NODE_NEURONS;
    bool parted = true;
    for (uint32_t i = 0; parted && i < graph->node_count; i++)
        if (graph->nodes[i].kind->role == NODE_OUTPUT)
            parted = ways_part(plan, i, 0, error);
    for (uint32_t i = 0; i < graph->node_count; i++)
        read_out[i] = graph->nodes[i].kind->role == NODE_LINEAR && plan->stands[i];
    for (uint32_t k = 0; parted && k < count; k++) {
        bool fit = true;
        if (graph->nodes[order[k]].kind->role != NODE_LINEAR)
            continue;
        parted = ways_fit(plan, order[k], order[k], 0, 1, &fit, error)
                 && (fit || ways_part(plan, order[k], 0, error));
    }
    for (uint32_t k = 0; parted && k < count; k++) {
        const struct nir_node *node = &graph->nodes[order[k]];
        bool pool = node->kind->type == TYPE_SUM_POOL || node->kind->type == TYPE_AVERAGE_POOL;
        bool counts = node->in_count > 0 && (pool || node_delays_each(node))
                      && plan->stands[order[k]]
                      && !(read_out[order[k]] && node->kind->type == TYPE_AVERAGE_POOL);
        if (counts)
            parted = sources_spike(plan, order[k], 0, &counts, error);
        plan->graded[order[k]] = counts;
    }
    free(read_out);
    return parted;
}

/* ---------------------------------------------------------------------- the public */

bool nir_plan_make(struct nir_plan *plan, struct nir_graph *graph, struct node_shapes *shapes,
                   double dt, struct error *error)
{
    size_t nodes = (size_t)graph->node_count + 1, edges = (size_t)graph->edge_count + 1;
    *plan = (struct nir_plan){.graph = graph, .shapes = shapes, .dt = dt, .steps = STEP_LIMIT};
    plan->stands = calloc(nodes, sizeof *plan->stands);
    plan->graded = calloc(nodes, sizeof *plan->graded);
    plan->back = calloc(edges, sizeof *plan->back);
    plan->order = calloc(nodes, sizeof *plan->order);
    uint32_t *order = calloc(nodes, sizeof *order), count = 0;
    bool made = order != NULL && plan->stands != NULL && plan->graded != NULL && plan->back != NULL
                && plan->order != NULL;
    if (!made)
        error_no_memory(error, "the order of a NIR file's nodes");
    made = made && plan_order(plan, error) && passive_order(plan, order, &count, error)
           && plan_part(plan, order, count, error);
    free(order);
    return made;
}

void nir_plan_free(struct nir_plan *plan)
{
    free(plan->stands);
    free(plan->graded);
    free(plan->back);
    free(plan->order);
    memset(plan, 0, sizeof *plan);
}

/* Walks what leads to `at`, which the path has come to; leaves the path as it was. */
static bool path_walk(struct nir_plan *plan, struct nir_path *path, uint32_t at,
                      const struct nir_walker *walker, struct error *error)
{
    const struct nir_node *node = &plan->graph->nodes[at];
    bool back = path->back, walked = true;
    path->depth++;
    for (uint32_t i = 0; walked && i < node->in_count; i++) {
        uint32_t edge = node->in[i], source = plan->graph->edges[edge].source;
        path->back = back || plan->back[edge];
        walked = step_take(plan, path->target, path->depth, error);
        if (!walked)
            break;
        if (plan->stands[source]) {
            walked = walker->way(walker->self, path, source, error);
        } else if (plan->graph->nodes[source].kind->role == NODE_LINEAR) {
            path->linear[path->length++] = source;
            walked = (!node_has_bias(&plan->graph->nodes[source])
                      || walker->bias(walker->self, path, error))
                     && path_walk(plan, path, source, walker, error);
            path->length--;
        } else {
            walked = path_walk(plan, path, source, walker, error);
        }
    }
    path->back = back;
    path->depth--;
    return walked;
}

bool nir_plan_walk(struct nir_plan *plan, uint32_t target, const struct nir_walker *walker,
                   struct error *error)
{
    struct nir_path path = {.target = target};
    const struct nir_node *node = &plan->graph->nodes[target];
    if (node->kind->role == NODE_LINEAR) { /* its own weights are on all ways to it */
        path.linear[path.length++] = target;
        if (node_has_bias(node) && !walker->bias(walker->self, &path, error))
            return false;
    }
    return path_walk(plan, &path, target, walker, error);
}
