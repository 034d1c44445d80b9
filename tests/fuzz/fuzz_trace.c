/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Fuzzing what reads a trace: the input is a database file. It gives a report
 * and an export, or sentences; a report's figures can all be used.
 */
#include "traces/energy.h"
#include "traces/trace.h"

#include <math.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

enum { EXPORT_LIMIT = 1 << 20 };

static char path[400], out[420];

static void remove_files(void)
{
    static const char *const suffixes[] = {"", "-journal", "-wal", "-shm", ".csv"};
    for (int i = 0; i < 5; i++) {
        char name[420];
        snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        unlink(name);
    }
}

static void choose_paths(void)
{
    const char *folder = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/volley_fuzz_trace_%ld", folder != NULL ? folder : "/tmp",
             (long)getpid());
    snprintf(out, sizeof out, "%s.csv", path);
    atexit(remove_files);
    /* An export that never ends is stopped by its size. */
    struct rlimit limit = {.rlim_cur = EXPORT_LIMIT, .rlim_max = RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
}

static void use_report(const struct report *report)
{
    struct energy energy = energy_of(report);
    struct population_tally total = {0};
    if (!isfinite(energy.macs) || !isfinite(energy.adds) || report->status == NULL)
        abort();
    for (uint32_t i = 0; i < report->row_count; i++) {
        struct sparsity sparsity = sparsity_of(&report->rows[i].tally);
        if (!isfinite(sparsity.report_sparsity) || sparsity.silent_fraction > 1)
            abort();
        for (const char *c = report->rows[i].name; *c != '\0'; c++)
            if ((unsigned char)*c < ' ')
                abort();
        population_tally_add(&total, &report->rows[i].tally);
    }
    for (uint32_t p = 0; p < report->projection_count; p++)
        if (report->projections[p].name == NULL ||
            (report->projections[p].source >= report->row_count &&
             report->projections[p].source != UINT32_MAX))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    if (path[0] == '\0')
        choose_paths();
    if (length > EXPORT_LIMIT / 2)
        return 0;
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(bytes, 1, length, file) != length || fclose(file) != 0)
        abort();

    struct error error = {0};
    struct report *report = report_from_file(path, 0, &error);
    if ((report == NULL) != (error.code != ERROR_NONE) || (report == NULL && error.text[0] == '\0'))
        abort();
    if (report != NULL)
        use_report(report);
    report_free(report);

    uint64_t written;
    error = (struct error){0};
    bool good = export_spikes(path, 0, out, &written, &error);
    if (good != (error.code == ERROR_NONE) || good != (access(out, F_OK) == 0))
        abort();
    remove_files();
    return 0;
}
