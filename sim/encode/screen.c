/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A study in tables of eighty columns. */
#include "sim/encode/encode.h"

#include <inttypes.h>
#include <math.h>

#include "sim/columns.h"

enum { NAME_WIDTH = 19, LINE_TEXT = 400 };

/* A column of a table. */
struct column {
    enum encode_figure figure;
    const char *title;
    int width;
    enum { STYLE_COUNT, STYLE_PLAIN, STYLE_DECIBELS, STYLE_QUANTITY } style;
    const char *unit; /* of a quantity */
};

static const struct column kept[] = {
    {FIGURE_SPIKES, "spikes", 10, STYLE_COUNT, NULL},
    {FIGURE_DENSITY, "density", 11, STYLE_PLAIN, NULL},
    {FIGURE_SNR, "SNR dB", 8, STYLE_DECIBELS, NULL},
    {FIGURE_RMSE, "RMSE", 10, STYLE_PLAIN, NULL},
    {FIGURE_TICKS, "ticks", 11, STYLE_COUNT, NULL},
    {FIGURE_SETTLING, "settling", 11, STYLE_COUNT, NULL}, /* last: images have none */
};

static const struct column said[] = {
    {FIGURE_BITS_PER_VALUE, "bits/value", 12, STYLE_PLAIN, NULL},
    {FIGURE_BITS_PER_SPIKE, "bits/spike", 12, STYLE_PLAIN, NULL},
    {FIGURE_BITS_PER_SECOND, "bits/s", 12, STYLE_QUANTITY, ""},
    {FIGURE_LINK_BITS, "link bits", 12, STYLE_QUANTITY, ""},
    {FIGURE_JOULES, "energy", 12, STYLE_QUANTITY, "J"}, /* last: only with a chip */
};

enum { KEPT = sizeof kept / sizeof *kept, SAID = sizeof said / sizeof *said };

/* ---- cells ---- */

static void print_cell(FILE *out, const struct column *column, double value)
{
    char text[COLUMNS_TEXT];
    if (column->style == STYLE_QUANTITY)
        columns_quantity(value, column->unit, text);
    else if (isnan(value))
        snprintf(text, sizeof text, "-");
    else if (column->style == STYLE_DECIBELS && isinf(value))
        snprintf(text, sizeof text, value > 0 ? "exact" : "-inf");
    else if (column->style == STYLE_DECIBELS)
        snprintf(text, sizeof text, "%.2f", fabs(value) < 0.005 ? 0 : value); /* no "-0.00" */
    else if (column->style == STYLE_COUNT && value < 1e9)
        snprintf(text, sizeof text, "%.0f", value);
    else
        snprintf(text, sizeof text, "%.4g", value);
    columns_cell(out, -column->width, text);
}

static void print_table(FILE *out, const struct encode_study *study, const struct column *columns,
                        int count, bool each)
{
    uint32_t channels = study->input.channels;
    columns_cell(out, NAME_WIDTH, "scheme");
    for (int i = 0; i < count; i++)
        columns_cell(out, -columns[i].width, columns[i].title);
    putc('\n', out);
    for (size_t s = 0; s < study->scheme_count; s++) {
        putc(encode_on_front(study, s) ? '*' : ' ', out);
        columns_cell(out, NAME_WIDTH - 1, study->schemes[s].label);
        for (int i = 0; i < count; i++)
            print_cell(out, &columns[i], encode_overall(study, s, columns[i].figure));
        putc('\n', out);
        for (uint32_t c = 0; each && channels > 1 && c < channels; c++) {
            char name[32];
            snprintf(name, sizeof name, "   channel %" PRIu32, study->channels[c].number);
            columns_cell(out, NAME_WIDTH, name);
            for (int i = 0; i < count; i++)
                print_cell(out, &columns[i],
                           encode_figure_of(&study->encoded[s * channels + c], columns[i].figure));
            putc('\n', out);
        }
    }
}

/* ---- what it was ---- */

static void print_head(FILE *out, const struct encode_study *study)
{
    const struct encode_input *input = &study->input;
    char text[LINE_TEXT], rate[COLUMNS_TEXT];
    uint64_t count = input->timeless ? input->length / input->row : input->length;
    int used = snprintf(text, sizeof text, "%" PRIu64 " %s", count,
                        input->timeless ? count == 1 ? "sample" : "samples"
                        : count == 1    ? "value"
                                        : "values");
    if (input->timeless)
        used += snprintf(text + used, sizeof text - (size_t)used, " of %" PRIu64 " values",
                         input->row);
    if (input->channels > 1)
        used += snprintf(text + used, sizeof text - (size_t)used,
                         " in each of %" PRIu32 " channels", input->channels);
    if (input->interval_seconds > 0)
        used += snprintf(text + used, sizeof text - (size_t)used, ", %s",
                         columns_quantity(1 / input->interval_seconds, "Hz", rate));
    double low = study->channels[0].lowest, high = study->channels[0].highest;
    bool alike = true;
    for (uint32_t c = 1; c < input->channels; c++)
        alike &= study->channels[c].lowest == low && study->channels[c].highest == high;
    if (alike)
        snprintf(text + used, sizeof text - (size_t)used, "; range %.6g ... %.6g", low, high);
    else
        snprintf(text + used, sizeof text - (size_t)used,
                 "; each in the range of its own values");
    columns_paragraph(out, "", 0, study->path);
    columns_paragraph(out, "", 0, text);
}

/* ---- notes ---- */

/* A parameter over the channels: tuning gives each its own. */
static int parameter_text(const struct encode_study *study, size_t scheme, int index, char *text,
                          size_t room)
{
    uint32_t channels = study->input.channels;
    const struct encoded *encoded = &study->encoded[scheme * channels];
    const struct scheme_parameter *parameter = &encoded->settings.scheme->parameters[index];
    double low = encoded->settings.parameter[index], high = low;
    for (uint32_t c = 1; c < channels; c++) {
        double value = encoded[c].settings.parameter[index];
        low = value < low ? value : low;
        high = value > high ? value : high;
    }
    int used = snprintf(text, room, "%s=%.6g", parameter->name, low);
    if (high > low)
        used += snprintf(text + used, room - (size_t)used, "...%.6g", high);
    if (encoded->tuned >> index & 1)
        used += snprintf(text + used, room - (size_t)used, " (tuned)");
    return used;
}

static void print_parameters(FILE *out, const struct encode_study *study)
{
    fputs("\nparameters\n", out);
    for (size_t s = 0; s < study->scheme_count; s++) {
        char text[LINE_TEXT] = "", lead[ENCODE_LABEL + 4];
        size_t used = 0;
        const struct scheme *scheme = study->schemes[s].settings.scheme;
        for (int i = 0; scheme->parameters[i].name != NULL && used + 100 < sizeof text; i++) {
            used += (size_t)snprintf(text + used, sizeof text - used, "%s", i > 0 ? ", " : "");
            used += (size_t)parameter_text(study, s, i, text + used, sizeof text - used);
        }
        snprintf(lead, sizeof lead, " %-*s", NAME_WIDTH - 1, study->schemes[s].label);
        columns_paragraph(out, lead, NAME_WIDTH, used > 0 ? text : "none");
    }
}

static void print_note(FILE *out, const char *name, const char *text)
{
    char lead[32];
    snprintf(lead, sizeof lead, " %-*s", NAME_WIDTH - 1, name);
    columns_paragraph(out, lead, NAME_WIDTH, text);
}

/* Whether a scheme here begins at the first value by itself. */
static bool any_start(const struct encode_study *study)
{
    for (size_t i = 0; i < study->scheme_count; i++) {
        const struct scheme_settings *settings = &study->schemes[i].settings;
        int index = scheme_parameter(settings->scheme, "start");
        if (index >= 0 && (settings->given >> index & 1) == 0)
            return true;
    }
    return false;
}

static void print_notes(FILE *out, const struct encode_study *study)
{
    fputs("\nwhat is measured\n", out);
    if (study->scheme_count > 1)
        print_note(out, "*", "no other scheme here has a higher SNR with as few spikes, or fewer "
                             "spikes with as high an SNR");
    if (study->input.channels > 1)
        print_note(out, "figures", "of one channel, mean over all; SNR and RMSE of the values of all "
                                   "channels together");
    print_note(out, "SNR", "of the signal in its own units, mean included, against what the spikes "
                           "alone decode to");
    print_note(out, "RMSE", "of the same in units of the range");
    if (!study->input.timeless)
        print_note(out, "settling", "ticks until decoded has come to 90 % of the way to the last "
                                    "value for good");
    print_note(out, "bits", "mutual information of values and decoded, one by one, in bins of equal "
                            "frequency with Miller and Madow's correction");
    if (study->input.interval_seconds > 0)
        print_note(out, "bits/s", "in real time: a scheme of T ticks a value has T ticks in each "
                                  "interval");
    print_note(out, "link bits", "a message for each spike: address, sign, payload where it has one");
    if (study->chip != NULL) {
        char terms[128], text[LINE_TEXT];
        snprintf(text, sizeof text,
                 "of the spikes on %.40s, each sent to one core: %s; no synapses, hops or leakage%s",
                 study->chip->name, encode_energy_terms(study->chip, terms),
                 study->chip->graded ? "" : "; a payload p is |p| spikes there");
        print_note(out, "energy", text);
    }
    if (any_start(study))
        print_note(out, "start", "where it was not given: the first value of each channel, which the "
                                 "receiver is told, as the range is");
    if (study->goal.tunes)
        print_note(out, "tuned",
                   study->goal.goal == TUNE_SNR
                       ? "each channel by itself, for the highest SNR"
                       : "each channel by itself, for the most information per spike beyond chance");
}

void encode_screen(FILE *out, const struct encode_study *study, bool channels)
{
    print_head(out, study);
    putc('\n', out);
    print_table(out, study, kept, study->input.timeless ? KEPT - 1 : KEPT, channels);
    putc('\n', out);
    print_table(out, study, said, study->chip != NULL ? SAID : SAID - 1, channels);
    print_parameters(out, study);
    print_notes(out, study);
}
