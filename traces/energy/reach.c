/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Where source neurons lead, as bytes. All of them are:
 *
 *   byte 0      form: 0 plain (every group is reached by one synapse), 1 counted
 *   rows        for every source neuron in order:
 *                 number of groups that it reaches
 *                 for each of these, in ascending order:
 *                   distance from the group before, at least 1; of the first: its index
 *                   counted: number of synapses there, at least 1
 *
 * Numbers are LEB128: seven bits a byte, least significant first, high bit set on all but the last
 * byte; below 2^32, so of at most five bytes (they need not be the shortest). The synapses of a
 * source neuron are below 2^32 in sum. Nothing follows the last row. So where targets repeat
 * nowhere and lie less than 128 apart, the plain form with grain 1 takes one byte a synapse.
 *
 * The grain is found without encoding at every one. Two neighbours a <= b of a row fall into
 * different groups of 2^shift targets where a ^ b has more than `shift` bits, and are then at least
 * (b - a) >> shift groups apart. So one survey that counts bits tells for every grain how many
 * entries there are, and how many bytes they take at least; grains that this rules out are never
 * tried. The first of the others is encoded, and given up for the next should it outgrow the limit:
 * the result is the smallest grain of all.
 *
 * Invariant of a struct reach: its data is of this form from the first byte to the last, as
 * reach_read checks it, and row[] points to the beginnings of rows; so reach_row need not check.
 */
#include "traces/energy/reach.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum form { FORM_PLAIN, FORM_COUNTED };

enum {
    NUMBER_LIMIT = 5, /* bytes that 32 bits can take */
    SHIFTS = 32       /* grains are 2^0 … 2^31 */
};

void reach_free(struct reach *reach)
{
    if (reach == NULL)
        return;
    free(reach->data);
    free(reach->row);
    free(reach);
}

/* With room for where rows begin, without data; NULL when memory is short. */
static struct reach *reach_new(uint32_t sources, uint32_t targets)
{
    struct reach *reach = calloc(1, sizeof *reach);
    if (reach == NULL)
        return NULL;
    reach->sources = sources;
    reach->targets = targets;
    reach->grain = 1;
    reach->row = malloc(((size_t)sources + 1) * sizeof *reach->row);
    if (reach->row != NULL)
        return reach;
    free(reach);
    return NULL;
}

/* ---- surveying the rows ---- */

struct survey {
    uint64_t synapses;
    uint64_t rows;              /* that have a synapse */
    uint64_t apart[SHIFTS + 1]; /* neighbours a <= b whose a ^ b has so many bits */
    uint64_t far[SHIFTS + 1];   /* distances b - a (and first targets) of so many bits, beyond 7 */
};

static uint32_t bits_of(uint32_t value)
{
    return value != 0 ? 32 - (uint32_t)__builtin_clz(value) : 0;
}

static void survey_distance(struct survey *survey, uint32_t distance)
{
    if (distance >= 0x80)
        survey->far[bits_of(distance)]++;
}

static void survey_row(struct survey *survey, const uint32_t *targets, uint32_t length)
{
    if (length == 0)
        return;
    survey->synapses += length;
    survey->rows++;
    survey_distance(survey, targets[0]);
    for (uint32_t i = 1; i < length; i++) {
        survey->apart[bits_of(targets[i] ^ targets[i - 1])]++;
        survey_distance(survey, targets[i] - targets[i - 1]);
    }
}

/* Entries at a grain of 2^shift. */
static uint64_t survey_entries(const struct survey *survey, uint32_t shift)
{
    uint64_t entries = survey->rows;
    for (uint32_t bits = shift + 1; bits <= SHIFTS; bits++)
        entries += survey->apart[bits];
    return entries;
}

/* What they take at least, in the form they need. */
static uint64_t survey_bytes(const struct survey *survey, uint32_t shift, uint32_t sources,
                             enum form *form)
{
    uint64_t entries = survey_entries(survey, shift);
    *form = entries == survey->synapses ? FORM_PLAIN : FORM_COUNTED;
    uint64_t bytes = 1 + (uint64_t)sources + (*form == FORM_PLAIN ? entries : 2 * entries);
    for (uint32_t bits = shift + 8; bits <= SHIFTS; bits++)
        bytes += survey->far[bits] * ((bits - shift - 1) / 7);
    return bytes;
}

/* ---- writing ---- */

/* What is being encoded, and the room that it takes: for one row, and for all. */
struct encoder {
    const struct projection *projection;
    uint32_t *targets;           /* [most fan-out] */
    struct reach_entry *entries; /* [most fan-out] */
    struct reach *reach;         /* the result … */
    size_t room;                 /* … of whose data so many bytes are taken */
};

static unsigned char *write_number(unsigned char *out, uint32_t value)
{
    while (value >= 0x80) {
        *out++ = (unsigned char)(value | 0x80);
        value >>= 7;
    }
    *out++ = (unsigned char)value;
    return out;
}

/* NULL: two targets are of one group. */
static unsigned char *write_plain(unsigned char *out, const uint32_t *targets, uint32_t length,
                                  uint32_t shift)
{
    out = write_number(out, length);
    if (length == 0)
        return out;
    bool repeated = false;
    uint32_t before = targets[0] >> shift;
    out = write_number(out, before);
    for (uint32_t i = 1; i < length; i++) {
        uint32_t group = targets[i] >> shift;
        repeated |= group == before;
        out = write_number(out, group - before);
        before = group;
    }
    return repeated ? NULL : out;
}

/* Gathers ascending targets to groups and returns how many. */
static uint32_t gather_groups(const uint32_t *targets, uint32_t length, uint32_t shift,
                              struct reach_entry *entries)
{
    uint32_t groups = 0, synapses = 0;
    uint32_t before = UINT32_MAX; /* no group, as targets are below 2^32 - 1 */
    for (uint32_t i = 0; i < length; i++) {
        uint32_t group = targets[i] >> shift;
        bool same = group == before;
        synapses = same ? synapses + 1 : 1;
        groups += !same;
        entries[groups - 1] = (struct reach_entry){group, synapses};
        before = group;
    }
    return groups;
}

static unsigned char *write_counted(unsigned char *out, const struct reach_entry *entries,
                                    uint32_t groups)
{
    uint32_t before = 0;
    out = write_number(out, groups);
    for (uint32_t i = 0; i < groups; i++) {
        out = write_number(out, entries[i].group - before);
        out = write_number(out, entries[i].synapses);
        before = entries[i].group;
    }
    return out;
}

/* Makes sure that a row of `synapses` fits behind the `used` bytes. */
static bool make_room(struct encoder *encoder, size_t used, uint32_t synapses)
{
    size_t needed = used + NUMBER_LIMIT + (size_t)2 * NUMBER_LIMIT * synapses;
    if (needed <= encoder->room)
        return true;
    size_t room = needed + encoder->room / 2;
    unsigned char *data = realloc(encoder->reach->data, room);
    if (data == NULL)
        return false;
    encoder->reach->data = data;
    encoder->room = room;
    return true;
}

enum outcome {
    ENCODED,
    NOT_SO, /* it would outgrow the limit, or some number of synapses is not 1 in the plain form */
    NO_MEMORY
};

static enum outcome encode(struct encoder *encoder, uint32_t shift, enum form form, size_t limit)
{
    const struct projection *projection = encoder->projection;
    struct reach *reach = encoder->reach;
    size_t used = 1;
    if (!make_room(encoder, used, 0))
        return NO_MEMORY;
    reach->data[0] = (unsigned char)form;
    reach->grain = UINT32_C(1) << shift;
    reach->most = 0;
    for (uint32_t s = 0; s < reach->sources; s++) {
        uint32_t length = projection->kind->reach(projection, s, encoder->targets);
        if (!make_room(encoder, used, length))
            return NO_MEMORY;
        reach->row[s] = used;
        unsigned char *out = reach->data + used;
        if (form == FORM_PLAIN) {
            out = write_plain(out, encoder->targets, length, shift);
        } else {
            length = gather_groups(encoder->targets, length, shift, encoder->entries);
            out = write_counted(out, encoder->entries, length);
        }
        if (out == NULL || (size_t)(out - reach->data) > limit)
            return NOT_SO;
        used = (size_t)(out - reach->data);
        if (length > reach->most)
            reach->most = length;
    }
    reach->row[reach->sources] = used;
    reach->length = used;
    return ENCODED;
}

/* Encodes at the smallest grain that keeps within `limit`. */
static bool encode_within(struct encoder *encoder, uint64_t synapses, size_t limit)
{
    const struct projection *projection = encoder->projection;
    struct reach *reach = encoder->reach;
    enum outcome outcome = NOT_SO;
    if (1 + synapses + reach->sources <= limit) /* the usual case needs no survey */
        outcome = encode(encoder, 0, FORM_PLAIN, limit);
    struct survey survey = {0};
    for (uint32_t s = 0; outcome == NOT_SO && s < reach->sources; s++)
        survey_row(&survey, encoder->targets,
                   projection->kind->reach(projection, s, encoder->targets));
    for (uint32_t shift = 0; outcome == NOT_SO; shift++) {
        bool last = shift == SHIFTS - 1;
        enum form form;
        if (survey_bytes(&survey, shift, reach->sources, &form) <= limit || last)
            outcome = encode(encoder, shift, form, last ? SIZE_MAX : limit);
    }
    return outcome == ENCODED;
}

struct reach *reach_of(const struct projection *projection, size_t limit, struct error *error)
{
    if (projection->kind->reach == NULL || projection->fan_out == NULL) {
        error_set(error, ERROR_MISUSED,
                  "projection %s: one of kind %s does not say where each source neuron leads",
                  projection->name, projection->kind->name);
        return NULL;
    }
    uint32_t sources = projection->source->neurons;
    uint32_t targets = projection->target->ports[projection->port].width;
    uint32_t most = 0;
    uint64_t synapses = 0;
    for (uint32_t s = 0; s < sources; s++) {
        synapses += projection->fan_out[s];
        if (projection->fan_out[s] > most)
            most = projection->fan_out[s];
    }
    size_t granted = 1 + (size_t)REACH_SOURCE_BYTES * sources;
    struct encoder encoder = {.projection = projection,
                              .targets = malloc(((size_t)most + 1) * sizeof *encoder.targets),
                              .entries = malloc(((size_t)most + 1) * sizeof *encoder.entries),
                              .reach = reach_new(sources, targets)};
    bool done = encoder.targets != NULL && encoder.entries != NULL && encoder.reach != NULL &&
                encode_within(&encoder, synapses, limit > granted ? limit : granted);
    free(encoder.targets);
    free(encoder.entries);
    if (done)
        return encoder.reach;
    reach_free(encoder.reach);
    error_set(error, ERROR_FAILED,
              "projection %s: not enough memory for where its source neurons lead",
              projection->name);
    return NULL;
}

/* ---- reading ---- */

/* Reads one number before `end`; NULL if it is cut short or exceeds 32 bits. */
static const unsigned char *check_number(const unsigned char *at, const unsigned char *end,
                                         uint32_t *number)
{
    if (at < end && *at < 0x80) {
        *number = *at;
        return at + 1;
    }
    uint64_t value = 0;
    for (unsigned shift = 0; at < end && shift < 7 * NUMBER_LIMIT; shift += 7) {
        unsigned char byte = *at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *number = (uint32_t)value;
            return value <= UINT32_MAX ? at : NULL;
        }
    }
    return NULL;
}

/* Reads one row and returns where it ends; NULL with error. */
static const unsigned char *check_row(const struct reach *reach, uint32_t source,
                                      const unsigned char *at, uint32_t *length,
                                      struct error *error)
{
    const unsigned char *end = reach->data + reach->length;
    const bool counted = reach->data[0] == FORM_COUNTED;
    const uint32_t groups = reach_groups(reach);
    uint32_t distance = 0, here = 1;
    uint64_t group = 0, synapses = 0;
    const char *wrong = NULL;
    at = check_number(at, end, length);
    for (uint32_t i = 0; at != NULL && wrong == NULL && i < *length; i++) {
        at = check_number(at, end, &distance);
        if (at != NULL && counted)
            at = check_number(at, end, &here);
        group += distance;
        synapses += here;
        if ((i > 0 && distance == 0) || here == 0)
            wrong = "a group stands twice, or without synapses";
        else if (group >= groups)
            wrong = "there are fewer groups of targets";
        else if (synapses > UINT32_MAX)
            wrong = "it has more than 2^32 - 1 synapses";
    }
    if (at == NULL)
        wrong = "a number is cut short or exceeds 32 bits";
    if (wrong != NULL)
        error_set(error, ERROR_FAILED, "where source neuron %" PRIu32 " leads is damaged: %s; "
                  "trace the run again", source, wrong);
    return wrong == NULL ? at : NULL;
}

static bool check_rows(struct reach *reach, struct error *error)
{
    const unsigned char *at = reach->data + 1, *end = reach->data + reach->length;
    for (uint32_t s = 0; s < reach->sources; s++) {
        uint32_t length;
        reach->row[s] = (size_t)(at - reach->data);
        at = check_row(reach, s, at, &length, error);
        if (at == NULL)
            return false;
        if (length > reach->most)
            reach->most = length;
    }
    reach->row[reach->sources] = reach->length;
    if (at != end)
        return error_set(error, ERROR_FAILED,
                         "where %" PRIu32 " source neurons lead is damaged: %zu bytes are left "
                         "over; trace the run again", reach->sources, (size_t)(end - at));
    return true;
}

/* Before any memory is taken: every row has at least a byte. */
static bool check_claims(const unsigned char *data, size_t length, uint32_t sources,
                         uint32_t targets, uint32_t grain, struct error *error)
{
    if (length < 1 + (uint64_t)sources)
        return error_set(error, ERROR_FAILED,
                         "where %" PRIu32 " source neurons lead is damaged: it has only %zu "
                         "bytes; trace the run again", sources, length);
    if (data[0] != FORM_PLAIN && data[0] != FORM_COUNTED)
        return error_set(error, ERROR_FAILED,
                         "where source neurons lead is of the unknown form %d: it is damaged, or "
                         "of a newer version; trace the run again", data[0]);
    if (grain == 0 || (grain & (grain - 1)) != 0 ||
        (grain > 1 && grain >= 2 * (uint64_t)targets))
        return error_set(error, ERROR_FAILED,
                         "where source neurons lead is damaged: groups of %" PRIu32 " among %"
                         PRIu32 " targets are not possible; trace the run again", grain, targets);
    return true;
}

struct reach *reach_read(const void *data, size_t length, uint32_t sources, uint32_t targets,
                         uint32_t grain, struct error *error)
{
    if (!check_claims(data, length, sources, targets, grain, error))
        return NULL;
    struct reach *reach = reach_new(sources, targets);
    if (reach != NULL)
        reach->data = malloc(length);
    if (reach == NULL || reach->data == NULL) {
        reach_free(reach);
        error_no_memory(error, "where source neurons lead");
        return NULL;
    }
    memcpy(reach->data, data, length);
    reach->length = length;
    reach->grain = grain;
    if (check_rows(reach, error))
        return reach;
    reach_free(reach);
    return NULL;
}

/* One number of bytes that have been checked. */
static inline const unsigned char *read_number(const unsigned char *at, uint32_t *number)
{
    uint32_t value = *at & 0x7f;
    for (unsigned shift = 7; *at++ >= 0x80; shift += 7)
        value |= (uint32_t)(*at & 0x7f) << shift;
    *number = value;
    return at;
}

uint32_t reach_row(const struct reach *reach, uint32_t source, struct reach_entry *entries)
{
    const bool counted = reach->data[0] == FORM_COUNTED;
    const unsigned char *at = reach->data + reach->row[source];
    uint32_t length, group = 0;
    at = read_number(at, &length);
    for (uint32_t i = 0; i < length; i++) {
        uint32_t distance, synapses = 1;
        at = read_number(at, &distance);
        if (counted)
            at = read_number(at, &synapses);
        group += distance;
        entries[i] = (struct reach_entry){group, synapses};
    }
    return length;
}
