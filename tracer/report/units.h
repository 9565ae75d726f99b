/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Amounts as people read them.  Each comes as a small struct by value, so that several fit
 * into one call:
 *
 *	printf("%s in %s", units_count(bytes, "byte").text, units_time(ns).text);
 */
#ifndef MEMTRACE_REPORT_UNITS_H
#define MEMTRACE_REPORT_UNITS_H

#include <stdint.h>

struct words {
	char text[64];
};

struct words units_number(uint64_t number);			/* 1,098,600 */
struct words units_count(uint64_t number, const char *noun);	/* 1 block, 2 blocks */
struct words units_time(uint64_t ns);				/* 0.21 ms, 60.0 s, 2 h 5 min */
struct words units_mib(uint64_t bytes);				/* 131.4 */
struct words units_about(uint64_t number);			/* 1,100,000: three figures */
struct words units_size(uint64_t bytes);			/* 1.05 MiB: likewise */
struct words units_error(uint64_t error, uint64_t number);	/* +- 3 % */
/* Rounded; 0 in no time at all. */
uint64_t units_per_second(uint64_t bytes, uint64_t ns);
struct words units_rate(uint64_t bytes, uint64_t ns);		/* +18,000 bytes/s */

#endif
