/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reading the projections of a native document. "rule" says who is connected to whom, "weight" (or
 * "codes", for integers as they are held) how strongly, "delay" how late.
 *
 * One-to-one is read as a LINK_DIAGONAL wherever that can hold it: with one weight for all or one
 * each, of whole populations. With drawn values or ranges of neurons it is a LINK_RULE.
 */
#include "neurons/import/native/native_links.h"

#include "neurons/import/utf8.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double synapse_limit = 0x1p40;

enum rule_form { FORM_RULE, FORM_ONE, FORM_LIST, FORM_DENSE, FORM_CONVOLUTION, FORM_POOLING };

/* In the order of enum connection_rule, then the rest. */
static const struct rule {
    const char *name;
    enum rule_form form;
    bool plain;  /* may be just its name */
    bool degree; /* takes "multiple" */
    bool itself; /* takes "self" */
} rules[] = {
    [CONNECT_ALL_TO_ALL] = {"all_to_all", FORM_RULE, true, false, true},
    [CONNECT_ONE_TO_ONE] = {"one_to_one", FORM_ONE, true, false, false},
    [CONNECT_FIXED_IN_DEGREE] = {"fixed_in_degree", FORM_RULE, false, true, true},
    [CONNECT_FIXED_OUT_DEGREE] = {"fixed_out_degree", FORM_RULE, false, true, true},
    [CONNECT_FIXED_TOTAL] = {"fixed_total", FORM_RULE, false, false, true},
    [CONNECT_PROBABILITY] = {"probability", FORM_RULE, false, false, true},
    {"dense", FORM_DENSE, true, false, false},
    {"list", FORM_LIST, false, false, false},
    {"convolution", FORM_CONVOLUTION, false, false, false},
    {"pooling", FORM_POOLING, false, false, false},
};
enum { RULES = sizeof rules / sizeof rules[0] };

/* ---------------------------------------------------------- connection rules */

static bool read_ranges(const struct link *link, struct connection *connection)
{
    struct native_item from = native_member(link->item, "from_neurons"),
                       to = native_member(link->item, "to_neurons");
    connection->source_count = link->sources;
    connection->target_count = link->targets;
    return (from.json == NULL ||
            native_range(link->reader, &from, link->sources, &connection->source_first,
                         &connection->source_count)) &&
           (to.json == NULL || native_range(link->reader, &to, link->targets,
                                            &connection->target_first, &connection->target_count));
}

/* Whether there are enough to choose from, and not too many synapses. */
static bool check_number(const struct link *link, const struct connection *connection)
{
    double sources = connection->source_count, targets = connection->target_count,
           number = (double)connection->number, synapses = sources * targets;
    bool in = connection->rule == CONNECT_FIXED_IN_DEGREE,
         out = connection->rule == CONNECT_FIXED_OUT_DEGREE;
    uint32_t choice = in ? connection->source_count : connection->target_count;
    if ((in || out) && !connection->multiple && connection->number > choice)
        return native_refuse(link->reader, &link->named,
                             "is %" PRIu64 ", but there are only %u "
                             "%s neurons; allow \"multiple\": true",
                             connection->number, choice, in ? "source" : "target");
    if (connection->rule == CONNECT_ONE_TO_ONE && sources != targets)
        return native_refuse(link->reader, &link->rule_item,
                             "one_to_one needs as many source as "
                             "target neurons; there are %.0f and %.0f",
                             sources, targets);
    if (connection->rule == CONNECT_ONE_TO_ONE)
        synapses = sources;
    else if (in)
        synapses = number * targets;
    else if (out)
        synapses = number * sources;
    else if (connection->rule == CONNECT_FIXED_TOTAL)
        synapses = number;
    else if (connection->rule == CONNECT_PROBABILITY)
        synapses *= connection->probability;
    if (synapses > synapse_limit)
        return native_refuse(link->reader, &link->rule_item,
                             "makes %.4g synapses; there can be at "
                             "most 2^40",
                             synapses);
    return true;
}

/* The number or the probability, "multiple" and "self". */
static bool read_connection(const struct link *link, struct connection *connection)
{
    const struct native_reader *reader = link->reader;
    struct native_item multiple = native_member(&link->rule_item, "multiple"),
                       itself = native_member(&link->rule_item, "self");
    connection->rule = (enum connection_rule)(link->rule - rules);
    connection->multiple = connection->rule == CONNECT_FIXED_TOTAL;
    connection->to_itself = true;
    connection->same_population = link->projection->source == link->projection->target;
    if ((multiple.json != NULL && !native_flag(reader, &multiple, &connection->multiple)) ||
        (itself.json != NULL && !native_flag(reader, &itself, &connection->to_itself)) ||
        !read_ranges(link, connection))
        return false;
    if (connection->rule == CONNECT_PROBABILITY) {
        if (!native_number(reader, &link->named, RANGE_NOT_NEGATIVE, &connection->probability))
            return false;
        if (connection->probability > 1)
            return native_refuse(reader, &link->named, "must be from 0 to 1, is %.9g",
                                 connection->probability);
    } else if (!link->rule->plain) {
        int64_t number,
            high = connection->rule == CONNECT_FIXED_TOTAL ? INT64_C(1) << 40 : INT32_MAX;
        if (!native_integer(reader, &link->named, 1, high, &number))
            return false;
        connection->number = (uint64_t)number;
    }
    return check_number(link, connection);
}

static bool read_rule(struct link *link)
{
    struct native_reader *reader = link->reader;
    struct connection *connection = &link->projection->connection;
    struct native_item weight = native_member(link->item, "weight"),
                       codes = native_member(link->item, "codes"),
                       delay = native_member(link->item, "delay");
    link->projection->kind = LINK_RULE;
    if (codes.json != NULL)
        return native_refuse(reader, &codes,
                             "is only for rules that take one weight for each "
                             "synapse; give 'weight', with 'type' and 'scale'");
    if (!read_connection(link, connection))
        return false;
    bool given;
    connection->dt = reader->blueprint->rules.dt;
    connection->delay =
        (struct distribution){.a = connection->dt, .low = -INFINITY, .high = INFINITY};
    if (!native_distribution(reader, &weight, RANGE_ANY, &connection->weight) ||
        (delay.json != NULL &&
         !native_distribution(reader, &delay, RANGE_NOT_NEGATIVE, &connection->delay)))
        return false;
    bool constant = connection->weight.kind == DISTRIBUTION_CONSTANT;
    connection->format = constant ? WEIGHT_SAME : WEIGHT_FLOAT;
    if (!link_read_type(link, &connection->format, &connection->scale, &given))
        return false;
    link->projection->immediate =
        connection->delay.kind == DISTRIBUTION_CONSTANT && connection->delay.a == 0;
    return !constant || link_weights_fit(link, &weight, &connection->weight.a, 1,
                                         connection->format, connection->scale);
}

static bool read_one_to_one(struct link *link)
{
    struct native_item weight = native_member(link->item, "weight"),
                       delay = native_member(link->item, "delay");
    bool drawn = (json_is_object(weight.json) && !native_is_array(&weight)) ||
                 (json_is_object(delay.json) && !native_is_array(&delay));
    bool partial = json_object_get(link->item->json, "from_neurons") != NULL ||
                   json_object_get(link->item->json, "to_neurons") != NULL;
    bool typed = json_object_get(link->item->json, "type") != NULL && json_is_number(weight.json);
    if (drawn || partial || typed)
        return read_rule(link);
    link->projection->kind = LINK_DIAGONAL;
    if (link->sources != link->targets)
        return native_refuse(link->reader, &link->rule_item,
                             "one_to_one needs as many source as "
                             "target neurons; there are %u and %u",
                             link->sources, link->targets);
    return link_read_weight_or_each(link, link->sources) &&
           link_read_delay_or_each(link, link->sources);
}

/* --------------------------------------------------------- listed and dense */

static bool read_indices(struct link *link, const struct native_item *item, uint64_t length,
                         uint32_t neurons, uint32_t **indices)
{
    double *values;
    if (!native_array(link->reader, item, 1, &length, false, &values))
        return false;
    bool read = native_whole(link->reader, item, values, length, 0, neurons - 1.0);
    if (read) {
        *indices = calloc(length + 1, sizeof **indices);
        read = *indices != NULL || error_no_memory(link->reader->error, "a list of synapses");
    }
    for (uint64_t i = 0; read && i < length; i++)
        (*indices)[i] = (uint32_t)values[i];
    free(values);
    return read;
}

static bool read_list(struct link *link)
{
    static const char *const fields[] = {"from", "to", NULL};
    struct native_item from = native_member(&link->named, "from"),
                       to = native_member(&link->named, "to");
    struct blueprint_projection *projection = link->projection;
    projection->kind = LINK_LISTS;
    return native_fields(link->reader, &link->named, fields) &&
           native_length(link->reader, &from, &projection->synapses) &&
           read_indices(link, &from, projection->synapses, link->sources, &projection->sources) &&
           read_indices(link, &to, projection->synapses, link->targets, &projection->targets) &&
           link_read_weight_or_each(link, projection->synapses) &&
           link_read_delay_or_each(link, projection->synapses);
}

static bool read_dense(struct link *link)
{
    struct native_item weight;
    uint64_t shape[2] = {link->targets, link->sources};
    link->projection->kind = LINK_DENSE;
    return link_weight_place(link, &weight) && link_read_weights(link, &weight, 2, shape) &&
           link_read_delay(link);
}

/* ------------------------------------------------------------ a projection */

/* Which rule: just its name, or the one field of an object that is a rule's name. */
static bool find_rule(struct link *link)
{
    const struct native_reader *reader = link->reader;
    const struct native_item *item = &link->rule_item;
    const char *names[RULES + 1] = {NULL};
    for (int i = 0; i < RULES; i++)
        names[i] = rules[i].name;
    if (json_is_string(item->json)) {
        unsigned chosen = 0;
        if (!native_word(reader, item, "rule", names, &chosen))
            return false;
        link->rule = &rules[chosen];
        return link->rule->plain || native_refuse(reader, item,
                                                  "'%s' needs to be told more: "
                                                  "{\"%s\": …}",
                                                  names[chosen], names[chosen]);
    }
    if (!json_is_object(item->json))
        return native_refuse(reader, item,
                             "%s the name of a rule or an object, {\"fixed_in_degree\""
                             ": 100} for one",
                             item->json == NULL ? "is missing; it must be" : "must be");
    for (int i = 0; i < RULES; i++) {
        if (json_object_get(item->json, names[i]) == NULL)
            continue;
        if (link->rule != NULL)
            return native_refuse(reader, item, "is both '%s' and '%s'; it must be one of them",
                                 link->rule->name, names[i]);
        link->rule = &rules[i];
        link->named = native_member(item, rules[i].name);
    }
    if (link->rule != NULL)
        return true;
    const char *key = json_object_iter_key(json_object_iter(item->json));
    return native_unknown(reader, item, "rule", key == NULL ? "" : key, names, RULES);
}

static bool check_rule_fields(const struct link *link)
{
    const char *fields[4] = {link->rule->name};
    size_t count = 1;
    if (link->rule->degree)
        fields[count++] = "multiple";
    if (link->rule->itself)
        fields[count++] = "self";
    if (link->named.json == NULL)
        return true;
    if (!native_fields(link->reader, &link->rule_item, fields))
        return false;
    return !link->rule->plain || json_is_true(link->named.json) ||
           native_refuse(link->reader, &link->named, "must be true");
}

static bool check_ranges_allowed(const struct link *link)
{
    static const char *const ranges[] = {"from_neurons", "to_neurons"};
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        struct native_item range = native_member(link->item, ranges[i]);
        if (range.json != NULL && link->rule->form != FORM_RULE && link->rule->form != FORM_ONE)
            return native_refuse(link->reader, &range,
                                 "is not for '%s', which always connects "
                                 "whole populations",
                                 link->rule->name);
    }
    return true;
}

static bool read_port(const struct link *link)
{
    const struct blueprint_population *target =
        &link->reader->blueprint->populations[link->projection->target];
    struct native_item to = native_member(link->item, "to"),
                       port = native_member(link->item, "port");
    if (target->model == NULL)
        return native_refuse(link->reader, &to, "'%.*s' is an input; nothing can reach it",
                             utf8_clip(target->name), target->name);
    if (target->model->ports[0] == NULL)
        return native_refuse(link->reader, &to, "'%.*s' is of model '%s', which takes no input",
                             utf8_clip(target->name), target->name, target->model->name);
    return port.json == NULL ||
           native_word(link->reader, &port, "port", target->model->ports, &link->projection->port);
}

static bool read_links(struct link *link)
{
    static bool (*const readers[])(struct link *) = {[FORM_RULE] = read_rule,
                                                     [FORM_ONE] = read_one_to_one,
                                                     [FORM_LIST] = read_list,
                                                     [FORM_DENSE] = read_dense,
                                                     [FORM_CONVOLUTION] = link_read_convolution,
                                                     [FORM_POOLING] = link_read_pooling};
    const struct blueprint *blueprint = link->reader->blueprint;
    link->sources = blueprint->populations[link->projection->source].neurons;
    link->targets = blueprint->populations[link->projection->target].neurons;
    return read_port(link) && find_rule(link) && check_rule_fields(link) &&
           check_ranges_allowed(link) && readers[link->rule->form](link);
}

static bool read_projection(struct native_reader *reader, const struct native_item *item)
{
    static const char *const fields[] = {"name",         "from",       "to",   "port",  "rule",
                                         "weight",       "codes",      "type", "scale", "delay",
                                         "from_neurons", "to_neurons", NULL};
    struct native_item named = native_member(item, "name");
    uint32_t source, target;
    const char *name = NULL;
    if (!native_fields(reader, item, fields) ||
        (named.json != NULL && !native_text(reader, &named, &name)) ||
        !native_population(reader, item, "from", &source) ||
        !native_population(reader, item, "to", &target))
        return false;
    const struct blueprint_population *populations = reader->blueprint->populations;
    size_t room = strlen(populations[source].name) + strlen(populations[target].name) + 3;
    char *made = malloc(room);
    if (made == NULL)
        return error_no_memory(reader->error, "the name of a projection");
    snprintf(made, room, "%s->%s", populations[source].name, populations[target].name);
    struct link link = {.reader = reader, .item = item, .rule_item = native_member(item, "rule")};
    link.projection =
        blueprint_add_projection(reader->blueprint, name != NULL ? name : made, reader->error);
    free(made);
    if (link.projection == NULL)
        return false;
    link.projection->source = source;
    link.projection->target = target;
    return read_links(&link);
}

bool native_read_projections(struct native_reader *reader, const struct native_item *document)
{
    struct native_item list = native_member(document, "projections");
    if (list.json != NULL && !json_is_array(list.json))
        return native_refuse(reader, &list, "must be a list, [ … ]");
    for (size_t i = 0; i < json_array_size(list.json); i++) {
        struct native_item item = native_element(&list, i);
        if (!read_projection(reader, &item))
            return false;
    }
    return true;
}
