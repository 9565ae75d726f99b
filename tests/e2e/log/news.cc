// SPDX-License-Identifier: GPL-2.0-or-later
// new and delete: the caller is who says so, and not the C++ library.
#include "truth.h"

struct thing {
	char bytes[77];
};

static void *volatile kept;

int main()
{
	stage("ready");
	kept = new thing;		// NEW
	delete static_cast<thing *>(kept);	// OLD
	kept = new char[33];		// ARRAY
	delete[] static_cast<char *>(kept);	// PAST
	return correct();
}
