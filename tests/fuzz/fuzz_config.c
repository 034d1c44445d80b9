/* SPDX-License-Identifier: GPL-3.0-or-later */
/* libFuzzer target: config.json of a checkpoint. */
#include "neurons/import/spikingbrain_config.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct spikingbrain_config config;
    struct error error = {0};
    if (spikingbrain_config_parse(&config, "config.json", (const char *)data, size, &error)) {
        assert(error.code == ERROR_NONE);
        assert(config.hidden == config.heads * config.head_size && config.head_size % 2 == 0);
        for (uint32_t i = 0; i < config.layers; i++)
            (void)*(volatile bool *)&config.window_layer[i];
        spikingbrain_config_free(&config);
    } else {
        assert(error.code != ERROR_NONE && error.text[0] != '\0');
    }
    return 0;
}
