/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How long a child of ours stands still: while it computes, while it sleeps, and at traps. */
#include <signal.h>

#include "../../tracer/base/clock.h"
#include "held_child.h"

#define HOLD_US 20000
#define HOLD_NS (HOLD_US * 1000ull)

static int sleeps(void)
{
	is_ready();
	pause();
	return 1;
}

static int traps(void)
{
	wait_to_go(&shared->go);
	for (int i = 0; i < 3; i++)
		__asm__ volatile("int3");
	raise(SIGWINCH);
	__asm__ volatile("int3");
	return 7;
}

static struct process *seize_for_stops(pid_t pid)
{
	struct process *process = seize(pid);

	process_count_stops(process);
	return process;
}

static void hold_for_a_while(struct process *process)
{
	hold_all(process, false);
	usleep(HOLD_US);
	process_release(process);
}

static void who_computes_loses_the_hold(void **state)
{
	struct process *process = seize_for_stops(start(waits, 1));

	for (unsigned i = 1; i <= 3; i++) {
		hold_for_a_while(process);
		assert_int_equal(process->standstill.nr_stops, i);
		assert_true(process->standstill.held_ns >= i * HOLD_NS);
	}
	assert_true(process_cpu_ns(process));
	process_count_stops(process);
	assert_int_equal(process->standstill.nr_stops, 0);
	assert_int_equal(process->standstill.held_ns, 0);
	finish(process, STOP_EXITED, 7);
}

/* Only from then on. */
static void a_stop_at_hand(void **state)
{
	struct process *process = hold(start(waits, 1));
	uint64_t began_ns;

	usleep(10 * HOLD_US);
	began_ns = clock_ns();
	process_count_stops(process);
	usleep(HOLD_US);
	process_release(process);
	assert_int_equal(process->standstill.nr_stops, 1);
	assert_true(process->standstill.held_ns >= HOLD_NS);
	assert_true(process->standstill.held_ns <= clock_ns() - began_ns);
	finish(process, STOP_EXITED, 7);
}

/* However long it has slept before. */
static void who_sleeps_loses_nothing(void **state)
{
	pid_t pid = start(sleeps, 1);
	struct process *process = seize_for_stops(pid);

	for (unsigned i = 0; i < 3; i++) {
		usleep(HOLD_US);
		hold_for_a_while(process);
	}
	assert_int_equal(process->standstill.nr_stops, 0);
	assert_int_equal(process->standstill.held_ns, 0);
	kill(pid, SIGTERM);
	await_end(process, STOP_KILLED, SIGTERM);
}

/* Without the signal, which is the child's own int3. */
static struct thread *await(enum stop_kind kind)
{
	struct stop stop;

	do {
		targets_next(&targets, &stop);
	} while (!stop.thread);
	assert_int_equal(stop.kind, kind);
	return stop.thread;
}

static void switches_at_traps(void **state)
{
	pid_t pid = start(traps, 1);
	struct process *process = seize_for_stops(pid);
	struct standstill *standstill = &process->standstill;
	struct thread *thread;

	shared->go = 1;
	thread = await(STOP_TRAP);
	thread_switch_measured(thread);			/* nobody has asked */
	assert_int_equal(standstill->nr_switches, 0);
	thread_measure_switch(thread);
	thread_resume(thread, 0);
	thread = await(STOP_TRAP);
	thread_switch_measured(thread);
	thread_switch_measured(thread);			/* once only */
	assert_int_equal(standstill->nr_switches, 1);
	assert_true(standstill->switches[0].took_ns);
	assert_true(standstill->switches[0].cpu_ns < 1000000000);
	thread_measure_switch(thread);
	thread_resume(thread, 0);
	thread = await(STOP_TRAP);			/* not what was expected */
	thread_measure_switch(thread);
	thread_resume(thread, 0);
	thread = await(STOP_SIGNAL);
	thread_switch_measured(thread);
	thread_resume(thread, SIGWINCH);
	thread = await(STOP_TRAP);
	thread_switch_measured(thread);
	assert_int_equal(standstill->nr_switches, 1);
	assert_int_equal(standstill->nr_stops, 4);
	thread_resume(thread, 0);
	await_end(process, STOP_EXITED, 7);
}

/* --- what switches take, out of many --- */

static struct standstill standstill;

static void measure(uint64_t took_ns, uint64_t cpu_ns)
{
	const struct standstill_switch measured = { took_ns, cpu_ns };

	standstill_add_switch(&standstill, &measured, 1000000000000ull);
}

static void assert_usual(uint64_t took_ns, uint64_t cpu_ns)
{
	struct standstill_switch usual = standstill_usual_switch(&standstill);

	assert_int_equal(usual.took_ns, took_ns);
	assert_int_equal(usual.cpu_ns, cpu_ns);
}

static void switches(void **state)
{
	standstill = (struct standstill){ 0 };
	assert_usual(0, 0);
	measure(9000, 4000);
	assert_usual(9000, 4000);
	for (unsigned i = 0; i < 10; i++)
		measure(1000000, 900000);	/* of calls that were long */
	for (unsigned i = 0; i < 20; i++)
		measure(8000 + i, 5000 - i);
	assert_usual(8015, 4995);
	for (unsigned i = 0; i < STANDSTILL_SWITCHES; i++)
		measure(12000, 6000);
	assert_usual(12000, 6000);
	for (unsigned i = 0; i < STANDSTILL_SWITCHES; i++)
		measure(1000000000, 1000000000);
	assert_usual(50000, 50000);
}

static void switches_are_measured_now_and_then(void **state)
{
	standstill = (struct standstill){ 0 };
	assert_true(standstill_wants_switch(&standstill, 1000000000000ull));
	measure(1, 1);
	assert_false(standstill_wants_switch(&standstill, 1000000000000ull + 19 * 1000000));
	assert_true(standstill_wants_switch(&standstill, 1000000000000ull + 20 * 1000000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_computes_loses_the_hold), cmocka_unit_test(a_stop_at_hand),
		cmocka_unit_test(who_sleeps_loses_nothing), cmocka_unit_test(switches_at_traps),
		cmocka_unit_test(switches), cmocka_unit_test(switches_are_measured_now_and_then),
	};

	return cmocka_run_group_tests_name("standstill", tests, setup, teardown);
}
