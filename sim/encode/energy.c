/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Joules of spikes by themselves. What they cause behind the core they arrive at (synapses,
 * neurons), how far they travel and what the chip takes at rest is the network's, not the
 * encoding's: `volley energy` counts it.
 */
#include "sim/encode/encode.h"

#include <string.h>

static const struct {
    enum chip_figure figure;
    const char *name;
} terms[] = {
    {CHIP_SPIKE, "firing"},
    {CHIP_CONTROL_SPIKE, "control"},
    {CHIP_MESSAGE_OUT, "messages leaving"},
    {CHIP_MESSAGE_IN, "messages arriving"},
};

enum { ENERGY_TERMS = sizeof terms / sizeof *terms };

static bool counts(const struct chip *chip, int term)
{
    const struct coefficient *coefficient = &chip->figure[terms[term].figure];
    return coefficient->given && coefficient->scope == SCOPE_PER_TERM;
}

bool encode_energy_check(const struct chip *chip, struct error *error)
{
    for (int i = 0; i < ENERGY_TERMS; i++)
        if (counts(chip, i))
            return true;
    return error_set(error, ERROR_MISUSED,
                     "chip %s has no per-term figure of firing a spike or sending a message, so it "
                     "does not say what spikes cost without synapses",
                     chip->name);
}

/* What is fired on the chip: where a spike carries no payload, as many as its payload says. */
static double fired(const struct chip *chip, const struct timed_spike *spikes, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count && !chip->graded; i++)
        sum += spikes[i].payload < 0 ? -(double)spikes[i].payload : spikes[i].payload;
    return chip->graded ? (double)count : sum;
}

double encode_energy(const struct chip *chip, const struct timed_spike *spikes, size_t count)
{
    double each = 0;
    for (int i = 0; i < ENERGY_TERMS; i++)
        if (counts(chip, i))
            each += chip->figure[terms[i].figure].value;
    return each * fired(chip, spikes, count);
}

const char *encode_energy_terms(const struct chip *chip, char text[128])
{
    text[0] = '\0';
    for (int i = 0; i < ENERGY_TERMS; i++)
        if (counts(chip, i)) {
            size_t used = strlen(text);
            snprintf(text + used, 128 - used, "%s%s", used > 0 ? ", " : "", terms[i].name);
        }
    return text;
}
