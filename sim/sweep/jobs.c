/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A job has ended when both its pipes are closed: it holds their other ends until it exits, so it
 * is waited for without waiting.
 *
 * Each job has a process group of its own, so that a Ctrl-C at the terminal reaches this process
 * alone, which passes it on once.
 */
#include "sim/sweep/jobs.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim/live.h"
#include "sim/sweep/grid.h"

extern char **environ;

enum { PIPES = 2, SIGNALS = 3, OUTPUT_LIMIT = 256 << 20 };

/* Standard output or standard error of a job. */
struct stream {
    struct slot *slot;
    struct event *event; /* NULL: closed */
    struct evbuffer *text;
    int file;
};

/* A place for one running job. */
struct slot {
    struct runner *runner;
    pid_t process; /* 0: free */
    size_t job;
    struct stream streams[PIPES]; /* standard output, standard error */
};

struct runner {
    const struct jobs *jobs;
    struct event_base *base;
    struct event *timer, *signals[SIGNALS];
    struct slot *slots; /* [slot_count] */
    size_t slot_count, next, running, ended, failed;
    int signal_number;
    double started, first_signal;
    bool terminal, progress_shown, broken;
    unsigned seconds; /* since the last line of progress where there is no terminal */
    struct error *error;
};

/* ---- progress ---- */

static void clear_progress(struct runner *runner)
{
    if (runner->progress_shown && runner->terminal)
        fputs("\r\033[K", stderr);
    runner->progress_shown = false;
}

static void on_timer(evutil_socket_t socket, short what, void *argument)
{
    (void)socket, (void)what;
    struct runner *runner = argument;
    if (runner->jobs->quiet || (!runner->terminal && ++runner->seconds % 10 != 0))
        return;
    fprintf(stderr, "%svolley: %zu of %zu points done, %zu running, %zu failed, %.0f s%s",
            runner->terminal ? "\r" : "", runner->ended - runner->failed, runner->jobs->count,
            runner->running, runner->failed, seconds_now() - runner->started,
            runner->terminal ? "\033[K" : "\n");
    runner->progress_shown = true;
}

/* ---- ending a job ---- */

static void close_stream(struct stream *stream)
{
    if (stream->event != NULL)
        event_free(stream->event);
    if (stream->file >= 0)
        close(stream->file);
    stream->event = NULL;
    stream->file = -1;
}

static void stop_all(const struct runner *runner, int signal_number)
{
    for (size_t i = 0; i < runner->slot_count; i++)
        if (runner->slots[i].process > 0)
            kill(runner->slots[i].process, signal_number);
}

/* Stops everything because of `error`, or of one that is set already. */
static void break_off(struct runner *runner)
{
    runner->broken = true;
    stop_all(runner, SIGTERM);
}

/* What is in the buffer, as a string in it. */
static const char *text_of(struct stream *stream)
{
    evbuffer_add(stream->text, "", 1);
    const char *text = (const char *)evbuffer_pullup(stream->text, -1);
    return text != NULL ? text : "";
}

/* The sentence of a program that failed: what it said last, or how it came to its end. */
static void find_reason(struct slot *slot, int status, char *reason, size_t room)
{
    static const char prefix[] = "volley: ";
    const char *said = text_of(&slot->streams[1]), *line = said;
    for (const char *c = said; *c != '\0'; c++)
        if (*c == '\n' && c[1] != '\0')
            line = c + 1;
    if (strncmp(line, prefix, sizeof prefix - 1) == 0)
        line += sizeof prefix - 1;
    size_t length = strcspn(line, "\n");
    if (WIFSIGNALED(status))
        snprintf(reason, room, "it was ended by signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    else if (length == 0)
        snprintf(reason, room, "it ended with exit code %d and said nothing",
                 WEXITSTATUS(status));
    else
        snprintf(reason, room, "%.*s", (int)length, line);
}

static void begin_jobs(struct runner *runner);

static void end_job(struct slot *slot)
{
    struct runner *runner = slot->runner;
    char reason[1024] = "";
    int status = 0;
    while (waitpid(slot->process, &status, 0) < 0 && errno == EINTR)
        ;
    bool succeeded = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    bool stopped = !succeeded && (runner->signal_number != 0 || runner->broken);
    if (!succeeded)
        find_reason(slot, status, reason, sizeof reason);
    slot->process = 0;
    runner->running--;
    runner->ended += !stopped;
    runner->failed += !succeeded && !stopped;
    struct job_end end = {stopped, succeeded, text_of(&slot->streams[0]), reason};
    if (!runner->jobs->ended(runner->jobs->self, slot->job, &end) && !runner->broken)
        break_off(runner);
    for (int i = 0; i < PIPES; i++)
        evbuffer_drain(slot->streams[i].text, evbuffer_get_length(slot->streams[i].text));
    begin_jobs(runner);
    if (runner->running == 0)
        event_base_loopbreak(runner->base);
}

static void on_readable(evutil_socket_t file, short what, void *argument)
{
    (void)what;
    struct stream *stream = argument;
    struct slot *slot = stream->slot;
    int length = evbuffer_read(stream->text, file, -1);
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (length > 0) {
        if (evbuffer_get_length(stream->text) > OUTPUT_LIMIT)
            kill(slot->process, SIGKILL);
        return;
    }
    close_stream(stream);
    if (slot->streams[0].event == NULL && slot->streams[1].event == NULL)
        end_job(slot);
}

/* ---- beginning a job ---- */

/* Signals and group of the new process. */
static bool set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none, plain;
    sigemptyset(&none);
    sigfillset(&plain);
    return posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                                    POSIX_SPAWN_SETSIGDEF) == 0 &&
           posix_spawnattr_setpgroup(attributes, 0) == 0 &&
           posix_spawnattr_setsigmask(attributes, &none) == 0 &&
           posix_spawnattr_setsigdefault(attributes, &plain) == 0;
}

static bool set_files(posix_spawn_file_actions_t *actions, const int ends[PIPES])
{
    return posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0) == 0 &&
           posix_spawn_file_actions_adddup2(actions, ends[0], 1) == 0 &&
           posix_spawn_file_actions_adddup2(actions, ends[1], 2) == 0;
}

/* Starts this program with these arguments. Returns 0 or the error's number. */
static int spawn(char **arguments, const int ends[PIPES], pid_t *process)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    if (posix_spawn_file_actions_init(&actions) != 0)
        return ENOMEM;
    if (posix_spawnattr_init(&attributes) != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return ENOMEM;
    }
    size_t count = 0;
    while (arguments[count] != NULL)
        count++;
    char name[] = "volley", **whole = calloc(count + 2, sizeof *whole);
    int code = ENOMEM;
    if (whole != NULL && set_attributes(&attributes) && set_files(&actions, ends)) {
        whole[0] = name;
        memcpy(whole + 1, arguments, count * sizeof *whole);
        code = posix_spawn(process, "/proc/self/exe", &actions, &attributes, whole, environ);
    }
    free(whole);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return code;
}

static bool watch(struct stream *stream)
{
    fcntl(stream->file, F_SETFL, O_NONBLOCK);
    stream->event = event_new(stream->slot->runner->base, stream->file, EV_READ | EV_PERSIST,
                              on_readable, stream);
    return stream->event != NULL && event_add(stream->event, NULL) == 0;
}

/* Ends a job that cannot be watched. */
static void give_up(struct slot *slot)
{
    kill(slot->process, SIGKILL);
    while (waitpid(slot->process, NULL, 0) < 0 && errno == EINTR)
        ;
    for (int i = 0; i < PIPES; i++)
        close_stream(&slot->streams[i]);
    slot->process = 0;
    slot->runner->running--;
}

/* Gives a job to a free slot. */
static bool begin_job(struct slot *slot, size_t job)
{
    struct runner *runner = slot->runner;
    int pipes[PIPES][2] = {{-1, -1}, {-1, -1}}; /* [pipe][end: we read, the job writes] */
    char **arguments = runner->jobs->arguments(runner->jobs->self, job);
    int code = arguments == NULL ? ENOMEM
               : pipe2(pipes[0], O_CLOEXEC) != 0 || pipe2(pipes[1], O_CLOEXEC) != 0
                   ? errno
                   : spawn(arguments, (int[PIPES]){pipes[0][1], pipes[1][1]}, &slot->process);
    grid_arguments_free(arguments);
    for (int i = 0; i < PIPES; i++) {
        if (pipes[i][1] >= 0)
            close(pipes[i][1]);
        slot->streams[i].file = pipes[i][0];
        if (code != 0)
            close_stream(&slot->streams[i]);
    }
    if (code != 0) {
        slot->process = 0;
        return error_set(runner->error, ERROR_FAILED, "a point cannot be run: %s", strerror(code));
    }
    slot->job = job;
    runner->running++;
    if (watch(&slot->streams[0]) && watch(&slot->streams[1]))
        return true;
    give_up(slot);
    return error_no_memory(runner->error, "the sweep");
}

/* Fills free slots with the next jobs. */
static void begin_jobs(struct runner *runner)
{
    for (size_t i = 0; i < runner->slot_count; i++) {
        if (runner->broken || runner->signal_number != 0 || runner->next == runner->jobs->count)
            return;
        if (runner->slots[i].process == 0 && !begin_job(&runner->slots[i], runner->next++))
            break_off(runner);
    }
}

/* ---- signals ---- */

static void on_signal(evutil_socket_t number, short what, void *argument)
{
    (void)what;
    struct runner *runner = argument;
    if (runner->signal_number != 0) {
        if (seconds_now() - runner->first_signal < 0.5) /* the same one, sent twice */
            return;
        stop_all(runner, SIGKILL);
        return;
    }
    runner->signal_number = (int)number;
    runner->first_signal = seconds_now();
    clear_progress(runner);
    if (!runner->jobs->quiet)
        fputs("volley: stopping; again to stop at once\n", stderr);
    stop_all(runner, SIGTERM);
    if (runner->running == 0)
        event_base_loopbreak(runner->base);
}

/* ---- all of it ---- */

static bool make_slots(struct runner *runner)
{
    const struct jobs *jobs = runner->jobs;
    runner->slot_count = jobs->count < (size_t)jobs->limit ? jobs->count : (size_t)jobs->limit;
    runner->slots = calloc(runner->slot_count, sizeof *runner->slots);
    if (runner->slots == NULL)
        return false;
    bool done = true;
    for (size_t i = 0; i < runner->slot_count; i++) {
        runner->slots[i].runner = runner;
        for (int s = 0; s < PIPES; s++) {
            struct evbuffer *text = evbuffer_new();
            runner->slots[i].streams[s] = (struct stream){&runner->slots[i], NULL, text, -1};
            done = done && text != NULL;
        }
    }
    return done;
}

static bool set_up(struct runner *runner)
{
    static const int numbers[SIGNALS] = {SIGINT, SIGTERM, SIGHUP};
    const struct timeval second = {1, 0};
    runner->base = event_base_new();
    if (runner->base == NULL || !make_slots(runner))
        return false;
    runner->timer = event_new(runner->base, -1, EV_PERSIST, on_timer, runner);
    bool done = runner->timer != NULL && event_add(runner->timer, &second) == 0;
    for (int i = 0; done && i < SIGNALS; i++) {
        runner->signals[i] = evsignal_new(runner->base, numbers[i], on_signal, runner);
        done = runner->signals[i] != NULL && event_add(runner->signals[i], NULL) == 0;
    }
    return done;
}

static void tear_down(struct runner *runner)
{
    for (size_t i = 0; runner->slots != NULL && i < runner->slot_count; i++)
        for (int s = 0; s < PIPES; s++) {
            close_stream(&runner->slots[i].streams[s]);
            if (runner->slots[i].streams[s].text != NULL)
                evbuffer_free(runner->slots[i].streams[s].text);
        }
    for (int i = 0; i < SIGNALS; i++)
        if (runner->signals[i] != NULL)
            event_free(runner->signals[i]);
    if (runner->timer != NULL)
        event_free(runner->timer);
    if (runner->base != NULL)
        event_base_free(runner->base);
    free(runner->slots);
}

bool jobs_run(const struct jobs *jobs, int *signal_number, struct error *error)
{
    struct runner runner = {.jobs = jobs,
                            .terminal = isatty(STDERR_FILENO) != 0,
                            .started = seconds_now(),
                            .error = error};
    *signal_number = 0;
    if (jobs->count == 0)
        return true;
    signal(SIGPIPE, SIG_IGN);
    bool done = set_up(&runner);
    if (!done)
        error_set(error, ERROR_FAILED, "the event loop cannot be started");
    if (done) {
        begin_jobs(&runner);
        if (runner.running > 0)
            event_base_dispatch(runner.base);
        done = !runner.broken;
    }
    clear_progress(&runner);
    tear_down(&runner);
    *signal_number = runner.signal_number;
    return done;
}
