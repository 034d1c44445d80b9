/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Encodes, decodes and measures: every scheme on every channel.
 *
 * A value belongs to one moment, whatever the form of the scheme: where values come every Δ seconds
 * and a scheme takes T ticks for each, a tick lasts Δ / T. So bits per second compare in real time.
 */
#include "sim/encode/encode.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "neurons/import/utf8.h"

void encode_study_free(struct encode_study *study)
{
    size_t count = study->scheme_count * study->input.channels;
    for (size_t i = 0; study->encoded != NULL && i < count; i++)
        packed_spikes_free(&study->encoded[i].spikes);
    for (size_t i = 0; study->decoded != NULL && i < count; i++)
        free(study->decoded[i]);
    free(study->encoded);
    free(study->decoded);
    free(study->schemes);
    free(study->channels);
    encode_input_free(&study->input);
    chip_free(study->chip);
    *study = (struct encode_study){0};
}

const char *encode_goal_name(const struct encode_study *study)
{
    return !study->goal.tunes ? NULL : study->goal.goal == TUNE_SNR ? "snr" : "information";
}

/* ---- ranges ---- */

static bool read_range(const char *text, double *low, double *high, struct error *error)
{
    char *middle, *end = NULL;
    *low = strtod(text, &middle);
    if (middle != text && *middle == ':')
        *high = strtod(middle + 1, &end);
    if (end == NULL || end == middle + 1 || *end != '\0' || !isfinite(*low) || !isfinite(*high) ||
        !(*low < *high) || !isfinite(*high - *low))
        return error_set(error, ERROR_MISUSED,
                         "--range takes LOW:HIGH, two numbers of which the first is the lower, not "
                         "'%.60s'",
                         text);
    return true;
}

/* The smallest and the largest value. */
static bool find_range(const struct encode_study *study, struct encoded_channel *channel,
                       struct error *error)
{
    channel->lowest = channel->highest = channel->values[0];
    for (size_t i = 1; i < study->input.length; i++) {
        double value = channel->values[i];
        channel->lowest = value < channel->lowest ? value : channel->lowest;
        channel->highest = value > channel->highest ? value : channel->highest;
    }
    if (channel->lowest == channel->highest)
        return error_set(error, ERROR_MISUSED,
                         "%s: channel %" PRIu32 " is %.9g throughout, which is no range; give one "
                         "by --range LOW:HIGH",
                         utf8_tail(study->path), channel->number, channel->lowest);
    if (!isfinite(channel->highest - channel->lowest))
        return error_set(error, ERROR_MISUSED,
                         "%s: channel %" PRIu32 " goes from %g to %g, too far to be divided by; "
                         "give a smaller range by --range LOW:HIGH",
                         utf8_tail(study->path), channel->number, channel->lowest,
                         channel->highest);
    return true;
}

/* RMS of the values; the largest is taken out first, so that no square overflows. */
static double rms_of(const double *values, size_t length)
{
    double largest = 0, sum = 0;
    for (size_t i = 0; i < length; i++)
        largest = fabs(values[i]) > largest ? fabs(values[i]) : largest;
    for (size_t i = 0; i < length && largest > 0; i++)
        sum += values[i] / largest * (values[i] / largest);
    return largest * sqrt(sum / (double)length);
}

bool encode_channels_make(struct encode_study *study, const char *range, struct error *error)
{
    const struct encode_input *input = &study->input;
    double low = 0, high = 0;
    if (range != NULL && !read_range(range, &low, &high, error))
        return false;
    study->channels = calloc(input->channels, sizeof *study->channels);
    if (study->channels == NULL)
        return error_no_memory(error, "the channels");
    for (uint32_t i = 0; i < input->channels; i++) {
        struct encoded_channel *channel = &study->channels[i];
        *channel = (struct encoded_channel){.number = input->first_channel + i,
                                            .lowest = low,
                                            .highest = high,
                                            .values = input->values + i * input->length};
        if (range == NULL && !find_range(study, channel, error))
            return false;
        channel->rms = rms_of(channel->values, input->length);
    }
    return true;
}

/* ---- one scheme, one channel ---- */

/* Memory that all of them share. */
struct measuring {
    struct encode_study *study;
    unsigned keep;
    double *x;       /* [length], scaled */
    double *decoded; /* [length], scaled */
    struct timed_spike *spikes; /* [room] */
    size_t room;
    struct error *error;
};

/* Tunes what may be tuned and was not given: to quality_tune a given parameter is one that is not
 * tuned. */
static bool tune(struct measuring *measuring, struct encoded *encoded)
{
    const struct encode_study *study = measuring->study;
    const struct scheme *scheme = encoded->settings.scheme;
    struct scheme held = *scheme;
    for (int i = 0; study->goal.tunes && held.parameters[i].name != NULL; i++) {
        held.parameters[i].tuned &= !(encoded->settings.given >> i & 1);
        encoded->tuned |= (uint32_t)held.parameters[i].tuned << i;
    }
    if (encoded->tuned == 0)
        return true;
    encoded->settings.scheme = &held;
    bool tuned = quality_tune(&encoded->settings, study->goal.goal, measuring->x,
                              study->input.length, &encoded->evaluations, measuring->error);
    encoded->settings.scheme = scheme;
    return tuned;
}

static bool make_room(struct measuring *measuring, const struct scheme_settings *settings)
{
    size_t room = scheme_room(settings, measuring->study->input.length);
    if (room <= measuring->room)
        return true;
    free(measuring->spikes);
    measuring->spikes = NULL;
    measuring->room = 0;
    if (room <= SIZE_MAX / sizeof *measuring->spikes)
        measuring->spikes = malloc(room * sizeof *measuring->spikes);
    if (measuring->spikes == NULL)
        return error_set(measuring->error, ERROR_FAILED,
                         "%s may make %zu spikes of %zu values, more than there is memory for; "
                         "encode fewer with --samples",
                         settings->scheme->name, room, measuring->study->input.length);
    measuring->room = room;
    return true;
}

/* A window of GROUP is one image, unless it was given. */
static void fit_window(const struct encode_input *input, struct scheme_settings *settings)
{
    const struct scheme *scheme = settings->scheme;
    int index = scheme_parameter(scheme, "neurons");
    if (!input->timeless || scheme->form != SCHEME_GROUP || index < 0 ||
        settings->given >> index & 1)
        return;
    if ((double)input->row >= scheme->parameters[index].low &&
        (double)input->row <= scheme->parameters[index].high)
        settings->parameter[index] = (double)input->row;
}

/* The receiver of changes begins at the first value, unless it was said where: one number beside the
 * range, which it must be told, too. */
static void begin_at_first(struct scheme_settings *settings, const double *x)
{
    int index = scheme_parameter(settings->scheme, "start");
    if (index < 0 || settings->given >> index & 1)
        return;
    const struct scheme_parameter *parameter = &settings->scheme->parameters[index];
    settings->parameter[index] = fmin(fmax(x[0], parameter->low), parameter->high);
    settings->given |= UINT32_C(1) << index;
}

static bool keep(struct measuring *measuring, struct encoded *encoded, size_t count, double **kept)
{
    size_t length = measuring->study->input.length;
    const struct scheme_settings *settings = &encoded->settings;
    if ((measuring->keep & KEEP_SPIKES) != 0 &&
        !packed_spikes_make(&encoded->spikes, measuring->spikes, count, scheme_neurons(settings),
                            measuring->error))
        return false;
    if ((measuring->keep & KEEP_DECODED) == 0)
        return true;
    *kept = malloc(length * sizeof **kept);
    if (*kept == NULL)
        return error_no_memory(measuring->error, "a decoded signal");
    scheme_unscale(settings, measuring->decoded, length, *kept);
    return true;
}

static bool measure_one(struct measuring *measuring, struct encoded *encoded, double **kept)
{
    const struct encode_study *study = measuring->study;
    const struct encoded_channel *channel = &study->channels[encoded->channel];
    struct scheme_settings *settings = &encoded->settings;
    size_t length = study->input.length;
    settings->lowest = channel->lowest;
    settings->highest = channel->highest;
    settings->owner = channel->number;
    fit_window(&study->input, settings);
    scheme_scale(settings, channel->values, length, measuring->x);
    begin_at_first(settings, measuring->x);
    if (!scheme_check(settings, measuring->error) || !tune(measuring, encoded) ||
        !make_room(measuring, settings))
        return false;
    const struct scheme *scheme = settings->scheme;
    size_t count = scheme->encode(settings, measuring->x, length, 0, measuring->spikes);
    scheme->decode(settings, measuring->spikes, count, length, measuring->decoded);
    double tick = study->input.interval_seconds / scheme_ticks(settings);
    if (!quality_of(settings, measuring->x, measuring->decoded, length, measuring->spikes, count,
                    tick, &encoded->quality, measuring->error))
        return false;
    if (study->chip != NULL) {
        encoded->chip = study->chip->name;
        encoded->joules = encode_energy(study->chip, measuring->spikes, count);
    }
    return keep(measuring, encoded, count, kept);
}

/* ---- all of them ---- */

static bool measure_all(struct measuring *measuring)
{
    struct encode_study *study = measuring->study;
    uint32_t channels = study->input.channels;
    for (size_t s = 0; s < study->scheme_count; s++)
        for (uint32_t c = 0; c < channels; c++) {
            size_t i = s * channels + c;
            double *kept = NULL;
            struct encoded *encoded = &study->encoded[i];
            *encoded = (struct encoded){.place = (uint32_t)s,
                                        .label = study->schemes[s].label,
                                        .channel = c,
                                        .settings = study->schemes[s].settings};
            bool measured = measure_one(measuring, encoded, &kept);
            if (study->decoded != NULL)
                study->decoded[i] = kept;
            if (!measured)
                return false;
        }
    return true;
}

bool encode_measure(struct encode_study *study, unsigned keep_what, struct error *error)
{
    size_t length = study->input.length, count = study->scheme_count * study->input.channels;
    struct measuring measuring = {.study = study,
                                  .keep = keep_what,
                                  .x = malloc(length * sizeof *measuring.x),
                                  .decoded = malloc(length * sizeof *measuring.decoded),
                                  .error = error};
    bool decodes = (keep_what & KEEP_DECODED) != 0;
    study->encoded = calloc(count, sizeof *study->encoded);
    study->decoded = decodes ? calloc(count, sizeof *study->decoded) : NULL;
    bool good = (measuring.x != NULL && measuring.decoded != NULL && study->encoded != NULL &&
                 (!decodes || study->decoded != NULL)) ||
                error_no_memory(error, "the signals");
    good = good && measure_all(&measuring);
    free(measuring.x);
    free(measuring.decoded);
    free(measuring.spikes);
    return good;
}

/* ---- figures ---- */

const char *const encode_figure_names[] = {
    [FIGURE_SPIKES] = "spikes",
    [FIGURE_DENSITY] = "density",
    [FIGURE_SNR] = "snr_db",
    [FIGURE_RMSE] = "rmse",
    [FIGURE_TICKS] = "ticks",
    [FIGURE_SETTLING] = "settling_ticks",
    [FIGURE_BITS_PER_VALUE] = "bits_per_value",
    [FIGURE_BITS_PER_SPIKE] = "bits_per_spike",
    [FIGURE_BITS_PER_SECOND] = "bits_per_second",
    [FIGURE_LINK_BITS] = "link_bits",
    [FIGURE_JOULES] = "joules",
};

double encode_figure_of(const struct encoded *encoded, enum encode_figure figure)
{
    const struct quality *quality = &encoded->quality;
    switch (figure) {
    case FIGURE_SPIKES: return (double)quality->spikes;
    case FIGURE_DENSITY: return quality->density;
    case FIGURE_SNR: return quality->snr;
    case FIGURE_RMSE: return quality->rmse;
    case FIGURE_TICKS: return (double)quality->ticks;
    case FIGURE_SETTLING: return quality->settling;
    case FIGURE_BITS_PER_VALUE: return quality->information;
    case FIGURE_BITS_PER_SPIKE: return quality->information_per_spike;
    case FIGURE_BITS_PER_SECOND: return quality->information_per_second;
    case FIGURE_LINK_BITS: return quality->link_bits;
    case FIGURE_JOULES: return encoded->chip != NULL ? encoded->joules : NAN;
    case ENCODE_FIGURES: break;
    }
    return NAN;
}

static double mean_over(const struct encode_study *study, size_t scheme, enum encode_figure figure)
{
    uint32_t channels = study->input.channels, known = 0;
    double sum = 0;
    for (uint32_t c = 0; c < channels; c++) {
        double value = encode_figure_of(&study->encoded[scheme * channels + c], figure);
        if (isnan(value))
            continue;
        sum += value;
        known++;
    }
    return known > 0 ? sum / known : NAN;
}

/* RMS over all channels, which have one length, each in units of its range: of the errors of a
 * scheme, or of the signal itself. */
static double rms_together(const struct encode_study *study, const struct encoded *encoded)
{
    uint32_t channels = study->input.channels;
    double sum = 0;
    for (uint32_t c = 0; c < channels; c++) {
        const struct encoded_channel *channel = &study->channels[c];
        double rms = encoded != NULL ? encoded[c].quality.rmse
                                     : channel->rms / (channel->highest - channel->lowest);
        sum += rms * rms;
    }
    return sqrt(sum / channels);
}

double encode_overall(const struct encode_study *study, size_t scheme, enum encode_figure figure)
{
    if (study->input.channels == 1)
        return encode_figure_of(&study->encoded[scheme], figure);
    if (figure != FIGURE_SNR && figure != FIGURE_RMSE)
        return mean_over(study, scheme, figure);
    double noise = rms_together(study, &study->encoded[scheme * study->input.channels]);
    if (figure == FIGURE_RMSE)
        return noise;
    return noise == 0 ? INFINITY : 20 * log10(rms_together(study, NULL) / noise);
}

bool encode_on_front(const struct encode_study *study, size_t scheme)
{
    double spikes = encode_overall(study, scheme, FIGURE_SPIKES);
    double rmse = encode_overall(study, scheme, FIGURE_RMSE); /* lower: a higher SNR */
    for (size_t s = 0; s < study->scheme_count; s++) {
        double other_spikes = encode_overall(study, s, FIGURE_SPIKES);
        double other_rmse = encode_overall(study, s, FIGURE_RMSE);
        if (other_spikes <= spikes && other_rmse <= rmse &&
            (other_spikes < spikes || other_rmse < rmse))
            return false;
    }
    return true;
}
