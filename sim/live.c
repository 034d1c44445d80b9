/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Text crosses from the simulator's thread in an evbuffer under its own lock, from
 * which a timer takes it: waking this thread for every token would cost more
 * than the token. Nothing else is shared but the session's atomics. A second signal ends the
 * program at once.
 */
#include "sim/live.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/thread.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct live {
    const struct live_task *task;
    const struct live_options *options;
    struct event_base *base;
    struct event *text_event, *timer, *interrupt, *terminate;
    struct evbuffer *text;
    bool terminal;        /* standard error is one */
    bool progress_shown;
    unsigned ticks;       /* of the timer */
    int signal_number;
    bool output_failed, succeeded;
    atomic_bool done;
};

/* The one that is running; text is added to its buffer. */
static struct live *running;

void live_show(const char *bytes, size_t length)
{
    if (running != NULL && (running->options->show_text || running->options->collected != NULL))
        evbuffer_add(running->text, bytes, length);
}

double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void *simulate(void *argument)
{
    struct live *live = argument;
    live->succeeded = live->task->run(live->task->self);
    atomic_store(&live->done, true);
    event_active(live->text_event, 0, 0);
    return NULL;
}

static void clear_progress(struct live *live)
{
    if (live->progress_shown && live->terminal)
        fputs("\r\033[K", stderr);
    live->progress_shown = false;
}

static void pass_text(struct live *live)
{
    char piece[4096];
    int length;
    if (live->options->collected != NULL) /* stays in the buffer until the end */
        return;
    while ((length = evbuffer_remove(live->text, piece, sizeof piece)) > 0) {
        clear_progress(live);
        if (fwrite(piece, 1, (size_t)length, stdout) != (size_t)length)
            live->output_failed = true;
    }
    if (fflush(stdout) != 0)
        live->output_failed = true;
    if (live->output_failed)
        atomic_store(live->task->stop, 1);
}

static void collect(struct live *live, char **text)
{
    size_t length = evbuffer_get_length(live->text);
    *text = malloc(length + 1);
    if (*text == NULL)
        return;
    evbuffer_remove(live->text, *text, length);
    (*text)[length] = '\0';
}

static void on_text(evutil_socket_t socket, short what, void *argument)
{
    (void)socket, (void)what;
    struct live *live = argument;
    bool done = atomic_load(&live->done); /* read first: all text was added before it was set */
    pass_text(live);
    if (done)
        event_base_loopbreak(live->base);
}

static void on_timer(evutil_socket_t socket, short what, void *argument)
{
    (void)socket, (void)what;
    struct live *live = argument;
    const struct live_task *task = live->task;
    live->ticks++;
    /* A terminal that shows the text as it comes needs no other progress. */
    bool shows_itself = live->options->show_text && live->terminal && isatty(STDOUT_FILENO) &&
                        task->speaks != NULL && task->speaks(task->self);
    if (live->options->quiet || shows_itself || (!live->terminal && live->ticks % 10 != 0))
        return;
    char line[160];
    task->describe(task->self, line, sizeof line);
    fprintf(stderr, "%svolley: %s%s", live->terminal ? "\r" : "", line,
            live->terminal ? "\033[K" : "\n");
    live->progress_shown = true;
}

static double first_signal; /* when the first signal came */

/* A second one means at once, unless it is the same one sent to the process and to its group, as
 * timeout(1) does. */
static void second_signal(int number)
{
    if (seconds_now() - first_signal < 0.5)
        return;
    signal(number, SIG_DFL);
    raise(number);
}

static void on_signal(evutil_socket_t number, short what, void *argument)
{
    (void)what;
    struct live *live = argument;
    if (live->signal_number != 0) {
        second_signal((int)number);
        return;
    }
    live->signal_number = number;
    first_signal = seconds_now();
    atomic_store(live->task->stop, number);
    if (!live->options->quiet)
        fprintf(stderr, "%svolley: stopping after %s; again to stop at once\n",
                live->progress_shown && live->terminal ? "\r\033[K" : "", live->task->stopping);
    live->progress_shown = false;
}

static bool set_up(struct live *live)
{
    const struct timeval second = {1, 0}, blink = {0, 20000};
    if (evthread_use_pthreads() != 0)
        return false;
    live->base = event_base_new();
    live->text = evbuffer_new();
    if (live->base == NULL || live->text == NULL || evbuffer_enable_locking(live->text, NULL) != 0)
        return false;
    live->text_event = event_new(live->base, -1, EV_PERSIST, on_text, live);
    live->timer = event_new(live->base, -1, EV_PERSIST, on_timer, live);
    live->interrupt = evsignal_new(live->base, SIGINT, on_signal, live);
    live->terminate = evsignal_new(live->base, SIGTERM, on_signal, live);
    return live->text_event != NULL && live->timer != NULL && live->interrupt != NULL &&
           live->terminate != NULL && event_add(live->text_event, &blink) == 0 &&
           event_add(live->timer, &second) == 0 && event_add(live->interrupt, NULL) == 0 &&
           event_add(live->terminate, NULL) == 0;
}

static void tear_down(struct live *live)
{
    struct event *events[] = {live->text_event, live->timer, live->interrupt, live->terminate};
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        if (events[i] != NULL)
            event_free(events[i]);
    if (live->text != NULL)
        evbuffer_free(live->text);
    if (live->base != NULL)
        event_base_free(live->base);
}

/* Starts the simulator with all signals blocked: they are this thread's. */
static bool start(struct live *live, pthread_t *thread)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(thread, NULL, simulate, live);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed == 0;
}

bool live_run(const struct live_task *task, const struct live_options *options,
              int *signal_number)
{
    struct live live = {.task = task, .options = options,
                        .terminal = isatty(STDERR_FILENO) != 0};
    pthread_t thread;
    signal(SIGPIPE, SIG_IGN);
    running = &live;
    if (!set_up(&live) || !start(&live, &thread)) {
        tear_down(&live);
        running = NULL;
        return error_set(task->error, ERROR_FAILED, "the event loop cannot be started");
    }
    event_base_dispatch(live.base);
    pthread_join(thread, NULL);
    pass_text(&live);
    clear_progress(&live);
    if (options->collected != NULL)
        collect(&live, options->collected);
    tear_down(&live);
    running = NULL;
    if (live.signal_number != 0) { /* libevent has put back what there was before */
        signal(SIGINT, second_signal);
        signal(SIGTERM, second_signal);
    }
    *signal_number = live.signal_number;
    if (live.succeeded && live.output_failed)
        return error_set(task->error, ERROR_FAILED, "standard output cannot be written");
    return live.succeeded;
}
