/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 *     reports NUMBER FIRST BASE...
 *
 * So many variants of the base reports, read and printed as --resolve does it.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report_check.h"
#include "report_variants.h"

static struct bytes read_base(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct bytes base = { NULL, 0 };
	struct stat status;

	if (fd < 0 || fstat(fd, &status))
		exit(2);
	base.nr = (size_t)status.st_size;
	base.at = malloc(base.nr + 1);
	if (!base.at || read(fd, base.at, base.nr) != (ssize_t)base.nr)
		exit(2);
	close(fd);
	return base;
}

int main(int argc, char **argv)
{
	uint64_t nr, first, nr_read = 0;

	if (argc < 4)
		return 2;
	nr = strtoull(argv[1], NULL, 0);
	first = strtoull(argv[2], NULL, 0);
	for (uint64_t seed = first; seed < first + nr; seed++) {
		struct bytes base = read_base(argv[3 + seed % (uint64_t)(argc - 3)]);
		struct bytes text = { malloc(base.nr + REPORT_GROWTH_MOST), base.nr };
		int found;

		if (!text.at)
			return 2;
		memcpy(text.at, base.at, base.nr);
		report_change(&text, seed);
		found = check_report((char *)text.at, text.nr);
		if (found < 0) {
			printf("FAILED: variant %llu\n", (unsigned long long)seed);
			return 1;
		}
		nr_read += found > 0;
		free(text.at);
		free(base.at);
	}
	printf("%llu variants: %llu read, %llu refused\n", (unsigned long long)nr,
	       (unsigned long long)nr_read, (unsigned long long)(nr - nr_read));
	return 0;
}
