/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Writing native documents: populations, the document as a whole and its two files. Short arrays
 * stand in the document, longer ones become tensors.
 *
 * What is written is read back as the same blueprint, but for a one-to-one LINK_RULE with nothing
 * drawn and of whole populations: it comes back as the LINK_DIAGONAL that connects the same.
 */
#define _GNU_SOURCE 1
#include "neurons/import/native/native.h"

#include "neurons/import/native/native_writer.h"
#include "neurons/import/native/safetensors_write.h"
#include "neurons/import/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* -------------------------------------------------------------- populations */

static bool put_drive(struct writer *writer, json_t *object,
                      const struct blueprint_population *population, const char *port,
                      const double *drive)
{
    uint64_t shape[1] = {population->neurons};
    uint32_t same = 1;
    while (same < population->neurons && memcmp(&drive[same], &drive[0], sizeof drive[0]) == 0)
        same++;
    if (same == population->neurons)
        return writer_put(writer, object, port, json_real(drive[0]));
    return writer_put(writer, object, port,
                      writer_array(writer,
                                   writer_name("populations.%s.drive.%s", population->name, port),
                                   1, shape, drive));
}

static bool put_cells(struct writer *writer, json_t *object,
                      const struct blueprint_population *population)
{
    const struct cell_model *model = population->model;
    json_t *parameters = json_object(), *initial = json_object(), *drive = json_object();
    bool made = writer_put(writer, object, "model", json_string(model->name));
    for (uint32_t i = 0; made && model->parameters[i].name != NULL; i++)
        made = writer_put_quantity(writer, parameters, population->name, "parameters",
                                   model->parameters[i].name, &population->parameter[i]);
    for (uint32_t i = 0; made && model->variables[i].name != NULL; i++)
        made = writer_put_quantity(writer, initial, population->name, "initial",
                                   model->variables[i].name, &population->initial[i]);
    for (uint32_t i = 0; made && model->ports[i] != NULL; i++)
        if (population->drive[i] != NULL)
            made = put_drive(writer, drive, population, model->ports[i], population->drive[i]);
    made = writer_put_part(writer, object, "parameters", parameters, made);
    made = writer_put_part(writer, object, "initial", initial, made);
    return writer_put_part(writer, object, "drive", drive, made);
}

/* The parts of spikes as arrays, [length] each, or NULL when memory is short. */
static double *spike_times(const struct blueprint_population *population, double dt)
{
    double *times = calloc(population->spike_count + 1, sizeof *times);
    for (uint64_t i = 0; times != NULL && i < population->spike_count; i++)
        times[i] = (double)population->spikes[i].tick * dt;
    return times;
}

static int32_t *spike_integers(const struct blueprint_population *population, bool payloads)
{
    int32_t *integers = calloc(population->spike_count + 1, sizeof *integers);
    for (uint64_t i = 0; integers != NULL && i < population->spike_count; i++)
        integers[i] =
            payloads ? population->spikes[i].payload : (int32_t)population->spikes[i].neuron;
    return integers;
}

/* {"times": …, "neurons": …, "payloads": …}; payloads only where one is not 1. */
static json_t *spike_arrays_make(struct writer *writer,
                                 const struct blueprint_population *population)
{
    uint64_t length = population->spike_count, ones = 0;
    double *times = spike_times(population, writer->blueprint->rules.dt);
    int32_t *neurons = spike_integers(population, false);
    json_t *object = json_object();
    bool made =
        writer_put(writer, object, "times",
                   writer_tensor(writer, writer_name("populations.%s.times", population->name),
                                 DTYPE_F64, 1, &length, times, times));
    made = writer_put(writer, object, "neurons",
                      writer_tensor(writer, writer_name("populations.%s.neurons", population->name),
                                    DTYPE_I32, 1, &length, neurons, neurons)) &&
           made;
    while (ones < length && population->spikes[ones].payload == 1)
        ones++;
    if (made && ones < length) {
        int32_t *payloads = spike_integers(population, true);
        made = writer_put(writer, object, "payloads",
                          writer_tensor(writer,
                                        writer_name("populations.%s.payloads", population->name),
                                        DTYPE_I32, 1, &length, payloads, payloads));
    }
    if (made)
        return object;
    json_decref(object);
    return NULL;
}

static json_t *spikes_make(struct writer *writer, const struct blueprint_population *population)
{
    if (population->spike_count > WRITER_INLINE_LIMIT)
        return spike_arrays_make(writer, population);
    json_t *list = json_array();
    for (uint64_t i = 0; i < population->spike_count; i++) {
        const struct timed_spike *spike = &population->spikes[i];
        double time = (double)spike->tick * writer->blueprint->rules.dt;
        json_t *entry = spike->payload == 1
                            ? json_pack("[f, i]", time, (int)spike->neuron)
                            : json_pack("[f, i, i]", time, (int)spike->neuron, spike->payload);
        if (!writer_append(list, entry)) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static bool put_input(struct writer *writer, json_t *object,
                      const struct blueprint_population *population)
{
    if (population->spikes == NULL)
        return writer_put(writer, object, "input", json_true());
    json_t *input = json_object();
    return writer_put(writer, object, "input", input) &&
           writer_put(writer, input, "spikes", spikes_make(writer, population));
}

static bool put_population(struct writer *writer, json_t *populations,
                           const struct blueprint_population *population)
{
    json_t *object = json_object();
    if (json_object_get(populations, population->name) != NULL) {
        json_decref(object);
        return error_set(writer->error, ERROR_FAILED,
                         "%s: cannot be written: there are two "
                         "populations called '%.*s'",
                         utf8_tail(writer->path), utf8_clip(population->name), population->name);
    }
    return writer_put(writer, populations, population->name, object) &&
           (population->rank == 0
                ? writer_put(writer, object, "neurons", json_integer(population->neurons))
                : writer_put(writer, object, "shape",
                             writer_integers(population->shape, population->rank))) &&
           (population->model == NULL ? put_input(writer, object, population)
                                      : put_cells(writer, object, population)) &&
           (!population->output || writer_put(writer, object, "output", json_true()));
}

/* ------------------------------------------------------------- the document */

static bool put_rules(struct writer *writer, json_t *document)
{
    static const char *const integrations[] = {"exact", "euler", "event"}, *const areas[] = {
                                                                               "hold", "impulse",
                                                                               "jump"};
    const struct cell_rules *rules = &writer->blueprint->rules;
    json_t *object = json_object();
    return writer_put(writer, document, "rules", object) &&
           writer_put(writer, object, "integration",
                      json_string(integrations[rules->integration])) &&
           writer_put(writer, object, "reset",
                      json_string(rules->reset == RESET_SUBTRACT ? "subtract" : "value")) &&
           writer_put(writer, object, "threshold",
                      json_string(rules->inclusive ? "inclusive" : "strict")) &&
           writer_put(writer, object, "several_spikes", json_boolean(rules->several)) &&
           writer_put(writer, object, "late_reset", json_boolean(rules->late_reset)) &&
           writer_put(writer, object, "spike_area", json_string(areas[rules->area])) &&
           writer_put(writer, object, "raw_input", json_boolean(rules->raw)) &&
           writer_put(writer, object, "single_precision", json_boolean(rules->single));
}

static json_t *range_make(uint32_t first, uint32_t count)
{
    const uint32_t range[2] = {first, count};
    return writer_integers(range, 2);
}

static bool put_recordings(struct writer *writer, json_t *document)
{
    const struct blueprint *blueprint = writer->blueprint;
    json_t *list = json_array();
    bool made = true;
    for (uint32_t i = 0; made && i < blueprint->recording_count; i++) {
        const struct blueprint_recording *recording = &blueprint->recordings[i];
        const struct blueprint_population *population =
            &blueprint->populations[recording->population];
        made = writer_append(
            list, json_pack("{s:s, s:s, s:o, s:I}", "population", population->name, "variable",
                            population->model->variables[recording->variable].name, "neurons",
                            range_make(recording->first, recording->count), "every",
                            (json_int_t)recording->every));
    }
    return writer_put_part(writer, document, "recordings", list, made);
}

static bool put_placement(struct writer *writer, json_t *document)
{
    const struct blueprint *blueprint = writer->blueprint;
    json_t *list = json_array();
    bool made = true;
    for (uint32_t i = 0; made && i < blueprint->placement_count; i++) {
        const struct blueprint_placement *placement = &blueprint->placements[i];
        made =
            writer_append(list, json_pack("{s:s, s:o, s:I}", "population",
                                          blueprint->populations[placement->population].name,
                                          "neurons", range_make(placement->first, placement->count),
                                          "core", (json_int_t)placement->core));
    }
    return writer_put_part(writer, document, "placement", list, made);
}

static bool fill_document(struct writer *writer, json_t *document)
{
    const struct blueprint *blueprint = writer->blueprint;
    if (blueprint->rules.seed > INT64_MAX)
        return error_set(writer->error, ERROR_FAILED,
                         "%s: cannot be written: the seed is above "
                         "2^63 - 1",
                         utf8_tail(writer->path));
    json_t *populations = json_object(), *projections = json_array();
    if (!writer_put(writer, document, "volley", json_integer(1)) ||
        !writer_put(writer, document, "name", json_string(blueprint->name)) ||
        !writer_put(writer, document, "tick", json_real(blueprint->rules.dt)) ||
        !writer_put(writer, document, "seed", json_integer((json_int_t)blueprint->rules.seed)) ||
        (blueprint->duration > 0 &&
         !writer_put(writer, document, "duration", json_real(blueprint->duration))) ||
        !put_rules(writer, document) || !writer_put(writer, document, "populations", populations) ||
        !writer_put(writer, document, "projections", projections))
        return false;
    for (uint32_t i = 0; i < blueprint->population_count; i++)
        if (!put_population(writer, populations, &blueprint->populations[i]))
            return false;
    for (uint32_t i = 0; i < blueprint->projection_count; i++)
        if (!writer_put_projection(writer, projections, &blueprint->projections[i]))
            return false;
    return put_recordings(writer, document) && put_placement(writer, document);
}

/* ------------------------------------------------------------------ the files */

/* A file that takes its name only when it is complete. */
struct part {
    char *path, *temporary;
    FILE *file;
};

static bool part_open(struct part *part, char *path, struct error *error)
{
    part->path = path;
    if (path == NULL || asprintf(&part->temporary, "%s.%ld.part", path, (long)getpid()) < 0) {
        part->temporary = NULL;
        return error_no_memory(error, "the path of a file");
    }
    part->file = fopen(part->temporary, "wbex");
    if (part->file == NULL) {
        error_set(error, ERROR_FAILED, "%s: cannot be written: %s", utf8_tail(path),
                  strerror(errno));
        free(part->temporary);
        part->temporary = NULL;
        return false;
    }
    return true;
}

/* All of it is on the disk. */
static bool part_finish(struct part *part, struct error *error)
{
    bool sound = fflush(part->file) == 0 && !ferror(part->file) && fsync(fileno(part->file)) == 0;
    int fault = errno;
    sound = fclose(part->file) == 0 && sound;
    part->file = NULL;
    return sound || error_set(error, ERROR_FAILED, "%s: cannot be written: %s",
                              utf8_tail(part->path), strerror(fault));
}

static bool part_rename(struct part *part, struct error *error)
{
    if (rename(part->temporary, part->path) != 0)
        return error_set(error, ERROR_FAILED, "%s: cannot be written: %s", utf8_tail(part->path),
                         strerror(errno));
    free(part->temporary);
    part->temporary = NULL;
    return true;
}

/* Leaves nothing behind of one that was not renamed. */
static void part_free(struct part *part)
{
    if (part->file != NULL)
        fclose(part->file);
    if (part->temporary != NULL)
        unlink(part->temporary);
    free(part->temporary);
    free(part->path);
}

static bool write_tensors(struct writer *writer, struct part *part)
{
    char *path;
    int stem = (int)(strlen(writer->path) - strlen(".json"));
    if (writer->tensor_count == 0)
        return true;
    if (asprintf(&path, "%.*s.safetensors", stem, writer->path) < 0)
        path = NULL;
    return part_open(part, path, writer->error) &&
           safetensors_write(part->file, path, writer->tensors, writer->tensor_count,
                             writer->error) &&
           part_finish(part, writer->error);
}

static bool write_files(struct writer *writer, const json_t *document)
{
    struct part tensors = {0}, text = {0};
    bool written =
        write_tensors(writer, &tensors) && part_open(&text, strdup(writer->path), writer->error);
    if (written) {
        document_print(text.file, document, 0);
        putc('\n', text.file);
        written = part_finish(&text, writer->error) &&
                  (tensors.temporary == NULL || part_rename(&tensors, writer->error)) &&
                  part_rename(&text, writer->error);
    }
    part_free(&tensors);
    part_free(&text);
    return written;
}

bool native_write(const struct blueprint *blueprint, const char *path, struct error *error)
{
    struct writer writer = {.blueprint = blueprint, .path = path, .error = error};
    size_t length = strlen(path), suffix = strlen(".json");
    if (length <= suffix || strcmp(path + length - suffix, ".json") != 0)
        return error_set(error, ERROR_MISUSED,
                         "%s: the name of a network's document must end in "
                         ".json",
                         utf8_tail(path));
    json_t *document = json_object();
    bool written = document == NULL
                       ? error_no_memory(error, "the document")
                       : fill_document(&writer, document) && write_files(&writer, document);
    for (size_t i = 0; i < writer.tensor_count; i++) {
        free((char *)(uintptr_t)writer.tensors[i].name);
        free(writer.copies[i]);
    }
    free(writer.tensors);
    free(writer.copies);
    json_decref(document);
    return written;
}
