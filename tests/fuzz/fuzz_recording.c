/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Fuzzing the readers of recordings. The first byte chooses the options, the name's ending and a
 * scheme; the rest is the file. Any bytes are refused with a sentence, or open, and then every
 * sample is read, encoded if the scheme can, or refused; what is read is finite, in order and in
 * range.
 */
#include "neurons/import/recording/recording.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

enum { SAMPLES = 20 };

static void spikes_check(uint64_t neurons, const struct sample *sample)
{
    for (uint64_t i = 0; i < sample->spike_count; i++) {
        struct timed_spike spike = sample->spikes[i];
        if (spike.tick < 0 || spike.tick >= sample->ticks || spike.neuron >= neurons ||
            spike.payload == 0)
            abort();
        struct timed_spike before = sample->spikes[i > 0 ? i - 1 : 0];
        if (i > 0 && (spike.tick < before.tick ||
                      (spike.tick == before.tick && spike.neuron <= before.neuron)))
            abort();
    }
}

static void sample_check(const struct recording *recording, uint64_t index,
                         const struct scheme_settings *scheme, struct sample *sample)
{
    struct error error = {0};
    bool read = recording_sample(recording, index, scheme, sample, &error);
    if (read == (error.code != ERROR_NONE) || (read && sample->ticks > recording->ticks &&
                                               recording->content != RECORDING_VALUES))
        abort();
    if (!read)
        return;
    spikes_check(scheme != NULL ? recording_inputs(recording, scheme) : recording->neurons, sample);
    uint64_t values = (uint64_t)sample->ticks * recording->neurons;
    for (uint64_t i = 0; sample->values != NULL && i < values; i++)
        if (!isfinite(sample->values[i]) && scheme == NULL)
            abort();
}

/* Every scheme, settled for the recording or refused; where it is refused, or there is no need of
 * one, what is there is read as it is. */
static void recording_check(const struct recording *recording, unsigned choice)
{
    size_t length;
    const struct scheme *const *table = scheme_table(&length);
    struct scheme_settings settings;
    struct error error = {0};
    if (!scheme_parse(table[(choice >> 3) % length]->name, &settings, &error))
        abort();
    bool settled = recording_settle_scheme(recording, 1 + (choice >> 6), &settings, &error);
    if (settled == (error.code != ERROR_NONE))
        abort();
    const struct scheme_settings *scheme = settled ? &settings : NULL;
    struct sample sample = {0};
    recording_is_spiking(recording);
    if (recording->samples == 0 || recording->neurons == 0)
        abort();
    for (uint64_t i = 0; i < recording->samples && i < SAMPLES; i++)
        sample_check(recording, i, scheme, &sample);
    sample_check(recording, recording->samples - 1, scheme, &sample);
    sample_check(recording, 0, NULL, &sample);
    sample_free(&sample);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static const char *const endings[] = {"fuzz", "fuzz.csv", "fuzz.bin", "fuzz.npy"};
    if (length == 0)
        return 0;
    unsigned choice = bytes[0];
    struct recording_options options = {.tick_seconds = 1e-3, .timeless = (choice & 4) != 0,
                                        .population = choice == 255 ? "a" : NULL};
    struct error error = {0};
    struct recording *recording = recording_open_memory(endings[choice & 3], bytes + 1, length - 1,
                                                        &options, &error);
    if ((recording == NULL) != (error.code != ERROR_NONE))
        abort();
    if (recording != NULL)
        recording_check(recording, choice);
    recording_close(recording);
    return 0;
}
