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
#endif

#endif
