/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a study leaves behind: decoded signals as NumPy arrays, and rows of a trace. */
#include "sim/encode/encode.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "sim/matrix_file.h"

/* OUT.npy, or of several schemes OUT-LABEL.npy; from malloc. */
static char *decoded_path(const struct encode_study *study, size_t scheme, const char *out)
{
    static const char ending[] = ".npy";
    size_t stem = strlen(out), tail = sizeof ending - 1;
    char *path;
    if (stem > tail && strcmp(out + stem - tail, ending) == 0)
        stem -= tail;
    int printed = study->scheme_count == 1
                      ? asprintf(&path, "%s", out)
                      : asprintf(&path, "%.*s-%s%s", (int)stem, out, study->schemes[scheme].label,
                                 ending);
    return printed >= 0 ? path : NULL;
}

/* Of signals [time][channels], of values without time [samples][values]. */
static bool add_rows(struct matrix_file *file, const struct encode_study *study, size_t scheme,
                     struct error *error)
{
    const struct encode_input *input = &study->input;
    double *const *decoded = study->decoded + scheme * input->channels;
    double *row = malloc(input->channels * sizeof *row);
    bool good = row != NULL || error_no_memory(error, "a decoded signal");
    for (size_t i = 0; good && i < input->length; i += input->row) {
        for (uint32_t c = 0; c < input->channels; c++)
            row[c] = decoded[c][i];
        good = matrix_file_add(file, input->timeless ? decoded[0] + i : row, error);
    }
    free(row);
    return good;
}

/* Writes a decoded signal to where it waits for its name. */
static struct matrix_file *write_decoded(const struct encode_study *study, size_t scheme,
                                         const char *out, struct error *error)
{
    const struct encode_input *input = &study->input;
    char *path = decoded_path(study, scheme, out);
    if (path == NULL) {
        error_no_memory(error, "a decoded signal");
        return NULL;
    }
    uint32_t columns = input->timeless ? (uint32_t)input->row : input->channels;
    struct matrix_file *file = matrix_file_open(path, columns, true, error);
    free(path);
    if (file != NULL && !add_rows(file, study, scheme, error)) {
        matrix_file_close(file, false, NULL);
        return NULL;
    }
    return file;
}

static bool write_trace(const struct encode_study *study, const char *command, const char *path,
                        struct error *error)
{
    const struct encode_input *input = &study->input;
    const struct encoded_signal signal = {.command = command,
                                          .file = study->path,
                                          .timeless = input->timeless,
                                          .row = input->row,
                                          .first = input->first,
                                          .length = input->length,
                                          .interval_seconds = input->interval_seconds,
                                          .seed = study->seed,
                                          .goal = encode_goal_name(study),
                                          .channels = study->channels,
                                          .channel_count = input->channels};
    int64_t id;
    return encodings_store(path, &signal, study->encoded,
                           study->scheme_count * input->channels, &id, error);
}

static bool write_all(const struct encode_study *study, const char *command, const char *trace,
                      const char *decoded, struct error *error)
{
    struct matrix_file **files = calloc(study->scheme_count, sizeof *files);
    bool good = files != NULL || error_no_memory(error, "the decoded signals");
    for (size_t s = 0; good && decoded != NULL && s < study->scheme_count; s++)
        good = (files[s] = write_decoded(study, s, decoded, error)) != NULL;
    good = good && (trace == NULL || write_trace(study, command, trace, error));
    for (size_t s = 0; files != NULL && s < study->scheme_count; s++)
        good = matrix_file_close(files[s], good, error) && good;
    free(files);
    return good;
}

bool encode_write(const struct encode_study *study, const char *command, const char *trace,
                  const char *decoded, struct error *error)
{
    sigset_t waiting, before;
    sigemptyset(&waiting);
    sigaddset(&waiting, SIGINT);
    sigaddset(&waiting, SIGTERM);
    sigaddset(&waiting, SIGHUP);
    sigprocmask(SIG_BLOCK, &waiting, &before);
    bool good = write_all(study, command, trace, decoded, error);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return good;
}
