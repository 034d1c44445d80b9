/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What counting and tracing cost a large language model, and how fast a trace is written and read.
 *
 *     trace [REPETITIONS]
 *
 * The spiking populations of a model of SpikingBrain-7B's shape, without the model: 28 layers,
 * about 880,000 channels a token, whose trains hold counts drawn once from a distribution like its
 * own (18 % silent, 94 % |count| <= 7, 1 % beyond 16, 1.13 spikes a channel in coding bitwise). They
 * are shown to the observers token by token, as a run would show them. Between tokens a buffer larger
 * than the caches of a core is read, as weights would be, so that counters are met cold. Counting
 * and reading are measured in processor time, so that others on the machine do not count; writing,
 * with two threads, by the clock.
 *
 * Prints medians with the least and the greatest of the repetitions (standard: 5). Writes to a
 * folder of its own in TMPDIR and removes it. If VOLLEY_BENCH_JSON names a file, a JSON object for
 * each line is appended to it.
 */
#include "traces/trace.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    LAYERS = 28,
    HIDDEN = 3584,
    INNER = 18944,
    KEYS = 512,
    POPULATIONS_LIMIT = 5 * LAYERS,
    PROJECTIONS_LIMIT = 8 * LAYERS,
    LANES = 16,
    REPETITIONS_LIMIT = 99,
    COUNTED_TOKENS = 12, /* of one repetition */
    WRITTEN_TOKENS = 48,
    READ_TOKENS = 8,
    WEIGHTS = 24 << 20 /* bytes read between tokens */
};
static const double token_seconds = 0.120; /* of decoding on two threads */

/* ---- the model ---- */

struct model {
    struct network network;
    struct population *populations[POPULATIONS_LIMIT];
    struct projection *projections[PROJECTIONS_LIMIT];
    uint64_t channels, spikes; /* of one token */
    unsigned char *weights;    /* [WEIGHTS] */
};

static void *need(void *memory)
{
    if (memory == NULL) {
        fprintf(stderr, "trace: no memory\n");
        exit(1);
    }
    return memory;
}

static uint32_t random_next(void)
{
    static uint64_t state = 42;
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33); /* 31 bits */
}

/* Geometric within 1 … 7, within 8 … 16, and from 17 on. */
static int32_t draw_count(void)
{
    double u = random_next() * 0x1p-31;
    double shrink = u < 0.941 ? 0.6 : u < 0.99 ? 0.8 : 0.95;
    int32_t from = u < 0.941 ? 1 : u < 0.99 ? 8 : 17, to = u < 0.941 ? 7 : u < 0.99 ? 16 : 500;
    if (u < 0.184)
        return 0;
    int32_t count = from;
    while (count < to && random_next() * 0x1p-31 < shrink)
        count++;
    return random_next() % 2 ? -count : count;
}

static struct population *add_population(struct model *model, const struct coding *coding,
                                         const char *part, int32_t layer, uint32_t neurons)
{
    static const struct population_model threshold = {.name = "threshold"};
    static struct port port = {.name = "in", .width = 1};
    struct population *population = need(calloc(1, sizeof *population));
    char name[64];
    snprintf(name, sizeof name, "layers.%d.%s", layer, part);
    *population = (struct population){.id = model->network.population_count,
                                      .name = need(strdup(name)), .layer = layer,
                                      .model = &threshold, .neurons = neurons,
                                      .ports = &port, .port_count = 1, .lanes_limit = LANES};
    struct train *train = population->train = need(train_new(coding, neurons, 1, LANES));
    for (uint32_t lane = 0; lane < LANES; lane++) {
        size_t first = (size_t)lane * neurons;
        for (size_t i = first; i < first + neurons; i++)
            train->narrow[i] = (int16_t)(train->count[i] = draw_count());
        train->frame[lane] = coding_frame(coding, train->count + first, neurons);
    }
    train_seal(train, LANES);
    model->populations[model->network.population_count++] = population;
    return population;
}

static void add_projection(struct model *model, struct population *source, uint32_t width)
{
    static const struct projection_kind dense = {.name = "dense integer"};
    struct projection *projection = need(calloc(1, sizeof *projection));
    uint32_t *fan_out = need(malloc(source->neurons * sizeof *fan_out));
    *projection = (struct projection){.id = model->network.projection_count,
                                      .name = need(strdup("weights")), .kind = &dense,
                                      .source = source, .target = source, .delay = 1,
                                      .weight_count = (uint64_t)source->neurons * width};
    for (uint32_t i = 0; i < source->neurons; i++) {
        fan_out[i] = width - random_next() % 64;
        projection->synapses += fan_out[i];
    }
    projection->fan_out = fan_out;
    model->projections[model->network.projection_count++] = projection;
}

static struct model *model_new(const char *coding_name)
{
    struct model *model = need(calloc(1, sizeof *model));
    const struct coding *coding = need((void *)coding_find(coding_name, NULL));
    model->network = (struct network){.name = "shape of SpikingBrain-7B", .lanes_limit = LANES,
                                      .kernels = kernels_find("auto", NULL),
                                      .populations = model->populations,
                                      .projections = model->projections};
    for (int32_t layer = 0; layer < LAYERS; layer++) {
        struct population *normed = add_population(model, coding, "attn_norm", layer, HIDDEN);
        add_projection(model, normed, HIDDEN);
        add_projection(model, normed, KEYS);
        add_projection(model, normed, KEYS);
        if (layer % 2 == 0)
            add_projection(model, normed, KEYS);
        else
            add_population(model, coding, "query", layer, HIDDEN);
        add_projection(model, add_population(model, coding, "o_proj", layer, HIDDEN), HIDDEN);
        normed = add_population(model, coding, "mlp_norm", layer, HIDDEN);
        add_projection(model, normed, INNER);
        add_projection(model, normed, INNER);
        add_projection(model, add_population(model, coding, "down_proj", layer, INNER), HIDDEN);
    }
    for (uint32_t i = 0; i < model->network.population_count; i++) {
        const struct train *train = model->populations[i]->train;
        model->channels += train->neurons;
        for (uint32_t n = 0; n < train->neurons; n++)
            model->spikes += coding->spikes(train->count[n], train->frame[0]);
    }
    model->weights = need(calloc(1, WEIGHTS));
    return model;
}

static void model_free(struct model *model)
{
    for (uint32_t i = 0; i < model->network.population_count; i++) {
        train_free(model->populations[i]->train);
        free(model->populations[i]->name);
        free(model->populations[i]);
    }
    for (uint32_t p = 0; p < model->network.projection_count; p++) {
        free((void *)model->projections[p]->fan_out);
        free(model->projections[p]->name);
        free(model->projections[p]);
    }
    free(model->weights);
    free(model);
}

/* ---- time ---- */

static double seconds_of(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void check(bool good, const struct error *error)
{
    if (good)
        return;
    fprintf(stderr, "trace: %s\n", error->text);
    exit(1);
}

/* Shows one wave of `lanes`; returns the seconds that the observers took. */
static double show_wave(struct model *model, int64_t position, uint32_t lanes)
{
    struct error error = {0};
    struct network *network = &model->network;
    struct wave wave = {.position = position, .lanes = lanes};
    int64_t ticks[LANES] = {0};
    unsigned sum = 0;
    for (size_t i = 0; i < WEIGHTS; i += 64)
        sum += model->weights[i];
    model->weights[0] = (unsigned char)sum;
    double begin = seconds_of(CLOCK_THREAD_CPUTIME_ID);
    for (uint32_t i = 0; i < network->population_count; i++) {
        struct train *train = model->populations[i]->train;
        train->lanes = lanes;
        for (uint32_t lane = 0; lane < lanes; lane++) {
            train->tick[lane] = ticks[lane] + 1;
            ticks[lane] += train->frame[lane].ticks;
        }
        struct firing firing = {.population = model->populations[i], .train = train,
                                .wave = &wave};
        for (uint32_t o = 0; o < network->observer_count; o++)
            check(network->observers[o].fired(network->observers[o].self, &firing, &error),
                  &error);
    }
    for (uint32_t o = 0; o < network->observer_count; o++)
        check(network->observers[o].wave_done(network->observers[o].self, &wave, ticks, &error),
              &error);
    return seconds_of(CLOCK_THREAD_CPUTIME_ID) - begin;
}

/* ---- results ---- */

struct samples {
    double values[REPETITIONS_LIMIT];
    int length;
};

static int compare(const void *a, const void *b)
{
    double first = *(const double *)a, second = *(const double *)b;
    return (first > second) - (first < second);
}

static double median_of(struct samples *samples)
{
    qsort(samples->values, (size_t)samples->length, sizeof *samples->values, compare);
    return (samples->values[(samples->length - 1) / 2] + samples->values[samples->length / 2]) / 2;
}

/* A line of the screen, and one of the file. `limit` is the least wanted, or (`below`) the most;
 * `peers`, or NULL, is what SQLite does with rows that cost nothing. */
static void report(struct samples *samples, struct samples *peers, const char *id,
                   const char *what, const char *unit, const char *target, double limit,
                   bool below)
{
    double median = median_of(samples), peer = peers != NULL ? median_of(peers) : 0;
    double low = samples->values[0], high = samples->values[samples->length - 1];
    bool met = below ? median <= limit : median >= limit;
    printf("%-58s %9.3f  (%.3f … %.3f) %s; target %s: %s\n", what, median, low, high, unit, target,
           met ? "met" : "missed");
    if (peers != NULL)
        printf("  of rows that cost nothing, SQLite alone %45.3f\n", peer);
    fflush(stdout);
    const char *path = getenv("VOLLEY_BENCH_JSON");
    FILE *file = path != NULL ? fopen(path, "a") : NULL;
    if (file == NULL)
        return;
    fprintf(file,
            "{\"id\":\"%s\",\"what\":\"%s\",\"unit\":\"%s\",\"volley\":%.4g,\"low\":%.4g,"
            "\"high\":%.4g,",
            id, what, unit, median, low, high);
    if (peers != NULL)
        fprintf(file,
                "\"peer\":\"SQLite, rows that cost nothing\",\"peer_value\":%.4g,"
                "\"ratio\":%.3g,",
                peer, median / peer);
    else
        fputs("\"peer\":null,\"peer_value\":null,\"ratio\":null,", file);
    fprintf(file, "\"target\":\"%s\",\"met\":%s}\n", target, met ? "true" : "false");
    fclose(file);
}

/* ---- what is measured ---- */

/* Nanoseconds a channel of the tally. */
static void measure_tally(struct model *model, uint32_t threads, uint32_t lanes, int repetitions,
                          const char *id, const char *what)
{
    struct samples samples = {0};
    struct error error = {0};
    struct network *network = &model->network;
    network->workers = need(workers_new(threads, &error));
    struct tally *tally = need(tally_new(network, &error));
    network->observers[0] = tally_observer(tally);
    network->observer_count = 1;
    show_wave(model, 0, lanes);
    for (int repetition = 0; repetition < repetitions; repetition++) {
        double seconds = 0;
        int waves = COUNTED_TOKENS / (int)lanes + 1;
        for (int wave = 0; wave < waves; wave++)
            seconds += show_wave(model, 1 + (repetition * waves + wave) * (int)lanes, lanes);
        samples.values[samples.length++] =
            1e9 * seconds / ((double)waves * lanes * (double)model->channels);
    }
    report(&samples, NULL, id, what, "ns/channel", "3 ns/channel", 3, true);
    if (lanes == 1) {
        for (int i = 0; i < samples.length; i++)
            samples.values[i] *= 1e-7 * (double)model->channels / token_seconds;
        char share[64];
        snprintf(share, sizeof share, "%s_share", id);
        report(&samples, NULL, share, "tally in a token of 120 ms", "%", "2 %", 2, true);
    }
    network->observer_count = 0;
    tally_free(tally);
    workers_free(network->workers);
    network->workers = NULL;
}

static const struct run_facts facts = {.command = "bench", .model = "shape", .coding = "bitwise",
                                       .down_proj = "paper", .k = 3, .sampled = true};
static const struct trace_options everything = {.level = TRACE_SPIKE, .last = INT64_MAX};

/* Traces `tokens`; returns the seconds up to a closed file; adds the processor time of observers
 * and of the writer to *shown and *written. */
static double write_trace(struct model *model, const char *path, int tokens, double *shown,
                          double *written)
{
    struct error error = {0};
    struct network *network = &model->network;
    struct tally *tally = need(tally_new(network, &error));
    struct trace *trace = trace_open(path, &everything, &facts, network, &error);
    check(trace != NULL, &error);
    trace_watch(trace, tally);
    network->observers[0] = tally_observer(tally);
    network->observers[1] = trace_observer(trace);
    network->observer_count = 2;
    double begin = seconds_of(CLOCK_MONOTONIC), all = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
    double mine = seconds_of(CLOCK_THREAD_CPUTIME_ID);
    for (int position = 0; position < tokens; position++)
        *shown += show_wave(model, position, 1);
    *written -= seconds_of(CLOCK_THREAD_CPUTIME_ID) - mine;
    check(trace_close(trace, tally, "done", 1, &error), &error);
    double seconds = seconds_of(CLOCK_MONOTONIC) - begin;
    *written += seconds_of(CLOCK_PROCESS_CPUTIME_ID) - all;
    network->observer_count = 0;
    tally_free(tally);
    return seconds;
}

static void measure_writing(struct model *model, const char *path, int repetitions)
{
    struct samples speed = {0}, size = {0}, share = {0}, writer = {0};
    for (int repetition = 0; repetition < repetitions; repetition++) {
        double shown = 0, few = 0, written = 0, ignored = 0;
        unlink(path);
        double spikes = (double)model->spikes * WRITTEN_TOKENS;
        speed.values[speed.length++] =
            1e-6 * spikes / write_trace(model, path, WRITTEN_TOKENS, &shown, &written);
        writer.values[writer.length++] = 100 * written / WRITTEN_TOKENS / token_seconds;
        struct stat status;
        check(stat(path, &status) == 0, &(struct error){.text = "the trace is gone"});
        size.values[size.length++] = (double)status.st_size / spikes;
        unlink(path);
        /* So few that the buffer before the writer does not fill: as when decoding, which fires
         * less than the writer can take. */
        write_trace(model, path, READ_TOKENS, &few, &ignored);
        share.values[share.length++] = 100 * few / READ_TOKENS / token_seconds;
    }
    report(&speed, NULL, "trace_write", "spikes written to SQLite, counted too", "M spikes/s",
           "20 M spikes/s", 20, false);
    report(&size, NULL, "trace_size", "size of the trace, coding bitwise", "bytes/spike",
           "2 bytes/spike", 2, true);
    report(&share, NULL, "trace_share", "tally and trace in a token of 120 ms, simulating thread",
           "%", "10 %", 10, true);
    report(&writer, NULL, "trace_writer", "the writing thread in a token of 120 ms", "%", "10 %",
           10, true);
}

/* SQLite's own limit: a table-valued function `bare(length)` that has nothing to do but count. */
struct bare {
    sqlite3_vtab_cursor base; /* first: SQLite knows the cursor by it */
    sqlite3_int64 at, length;
};

static int bare_connect(sqlite3 *db, void *unused, int count, const char *const *words,
                        sqlite3_vtab **table, char **message)
{
    (void)unused, (void)count, (void)words, (void)message;
    static sqlite3_vtab only;
    *table = &only;
    return sqlite3_declare_vtab(db, "CREATE TABLE bare(payload INTEGER, length HIDDEN)");
}

static int bare_disconnect(sqlite3_vtab *table)
{
    (void)table;
    return SQLITE_OK;
}

static int bare_plan(sqlite3_vtab *table, sqlite3_index_info *info)
{
    (void)table;
    if (info->nConstraint != 1 || !info->aConstraint[0].usable)
        return SQLITE_CONSTRAINT;
    info->aConstraintUsage[0].argvIndex = 1;
    info->aConstraintUsage[0].omit = 1;
    return SQLITE_OK;
}

static int bare_open(sqlite3_vtab *table, sqlite3_vtab_cursor **cursor)
{
    (void)table;
    static struct bare only;
    *cursor = &only.base;
    return SQLITE_OK;
}

static int bare_close(sqlite3_vtab_cursor *cursor)
{
    (void)cursor;
    return SQLITE_OK;
}

static int bare_filter(sqlite3_vtab_cursor *cursor, int plan, const char *unused, int count,
                       sqlite3_value **values)
{
    (void)plan, (void)unused, (void)count;
    ((struct bare *)cursor)->at = 0;
    ((struct bare *)cursor)->length = sqlite3_value_int64(values[0]);
    return SQLITE_OK;
}

static int bare_next(sqlite3_vtab_cursor *cursor)
{
    ((struct bare *)cursor)->at++;
    return SQLITE_OK;
}

static int bare_eof(sqlite3_vtab_cursor *cursor)
{
    return ((struct bare *)cursor)->at >= ((struct bare *)cursor)->length;
}

static int bare_column(sqlite3_vtab_cursor *cursor, sqlite3_context *context, int column)
{
    (void)column;
    sqlite3_result_int64(context, ((struct bare *)cursor)->at);
    return SQLITE_OK;
}

static int bare_row(sqlite3_vtab_cursor *cursor, sqlite3_int64 *row)
{
    *row = ((struct bare *)cursor)->at;
    return SQLITE_OK;
}

static const sqlite3_module bare_module = {
    .xConnect = bare_connect, .xBestIndex = bare_plan, .xDisconnect = bare_disconnect,
    .xOpen = bare_open, .xClose = bare_close, .xFilter = bare_filter, .xNext = bare_next,
    .xEof = bare_eof, .xColumn = bare_column, .xRowid = bare_row,
};

/* Rows a second of the query, in millions. */
static double read_speed(sqlite3 *db, const char *sql)
{
    struct error error = {.text = "the trace cannot be read"};
    sqlite3_stmt *statement = NULL;
    check(sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK, &error);
    double begin = seconds_of(CLOCK_THREAD_CPUTIME_ID);
    check(sqlite3_step(statement) == SQLITE_ROW, &error);
    double speed = 1e-6 * (double)sqlite3_column_int64(statement, 0) /
                   (seconds_of(CLOCK_THREAD_CPUTIME_ID) - begin);
    sqlite3_finalize(statement);
    return speed;
}

static void measure_reading(const char *path, const char *columns, const char *id,
                            const char *what, int repetitions)
{
    struct samples samples = {0}, peers = {0};
    sqlite3 *db;
    char sql[256], bare[256];
    snprintf(sql, sizeof sql, "SELECT %s FROM volley v, "
             "volley_spikes(v.data, 'bitwise', v.ticks, v.zero)", columns);
    snprintf(bare, sizeof bare, "SELECT %s FROM bare(10000000)", columns);
    struct error error = {.text = "the trace cannot be read"};
    check(sqlite3_open(path, &db) == SQLITE_OK && spikes_table_register(db) == SQLITE_OK &&
              sqlite3_create_module(db, "bare", &bare_module, NULL) == SQLITE_OK,
          &error);
    for (int repetition = 0; repetition < repetitions; repetition++) {
        samples.values[samples.length++] = read_speed(db, sql);
        peers.values[peers.length++] = read_speed(db, bare);
    }
    sqlite3_close(db);
    report(&samples, &peers, id, what, "M spikes/s", "50 M spikes/s", 50, false);
}

int main(int argc, char **argv)
{
    int repetitions = argc > 1 ? atoi(argv[1]) : 5;
    if (repetitions < 1 || repetitions > REPETITIONS_LIMIT) {
        fprintf(stderr, "usage: trace [REPETITIONS]\n");
        return 2;
    }
    const char *temporary = getenv("TMPDIR");
    char folder[512], path[600];
    snprintf(folder, sizeof folder, "%s/volley_bench_XXXXXX",
             temporary != NULL ? temporary : "/tmp");
    if (mkdtemp(folder) == NULL) {
        perror("trace: cannot make a temporary folder");
        return 1;
    }
    snprintf(path, sizeof path, "%s/trace.db", folder);
    struct model *model = model_new("bitwise");
    printf("%llu channels a token, %.3f spikes a channel\n", (unsigned long long)model->channels,
           (double)model->spikes / (double)model->channels);
    measure_tally(model, 1, 1, repetitions, "tally", "tally, decoding, 1 thread");
    measure_tally(model, 2, 1, repetitions, "tally_threads", "tally, decoding, 2 threads");
    measure_tally(model, 1, LANES, repetitions, "tally_lanes",
                  "tally, prompt of 16 lanes, 1 thread");
    measure_writing(model, path, repetitions);
    measure_reading(path, "count(*)", "trace_count", "spikes counted by volley_spikes",
                    repetitions);
    measure_reading(path, "count(*), sum(payload)", "trace_sum",
                    "payloads added up through volley_spikes", repetitions);
    model_free(model);
    unlink(path);
    rmdir(folder);
    return 0;
}
