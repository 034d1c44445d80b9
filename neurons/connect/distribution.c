/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Drawing from a distribution by the inverse of its cumulative function.
 *
 * A probability p is held as the pair (p, 1 - p), `below` and `above`, of which the smaller is
 * computed without cancellation. So a distribution confined to its far tail, where p is 1 to every
 * digit, is drawn as accurately as one about its middle.
 *
 * Cumulative functions are GSL's. Their inverses are not, since the logarithm that GSL takes
 * from the C library differs in its last bits between processors, and values drawn here are the
 * beginnings of simulations: only additions, multiplications, divisions and square roots are used.
 *
 * Main invariant: values do not decrease with the uniform number (but for the last digit), and lie
 * within low … high.
 */
#include "neurons/connect/distribution.h"

#include "encoding/arithmetic.h"

#include <float.h>
#include <gsl/gsl_cdf.h>
#include <math.h>

enum {
    WORDS = 1024,     /* drawn at once */
    STEADY_BITS = 40, /* of a probability that GSL gives */
    COEFFICIENTS = 8
};

struct probability {
    double below, above; /* of the value, at most it; above 0 and rounded on their own */
};

/* The probabilities that low and high cut, and what drawing is confined to. */
struct confined {
    struct probability low, high;
};

/* ---- logarithms and the inverse normal distribution, in the same bits everywhere ---- */

/* ln((1 + s) / (1 - s)) = 2 (s + s^3/3 + s^5/5 + …); `terms` must be enough for |s|. */
static inline __attribute__((always_inline)) double logarithm_series(double s, int terms)
{
    double square = s * s, sum = 0;
    for (int k = terms - 1; k >= 0; k--)
        sum = sum * square + 1.0 / (2 * k + 1);
    return 2 * s * sum;
}

/* ln x, x > 0. */
static double logarithm(double x)
{
    int exponent;
    double fraction = frexp(x, &exponent);
    if (fraction < M_SQRT1_2) {
        fraction *= 2;
        exponent--;
    }
    /* ln 2 in two parts, of which the upper times any exponent is exact */
    return logarithm_series((fraction - 1) / (fraction + 1), 11) +
           exponent * 1.90821492927058770002e-10 + exponent * 6.93147180369123816490e-01;
}

/* ln(1 - p), p <= 1/2. */
static double logarithm_of_rest(double p)
{
    return logarithm_series(-p / (2 - p), 17);
}

static double polynomial(const double coefficients[COEFFICIENTS], double x)
{
    double sum = coefficients[COEFFICIENTS - 1];
    for (int i = COEFFICIENTS - 2; i >= 0; i--)
        sum = sum * x + coefficients[i];
    return sum;
}

/* Wichura, Applied Statistics 37, 477 (1988), algorithm AS 241: quotients of polynomials, relative
 * accuracy about 1e-16. */
static double normal_value(struct probability at)
{
    static const double middle[2][COEFFICIENTS] = {
        {3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3,
         1.3731693765509461125e4, 4.5921953931549871457e4, 6.7265770927008700853e4,
         3.3430575583588128105e4, 2.5090809287301226727e3},
        {1, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
         2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4,
         5.2264952788528545610e3}};
    static const double tail[2][COEFFICIENTS] = {
        {1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0,
         3.64784832476320460504e0, 1.27045825245236838258e0, 2.41780725177450611770e-1,
         2.27238449892691845833e-2, 7.74545014278341407640e-4},
        {1, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
         1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4,
         1.05075007164441684324e-9}};
    static const double far_tail[2][COEFFICIENTS] = {
        {6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0,
         2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
         2.71155556874348757815e-5, 2.01033439929228813265e-7},
        {1, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
         7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7,
         2.04426310338993978564e-15}};

    bool lower = at.below < at.above;
    double p = lower ? at.below : at.above;
    double from_middle = 0.5 - p, deviation;
    if (from_middle <= 0.425) {
        double r = 0.180625 - from_middle * from_middle;
        deviation = from_middle * (polynomial(middle[0], r) / polynomial(middle[1], r));
    } else {
        double r = sqrt(-logarithm(p));
        deviation = r <= 5 ? polynomial(tail[0], r - 1.6) / polynomial(tail[1], r - 1.6)
                           : polynomial(far_tail[0], r - 5) / polynomial(far_tail[1], r - 5);
    }
    return lower ? -deviation : deviation;
}

/* ---- where a value stands in a distribution, and back ---- */

static bool is_constant(const struct distribution *distribution)
{
    switch (distribution->kind) {
    case DISTRIBUTION_CONSTANT: return true;
    case DISTRIBUTION_UNIFORM: return distribution->a == distribution->b;
    case DISTRIBUTION_NORMAL:
    case DISTRIBUTION_LOGNORMAL: return distribution->b == 0;
    case DISTRIBUTION_EXPONENTIAL: break;
    }
    return false;
}

/* The only value of a distribution that is_constant. */
static double constant_of(const struct distribution *distribution)
{
    double a = distribution->a;
    if (distribution->kind == DISTRIBUTION_LOGNORMAL)
        a = arithmetic_exp(a);
    if (distribution->kind != DISTRIBUTION_CONSTANT && distribution->clip)
        a = fmin(fmax(a, distribution->low), distribution->high);
    return a;
}

static struct probability normal_probability(double deviation)
{
    return (struct probability){gsl_cdf_ugaussian_P(deviation), gsl_cdf_ugaussian_Q(deviation)};
}

/* Where `value` stands in the distribution as it is before low and high. */
static struct probability probability_at(const struct distribution *distribution, double value)
{
    double a = distribution->a, b = distribution->b;
    switch (distribution->kind) {
    case DISTRIBUTION_UNIFORM:
        return (struct probability){gsl_cdf_flat_P(value, a, b), gsl_cdf_flat_Q(value, a, b)};
    case DISTRIBUTION_NORMAL: return normal_probability((value - a) / b);
    case DISTRIBUTION_LOGNORMAL:
        if (value <= 0)
            return (struct probability){0, 1};
        return normal_probability((logarithm(value) - a) / b);
    case DISTRIBUTION_EXPONENTIAL:
        if (value <= 0)
            return (struct probability){0, 1};
        return (struct probability){gsl_cdf_exponential_P(value, a),
                                    gsl_cdf_exponential_Q(value, a)};
    case DISTRIBUTION_CONSTANT: break;
    }
    return value < a ? (struct probability){0, 1} : (struct probability){1, 0};
}

static double value_at(const struct distribution *distribution, struct probability at)
{
    double a = distribution->a, b = distribution->b;
    switch (distribution->kind) {
    case DISTRIBUTION_UNIFORM:
        return at.below < at.above ? a + at.below * (b - a) : b - at.above * (b - a);
    case DISTRIBUTION_NORMAL: return a + b * normal_value(at);
    case DISTRIBUTION_LOGNORMAL: return arithmetic_exp(a + b * normal_value(at));
    case DISTRIBUTION_EXPONENTIAL:
        return -a * (at.below < at.above ? logarithm_of_rest(at.below) : logarithm(at.above));
    case DISTRIBUTION_CONSTANT: break;
    }
    return a;
}

/* Rounded, so that last bits that differ between processors do not show in everything drawn. */
static double steady(double probability)
{
    int exponent;
    double fraction = frexp(probability, &exponent);
    return ldexp(rint(ldexp(fraction, STEADY_BITS)), exponent - STEADY_BITS);
}

static struct probability steady_at(const struct distribution *distribution, double value)
{
    struct probability at = probability_at(distribution, value);
    return (struct probability){steady(at.below), steady(at.above)};
}

static struct confined confined_of(const struct distribution *distribution)
{
    struct confined confined = {{0, 1}, {1, 0}};
    if (distribution->clip)
        return confined;
    if (distribution->low > -INFINITY)
        confined.low = steady_at(distribution, distribution->low);
    if (distribution->high < INFINITY)
        confined.high = steady_at(distribution, distribution->high);
    return confined;
}

/* The probability of lying between the cuts, from the side on which it has more digits. */
static double confined_mass(const struct confined *confined)
{
    return confined->low.below < confined->high.above ? confined->high.below - confined->low.below
                                                      : confined->low.above - confined->high.above;
}

static double confined_value(const struct distribution *distribution,
                             const struct confined *confined, double uniform)
{
    struct probability at = {
        confined->low.below + uniform * (confined->high.below - confined->low.below),
        confined->high.above + (1 - uniform) * (confined->low.above - confined->high.above)};
    double value = value_at(distribution, at);
    value = value < distribution->low ? distribution->low : value;
    return value > distribution->high ? distribution->high : value;
}

static bool confinement_check(const struct distribution *distribution, struct error *error)
{
    double low = distribution->low, high = distribution->high;
    if (!(low < high))
        return error_set(error, ERROR_MISUSED,
                         "a distribution is confined to between %g and %g, but the lower bound "
                         "must be below the upper",
                         low, high);
    if (distribution->clip)
        return true;
    bool possible;
    if (is_constant(distribution)) {
        double value = constant_of(distribution);
        possible = low <= value && value <= high;
    } else {
        struct confined confined = confined_of(distribution);
        possible = confined_mass(&confined) >= DBL_MIN;
    }
    return possible || error_set(error, ERROR_MISUSED,
                                 "a distribution is confined to between %g and %g, where it has no "
                                 "probability; widen the bounds or set \"clip\"",
                                 low, high);
}

bool distribution_check(const struct distribution *distribution, struct error *error)
{
    double a = distribution->a, b = distribution->b;
    enum distribution_kind kind = distribution->kind;
    if ((unsigned)kind > DISTRIBUTION_EXPONENTIAL)
        return error_set(error, ERROR_MISUSED, "distribution %d does not exist", (int)kind);
    bool one = kind == DISTRIBUTION_CONSTANT || kind == DISTRIBUTION_EXPONENTIAL;
    if (!isfinite(a) || (!one && !isfinite(b)))
        return error_set(error, ERROR_MISUSED,
                         "a distribution is given as %g and %g, which must be finite", a, b);
    switch (kind) {
    case DISTRIBUTION_CONSTANT: return true;
    case DISTRIBUTION_UNIFORM:
        if (b < a || !isfinite(b - a))
            return error_set(error, ERROR_MISUSED, "a uniform distribution cannot go from %g to %g",
                             a, b);
        break;
    case DISTRIBUTION_NORMAL:
    case DISTRIBUTION_LOGNORMAL:
        if (b < 0)
            return error_set(error, ERROR_MISUSED,
                             "a standard deviation is %g, but cannot be negative", b);
        break;
    case DISTRIBUTION_EXPONENTIAL:
        if (a <= 0)
            return error_set(error, ERROR_MISUSED,
                             "the mean of an exponential distribution is %g, but must be above 0",
                             a);
        break;
    }
    return confinement_check(distribution, error);
}

double distribution_value(const struct distribution *distribution, double uniform)
{
    if (is_constant(distribution))
        return constant_of(distribution);
    struct confined confined = confined_of(distribution);
    return confined_value(distribution, &confined, uniform);
}

double distribution_cumulative(const struct distribution *distribution, double value)
{
    if (is_constant(distribution))
        return value < constant_of(distribution) ? 0 : 1;
    if (value < distribution->low)
        return 0;
    if (value >= distribution->high)
        return 1;
    struct confined confined = confined_of(distribution);
    struct probability at = probability_at(distribution, value);
    double mass = confined_mass(&confined);
    if (at.below < at.above)
        return fmax(at.below - confined.low.below, 0) / mass;
    return 1 - fmax(at.above - confined.high.above, 0) / mass;
}

void distribution_fill_from(const struct distribution *distribution,
                            const struct random_stream *stream, uint64_t high, uint32_t low,
                            uint32_t length, double *values)
{
    if (is_constant(distribution)) {
        for (uint32_t i = 0; i < length; i++)
            values[i] = constant_of(distribution);
        return;
    }
    struct confined confined = confined_of(distribution);
    uint32_t words[WORDS];
    while (length > 0) {
        uint32_t count = length < WORDS ? length : WORDS;
        random_words_bulk(stream, high, low, (count + 3) / 4, words);
        for (uint32_t i = 0; i < count; i++)
            values[i] = confined_value(distribution, &confined, random_uniform(words[i]));
        low += WORDS / 4;
        length -= count;
        values += count;
    }
}

void distribution_fill(const struct distribution *distribution, const struct random_stream *stream,
                       uint32_t length, double *values)
{
    distribution_fill_from(distribution, stream, 0, 0, length, values);
}
