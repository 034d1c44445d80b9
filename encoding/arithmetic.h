/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Elementary functions that give the same bits on every machine.
 *
 * The C library picks its exp, sin and cos by processor and version, so their
 * last bits differ from machine to machine. These use only additions,
 * multiplications, divisions and square roots in double, whose results IEEE 754
 * fixes, and are within about one unit in the last place of a double.
 */
#ifndef VOLLEY_ARITHMETIC_H
#define VOLLEY_ARITHMETIC_H

/* e^x; 0 below -745, infinity above 709.78; NaN for NaN. */
double arithmetic_exp(double x);

/* 1 / (1 + e^-x). */
double arithmetic_sigmoid(double x);

/* Sine and cosine of `angle` radians, 0 <= angle < 2^29. */
void arithmetic_sincos(double angle, double *sine, double *cosine);

/* Natural logarithm of a finite x > 0. */
double arithmetic_log(double x);

/* base^exponent for base > 0. */
double arithmetic_pow(double base, double exponent);

#endif
