/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A long list that a field of a variable keeps, and a block that its last node does. */
#include <stdlib.h>

struct node {
	void *text;
	struct node *next;
};

static struct {
	long numbers[3];
	struct node *first;
} cache;

static struct node *add(struct node *node, struct node *next)
{
	node->text = NULL;
	node->next = next;
	return node;
}

int main(void)
{
	char *last = malloc(32);				/* last */

	cache.first = add(malloc(sizeof(struct node)), (struct node *)last);
	for (int i = 1; i < 100000; i++)
		cache.first = add(malloc(sizeof(struct node)), cache.first);
	last = NULL;
	__asm__ volatile("" : : : "rbx", "r12", "r13", "r14", "r15", "memory");
	return cache.numbers[1] != 0;
}
