/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * SpikingBrain checkpoints (config.json and a set of tensors), or what was packed of them, mapped
 * to a network.
 *
 * Any checkpoint of the architecture: sizes, layer pattern, head counts, window,
 * group size, shards and data types are read from the files. Per layer the
 * network holds
 *
 *     attn_stream   the residual stream                    sum
 *     attn_norm     norm; fires into q, k, v (and gate)    rms norm
 *     query         window layers: fires per head          rotary query
 *     attention     fires into o_proj                      linear / window attention
 *     mlp_stream    the residual stream                    sum
 *     mlp_norm      norm; fires into gate_proj, up_proj    rms norm
 *     gated_unit    fires into down_proj ("paper")         gated unit
 *
 * between an embedding at the start and stream, norm and logits at the end.
 */
#ifndef VOLLEY_SPIKINGBRAIN_H
#define VOLLEY_SPIKINGBRAIN_H

#include "neurons/import/k_list.h"
#include "neurons/import/tensor_set.h"
#include "neurons/import/tokenizer.h"
#include "neurons/network.h"

struct weights_source;

/* What part of a vector of spikes shares a threshold. Queries of window layers have one a head
 * in any case. */
enum threshold_span {
    THRESHOLD_TOKEN, /* the whole vector */
    THRESHOLD_GROUP, /* every 128 consecutive channels */
    THRESHOLD_HEAD   /* attention outputs: every head; others: the whole vector */
};

struct spikingbrain_options {
    const struct coding *coding; /* NULL: floating point, nothing spikes */
    double k;                    /* of V_th = mean|x| / k … */
    const struct k_list *k_at;   /* … but for populations that it names; may be NULL */
    enum threshold_span threshold;
    bool down_proj_spikes;       /* "paper"; false: "repo", its input and weights stay float */
    uint32_t window;             /* keys a window layer sees, itself included; 0: as config.json says */
    uint32_t lanes;              /* most positions that travel together */
    bool expand;                 /* deliver every virtual tick on its own */
    struct workers *workers;     /* that weights are read with; NULL: alone */
    uint32_t table_bits; /* of embedding and head in memory: 0 or 32, as stored; 16, bfloat16; 8,
                            codes with a scale for every 128 inputs of a row */
};

struct language_model {
    struct network *network;     /* not sealed yet */
    struct population *tokens;   /* to be fed with embedding_feed */
    struct population *logits;   /* values [lanes][vocabulary] */
    uint32_t vocabulary;
    uint32_t window;
    int64_t end_token;           /* -1: none */
    uint64_t dense_macs;         /* multiply-accumulates a token, had every weight its turn */
    char digest[17];
    const struct tensor_set *tensors; /* it was made of */
    struct weights_source *source; /* mapped as long as the network lives */
};

/* "token", "group" or "head". */
bool spikingbrain_find_threshold(const char *name, enum threshold_span *span,
                                 struct error *error);
const char *spikingbrain_threshold_name(enum threshold_span span);

/* Whether `path` is a folder with a config.json of this architecture, or a packed model: a quick
 * look before long work. */
bool spikingbrain_check(const char *path, struct error *error);

/* The tokenizer of a checkpoint or packed model; fails as misused if it has none. */
struct tokenizer *spikingbrain_tokenizer(const char *path, struct error *error);

/* Reads the checkpoint in the folder `path`, or maps the packed model that the file `path` is.
 * NULL with `error` filled. */
struct language_model *spikingbrain_open(const char *path,
                                         const struct spikingbrain_options *options,
                                         struct error *error);
/* The network of weights from `source`, which it takes over, also when it fails. `name` is that of
 * the model. */
struct language_model *spikingbrain_map(struct weights_source *source, const char *name,
                                        const struct spikingbrain_options *options,
                                        struct error *error);
void language_model_free(struct language_model *model);

#endif
