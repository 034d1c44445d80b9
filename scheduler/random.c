/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Random numbers that random.h describes: Philox4x32-10 on
 *
 *     key      the 64-bit seed: lower word, upper word
 *     counter  low, lower word of high, upper word of high, owner + purpose x 2^28
 *
 * Main invariant: everything a number is drawn for stands in key or counter as it is, so two
 * different draws never share a block. The bulk form takes BLOCK counters through each round
 * together; integers give the same bits whichever vectors hold them.
 *
 * The versions with vectors are written with the processor's instructions, since the compiler does
 * not find the multiplication of 32-bit halves of 64-bit lanes in plain C.
 */
#include "scheduler/random_internal.h"

#include <Random123/philox.h>
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define VECTORS
#endif

enum { BLOCK = RANDOM_BLOCK, ROUNDS = 10, OWNER_BITS = 28 };

struct random_stream random_stream_of(uint64_t seed, enum random_purpose purpose, uint32_t owner)
{
    assert(owner < UINT32_C(1) << OWNER_BITS && (uint32_t)purpose < 16);
    return (struct random_stream){{(uint32_t)seed, (uint32_t)(seed >> 32)},
                                  owner | (uint32_t)purpose << OWNER_BITS};
}

void random_words(const struct random_stream *stream, uint64_t high, uint32_t low,
                  uint32_t words[4])
{
    philox4x32_ctr_t counter = {{low, (uint32_t)high, (uint32_t)(high >> 32), stream->owner}};
    philox4x32_key_t key = {{stream->key[0], stream->key[1]}};
    counter = philox4x32_R(ROUNDS, counter, key);
    memcpy(words, counter.v, sizeof counter.v);
}

/* words[4 * BLOCK] for BLOCK counters from (high, low) on. */
static void block_plain(const struct random_stream *stream, uint64_t high, uint32_t low,
                        uint32_t *restrict words)
{
    uint32_t a[BLOCK], b[BLOCK], c[BLOCK], d[BLOCK];
    for (uint32_t i = 0; i < BLOCK; i++) {
        a[i] = low + i;
        b[i] = (uint32_t)high;
        c[i] = (uint32_t)(high >> 32);
        d[i] = stream->owner;
    }
    uint32_t key0 = stream->key[0], key1 = stream->key[1];
    for (int round = 0; round < ROUNDS; round++) {
        for (uint32_t i = 0; i < BLOCK; i++) {
            uint64_t product0 = (uint64_t)a[i] * PHILOX_M4x32_0;
            uint64_t product1 = (uint64_t)c[i] * PHILOX_M4x32_1;
            a[i] = (uint32_t)(product1 >> 32) ^ b[i] ^ key0;
            b[i] = (uint32_t)product1;
            c[i] = (uint32_t)(product0 >> 32) ^ d[i] ^ key1;
            d[i] = (uint32_t)product0;
        }
        key0 += PHILOX_W32_0;
        key1 += PHILOX_W32_1;
    }
    for (uint32_t i = 0; i < BLOCK; i++) {
        words[4 * i] = a[i];
        words[4 * i + 1] = b[i];
        words[4 * i + 2] = c[i];
        words[4 * i + 3] = d[i];
    }
}

#ifdef VECTORS
/*
 * With vectors a word sits in a lane of 64 bits, of which the multiplication reads the lower half;
 * so the upper half may hold anything, and a product's lower word needs no work at all. Counters
 * sit in the lanes in the order that makes unpacking put them out in sequence.
 */
__attribute__((target("avx2"))) static void block_avx2(const struct random_stream *stream,
                                                       uint64_t high, uint32_t low,
                                                       uint32_t *restrict words)
{
    enum { VECTORS_EACH = BLOCK / 4 };
    const __m256i factor0 = _mm256_set1_epi64x(PHILOX_M4x32_0);
    const __m256i factor1 = _mm256_set1_epi64x(PHILOX_M4x32_1);
    __m256i a[VECTORS_EACH], b[VECTORS_EACH], c[VECTORS_EACH], d[VECTORS_EACH];
    for (int i = 0; i < VECTORS_EACH; i++) {
        a[i] = _mm256_add_epi32(_mm256_set1_epi64x((int64_t)(uint32_t)(low + 4 * (uint32_t)i)),
                                _mm256_setr_epi64x(0, 2, 1, 3));
        b[i] = _mm256_set1_epi64x((int64_t)high);
        c[i] = _mm256_set1_epi64x((int64_t)(high >> 32));
        d[i] = _mm256_set1_epi64x(stream->owner);
    }
    uint32_t key0 = stream->key[0], key1 = stream->key[1];
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < VECTORS_EACH; i++) {
            __m256i product0 = _mm256_mul_epu32(a[i], factor0);
            __m256i product1 = _mm256_mul_epu32(c[i], factor1);
            a[i] = _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(product1, 32), b[i]),
                                    _mm256_set1_epi64x(key0));
            b[i] = product1;
            c[i] = _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(product0, 32), d[i]),
                                    _mm256_set1_epi64x(key1));
            d[i] = product0;
        }
        key0 += PHILOX_W32_0;
        key1 += PHILOX_W32_1;
    }
    for (int i = 0; i < VECTORS_EACH; i++, words += 16) {
        __m256i ab = _mm256_blend_epi32(a[i], _mm256_slli_epi64(b[i], 32), 0xaa);
        __m256i cd = _mm256_blend_epi32(c[i], _mm256_slli_epi64(d[i], 32), 0xaa);
        _mm256_storeu_si256((__m256i *)words, _mm256_unpacklo_epi64(ab, cd));
        _mm256_storeu_si256((__m256i *)(words + 8), _mm256_unpackhi_epi64(ab, cd));
    }
}

__attribute__((target("avx512f"))) static void block_avx512(const struct random_stream *stream,
                                                            uint64_t high, uint32_t low,
                                                            uint32_t *restrict words)
{
    enum { VECTORS_EACH = BLOCK / 8 };
    const __m512i factor0 = _mm512_set1_epi64(PHILOX_M4x32_0);
    const __m512i factor1 = _mm512_set1_epi64(PHILOX_M4x32_1);
    __m512i a[VECTORS_EACH], b[VECTORS_EACH], c[VECTORS_EACH], d[VECTORS_EACH];
    for (int i = 0; i < VECTORS_EACH; i++) {
        a[i] = _mm512_add_epi32(_mm512_set1_epi64((int64_t)(uint32_t)(low + 8 * (uint32_t)i)),
                                _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7));
        b[i] = _mm512_set1_epi64((int64_t)high);
        c[i] = _mm512_set1_epi64((int64_t)(high >> 32));
        d[i] = _mm512_set1_epi64(stream->owner);
    }
    uint32_t key0 = stream->key[0], key1 = stream->key[1];
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < VECTORS_EACH; i++) {
            __m512i product0 = _mm512_mul_epu32(a[i], factor0);
            __m512i product1 = _mm512_mul_epu32(c[i], factor1);
            a[i] = _mm512_xor_si512(_mm512_xor_si512(_mm512_srli_epi64(product1, 32), b[i]),
                                    _mm512_set1_epi64(key0));
            b[i] = product1;
            c[i] = _mm512_xor_si512(_mm512_xor_si512(_mm512_srli_epi64(product0, 32), d[i]),
                                    _mm512_set1_epi64(key1));
            d[i] = product0;
        }
        key0 += PHILOX_W32_0;
        key1 += PHILOX_W32_1;
    }
    for (int i = 0; i < VECTORS_EACH; i++, words += 32) {
        __m512i ab = _mm512_mask_shuffle_epi32(a[i], 0xaaaa, b[i], _MM_PERM_CCAA);
        __m512i cd = _mm512_mask_shuffle_epi32(c[i], 0xaaaa, d[i], _MM_PERM_CCAA);
        _mm512_storeu_si512(words, _mm512_unpacklo_epi64(ab, cd));
        _mm512_storeu_si512(words + 16, _mm512_unpackhi_epi64(ab, cd));
    }
}
#endif

random_block *random_block_version(int version)
{
    switch (version) {
    case 0: return block_plain;
#ifdef VECTORS
    case 1: return __builtin_cpu_supports("avx2") ? block_avx2 : NULL;
    case 2: return __builtin_cpu_supports("avx512f") ? block_avx512 : NULL;
#endif
    default: return NULL;
    }
}

static random_block *block_best(void)
{
    int version = RANDOM_VERSIONS - 1;
    while (random_block_version(version) == NULL)
        version--;
    return random_block_version(version);
}

void random_words_bulk(const struct random_stream *stream, uint64_t high, uint32_t low,
                       uint32_t length, uint32_t *words)
{
    random_block *block_fill = block_best();
    for (; length >= BLOCK; length -= BLOCK, low += BLOCK, words += (size_t)4 * BLOCK)
        block_fill(stream, high, low, words);
    if (length > 0) {
        uint32_t rest[4 * BLOCK];
        block_fill(stream, high, low, rest);
        memcpy(words, rest, 4 * length * sizeof *words);
    }
}

/* A stream read word by word: what GSL sees as a generator. */
struct reader {
    struct random_stream stream;
    uint64_t high;
    uint32_t low;      /* of the block to be read next */
    uint32_t next;     /* words of the present block that have been read */
    uint32_t words[4]; /* the present block */
};

static unsigned long reader_get(void *state)
{
    struct reader *reader = state;
    if (reader->next == 4) {
        random_words(&reader->stream, reader->high, reader->low++, reader->words);
        reader->next = 0;
    }
    return reader->words[reader->next++];
}

static double reader_get_double(void *state)
{
    return (double)reader_get(state) * 0x1p-32;
}

static void reader_seek(struct reader *reader, const struct random_stream *stream, uint64_t high)
{
    *reader = (struct reader){.stream = *stream, .high = high, .next = 4};
}

static void reader_set(void *state, unsigned long seed)
{
    struct random_stream stream = random_stream_of(seed, RANDOM_SOURCE, 0);
    reader_seek(state, &stream, 0);
}

static const gsl_rng_type reader_type = {"philox4x32-10",       UINT32_MAX, 0,
                                         sizeof(struct reader), reader_set, reader_get,
                                         reader_get_double};

/* gsl_rng_alloc would end the program when memory is short. */
gsl_rng *random_gsl_new(void)
{
    gsl_rng *generator = malloc(sizeof *generator);
    void *state = malloc(sizeof(struct reader));
    if (generator == NULL || state == NULL) {
        free(generator);
        free(state);
        return NULL;
    }
    *generator = (gsl_rng){&reader_type, state};
    reader_set(state, 0);
    return generator;
}

void random_gsl_seek(gsl_rng *generator, const struct random_stream *stream, uint64_t high)
{
    assert(generator->type == &reader_type);
    reader_seek(generator->state, stream, high);
}
