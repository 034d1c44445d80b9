/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The figures of a spiking network: how its populations fired, and what that came to. */
#include "sim/screen.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sim/figures_json.h"

/* A figure in a column of its own width; a dash where it cannot be said. */
static void print_figure(FILE *out, int width, int digits, double value)
{
    if (isfinite(value))
        fprintf(out, " %*.*f", width, digits, value);
    else
        fprintf(out, " %*s", width, "-");
}

static double seconds_of(const struct report *report)
{
    return (double)report->ticks * report->tick_seconds;
}

/* Spikes with their payloads as numbers: those of a Poisson source that fell into one tick count
 * one by one. A run that was killed has left no histogram: then each spike is one. */
static double events_of(const struct population_tally *tally)
{
    double events = 0;
    for (int count = -TALLY_HISTOGRAM; count <= TALLY_HISTOGRAM; count++)
        events += abs(count) * (double)tally->histogram[count + TALLY_HISTOGRAM];
    return events > 0 ? events : (double)tally->spikes;
}

/* Where nothing else is known of a population, its rate is. */
static struct activity_figures row_figures(const struct report *report,
                                           const struct activity_figures *activity, uint32_t i)
{
    const struct report_row *row = &report->rows[i];
    struct activity_figures figures = activity[i];
    if (!isfinite(figures.rate))
        figures.rate = events_of(&row->tally) / (row->neurons * seconds_of(report));
    return figures;
}

static void print_rows(FILE *out, const struct report *report,
                       const struct activity_figures *activity)
{
    struct population_tally total = {0};
    char spikes[SCREEN_NUMBER], synops[SCREEN_NUMBER];
    fprintf(out, "population      neurons  rate Hz CV ISI synchr.   corr.  never  spikes  synops\n");
    for (uint32_t i = 0; i < report->row_count; i++) {
        const struct report_row *row = &report->rows[i];
        struct activity_figures f = row_figures(report, activity, i);
        fprintf(out, "%-15.15s %7u", row->name, row->neurons);
        print_figure(out, 8, f.rate < 9.9995 ? 3 : 2, f.rate);
        print_figure(out, 6, 3, f.cv_mean);
        print_figure(out, 7, 2, f.synchrony);
        print_figure(out, 7, 4, f.correlation);
        print_figure(out, 5, 1, 100 * f.silent_fraction);
        fprintf(out, "%s %7s %7s\n", isfinite(f.silent_fraction) ? "%" : " ",
                screen_counted(row->tally.spikes, spikes),
                screen_counted(row->tally.synops, synops));
        population_tally_add(&total, &row->tally);
    }
    fprintf(out, "%-61s %7s %7s\n", "all", screen_counted(total.spikes, spikes),
            screen_counted(total.synops, synops));
}

static uint64_t all_of(const struct report *report, bool synops)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < report->row_count; i++)
        sum += synops ? report->rows[i].tally.synops : report->rows[i].tally.spikes;
    return sum;
}

/* Weights that values met: multiply-accumulates, as values are no spikes. */
static uint64_t value_macs(const struct report *report)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < report->projection_count; i++)
        sum += report->projections[i].spiking ? 0 : report->projections[i].synops;
    return sum;
}

static void print_energy(FILE *out, const struct report *report,
                         const struct references *references, double samples)
{
    char values[SCREEN_NUMBER];
    double synops = (double)all_of(report, true) / samples;
    double analog = (double)value_macs(report) / samples;
    fprintf(out, "\n%s: %.0f spikes, %.0f synops", samples > 1 ? "per sample" : "in all",
            (double)all_of(report, false) / samples, synops);
    if (analog > 0)
        fprintf(out, ", %s weights met by values", screen_counted((uint64_t)analog, values));
    fprintf(out, "\n");
    screen_references(out, references, samples > 1 ? "sample" : "run", report->trace);
}

static void print_outcome(FILE *out, const struct report *report,
                          const struct network_outcome *outcome)
{
    double simulated = seconds_of(report);
    if (outcome->labelled > 0)
        fprintf(out, "accuracy: %.2f%% (%llu of %llu samples)\n",
                100 * (double)outcome->correct / (double)outcome->labelled,
                (unsigned long long)outcome->correct, (unsigned long long)outcome->labelled);
    fprintf(out, "speed: built %.2f s, ran %.2f s", outcome->build_seconds,
            outcome->run_seconds);
    if (simulated > 0 && outcome->run_seconds > 0)
        fprintf(out, " (%.3g x real time, %.3g synops/s)", outcome->run_seconds / simulated,
                (double)all_of(report, true) / outcome->run_seconds);
    fprintf(out, ", %.0f MiB\n", (double)outcome->memory_bytes / (1 << 20));
}

/* A short time in the unit that fits. */
static const char *duration_text(double seconds, char text[SCREEN_NUMBER])
{
    static const char *const units[] = {"s", "ms", "us", "ns"};
    int unit = 0;
    for (; seconds < 0.0999 && unit < 3; unit++)
        seconds *= 1000;
    snprintf(text, SCREEN_NUMBER, "%.6g %s", seconds, units[unit]);
    return text;
}

void screen_network(FILE *out, const struct report *report, const struct references *references,
                    const struct activity_figures *activity, const struct network_outcome *outcome)
{
    double samples = report->positions > 1 ? (double)report->positions : 1;
    char tick[SCREEN_NUMBER];
    fprintf(out, "%s: ", report->model != NULL ? report->model : "(unnamed)");
    if (samples > 1)
        fprintf(out, "%.0f samples, ", samples);
    fprintf(out, "%llu ticks of %s = %g s", (unsigned long long)report->ticks,
            duration_text(report->tick_seconds, tick), seconds_of(report));
    if (report->status != NULL && strcmp(report->status, "done") != 0)
        fprintf(out, " (%s)", report->status);
    fprintf(out, "\n\n");
    print_rows(out, report, activity);
    print_energy(out, report, references, samples);
    if (outcome != NULL)
        print_outcome(out, report, outcome);
}

/* ---- as JSON ---- */

static json_t *row_object(const struct report *report, const struct activity_figures *activity,
                          uint32_t i, bool *failed)
{
    const struct report_row *row = &report->rows[i];
    struct activity_figures f = row_figures(report, activity, i);
    json_t *item = json_object();
    figures_set(item, "population", figures_text(row->name), failed);
    figures_set(item, "neurons", json_integer(row->neurons), failed);
    figures_set(item, "rate_hz", figures_number(f.rate), failed);
    figures_set(item, "cv_isi", figures_number(f.cv_mean), failed);
    figures_set(item, "cv_isi_median", figures_number(f.cv_median), failed);
    figures_set(item, "synchrony", figures_number(f.synchrony), failed);
    figures_set(item, "correlation", figures_number(f.correlation), failed);
    figures_set(item, "never_fired", figures_number(f.silent_fraction), failed);
    figures_set(item, "spikes", json_integer((json_int_t)row->tally.spikes), failed);
    figures_set(item, "synops", json_integer((json_int_t)row->tally.synops), failed);
    figures_set(item, "silent_fraction", figures_number(sparsity_of(&row->tally).silent_fraction),
                failed);
    return item;
}

static void set_outcome(json_t *root, const struct network_outcome *outcome, bool *failed)
{
    figures_set(root, "samples", json_integer((json_int_t)outcome->samples), failed);
    if (outcome->labelled > 0) {
        figures_set(root, "labelled", json_integer((json_int_t)outcome->labelled), failed);
        figures_set(root, "correct", json_integer((json_int_t)outcome->correct), failed);
        figures_set(root, "accuracy",
                    figures_number((double)outcome->correct / (double)outcome->labelled), failed);
    }
    figures_set(root, "build_seconds", figures_number(outcome->build_seconds), failed);
    figures_set(root, "run_seconds", figures_number(outcome->run_seconds), failed);
    figures_set(root, "memory_bytes", json_integer((json_int_t)outcome->memory_bytes), failed);
}

bool screen_network_json(FILE *out, const struct report *report,
                         const struct references *references,
                         const struct activity_figures *activity,
                         const struct network_outcome *outcome, struct error *error)
{
    bool failed = false;
    json_t *root = json_object(), *rows = json_array();
    figures_set(root, "model", figures_text(report->model), &failed);
    figures_set(root, "status", figures_text(report->status), &failed);
    figures_set(root, "ticks", json_integer((json_int_t)report->ticks), &failed);
    figures_set(root, "tick_seconds", figures_number(report->tick_seconds), &failed);
    figures_set(root, "simulated_seconds", figures_number(seconds_of(report)), &failed);
    if (outcome != NULL)
        set_outcome(root, outcome, &failed);
    for (uint32_t i = 0; i < report->row_count; i++)
        if (json_array_append_new(rows, row_object(report, activity, i, &failed)) != 0)
            failed = true;
    figures_set(root, "populations", rows, &failed);
    figures_set(root, "spikes", json_integer((json_int_t)all_of(report, false)), &failed);
    figures_set(root, "synops", json_integer((json_int_t)all_of(report, true)), &failed);
    figures_set(root, "value_macs", json_integer((json_int_t)value_macs(report)), &failed);
    figures_set(root, "energy", screen_references_json(references, &failed), &failed);
    return figures_print(out, root, failed, error);
}
