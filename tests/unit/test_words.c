/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The words of reports: numbers with their units, and names that come from the target. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "../../tracer/base/inert.h"
#include "../../tracer/report/templates.h"
#include "../../tracer/report/units.h"

#define MS 1000000ull
#define SECOND (1000 * MS)

static void units(void **state)
{
	assert_string_equal(units_number(0).text, "0");
	assert_string_equal(units_number(999).text, "999");
	assert_string_equal(units_number(1000).text, "1,000");
	assert_string_equal(units_number(UINT64_MAX).text, "18,446,744,073,709,551,615");
	assert_string_equal(units_count(1, "block").text, "1 block");
	assert_string_equal(units_count(0, "block").text, "0 blocks");
	assert_string_equal(units_rate(1098600, 60 * SECOND).text, "+18,310 bytes/s");
	assert_string_equal(units_mib(137782886).text, "131.4");
}

static void times(void **state)
{
	assert_string_equal(units_time(850).text, "850 ns");
	assert_string_equal(units_time(1500).text, "1.5 us");
	assert_string_equal(units_time(80000).text, "0.08 ms");
	assert_string_equal(units_time(9800000).text, "9.8 ms");
	assert_string_equal(units_time(240 * MS).text, "0.24 s");
	assert_string_equal(units_time(60 * SECOND).text, "60.0 s");
	assert_string_equal(units_time(125 * SECOND).text, "2 min 5 s");
	assert_string_equal(units_time(7500 * SECOND).text, "2 h 5 min");
	assert_string_equal(units_time(200000 * SECOND).text, "2 d 7 h");
	assert_string_equal(units_time(7500 * SECOND).text, "2 h 5 min");
}

static void rounded_units(void **state)
{
	assert_string_equal(units_about(999).text, "999");
	assert_string_equal(units_about(1098600).text, "1,100,000");
	assert_string_equal(units_about(9999).text, "10,000");
	assert_string_equal(units_size(0).text, "0 bytes");
	assert_string_equal(units_size(1023).text, "1,023 bytes");
	assert_string_equal(units_size(512 << 10).text, "512 KiB");
	assert_string_equal(units_size(1100000).text, "1.05 MiB");
	assert_string_equal(units_size(1048575).text, "1.00 MiB");
	assert_string_equal(units_error(3, 100).text, "+- 3 %");
	assert_string_equal(units_error(3, 1000).text, "+- 0.3 %");
	assert_string_equal(units_error(0, 0).text, "+- 0 %");
	assert_string_equal(units_error(30, 10).text, "+- 300 %");
}

static void inert_text(void **state)
{
	char buffer[16];

	assert_string_equal(inert(buffer, 16, "plain \xc3\xa9"), "plain \xc3\xa9");
	assert_string_equal(inert(buffer, 16, "\033[m\x7f"), "\\x1b[m\\x7f");
	assert_string_equal(inert(buffer, 16, "\xe2\x80\xae\xc2\x85"), "\\u202e\\u0085");
	assert_string_equal(inert(buffer, 16, "\xe2\x81\xa9"), "\\u2069");
	assert_string_equal(inert(buffer, 16, "\xc0\xaf"), "\xef\xbf\xbd\xef\xbf\xbd");
	assert_string_equal(inert(buffer, 16, "\xed\xa0\x80" + 2), "\xef\xbf\xbd");
	assert_string_equal(inert(buffer, 16, "\xf4\x8f\xbf\xbf"), "\xf4\x8f\xbf\xbf");
	assert_string_equal(inert(buffer, 16, "\xe2\x82"), "\xef\xbf\xbd\xef\xbf\xbd");
}

static void inert_that_does_not_fit(void **state)
{
	char buffer[8];

	assert_string_equal(inert(buffer, 8, "1234567"), "1234567");
	assert_string_equal(inert(buffer, 8, "12345678"), "1234...");
	assert_string_equal(inert(buffer, 8, "123\xc3\xa9" "678"), "123...");
	assert_string_equal(inert(buffer, 8, "\033\033\033"), "\\x1b...");
	assert_string_equal(inert(buffer, 3, "1234"), "..");
	assert_string_equal(inert(buffer, 1, "1234"), "");
}

static void folds_to(const char *name, const char *expected)
{
	char buffer[256];

	strcpy(buffer, name);
	templates_fold(buffer);
	assert_string_equal(buffer, expected);
}

static void templates(void **state)
{
	folds_to("main", "main");
	folds_to("List<T>::at(int)", "List<T>::at(int)");
	folds_to("std::map<int, std::set<int> >::at<long>(int)", "std::map<...>::at<...>(int)");
	folds_to("operator< <int, long>(A, B)", "operator< <...>(A, B)");
	folds_to("operator<< <int, long>(A, B)", "operator<< <...>(A, B)");
	folds_to("Ptr<Session, int>::operator->()", "Ptr<...>::operator->()");
	folds_to("f<&(A::operator->), int>::g<int, int>", "f<...>::g<...>");
	folds_to("broken<int, long", "broken<int, long");
	folds_to("broken>>", "broken>>");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(units),
		cmocka_unit_test(times),
		cmocka_unit_test(rounded_units),
		cmocka_unit_test(inert_text),
		cmocka_unit_test(inert_that_does_not_fit),
		cmocka_unit_test(templates),
	};

	return cmocka_run_group_tests_name("words", tests, NULL, NULL);
}
