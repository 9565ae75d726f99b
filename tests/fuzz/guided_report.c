/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libFuzzer on what --resolve reads: the input is the file. */
#include "report_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	if (check_report((const char *)data, bytes) < 0)
		abort();
	return 0;
}
