/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The invariant: a line has been written for `written` tokens, and the next is due at `due`, the
 * smallest number of at most two significant digits above it. Each line goes to the file at once,
 * so that a run can be watched and a killed one leaves what it had.
 */
#include "sim/timing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/live.h"

struct timing {
    FILE *out;
    char *path;
    double start;
    uint64_t written, due;
    int failed; /* the errno of the first line that could not be written, or 0 */
};

/* Bytes, or -1 where the system does not say. */
static long long resident_memory(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    long long size, resident = -1;
    if (file == NULL)
        return -1;
    if (fscanf(file, "%lld %lld", &size, &resident) != 2)
        resident = -1;
    fclose(file);
    return resident >= 0 ? resident * sysconf(_SC_PAGESIZE) : -1;
}

static void check_written(struct timing *timing, bool done)
{
    if (!done && timing->failed == 0)
        timing->failed = errno != 0 ? errno : EIO;
}

static void write_line(struct timing *timing, uint64_t tokens)
{
    uint64_t step = 1;
    while (tokens / step >= 100)
        step *= 10;
    timing->written = tokens;
    timing->due = (tokens / step + 1) * step;
    double seconds = tokens > 0 ? seconds_now() - timing->start : 0;
    long long memory = resident_memory();
    errno = 0;
    bool done = fprintf(timing->out, "%llu,%.6f,", (unsigned long long)tokens, seconds) > 0 &&
                (memory < 0 || fprintf(timing->out, "%lld", memory) > 0) &&
                fputc('\n', timing->out) != EOF && fflush(timing->out) == 0;
    check_written(timing, done);
}

struct timing *timing_open(const char *path, struct error *error)
{
    struct timing *timing = calloc(1, sizeof *timing);
    char *name = strdup(path);
    FILE *out = timing != NULL && name != NULL ? fopen(path, "w") : NULL;
    if (out == NULL) {
        if (timing == NULL || name == NULL)
            error_no_memory(error, path);
        else
            error_set(error, ERROR_MISUSED, "%s: cannot be written: %s", path, strerror(errno));
        free(name);
        free(timing);
        return NULL;
    }
    timing->path = name;
    timing->out = out;
    check_written(timing, fputs("tokens,seconds,resident_bytes\n", out) != EOF);
    return timing;
}

void timing_start(struct timing *timing)
{
    timing->start = seconds_now();
    write_line(timing, 0);
}

void timing_note(struct timing *timing, uint64_t tokens, bool always)
{
    if (tokens >= timing->due || (always && tokens > timing->written))
        write_line(timing, tokens);
}

bool timing_close(struct timing *timing, struct error *error)
{
    if (timing == NULL)
        return true;
    errno = 0;
    check_written(timing, fclose(timing->out) == 0);
    bool done = timing->failed == 0 ||
                error_set(error, ERROR_FAILED, "%s: cannot be written: %s", timing->path,
                          strerror(timing->failed));
    free(timing->path);
    free(timing);
    return done;
}
