/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads, patches and the undo of patches in a target's memory. */
#include "memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../base/array.h"

static int open_file(pid_t tid, const char *name, int mode)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", tid, name);
	fd = open(path, mode | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static ssize_t read_by_descriptor(const struct memory *memory, taddr_t address, void *buffer,
				  size_t bytes)
{
	ssize_t got = pread(memory->fd, buffer, bytes, (off_t)address);

	return got < 0 ? -errno : got;
}

static ssize_t memory_read(const struct memread *mem, taddr_t address, void *buffer, size_t bytes)
{
	struct memory *memory = mem->owner;
	struct iovec local = { buffer, bytes };
	struct iovec remote = { (void *)(uintptr_t)address, bytes };
	ssize_t got;

	if (memory->slow)
		return read_by_descriptor(memory, address, buffer, bytes);
	got = process_vm_readv(memory->tid, &local, 1, &remote, 1, 0);
	if (got >= 0)
		return got;
	if (errno == EFAULT)
		return -EFAULT;
	/* Non-dumpable by now (EPERM), or this thread is gone (ESRCH). */
	memory->slow = errno == EPERM || errno == ENOSYS;
	return read_by_descriptor(memory, address, buffer, bytes);
}

int memory_open(struct memory *memory, pid_t tid)
{
	int fd = open_file(tid, "mem", O_RDWR), maps_fd;

	if (fd < 0)
		return fd;
	maps_fd = open_file(tid, "maps", O_RDONLY);
	memset(memory, 0, sizeof(*memory));
	memory->read = (struct memread){ .read = memory_read, .owner = memory };
	memory->tid = tid;
	memory->fd = fd;
	memory->maps_fd = maps_fd < 0 ? 0 : maps_fd;
	return 0;
}

void memory_close(struct memory *memory)
{
	if (memory->fd > 0)
		close(memory->fd);
	if (memory->maps_fd > 0)
		close(memory->maps_fd);
	free(memory->patches.items);
	memset(memory, 0, sizeof(*memory));
}

/* Kernels from 6.12 on may refuse forced writes through /proc/PID/mem, but not POKEDATA. */
static int poke(pid_t tid, taddr_t address, const uint8_t *bytes, size_t nr_bytes)
{
	while (nr_bytes) {
		size_t part = nr_bytes < sizeof(long) ? nr_bytes : sizeof(long);
		long word;

		errno = 0;
		word = ptrace(PTRACE_PEEKDATA, tid, address, 0);
		if (errno)
			return -errno;
		memcpy(&word, bytes, part);
		if (ptrace(PTRACE_POKEDATA, tid, address, word))
			return -errno;
		address += part;
		bytes += part;
		nr_bytes -= part;
	}
	return 0;
}

static int write_bytes(int fd, pid_t tid, taddr_t address, const void *bytes, size_t nr_bytes)
{
	if (pwrite(fd, bytes, nr_bytes, (off_t)address) == (ssize_t)nr_bytes)
		return 0;
	return poke(tid, address, bytes, nr_bytes);
}

int memory_patch(struct memory *memory, taddr_t address, const void *bytes, size_t nr_bytes)
{
	struct patch patch = { .address = address, .bytes = (uint8_t)nr_bytes };
	int error;

	if (nr_bytes > PATCH_BYTES_MAX)
		return -EINVAL;
	if (ARRAY_GROW(&memory->patches))
		return -ENOMEM;
	if (!memread_exact(&memory->read, address, patch.original, nr_bytes))
		return -EFAULT;
	memcpy(patch.patched, bytes, nr_bytes);
	/* Known before it is there: see rescue.h. */
	memory->patches.items[memory->patches.nr] = patch;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	memory->patches.nr++;
	error = write_bytes(memory->fd, memory->tid, address, bytes, nr_bytes);
	if (error)
		memory->patches.nr--;
	return error;
}

int memory_write(struct memory *memory, taddr_t address, const void *bytes, size_t nr_bytes)
{
	return write_bytes(memory->fd, memory->tid, address, bytes, nr_bytes);
}

/* Only where our bytes still are: another mapping may have taken the place. */
static int undo_one(const struct patch *patch, int fd, pid_t tid)
{
	uint8_t now[PATCH_BYTES_MAX];

	if (pread(fd, now, patch->bytes, (off_t)patch->address) != patch->bytes ||
	    memcmp(now, patch->patched, patch->bytes))
		return 0;
	return write_bytes(fd, tid, patch->address, patch->original, patch->bytes);
}

static int undo_all(const struct memory *memory, int fd, pid_t tid)
{
	int error = 0;

	for (size_t i = memory->patches.nr; i-- > 0;) {
		int failed = undo_one(&memory->patches.items[i], fd, tid);

		if (failed)
			error = failed;
	}
	return error;
}

int memory_undo_one(const struct memory *memory, const struct patch *patch)
{
	return undo_one(patch, memory->fd, memory->tid);
}

int memory_undo(struct memory *memory)
{
	int error = undo_all(memory, memory->fd, memory->tid);

	memory->patches.nr = 0;
	return error;
}

int memory_undo_in_child(const struct memory *memory, pid_t child)
{
	int fd = open_file(child, "mem", O_RDWR);
	int error;

	if (fd < 0)
		return fd;
	error = undo_all(memory, fd, child);
	close(fd);
	return error;
}

void memory_forget(struct memory *memory, taddr_t start, taddr_t end)
{
	size_t kept = 0;

	for (size_t i = 0; i < memory->patches.nr; i++) {
		struct patch *patch = &memory->patches.items[i];

		if (patch->address < start || patch->address >= end)
			memory->patches.items[kept++] = *patch;
	}
	memory->patches.nr = kept;
}
