/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mappings and descriptors made in a child that may not make them itself, or cannot: what fails
 * leaves nothing behind, and the child, which says so by its exit status, notices nothing.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "../../tracer/target/inject.h"
#include "../../tracer/target/maps.h"
#include "../../tracer/target/procfs.h"
#include "held_child.h"

#define ANONYMOUS (MAP_PRIVATE | MAP_ANONYMOUS)

static uint64_t mapped_bytes(pid_t pid)
{
	struct maps maps;
	uint64_t bytes = 0;

	assert_int_equal(maps_read(&maps, pid), 0);
	for (size_t i = 0; i < maps.nr; i++)
		if (strcmp(maps.items[i].path, "[stack]"))
			bytes += maps.items[i].end - maps.items[i].start;
	maps_release(&maps);
	return bytes;
}

/* Maps a file of ours in the child and looks at it with the child's eyes. */
static void pass_a_file(struct inject *inject, struct process *process)
{
	int fd = memfd_create("test", MFD_CLOEXEC), target_fd = -1;
	unsigned files = count_files(process->pid);
	taddr_t scratch, place;
	char text[6] = "";

	assert_int_equal(write(fd, "hello", 6), 6);
	assert_int_equal(inject_map(inject, 0, 4096, PROT_READ | PROT_WRITE, ANONYMOUS, -1, 0,
				    &scratch), 0);
	assert_int_equal(inject_file(inject, fd, scratch, &target_fd), 0);
	assert_int_equal(count_files(process->pid), files + 1);
	assert_int_equal(inject_map(inject, 0, 4096, PROT_READ, MAP_SHARED, target_fd, 0, &place),
			 0);
	assert_int_equal(inject_close_file(inject, target_fd), 0);
	assert_true(memread_exact(&process->memory.read, place, text, sizeof(text)));
	assert_string_equal(text, "hello");
	assert_int_equal(inject_advise(inject, scratch, 4096, MADV_DONTDUMP), 0);
	assert_int_equal(inject_unmap(inject, scratch, 4096), 0);
	assert_int_equal(inject_unmap(inject, place, 4096), 0);
	assert_int_equal(count_files(process->pid), files);
	close(fd);
}

static void test_mappings_and_files(void **state)
{
	struct process *process = hold(start(waits, 1));
	uint64_t bytes = mapped_bytes(process->pid);
	struct inject inject;
	taddr_t place;

	assert_int_equal(inject_open(&inject, &targets, process, &code), 0);
	pass_a_file(&inject, process);
	assert_int_equal(inject_map(&inject, 0, 4096, PROT_READ, MAP_PRIVATE, 12345, 0, &place),
			 -EBADF);
	assert_int_equal(inject_close(&inject), 0);
	assert_int_equal(mapped_bytes(process->pid), bytes);
	finish(process, STOP_EXITED, 7);
}

/* Kills for every system call but the exit. */
static int filtered(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog program = { .len = 4, .filter = filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		return 9;
	return waits();
}

/* Needs a filter to be lifted if there is one; where that is not allowed it is skipped. */
static void check_work(int (*work)(void), void (*check)(struct inject *inject,
							struct process *process))
{
	struct process *process = hold(start(work, 1));
	struct inject inject;
	int error = inject_open(&inject, &targets, process, &code);

	if (!error) {
		check(&inject, process);
		assert_int_equal(inject_close(&inject), 0);
	}
	finish(process, STOP_EXITED, 7);
	if (error == -EACCES) {
		print_message("filters cannot be lifted here, without CAP_SYS_ADMIN\n");
		skip();
	}
	assert_int_equal(error, 0);
}

static void test_filter(void **state)
{
	check_work(filtered, pass_a_file);
}

/* The filter is lifted for our calls only. */
static int breaks_its_filter(void)
{
	if (filtered() == 7)
		getppid();
	return 8;
}

static void test_filter_comes_back(void **state)
{
	struct process *process = hold(start(breaks_its_filter, 1));
	struct inject inject;

	if (!inject_open(&inject, &targets, process, &code))
		assert_int_equal(inject_close(&inject), 0);
	finish(process, STOP_KILLED, SIGSYS);
}

static int strict(void)
{
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) ? 9 : waits();
}

static void may_read_clock(struct inject *inject, struct process *process)
{
	assert_true(inject_may_read_clock(inject));
}

static void may_not_read_clock(struct inject *inject, struct process *process)
{
	assert_false(inject_may_read_clock(inject));
}

/* The kernel forbids the clock, too. */
static void test_strict_mode(void **state)
{
	check_work(strict, may_not_read_clock);
}

static int without_clock(void)
{
	return prctl(PR_SET_TSC, PR_TSC_SIGSEGV) ? 9 : waits();
}

static void test_clock(void **state)
{
	check_work(waits, may_read_clock);
	check_work(without_clock, may_not_read_clock);
}

static void await_state(pid_t pid, char wanted)
{
	for (int i = 0; procfs_state(pid, pid) != wanted && i < 5000; i++)
		usleep(1000);
	assert_int_equal(procfs_state(pid, pid), wanted);
}

static void test_job_control(void **state)
{
	pid_t pid = start(waits, 1);
	struct process *process;
	struct inject inject;

	kill(pid, SIGSTOP);
	await_state(pid, 'T');
	process = hold(pid);
	assert_int_equal(inject_open(&inject, &targets, process, &code), 0);
	pass_a_file(&inject, process);
	assert_int_equal(inject_close(&inject), 0);
	process_detach(&targets, process);
	process_destroy(&targets, process);
	await_state(pid, 'T');
	kill(pid, SIGCONT);
	finish(hold(pid), STOP_EXITED, 7);
}

static int spare_files;

/* Descriptors up to the limit are taken, but for a few. */
static int exhausts_files(void)
{
	int last = -1;

	setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 64, 64 });
	for (int fd = dup(0); fd >= 0; fd = dup(0))
		last = fd;
	for (int i = 0; i < spare_files; i++)
		close(last - i);
	return waits();
}

static void test_no_descriptor_left(void **state)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	for (spare_files = 0; spare_files < 3; spare_files++) {
		struct process *process = hold(start(exhausts_files, 1));
		unsigned files = count_files(process->pid);
		int target_fd = -1;
		struct inject inject;
		taddr_t scratch;

		assert_int_equal(inject_open(&inject, &targets, process, &code), 0);
		assert_int_equal(inject_map(&inject, 0, 4096, PROT_READ | PROT_WRITE, ANONYMOUS,
					    -1, 0, &scratch), 0);
		assert_int_equal(inject_file(&inject, fd, scratch, &target_fd), -EMFILE);
		assert_int_equal(inject_unmap(&inject, scratch, 4096), 0);
		assert_int_equal(inject_close(&inject), 0);
		assert_int_equal(count_files(process->pid), files);
		finish(process, STOP_EXITED, 7);
	}
	close(fd);
}

static int is_cramped(void)
{
	setrlimit(RLIMIT_AS, &(struct rlimit){ 1 << 20, 1 << 20 });
	return waits();
}

static void test_no_memory_left(void **state)
{
	struct process *process = hold(start(is_cramped, 1));
	uint64_t bytes = mapped_bytes(process->pid);
	struct inject inject;
	taddr_t place = 1;

	assert_int_equal(inject_open(&inject, &targets, process, &code), 0);
	assert_int_equal(inject_map(&inject, 0, 4096, PROT_NONE, ANONYMOUS | MAP_NORESERVE, -1, 0,
				    &place), -ENOMEM);
	assert_int_equal(place, 1);
	assert_int_equal(inject_close(&inject), 0);
	assert_int_equal(mapped_bytes(process->pid), bytes);
	finish(process, STOP_EXITED, 7);
}

static void *spin(void *argument)
{
	wait_to_go(&shared->go);
	return NULL;
}

static int has_threads(void)
{
	pthread_t threads[3];

	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, spin, NULL);
	return waits();
}

/* The leader's end is told last, but the others' only once they have been let go. */
static void test_killed_with_threads(void **state)
{
	struct process *process;
	struct inject inject;
	taddr_t place;
	pid_t pid = start(has_threads, 4);

	process = hold(pid);
	assert_int_equal(process->threads.nr, 4);
	assert_int_equal(inject_open(&inject, &targets, process, &code), 0);
	assert_int_equal(inject.injection.thread->tid, pid);
	kill(pid, SIGKILL);
	for (int i = 0; i < 3; i++)
		assert_int_equal(inject_map(&inject, 0, 4096, PROT_NONE, ANONYMOUS, -1, 0, &place),
				 -ESRCH);
	assert_int_equal(inject_close(&inject), -ESRCH);
	finish(process, STOP_KILLED, SIGKILL);
}

#define SMALL_BYTES 8192

static char small_stack[4096 + SMALL_BYTES] __attribute__((aligned(4096)));

/* On a stack as small as a goroutine's; what lies below it is another one's. */
static void on_small_stack(int signal)
{
	wait_to_go(&shared->go);
	for (size_t i = 0; i < 4096; i++)
		if (small_stack[i] != 'x')
			syscall(SYS_exit, 8);
}

static int uses_small_stack(void)
{
	stack_t stack = { .ss_sp = small_stack + 4096, .ss_size = SMALL_BYTES };
	struct sigaction action = { .sa_handler = on_small_stack, .sa_flags = SA_ONSTACK };

	memset(small_stack, 'x', sizeof(small_stack));
	sigaltstack(&stack, NULL);
	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
	return 7;
}

static void test_small_stacks_are_left_alone(void **state)
{
	struct process *process = hold(start(uses_small_stack, 1));
	char before[sizeof(small_stack)], after[sizeof(small_stack)];
	taddr_t stack = (taddr_t)(uintptr_t)small_stack;
	struct inject inject;

	assert_true(memread_exact(&process->memory.read, stack, before, sizeof(before)));
	assert_int_equal(inject_open(&inject, &targets, process, &code), 0);
	pass_a_file(&inject, process);
	assert_int_equal(inject_close(&inject), 0);
	assert_true(memread_exact(&process->memory.read, stack, after, sizeof(after)));
	assert_memory_equal(before, after, sizeof(before));
	finish(process, STOP_EXITED, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mappings_and_files),
		cmocka_unit_test(test_filter),
		cmocka_unit_test(test_filter_comes_back),
		cmocka_unit_test(test_strict_mode),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_job_control),
		cmocka_unit_test(test_no_descriptor_left),
		cmocka_unit_test(test_no_memory_left),
		cmocka_unit_test(test_killed_with_threads),
		cmocka_unit_test(test_small_stacks_are_left_alone),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
