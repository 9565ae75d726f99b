/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arrays too large to copy: they grow through mremap, which moves page tables and not bytes,
 * and lie in huge pages where the kernel has them, since random access to millions of entries
 * otherwise pays a TLB miss each.
 */
#ifndef MEMTRACE_HEAP_PAGES_H
#define MEMTRACE_HEAP_PAGES_H

#include <stddef.h>

/* Makes room for one more item; new room reads as zero.  -ENOMEM: nothing has changed. */
int pages_grow(void **items, size_t *room, size_t nr, size_t item_bytes);
void pages_free(void *items, size_t room, size_t item_bytes);

/* Bytes held by an array of that room. */
size_t pages_bytes(size_t room, size_t item_bytes);

#endif
