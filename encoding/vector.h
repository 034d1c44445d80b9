/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One loop in plain C, compiled once for each vector extension.
 *
 * The compiler vectorises the loop for each; as products are never fused with additions
 * (-ffp-contract=off) and sums over neurons are never taken, every version gives the same bits.
 * Which version runs is told by the kernels that the network uses.
 *
 *     VECTOR_INLINE void advance(double *restrict v, double decay, uint32_t n) { … }
 *     VECTOR_VERSIONS(advance, (double *restrict v, double decay, uint32_t n), (v, decay, n))
 *     …
 *     advance_by[level](v, decay, n);
 */
#ifndef VOLLEY_VECTOR_H
#define VOLLEY_VECTOR_H

#include <stdint.h>

enum vector_level { VECTOR_PLAIN, VECTOR_AVX2, VECTOR_AVX512, VECTOR_LEVELS };

/* Eight doubles, for sums that must stay in registers: the compiler spreads them over as many as
 * the extension needs. */
typedef double vector_eight __attribute__((vector_size(64)));
typedef int64_t vector_eight_bits __attribute__((vector_size(64)));

#define VECTOR_INLINE static inline __attribute__((always_inline))

#if defined(__x86_64__) && defined(__GNUC__)
#define VECTOR_TARGET_AVX2 __attribute__((target("avx2"), noinline))
#if defined(__clang__)
#define VECTOR_TARGET_AVX512                                                                       \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl"), noinline))
#else
#define VECTOR_TARGET_AVX512                                                                       \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,prefer-vector-width=512"), noinline))
#endif
#else
#define VECTOR_TARGET_AVX2 __attribute__((noinline))
#define VECTOR_TARGET_AVX512 __attribute__((noinline))
#endif

/* Defines name_by[VECTOR_LEVELS], a table of functions returning `type`. */
#define VECTOR_VERSIONS_OF(type, name, parameters, arguments)                                      \
    static __attribute__((noinline)) type name##_plain parameters { return name arguments; }       \
    VECTOR_TARGET_AVX2 static type name##_avx2 parameters { return name arguments; }               \
    VECTOR_TARGET_AVX512 static type name##_avx512 parameters { return name arguments; }           \
    static type(*const name##_by[VECTOR_LEVELS]) parameters = {name##_plain, name##_avx2,          \
                                                               name##_avx512};
#define VECTOR_VERSIONS(name, parameters, arguments)                                               \
    VECTOR_VERSIONS_OF(void, name, parameters, arguments)

#endif
