/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How fast schemes encode and decode, on one core.
 *
 *     schemes [VALUES [RUNS [SCHEME …]]]
 *
 * Standard: 1,000,000 values, 9 runs, the list below. For each scheme a line of tab-separated
 * fields: the scheme, values, ticks of one value, spikes, nanoseconds to encode a value, to decode
 * one, and the least and the greatest to encode one. Times are medians of the runs, after one that is not counted; processor time, so that
 * others on the machine do not count. schemes.py runs this and puts NumPy beside it; it makes the
 * same signal, to the last bit.
 */
#include "encoding/scheme.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const char *const standard_list[] = {
    "rate:ticks=1", "latency:ticks=16", "threshold-based:threshold=0.01",
    "step-forward:threshold=0.01", "moving-window:threshold=0.01", "send-on-delta:delta=0.01",
    "sigma-delta:threshold=0.01", "bsa", "hsa",
};

/* Two triangles and a little noise, 0.1 … 0.92. */
static double signal_at(uint64_t i)
{
    double slow = (double)(i % 1000) / 1000, fast = (double)(i % 137) / 137;
    slow = slow < 0.5 ? 2 * slow : 2 - 2 * slow;
    fast = fast < 0.5 ? 2 * fast : 2 - 2 * fast;
    double noise = (double)((i * 2654435761u) & 0xffffffffu) * 0x1p-32;
    return 0.1 + 0.6 * slow + 0.2 * fast + 0.02 * noise;
}

static double processor_nanoseconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return 1e9 * (double)time.tv_sec + (double)time.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    double first = *(const double *)a, second = *(const double *)b;
    return (first > second) - (first < second);
}

static double median(double *values, int length)
{
    qsort(values, (size_t)length, sizeof *values, compare);
    return (values[(length - 1) / 2] + values[length / 2]) / 2;
}

static bool measure(const char *text, const double *x, size_t length, int runs)
{
    struct error error = {0};
    struct scheme_settings settings;
    if (!scheme_parse(text, &settings, &error)) {
        fprintf(stderr, "schemes: %s\n", error.text);
        return false;
    }
    const struct scheme *scheme = settings.scheme;
    size_t room = scheme_room(&settings, length), count = 0;
    struct timed_spike *spikes = room < SIZE_MAX / sizeof *spikes ?
                                     malloc(room * sizeof *spikes) : NULL;
    double *decoded = malloc(length * sizeof *decoded);
    double *encoding = calloc((size_t)runs + 1, sizeof *encoding);
    double *decoding = calloc((size_t)runs + 1, sizeof *decoding);
    bool done = spikes != NULL && decoded != NULL && encoding != NULL && decoding != NULL;
    if (!done)
        fprintf(stderr, "schemes: no memory for %s\n", text);
    for (int run = 0; done && run <= runs; run++) {
        double begin = processor_nanoseconds();
        count = scheme->encode(&settings, x, length, 0, spikes);
        double middle = processor_nanoseconds();
        scheme->decode(&settings, spikes, count, length, decoded);
        encoding[run] = (middle - begin) / (double)length;
        decoding[run] = (processor_nanoseconds() - middle) / (double)length;
    }
    double encode = done ? median(encoding + 1, runs) : 0; /* which sorts them */
    double decode = done ? median(decoding + 1, runs) : 0;
    if (done)
        printf("%s\t%zu\t%u\t%zu\t%.3f\t%.3f\t%.3f\t%.3f\n", text, length,
               scheme_ticks(&settings), count, encode, decode, encoding[1], encoding[runs]);
    free(spikes);
    free(decoded);
    free(encoding);
    free(decoding);
    return done;
}

int main(int argc, char **argv)
{
    long length = argc > 1 ? atol(argv[1]) : 1000000;
    int runs = argc > 2 ? atoi(argv[2]) : 9;
    double *x = length > 0 && runs > 0 ? malloc((size_t)length * sizeof *x) : NULL;
    if (x == NULL) {
        fprintf(stderr, "usage: schemes [VALUES [RUNS [SCHEME ...]]]\n");
        return 2;
    }
    for (size_t i = 0; i < (size_t)length; i++)
        x[i] = signal_at(i);
    bool done = true;
    if (argc > 3)
        for (int i = 3; i < argc; i++)
            done &= measure(argv[i], x, (size_t)length, runs);
    else
        for (size_t i = 0; i < sizeof standard_list / sizeof *standard_list; i++)
            done &= measure(standard_list[i], x, (size_t)length, runs);
    free(x);
    return done ? 0 : 1;
}
