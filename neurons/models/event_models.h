/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The models that can go from event to event. */
#ifndef VOLLEY_EVENT_MODELS_H
#define VOLLEY_EVENT_MODELS_H

#include "neurons/event_cells.h"

extern const struct event_model event_if;         /* if */
extern const struct event_model event_integrator; /* integrator */
extern const struct event_model event_lif;        /* lif */
extern const struct event_model event_li;         /* li */
extern const struct event_model event_cuba_lif;   /* cuba_lif */
extern const struct event_model event_cuba_li;    /* cuba_li */

#endif
