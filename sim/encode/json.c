/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A study for scripts: as one JSON object, and as CSV (RFC 4180). */
#include "sim/encode/encode.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sim/figures_json.h"

/* ---- JSON ---- */

static void set_number(json_t *object, const char *key, double value, bool *failed)
{
    figures_set(object, key, figures_number(value), failed);
}

static void set_text(json_t *object, const char *key, const char *text, bool *failed)
{
    figures_set(object, key, figures_text(text), failed);
}

static void set_count(json_t *object, const char *key, uint64_t value, bool *failed)
{
    figures_set(object, key,
                json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value), failed);
}

/* An exact reconstruction has no number of decibels: null, and "exact" beside it. */
static void set_exactness(json_t *object, double rmse, bool *failed)
{
    figures_set(object, "exact", json_boolean(rmse == 0), failed);
}

static bool is_count(enum encode_figure figure)
{
    return figure == FIGURE_SPIKES || figure == FIGURE_TICKS;
}

static json_t *channel_object(const struct encode_study *study, const struct encoded *encoded,
                              bool *failed)
{
    const struct encoded_channel *channel = &study->channels[encoded->channel];
    const struct scheme_settings *settings = &encoded->settings;
    json_t *object = json_object(), *parameters = json_object(), *tuned = json_array();
    char *text = scheme_text(settings);
    set_count(object, "channel", channel->number, failed);
    set_number(object, "lowest", channel->lowest, failed);
    set_number(object, "highest", channel->highest, failed);
    figures_set(object, "settings", text != NULL ? json_string(text) : NULL, failed);
    free(text);
    for (int i = 0; settings->scheme->parameters[i].name != NULL; i++) {
        const char *name = settings->scheme->parameters[i].name;
        set_number(parameters, name, settings->parameter[i], failed);
        if ((encoded->tuned >> i & 1) != 0 && json_array_append_new(tuned, json_string(name)) != 0)
            *failed = true;
    }
    figures_set(object, "parameters", parameters, failed);
    figures_set(object, "tuned", tuned, failed);
    set_count(object, "evaluations", encoded->evaluations, failed);
    for (int i = 0; i < ENCODE_FIGURES; i++) {
        double value = encode_figure_of(encoded, (enum encode_figure)i);
        if (is_count((enum encode_figure)i))
            set_count(object, encode_figure_names[i], (uint64_t)value, failed);
        else
            set_number(object, encode_figure_names[i], value, failed);
    }
    set_exactness(object, encoded->quality.rmse, failed);
    return object;
}

static json_t *scheme_object(const struct encode_study *study, size_t s, bool *failed)
{
    const struct scheme_settings *settings = &study->encoded[s * study->input.channels].settings;
    json_t *object = json_object(), *overall = json_object(), *channels = json_array();
    set_text(object, "label", study->schemes[s].label, failed);
    set_text(object, "scheme", settings->scheme->name, failed);
    set_text(object, "form", encoding_form_names[settings->scheme->form], failed);
    set_count(object, "neurons", scheme_neurons(settings), failed);
    set_count(object, "ticks_per_value", scheme_ticks(settings), failed);
    figures_set(object, "front", json_boolean(encode_on_front(study, s)), failed);
    for (int i = 0; i < ENCODE_FIGURES; i++)
        set_number(overall, encode_figure_names[i], encode_overall(study, s, (enum encode_figure)i),
                   failed);
    set_exactness(overall, encode_overall(study, s, FIGURE_RMSE), failed);
    figures_set(object, "overall", overall, failed);
    for (uint32_t c = 0; c < study->input.channels; c++)
        if (json_array_append_new(
                channels, channel_object(study, &study->encoded[s * study->input.channels + c],
                                         failed)) != 0)
            *failed = true;
    figures_set(object, "channels", channels, failed);
    return object;
}

bool encode_json(FILE *out, const struct encode_study *study, struct error *error)
{
    const struct encode_input *input = &study->input;
    json_t *root = json_object(), *schemes = json_array();
    bool failed = false;
    set_text(root, "file", study->path, &failed);
    figures_set(root, "timeless", json_boolean(input->timeless), &failed);
    set_count(root, "first", input->first, &failed);
    set_count(root, "row", input->row, &failed);
    set_count(root, "length", input->length, &failed);
    set_count(root, "channels", input->channels, &failed);
    set_number(root, "interval_seconds",
               input->interval_seconds > 0 ? input->interval_seconds : NAN, &failed);
    set_count(root, "seed", study->seed, &failed);
    set_text(root, "goal", encode_goal_name(study), &failed);
    set_text(root, "chip", study->chip != NULL ? study->chip->name : NULL, &failed);
    for (size_t s = 0; s < study->scheme_count; s++)
        if (json_array_append_new(schemes, scheme_object(study, s, &failed)) != 0)
            failed = true;
    figures_set(root, "schemes", schemes, &failed);
    return figures_print(out, root, failed, error);
}

/* ---- CSV ---- */

/* A text as a field: in quotes, as settings have commas. */
static void print_field(FILE *out, const char *text)
{
    putc('"', out);
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '"')
            putc('"', out);
        putc(*c, out);
    }
    putc('"', out);
}

static bool print_line(FILE *out, const struct encode_study *study, const struct encoded *encoded)
{
    const struct encoded_channel *channel = &study->channels[encoded->channel];
    char *text = scheme_text(&encoded->settings);
    if (text == NULL)
        return false;
    fprintf(out, "%s,%s,", encoded->label, encoded->settings.scheme->name);
    print_field(out, text);
    fprintf(out, ",%" PRIu32 ",%.17g,%.17g", channel->number, channel->lowest, channel->highest);
    free(text);
    for (int i = 0; i < ENCODE_FIGURES; i++) {
        double value = encode_figure_of(encoded, (enum encode_figure)i);
        putc(',', out);
        if (!isnan(value))
            fprintf(out, "%.17g", value);
    }
    putc('\n', out);
    return true;
}

bool encode_csv(FILE *out, const struct encode_study *study, struct error *error)
{
    fputs("label,scheme,settings,channel,lowest,highest", out);
    for (int i = 0; i < ENCODE_FIGURES; i++)
        fprintf(out, ",%s", encode_figure_names[i]);
    putc('\n', out);
    for (size_t i = 0; i < study->scheme_count * study->input.channels; i++)
        if (!print_line(out, study, &study->encoded[i]))
            return error_no_memory(error, "the figures");
    return true;
}
