/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/model_file.h"

#include <string.h>
#include <sys/stat.h>

#include "neurons/import/nir/framework.h"
#include "neurons/import/native/native.h"
#include "neurons/import/nir/nir.h"
#include "neurons/import/nir/nir_data.h"

static const char *const integrations[] = {"exact", "euler", "event", NULL};
static const char *const resets[] = {"value", "subtract", NULL};
static const char *const thresholds[] = {"strict", "inclusive", NULL};
static const char *const areas[] = {"hold", "impulse", "jump", NULL};

/* Index of `name` among `names`; `otherwise` where it is not given, -1 with error where it is
 * unknown. */
static int choose(const char *option, const char *name, const char *const *names, int otherwise,
                  struct error *error)
{
    char list[128] = "";
    if (name == NULL)
        return otherwise;
    for (int i = 0; names[i] != NULL; i++) {
        if (strcmp(name, names[i]) == 0)
            return i;
        strcat(strcat(list, i == 0 ? "" : names[i + 1] == NULL ? " or " : ", "), names[i]);
    }
    error_set(error, ERROR_MISUSED, "--%s is %s, not '%.60s'", option, list, name);
    return -1;
}

static bool settle(const struct model_file_options *o, struct cell_rules *rules,
                   struct error *error)
{
    int integration =
        choose("integration", o->integration, integrations, (int)rules->integration, error);
    int reset = choose("reset", o->reset, resets, (int)rules->reset, error);
    int threshold = choose("threshold", o->threshold, thresholds, rules->inclusive, error);
    int area = choose("spike-area", o->spike_area, areas, (int)rules->area, error);
    if (integration < 0 || reset < 0 || threshold < 0 || area < 0)
        return false;
    rules->integration = (enum integration)integration;
    rules->reset = (enum reset_rule)reset;
    rules->inclusive = threshold != 0;
    rules->area = (enum spike_area)area;
    if (o->dt > 0)
        rules->dt = o->dt;
    if (o->seed >= 0)
        rules->seed = (uint64_t)o->seed;
    return true;
}

static double least_of(const struct quantity *quantity, double standard)
{
    double least = quantity->kind == QUANTITY_CONSTANT ? quantity->constant
                 : quantity->kind == QUANTITY_DRAWN ? distribution_value(&quantity->drawn, 0x1p-33)
                                                    : standard;
    for (uint32_t i = 0; quantity->kind == QUANTITY_ARRAY && i < quantity->length; i++)
        least = i == 0 || quantity->array[i] < least ? quantity->array[i] : least;
    return least;
}

/* Warns of ticks that are longer than a time constant. */
static bool check_tick(struct blueprint *blueprint, struct error *error)
{
    double dt = blueprint->rules.dt;
    for (uint32_t i = 0; i < blueprint->population_count; i++) {
        const struct blueprint_population *p = &blueprint->populations[i];
        bool warned = false;
        for (int j = 0; !warned && p->model != NULL && p->model->parameters[j].name != NULL; j++) {
            const struct cell_parameter *parameter = &p->model->parameters[j];
            double tau = least_of(&p->parameter[j], parameter->standard);
            warned = strncmp(parameter->name, "tau", 3) == 0 && tau > 0 && tau < dt;
            if (warned &&
                !blueprint_warn(blueprint, error,
                                "%s: population %s: %s is %g s, less than a tick of %g s; choose a "
                                "shorter tick",
                                blueprint->origin, p->name, parameter->name, tau, dt))
                return false;
        }
    }
    return true;
}

/* What is no file on a disk, as a pipe, is not looked into: its bytes could not be read again. */
bool model_file_is_network(const char *path)
{
    const char *end = strrchr(path, '.');
    struct stat status;
    return (end != NULL && (strcmp(end, ".nir") == 0 || strcmp(end, ".json") == 0)) ||
           (stat(path, &status) == 0 && S_ISREG(status.st_mode) &&
            (native_is_file(path) || nir_is_file(path)));
}

struct blueprint *model_file_open(const char *path, const struct model_file_options *options,
                                  struct error *error)
{
    const struct framework *framework = NULL;
    if (options->framework != NULL) {
        framework = framework_find(options->framework, error);
        if (framework == NULL)
            return NULL;
    }
    if (nir_data_is_file(path)) {
        error_set(error, ERROR_MISUSED,
                  "%s holds recordings (NIRData), not a network; it can be --input", path);
        return NULL;
    }
    if (nir_is_file(path)) {
        struct nir_options nir = {.dt = options->dt > 0 ? options->dt : 1e-4};
        if (framework != NULL) {
            nir.rules = framework->rules;
            nir.pipeline = framework->pipeline;
        }
        nir.rules.dt = nir.dt;
        return settle(options, &nir.rules, error) ? nir_open(path, &nir, error) : NULL;
    }
    if (framework != NULL) {
        error_set(error, ERROR_MISUSED, "--as is for NIR files; %s says itself how it is to be run",
                  path);
        return NULL;
    }
    struct blueprint *blueprint = native_open(path, error);
    if (blueprint == NULL ||
        (settle(options, &blueprint->rules, error) && check_tick(blueprint, error)))
        return blueprint;
    blueprint_free(blueprint);
    return NULL;
}
