/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * operator new and delete in all forms.  Sizes are multiples of their alignment, and never 0:
 * libstdc++ rounds the first up and makes the second 1, and it is what it asks of malloc that
 * counts there.
 *
 *     cxx [throw]     also with an operator new that throws; counts as libstdc++'s does
 */
#include <new>

#include "truth.h"

using std::align_val_t;
using std::nothrow;

static volatile size_t huge_size = (size_t)1 << 62;

/* malloc(128 + 8) out of __cxa_allocate_exception for a std::bad_alloc, freed when caught. */
static void exception_thrown()
{
	truth_allocated(&truth, 136);
	truth_freed(136);
}

struct cell {
	char room[24];
	~cell() { room[0] = 0; }
};

/* An array of objects with destructors is preceded by their number. */
static const size_t array_bytes = 8 + 5 * sizeof(cell);

static void plain()
{
	int *one = (int *)T_NEW(new int(7), sizeof(int));
	char *many = (char *)T_NEW(new char[100], 100);
	cell *cells = (cell *)T_NEW(new cell[5], array_bytes);

	T_NEW(new cell, sizeof(cell));			/* LIVE cell */
	truth_freed(sizeof(int));
	delete one;
	truth_freed(100);
	delete[] many;
	truth_freed(array_bytes);
	delete[] cells;
}

static void direct()
{
	void *a = T_NEW(operator new(40), 40);
	void *b = T_NEW(operator new[](41), 41);
	void *c = T_NEW(operator new(42, nothrow), 42);
	void *d = T_NEW(operator new[](43, nothrow), 43);

	truth_freed(40);
	operator delete(a, (size_t)40);
	truth_freed(41);
	operator delete[](b, (size_t)41);
	truth_freed(42);
	operator delete(c, nothrow);
	truth_freed(43);
	operator delete[](d, nothrow);
	operator delete((void *)NULL);
}

static void aligned()
{
	void *a = T_NEW(operator new(128, align_val_t(64)), 128);
	void *b = T_NEW(operator new[](256, align_val_t(128)), 256);
	void *c = T_NEW(operator new(512, align_val_t(256), nothrow), 512);
	void *d = T_NEW(operator new[](1024, align_val_t(512), nothrow), 1024);

	T_NEW(operator new(192, align_val_t(64)), 192);	/* LIVE aligned */
	fill(d, 1024, 1);
	MUST(filled(d, 1024, 1));
	truth_freed(128);
	operator delete(a, (size_t)128, align_val_t(64));
	truth_freed(256);
	operator delete[](b, align_val_t(128));
	truth_freed(512);
	operator delete(c, align_val_t(256), nothrow);
	truth_freed(1024);
	operator delete[](d, (size_t)1024, align_val_t(512));
}

static void throwing()
{
	for (int i = 0; i < 10; i++) {
		try {
			T_NEW(operator new(huge_size), 0);
			MUST(false);
		} catch (std::bad_alloc &) {
			truth.failed++;
			exception_thrown();
		}
		T_NEW(new char[60], 60);			/* LIVE thrown */
	}
}

int main(int argc, char **argv)
{
	stage("ready");
	for (int i = 0; i < 5; i++) {
		plain();
		direct();
		aligned();
		MUST(!T_NEW(operator new(huge_size, nothrow), 0));
		if (argc > 1)	/* libstdc++'s is the throwing one within a catch */
			exception_thrown();
	}
	if (argc > 1)
		throwing();
	tell_truth();
	stage("done");
	return correct();
}
