/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The team of threads that workers.h describes.
 *
 * A run's parts are dealt out over up to SHARES shares: share s is the parts s, s + SHARES and so
 * on. A bit of `waiting` is set for every share of the present run that nobody has begun, and
 * `unfinished` counts those that are not done. Whoever clears a bit owns that share, and may then
 * read the run's other fields. A thread looks for the share of its own number first, so that run
 * after run it meets the memory that its processor has at hand; then it takes what others have not
 * begun.
 *
 * Main invariant: the fields of a run change only while `unfinished` is 0, and
 * a thread that owns a share keeps `unfinished` above 0 until that share is done.
 *
 * An idle thread spins for a while, since the next run usually follows within
 * microseconds, and then sleeps, so that an idle team takes no processor time.
 */
#include "scheduler/workers.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    CACHE_LINE = 64,
    SHARES = 64,         /* bits of `waiting` */
    SPINS = 2000,        /* pauses before an idle thread sleeps */
    SPINS_CROWDED = 20,  /* the same with more threads than processors */
};

struct workers {
    /* The run. */
    workers_function *function;
    void *argument;
    uint32_t parts;

    _Alignas(CACHE_LINE) atomic_uint_least64_t waiting;
    _Alignas(CACHE_LINE) atomic_uint unfinished;

    _Alignas(CACHE_LINE) atomic_uint asleep; /* helpers in, or about to enter, their sleep */
    atomic_bool caller_asleep;
    atomic_bool stopping;

    pthread_mutex_t mutex;
    pthread_cond_t begun;    /* there are parts waiting, or the team stops */
    pthread_cond_t finished; /* no part is unfinished */

    uint32_t spins;
    uint32_t helpers;
    atomic_uint started; /* helpers that know their number */
    pthread_t threads[]; /* [helpers] */
};

static inline void spin_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* One of the shares that wait: the thread's own, if it does. */
static uint64_t share_choose(uint64_t waiting, uint32_t own)
{
    uint64_t mine = UINT64_C(1) << own % SHARES;
    return (waiting & mine) != 0 ? mine : waiting & (~waiting + 1);
}

/* Does shares until none waits. */
static void shares_do(struct workers *workers, uint32_t own)
{
    uint64_t waiting = atomic_load_explicit(&workers->waiting, memory_order_acquire);
    while (waiting != 0) {
        uint64_t share = share_choose(waiting, own);
        if (!atomic_compare_exchange_weak_explicit(&workers->waiting, &waiting, waiting & ~share,
                                                   memory_order_acq_rel, memory_order_acquire))
            continue;
        for (uint32_t part = (uint32_t)__builtin_ctzll(share); part < workers->parts;
             part += SHARES)
            workers->function(workers->argument, part, workers->parts);
        if (atomic_fetch_sub(&workers->unfinished, 1) == 1 &&
            atomic_load(&workers->caller_asleep)) {
            pthread_mutex_lock(&workers->mutex);
            pthread_cond_signal(&workers->finished);
            pthread_mutex_unlock(&workers->mutex);
        }
        waiting = atomic_load_explicit(&workers->waiting, memory_order_acquire);
    }
}

/* Returns false when the team stops. */
static bool shares_await(struct workers *workers)
{
    for (uint32_t spin = 0; spin < workers->spins; spin++) {
        if (atomic_load_explicit(&workers->waiting, memory_order_relaxed) != 0)
            return true;
        if (atomic_load_explicit(&workers->stopping, memory_order_relaxed))
            return false;
        spin_pause();
    }
    pthread_mutex_lock(&workers->mutex);
    atomic_fetch_add(&workers->asleep, 1);
    while (atomic_load(&workers->waiting) == 0 && !atomic_load(&workers->stopping))
        pthread_cond_wait(&workers->begun, &workers->mutex);
    atomic_fetch_sub(&workers->asleep, 1);
    pthread_mutex_unlock(&workers->mutex);
    return !atomic_load(&workers->stopping);
}

static void *helper_main(void *argument)
{
    struct workers *workers = argument;
    uint32_t own = atomic_fetch_add(&workers->started, 1) + 1; /* 0 is the caller's */
    while (shares_await(workers))
        shares_do(workers, own);
    return NULL;
}

static void finish_await(struct workers *workers)
{
    for (uint32_t spin = 0; spin < workers->spins; spin++) {
        if (atomic_load_explicit(&workers->unfinished, memory_order_acquire) == 0)
            return;
        spin_pause();
    }
    pthread_mutex_lock(&workers->mutex);
    atomic_store(&workers->caller_asleep, true);
    while (atomic_load(&workers->unfinished) > 0)
        pthread_cond_wait(&workers->finished, &workers->mutex);
    atomic_store(&workers->caller_asleep, false);
    pthread_mutex_unlock(&workers->mutex);
}

static uint32_t processors_usable(void)
{
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return (uint32_t)CPU_COUNT(&set);
#endif
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online < 1 ? 1 : (uint32_t)online;
}

static void helpers_stop(struct workers *workers)
{
    pthread_mutex_lock(&workers->mutex);
    atomic_store(&workers->stopping, true);
    pthread_cond_broadcast(&workers->begun);
    pthread_mutex_unlock(&workers->mutex);
    for (uint32_t i = 0; i < workers->helpers; i++)
        pthread_join(workers->threads[i], NULL);
}

struct workers *workers_new(uint32_t threads, struct error *error)
{
    if (threads < 1) {
        error_set(error, ERROR_MISUSED, "a team needs at least one thread");
        return NULL;
    }
    size_t size = sizeof(struct workers) + (size_t)(threads - 1) * sizeof(pthread_t);
    size = (size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    struct workers *workers = aligned_alloc(CACHE_LINE, size);
    if (workers == NULL) {
        error_no_memory(error, "the worker threads");
        return NULL;
    }
    memset(workers, 0, size);
    atomic_init(&workers->started, 0);
    atomic_init(&workers->waiting, 0);
    atomic_init(&workers->unfinished, 0);
    atomic_init(&workers->asleep, 0);
    atomic_init(&workers->caller_asleep, false);
    atomic_init(&workers->stopping, false);
    pthread_mutex_init(&workers->mutex, NULL);
    pthread_cond_init(&workers->begun, NULL);
    pthread_cond_init(&workers->finished, NULL);
    workers->spins = threads > processors_usable() ? SPINS_CROWDED : SPINS;

    sigset_t all, before; /* signals stay with the threads that were there before */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = 0;
    while (failure == 0 && workers->helpers < threads - 1) {
        failure = pthread_create(&workers->threads[workers->helpers], NULL, helper_main, workers);
        if (failure == 0)
            workers->helpers++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failure != 0) {
        error_set(error, ERROR_FAILED, "only %u of %u worker threads could be started: %s",
                  (unsigned)workers->helpers + 1, (unsigned)threads, strerror(failure));
        workers_free(workers);
        return NULL;
    }
    return workers;
}

void workers_free(struct workers *workers)
{
    if (workers == NULL)
        return;
    helpers_stop(workers);
    pthread_cond_destroy(&workers->finished);
    pthread_cond_destroy(&workers->begun);
    pthread_mutex_destroy(&workers->mutex);
    free(workers);
}

uint32_t workers_count(const struct workers *workers)
{
    return workers->helpers + 1;
}

void workers_run(struct workers *workers, workers_function *function, void *argument,
                 uint32_t parts)
{
    if (parts <= 1 || workers->helpers == 0) {
        for (uint32_t part = 0; part < parts; part++)
            function(argument, part, parts);
        return;
    }
    workers->function = function;
    workers->argument = argument;
    workers->parts = parts;
    uint32_t shares = parts < SHARES ? parts : SHARES;
    atomic_store(&workers->unfinished, shares);
    atomic_store(&workers->waiting, shares == SHARES ? UINT64_MAX : (UINT64_C(1) << shares) - 1);
    unsigned asleep = atomic_load(&workers->asleep);
    if (asleep > 0) {
        pthread_mutex_lock(&workers->mutex);
        if (asleep <= shares - 1)
            pthread_cond_broadcast(&workers->begun);
        else
            for (uint32_t i = 0; i < shares - 1; i++)
                pthread_cond_signal(&workers->begun);
        pthread_mutex_unlock(&workers->mutex);
    }
    shares_do(workers, 0);
    finish_await(workers);
}
