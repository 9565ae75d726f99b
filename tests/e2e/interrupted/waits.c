/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * waits: a thread for each system call that can wait, all signals blocked, until a line of input
 * comes; then each gets what it waits for.  No handler ever runs: EINTR, or an end before that,
 * is the tracer's doing.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/futex.h>
#include <linux/io_uring.h>
#include <linux/userfaultfd.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "timer.h"
#include "truth.h"

#define LONG_S 600

struct wait;

struct way {
	const char *name;
	void (*prepare)(struct wait *wait);	/* may be NULL */
	bool (*call)(struct wait *wait);	/* whether it got what it waited for */
	void (*bring)(struct wait *wait);
};

struct wait {
	const struct way *way;
	pthread_t thread;
	pid_t tid, child;
	int fd[2], other;
	int word;
	void *memory;
	volatile int ended, good, error;
};

static const struct timespec long_time = { .tv_sec = LONG_S };
static volatile int brought;


static void skip(struct wait *wait)
{
	say("without %s: %s\n", wait->way->name, strerror(errno));
	wait->way = NULL;
}

/* Pipes */

static void pipe_prepare(struct wait *wait)
{
	MUST(pipe2(wait->fd, O_CLOEXEC) == 0);
}

static void pipe_bring(struct wait *wait)
{
	MUST(write(wait->fd[1], "x", 1) == 1);
}

static bool pipe_read(struct wait *wait)
{
	char c;

	return read(wait->fd[0], &c, 1) == 1 && c == 'x';
}

static bool pipe_readv(struct wait *wait)
{
	char c;
	struct iovec vector = { &c, 1 };

	return readv(wait->fd[0], &vector, 1) == 1;
}

static bool pipe_poll(struct wait *wait)
{
	struct pollfd wanted = { wait->fd[0], POLLIN, 0 };

	return poll(&wanted, 1, LONG_S * 1000) == 1;
}

static bool pipe_ppoll(struct wait *wait)
{
	struct pollfd wanted = { wait->fd[0], POLLIN, 0 };
	sigset_t all;

	sigfillset(&all);
	return ppoll(&wanted, 1, &long_time, &all) == 1;
}

static bool pipe_select(struct wait *wait)
{
	struct timeval limit = { .tv_sec = LONG_S };
	fd_set set;

	FD_ZERO(&set);
	FD_SET(wait->fd[0], &set);
	return select(wait->fd[0] + 1, &set, NULL, NULL, &limit) == 1;
}

static bool pipe_pselect(struct wait *wait)
{
	sigset_t all;
	fd_set set;

	sigfillset(&all);
	FD_ZERO(&set);
	FD_SET(wait->fd[0], &set);
	return pselect(wait->fd[0] + 1, &set, NULL, NULL, &long_time, &all) == 1;
}

static bool pipe_splice(struct wait *wait)
{
	int to[2];

	MUST(pipe2(to, O_CLOEXEC) == 0);
	return splice(wait->fd[0], NULL, to[1], NULL, 1, 0) == 1;
}

static bool pipe_tee(struct wait *wait)
{
	int to[2];

	MUST(pipe2(to, O_CLOEXEC) == 0);
	return tee(wait->fd[0], to[1], 1, 0) == 1;
}

static void full_pipe_prepare(struct wait *wait)
{
	static char zeros[4096];

	pipe_prepare(wait);
	MUST(fcntl(wait->fd[1], F_SETFL, O_NONBLOCK) == 0);
	while (write(wait->fd[1], zeros, sizeof(zeros)) > 0)
		;
	MUST(fcntl(wait->fd[1], F_SETFL, 0) == 0);
}

static void full_pipe_bring(struct wait *wait)
{
	char bytes[65536];

	MUST(read(wait->fd[0], bytes, sizeof(bytes)) > 0);
}

static bool pipe_write(struct wait *wait)
{
	return write(wait->fd[1], "y", 1) == 1;
}

static bool pipe_vmsplice(struct wait *wait)
{
	struct iovec vector = { "z", 1 };

	return vmsplice(wait->fd[1], &vector, 1, 0) == 1;
}

static bool pipe_sendfile(struct wait *wait)
{
	int file = open("/proc/self/exe", O_RDONLY);

	return sendfile(wait->fd[1], file, NULL, 1) == 1;
}

static void fifo_prepare(struct wait *wait)
{
	MUST(mkfifo("fifo", 0600) == 0);
}

static bool fifo_open(struct wait *wait)
{
	return open("fifo", O_RDONLY | O_CLOEXEC) >= 0;
}

static void fifo_bring(struct wait *wait)
{
	MUST(open("fifo", O_WRONLY | O_CLOEXEC) >= 0);
}

static void terminal_prepare(struct wait *wait)
{
	char name[64];
	int locked = 0;

	wait->fd[1] = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (wait->fd[1] < 0 || ioctl(wait->fd[1], TIOCSPTLCK, &locked) ||
	    ptsname_r(wait->fd[1], name, sizeof(name))) {
		skip(wait);
		return;
	}
	wait->fd[0] = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (wait->fd[0] < 0)
		skip(wait);
}

static bool terminal_read(struct wait *wait)
{
	char line[2];

	return read(wait->fd[0], line, 2) == 2;
}

static void terminal_bring(struct wait *wait)
{
	MUST(write(wait->fd[1], "x\n", 2) == 2);
}

/* epoll */

static void epoll_prepare(struct wait *wait)
{
	struct epoll_event event = { .events = EPOLLIN };

	pipe_prepare(wait);
	wait->other = epoll_create1(EPOLL_CLOEXEC);
	MUST(epoll_ctl(wait->other, EPOLL_CTL_ADD, wait->fd[0], &event) == 0);
}

static bool epoll_waits(struct wait *wait)
{
	struct epoll_event event;

	return epoll_wait(wait->other, &event, 1, LONG_S * 1000) == 1;
}

static bool epoll_pwaits(struct wait *wait)
{
	struct epoll_event event;
	sigset_t all;

	sigfillset(&all);
	return epoll_pwait(wait->other, &event, 1, -1, &all) == 1;
}

static bool epoll_pwaits2(struct wait *wait)
{
	struct epoll_event event;

	return syscall(SYS_epoll_pwait2, wait->other, &event, 1, &long_time, NULL, 8) == 1;
}

/* Asynchronous input and output */

static void aio_prepare(struct wait *wait)
{
	struct iocb poll = { .aio_lio_opcode = IOCB_CMD_POLL, .aio_buf = POLLIN }, *list = &poll;
	aio_context_t context = 0;

	pipe_prepare(wait);
	poll.aio_fildes = wait->fd[0];
	if (syscall(SYS_io_setup, 1, &context) || syscall(SYS_io_submit, context, 1, &list) != 1)
		skip(wait);
	wait->memory = (void *)context;
}

static bool aio_getevents(struct wait *wait)
{
	struct io_event event;

	return syscall(SYS_io_getevents, wait->memory, 1, 1, &event, NULL) == 1;
}

static bool aio_pgetevents(struct wait *wait)
{
	struct io_event event;

	return syscall(SYS_io_pgetevents, wait->memory, 1, 1, &event, &long_time, NULL) == 1;
}

static void uring_prepare(struct wait *wait)
{
	struct io_uring_params params = { 0 };
	struct io_uring_sqe *queue;
	char *ring;

	pipe_prepare(wait);
	wait->other = syscall(SYS_io_uring_setup, 1, &params);
	if (wait->other < 0) {
		skip(wait);
		return;
	}
	ring = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, wait->other,
		    IORING_OFF_SQ_RING);
	queue = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, wait->other, IORING_OFF_SQES);
	MUST(ring != MAP_FAILED && queue != MAP_FAILED);
	*queue = (struct io_uring_sqe){
		.opcode = IORING_OP_POLL_ADD, .fd = wait->fd[0], .poll32_events = POLLIN,
	};
	((unsigned *)(ring + params.sq_off.array))[0] = 0;
	__atomic_store_n((unsigned *)(ring + params.sq_off.tail), 1, __ATOMIC_RELEASE);
	MUST(syscall(SYS_io_uring_enter, wait->other, 1, 0, 0, NULL, 0) == 1);
}

static bool uring_enter(struct wait *wait)
{
	return syscall(SYS_io_uring_enter, wait->other, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0) == 0;
}

/* Sockets with a time limit, which the kernel does not start again */

static void limit(int socket)
{
	struct timeval limit = { .tv_sec = LONG_S };

	MUST(setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0);
	MUST(setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) == 0);
}

static void socket_prepare(struct wait *wait)
{
	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, wait->fd) == 0);
	limit(wait->fd[0]);
	limit(wait->fd[1]);
}

static bool socket_recv(struct wait *wait)
{
	char c;

	return recv(wait->fd[0], &c, 1, 0) == 1;
}

static bool socket_recvmsg(struct wait *wait)
{
	char c;
	struct iovec vector = { &c, 1 };
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };

	return recvmsg(wait->fd[0], &message, 0) == 1;
}

static bool socket_recvmmsg(struct wait *wait)
{
	char c;
	struct iovec vector = { &c, 1 };
	struct mmsghdr message = { .msg_hdr = { .msg_iov = &vector, .msg_iovlen = 1 } };

	return recvmmsg(wait->fd[0], &message, 1, 0, NULL) == 1;
}

static void full_socket_prepare(struct wait *wait)
{
	static char zeros[4096];

	socket_prepare(wait);
	while (send(wait->fd[1], zeros, sizeof(zeros), MSG_DONTWAIT) > 0)
		;
}

static void full_socket_bring(struct wait *wait)
{
	char bytes[4096];

	while (recv(wait->fd[0], bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
}

static bool socket_send(struct wait *wait)
{
	return send(wait->fd[1], "y", 1, 0) == 1;
}

static bool socket_sendmsg(struct wait *wait)
{
	struct iovec vector = { "y", 1 };
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };

	return sendmsg(wait->fd[1], &message, 0) == 1;
}

static bool socket_sendmmsg(struct wait *wait)
{
	struct iovec vector = { "y", 1 };
	struct mmsghdr message = { .msg_hdr = { .msg_iov = &vector, .msg_iovlen = 1 } };

	return sendmmsg(wait->fd[1], &message, 1, 0) == 1;
}

static bool socket_splice(struct wait *wait)
{
	return splice(wait->fd[0], NULL, wait->other, NULL, 1, 0) == 1;
}

static void splice_prepare(struct wait *wait)
{
	int to[2];

	socket_prepare(wait);
	MUST(pipe2(to, O_CLOEXEC) == 0);
	wait->other = to[1];
}

/* Listening and connecting; the kernel finds the address */

static socklen_t address_of(int socket, struct sockaddr_storage *address)
{
	socklen_t bytes = sizeof(*address);

	MUST(getsockname(socket, (struct sockaddr *)address, &bytes) == 0);
	return bytes;
}

static int listener(int family, int backlog)
{
	struct sockaddr_in inet = { .sin_family = AF_INET,
				    .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct sockaddr_un local = { .sun_family = AF_UNIX };
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (family == AF_INET)
		MUST(bind(fd, (struct sockaddr *)&inet, sizeof(inet)) == 0);
	else
		MUST(bind(fd, (struct sockaddr *)&local, sizeof(sa_family_t)) == 0);
	MUST(listen(fd, backlog) == 0);
	limit(fd);
	return fd;
}

static bool connects(int fd, int to, int flags)
{
	struct sockaddr_storage address;
	socklen_t bytes = address_of(to, &address);

	(void)fcntl(fd, F_SETFL, flags);
	return connect(fd, (struct sockaddr *)&address, bytes) == 0;
}

static void listen_prepare(struct wait *wait)
{
	wait->other = listener(AF_UNIX, 5);
}

static bool listen_accept(struct wait *wait)
{
	return accept(wait->other, NULL, NULL) >= 0;
}

static bool listen_accept4(struct wait *wait)
{
	return accept4(wait->other, NULL, NULL, SOCK_CLOEXEC) >= 0;
}

static void listen_bring(struct wait *wait)
{
	MUST(connects(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), wait->other, 0));
}

/* Nobody more is let in until one is accepted. */
static void full_listener(struct wait *wait, int family)
{
	int fd;

	wait->other = listener(family, 0);
	do {
		fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	} while (connects(fd, wait->other, O_NONBLOCK));
	wait->fd[0] = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	limit(wait->fd[0]);
}

static void full_local_prepare(struct wait *wait)
{
	full_listener(wait, AF_UNIX);
}

static void full_inet_prepare(struct wait *wait)
{
	full_listener(wait, AF_INET);
}

static bool listen_connect(struct wait *wait)
{
	return connects(wait->fd[0], wait->other, 0);
}

static void full_bring(struct wait *wait)
{
	MUST(accept(wait->other, NULL, NULL) >= 0);
	MUST(fcntl(wait->other, F_SETFL, O_NONBLOCK) == 0);
	while (!wait->ended) {
		(void)accept(wait->other, NULL, NULL);
		usleep(1000);
	}
}

/* Semaphores and messages of System V, messages of POSIX */

static void semaphore_prepare(struct wait *wait)
{
	wait->other = semget(IPC_PRIVATE, 1, 0600);
	MUST(wait->other >= 0);
}

static bool semaphore_op(struct wait *wait)
{
	struct sembuf down = { .sem_op = -1 };

	return semop(wait->other, &down, 1) == 0;
}

static bool semaphore_timedop(struct wait *wait)
{
	struct sembuf down = { .sem_op = -1 };

	return semtimedop(wait->other, &down, 1, &long_time) == 0;
}

static void semaphore_bring(struct wait *wait)
{
	MUST(semctl(wait->other, 0, SETVAL, 1) == 0);
	while (!wait->ended)
		usleep(1000);
	semctl(wait->other, 0, IPC_RMID);
}

struct letter {
	long type;
	char text[1024];
};

static void queue_prepare(struct wait *wait)
{
	wait->other = msgget(IPC_PRIVATE, 0600);
	MUST(wait->other >= 0);
}

static bool queue_receive(struct wait *wait)
{
	struct letter letter;

	return msgrcv(wait->other, &letter, sizeof(letter.text), 0, 0) == 1;
}

static void queue_bring(struct wait *wait)
{
	struct letter letter = { .type = 1 };

	MUST(msgsnd(wait->other, &letter, 1, 0) == 0);
	while (!wait->ended)
		usleep(1000);
	msgctl(wait->other, IPC_RMID, NULL);
}

static void full_queue_prepare(struct wait *wait)
{
	struct letter letter = { .type = 1 };

	queue_prepare(wait);
	while (msgsnd(wait->other, &letter, sizeof(letter.text), IPC_NOWAIT) == 0)
		;
}

static bool full_queue_send(struct wait *wait)
{
	struct letter letter = { .type = 1 };

	return msgsnd(wait->other, &letter, sizeof(letter.text), 0) == 0;
}

static void full_queue_bring(struct wait *wait)
{
	struct letter letter;

	MUST(msgrcv(wait->other, &letter, sizeof(letter.text), 0, 0) > 0);
	while (!wait->ended)
		usleep(1000);
	msgctl(wait->other, IPC_RMID, NULL);
}

static void post_prepare(struct wait *wait)
{
	struct mq_attr attributes = { .mq_maxmsg = 1, .mq_msgsize = 8 };
	char name[64];

	snprintf(name, sizeof(name), "/waits.%d.%p", getpid(), (void *)wait);
	wait->other = mq_open(name, O_CREAT | O_RDWR | O_CLOEXEC, 0600, &attributes);
	if (wait->other < 0)
		skip(wait);
	else
		mq_unlink(name);
}

static bool post_receive(struct wait *wait)
{
	char text[8];

	return mq_receive(wait->other, text, sizeof(text), NULL) == 1;
}

static bool post_timedreceive(struct wait *wait)
{
	struct timespec until = { .tv_sec = time(NULL) + LONG_S };
	char text[8];

	return mq_timedreceive(wait->other, text, sizeof(text), NULL, &until) == 1;
}

static void post_bring(struct wait *wait)
{
	MUST(mq_send(wait->other, "x", 1, 0) == 0);
}

/* Futexes */

static long futex(int *word, int operation, int value, const struct timespec *limit)
{
	return syscall(SYS_futex, word, operation, value, limit, NULL, FUTEX_BITSET_MATCH_ANY);
}

static bool futex_wait(struct wait *wait)
{
	return futex(&wait->word, FUTEX_WAIT_PRIVATE, 0, NULL) == 0;
}

static bool futex_wait_limit(struct wait *wait)
{
	return futex(&wait->word, FUTEX_WAIT_PRIVATE, 0, &long_time) == 0;
}

static bool futex_wait_bits(struct wait *wait)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += LONG_S;
	return futex(&wait->word, FUTEX_WAIT_BITSET_PRIVATE, 0, &until) == 0;
}

static bool futex_wait_several(struct wait *wait)
{
	struct futex_waitv waiter = { .uaddr = (uintptr_t)&wait->word,
				      .flags = FUTEX_32 | FUTEX_PRIVATE_FLAG };

	return syscall(SYS_futex_waitv, &waiter, 1, 0, NULL, CLOCK_MONOTONIC) == 0;
}

static void futex_bring(struct wait *wait)
{
	while (!wait->ended) {
		futex(&wait->word, FUTEX_WAKE_PRIVATE, 1, NULL);
		usleep(1000);
	}
}

static void owned_prepare(struct wait *wait)
{
	wait->word = syscall(SYS_gettid);
}

static bool owned_lock(struct wait *wait)
{
	return futex(&wait->word, FUTEX_LOCK_PI_PRIVATE, 0, NULL) == 0;
}

static void owned_bring(struct wait *wait)
{
	MUST(futex(&wait->word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL) == 0);
}

/* Signals, children, locks, the rest */

static bool signal_timedwait(struct wait *wait)
{
	sigset_t wanted;

	sigemptyset(&wanted);
	sigaddset(&wanted, SIGRTMIN + 3);
	return sigtimedwait(&wanted, NULL, &long_time) == SIGRTMIN + 3;
}

static bool signal_waitinfo(struct wait *wait)
{
	sigset_t wanted;

	sigemptyset(&wanted);
	sigaddset(&wanted, SIGRTMIN + 3);
	return sigwaitinfo(&wanted, NULL) == SIGRTMIN + 3;
}

static bool signal_read(struct wait *wait)
{
	struct signalfd_siginfo info;
	sigset_t wanted;

	sigemptyset(&wanted);
	sigaddset(&wanted, SIGRTMIN + 3);
	return read(signalfd(-1, &wanted, SFD_CLOEXEC), &info, sizeof(info)) == sizeof(info);
}

static void signal_bring(struct wait *wait)
{
	MUST(syscall(SYS_tgkill, getpid(), wait->tid, SIGRTMIN + 3) == 0);
}

static void child_prepare(struct wait *wait)
{
	char c;

	pipe_prepare(wait);
	wait->child = fork();
	MUST(wait->child >= 0);
	if (wait->child == 0)
		_exit(read(wait->fd[0], &c, 1) == 1 ? 7 : 8);
}

static bool child_wait4(struct wait *wait)
{
	int status;

	return wait4(wait->child, &status, 0, NULL) == wait->child && WEXITSTATUS(status) == 7;
}

static bool child_waitid(struct wait *wait)
{
	siginfo_t info;

	return waitid(P_PID, wait->child, &info, WEXITED) == 0 && info.si_status == 7;
}

static void lock_prepare(struct wait *wait)
{
	wait->fd[0] = open("lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	wait->fd[1] = open("lock", O_RDWR | O_CLOEXEC);
	MUST(flock(wait->fd[0], LOCK_EX) == 0);
}

static bool lock_flock(struct wait *wait)
{
	return flock(wait->fd[1], LOCK_EX) == 0;
}

static void lock_bring(struct wait *wait)
{
	MUST(flock(wait->fd[0], LOCK_UN) == 0);
}

static void region_prepare(struct wait *wait)
{
	struct flock whole = { .l_type = F_WRLCK };

	wait->fd[0] = open("region", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	wait->fd[1] = open("region", O_RDWR | O_CLOEXEC);
	MUST(fcntl(wait->fd[0], F_OFD_SETLK, &whole) == 0);
}

static bool region_lock(struct wait *wait)
{
	struct flock whole = { .l_type = F_WRLCK };

	return fcntl(wait->fd[1], F_SETLKW, &whole) == 0;
}

static void region_bring(struct wait *wait)
{
	struct flock whole = { .l_type = F_UNLCK };

	MUST(fcntl(wait->fd[0], F_OFD_SETLK, &whole) == 0);
}

static void event_prepare(struct wait *wait)
{
	wait->fd[0] = wait->fd[1] = eventfd(0, EFD_CLOEXEC);
}

static bool event_read(struct wait *wait)
{
	uint64_t value;

	return read(wait->fd[0], &value, sizeof(value)) == sizeof(value) && value == 1;
}

static void event_bring(struct wait *wait)
{
	uint64_t value = 1;

	MUST(write(wait->fd[1], &value, sizeof(value)) == sizeof(value));
}

static void timer_prepare(struct wait *wait)
{
	wait->fd[0] = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
}

static void timer_bring(struct wait *wait)
{
	struct itimerspec soon = { .it_value = { .tv_nsec = 1 } };

	MUST(timerfd_settime(wait->fd[0], 0, &soon, NULL) == 0);
}

static void notify_prepare(struct wait *wait)
{
	wait->fd[0] = inotify_init1(IN_CLOEXEC);
	MUST(inotify_add_watch(wait->fd[0], ".", IN_CREATE | IN_DELETE) >= 0);
}

static bool notify_read(struct wait *wait)
{
	char room[512];

	return read(wait->fd[0], room, sizeof(room)) > 0;
}

static void notify_bring(struct wait *wait)
{
	MUST(open("notified", O_CREAT | O_CLOEXEC, 0600) >= 0);
	MUST(unlink("notified") == 0);
}

static void fault_prepare(struct wait *wait)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	wait->other = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (wait->other < 0) {
		skip(wait);
		return;
	}
	wait->memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	range.range.start = (uintptr_t)wait->memory;
	range.range.len = 4096;
	MUST(ioctl(wait->other, UFFDIO_API, &api) == 0);
	MUST(ioctl(wait->other, UFFDIO_REGISTER, &range) == 0);
}

static bool fault_read(struct wait *wait)
{
	struct uffd_msg message;
	struct uffdio_zeropage page = { .range = { .start = (uintptr_t)wait->memory, .len = 4096 } };

	return read(wait->other, &message, sizeof(message)) == sizeof(message) &&
	       ioctl(wait->other, UFFDIO_ZEROPAGE, &page) == 0;
}

static void fault_bring(struct wait *wait)
{
	MUST(*(volatile char *)wait->memory == 0);
}

static const struct way ways[] = {
	{ "read of a pipe", pipe_prepare, pipe_read, pipe_bring },
	{ "readv", pipe_prepare, pipe_readv, pipe_bring },
	{ "poll", pipe_prepare, pipe_poll, pipe_bring },
	{ "ppoll", pipe_prepare, pipe_ppoll, pipe_bring },
	{ "select", pipe_prepare, pipe_select, pipe_bring },
	{ "pselect", pipe_prepare, pipe_pselect, pipe_bring },
	{ "splice", pipe_prepare, pipe_splice, pipe_bring },
	{ "tee", pipe_prepare, pipe_tee, pipe_bring },
	{ "write to a pipe", full_pipe_prepare, pipe_write, full_pipe_bring },
	{ "vmsplice", full_pipe_prepare, pipe_vmsplice, full_pipe_bring },
	{ "sendfile", full_pipe_prepare, pipe_sendfile, full_pipe_bring },
	{ "open of a fifo", fifo_prepare, fifo_open, fifo_bring },
	{ "read of a terminal", terminal_prepare, terminal_read, terminal_bring },
	{ "epoll_wait", epoll_prepare, epoll_waits, pipe_bring },
	{ "epoll_pwait", epoll_prepare, epoll_pwaits, pipe_bring },
	{ "epoll_pwait2", epoll_prepare, epoll_pwaits2, pipe_bring },
	{ "io_getevents", aio_prepare, aio_getevents, pipe_bring },
	{ "io_pgetevents", aio_prepare, aio_pgetevents, pipe_bring },
	{ "io_uring_enter", uring_prepare, uring_enter, pipe_bring },
	{ "read of a socket", socket_prepare, pipe_read, pipe_bring },
	{ "readv of a socket", socket_prepare, pipe_readv, pipe_bring },
	{ "recv", socket_prepare, socket_recv, pipe_bring },
	{ "recvmsg", socket_prepare, socket_recvmsg, pipe_bring },
	{ "recvmmsg", socket_prepare, socket_recvmmsg, pipe_bring },
	{ "write to a socket", full_socket_prepare, pipe_write, full_socket_bring },
	{ "send", full_socket_prepare, socket_send, full_socket_bring },
	{ "sendmsg", full_socket_prepare, socket_sendmsg, full_socket_bring },
	{ "sendmmsg", full_socket_prepare, socket_sendmmsg, full_socket_bring },
	{ "splice of a socket", splice_prepare, socket_splice, pipe_bring },
	{ "sendfile to a socket", full_socket_prepare, pipe_sendfile, full_socket_bring },
	{ "accept", listen_prepare, listen_accept, listen_bring },
	{ "accept4", listen_prepare, listen_accept4, listen_bring },
	{ "connect", full_local_prepare, listen_connect, full_bring },
	{ "connect by TCP", full_inet_prepare, listen_connect, full_bring },
	{ "semop", semaphore_prepare, semaphore_op, semaphore_bring },
	{ "semtimedop", semaphore_prepare, semaphore_timedop, semaphore_bring },
	{ "msgrcv", queue_prepare, queue_receive, queue_bring },
	{ "msgsnd", full_queue_prepare, full_queue_send, full_queue_bring },
	{ "mq_receive", post_prepare, post_receive, post_bring },
	{ "mq_timedreceive", post_prepare, post_timedreceive, post_bring },
	{ "futex", NULL, futex_wait, futex_bring },
	{ "futex with a limit", NULL, futex_wait_limit, futex_bring },
	{ "futex until", NULL, futex_wait_bits, futex_bring },
	{ "futex_waitv", NULL, futex_wait_several, futex_bring },
	{ "futex with an owner", owned_prepare, owned_lock, owned_bring },
	{ "sigtimedwait", NULL, signal_timedwait, signal_bring },
	{ "sigwaitinfo", NULL, signal_waitinfo, signal_bring },
	{ "read of a signalfd", NULL, signal_read, signal_bring },
	{ "wait4", child_prepare, child_wait4, pipe_bring },
	{ "waitid", child_prepare, child_waitid, pipe_bring },
	{ "flock", lock_prepare, lock_flock, lock_bring },
	{ "fcntl", region_prepare, region_lock, region_bring },
	{ "read of an eventfd", event_prepare, event_read, event_bring },
	{ "read of a timerfd", timer_prepare, event_read, timer_bring },
	{ "read of inotify", notify_prepare, notify_read, notify_bring },
	{ "read of userfaultfd", fault_prepare, fault_read, fault_bring },
};

#define NR_WAYS (sizeof(ways) / sizeof(ways[0]))

static struct wait waits[NR_WAYS];

static void *run(void *of)
{
	struct wait *wait = of;

	wait->tid = syscall(SYS_gettid);
	errno = 0;
	wait->good = wait->way->call(wait);
	wait->error = errno;
	if (!brought)
		wait->good = 0;
	wait->ended = 1;
	return NULL;
}

static char state_of(pid_t tid)
{
	char path[64], text[512] = "", *end;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	MUST(read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	end = strrchr(text, ')');
	MUST(end);
	return end[2];
}

static void begin(struct wait *wait, const struct way *way)
{
	wait->way = way;
	if (way->prepare)
		way->prepare(wait);
	if (wait->way)
		MUST(pthread_create(&wait->thread, NULL, run, wait) == 0);
}

static void await_sleep(struct wait *wait)
{
	while (wait->way && (!wait->tid || state_of(wait->tid) != 'S'))
		usleep(1000);
}

/* How many did not get what they waited for. */
static int end(void)
{
	int nr = 0;

	for (size_t i = 0; i < NR_WAYS; i++) {
		struct wait *wait = &waits[i];

		if (!wait->way)
			continue;
		if (!wait->ended)
			wait->way->bring(wait);
		pthread_join(wait->thread, NULL);
		if (!wait->good)
			say("WRONG %s: %s\n", wait->way->name, strerror(wait->error));
		nr += !wait->good;
	}
	return nr;
}

/* What is made in it is nobody else's. */
static char folder[] = "waits.XXXXXX";

static void clean_up(void)
{
	static const char *const names[] = { "fifo", "lock", "region" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		(void)unlink(names[i]);
	MUST(chdir("..") == 0 && rmdir(folder) == 0);
}

int main(void)
{
	sigset_t all;
	int bad;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	MUST(mkdtemp(folder) && chdir(folder) == 0);
	for (size_t i = 0; i < NR_WAYS; i++)
		begin(&waits[i], &ways[i]);
	for (size_t i = 0; i < NR_WAYS; i++)
		await_sleep(&waits[i]);
	stage("ready");
	brought = 1;
	bad = end();
	clean_up();
	MUST(bad == 0);
	return correct();
}
