/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/reference.h"

#include "traces/energy/estimate.h"

static const char *const names[REFERENCES] = {
    [REFERENCE_IDEAL] = "ideal-45nm",
    [REFERENCE_SPIKES] = "event-45nm",
    [REFERENCE_INT8] = "int8-45nm",
    [REFERENCE_FP16] = "fp16-45nm",
};

static bool refer(const struct load *load, enum reference_chip which,
                  struct references *references, struct error *error)
{
    const struct estimate_options options = {.unplaced = true};
    const double picojoules = 1e12 / load_inferences(load);
    struct chip *chip = chip_open(names[which], error);
    struct estimate *estimate = chip != NULL ? estimate_new(load, chip, &options, error) : NULL;
    if (estimate != NULL) {
        references->of[which] = (struct reference){
            .chip = names[which],
            .arithmetic = estimate->joules[TERM_SYNOP] * picojoules,
            .memory = estimate->joules[TERM_MEMORY] * picojoules};
        double macs = 0, synops = 0;
        for (uint32_t r = 0; r < estimate->row_count; r++) {
            const struct estimate_events *events = &estimate->rows[r].events;
            macs += events->macs;
            for (int kind = 0; kind < 3; kind++)
                synops += events->synops[kind];
        }
        if (which == REFERENCE_INT8)
            references->weights = macs / load_inferences(load);
        if (which == REFERENCE_SPIKES)
            references->synops = synops / load_inferences(load);
    }
    estimate_free(estimate);
    chip_free(chip);
    return estimate != NULL;
}

bool references_of(const struct load *load, struct references *references, struct error *error)
{
    for (int which = 0; which < REFERENCES; which++)
        if (!refer(load, (enum reference_chip)which, references, error))
            return false;
    return true;
}
