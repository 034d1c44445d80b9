/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Runs PHOLD with one queue, and in parts with one thread and with several, prints how many events a
 * second each way meets, and fails if they do not all end with the same checksum.
 */
#include "examples/phold/model.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { REPETITIONS_MOST = 99 };
static const double EVENTS_WANTED = 4e6; /* of a run whose duration is not given */

static const char help[] =
    "Usage: phold [options]\n"
    "The hold model of parallel simulators on Volley's queue, random numbers and threads.\n\n"
    "  --processes N     processes (131072)\n"
    "  --events N        events that each process begins with (1)\n"
    "  --lookahead TIME  the shortest delay, in units of the random delay's mean (0.1)\n"
    "  --remote SHARE    probability that an event goes to any process, 0 to 1 (0.1)\n"
    "  --duration TIME   simulated time (as long as some 4 million events take)\n"
    "  --seed N          of the random numbers (1)\n"
    "  --threads N       threads of the last line (2)\n"
    "  --repetitions N   runs of each way, in turn (5)\n"
    "  --help            this text\n";

struct options {
    double processes, events, lookahead, remote, duration, seed, threads, repetitions;
};

/* What ROSS reaches on one rank, in M events/s, on a machine of the kind that the README's figures
 * are from. */
static const struct ross {
    uint32_t processes;
    double rate;
    bool target; /* ten times that is */
} ross[] = {{1024, 4.2, false}, {131072, 0.48, true}, {1048576, 0.27, true}};

static bool number_read(const char *name, const char *text, double low, double high, bool whole,
                        double *value, struct error *error)
{
    char *end;
    errno = 0;
    *value = strtod(text, &end);
    if (end == text || *end != '\0' || errno != 0 || !(*value >= low && *value <= high) ||
        (whole && *value != floor(*value)))
        return error_set(error, ERROR_MISUSED, "--%s takes %s from %.15g to %.15g, not '%s'", name,
                         whole ? "a whole number" : "a number", low, high, text);
    return true;
}

static bool options_read(int argc, char **argv, struct options *options, bool *asked,
                         struct error *error)
{
    const double tick = 1.0 / PHOLD_UNIT;
    const struct {
        const char *name;
        double *value, low, high;
        bool whole;
    } lines[] = {
        {"processes", &options->processes, 1, 1 << 28, true},
        {"events", &options->events, 1, 1000000, true},
        {"lookahead", &options->lookahead, tick, 1e9, false},
        {"remote", &options->remote, 0, 1, false},
        {"duration", &options->duration, tick, 1e9, false},
        {"seed", &options->seed, 0, 0x1p53, true},
        {"threads", &options->threads, 1, 1024, true},
        {"repetitions", &options->repetitions, 1, REPETITIONS_MOST, true},
    };
    enum { LINES = sizeof lines / sizeof lines[0], HELP = LINES };
    struct option table[LINES + 2] = {{0}};
    for (int i = 0; i < LINES; i++)
        table[i] = (struct option){lines[i].name, required_argument, NULL, i};
    table[HELP] = (struct option){"help", no_argument, NULL, HELP};
    opterr = 0;
    for (int code; (code = getopt_long(argc, argv, ":", table, NULL)) != -1;) {
        if (code == ':')
            return error_set(error, ERROR_MISUSED, "%s needs a value; see --help",
                             argv[optind - 1]);
        if (code == '?')
            return error_set(error, ERROR_MISUSED, "unknown or ambiguous option '%s'; see --help",
                             argv[optind - 1]);
        *asked |= code == HELP;
        if (code < LINES && !number_read(lines[code].name, optarg, lines[code].low,
                                         lines[code].high, lines[code].whole, lines[code].value,
                                         error))
            return false;
    }
    if (optind < argc)
        return error_set(error, ERROR_MISUSED, "unexpected argument '%s'; see --help",
                         argv[optind]);
    return true;
}

/* ---- running */

struct way {
    char name[64];
    uint32_t threads; /* 0: one queue, without parts */
    struct workers *workers;
    double rates[REPETITIONS_MOST]; /* M events/s, sorted in the end; and the same by … */
    double processor_rates[REPETITIONS_MOST]; /* … processor time */
};

static int compare(const void *a, const void *b)
{
    double first = *(const double *)a, second = *(const double *)b;
    return (first > second) - (first < second);
}

static double median_of(const double *sorted, size_t length)
{
    return (sorted[length / 2] + sorted[(length - 1) / 2]) / 2;
}

/* Runs all ways in turn. The results of all runs must be the same. */
static bool ways_run(const struct phold_settings *settings, struct way *ways, size_t count,
                     size_t repetitions, struct phold_result *result, struct error *error)
{
    for (size_t r = 0; r < repetitions; r++)
        for (size_t w = 0; w < count; w++) {
            struct phold_result now;
            if (!(ways[w].threads == 0 ? phold_run(settings, &now, error)
                                       : phold_run_parts(settings, ways[w].workers, &now, error)))
                return false;
            ways[w].rates[r] = 1e-6 * (double)now.events / now.seconds;
            ways[w].processor_rates[r] = 1e-6 * (double)now.events / now.processor;
            if (r == 0 && w == 0)
                *result = now;
            if (now.checksum != result->checksum || now.events != result->events)
                return error_set(error, ERROR_FAILED,
                                 "%s met %" PRIu64 " events with checksum %016" PRIx64
                                 ", but %s met %" PRIu64 " with %016" PRIx64,
                                 ways[w].name, now.events, now.checksum, ways[0].name,
                                 result->events, result->checksum);
        }
    for (size_t w = 0; w < count; w++) {
        qsort(ways[w].rates, repetitions, sizeof(double), compare);
        qsort(ways[w].processor_rates, repetitions, sizeof(double), compare);
    }
    return true;
}

static void json_print(const struct phold_settings *settings, const struct way *way, double median,
                       double high)
{
    const char *path = getenv("VOLLEY_BENCH_JSON");
    FILE *file = path != NULL ? fopen(path, "a") : NULL;
    if (file == NULL)
        return;
    fprintf(file,
            "{\"id\":\"phold_%" PRIu32 "_threads_%" PRIu32 "\",\"what\":\"PHOLD, %" PRIu32
            " processes, %" PRIu32 " thread%s\",\"unit\":\"M events/s\",\"volley\":%.2f,\"low\":%.2f,"
            "\"high\":%.2f,",
            settings->processes, way->threads, settings->processes, way->threads,
            way->threads == 1 ? "" : "s", median, way->rates[0], high);
    const struct ross *peer = NULL;
    for (size_t i = 0; i < sizeof ross / sizeof ross[0]; i++)
        if (ross[i].processes == settings->processes)
            peer = &ross[i];
    if (peer == NULL)
        fputs("\"peer\":null,\"peer_value\":null,\"ratio\":null,", file);
    else
        fprintf(file, "\"peer\":\"ROSS, one rank, another run\",\"peer_value\":%.2f,\"ratio\":%.1f,",
                peer->rate, median / peer->rate);
    if (peer == NULL || !peer->target)
        fputs("\"target\":null,\"met\":null}\n", file);
    else
        fprintf(file, "\"target\":\"10 x ROSS: %.1f M events/s\",\"met\":%s}\n", 10 * peer->rate,
                median >= 10 * peer->rate ? "true" : "false");
    fclose(file);
}

static void ways_print(const struct phold_settings *settings, const struct way *ways, size_t count,
                       size_t repetitions, const struct phold_result *result)
{
    uint32_t parts = phold_parts(settings->processes);
    printf("%" PRIu32 " processes in %" PRIu32 " part%s, %" PRIu32 " event%s each; lookahead %g, "
           "remote %g, duration %g, seed %" PRIu64 "\n",
           settings->processes, parts, parts == 1 ? "" : "s", settings->population,
           settings->population == 1 ? "" : "s", (double)settings->lookahead / PHOLD_UNIT,
           settings->remote, (double)settings->duration / PHOLD_UNIT, settings->seed);
    printf("  M events a second of   wall time                  processor time\n");
    for (size_t w = 0; w < count; w++) {
        const double *rates = ways[w].rates, *others = ways[w].processor_rates;
        double median = median_of(rates, repetitions);
        printf("  %-22s %6.2f (%5.2f … %5.2f)  %10.2f (%5.2f … %5.2f)\n", ways[w].name, median,
               rates[0], rates[repetitions - 1], median_of(others, repetitions), others[0],
               others[repetitions - 1]);
        if (ways[w].threads > 0)
            json_print(settings, &ways[w], median, rates[repetitions - 1]);
    }
    printf("  %" PRIu64 " events, checksum %016" PRIx64 " each way\n", result->events,
           result->checksum);
}

static bool phold_measure(const struct options *options, struct error *error)
{
    double expected = EVENTS_WANTED * (1 + options->lookahead) /
                      (options->processes * options->events);
    double duration = options->duration > 0 ? options->duration : fmax(2, ceil(expected));
    struct phold_settings settings = {
        .processes = (uint32_t)options->processes,
        .population = (uint32_t)options->events,
        .lookahead = (int64_t)(options->lookahead * PHOLD_UNIT + 0.5),
        .duration = (int64_t)(duration * PHOLD_UNIT + 0.5),
        .remote = options->remote,
        .seed = (uint64_t)options->seed,
    };
    uint32_t threads = (uint32_t)options->threads;
    struct way ways[3] = {{.name = "one queue"}, {.name = "parts, 1 thread", .threads = 1}};
    size_t count = 2, repetitions = (size_t)options->repetitions;
    if (threads > 1) {
        ways[count].threads = threads;
        snprintf(ways[count++].name, sizeof ways[0].name, "parts, %" PRIu32 " threads", threads);
    }
    bool done = true;
    for (size_t w = 1; done && w < count; w++) {
        ways[w].workers = workers_new(ways[w].threads, error);
        done = ways[w].workers != NULL;
    }
    struct phold_result result = {0};
    done = done && ways_run(&settings, ways, count, repetitions, &result, error);
    if (done)
        ways_print(&settings, ways, count, repetitions, &result);
    for (size_t w = 1; w < count; w++)
        workers_free(ways[w].workers);
    return done;
}

int main(int argc, char **argv)
{
    struct options options = {.processes = 131072, .events = 1, .lookahead = 0.1, .remote = 0.1,
                              .seed = 1, .threads = 2, .repetitions = 5};
    struct error error = {0};
    bool asked = false;
    if (options_read(argc, argv, &options, &asked, &error)) {
        if (asked) {
            fputs(help, stdout);
            return 0;
        }
        if (phold_measure(&options, &error))
            return 0;
    }
    fprintf(stderr, "phold: %s\n", error.text);
    return (int)error.code;
}
