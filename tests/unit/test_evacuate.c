/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads of a child that are in `first_loop`, by their pc or by a signal frame, are moved to the
 * same place in `second_loop`.  Which one a thread came back from it says by what that returns.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "../../tracer/probe/evacuate.h"
#include "held_child.h"

/* Both wait until *go; `calls_out` calls its argument in between, `slow_restorer` returns from a
 * handler, but not before that. */
__asm__(".text\n"
	"first_loop:  pause\n cmpl $0, (%rdi)\n je first_loop\n mov $1, %eax\n ret\n"
	"first_end:\n"
	"second_loop: pause\n cmpl $0, (%rdi)\n je second_loop\n mov $2, %eax\n ret\n"
	"calls_out:   push %rbx\n call *%rsi\n pop %rbx\n ret\n"
	"calls_end:\n"
	"slow_restorer: pause\n mov restorer_go(%rip), %rax\n cmpl $0, (%rax)\n je slow_restorer\n"
	" mov $15, %rax\n syscall\n");

extern int first_loop(const volatile int *go), second_loop(const volatile int *go);
extern const char first_end[], calls_end[];
extern void calls_out(const volatile int *go, void (*function)(const volatile int *go));
extern void slow_restorer(void);

const volatile int *restorer_go;

static void *loops(void *argument)
{
	is_ready();
	return (void *)(intptr_t)first_loop(&shared->go);
}

static void waits_in_handler(int signal)
{
	wait_to_go(&shared->handlers_go);
}

/* Interrupted by the kernel between one instruction of the loop and the next. */
static void *is_interrupted(void *argument)
{
	stack_t stack = { .ss_sp = malloc(65536), .ss_size = 65536 }, before;
	void *result;

	sigaltstack(&stack, &before);
	result = loops(argument);
	sigaltstack(&before, NULL); /* a sanitizer has one of its own */
	free(stack.ss_sp);
	return result;
}

struct kernel_action {
	void (*handler)(int);
	unsigned long flags;
	void (*restorer)(void);
	uint64_t mask;
};
#define RESTORER 0x04000000

static void returns_at_once(int signal)
{
	is_ready();
}

static void set_handlers(void)
{
	const struct sigaction on_its_stack = {
		.sa_handler = waits_in_handler, .sa_flags = SA_ONSTACK,
	};
	struct kernel_action slow = {
		.handler = returns_at_once, .flags = RESTORER, .restorer = slow_restorer,
	};

	restorer_go = &shared->handlers_go;
	sigaction(SIGUSR1, &on_its_stack, NULL);
	syscall(SYS_rt_sigaction, SIGUSR2, &slow, NULL, 8);
}

/* A plain one, one whose handler waits on another stack, with a second handler on top, and one
 * that is on its way out of a handler. */
static int has_threads(void)
{
	void *(*const works[])(void *) = { loops, is_interrupted, loops };
	pthread_t threads[3];
	void *result;
	int sum = 0;

	set_handlers();
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, works[i], NULL);
	wait_for(3);
	pthread_kill(threads[1], SIGUSR1);
	wait_for(4);
	pthread_kill(threads[1], SIGUSR2);
	pthread_kill(threads[2], SIGUSR2);
	wait_for(6);
	is_ready();
	for (int i = 0; i < 3; i++) {
		pthread_join(threads[i], &result);
		sum = sum * 10 + (int)(intptr_t)result;
	}
	return sum;
}

static struct process *hold_with_guests(pid_t pid)
{
	struct process *process = seize(pid);
	size_t added;

	assert_int_equal(process_seize_guests(&targets, process, &added), 0);
	hold_all(process, true);
	return process;
}

static taddr_t at(const void *place)
{
	return (taddr_t)(uintptr_t)place;
}

static bool is_between(const void *start, const void *end, taddr_t pc)
{
	return pc >= at(start) && pc < at(end);
}

static taddr_t to_second(void *owner, taddr_t pc)
{
	return is_between((void *)first_loop, first_end, pc)
		? pc - at((void *)first_loop) + at((void *)second_loop) : pc;
}

static taddr_t stays(void *owner, taddr_t pc)
{
	return pc;
}

static bool in_first(void *owner, taddr_t pc)
{
	return is_between((void *)first_loop, first_end, pc);
}

static bool in_calls_out(void *owner, taddr_t pc)
{
	return is_between((void *)calls_out, calls_end, pc);
}

static int asked, asked_of_frames;
static bool answer;

static bool returns(void *owner, const struct thread *thread, const arch_regs *regs,
		    bool is_framed)
{
	asked++;
	asked_of_frames += is_framed;
	return answer;
}

static size_t nr_inside(struct process *process, taddr_t (*moved)(void *, taddr_t),
			bool (*concerned)(void *, taddr_t))
{
	const struct evacuation evacuation = {
		.moved = moved, .concerns = concerned, .returns = returns,
	};
	size_t nr = 12345;

	asked = asked_of_frames = 0;
	assert_int_equal(evacuate(process, &evacuation, &nr), 0);
	return nr;
}

static void test_nobody_is_moved(void **state)
{
	struct process *process = hold_with_guests(start(has_threads, 7));

	answer = true;
	assert_int_equal(nr_inside(process, stays, in_first), 3);
	assert_int_equal(asked_of_frames, 2);
	/* What signal frames say may be old. */
	answer = false;
	assert_int_equal(nr_inside(process, stays, in_first), 1);
	finish(process, STOP_EXITED, 111);
}

static void test_all_are_moved(void **state)
{
	struct process *process = hold_with_guests(start(has_threads, 7));

	assert_int_equal(nr_inside(process, to_second, in_first), 0);
	assert_int_equal(asked, 0);
	/* Nothing is left to be moved. */
	assert_int_equal(nr_inside(process, stays, in_first), 0);
	finish(process, STOP_EXITED, 222);
}

static int is_called(void)
{
	calls_out(&shared->go, wait_to_go);
	return 7;
}

static void test_return_addresses(void **state)
{
	struct process *process = hold_with_guests(start(is_called, 1));

	answer = true;
	assert_int_equal(nr_inside(process, stays, in_calls_out), 1);
	assert_true(asked);
	/* An old one only. */
	answer = false;
	assert_int_equal(nr_inside(process, stays, in_calls_out), 0);
	assert_true(asked);
	finish(process, STOP_EXITED, 7);
}

static void execs_later(const volatile int *go)
{
	pid_t child = vfork();

	if (!child) {
		wait_to_go(go);
		_exit(0);
	}
	waitpid(child, NULL, 0);
}

static int waits_in_vfork(void)
{
	calls_out(&shared->go, execs_later);
	return 7;
}

/* What it has in its registers cannot be read, but its stack can: better to be asked once more
 * than to have its code taken away. */
static void test_vfork_parent(void **state)
{
	struct process *process = hold_with_guests(start(waits_in_vfork, 1));

	assert_int_equal(process->threads.nr, 2);
	answer = false;
	assert_true(nr_inside(process, stays, in_calls_out) >= 1);
	assert_int_equal(nr_inside(process, stays, in_first), 0);
	finish(process, STOP_EXITED, 7);
}

/* Deep in its stack, after more than one piece. */
static int goes_deep(void)
{
	volatile char room[100000];

	memset((char *)room, 0, sizeof(room));
	wait_to_go(&shared->go);
	return 7 + room[5000];
}

static void deeper(const volatile int *go)
{
	goes_deep();
}

static int is_deep(void)
{
	calls_out(&shared->go, deeper);
	return 7;
}

static void test_deep_stacks(void **state)
{
	struct process *process = hold_with_guests(start(is_deep, 1));

	answer = true;
	assert_int_equal(nr_inside(process, stays, in_calls_out), 1);
	finish(process, STOP_EXITED, 7);
}

static void test_without_maps(void **state)
{
	struct process *process = hold_with_guests(start(is_called, 1));
	const struct evacuation evacuation = { .moved = stays, .concerns = in_first };
	size_t nr = 0;

	process->memory.tid = 0x7fffffff;
	assert_true(evacuate(process, &evacuation, &nr) < 0);
	assert_int_equal(nr, 1);
	assert_true(evacuate(process, &evacuation, NULL) < 0);
	finish(process, STOP_EXITED, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nobody_is_moved),
		cmocka_unit_test(test_all_are_moved),
		cmocka_unit_test(test_return_addresses),
		cmocka_unit_test(test_vfork_parent),
		cmocka_unit_test(test_deep_stacks),
		cmocka_unit_test(test_without_maps),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
