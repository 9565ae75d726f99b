/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where files lie: at the module's path; below each folder of debug files by build id, as
 * distributions have it, by path, and by name; at debuginfod servers.
 */
#include "module_search.h"

#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report/places.h"

#define SYSTEM_DIR "/usr/lib/debug"

/* Whoever wrote the report chose the path: nothing that it leads to is waited for. */
static int open_regular(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat status;

	if (fd >= 0 && (fstat(fd, &status) || !S_ISREG(status.st_mode))) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool is_same_build(const struct run_module *module, const struct elf_module *file)
{
	return file->build_id_bytes == module->build_id_bytes &&
	       !memcmp(file->build_id, module->build_id, module->build_id_bytes);
}

/* Takes the descriptor.  *another: there is a file, and it is of another build. */
static bool try_file(const struct module_search *search, int fd, const char *path,
		     struct run_module *module, bool *another)
{
	struct elf_module file;
	int error = symbolizer_open_module(search->symbolizer, fd, path, &file);

	close(fd);
	if (error)
		return false;
	module->known = is_same_build(module, &file);
	module->symbolizer_id = file.id;
	*another |= !module->known;
	elf_module_release(&file);
	return module->known;
}

static bool try_path(const struct module_search *search, const char *path,
		     struct run_module *module, bool *another)
{
	int fd = open_regular(path);

	return fd >= 0 && try_file(search, fd, path, module, another);
}

__attribute__((format(printf, 3, 4)))
static bool try(const struct module_search *search, struct run_module *module, const char *format,
		...)
{
	char path[PATH_MAX];
	bool another = false;
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(path, sizeof(path), format, arguments);
	va_end(arguments);
	return length > 0 && length < PATH_MAX && try_path(search, path, module, &another);
}

static bool search_by_id(const struct module_search *search, const char *folder,
			 struct run_module *module)
{
	char id[2 * BUILD_ID_MAX + 1];

	place_build_id(id, sizeof(id), module);
	return try(search, module, "%s/.build-id/%.2s/%s.debug", folder, id, id + 2) ||
	       try(search, module, "%s/.build-id/%.2s/%s", folder, id, id + 2);
}

static bool search_by_name(const struct module_search *search, const char *folder,
			   struct run_module *module)
{
	const char *base = place_base(module->path), *slash = *module->path == '/' ? "" : "/";

	return try(search, module, "%s%s%s.debug", folder, slash, module->path) ||
	       try(search, module, "%s%s%s", folder, slash, module->path) ||
	       try(search, module, "%s/%s.debug", folder, base) ||
	       try(search, module, "%s/%s", folder, base);
}

static bool search_servers(const struct module_search *search, struct run_module *module)
{
	int fd = symbolizer_find_file(search->symbolizer, module->build_id, module->build_id_bytes);
	bool another = false;

	return fd >= 0 && try_file(search, fd, module->path, module, &another);
}

enum module_search_result module_search(const struct module_search *search,
					struct run_module *module)
{
	bool another = false;

	if (module->build_id_bytes < 2)
		return SEARCH_NOTHING;
	if (*module->path == '/' && try_path(search, module->path, module, &another))
		return SEARCH_FOUND;
	for (size_t i = 0; i < search->nr_debug_dirs; i++)
		if (search_by_id(search, search->debug_dirs[i], module) ||
		    search_by_name(search, search->debug_dirs[i], module))
			return SEARCH_FOUND;
	if (search_by_id(search, SYSTEM_DIR, module) || search_servers(search, module))
		return SEARCH_FOUND;
	return another ? SEARCH_ANOTHER : SEARCH_NOTHING;
}
