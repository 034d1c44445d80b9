/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Mapping a file. The invariant: an open one has `bytes` that may be read
 * up to `length`, and an empty file, which the kernel will not map, has a
 * pointer to nothing instead.
 */
#define _GNU_SOURCE 1
#include "neurons/import/mapped_file.h"

#include "neurons/import/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const unsigned char nothing[1] = {0};

static bool descriptor_map(struct mapped_file *file, int descriptor, const char *path,
                           size_t limit, struct error *error)
{
    const char *shown = utf8_tail(path);
    struct stat status;
    if (fstat(descriptor, &status) != 0)
        return error_set(error, ERROR_FAILED, "%s: cannot be examined: %s", shown, strerror(errno));
    if (!S_ISREG(status.st_mode))
        return error_set(error, ERROR_FAILED, "%s: is not a regular file, so it cannot be mapped; "
                         "copy it to one first", shown);
    if (status.st_size < 0 || (uintmax_t)status.st_size > limit)
        return error_set(error, ERROR_FAILED, "%s: has %jd bytes, more than the %zu such a file "
                         "may have; it is not what its name says", shown, (intmax_t)status.st_size,
                         limit);
    file->length = (size_t)status.st_size;
    file->bytes = nothing;
    if (file->length == 0)
        return true;
    void *bytes = mmap(NULL, file->length, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (bytes == MAP_FAILED) {
        memset(file, 0, sizeof *file);
        return error_set(error, ERROR_FAILED, "%s: cannot be mapped into memory: %s", shown,
                         strerror(errno));
    }
    file->bytes = bytes;
    return true;
}

bool mapped_file_open(struct mapped_file *file, const char *path, size_t limit,
                      struct error *error)
{
    memset(file, 0, sizeof *file);
    /* without O_NONBLOCK a named pipe would keep us waiting before we could refuse it */
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) {
        bool absent = errno == ENOENT || errno == ENOTDIR;
        return error_set(error, absent ? ERROR_MISUSED : ERROR_FAILED, "%s: cannot be opened: %s",
                         utf8_tail(path), strerror(errno));
    }
    bool mapped = descriptor_map(file, descriptor, path, limit, error);
    close(descriptor);
    return mapped;
}

void mapped_file_release(const struct mapped_file *file, const void *begin, size_t length)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t first = ((uintptr_t)begin + page - 1) / page * page;
    uintptr_t end = ((uintptr_t)begin + length) / page * page;
    /* advice only: where it is not taken, nothing but memory is lost */
    if (file->length > 0 && first < end)
        (void)madvise((void *)first, end - first, MADV_DONTNEED);
}

void mapped_file_close(struct mapped_file *file)
{
    if (file->length > 0)
        munmap((void *)(uintptr_t)file->bytes, file->length);
    memset(file, 0, sizeof *file);
}
