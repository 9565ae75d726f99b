/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From mappings to modules. */
#include "modules.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/array.h"
#include "maps.h"
#include "procfs.h"

#define PAGE_MASK (~(uint64_t)4095)
#define VDSO_BYTES_MAX (64 * 1024)

void modules_deinit(struct modules *modules)
{
	for (size_t i = 0; i < modules->nr; i++) {
		free(modules->items[i]->path);
		free(modules->items[i]->code.items);
		free(modules->items[i]);
	}
	free(modules->items);
	free(modules->anonymous.items);
	*modules = (struct modules){ 0 };
}

static int open_path(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	return fd < 0 ? -errno : fd;
}

/* map_files works for deleted and renamed files too, but takes a capability.  The root of one that
 * is not dumpable is hidden: it most likely is ours. */
static int open_mapped_file(pid_t tid, const struct mapping *mapping)
{
	char path[4096 + 64];
	struct stat status;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/map_files/%lx-%lx", tid, mapping->start,
		 mapping->end);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	snprintf(path, sizeof(path), "/proc/%d/root%s", tid, mapping->path);
	fd = open_path(path);
	if (fd == -EACCES && mapping->path[0] == '/')
		fd = open_path(mapping->path);
	if (fd < 0)
		return fd;
	/* Another file may have taken the name. */
	if (fstat(fd, &status) || status.st_ino != mapping->inode || !S_ISREG(status.st_mode)) {
		close(fd);
		return -ESTALE;
	}
	return fd;
}

int module_open_file(const struct module *module, pid_t tid)
{
	struct mapping mapping = { .path = module->path, .inode = module->inode };

	if (!module->inode || !module->code.nr)
		return -ENOENT;
	mapping.start = module->code.items[0].start;
	mapping.end = module->code.items[0].end;
	return open_mapped_file(tid, &mapping);
}

int64_t module_file_offset(const struct module *module, taddr_t address)
{
	uint64_t vaddr = address - module->bias;

	for (size_t i = 0; module->file && i < module->file->elf.nr_segments; i++) {
		const struct elf_segment *segment = &module->file->elf.segments[i];

		if (vaddr >= segment->vaddr && vaddr - segment->vaddr < segment->file_bytes)
			return (int64_t)(segment->offset + (vaddr - segment->vaddr));
	}
	return -1;
}

/* The vdso has no file: a copy from memory serves as one. */
static int copy_vdso(const struct memory *memory, const struct mapping *mapping)
{
	uint8_t bytes[VDSO_BYTES_MAX];
	size_t size = mapping->end - mapping->start;
	int fd;

	if (size > sizeof(bytes) || !memread_exact(&memory->read, mapping->start, bytes, size))
		return -EFAULT;
	fd = memfd_create("vdso", MFD_CLOEXEC);
	if (fd >= 0 && write(fd, bytes, size) != (ssize_t)size) {
		close(fd);
		return -EIO;
	}
	return fd < 0 ? -errno : fd;
}

static bool is_vdso(const struct mapping *mapping)
{
	return !mapping->inode && !strcmp(mapping->path, "[vdso]");
}

static const struct file *file_of(struct modules *modules, pid_t tid, const struct memory *memory,
				  const struct mapping *mapping)
{
	const struct file *file;
	int fd = is_vdso(mapping) ? copy_vdso(memory, mapping) : open_mapped_file(tid, mapping);

	if (fd < 0)
		return NULL;
	file = files_get(modules->files, fd, mapping->path);
	close(fd);
	return file;
}

/*
 * The executable segment that this mapping shows, and from it the bias: a segment is mapped
 * from the page that its offset lies in.  Where nothing is known of the file, the address of
 * the file's start stands in.
 */
static uint64_t bias_of(const struct file *file, const struct mapping *mapping)
{
	for (size_t i = 0; file && file->known && i < file->elf.nr_segments; i++) {
		const struct elf_segment *segment = &file->elf.segments[i];
		uint64_t first = segment->offset & PAGE_MASK;

		if (segment->flags & PF_X && mapping->offset >= first &&
		    mapping->offset < segment->offset + segment->file_bytes)
			return mapping->start - (mapping->offset - first) -
			       (segment->vaddr & PAGE_MASK);
	}
	return mapping->start - mapping->offset;
}

static bool is_at(const struct module *module, const struct mapping *mapping)
{
	return module->device == mapping->device && module->inode == mapping->inode &&
	       !strcmp(module->path, mapping->path) &&
	       bias_of(module->file, mapping) == module->bias;
}

static struct module *find_alive(struct modules *modules, const struct mapping *mapping)
{
	for (size_t i = 0; i < modules->nr; i++)
		if (modules->items[i]->alive && is_at(modules->items[i], mapping))
			return modules->items[i];
	return NULL;
}

/* Closed, and now the same file is back at the same place: its addresses mean the same. */
static struct module *revive(struct modules *modules, const struct mapping *mapping,
			     const struct file *file)
{
	for (size_t i = 0; file && i < modules->nr; i++) {
		struct module *module = modules->items[i];

		if (module->alive || module->file != file || !is_at(module, mapping))
			continue;
		module->fresh = true;
		return module;
	}
	return NULL;
}

static struct module *add_module(struct modules *modules, const struct mapping *mapping,
				 const struct file *file)
{
	struct module *module;

	if (modules->nr == CODE_MODULES_MAX || ARRAY_GROW(modules))
		return NULL;
	module = calloc(1, sizeof(*module));
	if (!module)
		return NULL;
	module->id = (uint32_t)modules->nr + 1;
	module->path = strdup(mapping->path);
	module->device = mapping->device;
	module->inode = mapping->inode;
	module->file = file;
	module->bias = bias_of(file, mapping);
	module->fresh = true;
	if (!module->path) {
		free(module);
		return NULL;
	}
	modules->items[modules->nr++] = module;
	return module;
}

static bool is_program(pid_t tid, const struct mapping *mapping)
{
	char path[64];
	struct stat status;

	snprintf(path, sizeof(path), "/proc/%d/exe", tid);
	return !stat(path, &status) && status.st_ino == mapping->inode;
}

static int note_code(struct module *module, const struct mapping *mapping)
{
	if (ARRAY_GROW(&module->code))
		return -ENOMEM;
	if (!module->extent.end || mapping->start < module->extent.start)
		module->extent.start = mapping->start;
	if (mapping->end > module->extent.end)
		module->extent.end = mapping->end;
	module->code.items[module->code.nr++] =
		(struct module_range){ mapping->start, mapping->end };
	return 0;
}

static int scan_mapping(struct modules *modules, pid_t tid, const struct memory *memory,
			const struct mapping *mapping)
{
	const struct file *file;
	struct module *module;

	if (!mapping->executable || !strcmp(mapping->path, "[vsyscall]"))
		return 0;
	if (!mapping->inode && !is_vdso(mapping)) {
		if (ARRAY_GROW(&modules->anonymous))
			return -ENOMEM;
		modules->anonymous.items[modules->anonymous.nr++] =
			(struct module_range){ mapping->start, mapping->end };
		return 0;
	}
	module = find_alive(modules, mapping);
	if (!module) {
		file = file_of(modules, tid, memory, mapping);
		module = revive(modules, mapping, file);
		if (!module)
			module = add_module(modules, mapping, file);
		if (!module)
			return -ENOMEM;
		module->is_program = is_program(tid, mapping);
	}
	module->alive = true;
	return note_code(module, mapping);
}

static void begin_scan(struct modules *modules)
{
	modules->anonymous.nr = 0;
	for (size_t i = 0; i < modules->nr; i++) {
		modules->items[i]->fresh = false;
		modules->items[i]->code.nr = 0;
	}
}

static void end_scan(struct modules *modules)
{
	for (size_t i = 0; i < modules->nr; i++) {
		struct module *module = modules->items[i];

		module->closed = module->alive && !module->code.nr;
		module->alive = module->code.nr;
	}
}

int modules_scan(struct modules *modules, pid_t tid, const struct memory *memory)
{
	struct maps maps;
	int error = maps_of(&maps, memory);

	/* A thread that is ending has no maps any more: that says nothing of the modules. */
	if (!error && !maps.nr)
		error = -ESRCH;
	if (error)
		return error;
	begin_scan(modules);
	for (size_t i = 0; !error && i < maps.nr; i++)
		error = scan_mapping(modules, tid, memory, &maps.items[i]);
	maps_release(&maps);
	end_scan(modules);
	return error;
}
