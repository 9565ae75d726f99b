/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storm PLUGIN ARENA ARENA2 [ROLES]: see storm.h.  A "?" in the input: every role must come on
 * from here.  ROLES: a mask of those that run, to find out which one is in trouble.
 */
#include <dlfcn.h>
#include <sched.h>

#include "storm.h"

#define CALM_S 60		/* within which every role must have come on */

void *(*arena_malloc)(size_t size);
void (*arena_free)(void *block);
const char *plugin, *late_arena;

static volatile int over, others_over;
static unsigned long chosen = -1ul;
bool forgiving;

static struct role roles[] = {
	{ NULL, allocate_step }, { NULL, allocate_step }, { NULL, allocate_step },
	{ ticked_begin, ticked_step }, { ticked_own_stack_begin, ticked_step },
	{ jumping_begin, jumping_step },
	{ NULL, fork_step }, { NULL, spawn_step }, { NULL, load_step }, { NULL, threads_step },
	{ waiting_begin, waiting_step }, { waiting_begin, waiting_step },
	{ waiting_begin, waiting_step }, { waiting_begin, waiting_step },
	{ waiting_begin, waiting_step },
	{ NULL, bringing_step },
};

#define NR_ROLES (sizeof(roles) / sizeof(roles[0]))
#define BRINGING (NR_ROLES - 1)		/* goes on until nobody waits any more */

void check_arithmetic(void)
{
	unsigned long a = 88172645463325252ul, b = 0, c = 1;
	volatile double parts[4] = { 0.5, 1.25, 2.125, 3.0625 };
	double x = 0, y = 0;

	for (int i = 0; i < 4000; i++) {
		a ^= a << 13;
		a ^= a >> 7;
		a ^= a << 17;
		b += a;
		c = c * 6364136223846793005ul + 1442695040888963407ul;
		x += parts[i & 3];
		y += x - parts[i >> 2 & 3];
	}
	MUST(b == 0x5cbe43f9f111dfb8ul && c == 0xff282e7e556170a1ul);
	MUST(x == 6937.5 && y == 13867250);
}

static void *run(void *role)
{
	struct role *self = role;

	if (self->begin)
		self->begin(self);
	while (!(self == &roles[BRINGING] ? others_over : over)) {
		errno = 4711;
		check_arithmetic();
		MUST(errno == 4711);
		self->step(self);
		self->steps++;
	}
	return NULL;
}

/* Whether every role gets two steps further: the first may have been nearly done before. */
static void check_all_come_on(void)
{
	unsigned long before[NR_ROLES];
	double end = now() + CALM_S;

	for (size_t i = 0; i < NR_ROLES; i++)
		before[i] = roles[i].steps;
	for (size_t i = 0; i < NR_ROLES; i++) {
		if (!(chosen >> i & 1))
			continue;
		while (roles[i].steps < before[i] + 2 && now() < end)
			usleep(500);
		if (roles[i].steps < before[i] + 2) {
			say("WRONG role %zu stays where it is\n", i);
			_exit(121);
		}
	}
	say("all come on\n");
}

static void prepare(const char *arena)
{
	void *library = dlopen(arena, RTLD_NOW | RTLD_LOCAL);
	sigset_t all;

	MUST(library);
	*(void **)&arena_malloc = dlsym(library, "malloc");
	*(void **)&arena_free = dlsym(library, "free");
	MUST(arena_malloc && arena_free && (void *)arena_malloc != (void *)malloc);
	waits_prepare();
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
}

static void begin_all(void)
{
	for (size_t i = 0; i < NR_ROLES; i++) {
		roles[i].random = i + 1;
		if (chosen >> i & 1)
			MUST(pthread_create(&roles[i].thread, NULL, run, &roles[i]) == 0);
	}
}

static void end_all(void)
{
	over = 1;
	for (size_t i = 0; i < NR_ROLES; i++) {
		others_over = i == BRINGING;
		if (chosen >> i & 1)
			MUST(pthread_join(roles[i].thread, NULL) == 0);
		say("role %zu: %lu steps, %lu signals\n", i, roles[i].steps, roles[i].handled);
	}
}

int main(int argc, char **argv)
{
	char c;

	MUST(argc >= 4);
	plugin = argv[1];
	late_arena = argv[3];
	if (argc > 4)
		chosen = strtoul(argv[4], NULL, 16);
	forgiving = argc > 5;
	prepare(argv[2]);
	begin_all();
	check_all_come_on();
	say("ready\n");
	while (read(STDIN_FILENO, &c, 1) == 1 && c != '\n')
		if (c == '?')
			check_all_come_on();
	end_all();
	return correct();
}
