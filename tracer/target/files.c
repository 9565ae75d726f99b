/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One entry a file, by device, inode, size and time of change. */
#include "files.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/array.h"

void files_init(struct files *files, struct symbolizer *symbolizer)
{
	*files = (struct files){ .symbolizer = symbolizer };
}

static void file_destroy(struct file *file)
{
	if (file->rules)
		munmap((void *)file->rules, file->rules_bytes);
	elf_module_release(&file->elf);
	free(file);
}

void files_deinit(struct files *files)
{
	for (size_t i = 0; i < files->nr; i++)
		file_destroy(files->items[i]);
	free(files->items);
	files_init(files, NULL);
}

static bool is_same(const struct file *file, const struct stat *status)
{
	return file->device == status->st_dev && file->inode == status->st_ino &&
	       file->bytes == status->st_size &&
	       !memcmp(&file->changed, &status->st_mtim, sizeof(file->changed));
}

/* The memory file is sealed, so what is checked once stays valid. */
static void map_rules(struct file *file)
{
	struct stat status;
	void *rules;

	if (file->elf.rules_fd < 0)
		return;
	if (!fstat(file->elf.rules_fd, &status) && status.st_size > 0) {
		rules = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED,
			     file->elf.rules_fd, 0);
		if (rules != MAP_FAILED && rules_valid(rules, (size_t)status.st_size)) {
			file->rules = rules;
			file->rules_bytes = (size_t)status.st_size;
		} else if (rules != MAP_FAILED) {
			munmap(rules, (size_t)status.st_size);
		}
	}
	close(file->elf.rules_fd);
	file->elf.rules_fd = -1;
}

static struct file *file_create(struct files *files, int fd, const char *path,
				const struct stat *status)
{
	struct file *file = calloc(1, sizeof(*file));

	if (!file)
		return NULL;
	file->device = status->st_dev;
	file->inode = status->st_ino;
	file->bytes = status->st_size;
	file->changed = status->st_mtim;
	file->elf.rules_fd = -1;
	file->known = !symbolizer_open_module(files->symbolizer, fd, path, &file->elf);
	map_rules(file);
	return file;
}

const struct file *files_get(struct files *files, int fd, const char *path)
{
	struct stat status;
	struct file *file;

	if (fstat(fd, &status))
		return NULL;
	/* Each copy of it is another file, but there is one in the kernel. */
	if (!strcmp(path, "[vdso]"))
		status = (struct stat){ .st_size = status.st_size };
	for (size_t i = 0; i < files->nr; i++)
		if (is_same(files->items[i], &status))
			return files->items[i];
	if (ARRAY_GROW(files))
		return NULL;
	file = file_create(files, fd, path, &status);
	if (file)
		files->items[files->nr++] = file;
	return file;
}
