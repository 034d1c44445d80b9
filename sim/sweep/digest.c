/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/sweep/digest.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "neurons/import/packed.h"

enum { WHOLE_LIMIT = 64 << 20, END_BYTES = 1 << 20, PIECE = 1 << 16 };

static uint64_t digest_bytes(uint64_t digest, const void *bytes, size_t length)
{
    const unsigned char *byte = bytes;
    for (size_t i = 0; i < length; i++)
        digest = (digest ^ byte[i]) * UINT64_C(0x100000001b3);
    return digest;
}

uint64_t digest_text(uint64_t digest, const char *text)
{
    return digest_bytes(digest, text, strlen(text) + 1);
}

/* Takes in `length` bytes from where the file stands, or as many as there are. */
static uint64_t digest_piece(uint64_t digest, FILE *file, size_t length)
{
    unsigned char bytes[PIECE];
    while (length > 0) {
        size_t got = fread(bytes, 1, length < PIECE ? length : PIECE, file);
        if (got == 0)
            break;
        digest = digest_bytes(digest, bytes, got);
        length -= got;
    }
    return digest;
}

static uint64_t digest_open_file(uint64_t digest, FILE *file, const struct stat *status)
{
    const int64_t facts[] = {status->st_size, status->st_mtim.tv_sec, status->st_mtim.tv_nsec};
    if (status->st_size <= WHOLE_LIMIT)
        return digest_piece(digest_bytes(digest, facts, sizeof *facts), file, WHOLE_LIMIT);
    digest = digest_piece(digest_bytes(digest, facts, sizeof facts), file, END_BYTES);
    return fseeko(file, -(off_t)END_BYTES, SEEK_END) == 0 ? digest_piece(digest, file, END_BYTES)
                                                          : digest;
}

bool digest_file(uint64_t *digest, const char *path, struct error *error)
{
    struct stat status;
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return error_set(error, ERROR_MISUSED, "%s: %s", path, strerror(errno));
    bool regular = fstat(fileno(file), &status) == 0 && S_ISREG(status.st_mode);
    if (regular)
        *digest = digest_open_file(*digest, file, &status);
    bool good = regular && ferror(file) == 0;
    fclose(file);
    return good || error_set(error, regular ? ERROR_FAILED : ERROR_MISUSED,
                             regular ? "%s cannot be read" : "%s is not a file", path);
}

static int is_of_model(const struct dirent *entry)
{
    static const char *const patterns[] = {"config.json", "vocab.json", "merges.txt",
                                           "*.safetensors", "*.safetensors.index.json",
                                           "*.bin", "*.bin.index.json"};
    for (size_t p = 0; p < sizeof patterns / sizeof *patterns; p++)
        if (fnmatch(patterns[p], entry->d_name, 0) == 0)
            return 1;
    return 0;
}

bool digest_model_folder(uint64_t *digest, const char *folder, struct error *error)
{
    struct dirent **entries;
    if (packed_is_file(folder))
        return digest_file(digest, folder, error);
    int count = scandir(folder, &entries, is_of_model, alphasort);
    if (count < 0)
        return error_set(error, ERROR_MISUSED, "%s: %s", folder, strerror(errno));
    bool good = true;
    for (int i = 0; i < count; i++) {
        char *path = NULL;
        if (good && asprintf(&path, "%s/%s", folder, entries[i]->d_name) < 0) {
            path = NULL;
            good = error_no_memory(error, "the sweep");
        }
        *digest = digest_text(*digest, entries[i]->d_name);
        good = good && digest_file(digest, path, error);
        free(path);
        free(entries[i]);
    }
    free(entries);
    return good;
}
