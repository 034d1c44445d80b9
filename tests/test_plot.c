/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The page of `volley plot`: texts that cannot become commands, axes, units. */
#include "sim/plot/page.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A page whose script is read back. */
struct rig {
    struct page page;
    char *text;
    size_t length;
};

static void rig_open(struct rig *rig)
{
    *rig = (struct rig){0};
    rig->page.script = open_memstream(&rig->text, &rig->length);
    assert_non_null(rig->page.script);
    page_begin(&rig->page, 100, 60);
    page_panel(&rig->page, 20, 90, 10, 50);
}

static void rig_close(struct rig *rig)
{
    fclose(rig->page.script);
    free(rig->text);
}

/* What page_put_text writes of a text. */
static void assert_put(const char *text, size_t limit, const char *expected)
{
    struct rig rig = {0};
    rig.page.script = open_memstream(&rig.text, &rig.length);
    page_put_text(&rig.page, text, limit);
    fflush(rig.page.script);
    assert_string_equal(rig.text, expected);
    rig_close(&rig);
}

/* Nothing of the text can be shown: as many question marks. */
static void assert_marks(const char *text, size_t count)
{
    char expected[16] = "'";
    memset(expected + 1, '?', count);
    expected[count + 1] = '\'';
    assert_put(text, 48, expected);
}

static void texts_stay_in_their_quotes(void **state)
{
    (void)state;
    assert_put("plain", 48, "'plain'");
    assert_put("", 48, "''");
    assert_put("it's", 48, "'it''s'");
    assert_put("'; system('id') #", 48, "'''; system(''id'') #'");
    assert_put("a`id`$(id)\"b\"\\", 48, "'a`id`$(id)\"b\"\\'");
}

static void what_cannot_be_shown_becomes_a_question_mark(void **state)
{
    (void)state;
    assert_put("é µ ⁵ 𝛼", 48, "'é µ ⁵ 𝛼'");
    assert_put("a\nb\rc\td\x01", 48, "'a?b?c?d?'");
    assert_marks("\n\x7f", 2);
    assert_marks("\xff\xc0\xaf\x80", 4);             /* no beginnings of characters */
    assert_marks("\xe2\x81", 2);                     /* cut off */
    assert_marks("\xed\xa0\x80", 3);                 /* a surrogate */
    assert_marks("\xef\xbf\xbe", 3);                 /* U+FFFE, not for XML */
    assert_marks("\xc2\x85", 2);                     /* a control character beyond ASCII */
    assert_marks("\xf4\x90\x80\x80", 4);             /* beyond Unicode */
    assert_marks("\xe0\x80\xaf\xf0\x80\x80\xaf", 7); /* longer than need be */
}

static void long_texts_are_cut_between_characters(void **state)
{
    (void)state;
    assert_put("abcdef", 6, "'abcdef'");
    assert_put("abcdef", 5, "'abcde…'");
    assert_put("ééé", 2, "'éé…'");
    assert_put("''''", 2, "'''''…'");
}

static void widths_are_those_of_helvetica(void **state)
{
    (void)state;
    /* digits are 0.556 em wide in Helvetica and Arial; 8 pt are 2.822 mm */
    assert_float_equal(page_text_width("0123456789", 48), 10 * 0.556 * 8 * 25.4 / 72, 1e-9);
    assert_true(page_text_width("iiii", 48) < page_text_width("mmmm", 48) / 2);
    assert_float_equal(page_text_width("éé", 48), page_text_width("ee", 48), 1e-9);
    assert_true(page_text_width("0123456789", 4) < page_text_width("012345", 48));
}

static void steps_are_round(void **state)
{
    (void)state;
    assert_float_equal(page_step(10, 5), 2, 1e-12);
    assert_float_equal(page_step(10, 10), 1, 1e-12);
    assert_float_equal(page_step(10, 3), 5, 1e-12);
    assert_float_equal(page_step(0.7, 4), 0.2, 1e-12);
    for (double range = 1e-9; range < 1e9; range *= 1.37)
        for (double wanted = 1.5; wanted < 20; wanted += 0.7) {
            double step = page_step(range, wanted);
            double digit = step / pow(10, floor(log10(step) + 1e-9));
            assert_true(fabs(digit - 1) < 1e-9 || fabs(digit - 2) < 1e-9 || fabs(digit - 5) < 1e-9);
            assert_true(range / step <= wanted * (1 + 1e-9) && range / step > wanted / 2.51);
        }
}

static void units_leave_one_to_a_thousand(void **state)
{
    (void)state;
    assert_string_equal(page_unit(1).prefix, "");
    assert_string_equal(page_unit(0.999).prefix, "m");
    assert_string_equal(page_unit(2.5e-6).prefix, "µ");
    assert_string_equal(page_unit(3e-12).prefix, "p");
    assert_string_equal(page_unit(1e-20).prefix, "f"); /* the least there is */
    assert_string_equal(page_unit(4500).prefix, "k");
    for (double value = 1.1e-15; value < 1e9; value *= 7.3) {
        double shown = value * page_unit(value).scale;
        assert_true(shown >= 1 && (shown < 1000 * (1 + 1e-9)));
    }
}

static void assert_script_has(struct rig *rig, const char *words)
{
    fflush(rig->page.script);
    if (strstr(rig->text, words) == NULL)
        fail_msg("no '%s' in: %s", words, rig->text);
}

static void linear_axes_name_their_tics(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    page_axis(&rig.page, 'x', -10, 10, "time (s)");
    assert_script_has(&rig, "set xrange [-10:10]");
    assert_script_has(&rig, "'−10' -10, '−5' -5, '0' 0, '5' 5, '10' 10)");
    assert_script_has(&rig, "set label 'time (s)' at screen 0.55");
    rig_close(&rig);
    rig_open(&rig);
    page_axis_whole(&rig.page, 'x', -0.5, 2.5, NULL);
    assert_script_has(&rig, "set xtics ('0' 0, '1' 1, '2' 2)"); /* no half neurons */
    rig_close(&rig);
}

static void logarithmic_axes_have_a_tic_for_each_decade(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    page_axis_log(&rig.page, 'x', 0.5, 200, NULL);
    assert_script_has(&rig, "set logscale x");
    assert_script_has(&rig, "'0.1' 1e-1, '' 2e-1 1");
    assert_script_has(&rig, ", '1' 1e0, ");
    assert_script_has(&rig, ", '1000' 1e3");
    rig_close(&rig);
    rig_open(&rig);
    page_axis_log(&rig.page, 'y', 1e-12, 1e-9, NULL);
    assert_script_has(&rig, "'10⁻¹²' 1e-12");
    assert_script_has(&rig, "'10⁻⁹' 1e-9");
    rig_close(&rig);
}

static void sizes_that_were_asked_for_count(void **state)
{
    (void)state;
    struct rig rig = {.page = {.width = 50.8, .format = PAGE_SVG}};
    rig.page.script = open_memstream(&rig.text, &rig.length);
    page_begin(&rig.page, 100, 25.4);
    assert_script_has(&rig, "svg size 192,96"); /* 2 by 1 inches of 96 dots */
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_stay_in_their_quotes),
        cmocka_unit_test(what_cannot_be_shown_becomes_a_question_mark),
        cmocka_unit_test(long_texts_are_cut_between_characters),
        cmocka_unit_test(widths_are_those_of_helvetica),
        cmocka_unit_test(steps_are_round),
        cmocka_unit_test(units_leave_one_to_a_thousand),
        cmocka_unit_test(linear_axes_name_their_tics),
        cmocka_unit_test(logarithmic_axes_have_a_tic_for_each_decade),
        cmocka_unit_test(sizes_that_were_asked_for_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
