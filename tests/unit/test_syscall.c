/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * System calls run inside a child that is busy or blocked in a call of its own: they do what
 * they should, and the child notices nothing.  It says so by its exit status.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <time.h>

#include "../../tracer/base/clock.h"
#include "../../tracer/target/syscall.h"
#include "held_child.h"

#define CALLS 20
#define WORK_NS 800000000		/* how long a child is at it */

static int to_child[2];

/* A syscall instruction that this process and its children have at the same place. */
__asm__(".text\nown_syscall:\n syscall\n ret\n");
extern const char own_syscall[];

static uint64_t slept_ns(int (*sleep)(void))
{
	uint64_t began_ns = clock_ns();

	return sleep() ? 0 : clock_ns() - began_ns;
}

static int by_nanosleep(void)
{
	return nanosleep(&(struct timespec){ .tv_nsec = WORK_NS }, NULL);
}

static int by_poll(void)
{
	return poll(NULL, 0, WORK_NS / 1000000);
}

static int by_select(void)
{
	return select(0, NULL, NULL, NULL, &(struct timeval){ .tv_usec = WORK_NS / 1000 });
}

static bool in_time(int (*sleep)(void))
{
	uint64_t ns = slept_ns(sleep);

	return ns >= WORK_NS && ns < 10000000000;
}

static bool nanosleeps(void)
{
	return in_time(by_nanosleep);
}

static bool polls(void)
{
	return in_time(by_poll);
}

static bool selects(void)
{
	return in_time(by_select);
}

static bool reads(void)
{
	char byte = 0;

	return read(to_child[0], &byte, 1) == 1 && byte == 'x';
}

static bool computes(void)
{
	uint64_t began_ns = clock_ns(), sum = 0;
	unsigned long flags_seen = 0;

	while (clock_ns() - began_ns < WORK_NS)
		for (uint64_t i = 0; i < 1000; i++) {
			sum += i;
			flags_seen += sum & 1;
		}
	return sum % 499500 == 0 && flags_seen;
}

/* Vector registers, and the upper halves that are saved apart, over that time. */
__attribute__((target("avx"))) static bool keeps_vectors(void)
{
	uint64_t began_ns = clock_ns(), pattern[4] = { 1, 2, 3, 4 }, now[4] = { 0 };

	while (clock_ns() - began_ns < WORK_NS) {
		__asm__ volatile("vmovdqu %1, %%ymm9\n"
				 "mov $1000000, %%ecx\n"
				 "1: dec %%ecx\n"
				 "jnz 1b\n"
				 "vmovdqu %%ymm9, %0\n"
				 "vzeroupper"
				 : "=m"(now) : "m"(pattern) : "rcx", "xmm9", "memory");
		if (memcmp(now, pattern, sizeof(now)))
			return false;
	}
	return true;
}

static bool keeps_mask(void)
{
	sigset_t mask, now;

	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR2);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	computes();
	sigprocmask(SIG_SETMASK, NULL, &now);
	return sigismember(&now, SIGUSR2) && !sigismember(&now, SIGUSR1);
}

static bool waits_on_futex(void)
{
	pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	struct timespec until;

	pthread_mutex_lock(&mutex);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 1;
	return pthread_mutex_timedlock(&mutex, &until) == ETIMEDOUT;
}

static pid_t begin(bool (*work)(void))
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid)
		_exit(work() ? 7 : 8);
	return pid;
}

static void call_some(struct process *process)
{
	struct injection injection;
	int64_t result = 0;
	uint64_t none[6] = { 0 };
	uint64_t map[6] = { 0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, (uint64_t)-1, 0 };

	assert_int_equal(injection_begin(&injection, &targets, process->threads.items[0],
					 &code), 0);
	assert_int_equal(injection_call(&injection, SYS_getpid, none, &result), 0);
	assert_int_equal(result, process->pid);
	assert_int_equal(injection_call(&injection, SYS_mmap, map, &result), 0);
	assert_true(result > 0 && result % 4096 == 0);
	assert_int_equal(injection_call(&injection, SYS_munmap,
					(uint64_t[6]){ (uint64_t)result, 4096 }, &result), 0);
	assert_int_equal(result, 0);
	assert_int_equal(injection_call(&injection, SYS_close, (uint64_t[6]){ 12345 }, &result), 0);
	assert_int_equal(result, -EBADF);
	assert_int_equal(injection_end(&injection), 0);
}

/* Many times over while the child is in its call; fewer on a busy machine. */
static void unnoticed(bool (*work)(void))
{
	uint64_t began_ns = clock_ns();
	pid_t pid = begin(work);
	struct process *process;

	usleep(50000);
	process = hold(pid);
	for (int i = 0; i < CALLS && clock_ns() - began_ns < WORK_NS / 2; i++) {
		call_some(process);
		process_release(process);
		usleep(2000);
		hold_all(process, false);
	}
	process_release(process);
	if (work == reads)
		assert_int_equal(write(to_child[1], "x", 1), 1);
	await_end(process, STOP_EXITED, 7);
}

static void test_computing(void **state)
{
	unnoticed(computes);
}

static void test_nanosleep(void **state)
{
	unnoticed(nanosleeps);
}

static void test_poll(void **state)
{
	unnoticed(polls);
}

static void test_select(void **state)
{
	unnoticed(selects);
}

static void test_read(void **state)
{
	unnoticed(reads);
}

static void test_futex(void **state)
{
	unnoticed(waits_on_futex);
}

static void test_registers_and_mask_come_back(void **state)
{
	pid_t pid = begin(computes);
	struct process *process = hold(pid);
	struct thread *thread = process->threads.items[0];
	uint64_t mask_before = 1, mask_after = 2;
	arch_regs before, after;

	assert_int_equal(thread_get_regs(thread, &before), 0);
	assert_int_equal(ptrace(PTRACE_GETSIGMASK, pid, 8, &mask_before), 0);
	call_some(process);
	assert_int_equal(thread_get_regs(thread, &after), 0);
	assert_int_equal(ptrace(PTRACE_GETSIGMASK, pid, 8, &mask_after), 0);
	assert_memory_equal(&before, &after, sizeof(before));
	assert_int_equal(mask_before, mask_after);
	finish(process, STOP_EXITED, 7);
}

/* The tracer is gone in the middle of a call: what it has left brings the thread back. */
static void abandoned(bool (*work)(void))
{
	uint64_t map[6] = { 0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, (uint64_t)-1, 0 };
	pid_t pid = begin(work);
	struct injection injection;
	struct process *process;
	int64_t result;
	int status;

	usleep(50000);
	process = hold(pid);
	assert_int_equal(injection_begin(&injection, &targets, process->threads.items[0], &code),
			 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(injection_call(&injection, SYS_mmap, map, &result), 0);
	thread_detach(&targets, process->threads.items[0], 0);
	process_destroy(&targets, process);
	if (work == reads)
		assert_int_equal(write(to_child[1], "x", 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 7);
}

static void test_abandoned(void **state)
{
	abandoned(computes);
	abandoned(keeps_mask);
	abandoned(reads);
	abandoned(waits_on_futex);
	if (__builtin_cpu_supports("avx"))
		abandoned(keeps_vectors);
}

static void test_killed(void **state)
{
	pid_t pid = begin(computes);
	struct process *process = hold(pid);
	struct injection injection;
	int64_t result;

	assert_int_equal(injection_begin(&injection, &targets, process->threads.items[0],
					 &code), 0);
	kill(pid, SIGKILL);
	assert_int_equal(injection_call(&injection, SYS_getpid, (uint64_t[6]){ 0 }, &result),
			 -ESRCH);
	finish(process, STOP_KILLED, SIGKILL);
}

static void test_not_while_a_signal_is_due(void **state)
{
	struct injection injection;
	struct process *process;
	pid_t pid = begin(computes);

	process = hold(pid);
	process->threads.items[0]->resume_signal = SIGUSR1;
	assert_int_equal(injection_begin(&injection, &targets, process->threads.items[0],
					 &code), -EAGAIN);
	process->threads.items[0]->resume_signal = 0;
	finish(process, STOP_EXITED, 7);
}

static int setup_pipe(void **state)
{
	if (setup(state))
		return -1;
	code.syscall = (taddr_t)(uintptr_t)own_syscall;
	return pipe(to_child);
}

static int teardown_pipe(void **state)
{
	close(to_child[0]);
	return close(to_child[1]) || teardown(state) ? -1 : 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_computing),
		cmocka_unit_test(test_abandoned),
		cmocka_unit_test(test_nanosleep),
		cmocka_unit_test(test_poll),
		cmocka_unit_test(test_select),
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_futex),
		cmocka_unit_test(test_registers_and_mask_come_back),
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_not_while_a_signal_is_due),
	};

	return cmocka_run_group_tests(tests, setup_pipe, teardown_pipe);
}
