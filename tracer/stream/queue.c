/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See queue.h. */
#include "queue.h"

#include <errno.h>
#include <sys/mman.h>

int queue_init(struct queue *queue, size_t room)
{
	void *lines = mmap(NULL, room * sizeof(*queue->lines), PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (lines == MAP_FAILED)
		return -ENOMEM;
	*queue = (struct queue){ .lines = lines, .room = room };
	return 0;
}

void queue_deinit(struct queue *queue)
{
	if (queue->lines)
		munmap(queue->lines, queue->room * sizeof(*queue->lines));
	queue->lines = NULL;
}

size_t queue_length(const struct queue *queue)
{
	size_t taken = __atomic_load_n(&queue->taken, __ATOMIC_ACQUIRE);

	return __atomic_load_n(&queue->put, __ATOMIC_ACQUIRE) - taken;
}

uint64_t queue_lost(const struct queue *queue)
{
	return __atomic_load_n(&queue->lost, __ATOMIC_RELAXED);
}

void queue_put(struct queue *queue, const struct line *line)
{
	if (queue_length(queue) == queue->room) {
		__atomic_store_n(&queue->lost, queue->lost + 1, __ATOMIC_RELAXED);
		return;
	}
	queue->lines[queue->put & (queue->room - 1)] = *line;
	__atomic_store_n(&queue->put, queue->put + 1, __ATOMIC_RELEASE);
}

const struct line *queue_first(const struct queue *queue)
{
	return queue_length(queue) ? &queue->lines[queue->taken & (queue->room - 1)] : NULL;
}

void queue_drop(struct queue *queue)
{
	__atomic_store_n(&queue->taken, queue->taken + 1, __ATOMIC_RELEASE);
}
