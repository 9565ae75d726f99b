/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the variants are made of: functions, inlined ones, lines, types and a stack that is aligned. */
#include <stdlib.h>
#include <string.h>

struct list {
	struct list *next;
	union {
		long number;
		char text[16];
	};
	enum { FULL, EMPTY } state;
};

static inline __attribute__((always_inline)) struct list *push(struct list *head, long number)
{
	struct list *item = malloc(sizeof(*item));

	if (!item)
		return head;
	*item = (struct list){ .next = head, .number = number };
	return item;
}

__attribute__((noinline)) long sum(const struct list *head, int depth)
{
	long array[depth + 1], total = 0;

	memset(array, 0, sizeof(array));
	for (; head; head = head->next)
		array[depth] += head->number;
	for (int i = 0; i <= depth; i++)
		total += array[i];
	return depth > 0 ? total + sum(head, depth - 1) : total;
}

__attribute__((noinline, aligned(64))) int build(int nr)
{
	_Alignas(64) char text[64] = "aligned";
	struct list *head = NULL;

	for (int i = 0; i < nr; i++) {
		if (i % 3)
			head = push(head, i);
		else
			head = push(head, -i);
	}
	return (int)sum(head, nr % 5) + (int)strlen(text);
}

int main(int argc, char **argv)
{
	return build(argc) & 1;
}
