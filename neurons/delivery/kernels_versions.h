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

/* What they take from attend_avx2.c and attend_avx512.c … */
void avx2_meet_keys(const struct key_meeting *meeting);
void avx2_weigh_values(const struct value_weighing *weighing);
void avx512_meet_keys(const struct key_meeting *meeting);
void avx512_weigh_values(const struct value_weighing *weighing);

/* … and from integrate_avx2.c and integrate_avx512.c. */
void avx2_integrate(const struct code_band *band, const struct firing_list *firing,
                    uint32_t first_group, uint32_t groups, uint32_t begin, uint32_t end,
                    double *sums);
void avx2_integrate_lanes(const struct code_band *band, const struct count_block *counts,
                          uint32_t first_group, uint32_t groups, uint32_t begin, uint32_t end,
                          double *sums);
void avx512_integrate(const struct code_band *band, const struct firing_list *firing,
                      uint32_t first_group, uint32_t groups, uint32_t begin, uint32_t end,
                      double *sums);
void avx512_integrate_lanes(const struct code_band *band, const struct count_block *counts,
                            uint32_t first_group, uint32_t groups, uint32_t begin, uint32_t end,
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
