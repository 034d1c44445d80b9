/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the reader and the writer of packed models must agree on. */
#include "neurons/import/packed_format.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *const packed_settings[] = {"source_digest", "threshold", "down_proj", "table_bits",
                                       NULL};

void packed_contents_add_setting(XXH3_state_t *contents, const char *value)
{
    XXH3_64bits_update(contents, value, strlen(value) + 1);
}

void packed_contents_add_tensor(XXH3_state_t *contents, const struct tensor *tensor,
                                uint64_t place, const char *checksum)
{
    char line[TENSOR_RANK_LIMIT * 21 + 64];
    int used = sprintf(line, "%s@%" PRIu64, dtype_name(tensor->dtype), place);
    for (uint32_t d = 0; d < tensor->rank; d++)
        used += sprintf(line + used, ",%" PRIu64, tensor->shape[d]);
    packed_contents_add_setting(contents, tensor->name);
    packed_contents_add_setting(contents, line);
    packed_contents_add_setting(contents, checksum);
}

void packed_digits(uint64_t checksum, char digits[PACKED_DIGITS + 1])
{
    snprintf(digits, PACKED_DIGITS + 1, "%016" PRIx64, checksum);
}

uint32_t packed_group(uint32_t scale_group, uint32_t span)
{
    while (span != 0) {
        uint32_t rest = scale_group % span;
        scale_group = span;
        span = rest;
    }
    return scale_group;
}
