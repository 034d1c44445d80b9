/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `volley inspect` of a spiking network: its populations with their parameters, its projections,
 * what they hold. */
#include "sim/inspect.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "neurons/build.h"

enum { TEXT = 160 };

static void print_shape(const struct blueprint_population *p, char text[TEXT])
{
    int used = snprintf(text, TEXT, "%u", p->neurons);
    for (uint32_t i = 0; p->rank > 1 && i < p->rank; i++)
        used += snprintf(text + used, (size_t)(TEXT - used), "%s%u", i == 0 ? " (" : " x ",
                         p->shape[i]);
    if (p->rank > 1)
        snprintf(text + used, (size_t)(TEXT - used), ")");
}

static void print_distribution(const struct distribution *d, char text[TEXT])
{
    switch (d->kind) {
    case DISTRIBUTION_CONSTANT: snprintf(text, TEXT, "%g", d->a); break;
    case DISTRIBUTION_UNIFORM: snprintf(text, TEXT, "uniform %g … %g", d->a, d->b); break;
    case DISTRIBUTION_NORMAL: snprintf(text, TEXT, "normal %g ± %g", d->a, d->b); break;
    case DISTRIBUTION_LOGNORMAL: snprintf(text, TEXT, "lognormal %g, %g", d->a, d->b); break;
    case DISTRIBUTION_EXPONENTIAL: snprintf(text, TEXT, "exponential %g", d->a); break;
    }
}

static void print_quantity(const struct quantity *q, double standard, char text[TEXT])
{
    double low = INFINITY, high = -INFINITY;
    switch (q->kind) {
    case QUANTITY_STANDARD: snprintf(text, TEXT, "%g", standard); break;
    case QUANTITY_CONSTANT: snprintf(text, TEXT, "%g", q->constant); break;
    case QUANTITY_DRAWN: print_distribution(&q->drawn, text); break;
    case QUANTITY_ARRAY:
        for (uint32_t i = 0; i < q->length; i++) {
            low = fmin(low, q->array[i]);
            high = fmax(high, q->array[i]);
        }
        if (low == high)
            snprintf(text, TEXT, "%g", low);
        else
            snprintf(text, TEXT, "%g … %g", low, high);
        break;
    }
}

static void print_population(const struct blueprint_population *p, const struct population *made)
{
    char text[TEXT], size[32];
    print_shape(p, text);
    printf("%s: %s neurons, %s", p->name, text, p->model != NULL ? p->model->name : "input");
    if (p->output)
        printf(", output");
    if (made->state_bytes > 0)
        printf(", %s of state", inspect_sized(made->state_bytes, size));
    printf("\n");
    if (p->model == NULL)
        return;
    printf("    %s\n", p->model->equation);
    bool any = false;
    for (int i = 0; p->model->parameters[i].name != NULL; i++, any = true) {
        const struct cell_parameter *parameter = &p->model->parameters[i];
        print_quantity(&p->parameter[i], parameter->standard, text);
        printf("%s%s %s%s%s", any ? ", " : "    ", parameter->name, text,
               *parameter->unit != '\0' ? " " : "", parameter->unit);
    }
    if (any)
        printf("\n");
}

static uint64_t print_projections(const struct blueprint *blueprint, const struct network *network)
{
    char size[32];
    uint64_t bytes = 0, synapses = 0;
    printf("\n%-16s %-16s %-8s %-12s %11s %12s %10s\n", "from", "to", "port", "kind", "delay ticks",
           "synapses", "weights");
    for (uint32_t i = 0; i < network->projection_count; i++) {
        const struct projection *p = network->projections[i];
        char delay[32];
        snprintf(delay, sizeof delay, p->most_extra > 0 ? "%u … %u" : "%u", p->delay,
                 p->delay + p->most_extra);
        printf("%-16.16s %-16.16s %-8.8s %-12.12s %11s %12llu %10s\n", p->source->name,
               p->target->name, blueprint->populations[p->target->id].model->ports[p->port],
               p->kind->name, delay, (unsigned long long)p->synapses,
               p->bytes > 0 ? inspect_sized(p->bytes, size) : "");
        bytes += p->bytes;
        synapses += p->synapses;
    }
    printf("%-66s %12llu %10s\n", "all", (unsigned long long)synapses, inspect_sized(bytes, size));
    return bytes;
}

static void print_rules(const struct blueprint *blueprint)
{
    static const char *const integrations[] = {"exact", "euler", "event"};
    static const char *const areas[] = {"holds its weight as a current for a tick",
                                        "is a pulse of area weight", "jumps by its weight"};
    const struct cell_rules *rules = &blueprint->rules;
    printf("tick %g ms, %s integration; a spike at v %s threshold%s, reset %s; an input spike %s\n",
           1e3 * rules->dt, integrations[rules->integration], rules->inclusive ? ">=" : ">",
           rules->inclusive ? " (also where an equation has >)" : "",
           rules->reset == RESET_VALUE ? "to a value" : "by subtraction", areas[rules->area]);
}

static bool print_network(const struct blueprint *blueprint, struct error *error)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    struct workers *workers = workers_new(cores > 0 ? (uint32_t)cores : 1, error);
    const struct build_options options = {.workers = workers};
    struct network *network = workers != NULL ? blueprint_build(blueprint, &options, error) : NULL;
    if (network != NULL) {
        char size[32];
        uint64_t neurons = 0, state = 0;
        for (uint32_t i = 0; i < blueprint->population_count; i++) {
            neurons += blueprint->populations[i].neurons;
            state += network->populations[i]->state_bytes;
        }
        printf("%s: %u populations, %llu neurons, %u projections; digest %s\n", blueprint->origin,
               blueprint->population_count, (unsigned long long)neurons,
               blueprint->projection_count, blueprint->digest);
        print_rules(blueprint);
        printf("\n");
        for (uint32_t i = 0; i < blueprint->population_count; i++)
            print_population(&blueprint->populations[i], network->populations[i]);
        uint64_t weights = print_projections(blueprint, network);
        printf("memory: %s of state and weights\n", inspect_sized(state + weights, size));
    }
    bool done = network != NULL;
    network_free(network);
    workers_free(workers);
    return done;
}

int inspect_network(const char *path, const struct model_file_options *options)
{
    struct error error = {0};
    struct blueprint *blueprint = model_file_open(path, options, &error);
    if (blueprint == NULL)
        return command_failed(&error);
    for (uint32_t i = 0; i < blueprint->warning_count; i++)
        fprintf(stderr, "volley: %s\n", blueprint->warnings[i]);
    bool done = print_network(blueprint, &error);
    blueprint_free(blueprint);
    if (done && fflush(stdout) != 0)
        done = error_set(&error, ERROR_FAILED, "standard output cannot be written");
    return done ? 0 : command_failed(&error);
}

static void print_model(const struct cell_model *model)
{
    printf("%s: %s\n    %s\n", model->name, model->summary, model->equation);
    for (int i = 0; model->parameters[i].name != NULL; i++) {
        const struct cell_parameter *p = &model->parameters[i];
        char standard[32];
        if (isnan(p->standard))
            snprintf(standard, sizeof standard, "needed%s%s", *p->unit != '\0' ? ", in " : "",
                     p->unit);
        else if (p->standard >= 1e300)
            snprintf(standard, sizeof standard, "never");
        else
            snprintf(standard, sizeof standard, "%g%s%s", p->standard, *p->unit != '\0' ? " " : "",
                     p->unit);
        printf("    %-24s %-14s %s\n", p->name, standard, p->meaning);
    }
    printf("    state:");
    for (int i = 0; model->variables[i].name != NULL; i++)
        printf(" %s", model->variables[i].name);
    printf("; ports:");
    for (int i = 0; model->ports[i] != NULL; i++)
        printf(" %s", model->ports[i]);
    printf("%s\n\n", model->ports[0] == NULL ? " none" : "");
}

int inspect_models(void)
{
    size_t length;
    const struct cell_model *const *models = cell_models(&length);
    for (size_t i = 0; i < length; i++)
        print_model(models[i]);
    return fflush(stdout) == 0 ? 0 : 1;
}
