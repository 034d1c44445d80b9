/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/session.h"

#include <stdio.h>

#include "neurons/models/models.h"
#include "sim/live.h"

enum { SHOWN_PIECE = 1024 };

/* Hands a token's text on, in pieces that fit a small buffer. */
static void show_token(struct session *session, struct utf8_stream *stream, uint32_t token)
{
    char text[3 * SHOWN_PIECE + 12];
    if (session->tokenizer == NULL) {
        int length = snprintf(text, sizeof text, "%u ", token);
        session->show(text, (size_t)length);
        return;
    }
    size_t length;
    const char *bytes = tokenizer_bytes(session->tokenizer, token, &length);
    for (size_t done = 0; done < length; done += SHOWN_PIECE) {
        size_t piece = length - done < SHOWN_PIECE ? length - done : SHOWN_PIECE;
        size_t shown = utf8_stream_put(stream, bytes + done, piece, text);
        if (shown > 0)
            session->show(text, shown);
    }
}

static const double *logits_of(const struct session *session, uint32_t lane)
{
    return session->model->logits->values + (size_t)lane * session->model->vocabulary;
}

/* One wave of tokens at `position`; keeps what is wanted of their logits. */
static bool feed(struct session *session, const uint32_t *tokens, uint32_t lanes, int64_t position,
                 uint32_t readout_from)
{
    struct language_model *model = session->model;
    struct wave wave = {position, lanes, readout_from};
    if (!embedding_feed(model->tokens, tokens, lanes, &session->error) ||
        !network_wave(model->network, model->tokens, wave, NULL, &session->error))
        return false;
    for (uint32_t lane = 0; session->logits != NULL && lane < lanes; lane++)
        if (!matrix_file_add(session->logits, logits_of(session, lane), &session->error))
            return false;
    uint64_t fed = atomic_fetch_add(&session->fed, lanes) + lanes;
    if (session->timing != NULL)
        timing_note(session->timing, fed, false);
    return true;
}

static bool feed_prompt(struct session *session, struct utf8_stream *stream, uint32_t *last_lane)
{
    bool all = session->score || session->logits != NULL;
    for (size_t done = 0; done < session->prompt_length;) {
        size_t left = session->prompt_length - done;
        uint32_t lanes = left < session->lanes ? (uint32_t)left : session->lanes;
        bool last = lanes == left;
        uint32_t readout_from = all ? 0 : last ? lanes - 1 : lanes;
        for (uint32_t lane = 0; lane < lanes && !session->score; lane++)
            show_token(session, stream, session->prompt[done + lane]);
        if (!feed(session, session->prompt + done, lanes, (int64_t)done, readout_from))
            return false;
        for (uint32_t lane = 0; session->score && lane < lanes; lane++) {
            if (done + lane + 1 == session->prompt_length)
                break;
            session->bits += sampler_bits(logits_of(session, lane), session->model->vocabulary,
                                          session->prompt[done + lane + 1]);
            session->scored++;
        }
        done += lanes;
        *last_lane = lanes - 1;
        if (atomic_load(&session->stop) != 0)
            return true;
    }
    return true;
}

static bool generate(struct session *session, struct utf8_stream *stream, uint32_t last_lane)
{
    int64_t position = (int64_t)session->prompt_length;
    const double *logits = logits_of(session, last_lane);
    for (uint64_t made = 0; made < session->generate; made++, position++) {
        uint32_t token = sampler_next(&session->sampler, logits, position);
        if ((int64_t)token == session->model->end_token && !session->past_end) {
            session->ended = true;
            return true;
        }
        show_token(session, stream, token);
        atomic_fetch_add(&session->generated, 1);
        /* The last token's successor is not wanted, so it need not be fed in. */
        if (made + 1 == session->generate || atomic_load(&session->stop) != 0)
            return true;
        if (!feed(session, &token, 1, position, 0))
            return false;
        logits = logits_of(session, 0);
    }
    return true;
}

bool session_run(struct session *session)
{
    struct utf8_stream stream = {.held_length = 0};
    uint32_t last_lane = 0;
    if (session->timing != NULL)
        timing_start(session->timing);
    double start = seconds_now();
    bool done = feed_prompt(session, &stream, &last_lane);
    double middle = seconds_now();
    if (session->timing != NULL)
        timing_note(session->timing, atomic_load(&session->fed), true);
    session->prompt_seconds = middle - start;
    if (done && atomic_load(&session->stop) == 0)
        done = generate(session, &stream, last_lane);
    session->generate_seconds = seconds_now() - middle;
    if (session->timing != NULL)
        timing_note(session->timing, atomic_load(&session->fed), true);
    char text[8];
    size_t length = session->tokenizer != NULL ? utf8_stream_end(&stream, text) : 0;
    if (length > 0)
        session->show(text, length);
    return done;
}
