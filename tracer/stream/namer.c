/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sites are asked for in the order in which they were met; a table finds them again. */
#include "namer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../base/array.h"
#include "../base/clock.h"
#include "../base/hash.h"
#include "../base/index.h"
#include "../base/inert.h"
#include "../base/operators.h"
#include "../base/worker.h"

#define PATIENCE_NS 1000000000	/* for one answer; who comes later to a slow one waits less */
#define WORD_BYTES 200		/* of a function's or a file's name */

struct site {
	uint32_t file;
	bool answered;
	uint64_t vaddr;
	struct name name;
};

struct namer_file {
	int fd;			/* -1: it has been opened, or there is none */
	char *path;
	bool added, known;
	uint32_t module;	/* the symbolizer's number */
};

struct namer {
	struct symbolizer *symbolizer;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t asked, answered;
	bool ending;
	uint64_t turned_ns;		/* when the question at hand was put */
	struct {
		struct site **items;
		size_t nr, room;
	} sites;
	size_t nr_answered;		/* of them */
	struct index index;		/* of the sites */
	struct {
		struct namer_file *items;
		size_t nr, room;
	} files;
};

static bool over;

bool namer_is_over(void)
{
	return __atomic_load_n(&over, __ATOMIC_RELAXED);
}

static struct site *find(const struct namer *namer, uint32_t file, uint64_t vaddr)
{
	uint32_t cursor = 0, id;

	while (index_next(&namer->index, hash_combine(file, vaddr), &cursor, &id)) {
		struct site *site = namer->sites.items[id];

		if (site->file == file && site->vaddr == vaddr)
			return site;
	}
	return NULL;
}

static struct site *add_site(struct namer *namer, uint32_t file, uint64_t vaddr)
{
	struct site *site;

	if (ARRAY_GROW(&namer->sites) || index_reserve(&namer->index))
		return NULL;
	site = calloc(1, sizeof(*site));
	if (!site)
		return NULL;
	site->file = file;
	site->vaddr = vaddr;
	if (namer->nr_answered == namer->sites.nr)
		namer->turned_ns = clock_ns();	/* it was idle */
	index_add(&namer->index, hash_combine(file, vaddr), (uint32_t)namer->sites.nr);
	namer->sites.items[namer->sites.nr++] = site;
	pthread_cond_signal(&namer->asked);
	return site;
}

static struct site *get_site(struct namer *namer, uint32_t file, uint64_t vaddr)
{
	struct site *site = find(namer, file, vaddr);

	return site ? site : add_site(namer, file, vaddr);
}

static char *inert_copy(const char *text)
{
	char shown[WORD_BYTES];

	return text ? strdup(inert(shown, sizeof(shown), text)) : NULL;
}

static struct name make_name(const struct symbol_frame *frame)
{
	const char *slash = frame->file ? strrchr(frame->file, '/') : NULL;

	return (struct name){
		.function = inert_copy(frame->function),
		.file = inert_copy(slash ? slash + 1 : frame->file),
		.line = frame->line,
		.operator = operators_find(frame->function),
	};
}

/* The lock is not held: only this thread changes what is known of a file that was added. */
static bool open_file(struct namer *namer, const struct namer_file *file, uint32_t *module)
{
	struct elf_module elf;

	if (file->fd < 0 || symbolizer_open_module(namer->symbolizer, file->fd, file->path, &elf))
		return false;
	*module = elf.id;
	elf_module_release(&elf);
	return true;
}

static bool know_file(struct namer *namer, uint32_t number, uint32_t *module)
{
	struct namer_file file;
	bool known;

	pthread_mutex_lock(&namer->lock);
	file = namer->files.items[number];
	pthread_mutex_unlock(&namer->lock);
	*module = file.module;
	if (file.known)
		return true;
	known = open_file(namer, &file, module);
	if (file.fd >= 0)
		close(file.fd);
	pthread_mutex_lock(&namer->lock);
	namer->files.items[number].fd = -1;
	namer->files.items[number].known = known;
	namer->files.items[number].module = *module;
	pthread_mutex_unlock(&namer->lock);
	return known;
}

static struct name ask(struct namer *namer, uint32_t file, uint64_t vaddr)
{
	struct name name = { .function = NULL };
	struct symbol_frames frames;
	struct symbol_table *table;
	uint32_t module;

	if (!know_file(namer, file, &module) ||
	    symbolizer_frames(namer->symbolizer, module, &vaddr, 1, &frames, &table))
		return name;
	if (frames.nr)
		name = make_name(&frames.frames[0]);
	symbol_table_release(table);
	return name;
}

static struct site *next_site(struct namer *namer)
{
	while (!namer->ending && namer->nr_answered == namer->sites.nr)
		pthread_cond_wait(&namer->asked, &namer->lock);
	namer->turned_ns = clock_ns();
	return namer->ending ? NULL : namer->sites.items[namer->nr_answered];
}

static void *run(void *argument)
{
	struct namer *namer = argument;
	struct site *site;

	pthread_mutex_lock(&namer->lock);
	while ((site = next_site(namer))) {
		struct name name;

		pthread_mutex_unlock(&namer->lock);
		name = ask(namer, site->file, site->vaddr);
		pthread_mutex_lock(&namer->lock);
		site->name = name;
		site->answered = true;
		namer->nr_answered++;
		pthread_cond_broadcast(&namer->answered);
	}
	pthread_mutex_unlock(&namer->lock);
	return NULL;
}

static void init_conditions(struct namer *namer)
{
	pthread_condattr_t attributes;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_mutex_init(&namer->lock, NULL);
	pthread_cond_init(&namer->asked, &attributes);
	pthread_cond_init(&namer->answered, &attributes);
	pthread_condattr_destroy(&attributes);
}

static void release(struct namer *namer)
{
	for (size_t i = 0; i < namer->sites.nr; i++) {
		free(namer->sites.items[i]->name.function);
		free(namer->sites.items[i]->name.file);
		free(namer->sites.items[i]);
	}
	for (size_t i = 0; i < namer->files.nr; i++) {
		if (namer->files.items[i].added && namer->files.items[i].fd >= 0)
			close(namer->files.items[i].fd);
		free(namer->files.items[i].path);
	}
	free(namer->sites.items);
	free(namer->files.items);
	index_deinit(&namer->index);
	pthread_cond_destroy(&namer->asked);
	pthread_cond_destroy(&namer->answered);
	pthread_mutex_destroy(&namer->lock);
	free(namer);
}

int namer_create(struct symbolizer *symbolizer, struct namer **out)
{
	struct namer *namer = calloc(1, sizeof(*namer));
	int error;

	if (!namer)
		return -ENOMEM;
	namer->symbolizer = symbolizer;
	init_conditions(namer);
	error = worker_start(&namer->thread, run, namer); /* SIGURG ends a wait */
	if (error)
		release(namer);
	else
		*out = namer;
	return error;
}

void namer_destroy(struct namer *namer)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	if (!namer)
		return;
	pthread_mutex_lock(&namer->lock);
	namer->ending = true;
	pthread_cond_broadcast(&namer->asked);
	pthread_mutex_unlock(&namer->lock);
	__atomic_store_n(&over, true, __ATOMIC_RELAXED);
	/* A signal just before the wait is lost: another one follows.  The symbolizer's own limits
	 * bound all of it. */
	while (pthread_tryjoin_np(namer->thread, NULL)) {
		pthread_kill(namer->thread, SIGURG);
		nanosleep(&pause, NULL);
	}
	release(namer);
}

bool namer_has_file(struct namer *namer, uint32_t file)
{
	bool has;

	pthread_mutex_lock(&namer->lock);
	has = file < namer->files.nr && namer->files.items[file].added;
	pthread_mutex_unlock(&namer->lock);
	return has;
}

static int make_room(struct namer *namer, uint32_t file)
{
	while (namer->files.nr <= file) {
		if (ARRAY_GROW(&namer->files))
			return -ENOMEM;
		namer->files.items[namer->files.nr++] = (struct namer_file){ .fd = -1 };
	}
	return 0;
}

void namer_add_file(struct namer *namer, uint32_t file, int fd, const char *path)
{
	char *copy = strdup(path);

	pthread_mutex_lock(&namer->lock);
	if (copy && !make_room(namer, file)) {
		namer->files.items[file] = (struct namer_file){
			.fd = fd, .path = copy, .added = true,
		};
	} else {
		close(fd);
		free(copy);
	}
	pthread_mutex_unlock(&namer->lock);
}

/* Until it is answered, or the question at hand takes too long, be it another one. */
static void await(struct namer *namer, const struct site *site)
{
	while (!site->answered && !namer->ending) {
		uint64_t end_ns = namer->turned_ns + PATIENCE_NS;
		const struct timespec end = {
			.tv_sec = (time_t)(end_ns / 1000000000),
			.tv_nsec = (long)(end_ns % 1000000000),
		};

		if (clock_ns() >= end_ns)
			return;
		pthread_cond_timedwait(&namer->answered, &namer->lock, &end);
	}
}

const struct name *namer_get(struct namer *namer, uint32_t file, uint64_t vaddr, bool may_wait)
{
	struct site *site;

	pthread_mutex_lock(&namer->lock);
	site = file < namer->files.nr ? get_site(namer, file, vaddr) : NULL;
	if (site && !site->answered && may_wait)
		await(namer, site);
	if (site && !site->answered)
		site = NULL;
	pthread_mutex_unlock(&namer->lock);
	return site ? &site->name : NULL;
}
