/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/options.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { OPTION_LIMIT = 64, HELP_CODE = 1000 };

static bool set_value(const struct option_line *line, const char *text, struct error *error)
{
    char *end;
    errno = 0;
    switch (line->kind) {
    case OPTION_FLAG: *(bool *)line->value = true; return true;
    case OPTION_TEXT: *(const char **)line->value = text; return true;
    case OPTION_INTEGER: {
        long long number = strtoll(text, &end, 10);
        if (*text == '\0' || *end != '\0' || errno != 0 || (double)number < line->low ||
            (double)number > line->high)
            return error_set(error, ERROR_MISUSED,
                             "--%s takes an integer from %.0f to %.0f, not '%s'", line->name,
                             line->low, line->high, text);
        *(int64_t *)line->value = number;
        return true;
    }
    case OPTION_NUMBER: {
        double number = strtod(text, &end);
        if (*text == '\0' || *end != '\0' || !isfinite(number) || number < line->low ||
            number > line->high)
            return error_set(error, ERROR_MISUSED, "--%s takes a number from %g to %g, not '%s'",
                             line->name, line->low, line->high, text);
        *(double *)line->value = number;
        return true;
    }
    }
    return false;
}

/* -o is the same, in every command that has it. */
static bool is_output(const struct option_line *line)
{
    return strcmp(line->name, "output") == 0;
}

bool options_parse(int argc, char **argv, const struct option_line *lines, size_t length,
                   const char **arguments, size_t limit, size_t *count, bool *help,
                   struct error *error)
{
    struct option table[OPTION_LIMIT + 2] = {0};
    int output = '?'; /* what -o stands for */
    for (size_t i = 0; i < length && i < OPTION_LIMIT; i++) {
        table[i] = (struct option){lines[i].name,
                                   lines[i].kind == OPTION_FLAG ? no_argument : required_argument,
                                   NULL, (int)(HELP_CODE + 1 + i)};
        output = is_output(&lines[i]) ? table[i].val : output;
    }
    table[length] = (struct option){"help", no_argument, NULL, HELP_CODE};
    *help = false;
    opterr = 0;
    optind = 1;
    int code;
    while ((code = getopt_long(argc, argv, output == '?' ? ":h" : ":ho:", table, NULL)) != -1) {
        code = code == 'o' ? output : code;
        if (code == HELP_CODE || code == 'h') {
            *help = true;
            return true;
        }
        if (code == ':')
            return error_set(error, ERROR_MISUSED, "%s needs a value; see volley %s --help",
                             argv[optind - 1], argv[0]);
        if (code == '?')
            return error_set(error, ERROR_MISUSED,
                             "unknown or ambiguous option '%s'; see volley %s --help",
                             argv[optind - 1], argv[0]);
        if (!set_value(&lines[code - HELP_CODE - 1], optarg, error))
            return false;
    }
    *count = 0;
    for (int i = optind; i < argc; i++) {
        if (*count == limit)
            return error_set(error, ERROR_MISUSED, "unexpected argument '%s'; see volley %s --help",
                             argv[i], argv[0]);
        arguments[(*count)++] = argv[i];
    }
    return true;
}

void options_print_usage(FILE *out, const struct command *command)
{
    fprintf(out, "Usage: volley %s %s\n%s\n\n", command->name, command->arguments,
            command->summary);
}

void options_print_list(FILE *out, const struct option_line *lines, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        char left[64];
        snprintf(left, sizeof left, "--%s%s%s%s", lines[i].name, is_output(&lines[i]) ? ", -o" : "",
                 lines[i].argument != NULL ? " " : "",
                 lines[i].argument != NULL ? lines[i].argument : "");
        fprintf(out, "  %-26s %s\n", left, lines[i].help);
    }
    fprintf(out, "  %-26s %s\n", "--help", "this text");
}

void options_print_help(FILE *out, const struct command *command, const struct option_line *lines,
                        size_t length, const char *notes)
{
    options_print_usage(out, command);
    options_print_list(out, lines, length);
    if (notes != NULL)
        fprintf(out, "\n%s", notes);
}

int command_failed(const struct error *error)
{
    fprintf(stderr, "volley: %s\n", error->text);
    return error->code == ERROR_MISUSED ? 2 : 1;
}
