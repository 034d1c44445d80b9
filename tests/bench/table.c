/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Makes one table and one JSON document of what the benchmarks found.
 *
 *     table collect ROWS BENCH.json VERSION    reads ROWS, one JSON object a line as the benchmarks
 *                                              append them to VOLLEY_BENCH_JSON; writes BENCH.json;
 *                                              prints the table
 *     table show BENCH.json [ID …]             prints it again
 *     table markdown BENCH.json [ID …]         the same for the README
 *
 * ID picks rows, in the order given, and may have * and ?, as a shell has them. BENCH.json is
 *
 *     {"machine": {"cpu", "cores", "memory_bytes", "kernel", "date", "volley"}, "rows": [ROW, …]}
 *
 * ROW: id, what (is measured), unit, volley (the median), low, high (of the repetitions), peer (its
 * name), peer_value, ratio (times better than the peer), target (in words), met; all but id may be
 * null. reason: why it could not be run, or not to its end. against: the id of another row that
 * this row's peer is measured against; collect takes its volley, low, high, and the ratio, from
 * there. A line that is no such object becomes a row that says so.
 */
#include <errno.h>
#include <fnmatch.h>
#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

enum { WHAT, VOLLEY, PEER, RATIO, TARGET, MET, COLUMNS };
enum { CELL = 320 };

static const char *const headings[COLUMNS] = {
    "what", "Volley: median (low … high)", "peer", "ratio", "target", ""};

struct table {
    char (*cells)[COLUMNS][CELL]; /* [count] */
    size_t count;
};

static const char *text_of(const json_t *row, const char *key)
{
    const char *text = json_string_value(json_object_get(row, key));
    return text != NULL ? text : "";
}

/* NaN where there is none. */
static double number_of(const json_t *row, const char *key)
{
    const json_t *value = json_object_get(row, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

/* ---- collecting ---- */

static char *processor_name(void)
{
    static char line[256];
    FILE *file = fopen("/proc/cpuinfo", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || colon == NULL)
            continue;
        fclose(file);
        line[strcspn(line, "\n")] = '\0';
        return colon + 1 + strspn(colon + 1, " ");
    }
    if (file != NULL)
        fclose(file);
    return NULL;
}

static json_t *machine(const char *version)
{
    struct utsname name;
    char date[32] = "", kernel[sizeof name.sysname + sizeof name.release + sizeof name.machine + 3];
    time_t now = time(NULL);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
    uname(&name);
    snprintf(kernel, sizeof kernel, "%s %s %s", name.sysname, name.release, name.machine);
    json_int_t memory = (json_int_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
    return json_pack("{s:s?, s:I, s:I, s:s, s:s, s:s}", "cpu", processor_name(), "cores",
                     (json_int_t)sysconf(_SC_NPROCESSORS_ONLN), "memory_bytes", memory, "kernel",
                     kernel, "date", date, "volley", version);
}

static json_t *row_of(const char *line, size_t number)
{
    json_t *row = json_loads(line, 0, NULL);
    if (json_is_object(row) && *text_of(row, "id") != '\0')
        return row;
    json_decref(row);
    char id[40];
    snprintf(id, sizeof id, "line_%zu", number);
    return json_pack("{s:s, s:s, s:s}", "id", id, "what", "a benchmark", "reason",
                     "it wrote a result that is no JSON object with an id");
}

static const json_t *find_row(const json_t *rows, const char *id)
{
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row)
        if (*id != '\0' && strcmp(text_of(row, "id"), id) == 0)
            return row;
    return NULL;
}

/* Rows that hold a peer's figure get Volley's from the row that they name. More is better there. */
static bool join_peers(json_t *rows)
{
    static const char *const taken[] = {"volley", "low", "high"};
    size_t i;
    json_t *row;
    bool done = true;
    json_array_foreach(rows, i, row) {
        const json_t *other = find_row(rows, text_of(row, "against"));
        if (other == NULL)
            continue;
        for (size_t j = 0; j < sizeof taken / sizeof *taken; j++)
            done &= json_object_set(row, taken[j], json_object_get(other, taken[j])) == 0;
        double ratio = number_of(other, "volley") / number_of(row, "peer_value");
        if (isfinite(ratio))
            done &= json_object_set_new(row, "ratio", json_real(ratio)) == 0;
    }
    return done;
}

static json_t *collect(const char *path, const char *version)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        fprintf(stderr, "table: %s: %s\n", path, strerror(errno));
        return NULL;
    }
    json_t *rows = json_array();
    char *line = NULL;
    size_t room = 0, number = 0;
    bool done = rows != NULL;
    while (done && getline(&line, &room, file) >= 0)
        done = json_array_append_new(rows, row_of(line, ++number)) == 0;
    free(line);
    fclose(file);
    done = done && join_peers(rows);
    json_t *bench = NULL;
    if (done)
        bench = json_pack("{s:o, s:O}", "machine", machine(version), "rows", rows);
    json_decref(rows);
    if (bench == NULL)
        fprintf(stderr, "table: no memory for the rows\n");
    return bench;
}

/* ---- showing ---- */

/* Three digits that matter, and no exponent where numbers are of a common size. */
static void format_number(char *cell, double value)
{
    double size = fabs(value);
    if (isnan(value))
        *cell = '\0';
    else if (size >= 1e7 || (size > 0 && size < 1e-4))
        snprintf(cell, 32, "%.3g", value);
    else {
        int digits = size >= 100 || size == 0 ? 0 : 2 - (int)floor(log10(size));
        snprintf(cell, 32, "%.*f", digits, value);
    }
}

static void fill_row(const json_t *row, char (*cells)[CELL])
{
    char number[3][32];
    const char *unit = text_of(row, "unit"), *reason = text_of(row, "reason");
    const char *what = text_of(row, "what"), *space = *unit != '\0' ? " " : "";
    snprintf(cells[WHAT], CELL, "%s", *what != '\0' ? what : text_of(row, "id"));
    format_number(number[0], number_of(row, "volley"));
    format_number(number[1], number_of(row, "low"));
    format_number(number[2], number_of(row, "high"));
    if (*reason != '\0')
        snprintf(cells[VOLLEY], CELL, "not run: %s", reason);
    else if (*number[1] != '\0' && *number[2] != '\0')
        snprintf(cells[VOLLEY], CELL, "%s%s%s (%s … %s)", number[0], space, unit, number[1],
                 number[2]);
    else if (*number[0] != '\0')
        snprintf(cells[VOLLEY], CELL, "%s%s%s", number[0], space, unit);
    format_number(number[0], number_of(row, "peer_value"));
    if (*text_of(row, "peer") != '\0')
        snprintf(cells[PEER], CELL, "%s%s%s", text_of(row, "peer"), *number[0] != '\0' ? ": " : "",
                 number[0]);
    format_number(number[0], number_of(row, "ratio"));
    snprintf(cells[RATIO], CELL, "%s", number[0]);
    snprintf(cells[TARGET], CELL, "%s", text_of(row, "target"));
    const json_t *met = json_object_get(row, "met");
    snprintf(cells[MET], CELL, "%s",
             json_is_true(met) ? "met" : json_is_false(met) ? "missed" : "");
}

static bool add_rows(struct table *table, const json_t *rows, const char *pattern)
{
    size_t i;
    const json_t *row;
    json_array_foreach(rows, i, row) {
        if (fnmatch(pattern, text_of(row, "id"), 0) != 0)
            continue;
        void *grown = realloc(table->cells, (table->count + 1) * sizeof *table->cells);
        if (grown == NULL)
            return false;
        table->cells = grown;
        memset(table->cells[table->count], 0, sizeof *table->cells);
        fill_row(row, table->cells[table->count++]);
    }
    return true;
}

/* Characters on the screen. */
static int width_of(const char *text)
{
    int width = 0;
    for (; *text != '\0'; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static void print_plain(const struct table *table)
{
    int widths[COLUMNS];
    for (int column = 0; column < COLUMNS; column++)
        widths[column] = width_of(headings[column]);
    for (size_t i = 0; i < table->count; i++)
        for (int column = 0; column < COLUMNS; column++) {
            int width = width_of(table->cells[i][column]);
            bool runs_on = column == VOLLEY && strncmp(table->cells[i][column], "not run", 7) == 0;
            widths[column] = !runs_on && width > widths[column] ? width : widths[column];
        }
    for (size_t i = 0; i <= table->count; i++) {
        int owed = 0; /* blanks that have not been needed yet */
        for (int column = 0; column < COLUMNS; column++) {
            const char *cell = i == 0 ? headings[column] : table->cells[i - 1][column];
            if (*cell != '\0') {
                printf("%*s%s", owed, "", cell);
                owed = 0;
            }
            owed += widths[column] - width_of(cell) + 2;
            owed = owed < 2 ? 2 : owed;
        }
        putchar('\n');
    }
}

static void print_markdown(const struct table *table)
{
    for (size_t i = 0; i < table->count + 2; i++) {
        for (int column = 0; column < COLUMNS; column++) {
            const char *cell = i == 0   ? headings[column]
                               : i == 1 ? "---"
                                        : table->cells[i - 2][column];
            fputs("| ", stdout);
            for (; *cell != '\0'; cell++)
                printf("%s%c", *cell == '|' ? "\\" : "", *cell);
            putchar(' ');
        }
        puts("|");
    }
}

static bool show(const json_t *bench, bool markdown, char **patterns, int count)
{
    const json_t *about = json_object_get(bench, "machine"), *rows = json_object_get(bench, "rows");
    struct table table = {0};
    char *all[] = {(char[]){"*"}};
    bool done = true;
    for (int i = 0; done && i < (count > 0 ? count : 1); i++)
        done = add_rows(&table, rows, count > 0 ? patterns[i] : all[0]);
    if (done) {
        printf("%s, %lld cores, %.0f GiB, %s; %s; %.10s\n\n", text_of(about, "cpu"),
               (long long)json_integer_value(json_object_get(about, "cores")),
               number_of(about, "memory_bytes") / (1 << 30), text_of(about, "kernel"),
               text_of(about, "volley"), text_of(about, "date"));
        (markdown ? print_markdown : print_plain)(&table);
    } else {
        fprintf(stderr, "table: no memory for the table\n");
    }
    free(table.cells);
    return done && fflush(stdout) == 0;
}

int main(int argc, char **argv)
{
    bool collecting = argc == 5 && strcmp(argv[1], "collect") == 0;
    bool markdown = argc > 2 && strcmp(argv[1], "markdown") == 0;
    if (!collecting && !markdown && !(argc > 2 && strcmp(argv[1], "show") == 0)) {
        fprintf(stderr, "usage: table collect ROWS BENCH.json VERSION\n"
                        "       table show|markdown BENCH.json [ID ...]\n");
        return 2;
    }
    json_error_t cause;
    json_t *bench = collecting ? collect(argv[2], argv[4]) : json_load_file(argv[2], 0, &cause);
    bool done = bench != NULL;
    if (!done && !collecting)
        fprintf(stderr, "table: %s: %s\n", argv[2], cause.text);
    size_t form = JSON_INDENT(2) | JSON_REAL_PRECISION(6);
    if (done && collecting && json_dump_file(bench, argv[3], form) != 0) {
        fprintf(stderr, "table: %s: cannot be written\n", argv[3]);
        done = false;
    }
    done = done && show(bench, markdown, argv + 3, collecting ? 0 : argc - 3);
    json_decref(bench);
    return done ? 0 : 1;
}
