/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Text in columns: widths are kept whatever a text holds, and numbers keep three digits. */
#include "sim/columns.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *written; /* what a function wrote */
static size_t length;

static FILE *begin(void)
{
    FILE *out = open_memstream(&written, &length);
    assert_non_null(out);
    return out;
}

static void expect(FILE *out, const char *text)
{
    fclose(out);
    assert_string_equal(written, text);
    free(written);
}

static void cells_have_their_width(void **state)
{
    (void)state;
    FILE *out = begin();
    columns_cell(out, 5, "ab");
    columns_cell(out, -5, "cd");
    columns_cell(out, 3, "abcdef");
    columns_cell(out, -3, "abcdef");
    columns_cell(out, 4, "≥µ");
    columns_cell(out, 2, "≥µm");
    expect(out, "ab      cdabcabc≥µ  ≥µ");
}

static void what_a_terminal_would_obey_is_not_written(void **state)
{
    (void)state;
    FILE *out = begin();
    columns_cell(out, 8, "\033[2J\n\x7f");
    columns_cell(out, 3, "\xc2\x9b" "1"); /* a control character of two bytes */
    columns_paragraph(out, "", 2, "a\tb \rc");
    expect(out, "?[2J??  ?1 a?b ?c\n");
}

static void paragraphs_break_between_words(void **state)
{
    (void)state;
    char text[400] = "", expected[400] = "lead: ";
    for (int i = 0; i < 20; i++)
        strcat(text, "  äöü45678");
    /* 6 + 8 * 9 + 8 = 86 > 80, so that eight fit; then 4 + 8 * 9 + 8 = 84 > 80. */
    for (int i = 0; i < 20; i++) {
        strcat(expected, "äöü45678");
        strcat(expected, i == 19 ? "\n" : i % 8 == 7 ? "\n    " : " ");
    }
    FILE *out = begin();
    columns_paragraph(out, "lead: ", 4, text);
    expect(out, expected);
    out = begin();
    columns_paragraph(out, "x", 4, "");
    expect(out, "x\n");
}

static void a_word_longer_than_a_line_stands_alone(void **state)
{
    (void)state;
    char word[101], expected[300];
    memset(word, 'w', 100);
    word[100] = '\0';
    char text[300];
    snprintf(text, sizeof text, "a %s b", word);
    snprintf(expected, sizeof expected, "a\n  %s\n  b\n", word);
    FILE *out = begin();
    columns_paragraph(out, "", 2, text);
    expect(out, expected);
}

static void quantities_keep_three_digits(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *unit, *text;
    } cases[] = {
        {0, "J", "0"},           {1, "J", "1 J"},         {1.234e-12, "J", "1.23 pJ"},
        {999.4, "s", "999 s"},   {999.6, "s", "1 ks"},    {0.9996e-6, "W", "1 uW"},
        {5, "", "5"},            {12961, "", "13 k"},     {2e-19, "J", "0.2 aJ"},
        {1e20, "", "1e+05 P"},   {-2.5e-3, "J", "-2.5 mJ"}, {INFINITY, "J", "-"},
        {NAN, "J", "-"},
    };
    char text[COLUMNS_TEXT];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(columns_quantity(cases[i].value, cases[i].unit, text), cases[i].text);
    assert_string_equal(columns_range(1e-7, 1.34e-5, "J", text), "0.1 ... 13.4 uJ");
    assert_string_equal(columns_range(NAN, 1, "J", text), "-");
}

static void ratios_say_which_way(void **state)
{
    (void)state;
    char text[COLUMNS_TEXT];
    assert_string_equal(columns_ratio(1, 12.34, text), "12.3x less");
    assert_string_equal(columns_ratio(2.46, 2, text), "1.23x more");
    assert_string_equal(columns_ratio(1, 1, text), "1.00x more");
    assert_string_equal(columns_ratio(1, 9.996, text), "10.0x less");
    assert_string_equal(columns_ratio(123456, 1, text), "123456x more");
    assert_string_equal(columns_ratio(1e-9, 1, text), "1e+09x less");
    assert_string_equal(columns_ratio(0, 1, text), "-");
    assert_string_equal(columns_ratio(1, NAN, text), "-");
    assert_string_equal(columns_share(0.12345, text), "12.3%");
    assert_string_equal(columns_share(-1e-9, text), "0.0%");
    assert_string_equal(columns_share(-0.5, text), "-50.0%");
    assert_string_equal(columns_share(NAN, text), "-");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_have_their_width),
        cmocka_unit_test(what_a_terminal_would_obey_is_not_written),
        cmocka_unit_test(paragraphs_break_between_words),
        cmocka_unit_test(a_word_longer_than_a_line_stands_alone),
        cmocka_unit_test(quantities_keep_three_digits),
        cmocka_unit_test(ratios_say_which_way),
    };
    return cmocka_run_group_tests_name("columns", tests, NULL, NULL);
}
