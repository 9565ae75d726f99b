/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See stream.h. */
#include "stream.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "../base/clock.h"
#include "../base/worker.h"
#include "lines.h"
#include "out.h"
#include "queue.h"

#define ROOM (1u << 20)		/* lines: 72 MiB once all are used */
#define TEXT_BYTES (64u << 10)
#define IDLE_NS 10000000
#define NUDGE_NS 5000000
#define NUDGES 400		/* 2 s: a disk that does not answer keeps the thread */

struct stream {
	struct stream_options options;
	char *name;
	struct lines lines;
	struct queue queue;
	pthread_t thread;
	bool started, ending, ended;	/* ending: totals are there */
	struct stream_totals totals;
	/* Of the thread. */
	struct out out;
	uint64_t lost;			/* that had words already */
	uint64_t turns;			/* up with whatever it does */
	size_t nr;			/* in text */
	char text[TEXT_BYTES];
};

static void turn(struct stream *stream)
{
	__atomic_store_n(&stream->turns, stream->turns + 1, __ATOMIC_RELAXED);
}

static void flush(struct stream *stream)
{
	uint64_t lost;

	if (!stream->nr)
		return;
	lost = out_write(&stream->out, stream->text, stream->nr);
	__atomic_store_n(&stream->lost, stream->lost + lost, __ATOMIC_RELAXED);
	stream->nr = 0;
	turn(stream);
}

static void add(struct stream *stream, const struct words *words)
{
	if (stream->nr + words->nr > sizeof(stream->text))
		flush(stream);
	memcpy(stream->text + stream->nr, words->bytes, words->nr);
	stream->nr += words->nr;
}

/* What is only now begun is the program that counts. */
static void renew(struct stream *stream)
{
	flush(stream);
	out_renew(&stream->out);
}

/* A name is worth waiting for while there is room for what comes meanwhile. */
static void write_line(struct stream *stream, const struct line *line, bool may_wait)
{
	struct image_site site = { .pc = 0 };
	struct words words;

	words.nr = 0;
	if (line->kind <= LINE_FAILED)
		site = image_look_up(stream->options.image, line, may_wait);
	else if (line->kind == LINE_EXEC && stream->options.format->renews)
		renew(stream);
	stream->options.format->line(&words, line, &site, &stream->options.style);
	add(stream, &words);
}

static void lose(struct stream *stream)
{
	__atomic_store_n(&stream->lost, stream->lost + 1, __ATOMIC_RELAXED);
}

/* False: there is none. */
static bool take_line(struct stream *stream)
{
	const struct line *first = queue_first(&stream->queue);
	struct line line;

	if (!first)
		return false;
	line = *first;
	queue_drop(&stream->queue);
	if (stream->out.closed || stream->out.giving_up)
		lose(stream);
	else
		write_line(stream, &line, queue_length(&stream->queue) < ROOM / 2);
	return true;
}

static void idle(struct stream *stream)
{
	const struct timespec pause = { .tv_nsec = IDLE_NS };

	flush(stream);
	turn(stream);
	nanosleep(&pause, NULL);
}

static uint64_t count_lost(const struct stream *stream)
{
	return __atomic_load_n(&stream->lost, __ATOMIC_RELAXED) + queue_lost(&stream->queue);
}

/* It tells of what was lost, and is itself not counted. */
static void write_end(struct stream *stream)
{
	struct words words;

	words.nr = 0;
	flush(stream);
	stream->totals.lost = count_lost(stream);
	stream->options.format->end(&words, &stream->totals, &stream->options.style);
	if (!stream->out.closed)
		(void)out_write(&stream->out, words.bytes, words.nr);
}

static void write_begin(struct stream *stream)
{
	struct words words;

	words.nr = 0;
	stream->options.format->begin(&words);
	if (!stream->out.closed)
		(void)out_write(&stream->out, words.bytes, words.nr);
}

/* Up to the end of all that was there when it was asked for. */
static void write_lines(struct stream *stream)
{
	bool ending = false;

	while (take_line(stream) || !ending) {
		ending = __atomic_load_n(&stream->ending, __ATOMIC_ACQUIRE);
		if (!ending && !queue_length(&stream->queue))
			idle(stream);
	}
}

/* A target with many threads that do nothing but allocate would leave it too little. */
static void raise_priority(void)
{
	int nice = -20;

	while (nice < 0 && setpriority(PRIO_PROCESS, (id_t)gettid(), nice))
		nice++;
}

static void *run(void *argument)
{
	struct stream *stream = argument;

	raise_priority();
	out_await(&stream->out);
	write_begin(stream);
	write_lines(stream);
	write_end(stream);
	out_close(&stream->out);
	queue_deinit(&stream->queue);
	__atomic_store_n(&stream->ended, true, __ATOMIC_RELEASE);
	return NULL;
}

/* SIGURG ends a write. */
static int start_thread(struct stream *stream)
{
	int error = worker_start(&stream->thread, run, stream);

	stream->started = !error;
	return error;
}

static void release(struct stream *stream)
{
	queue_deinit(&stream->queue);
	lines_deinit(&stream->lines);
	out_close(&stream->out);
	free(stream->name);
	free(stream);
}

static int set_name(struct stream *stream, const char *name)
{
	char *copy = strdup(name);

	if (!copy)
		return -ENOMEM;
	free(stream->name);
	stream->name = copy;
	stream->options.style.name = copy;
	return 0;
}

int stream_create(const struct stream_options *options, struct stream **out)
{
	struct stream *stream = calloc(1, sizeof(*stream));
	int error;

	if (!stream)
		return -ENOMEM;
	stream->options = *options;
	stream->out.fd = -1;
	error = set_name(stream, options->style.name);
	if (!error)
		error = queue_init(&stream->queue, ROOM);
	if (!error)
		error = out_open(&stream->out, options->path, options->standard);
	if (!error)
		error = start_thread(stream);
	if (error)
		release(stream);
	else
		*out = stream;
	return error;
}

void stream_event(struct stream *stream, const struct event *event, bool unknown)
{
	struct line lines[LINES_MOST];
	size_t nr = lines_make(&stream->lines, event, lines);

	for (size_t i = 0; i < nr; i++) {
		lines[i].image = image_now(stream->options.image);
		lines[i].unknown = unknown && lines[i].kind == LINE_FREE;
		queue_put(&stream->queue, &lines[i]);
	}
}

/* Whatever was under way is not any more, after an exec or while nothing was watched. */
void stream_note(struct stream *stream, enum line_kind kind, uint64_t time_ns)
{
	const struct line line = { .kind = kind, .time_ns = time_ns };

	lines_deinit(&stream->lines);
	queue_put(&stream->queue, &line);
}

void stream_end(struct stream *stream, const char *name, const struct stream_totals *totals)
{
	if (stream->ending)
		return;
	stream->totals = *totals;
	(void)set_name(stream, name);
	__atomic_store_n(&stream->ending, true, __ATOMIC_RELEASE);
}

static bool has_ended(const struct stream *stream)
{
	return __atomic_load_n(&stream->ended, __ATOMIC_ACQUIRE);
}

static void nap(uint64_t ns)
{
	const struct timespec pause = { .tv_nsec = (long)ns };

	nanosleep(&pause, NULL);
}

static void await_end(struct stream *stream, uint64_t patience_ns, bool bounded)
{
	uint64_t began_ns = clock_ns(), moved_ns = began_ns, turns = 0;

	while (!has_ended(stream) && clock_ns() - moved_ns < patience_ns &&
	       (!bounded || clock_ns() - began_ns < 5 * patience_ns)) {
		uint64_t now = __atomic_load_n(&stream->turns, __ATOMIC_RELAXED);

		if (now != turns)
			moved_ns = clock_ns();
		turns = now;
		nap(NUDGE_NS);
	}
}

/* A signal that comes just before a write is lost: another one follows. */
static void give_up(struct stream *stream)
{
	stream->out.giving_up = true;
	for (unsigned i = 0; i < NUDGES && !has_ended(stream); i++) {
		pthread_kill(stream->thread, SIGURG);
		nap(NUDGE_NS);
	}
}

static void finish(struct stream *stream)
{
	if (!stream->started)
		return;
	__atomic_store_n(&stream->ending, true, __ATOMIC_RELEASE);
	if (!has_ended(stream))
		give_up(stream);
	if (!has_ended(stream))
		return;
	pthread_join(stream->thread, NULL);
	stream->started = false;
}

uint64_t stream_close(struct stream *stream, uint64_t patience_ns, bool bounded, int *error)
{
	await_end(stream, patience_ns, bounded);
	finish(stream);
	*error = stream->out.error;
	return count_lost(stream);
}

/* A thread that a disk does not give back keeps what it needs. */
void stream_destroy(struct stream *stream)
{
	if (!stream)
		return;
	finish(stream);
	if (!stream->started)
		release(stream);
}
