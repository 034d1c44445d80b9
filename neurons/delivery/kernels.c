/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which version of the kernels runs. The tables are constant, so that any
 * thread may ask at any time.
 */
#include "neurons/delivery/kernels.h"
#include "neurons/delivery/kernels_versions.h"

#include <stdio.h>
#include <string.h>

#ifdef KERNELS_X86
#include <cpuid.h>

/* Every version, best first; what a processor can run is an end of the table. */
static const struct kernels *const versions[] = {&kernels_avx512, &kernels_avx2, &kernels_plain};

/* Whether the processor and the system allow AVX2 and conversion from half. */
static bool avx2_runs(void)
{
    unsigned a, b, c, d;
    return __builtin_cpu_supports("avx2") && __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C) != 0;
}

static bool avx512_runs(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512vnni");
}

static size_t versions_first(void)
{
    return !avx2_runs() ? 2 : !avx512_runs() ? 1 : 0;
}
#else
static const struct kernels *const versions[] = {&kernels_plain};

static size_t versions_first(void)
{
    return 0;
}
#endif

const struct kernels *const *kernels_available(size_t *length)
{
    size_t first = versions_first();
    *length = sizeof versions / sizeof versions[0] - first;
    return versions + first;
}

const struct kernels *kernels_find(const char *name, struct error *error)
{
    size_t length;
    const struct kernels *const *available = kernels_available(&length);
    if (name == NULL || strcmp(name, "auto") == 0)
        return available[0];
    char names[128] = "auto";
    for (size_t i = 0; i < length; i++) {
        if (strcmp(name, available[i]->name) == 0)
            return available[i];
        size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, ", %s", available[i]->name);
    }
    error_set(error, ERROR_MISUSED,
              "this processor has no kernels named '%s'; choose one of: %s", name, names);
    return NULL;
}
