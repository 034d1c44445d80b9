/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reading a NIR file's graph.
 *
 *     /node/type            "NIRGraph"
 *     /node/nodes/<name>/   type, and one dataset for each parameter
 *     /node/edges           [edges][2] names
 *
 * A node that is itself a NIRGraph has nodes and edges of its own. Those are read in the
 * place of it, names joined by dots, and an edge to or from it goes to its Input or from its
 * Output.
 */
#define _GNU_SOURCE 1
#include "neurons/import/nir/nir_graph.h"

#include "neurons/import/utf8.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_LIMIT = 16, NODE_LIMIT = 1 << 17, EDGE_LIMIT = 1 << 20 };

#define TAU_CUBA {"tau_syn", MUST_POSITIVE}, {"tau_mem", MUST_POSITIVE}

static const struct node_kind kinds[] = {
    {"Input", TYPE_INPUT, NODE_INPUT, NULL, false, {{"shape", MUST_FINITE}}},
    {"Output", TYPE_OUTPUT, NODE_OUTPUT, NULL, false, {{"shape", MAY_SHAPE}}},
    {"Affine", TYPE_AFFINE, NODE_LINEAR, NULL, false,
     {{"weight", MUST_FINITE}, {"bias", MAY_FINITE}}},
    {"Linear", TYPE_LINEAR, NODE_LINEAR, NULL, false, {{"weight", MUST_FINITE}}},
    {"Scale", TYPE_SCALE, NODE_LINEAR, NULL, false, {{"scale", MUST_FINITE}}},
    {"Conv1d", TYPE_CONV1D, NODE_LINEAR, NULL, false,
     {{"weight", MUST_FINITE}, {"bias", MAY_FINITE}, {"input_shape", MAY_SHAPE},
      {"stride", MAY_FINITE}, {"padding", MAY_FINITE}, {"dilation", MAY_FINITE},
      {"groups", MAY_FINITE}}},
    {"Conv2d", TYPE_CONV2D, NODE_LINEAR, NULL, false,
     {{"weight", MUST_FINITE}, {"bias", MAY_FINITE}, {"input_shape", MAY_SHAPE},
      {"stride", MAY_FINITE}, {"padding", MAY_FINITE}, {"dilation", MAY_FINITE},
      {"groups", MAY_FINITE}}},
    {"SumPool2d", TYPE_SUM_POOL, NODE_LINEAR, NULL, false,
     {{"kernel_size", MUST_FINITE}, {"stride", MAY_FINITE}, {"padding", MAY_FINITE}}},
    {"AvgPool2d", TYPE_AVERAGE_POOL, NODE_LINEAR, NULL, false,
     {{"kernel_size", MUST_FINITE}, {"stride", MAY_FINITE}, {"padding", MAY_FINITE}}},
    {"Flatten", TYPE_FLATTEN, NODE_WIRE, NULL, false, {{NULL, MAY_FINITE}}},
    {"Delay", TYPE_DELAY, NODE_LINEAR, NULL, false, {{"delay", MUST_FINITE}}},
    {"Threshold", TYPE_THRESHOLD, NODE_NEURONS, "threshold", true, {{"threshold", MUST_FINITE}}},
    {"I", TYPE_I, NODE_NEURONS, "integrator", false, {{"r", MUST_FINITE}}},
    {"IF", TYPE_IF, NODE_NEURONS, "if", true,
     {{"r", MUST_FINITE}, {"v_threshold", MUST_FINITE}, {"v_reset", MAY_FINITE}}},
    {"LI", TYPE_LI, NODE_NEURONS, "li", false,
     {{"tau", MUST_POSITIVE}, {"r", MUST_FINITE}, {"v_leak", MUST_FINITE}}},
    {"LIF", TYPE_LIF, NODE_NEURONS, "lif", true,
     {{"tau", MUST_POSITIVE}, {"r", MUST_FINITE}, {"v_leak", MUST_FINITE},
      {"v_threshold", MUST_FINITE}, {"v_reset", MAY_FINITE}}},
    {"CubaLI", TYPE_CUBA_LI, NODE_NEURONS, "cuba_li", false,
     {TAU_CUBA, {"r", MUST_FINITE}, {"v_leak", MUST_FINITE}, {"w_in", MAY_FINITE}}},
    {"CubaLIF", TYPE_CUBA_LIF, NODE_NEURONS, "cuba_lif", true,
     {TAU_CUBA, {"r", MUST_FINITE}, {"v_leak", MUST_FINITE}, {"v_threshold", MUST_FINITE},
      {"v_reset", MAY_FINITE}, {"w_in", MAY_FINITE}}},
};

static const struct node_kind wire = {"NIRGraph", TYPE_WIRE, NODE_WIRE, NULL, false,
                                      {{NULL, MAY_FINITE}}};

#define NODE "%s: node '%.*s': "
#define NODE_SHOWN(graph, name) (graph)->path, utf8_clip(name), (name)

/* ------------------------------------------------------------------------ nodes */

/* A node that is a graph, and the wires that stand for it; NULL where it has none. */
struct inner {
    char *name, *input, *output;
};

/* A reader on its way through the file. */
struct reader {
    struct nir_graph *graph;
    struct nir_file *file;
    struct error *error;
    uint32_t room_nodes, room_edges;
    char **edge_names;       /* [2 × edge_count], full names, until all nodes are known */
    struct inner *inners;    /* [inner_count], sorted by name once all are known */
    uint32_t inner_count, room_inner;
};

static bool no_memory(const struct reader *reader)
{
    return error_no_memory(reader->error, "the graph of a NIR file");
}

static bool numbers_check(const struct reader *reader, const char *node, const char *parameter,
                          enum parameter_rule rule, const struct nir_array *array)
{
    for (uint64_t i = 0; i < array->count; i++) {
        double value = array->values[i];
        if (!isfinite(value))
            return error_set(reader->error, ERROR_FAILED, NODE "%s[%" PRIu64 "] is %s; the network "
                             "was written with a number that training lost", NODE_SHOWN(
                             reader->graph, node), parameter, i, isnan(value) ? "not a number"
                             : "infinite");
        if (rule == MUST_POSITIVE && !(value > 0))
            return error_set(reader->error, ERROR_FAILED, NODE "%s[%" PRIu64 "] is %g, but a time "
                             "constant must be more than 0 s", NODE_SHOWN(reader->graph, node),
                             parameter, i, value);
    }
    return true;
}

/* "same" or "valid". */
static bool padding_read(struct reader *reader, hid_t group, struct nir_node *node)
{
    char **text;
    size_t count;
    if (!nir_file_strings(reader->file, group, node->name, "padding", 1, &text, &count,
                          reader->error))
        return false;
    bool same = strcmp(text[0], "same") == 0, valid = strcmp(text[0], "valid") == 0;
    node->padding = same ? PADDING_SAME : valid ? PADDING_VALID : PADDING_NUMBERS;
    if (!same && !valid)
        error_set(reader->error, ERROR_FAILED, NODE "padding '%.*s' is not known; it may be "
                  "'same', 'valid' or numbers", NODE_SHOWN(reader->graph, node->name),
                  utf8_clip(text[0]), text[0]);
    nir_file_free_names(text, count);
    return same || valid;
}

/* A shape that a writer did not know may be text ("null") or not be numbers. */
static bool shape_drop(hid_t group, const char *name, struct nir_array *array)
{
    bool drop = nir_file_is_text(group, name);
    for (uint64_t i = 0; i < array->count; i++)
        drop = drop || !isfinite(array->values[i]);
    if (drop) {
        free(array->values);
        memset(array, 0, sizeof *array);
    }
    return drop;
}

static bool parameter_read(struct reader *reader, hid_t group, struct nir_node *node, int p)
{
    const char *name = node->kind->parameter[p].name;
    enum parameter_rule rule = node->kind->parameter[p].rule;
    struct nir_array *array = &node->parameter[p];
    enum nir_kind kind = nir_file_kind(group, name);
    if (rule >= MAY_FINITE && kind == NIR_ABSENT)
        return true;
    if (strcmp(name, "padding") == 0 && nir_file_is_text(group, name))
        return padding_read(reader, group, node);
    if (rule == MAY_SHAPE && (kind != NIR_DATASET || shape_drop(group, name, array)))
        return true;
    char *place;
    if (asprintf(&place, "node '%.*s'", utf8_clip(node->name), node->name) < 0)
        return no_memory(reader);
    bool read = nir_file_numbers(reader->file, group, place, name, array, reader->error);
    free(place);
    if (read && rule == MAY_SHAPE && shape_drop(group, name, array))
        return true;
    return read && numbers_check(reader, node->name, name, rule, array);
}

/* Makes room for one more: a list of `count` elements, `room` of which fit. */
static bool list_reserve(void *list, uint32_t count, uint32_t *room, size_t element)
{
    if (count < *room)
        return true;
    uint32_t more = *room == 0 ? 16 : 2 * *room;
    void **at = list;
    void *larger = reallocarray(*at, more, element);
    if (larger == NULL)
        return false;
    *at = larger;
    *room = more;
    return true;
}

/* Takes `name`, also when it fails. */
static struct nir_node *node_add(struct reader *reader, char *name, const struct node_kind *kind)
{
    struct nir_graph *graph = reader->graph;
    if (name == NULL || !list_reserve(&graph->nodes, graph->node_count, &reader->room_nodes,
                                      sizeof *graph->nodes)) {
        free(name);
        no_memory(reader);
        return NULL;
    }
    struct nir_node *node = &graph->nodes[graph->node_count++];
    memset(node, 0, sizeof *node);
    node->name = name;
    node->kind = kind;
    if (graph->node_count <= NODE_LIMIT)
        return node;
    error_set(reader->error, ERROR_FAILED, "%s: holds more than %d nodes; no network that can be "
              "run has so many", graph->path, NODE_LIMIT);
    return NULL;
}

/* "outer.inner", or a copy of `inner`. */
static char *name_join(const char *outer, const char *inner)
{
    char *name;
    if (outer[0] == '\0')
        return strdup(inner);
    return asprintf(&name, "%s.%s", outer, inner) < 0 ? NULL : name;
}

/* ------------------------------------------------------------------------ graphs */

static bool edges_read(struct reader *reader, hid_t group, const char *name)
{
    struct nir_graph *graph = reader->graph;
    char **names, *place;
    size_t count;
    if (asprintf(&place, "graph '%.*s'", utf8_clip(name), name) < 0)
        return no_memory(reader);
    bool read = nir_file_strings(reader->file, group, name[0] == '\0' ? "/node" : place, "edges", 2,
                                 &names, &count, reader->error);
    free(place);
    if (!read)
        return false;
    bool added = true;
    for (size_t i = 0; added && i + 1 < count; i += 2) {
        if (graph->edge_count == EDGE_LIMIT)
            added = error_set(reader->error, ERROR_FAILED, "%s: holds more than %d edges; no "
                              "network that can be run has so many", graph->path, EDGE_LIMIT);
        else if (!list_reserve(&reader->edge_names, graph->edge_count, &reader->room_edges,
                               2 * sizeof *reader->edge_names))
            added = no_memory(reader);
        else {
            char **ends = reader->edge_names + 2 * (size_t)graph->edge_count++;
            ends[0] = name_join(name, names[i]);
            ends[1] = name_join(name, names[i + 1]);
            added = (ends[0] != NULL && ends[1] != NULL) || no_memory(reader);
        }
    }
    nir_file_free_names(names, count);
    return added;
}

static bool graph_read(struct reader *reader, hid_t group, const char *name, uint32_t depth);

/* The one node among those added since `first` that is of `type` and stands at `depth`, as a
 * wire. */
static bool wire_find(struct reader *reader, uint32_t first, const char *name, uint32_t depth,
                      enum node_type type, char **found)
{
    const struct nir_graph *graph = reader->graph;
    for (uint32_t i = first; i < graph->node_count; i++) {
        struct nir_node *node = &graph->nodes[i];
        if (node->kind->type != type || node->depth != depth)
            continue;
        node->kind = &wire;
        if (*found != NULL)
            return error_set(reader->error, ERROR_FAILED, NODE "is a graph with several %s nodes, "
                             "so an edge cannot say which is meant; give it one", NODE_SHOWN(graph,
                             name), type == TYPE_INPUT ? "Input" : "Output");
        *found = strdup(node->name);
        if (*found == NULL)
            return no_memory(reader);
    }
    return true;
}

/* A node that is a graph: its nodes in the place of it. Takes `name`, also when it fails. */
static bool inner_read(struct reader *reader, hid_t group, char *name, uint32_t depth)
{
    uint32_t first = reader->graph->node_count, at = reader->inner_count;
    if (!list_reserve(&reader->inners, at, &reader->room_inner, sizeof *reader->inners)) {
        free(name);
        return no_memory(reader);
    }
    reader->inners[at] = (struct inner){.name = name};
    if (++reader->inner_count > NODE_LIMIT)
        return error_set(reader->error, ERROR_FAILED, "%s: holds more than %d graphs",
                         reader->graph->path, NODE_LIMIT);
    char *input = NULL, *output = NULL;
    bool read = graph_read(reader, group, name, depth + 1)
                && wire_find(reader, first, name, depth + 1, TYPE_INPUT, &input)
                && wire_find(reader, first, name, depth + 1, TYPE_OUTPUT, &output);
    reader->inners[at].input = input;
    reader->inners[at].output = output;
    return read;
}

/* Takes `name`, also when it fails. */
static bool node_read(struct reader *reader, hid_t group, char *name, uint32_t depth)
{
    char **type;
    size_t count;
    if (!nir_file_strings(reader->file, group, name, "type", 1, &type, &count, reader->error)) {
        free(name);
        return false;
    }
    bool graph = strcmp(type[0], "NIRGraph") == 0;
    const struct node_kind *kind = NULL;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(type[0], kinds[i].name) == 0)
            kind = &kinds[i];
    if (kind == NULL && !graph)
        error_set(reader->error, ERROR_FAILED, NODE "type '%.*s' is not known; export the network "
                  "with nodes of the NIR specification", NODE_SHOWN(reader->graph, name),
                  utf8_clip(type[0]), type[0]);
    nir_file_free_names(type, count);
    if (graph)
        return inner_read(reader, group, name, depth);
    if (kind == NULL) {
        free(name);
        return false;
    }
    struct nir_node *node = node_add(reader, name, kind);
    if (node != NULL)
        node->depth = depth;
    for (int p = 0; node != NULL && kind->parameter[p].name != NULL; p++)
        if (!parameter_read(reader, group, node, p))
            return false;
    return node != NULL;
}

/* The graph in `group`; `name` is its full name, "" for the outermost. */
static bool graph_read(struct reader *reader, hid_t group, const char *name, uint32_t depth)
{
    if (depth > DEPTH_LIMIT)
        return error_set(reader->error, ERROR_FAILED, NODE "graphs lie in one another more than %d "
                         "deep, maybe in a loop", NODE_SHOWN(reader->graph, name), DEPTH_LIMIT);
    const char *place = name[0] == '\0' ? "/node" : name;
    if (!edges_read(reader, group, name))
        return false;
    hid_t nodes = nir_file_group(reader->file, group, place, "nodes", reader->error);
    if (nodes < 0)
        return false;
    char **names = NULL;
    size_t count = 0;
    bool read = nir_file_names(reader->file, nodes, place, NODE_LIMIT, &names, &count,
                               reader->error);
    for (size_t i = 0; read && i < count; i++) {
        hid_t node = nir_file_group(reader->file, nodes, place, names[i], reader->error);
        char *full = node < 0 ? NULL : name_join(name, names[i]);
        if (node < 0)
            read = false;
        else if (full == NULL)
            read = no_memory(reader);
        else if (strlen(full) > NIR_NAME_LIMIT) {
            read = error_set(reader->error, ERROR_FAILED, NODE "the name is too long",
                             NODE_SHOWN(reader->graph, full));
            free(full);
        } else
            read = node_read(reader, node, full, depth);
        if (node >= 0)
            H5Gclose(node);
    }
    nir_file_free_names(names, count);
    H5Gclose(nodes);
    return read;
}

/* ------------------------------------------------------------------- names and edges */

static int order_compare(const void *left, const void *right, void *data)
{
    const struct nir_node *nodes = data;
    return strcmp(nodes[*(const uint32_t *)left].name, nodes[*(const uint32_t *)right].name);
}

static bool order_make(struct reader *reader)
{
    struct nir_graph *graph = reader->graph;
    graph->order = malloc(((size_t)graph->node_count + 1) * sizeof *graph->order);
    if (graph->order == NULL)
        return no_memory(reader);
    for (uint32_t i = 0; i < graph->node_count; i++)
        graph->order[i] = i;
    qsort_r(graph->order, graph->node_count, sizeof *graph->order, order_compare, graph->nodes);
    for (uint32_t i = 1; i < graph->node_count; i++) {
        const char *name = graph->nodes[graph->order[i]].name;
        if (strcmp(name, graph->nodes[graph->order[i - 1]].name) == 0)
            return error_set(reader->error, ERROR_FAILED, NODE "is there twice, once in an inner "
                             "graph; rename one", NODE_SHOWN(graph, name));
    }
    return true;
}

int64_t nir_graph_find(const struct nir_graph *graph, const char *name)
{
    uint32_t low = 0, high = graph->node_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int side = strcmp(name, graph->nodes[graph->order[middle]].name);
        if (side == 0)
            return graph->order[middle];
        if (side < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return -1;
}

static int inner_compare(const void *left, const void *right)
{
    return strcmp(((const struct inner *)left)->name, ((const struct inner *)right)->name);
}

/* The node that an edge's end means: one of that name, or a wire of the graph of that name. */
static int64_t end_find(const struct reader *reader, char *name, bool source)
{
    int64_t found = nir_graph_find(reader->graph, name);
    if (found >= 0 || reader->inner_count == 0)
        return found;
    struct inner wanted = {.name = name};
    const struct inner *inner = bsearch(&wanted, reader->inners, reader->inner_count, sizeof *inner,
                                        inner_compare);
    const char *end = inner == NULL ? NULL : source ? inner->output : inner->input;
    return end == NULL ? -1 : nir_graph_find(reader->graph, end);
}

static int edge_compare(const void *left, const void *right, void *data)
{
    const struct nir_edge *edges = data;
    uint32_t i = *(const uint32_t *)left, j = *(const uint32_t *)right;
    if (edges[i].source != edges[j].source)
        return edges[i].source < edges[j].source ? -1 : 1;
    if (edges[i].target != edges[j].target)
        return edges[i].target < edges[j].target ? -1 : 1;
    return i < j ? -1 : i > j;
}

static bool edges_check(struct reader *reader)
{
    struct nir_graph *graph = reader->graph;
    uint32_t *sorted = malloc(((size_t)graph->edge_count + 1) * sizeof *sorted);
    if (sorted == NULL)
        return no_memory(reader);
    for (uint32_t i = 0; i < graph->edge_count; i++)
        sorted[i] = i;
    qsort_r(sorted, graph->edge_count, sizeof *sorted, edge_compare, graph->edges);
    bool differ = true;
    for (uint32_t i = 1; differ && i < graph->edge_count; i++) {
        const struct nir_edge *one = &graph->edges[sorted[i - 1]], *two = &graph->edges[sorted[i]];
        const char *source = graph->nodes[one->source].name;
        const char *target = graph->nodes[one->target].name;
        if (one->source == two->source && one->target == two->target)
            differ = error_set(reader->error, ERROR_FAILED, NODE "the edge to '%.*s' is there "
                               "twice; leave one out, or double the weights",
                               NODE_SHOWN(graph, source),
                               utf8_clip(target), target);
    }
    free(sorted);
    return differ;
}

static bool edges_resolve(struct reader *reader)
{
    struct nir_graph *graph = reader->graph;
    graph->edges = malloc(((size_t)graph->edge_count + 1) * sizeof *graph->edges);
    if (graph->edges == NULL)
        return no_memory(reader);
    if (reader->inner_count > 0)
        qsort(reader->inners, reader->inner_count, sizeof *reader->inners, inner_compare);
    for (uint32_t i = 0; i < graph->edge_count; i++) {
        char *from = reader->edge_names[2 * (size_t)i], *to = reader->edge_names[2 * (size_t)i + 1];
        int64_t source = end_find(reader, from, true), target = end_find(reader, to, false);
        const char *missing = source < 0 ? from : to;
        if (source < 0 || target < 0)
            return error_set(reader->error, ERROR_FAILED, "%s: the edge from '%.*s' to '%.*s' "
                             "names '%.*s', which is not there; export the network again",
                             graph->path,
                             utf8_clip(from), from, utf8_clip(to), to, utf8_clip(missing), missing);
        graph->edges[i] = (struct nir_edge){(uint32_t)source, (uint32_t)target};
    }
    return edges_check(reader);
}

/* Gives every node the lists of its edges. */
static bool edges_list(struct reader *reader)
{
    struct nir_graph *graph = reader->graph;
    for (uint32_t i = 0; i < graph->edge_count; i++) {
        graph->nodes[graph->edges[i].source].out_count++;
        graph->nodes[graph->edges[i].target].in_count++;
    }
    for (uint32_t i = 0; i < graph->node_count; i++) {
        struct nir_node *node = &graph->nodes[i];
        node->in = malloc(((size_t)node->in_count + 1) * sizeof *node->in);
        node->out = malloc(((size_t)node->out_count + 1) * sizeof *node->out);
        if (node->in == NULL || node->out == NULL)
            return no_memory(reader);
        node->in_count = node->out_count = 0;
    }
    for (uint32_t i = 0; i < graph->edge_count; i++) {
        struct nir_node *source = &graph->nodes[graph->edges[i].source];
        struct nir_node *target = &graph->nodes[graph->edges[i].target];
        source->out[source->out_count++] = i;
        target->in[target->in_count++] = i;
    }
    return true;
}

static bool outermost_read(struct reader *reader)
{
    struct nir_file *file = reader->file;
    hid_t group = nir_file_group(file, file->file, "/", "node", reader->error);
    if (group < 0)
        return false;
    char **type = NULL;
    size_t count = 0;
    bool read = nir_file_strings(file, group, "/node", "type", 1, &type, &count, reader->error);
    if (read && strcmp(type[0], "NIRGraph") != 0)
        read = error_set(reader->error, ERROR_FAILED, "%s: /node is of type '%.*s', not NIRGraph; "
                         "write the node as a graph with an Input and an Output", file->path,
                         utf8_clip(type[0]), type[0]);
    if (type != NULL)
        nir_file_free_names(type, count);
    read = read && graph_read(reader, group, "", 1);
    H5Gclose(group);
    return read;
}

bool nir_graph_read(struct nir_graph *graph, struct nir_file *file, struct error *error)
{
    struct reader reader = {.graph = graph, .file = file, .error = error};
    memset(graph, 0, sizeof *graph);
    graph->path = file->path;
    bool read = outermost_read(&reader) && order_make(&reader) && edges_resolve(&reader)
                && edges_list(&reader);
    for (size_t i = 0; reader.edge_names != NULL && i < 2 * (size_t)graph->edge_count; i++)
        free(reader.edge_names[i]);
    for (uint32_t i = 0; i < reader.inner_count; i++) {
        free(reader.inners[i].name);
        free(reader.inners[i].input);
        free(reader.inners[i].output);
    }
    free(reader.edge_names);
    free(reader.inners);
    return read;
}

void nir_graph_free(struct nir_graph *graph)
{
    for (uint32_t i = 0; i < graph->node_count; i++) {
        struct nir_node *node = &graph->nodes[i];
        for (int p = 0; p < NODE_PARAMETERS; p++)
            free(node->parameter[p].values);
        free(node->name);
        free(node->in);
        free(node->out);
    }
    free(graph->nodes);
    free(graph->edges);
    free(graph->order);
    memset(graph, 0, sizeof *graph);
}
