/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which schemes `volley encode` is asked for. */
#include "sim/encode/encode.h"

#include <stdlib.h>
#include <string.h>

#include "neurons/import/utf8.h"

static bool add_scheme(struct encode_study *study, const struct scheme_settings *settings,
                       struct error *error)
{
    struct encode_scheme *more =
        realloc(study->schemes, (study->scheme_count + 1) * sizeof *study->schemes);
    if (more == NULL)
        return error_no_memory(error, "the schemes");
    study->schemes = more;
    unsigned times = 1;
    for (size_t i = 0; i < study->scheme_count; i++)
        times += more[i].settings.scheme == settings->scheme;
    struct encode_scheme *scheme = &more[study->scheme_count++];
    scheme->settings = *settings;
    scheme->settings.seed = study->seed;
    if (times == 1)
        snprintf(scheme->label, sizeof scheme->label, "%s", settings->scheme->name);
    else
        snprintf(scheme->label, sizeof scheme->label, "%.32s-%u", settings->scheme->name, times);
    return true;
}

/* Whether a scheme has anything to say about this input. */
static bool fits(const struct encode_study *study, const struct scheme *scheme)
{
    return scheme->form != SCHEME_CURRENT &&
           !(study->input.timeless && scheme->form == SCHEME_SIGNAL);
}

static bool check_form(const struct encode_study *study, const struct scheme *scheme,
                       struct error *error)
{
    if (scheme->form == SCHEME_CURRENT)
        return error_set(error, ERROR_MISUSED,
                         "%s is a current and makes no spikes: there is nothing to measure",
                         scheme->name);
    if (!fits(study, scheme))
        return error_set(error, ERROR_MISUSED,
                         "%s follows a signal through time, but %s holds values without time; "
                         "volley encode --list says which schemes take values",
                         scheme->name, utf8_tail(study->path));
    return true;
}

static bool add_all(struct encode_study *study, struct error *error)
{
    size_t length;
    const struct scheme *const *table = scheme_table(&length);
    for (size_t i = 0; i < length; i++) {
        struct scheme_settings settings;
        if (fits(study, table[i]) && (!scheme_parse(table[i]->name, &settings, error) ||
                                      !add_scheme(study, &settings, error)))
            return false;
    }
    return true;
}

/* Where the entry that begins at `text` ends: at a comma that is not followed by PARAMETER=. */
static const char *entry_end(const char *text)
{
    for (;;) {
        const char *comma = strchr(text, ',');
        if (comma == NULL)
            return text + strlen(text);
        if (comma[1 + strcspn(comma + 1, ",:=")] != '=')
            return comma;
        text = comma + 1;
    }
}

static bool add_entry(struct encode_study *study, const char *entry, struct error *error)
{
    struct scheme_settings settings;
    if (entry[strcspn(entry, ":=")] == '=')
        return error_set(error, ERROR_MISUSED,
                         "--scheme begins with a parameter, '%.60s': name its scheme before it, as "
                         "in NAME:PARAMETER=VALUE",
                         entry);
    return scheme_parse(entry, &settings, error) && check_form(study, settings.scheme, error) &&
           add_scheme(study, &settings, error);
}

bool encode_schemes_read(struct encode_study *study, const char *text, struct error *error)
{
    if (strcmp(text, "all") == 0)
        return add_all(study, error);
    for (;;) {
        const char *end = entry_end(text);
        char *entry = strndup(text, (size_t)(end - text));
        if (entry == NULL)
            return error_no_memory(error, "the schemes");
        bool added = add_entry(study, entry, error);
        free(entry);
        if (!added || *end == '\0')
            return added;
        text = end + 1;
    }
}
