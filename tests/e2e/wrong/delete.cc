/* SPDX-License-Identifier: GPL-2.0-or-later */
/* delete, twice: once of an object, once of an array. */
#include "truth.h"

struct object {
	~object() { }
	char text[24];
};

__attribute__((noinline)) static void drop(object *one)
{
	delete one; /* DROP */
	__asm__ volatile("");
}

int main(int argc, char **argv)
{
	stage("ready");
	object *volatile one = new object; /* OBJECT */
	drop(one);
	drop(one);
	tell_truth();
	stage("done");
	return correct();
}
