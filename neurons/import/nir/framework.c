/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The table of frameworks. A new one is one entry.
 *
 * With E = exp(-dt/tau) and B = 1 - dt/tau, a LIF neuron that gets x in a tick does
 *
 *     norse, lava    v = B v + (dt/tau)(v_leak + r x); v > theta; v = v_reset
 *     nengo          v = E v + (1 - E)(v_leak + r x);  v > theta; v = v_reset
 *     sinabs         v = E v + (1 - E)(v_leak + r x);  n = floor(v/theta) spikes; v -= n theta
 *     rockpool       v = E v + (dt/tau)(v_leak + r x); n = floor(v/theta) spikes; v -= n theta
 *     spikingjelly   v = B v + (dt/tau)(v_leak + r x); v >= theta; v = v_reset
 *     snntorch       v = B v + x, in units of r dt/tau, in single precision; v > theta; v = v_reset
 *
 * and lava one tick later per layer. `raw` is what makes nengo's form into Rockpool's, and Norse's
 * into snnTorch's.
 */
#include "neurons/import/nir/framework.h"

#include <string.h>

static const struct framework table[] = {
    {"snntorch", "v = beta v + x with beta = 1 - dt/tau in single precision, spike at v > "
                 "threshold, reset to a value",
     {.integration = INTEGRATE_EULER, .reset = RESET_VALUE, .raw = true, .single = true}, false},
    {"norse", "forward Euler, spike at v > threshold, reset to a value",
     {.integration = INTEGRATE_EULER, .reset = RESET_VALUE}, false},
    {"sinabs", "exact decay, several spikes a tick, spike at v >= threshold, reset by subtraction",
     {.integration = INTEGRATE_EXACT, .reset = RESET_SUBTRACT, .inclusive = true, .several = true},
     false},
    {"rockpool", "exact decay, input times dt/tau, several spikes a tick, spike at v >= threshold, "
                 "reset by subtraction",
     {.integration = INTEGRATE_EXACT, .reset = RESET_SUBTRACT, .inclusive = true, .several = true,
      .raw = true}, false},
    {"nengo", "exact decay, spike at v > threshold, reset to a value",
     {.integration = INTEGRATE_EXACT, .reset = RESET_VALUE}, false},
    {"lava", "forward Euler, spike at v > threshold, reset to a value, one tick for each layer",
     {.integration = INTEGRATE_EULER, .reset = RESET_VALUE}, true},
    {"spikingjelly", "forward Euler, spike at v >= threshold, reset to a value",
     {.integration = INTEGRATE_EULER, .reset = RESET_VALUE, .inclusive = true}, false},
};

enum { FRAMEWORKS = sizeof table / sizeof table[0] };

const struct framework *framework_find(const char *name, struct error *error)
{
    for (int i = 0; i < FRAMEWORKS; i++)
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    error_set(error, ERROR_MISUSED, "'%.80s' is no framework whose habits are known; give "
              "snntorch, norse, sinabs, rockpool, nengo, lava or spikingjelly", name);
    return NULL;
}

const struct framework *frameworks(size_t *length)
{
    *length = FRAMEWORKS;
    return table;
}
