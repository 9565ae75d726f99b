/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads seized, stopped, held and let go.  Every ptrace call goes through one wrapper that
 * turns errno into a result.
 */
#include "process.h"

#include <dirent.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/kcmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../base/array.h"
#include "../base/clock.h"
#include "../base/hash.h"
#include "procfs.h"
#include "seize.h"

/* Never EXITKILL: the target outlives us. */
#define SEIZE_OPTIONS                                                                  \
	(PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |              \
	 PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT | PTRACE_O_TRACESYSGOOD)

#define SEIZE_TRIES 5

static int do_ptrace(int request, pid_t tid, unsigned long address, unsigned long data)
{
	return ptrace(request, tid, address, data) ? -errno : 0;
}

void targets_init(struct targets *targets)
{
	memset(targets, 0, sizeof(*targets));
	targets->capable = procfs_capable(getpid(), CAP_SYS_PTRACE);
}

void targets_deinit(struct targets *targets)
{
	while (targets->processes.nr)
		process_destroy(targets, targets->processes.items[0]);
	free(targets->processes.items);
	targets_init(targets);
}

static struct thread **bucket(struct targets *targets, pid_t tid)
{
	return &targets->buckets[hash_u64((uint64_t)tid) % TARGETS_BUCKETS];
}

struct thread *targets_find(struct targets *targets, pid_t tid)
{
	struct thread *thread = *bucket(targets, tid);

	while (thread && thread->tid != tid)
		thread = thread->next;
	return thread;
}

struct thread *targets_unclaimed(struct targets *targets)
{
	for (size_t i = 0; i < TARGETS_BUCKETS; i++)
		for (struct thread *thread = targets->buckets[i]; thread; thread = thread->next)
			if (!thread->process)
				return thread;
	return NULL;
}

static struct thread *thread_create(struct targets *targets, pid_t tid)
{
	struct thread *thread = calloc(1, sizeof(*thread));

	if (!thread)
		return NULL;
	thread->tid = tid;
	thread->next = *bucket(targets, tid);
	*bucket(targets, tid) = thread;
	targets->nr_threads++;
	return thread;
}

static int join(struct process *process, struct thread *thread)
{
	if (ARRAY_GROW(&process->threads))
		return -ENOMEM;
	process->threads.items[process->threads.nr++] = thread;
	thread->process = process;
	return 0;
}

/* A leader that has ended stays a zombie, without maps, until the last thread ends. */
static void find_way_to_memory(struct process *process)
{
	const struct thread *found = NULL;

	for (size_t i = 0; i < process->threads.nr; i++) {
		const struct thread *thread = process->threads.items[i];

		if (!thread->exiting && (!found || found->guest))
			found = thread;
	}
	if (found)
		process->memory.tid = found->tid;
}

static void leave(struct thread *thread)
{
	struct process *process = thread->process;

	for (size_t i = 0; process && i < process->threads.nr; i++) {
		if (process->threads.items[i] != thread)
			continue;
		process->threads.items[i] = process->threads.items[--process->threads.nr];
		break;
	}
	thread->process = NULL;
	if (process && process->memory.tid == thread->tid)
		find_way_to_memory(process);
}

void thread_exiting(struct thread *thread)
{
	thread->exiting = true;
	if (thread->process->memory.tid == thread->tid)
		find_way_to_memory(thread->process);
}

void thread_forget(struct targets *targets, struct thread *thread)
{
	struct thread **link = bucket(targets, thread->tid);

	leave(thread);
	while (*link != thread)
		link = &(*link)->next;
	*link = thread->next;
	targets->nr_threads--;
	free(thread->calls);
	free(thread);
}

void thread_be_guest(struct targets *targets, struct thread *thread)
{
	thread->guest = true;
	thread->calls_watched = !targets->capable;
}

void thread_move(struct thread *thread, struct process *process)
{
	leave(thread);
	thread->guest = thread->calls_watched = false;
	free(thread->calls); /* they name functions of the memory that it leaves */
	thread->calls = NULL;
	/* A process just made has room for its first thread. */
	(void)join(process, thread);
}

void process_forget_others(struct targets *targets, struct process *process, pid_t tid)
{
	for (size_t i = process->threads.nr; i-- > 0;)
		if (process->threads.items[i]->tid != tid && !process->threads.items[i]->guest)
			thread_forget(targets, process->threads.items[i]);
}

int process_create(struct targets *targets, pid_t pid, struct process **out)
{
	struct process *process = calloc(1, sizeof(*process));

	if (!process || ARRAY_GROW(&targets->processes) || ARRAY_GROW(&process->threads)) {
		free(process);
		return -ENOMEM;
	}
	process->pid = pid;
	process->memory.tid = pid;
	targets->processes.items[targets->processes.nr++] = process;
	*out = process;
	return 0;
}

void process_destroy(struct targets *targets, struct process *process)
{
	while (process->threads.nr)
		thread_forget(targets, process->threads.items[0]);
	for (size_t i = 0; i < targets->processes.nr; i++) {
		if (targets->processes.items[i] != process)
			continue;
		targets->processes.items[i] =
			targets->processes.items[--targets->processes.nr];
		break;
	}
	memory_close(&process->memory);
	free(process->threads.items);
	free(process);
}

/* SEIZE answers EPERM also for a thread that is about to be reaped, and for one that the
 * kernel has seized for us since its creator was; that one's first stop will tell of it. */
static bool needs_no_seize(pid_t tid)
{
	char state = procfs_state(tid, tid);

	return !state || state == 'Z' || state == 'X' ||
	       procfs_status_number(tid, "TracerPid") == getpid();
}

/* While another thread execs, the first one is refused as it is dead, and is that thread by the
 * time one looks: only who is refused again and again may not be traced. */
static int seize(pid_t tid)
{
	int error = seize_thread(tid, SEIZE_OPTIONS);

	for (int i = 0; i < SEIZE_TRIES && error == -EPERM; i++) {
		if (needs_no_seize(tid))
			return -ESRCH;
		usleep(1000);
		error = seize_thread(tid, SEIZE_OPTIONS);
	}
	return error;
}

/* 0 also for a thread that is gone. */
static int seize_as_part(struct targets *targets, struct process *process, pid_t tid,
			 size_t *added)
{
	struct thread *thread;
	int error = seize(tid);

	if (error == -ESRCH)
		return 0;
	if (error)
		return error;
	thread = thread_create(targets, tid);
	if (!thread || join(process, thread))
		return -ENOMEM;
	++*added;
	if (process->holding)
		(void)do_ptrace(PTRACE_INTERRUPT, tid, 0, 0);
	return 0;
}

/* Those of a process that are not known yet; of any but the target's own they are guests. */
static int seize_pass(struct targets *targets, struct process *process, pid_t pid, size_t *added)
{
	char path[64];
	struct dirent *entry;
	int error = 0;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	tasks = opendir(path);
	if (!tasks)
		return -errno;
	while (!error && (entry = readdir(tasks))) {
		pid_t tid = atoi(entry->d_name);

		if (tid > 0 && !targets_find(targets, tid))
			error = seize_as_part(targets, process, tid, added);
		if (!error && pid != process->pid && targets_find(targets, tid))
			thread_be_guest(targets, targets_find(targets, tid));
	}
	closedir(tasks);
	return error;
}

/* A thread made by one that was not seized yet is in no event: look until two passes in a row
 * find nothing. */
static int seize_all(struct targets *targets, struct process *process, pid_t pid, size_t *added)
{
	int quiet_passes = 0, error = 0;
	size_t found;

	while (!error && quiet_passes < 2) {
		found = 0;
		error = seize_pass(targets, process, pid, &found);
		quiet_passes = found ? 0 : quiet_passes + 1;
		*added += found;
	}
	return error;
}

int process_seize(struct targets *targets, struct process *process, size_t *added)
{
	size_t total = 0;
	int error = seize_all(targets, process, process->pid, &total);

	if (added)
		*added += total;
	if (error)
		return error;
	if (!process->threads.nr)
		return -ESRCH;
	if (!targets_find(targets, process->memory.tid))
		process->memory.tid = process->threads.items[0]->tid;
	return 0;
}

void targets_put_back(struct targets *targets, pid_t tid, int status)
{
	targets->queue_first = (targets->queue_first + TARGETS_QUEUE - 1) % TARGETS_QUEUE;
	targets->queue[targets->queue_first].tid = tid;
	targets->queue[targets->queue_first].status = status;
	targets->queue_nr++;
}

int process_shares_memory(pid_t a, pid_t b)
{
	long order = syscall(SYS_kcmp, a, b, KCMP_VM, 0, 0);

	return order < 0 ? -errno : order == 0;
}

/* Does nothing to one that does not share the memory, or is known already. */
static int seize_guest(struct targets *targets, struct process *process, pid_t pid, size_t *added)
{
	int error;

	if (pid == process->pid || targets_find(targets, pid) ||
	    process_shares_memory(process->memory.tid, pid) != 1)
		return 0;
	error = seize_all(targets, process, pid, added);
	return error == -ENOENT ? 0 : error; /* it has ended */
}

static int seize_children(struct targets *targets, struct process *process, pid_t parent,
			  size_t *added)
{
	char path[64];
	FILE *children;
	pid_t child;
	int error = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", parent, parent);
	children = fopen(path, "re");
	while (children && !error && fscanf(children, "%d", &child) == 1)
		error = seize_guest(targets, process, child, added);
	if (children)
		fclose(children);
	return error;
}

int process_seize_guests(struct targets *targets, struct process *process, size_t *added)
{
	int error = 0;

	/* The array grows by those that are found: a guest may wait for one of its own. */
	for (size_t i = 0; !error && i < process->threads.nr; i++)
		error = seize_children(targets, process, process->threads.items[i]->tid, added);
	return error;
}

static int seize_strangers_pass(struct targets *targets, struct process *process, size_t *added)
{
	struct dirent *entry;
	int error = 0;
	DIR *processes = opendir("/proc");

	if (!processes)
		return -errno;
	while (!error && (entry = readdir(processes))) {
		pid_t pid = atoi(entry->d_name);

		if (pid > 0)
			error = seize_guest(targets, process, pid, added);
	}
	closedir(processes);
	return error;
}

int process_seize_strangers(struct targets *targets, struct process *process)
{
	size_t found = 1;
	int error = 0;

	while (!error && found) {
		found = 0;
		error = seize_strangers_pass(targets, process, &found);
	}
	return error;
}

void targets_note_claimed(struct targets *targets, pid_t tid)
{
	targets->gone[targets->nr_gone++ % TARGETS_GONE] = tid;
}

static bool has_gone(struct targets *targets, pid_t tid)
{
	for (size_t i = 0; i < TARGETS_GONE; i++) {
		if (targets->gone[i] != tid)
			continue;
		targets->gone[i] = 0;
		return true;
	}
	return false;
}

int process_claim(struct targets *targets, struct process *process, pid_t tid,
		  struct thread **out)
{
	struct thread *thread = targets_find(targets, tid);

	if (!thread && has_gone(targets, tid))
		return -ESRCH;
	if (!thread)
		thread = thread_create(targets, tid);
	else if (thread->process)
		return -EEXIST;
	if (!thread || join(process, thread))
		return -ENOMEM;
	*out = thread;
	if (!thread->first_status)
		return 0;
	/* It stopped before we knew of it: hand that stop out next. */
	targets_put_back(targets, tid, thread->first_status);
	thread->first_status = 0;
	return 0;
}

static bool queue_put(struct targets *targets, pid_t tid, int status)
{
	unsigned last = (targets->queue_first + targets->queue_nr) % TARGETS_QUEUE;

	targets->queue[last].tid = tid;
	targets->queue[last].status = status;
	/* The other half is for targets_put_back(). */
	return ++targets->queue_nr < TARGETS_QUEUE / 2;
}

/* Of a child that is not traced, as the symbolizer: left there it would hide all that follow. */
static bool drop_stop(const siginfo_t *info)
{
	int status;

	return info->si_code == CLD_STOPPED &&
	       waitpid(info->si_pid, &status, WUNTRACED | WNOHANG | __WALL) > 0;
}

static bool look(siginfo_t *info, int flags)
{
	do {
		info->si_pid = 0;
		if (waitid(P_ALL, 0, info, WEXITED | WSTOPPED | WNOWAIT | __WALL | flags))
			return false;
	} while (info->si_pid && drop_stop(info));
	return info->si_pid;
}

/* A signal is about to be delivered to a thread that we know. */
static bool is_delivery(struct targets *targets, const siginfo_t *info)
{
	return info->si_code == CLD_TRAPPED && info->si_status != SIGTRAP &&
	       info->si_status <= 64 && targets_find(targets, info->si_pid);
}

/*
 * Waits for one status, then takes all others that are ready.
 *
 * A signal that is about to be delivered is lost if the tracer is killed once it has taken that
 * stop: wait4() clears what the kernel would go on with (kernel/exit.c, wait_task_stopped()).
 * So such a stop is looked at, answered, and never taken; but not twice of one thread while
 * others may be waiting behind it.
 */
static void queue_fill(struct targets *targets)
{
	siginfo_t info;
	int status;

	if (!look(&info, WNOHANG)) {
		targets->peeked = 0;
		if (!look(&info, 0))
			return;
	}
	targets->queue_ns = clock_ns();
	do {
		if (is_delivery(targets, &info) && info.si_pid != targets->peeked) {
			if (targets->queue_nr)
				return;
			targets->peeked = info.si_pid;
			queue_put(targets, info.si_pid, info.si_status << 8 | 0x7f);
			return;
		}
		targets->peeked = 0;
		if (waitpid(info.si_pid, &status, __WALL | WNOHANG) <= 0)
			return;
	} while (queue_put(targets, info.si_pid, status) && targets->nr_threads > 1 &&
		 look(&info, WNOHANG));
}

/* A thread that nobody has told of yet waits for its creator's event. */
static void park_unknown(struct targets *targets, pid_t tid, int status)
{
	struct thread *thread;

	if (!WIFSTOPPED(status)) {
		targets_note_claimed(targets, tid);
		return;
	}
	thread = thread_create(targets, tid);
	if (!thread)
		return;
	thread->stopped = true;
	thread->first_status = status;
	thread->stray_since_ns = clock_ns();
}

/* False: the thread has been killed since, and stands in its end, whose message is the exit status
 * of the process. */
static bool read_message(const struct thread *thread, int status, unsigned long *out)
{
	siginfo_t info;

	return !do_ptrace(PTRACE_GETEVENTMSG, thread->tid, 0, (unsigned long)out) &&
	       !do_ptrace(PTRACE_GETSIGINFO, thread->tid, 0, (unsigned long)&info) &&
	       info.si_code == status >> 8;
}

static bool has_message(enum stop_kind kind)
{
	return kind == STOP_CLONE || kind == STOP_FORK || kind == STOP_VFORK || kind == STOP_EXEC;
}

/* A thread that waits in a system call has nothing to lose by our INTERRUPT. */
static bool loses_time(const struct thread *thread)
{
	arch_regs regs;

	return thread->stopped_by != STOP_EVENT ||
	       (!thread_get_regs(thread, &regs) && !arch_is_in_call(&regs));
}

/* It may have been let go, and stopped again, since the queue was filled. */
static void begin_stop(struct thread *thread, uint64_t queue_ns)
{
	uint64_t now_ns = queue_ns > thread->resumed_ns ? queue_ns : thread->resumed_ns;

	thread->stopped_ns = loses_time(thread) ? now_ns : 0;
	thread->measured = thread->to_be_measured && thread->stopped_by == STOP_TRAP;
	thread->to_be_measured = false;
	if (!thread->measured)
		return;
	thread->last_switch.took_ns = now_ns - thread->resumed_ns;
	thread->last_switch.cpu_ns = procfs_cpu_ns(thread->tid, thread->tid) -
				     thread->last_switch.cpu_ns;
}

/* Before it is let go: it may have a turn before that call returns to us. */
static void end_stop(struct thread *thread)
{
	if (thread->to_be_measured)
		thread->last_switch.cpu_ns = procfs_cpu_ns(thread->tid, thread->tid);
	thread->measured = false;
	thread->resumed_ns = clock_ns();
	if (thread->process && thread->stopped_ns)
		standstill_add_stop(&thread->process->standstill,
				    thread->resumed_ns - thread->stopped_ns);
	thread->stopped_ns = 0;
}

void thread_measure_switch(struct thread *thread)
{
	thread->to_be_measured = true;
}

void thread_switch_measured(struct thread *thread)
{
	if (thread->measured && thread->process)
		standstill_add_switch(&thread->process->standstill, &thread->last_switch,
				      thread->stopped_ns);
	thread->measured = false;
}

static void describe(struct thread *thread, int status, uint64_t queue_ns, struct stop *out)
{
	out->thread = thread;
	out->kind = stop_decode(status, &out->value);
	thread->stopped = WIFSTOPPED(status);
	if (has_message(out->kind) && !read_message(thread, status, &out->message))
		*out = (struct stop){ .kind = STOP_NONE }; /* its end will be told, too */
	thread->stopped_by = out->kind;
	thread->group_stopped = out->kind == STOP_GROUP;
	if (thread->stopped)
		begin_stop(thread, queue_ns);
}

void targets_next(struct targets *targets, struct stop *out)
{
	struct thread *thread;
	pid_t tid;
	int status;

	*out = (struct stop){ .kind = targets->nr_threads ? STOP_NONE : STOP_NOBODY };
	if (!targets->nr_threads)
		return;
	if (!targets->queue_nr)
		queue_fill(targets);
	if (!targets->queue_nr)
		return;
	tid = targets->queue[targets->queue_first].tid;
	status = targets->queue[targets->queue_first].status;
	targets->queue_first = (targets->queue_first + 1) % TARGETS_QUEUE;
	targets->queue_nr--;
	thread = targets_find(targets, tid);
	if (!thread)
		park_unknown(targets, tid, status);
	else if (!thread->process)
		thread->first_status = status;
	else
		describe(thread, status, targets->queue_ns, out);
}

void thread_resume(struct thread *thread, int signal)
{
	bool holding = thread->process && thread->process->holding;

	thread->resume_signal = signal;
	/* A signal is not kept waiting: its handler's first instruction will do as well.  Nor is an
	 * end, which an exec may wait for. */
	thread->held = holding && !signal && !thread->exiting;
	if (thread->held)
		return;
	if (holding)
		(void)do_ptrace(PTRACE_INTERRUPT, thread->tid, 0, 0);
	thread_push_on(thread);
}

void thread_push_on(struct thread *thread)
{
	int request = thread->group_stopped ? PTRACE_LISTEN
		      : thread->calls_watched ? PTRACE_SYSCALL : PTRACE_CONT;

	end_stop(thread);
	thread->held = false;
	thread->stopped = false;
	/* ESRCH: killed meanwhile, which waitpid will tell. */
	(void)do_ptrace(request, thread->tid, 0,
			thread->group_stopped ? 0 : (unsigned long)thread->resume_signal);
}

void thread_detach(struct targets *targets, struct thread *thread, int signal)
{
	(void)do_ptrace(PTRACE_DETACH, thread->tid, 0, (unsigned long)signal);
	thread_forget(targets, thread);
}

int thread_get_regs(const struct thread *thread, arch_regs *regs)
{
	return do_ptrace(PTRACE_GETREGS, thread->tid, 0, (unsigned long)regs);
}

int thread_set_regs(const struct thread *thread, const arch_regs *regs)
{
	return do_ptrace(PTRACE_SETREGS, thread->tid, 0, (unsigned long)regs);
}

int thread_set_pc(const struct thread *thread, taddr_t pc)
{
	return do_ptrace(PTRACE_POKEUSER, thread->tid, ARCH_PC_OFFSET, pc);
}

bool thread_trap_is_breakpoint(const struct thread *thread)
{
	siginfo_t info;

	/* int3 on x86 raises SI_KERNEL; kill, tgkill and sigqueue give 0 or less. */
	return !do_ptrace(PTRACE_GETSIGINFO, thread->tid, 0, (unsigned long)&info) &&
	       info.si_code == SI_KERNEL;
}

/* struct rseq and struct rseq_cs as in <linux/rseq.h>. */
bool thread_in_rseq(const struct thread *thread)
{
	const struct memread *memory = &thread->process->memory.read;
	struct __ptrace_rseq_configuration configuration;
	taddr_t section;
	uint64_t bounds[2]; /* start, bytes */
	arch_regs regs;

	if (ptrace(PTRACE_GET_RSEQ_CONFIGURATION, thread->tid, sizeof(configuration),
		   &configuration) <= 0 || !configuration.rseq_abi_pointer ||
	    !memread_exact(memory, configuration.rseq_abi_pointer + 8, &section,
			   sizeof(section)) || !section ||
	    !memread_exact(memory, section + 8, bounds, sizeof(bounds)) ||
	    thread_get_regs(thread, &regs))
		return false;
	return regs.rip - bounds[0] < bounds[1];
}

int thread_suspend_seccomp(const struct thread *thread, bool suspend)
{
	return do_ptrace(PTRACE_SETOPTIONS, thread->tid, 0,
			 SEIZE_OPTIONS | (suspend ? PTRACE_O_SUSPEND_SECCOMP : 0));
}

uint64_t process_cpu_ns(const struct process *process)
{
	struct timespec time;
	clockid_t clock;

	if (clock_getcpuclockid(process->pid, &clock) || clock_gettime(clock, &time))
		return 0;
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

void process_count_stops(struct process *process)
{
	uint64_t now_ns = clock_ns();

	process->standstill.held_ns = process->standstill.nr_stops = 0;
	for (size_t i = 0; i < process->threads.nr; i++)
		if (process->threads.items[i]->stopped_ns)
			process->threads.items[i]->stopped_ns = now_ns;
}

bool thread_trap_pending(const struct thread *thread)
{
	/* By its own id: a guest is in another process. */
	return procfs_signal_pending(thread->tid, thread->tid, SIGTRAP);
}

void thread_restart_call(const struct thread *thread)
{
	arch_regs regs;

	if (thread_get_regs(thread, &regs) || !arch_call_interrupted(&regs) ||
	    procfs_signal_deliverable(thread->tid))
		return;
	arch_call_again(&regs);
	(void)thread_set_regs(thread, &regs);
}

void process_hold(struct process *process)
{
	process->holding = true;
	process_hold_again(process);
}

void process_hold_again(struct process *process)
{
	for (size_t i = 0; i < process->threads.nr; i++)
		if (!process->threads.items[i]->held)
			(void)do_ptrace(PTRACE_INTERRUPT, process->threads.items[i]->tid, 0, 0);
}

/*
 * Waiting in vfork for its child (state D, and PTRACE_INTERRUPT does not reach it): it cannot
 * get back to user code before it takes the stop that is pending.  One that waits for a page
 * of its code or data does not count: it may stand in code of ours.
 */
static bool is_parked(const struct thread *thread)
{
	return procfs_state(thread->tid, thread->tid) == 'D' &&
	       procfs_in_system_call(thread->tid, thread->tid);
}

bool process_all_held(const struct process *process, bool accept_parked)
{
	bool ending = true;

	for (size_t i = 0; i < process->threads.nr; i++) {
		const struct thread *thread = process->threads.items[i];

		if (!thread->held && thread->exiting)
			continue;
		if (!thread->held && !(accept_parked && is_parked(thread)))
			return false;
		ending = false;
	}
	/* Where all are exiting, that is the end to wait for. */
	return !ending;
}

void process_release(struct process *process)
{
	process->holding = false;
	for (size_t i = 0; i < process->threads.nr; i++)
		if (process->threads.items[i]->held)
			thread_push_on(process->threads.items[i]);
}

void process_detach(struct targets *targets, struct process *process)
{
	for (size_t i = process->threads.nr; i-- > 0;) {
		struct thread *thread = process->threads.items[i];

		if (thread->held)
			thread_detach(targets, thread, thread->resume_signal);
		else if (thread->exiting)
			thread_forget(targets, thread);
		else
			thread->leaving = true;
	}
	process->holding = false;
}
