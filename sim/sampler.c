/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/sampler.h"

#include <math.h>
#include <stdlib.h>

#include <Random123/philox.h>

#include "encoding/arithmetic.h"

bool sampler_new(struct sampler *sampler, uint32_t vocabulary, double temperature, double top_p,
                 uint64_t seed, struct error *error)
{
    *sampler = (struct sampler){temperature, top_p, seed, vocabulary, NULL};
    sampler->candidates = malloc(vocabulary * sizeof *sampler->candidates);
    return sampler->candidates != NULL || error_no_memory(error, "the sampler");
}

void sampler_free(struct sampler *sampler)
{
    free(sampler->candidates);
    sampler->candidates = NULL;
}

double sampler_uniform(uint64_t seed, int64_t position)
{
    philox4x32_ctr_t counter = {{(uint32_t)position, (uint32_t)((uint64_t)position >> 32), 0, 0}};
    philox4x32_key_t key = {{(uint32_t)seed, (uint32_t)(seed >> 32)}};
    philox4x32_ctr_t random = philox4x32(counter, key);
    uint64_t bits = (uint64_t)random.v[0] << 32 | random.v[1];
    return (double)(bits >> 11) * 0x1p-53;
}

static double largest(const double *logits, uint32_t vocabulary, uint32_t *where)
{
    *where = 0;
    for (uint32_t i = 1; i < vocabulary; i++)
        if (logits[i] > logits[*where])
            *where = i;
    return logits[*where];
}

static int more_likely(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    if (x->weight != y->weight)
        return x->weight > y->weight ? -1 : 1;
    return x->token < y->token ? -1 : 1;
}

uint32_t sampler_next(const struct sampler *sampler, const double *logits, int64_t position)
{
    uint32_t best;
    double top = largest(logits, sampler->vocabulary, &best), total = 0, kept = 0;
    if (sampler->temperature <= 0)
        return best;
    for (uint32_t i = 0; i < sampler->vocabulary; i++) {
        double weight = arithmetic_exp((logits[i] - top) / sampler->temperature);
        sampler->candidates[i] = (struct candidate){weight, i};
        total += weight;
    }
    qsort(sampler->candidates, sampler->vocabulary, sizeof *sampler->candidates, more_likely);
    uint32_t length = 0;
    while (length < sampler->vocabulary && (length == 0 || kept < sampler->top_p * total))
        kept += sampler->candidates[length++].weight;
    double point = sampler_uniform(sampler->seed, position) * kept;
    uint32_t chosen = 0;
    for (double sum = sampler->candidates[0].weight; chosen + 1 < length && point >= sum;)
        sum += sampler->candidates[++chosen].weight;
    return sampler->candidates[chosen].token;
}

double sampler_bits(const double *logits, uint32_t vocabulary, uint32_t token)
{
    uint32_t best;
    double top = largest(logits, vocabulary, &best), total = 0;
    for (uint32_t i = 0; i < vocabulary; i++)
        total += arithmetic_exp(logits[i] - top);
    return (log(total) - (logits[token] - top)) / log(2);
}
