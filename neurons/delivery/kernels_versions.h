/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The versions of the kernels, one to a file. Only kernels.c chooses among them,
 * for it knows what the processor can run.
 */
#ifndef VOLLEY_KERNELS_VERSIONS_H
#define VOLLEY_KERNELS_VERSIONS_H

#include "neurons/delivery/kernels.h"

extern const struct kernels kernels_plain;

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define KERNELS_X86 1
extern const struct kernels kernels_avx2;   /* needs AVX2 and F16C */
extern const struct kernels kernels_avx512; /* needs AVX-512 F, BW, DQ, VL and VNNI */

/* What they take from integrate_avx2.c and integrate_avx512.c. */
void avx2_integrate(const struct code_block *codes, const struct count_block *counts,
                    double *sums);
void avx512_pack(const struct count_block *counts, uint32_t inputs, uint32_t group);
void avx512_integrate(const struct code_block *codes, const struct count_block *counts,
                      double *sums);

/* … and from dot_avx2.c and dot_avx512.c. */
double avx2_dot(const float *weights, const double *values, uint32_t inputs);
double avx2_dot_half(const uint16_t *weights, const double *values, uint32_t inputs);
double avx2_dot_bfloat(const uint16_t *weights, const double *values, uint32_t inputs);
void avx2_dot_tile(const struct float_tile *tile, double *sums);
void avx2_dot_bytes(const struct byte_block *block, const struct byte_values *values,
                    double *sums);
double avx512_dot(const float *weights, const double *values, uint32_t inputs);
double avx512_dot_half(const uint16_t *weights, const double *values, uint32_t inputs);
double avx512_dot_bfloat(const uint16_t *weights, const double *values, uint32_t inputs);
void avx512_dot_tile(const struct float_tile *tile, double *sums);
void avx512_dot_bytes(const struct byte_block *block, const struct byte_values *values,
                      double *sums);
#endif

#endif
