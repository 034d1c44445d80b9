/* SPDX-License-Identifier: GPL-3.0-or-later */
#define _GNU_SOURCE 1
#include "sim/make_model/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "neurons/import/shard.h"
#include "neurons/import/utf8.h"

/* Removes an empty folder of that name, so that what is in the way is seen before long work. */
static bool clear_place(struct folder *folder, struct error *error)
{
    const char *shown = utf8_tail(folder->path);
    struct stat status;
    if (lstat(folder->path, &status) != 0)
        return errno == ENOENT ||
               error_set(error, ERROR_MISUSED, "%s: cannot be made: %s", shown, strerror(errno));
    if (!S_ISDIR(status.st_mode))
        return error_set(error, ERROR_MISUSED,
                         "%s: exists already and is not a folder; name "
                         "another",
                         shown);
    if (rmdir(folder->path) == 0) {
        folder->was_there = true;
        return true;
    }
    if (errno == ENOTEMPTY || errno == EEXIST)
        return error_set(error, ERROR_MISUSED,
                         "%s: exists already and is not empty; name another "
                         "folder",
                         shown);
    return error_set(error, ERROR_MISUSED, "%s: cannot be replaced: %s; name a new folder", shown,
                     strerror(errno));
}

static bool check_room(const struct folder *folder, uint64_t bytes, struct error *error)
{
    struct statvfs disk;
    if (fstatvfs(folder->handle, &disk) != 0)
        return error_set(error, ERROR_FAILED, "%s: cannot be looked at: %s",
                         utf8_tail(folder->path), strerror(errno));
    uint64_t free_bytes = (uint64_t)disk.f_bavail * disk.f_frsize;
    if (bytes <= free_bytes)
        return true;
    return error_set(error, ERROR_FAILED,
                     "%s: needs %.3f GB, but the disk has %.3f GB free; make room or take fewer "
                     "layers",
                     utf8_tail(folder->path), (double)bytes * 1e-9, (double)free_bytes * 1e-9);
}

bool folder_begin(struct folder *folder, const char *path, uint64_t bytes, struct error *error)
{
    *folder = (struct folder){.handle = -1};
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    char *partial = NULL;
    folder->path = strndup(path, length);
    if (folder->path == NULL || asprintf(&partial, "%s.%ld.part", folder->path, (long)getpid()) < 0)
        return error_no_memory(error, "the path of a folder");
    if (!clear_place(folder, error)) {
        free(partial);
        return false;
    }
    if (mkdir(partial, 0777) != 0) {
        error_set(error, ERROR_MISUSED, "%s: cannot be made: %s", utf8_tail(partial),
                  strerror(errno));
        free(partial);
        return false;
    }
    folder->partial = partial;
    folder->handle = open(partial, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder->handle < 0)
        return error_set(error, ERROR_FAILED, "%s: cannot be opened: %s", utf8_tail(partial),
                         strerror(errno));
    return check_room(folder, bytes, error);
}

int folder_create(const struct folder *folder, const char *name, struct error *error)
{
    int file = openat(folder->handle, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file < 0)
        error_set(error, ERROR_FAILED, "%s/%s: cannot be made: %s", utf8_tail(folder->partial),
                  name, strerror(errno));
    return file;
}

bool folder_write_text(const struct folder *folder, const char *name, const char *text,
                       struct error *error)
{
    int file = folder_create(folder, name, error);
    if (file < 0)
        return false;
    size_t length = strlen(text);
    bool written = shard_write(file, name, 0, text, length, error) &&
                   shard_write(file, name, length, "\n", 1, error);
    if (written && fsync(file) != 0)
        written =
            error_set(error, ERROR_FAILED, "%s: cannot be written: %s", name, strerror(errno));
    close(file);
    return written;
}

bool folder_finish(struct folder *folder, struct error *error)
{
    if (fsync(folder->handle) != 0 || rename(folder->partial, folder->path) != 0)
        return error_set(error, ERROR_FAILED, "%s: cannot be given its name: %s",
                         utf8_tail(folder->path), strerror(errno));
    free(folder->partial);
    folder->partial = NULL;
    folder->was_there = false;
    return true;
}

static void remove_files(int handle)
{
    int copy = dup(handle);
    DIR *list = copy >= 0 ? fdopendir(copy) : NULL;
    if (list == NULL) {
        if (copy >= 0)
            close(copy);
        return;
    }
    for (struct dirent *entry = readdir(list); entry != NULL; entry = readdir(list))
        unlinkat(handle, entry->d_name, 0); /* fails for . and .., as it should */
    closedir(list);
}

void folder_abandon(struct folder *folder)
{
    if (folder->handle >= 0 && folder->partial != NULL)
        remove_files(folder->handle);
    if (folder->handle >= 0)
        close(folder->handle);
    if (folder->partial != NULL)
        rmdir(folder->partial);
    if (folder->was_there)
        mkdir(folder->path, 0777);
    free(folder->partial);
    free(folder->path);
    *folder = (struct folder){.handle = -1};
}
