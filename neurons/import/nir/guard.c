/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Children that try. A child touches nothing that it shares with its parent: it has the signals'
 * handlers of a new process, makes no core file, and leaves without what `exit` would do.
 */
#define _GNU_SOURCE 1
#include "neurons/import/nir/guard.h"

#include "neurons/import/utf8.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a child leaves behind, in memory that both see. */
struct outcome {
    bool succeeded;
    struct error error;
};

static _Noreturn void child_run(bool (*attempt)(void *data, struct error *error), void *data,
                                size_t seconds, struct outcome *outcome)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGXCPU, SIGALRM};
    const struct rlimit time = {seconds, seconds}, none = {0, 0};
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        signal(faults[i], SIG_DFL);
    setrlimit(RLIMIT_CPU, &time);
    setrlimit(RLIMIT_CORE, &none);
    outcome->succeeded = attempt(data, &outcome->error);
    _exit(0);
}

/* Waits for the child and says what became of it. */
static bool child_end(pid_t child, const struct outcome *outcome, const char *path,
                      struct error *error)
{
    int status;
    pid_t ended;
    do
        ended = waitpid(child, &status, 0);
    while (ended < 0 && errno == EINTR);
    if (outcome->succeeded)
        return true;
    if (outcome->error.code != ERROR_NONE)
        return error_set(error, outcome->error.code, "%s", outcome->error.text);
    return error_set(error, ERROR_FAILED, "%s: is damaged in a way that the HDF5 library cannot "
                     "stand; fetch or export it again", utf8_tail(path));
}

bool guard_try(bool (*attempt)(void *data, struct error *error), void *data, const char *path,
               size_t seconds, struct error *error)
{
    struct outcome *outcome = mmap(NULL, sizeof *outcome, PROT_READ | PROT_WRITE,
                                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (outcome == MAP_FAILED)
        return true;
    pid_t child = fork();
    if (child == 0)
        child_run(attempt, data, seconds, outcome);
    bool fine = child < 0 || child_end(child, outcome, path, error);
    munmap(outcome, sizeof *outcome);
    return fine;
}
