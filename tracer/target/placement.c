/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Follows one busy thread to its processor, and a watchdog that undoes it. */
#include "placement.h"

#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../base/clock.h"
#include "../base/worker.h"
#include "procfs.h"

#define STREAK_LEAST 64
#define STREAK_MOST 65536
#define STREAK_STOP_NS 300000	/* stops further apart are not worth it */
#define FOLLOW_EVERY 128
#define WATCH_NS 4000000

struct placement {
	pid_t tracer;
	cpu_set_t home;
	/* Of the tracing thread alone. */
	pid_t tid;
	unsigned streak;
	uint64_t streak_began_ns;
	int cpu;
	/* Of both. */
	pthread_mutex_t lock;
	pthread_cond_t entered;
	_Atomic bool active;		/* written under the lock */
	bool ending;
	pid_t active_pid, active_tid;
	_Atomic unsigned stops;
	_Atomic unsigned streak_needed;
	pthread_t watchdog;
};

static int set_policy(pid_t tid, int policy)
{
	const struct sched_param none = { 0 };

	return sched_setscheduler(tid, policy, &none);
}

/* With the lock held. */
static void go_home(struct placement *placement)
{
	placement->active = false;
	(void)set_policy(placement->tracer, SCHED_OTHER);
	(void)sched_setaffinity(placement->tracer, sizeof(placement->home), &placement->home);
}

/* The target waits for a tracer that gets no processor: next time take longer to begin. */
static void note_starvation(struct placement *placement)
{
	unsigned needed = placement->streak_needed;

	if (procfs_state(placement->active_pid, placement->active_tid) == 't' &&
	    needed < STREAK_MOST)
		placement->streak_needed = needed * 2;
}

static void watch_one_turn(struct placement *placement)
{
	const struct timespec turn = { .tv_nsec = WATCH_NS };
	unsigned before = placement->stops;

	pthread_mutex_unlock(&placement->lock);
	nanosleep(&turn, NULL);
	pthread_mutex_lock(&placement->lock);
	if (!placement->active || placement->stops != before)
		return;
	note_starvation(placement);
	go_home(placement);
}

static void *watch(void *argument)
{
	struct placement *placement = argument;

	pthread_mutex_lock(&placement->lock);
	while (!placement->ending) {
		if (placement->active)
			watch_one_turn(placement);
		else
			pthread_cond_wait(&placement->entered, &placement->lock);
	}
	pthread_mutex_unlock(&placement->lock);
	return NULL;
}

static bool has_sys_nice(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	return !syscall(SYS_capget, &header, data) && data[0].effective & 1u << CAP_SYS_NICE;
}

/* To leave SCHED_IDLE takes the right to nice 0, see sched(7) and RLIMIT_NICE in getrlimit(2).
 * Asked for rather than tried: on a busy machine the one who tries would not come back. */
static bool is_possible(void)
{
	struct rlimit limit;

	return sched_getscheduler(0) == SCHED_OTHER &&
	       (has_sys_nice() || (!getrlimit(RLIMIT_NICE, &limit) && limit.rlim_cur >= 20));
}

struct placement *placement_start(void)
{
	struct placement *placement;

	if (!is_possible())
		return NULL;
	placement = calloc(1, sizeof(*placement));
	if (!placement)
		return NULL;
	placement->tracer = gettid();
	placement->streak_needed = STREAK_LEAST;
	pthread_mutex_init(&placement->lock, NULL);
	pthread_cond_init(&placement->entered, NULL);
	if (sched_getaffinity(0, sizeof(placement->home), &placement->home) ||
	    worker_start(&placement->watchdog, watch, placement)) {
		free(placement);
		return NULL;
	}
	return placement;
}

void placement_stop(struct placement *placement)
{
	if (!placement)
		return;
	pthread_mutex_lock(&placement->lock);
	if (placement->active)
		go_home(placement);
	placement->ending = true;
	pthread_cond_signal(&placement->entered);
	pthread_mutex_unlock(&placement->lock);
	pthread_join(placement->watchdog, NULL);
	pthread_mutex_destroy(&placement->lock);
	pthread_cond_destroy(&placement->entered);
	free(placement);
}

/* The watchdog comes along: were it to wake up elsewhere, that processor would look for work
 * on its way back to sleep, and pull the target over. */
static bool move_to(struct placement *placement, int cpu)
{
	cpu_set_t one;

	if (cpu < 0 || cpu >= CPU_SETSIZE || !CPU_ISSET(cpu, &placement->home))
		return false;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	placement->cpu = cpu;
	return !sched_setaffinity(0, sizeof(one), &one) &&
	       !pthread_setaffinity_np(placement->watchdog, sizeof(one), &one);
}

static void enter(struct placement *placement, pid_t pid, pid_t tid)
{
	pthread_mutex_lock(&placement->lock);
	if (move_to(placement, procfs_last_cpu(pid, tid)) && !set_policy(0, SCHED_IDLE)) {
		placement->active = true;
		placement->active_pid = pid;
		placement->active_tid = tid;
		pthread_cond_signal(&placement->entered);
	} else {
		go_home(placement);
	}
	pthread_mutex_unlock(&placement->lock);
}

static void leave(struct placement *placement)
{
	pthread_mutex_lock(&placement->lock);
	if (placement->active)
		go_home(placement);
	pthread_mutex_unlock(&placement->lock);
}

static void follow(struct placement *placement, pid_t pid, pid_t tid)
{
	int cpu = procfs_last_cpu(pid, tid);

	pthread_mutex_lock(&placement->lock);
	if (placement->active && cpu != placement->cpu)
		(void)move_to(placement, cpu);
	pthread_mutex_unlock(&placement->lock);
}

static void begin_streak(struct placement *placement, pid_t tid)
{
	placement->tid = tid;
	placement->streak = 0;
	placement->streak_began_ns = clock_ns();
}

static void end_streak(struct placement *placement, pid_t pid, pid_t tid)
{
	uint64_t took_ns = clock_ns() - placement->streak_began_ns;

	if (took_ns < (uint64_t)placement->streak * STREAK_STOP_NS)
		enter(placement, pid, tid);
	begin_streak(placement, tid);
}

void placement_note(struct placement *placement, pid_t pid, pid_t tid)
{
	bool active;

	if (!placement)
		return;
	placement->stops++;
	active = placement->active;
	if (tid != placement->tid) {
		if (active)
			leave(placement);
		begin_streak(placement, tid);
		return;
	}
	placement->streak++;
	if (!active && placement->streak >= placement->streak_needed)
		end_streak(placement, pid, tid);
	else if (active && placement->streak % FOLLOW_EVERY == 0)
		follow(placement, pid, tid);
}
