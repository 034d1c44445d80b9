/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Script, picture and what gnuplot complains about are files in memory and its standard streams: it
 * gets no file's name, nobody waits for a pipe, and a picture that did not come out leaves nothing.
 */
#include "sim/plot/program.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM "gnuplot"
#define PACKAGE "gnuplot-nox"

static FILE *memory_file(const char *name, struct error *error)
{
    int descriptor = memfd_create(name, MFD_CLOEXEC);
    FILE *file = descriptor >= 0 ? fdopen(descriptor, "w+") : NULL;
    if (file == NULL) {
        error_set(error, ERROR_FAILED, "no memory for the picture: %s", strerror(errno));
        if (descriptor >= 0)
            close(descriptor);
    }
    return file;
}

FILE *program_script(struct error *error)
{
    return memory_file("volley-script", error);
}

/* Starts the program with these as its standard streams; 0 or the number of the error. */
static int start(pid_t *process, FILE *script, FILE *picture, FILE *complaints)
{
    /* -d: without the user's and the system's start-up files */
    char program[] = PROGRAM, defaults[] = "-d";
    char *const arguments[] = {program, defaults, NULL};
    posix_spawn_file_actions_t streams;
    int code = posix_spawn_file_actions_init(&streams);
    if (code != 0)
        return code;
    code = posix_spawn_file_actions_adddup2(&streams, fileno(script), STDIN_FILENO);
    if (code == 0)
        code = posix_spawn_file_actions_adddup2(&streams, fileno(picture), STDOUT_FILENO);
    if (code == 0)
        code = posix_spawn_file_actions_adddup2(&streams, fileno(complaints), STDERR_FILENO);
    if (code == 0)
        code = posix_spawnp(process, PROGRAM, &streams, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&streams);
    return code;
}

/* The line that says what is wrong: "line 3: undefined variable", or else the last one. */
static void find_complaint(FILE *complaints, char *text, size_t room)
{
    char line[256];
    *text = '\0';
    rewind(complaints);
    while (fgets(line, sizeof line, complaints) != NULL) {
        char *begin = line + strspn(line, " \t"), *end = begin + strlen(begin);
        while (end > begin && (unsigned char)end[-1] <= ' ')
            *--end = '\0';
        for (char *c = begin; c < end; c++)
            if ((unsigned char)*c < ' ' || *c == 0x7f)
                *c = '?';
        if (*begin == '\0' || *begin == '^')
            continue;
        snprintf(text, room, "%s", begin);
        if (strncmp(begin, "line ", 5) == 0)
            break;
    }
}

static bool check_end(int status, FILE *complaints, FILE *picture, struct error *error)
{
    struct stat size;
    char words[200];
    if (WIFSIGNALED(status))
        return error_set(error, ERROR_FAILED, PROGRAM " was ended by signal %d (%s)",
                         WTERMSIG(status), strsignal(WTERMSIG(status)));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && fstat(fileno(picture), &size) == 0 &&
        size.st_size > 0)
        return true;
    find_complaint(complaints, words, sizeof words);
    return error_set(error, ERROR_FAILED, PROGRAM " could not draw the picture: %s",
                     *words != '\0' ? words : "it gave none and did not say why");
}

static bool run_program(FILE *script, FILE *picture, FILE *complaints, struct error *error)
{
    pid_t process = 0;
    int status = 0, code;
    if (fflush(script) != 0 || ferror(script) || lseek(fileno(script), 0, SEEK_SET) != 0)
        return error_set(error, ERROR_FAILED, "no memory for the picture: %s", strerror(errno));
    code = start(&process, script, picture, complaints);
    if (code == ENOENT)
        return error_set(error, ERROR_FAILED,
                         "pictures are drawn by " PROGRAM ", which is not installed; on Debian, "
                         "install the package " PACKAGE);
    if (code != 0)
        return error_set(error, ERROR_FAILED, PROGRAM " cannot be started: %s", strerror(code));
    while (waitpid(process, &status, 0) < 0)
        if (errno != EINTR)
            return error_set(error, ERROR_FAILED, PROGRAM " was lost: %s", strerror(errno));
    return check_end(status, complaints, picture, error);
}

FILE *program_draw(FILE *script, struct error *error)
{
    FILE *complaints = memory_file("volley-complaints", error);
    FILE *picture = complaints != NULL ? memory_file("volley-picture", error) : NULL;
    bool good = picture != NULL && run_program(script, picture, complaints, error);
    if (complaints != NULL)
        fclose(complaints);
    if (!good && picture != NULL) {
        fclose(picture);
        picture = NULL;
    }
    if (picture != NULL)
        rewind(picture);
    return picture;
}

/* ---- writing it ---- */

static bool copy(FILE *from, FILE *to)
{
    char bytes[65536];
    size_t length;
    while ((length = fread(bytes, 1, sizeof bytes, from)) > 0)
        if (fwrite(bytes, 1, length, to) != length)
            return false;
    return !ferror(from) && fflush(to) == 0;
}

static bool write_failure(const char *name, struct error *error)
{
    return error_set(error, ERROR_FAILED, "cannot write '%s': %s", name, strerror(errno));
}

/* To a file beside it, which then takes its place. */
static bool write_file(FILE *picture, const char *path, const char *temporary, struct error *error)
{
    int descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    FILE *file = descriptor >= 0 ? fdopen(descriptor, "w") : NULL;
    if (file == NULL) {
        if (descriptor >= 0)
            close(descriptor);
        return error_set(error, ERROR_MISUSED, "cannot create '%s': %s", path, strerror(errno));
    }
    bool good = copy(picture, file) || write_failure(path, error);
    if (fclose(file) != 0 && good)
        good = write_failure(path, error);
    if (good && rename(temporary, path) != 0)
        good = write_failure(path, error);
    if (!good)
        unlink(temporary);
    return good;
}

/* To what is no file that could be replaced: a pipe, a device. */
static bool write_through(FILE *picture, const char *path, struct error *error)
{
    FILE *file = fopen(path, "we");
    if (file == NULL)
        return error_set(error, ERROR_MISUSED, "cannot write '%s': %s", path, strerror(errno));
    bool good = copy(picture, file);
    return (fclose(file) == 0 && good) || write_failure(path, error);
}

bool program_write(FILE *picture, const char *path, struct error *error)
{
    struct stat status;
    if (path == NULL)
        return copy(picture, stdout) || write_failure("standard output", error);
    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode))
        return write_through(picture, path, error);
    char *temporary = NULL;
    if (asprintf(&temporary, "%s.%ld.part", path, (long)getpid()) < 0)
        return error_no_memory(error, "the picture");
    bool good = write_file(picture, path, temporary, error);
    free(temporary);
    return good;
}
