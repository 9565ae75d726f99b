/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See leakcheck.h. */
#include "leakcheck.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/message.h"
#include "base/worker.h"

static void give_up(struct leakcheck *check, const char *why)
{
	snapshot_release(&check->snapshot);
	check->facts->why_not = why;
}

static const char *words_of(int error)
{
	return error == -EFBIG ? "a copy of its memory would leave the machine short of it" :
	       error == -ENOMEM ? "there is no memory for a copy of it" :
	       error == -ESRCH ? "it ended before its memory could be looked at" :
	       error == -EACCES || error == -EPERM ? "its memory may not be looked at" :
				  "its memory could not be read";
}

void leakcheck_init(struct leakcheck *check, const struct options *options,
		    struct run_scan *facts)
{
	*check = (struct leakcheck){ .options = options, .facts = facts };
	facts->why_not = "it ended before its memory could be looked at";
	facts->is_wanted = options->leak_check != LEAK_CHECK_NO;
	facts->is_all = options->scan;
	/* Of blocks that no sample was drawn of, nothing is known. */
	if (options->sample_bytes)
		facts->why_not = "with --sample it is not done";
}

void leakcheck_deinit(struct leakcheck *check)
{
	(void)leakcheck_await(check);
	if (check->has_scan)
		scan_release(&check->scan);
	snapshot_release(&check->snapshot);
	quiet_release(&check->quiet);
}

static bool is_wanted(const struct leakcheck *check)
{
	return check->options->leak_check != LEAK_CHECK_NO && !check->options->sample_bytes;
}

void leakcheck_prepare(struct leakcheck *check, const struct process *process,
		       const struct probe *probe)
{
	struct page_run ours;
	int error;

	if (!is_wanted(check) || check->snapshot.prepared)
		return;
	probe_own_memory(probe, &ours.start, &ours.end);
	error = snapshot_prepare(&check->snapshot, &process->memory, &ours);
	if (error)
		give_up(check, words_of(error));
	else
		quiet_find(&check->quiet, &process->memory, &check->snapshot.capture.maps);
}

bool leakcheck_should_wait(const struct leakcheck *check, const struct process *process)
{
	return check->snapshot.prepared && !quiet_is_so(&check->quiet, &process->memory);
}

static int add_thread(struct leakcheck *check, const struct thread *thread)
{
	int error = snapshot_add_thread(&check->snapshot, thread);

	return error == -ESRCH ? 0 : error;
}

static int take(struct leakcheck *check, const struct process *process)
{
	int error = snapshot_take(&check->snapshot, &process->memory);

	if (error)
		return error;
	check->facts->pause_ns = check->snapshot.pause_ns;
	check->facts->bytes = check->snapshot.capture.nr_bytes;
	check->facts->threads = check->snapshot.threads.nr;
	check->facts->why_not = NULL;
	return 0;
}

void leakcheck_take(struct leakcheck *check, const struct process *process)
{
	int error = 0;

	if (!check->snapshot.prepared || check->snapshot.taken)
		return;
	for (size_t i = 0; i < process->threads.nr && !error; i++)
		error = add_thread(check, process->threads.items[i]);
	if (!error)
		error = take(check, process);
	if (error)
		give_up(check, words_of(error));
}

/* By a call of its own, and not with all others: its stack is of no use any more. */
static bool ends_alone(const struct thread *thread)
{
	arch_regs regs;

	return !thread_get_regs(thread, &regs) && arch_call_ends_thread(&regs);
}

static bool is_last(const struct thread *thread)
{
	const struct process *process = thread->process;

	for (size_t i = 0; i < process->threads.nr; i++) {
		const struct thread *other = process->threads.items[i];

		if (other != thread && !other->guest && !other->exiting)
			return false;
	}
	return true;
}

void leakcheck_thread_exits(struct leakcheck *check, const struct thread *thread,
			    const struct probe *probe)
{
	int error = 0;

	if (!is_wanted(check) || thread->guest || check->snapshot.taken)
		return;
	/* Where that was for want of memory, the kernel takes it away already. */
	if (thread_ending_signal(thread) == SIGKILL) {
		give_up(check, "it was killed, and its memory with it");
		return;
	}
	if (!ends_alone(thread) || is_last(thread))
		error = add_thread(check, thread);
	if (!error && is_last(thread)) {
		leakcheck_prepare(check, thread->process, probe);
		if (check->snapshot.prepared)
			error = take(check, thread->process);
	}
	if (error)
		give_up(check, words_of(error));
}

void leakcheck_forget(struct leakcheck *check)
{
	snapshot_release(&check->snapshot);
	quiet_release(&check->quiet);
	leakcheck_init(check, check->options, check->facts);
}

static void note_facts(struct leakcheck *check)
{
	const struct scan *scan = &check->scan;
	struct run_scan *facts = check->facts;

	facts->done = true;
	facts->duration_ns = scan->duration_ns;
	facts->scanned_bytes = scan->reach.scanned_bytes;
	facts->roots = scan->roots.nr;
	facts->walked = scan->walked;
	facts->walk_stopped = scan->arenas.incomplete;
	facts->arenas = scan->arenas.arenas.nr;
	facts->unjudged_blocks = scan->unjudged_blocks;
}

static void *work(void *argument)
{
	struct leakcheck *check = argument;

	check->error = scan_run(&check->scan, &check->snapshot, check->ledger,
				check->options->heuristics);
	return NULL;
}

void leakcheck_begin(struct leakcheck *check, const struct ledger *ledger)
{
	if (!check->snapshot.taken)
		return;
	check->ledger = ledger;
	check->works = !worker_start(&check->worker, work, check);
	if (!check->works)
		give_up(check, "there is no thread for that");
}

const struct scan *leakcheck_await(struct leakcheck *check)
{
	if (check->works) {
		pthread_join(check->worker, NULL);
		check->works = false;
		if (check->error) {
			give_up(check, words_of(check->error));
		} else {
			note_facts(check);
			check->has_scan = true;
			capture_give_back(&check->snapshot.capture);
		}
	}
	return check->has_scan ? &check->scan : NULL;
}
