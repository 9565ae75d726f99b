/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef LIBRARY_H
#define LIBRARY_H

#include <stddef.h>

void *library_new(size_t size);
void library_free(void *block);

#endif
