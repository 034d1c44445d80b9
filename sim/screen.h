/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The screen of figures that `volley run` ends with and `volley report` prints again. */
#ifndef VOLLEY_SCREEN_H
#define VOLLEY_SCREEN_H

#include "sim/reference.h"
#include "traces/activity.h"
#include "traces/trace.h"

#include <jansson.h>
#include <stdio.h>

void screen_print(FILE *out, const struct report *report, const struct references *references);

/* What only the run itself knows, for --json; NULL where it does not apply. */
struct run_outcome {
    const char *text;       /* generated, NULL in a report */
    const char *end;        /* why it ended: "length", "end token", "signal" */
    uint64_t prompt_tokens, generated_tokens;
    double prompt_seconds, generate_seconds;
    uint64_t memory_bytes;  /* most resident memory of the process */
    bool scored;
    uint64_t scored_tokens, scored_characters;
    double bits;
};

/* The same figures as one JSON object. */
bool screen_print_json(FILE *out, const struct report *report, const struct references *references,
                       const struct run_outcome *outcome, struct error *error);

/* The same for a spiking network: activity [row_count] is how the populations of the report's rows
 * fired. What only the run itself knows is in `outcome`, NULL in a report. */
struct network_outcome {
    uint64_t samples, labelled, correct;
    double build_seconds, run_seconds;
    uint64_t memory_bytes;
};

void screen_network(FILE *out, const struct report *report, const struct references *references,
                    const struct activity_figures *activity, const struct network_outcome *outcome);
bool screen_network_json(FILE *out, const struct report *report,
                         const struct references *references,
                         const struct activity_figures *activity,
                         const struct network_outcome *outcome, struct error *error);

/* The table of energy, per `unit`. */
void screen_references(FILE *out, const struct references *references, const char *unit,
                       const char *trace);
/* The same as an object. */
json_t *screen_references_json(const struct references *references, bool *failed);

/* A count in four digits, with k, M, G, T or P: the exact numbers are in --json and the trace. */
enum { SCREEN_NUMBER = 32 };
const char *screen_counted(uint64_t number, char text[SCREEN_NUMBER]);
/* Energy in the unit that keeps it readable. */
const char *screen_joules(double picojoules, char text[SCREEN_NUMBER]);

#endif
