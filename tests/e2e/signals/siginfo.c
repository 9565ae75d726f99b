/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * siginfo: signals of every source, sent, raised by the processor and by the kernel, one after the
 * other until a line of input comes.  Each must come once, and say what it always says.  Blocks are
 * allocated in between.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>

#include "truth.h"

static volatile int over;
static __thread volatile int seen;
static __thread siginfo_t last;
static __thread greg_t last_ip;
static __thread sigjmp_buf back;
static __thread volatile int leaves;

static void on_signal(int number, siginfo_t *info, void *context)
{
	MUST(number == info->si_signo);
	seen++;
	last = *info;
	last_ip = ((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
	if (leaves)
		siglongjmp(back, 1);
}

static void handle(int number)
{
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };

	sigfillset(&action.sa_mask);
	MUST(sigaction(number, &action, NULL) == 0);
}

/* Exactly one has come. */
static const siginfo_t *taken(int number, int code)
{
	for (int i = 0; !seen && i < 20000; i++)
		usleep(1000);
	if (seen != 1 || last.si_signo != number || last.si_code != code)
		say("WRONG seen %d: signal %d code %d, not %d code %d\n", seen, last.si_signo,
		    last.si_code, number, code);
	MUST(seen == 1 && last.si_signo == number && last.si_code == code);
	seen = 0;
	return &last;
}

static void sent(int number)
{
	union sigval value = { .sival_int = number * 1000 + 1 };
	siginfo_t own = { .si_signo = number, .si_code = -60, .si_value = { .sival_int = 77 } };
	const siginfo_t *info;
	pid_t tid = syscall(SYS_gettid);

	MUST(syscall(SYS_tgkill, getpid(), tid, number) == 0);
	info = taken(number, SI_TKILL);
	MUST(info->si_pid == getpid() && info->si_uid == getuid());
	MUST(pthread_sigqueue(pthread_self(), number, value) == 0);
	info = taken(number, SI_QUEUE);
	MUST(info->si_pid == getpid() && info->si_value.sival_int == value.sival_int);
	MUST(syscall(SYS_rt_tgsigqueueinfo, getpid(), tid, number, &own) == 0);
	MUST(taken(number, -60)->si_value.sival_int == 77);
}

static void by_timer(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN + 5,
				  .sigev_value = { .sival_int = 4242 } };
	struct itimerspec soon = { .it_value = { .tv_nsec = 100000 } };
	const siginfo_t *info;
	timer_t timer;

	event._sigev_un._tid = syscall(SYS_gettid);
	MUST(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
	MUST(timer_settime(timer, 0, &soon, NULL) == 0);
	info = taken(SIGRTMIN + 5, SI_TIMER);
	MUST(info->si_value.sival_int == 4242 && info->si_overrun == 0);
	MUST(timer_delete(timer) == 0);
}

static void by_faults(char *page)
{
	leaves = 1;
	if (sigsetjmp(back, 1) == 0)
		*(volatile int *)(page + 16) = 1;
	MUST(taken(SIGSEGV, SEGV_ACCERR)->si_addr == page + 16);
	if (sigsetjmp(back, 1) == 0)
		__asm__ volatile("xor %%edx, %%edx\ndivl %%edx" : : : "eax", "edx", "cc");
	(void)taken(SIGFPE, FPE_INTDIV);
	if (sigsetjmp(back, 1) == 0)
		__asm__ volatile("ud2");
	(void)taken(SIGILL, ILL_ILLOPN);
	leaves = 0;
}

extern const char after_int3[];

static void own_traps(void)
{
	__asm__ volatile("int3\n.globl after_int3\nafter_int3:");
	(void)taken(SIGTRAP, SI_KERNEL);
	MUST(last_ip == (greg_t)after_int3);
}

static void by_child(void)
{
	sigset_t child_only, before;
	siginfo_t info;
	pid_t child;
	int status;

	sigemptyset(&child_only);
	sigaddset(&child_only, SIGCHLD);
	pthread_sigmask(SIG_BLOCK, &child_only, &before);
	child = fork();
	if (child == 0)
		_exit(9);
	MUST(sigwaitinfo(&child_only, &info) == SIGCHLD);
	MUST(info.si_pid == child && info.si_code == CLD_EXITED && info.si_status == 9);
	MUST(waitpid(child, &status, 0) == child);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void allocate(unsigned seed)
{
	for (unsigned i = 0; i < 20; i++) {
		char *block = malloc(seed % 100 + i + 1);

		check_block(block, seed % 100 + i + 1, i);
		free(block);
	}
}

static void *run(void *first)
{
	char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	MUST(page != MAP_FAILED);
	for (unsigned i = 0; !over; i++) {
		sent(SIGUSR1);
		allocate(i);
		sent(SIGRTMIN + 4);
		sent(SIGTRAP);
		by_timer();
		allocate(i);
		by_faults(page);
		own_traps();
		if (first)
			by_child();
	}
	return NULL;
}

int main(void)
{
	const int handled[] = { SIGUSR1, SIGTRAP, SIGSEGV, SIGFPE, SIGILL, SIGRTMIN + 4,
				SIGRTMIN + 5 };
	pthread_t thread[4];
	sigset_t child_only;

	for (size_t i = 0; i < sizeof(handled) / sizeof(handled[0]); i++)
		handle(handled[i]);
	sigemptyset(&child_only);
	sigaddset(&child_only, SIGCHLD);
	pthread_sigmask(SIG_BLOCK, &child_only, NULL);
	for (long i = 0; i < 4; i++)
		MUST(pthread_create(&thread[i], NULL, run, (void *)(long)(i == 0)) == 0);
	stage("ready");
	over = 1;
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	return correct();
}
