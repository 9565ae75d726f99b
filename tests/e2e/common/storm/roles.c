/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Roles with all signals blocked: blocks, processes, libraries, threads. */
#include <dlfcn.h>
#include <spawn.h>
#include <sys/wait.h>

#include "storm.h"

#define SLOTS 64
#define CHILD_STATUS 37

extern char **environ;

static void *allocated(struct role *self, size_t size)
{
	void *block = NULL;

	switch (next_random(self) % 4) {
	case 0:
		block = calloc(size, 1);
		MUST(block && ((char *)block)[size - 1] == 0);
		break;
	case 1:
		MUST(posix_memalign(&block, 64, size) == 0 && (unsigned long)block % 64 == 0);
		break;
	case 2:
		block = aligned_alloc(256, size);
		MUST((unsigned long)block % 256 == 0);
		break;
	default:
		block = malloc(size);
	}
	MUST(block && malloc_usable_size(block) >= size);
	return block;
}

/* Blocks that come, grow and go; what is in them stays. */
void allocate_step(struct role *self)
{
	static __thread void *slot[SLOTS];
	static __thread size_t size[SLOTS];

	for (int i = 0; i < 200; i++) {
		unsigned k = next_random(self) % SLOTS;

		if (!slot[k]) {
			size[k] = next_random(self) % 3000 + 1;
			slot[k] = allocated(self, size[k]);
		} else if (next_random(self) % 3) {
			MUST(filled(slot[k], size[k], k));
			errno = 4712;
			free(slot[k]);
			MUST(errno == 4712);
			slot[k] = NULL;
			continue;
		} else {
			size_t more = size[k] + next_random(self) % 500;

			slot[k] = realloc(slot[k], more);
			MUST(slot[k] && filled(slot[k], size[k], k));
			size[k] = more;
		}
		fill(slot[k], size[k], k);
	}
}

static void must_exit_with(pid_t child, int wanted)
{
	int status;

	MUST(child > 0);
	MUST(waitpid(child, &status, 0) == child);
	MUST(WIFEXITED(status) && WEXITSTATUS(status) == wanted);
}

/* A child that allocates, also after its parent went on. */
void fork_step(struct role *self)
{
	char *kept = malloc(100);
	pid_t child;

	fill(kept, 100, 1);
	child = fork();
	if (child == 0) {
		for (unsigned i = 1; i < 50; i++) {
			char *block = malloc(i * 10);

			if (!block)
				_exit(1);
			fill(block, i * 10, i);
			block = realloc(block, i * 20);
			if (!block || !filled(block, i * 10, i))
				_exit(2);
			free(block);
		}
		if (!filled(kept, 100, 1))
			_exit(3);
		free(kept);
		_exit(CHILD_STATUS);
	}
	MUST(filled(kept, 100, 1));
	free(kept);
	must_exit_with(child, CHILD_STATUS);
}

/* posix_spawn, system and vfork, whose child allocates in our memory. */
void spawn_step(struct role *self)
{
	char *const command[] = { "sh", "-c", "exit 37", NULL };
	pid_t child;

	if (self->steps % 3 == 0) {
		MUST(WEXITSTATUS(system("exit 37")) == CHILD_STATUS);
		return;
	}
	if (self->steps % 3 == 1) {
		MUST(posix_spawn(&child, "/bin/sh", NULL, NULL, command, environ) == 0);
	} else {
		child = vfork();
		if (child == 0) {
			for (int i = 0; i < 20; i++)
				free(malloc(i));
			execv("/bin/sh", command);
			_exit(1);
		}
	}
	must_exit_with(child, CHILD_STATUS);
}

/* A library that allocates, and one that is an allocator and so gets patched. */
void load_step(struct role *self)
{
	void *library = dlopen(plugin, RTLD_NOW | RTLD_LOCAL);
	void *pool = dlopen(late_arena, RTLD_NOW | RTLD_LOCAL);
	void *(*pool_malloc)(size_t size);
	void (*pool_free)(void *block);
	int (*sum)(int n);

	MUST(library && pool);
	*(void **)&sum = dlsym(library, "plugin_sum");
	*(void **)&pool_malloc = dlsym(pool, "malloc");
	*(void **)&pool_free = dlsym(pool, "free");
	MUST(sum && pool_malloc && pool_free && pool_malloc != arena_malloc);
	MUST(sum(100) == 5050);
	for (unsigned i = 1; i < 20; i++) {
		char *block = pool_malloc(i);

		check_block(block, i, self->steps);
		pool_free(block);
	}
	MUST(dlclose(pool) == 0 && dlclose(library) == 0);
}

static void *short_life(void *n)
{
	char *block = malloc(500);

	MUST(block);
	fill(block, 500, (long)n);
	check_arithmetic();
	MUST(filled(block, 500, (long)n));
	free(block);
	return (void *)((long)n * 3);
}

static void *until_cancelled(void *unused)
{
	for (;;) {
		free(malloc(77));
		pthread_testcancel();
	}
	return unused;
}

void threads_step(struct role *self)
{
	pthread_t thread[4], endless;
	void *result;

	MUST(pthread_create(&endless, NULL, until_cancelled, NULL) == 0);
	for (long i = 0; i < 4; i++)
		MUST(pthread_create(&thread[i], NULL, short_life, (void *)i) == 0);
	for (long i = 0; i < 4; i++)
		MUST(pthread_join(thread[i], &result) == 0 && (long)result == i * 3);
	MUST(pthread_cancel(endless) == 0);
	MUST(pthread_join(endless, &result) == 0 && result == PTHREAD_CANCELED);
}
