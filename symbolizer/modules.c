/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opening a module.  debuginfod is asked through libdwfl, which reads DEBUGINFOD_URLS at each
 * question: the variable is set only while a question is allowed, and for no longer than
 * DOWNLOAD_BUDGET_NS in all, since a server that hangs costs its time limit for each file.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../tracer/base/array.h"
#include "../tracer/base/clock.h"
#include "debug_names.h"
#include "frames.h"
#include "libc_version.h"
#include "modules.h"
#include "sandbox.h"
#include "variables.h"

#define DOWNLOAD_BUDGET_NS (40ull * 1000000000)
#define SEGMENTS_MAX 4096

static char *debug_path;
static char *download_urls;
static uint64_t downloading_ns;

static int find_no_elf(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr base,
		       char **file_name, Elf **elf)
{
	return -1;
}

/* As dwfl_standard_find_debuginfo() does it where no server may be asked; *found is left alone if it
 * may find more.  A link without a checksum is that of a supplementary file (dwz). */
static bool is_nowhere(Dwfl_Module *module, const char *file_name, const char *link, GElf_Word crc,
		       char **found, int *fd)
{
	if (!modules_never_download() || (link && !crc))
		return false;
	errno = 0;			/* left alone where there is no build id */
	*fd = dwfl_build_id_find_debuginfo(module, NULL, NULL, 0, NULL, NULL, 0, found);
	return *fd >= 0 || errno || !debug_names_any(debug_path, file_name, link);
}

static int find_debug_file(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr base,
			   const char *file_name, const char *link, GElf_Word crc, char **found)
{
	uint64_t start_ns = clock_ns();
	int fd;

	if (is_nowhere(module, file_name, link, crc, found, &fd))
		return fd;
	fd = dwfl_standard_find_debuginfo(module, data, name, base, file_name, link, crc, found);
	if (getenv("DEBUGINFOD_URLS"))
		downloading_ns += clock_ns() - start_ns;
	if (downloading_ns > DOWNLOAD_BUDGET_NS)
		modules_allow_download(false);
	return fd;
}

static const Dwfl_Callbacks callbacks = {
	.find_elf = find_no_elf,
	.find_debuginfo = find_debug_file,
	.section_address = dwfl_offline_section_address,
	.debuginfo_path = &debug_path,
};

bool modules_never_download(void)
{
	return !download_urls;
}

/* The environment must not change while the background thread reads it. */
void modules_allow_download(bool allowed)
{
	if (modules_never_download())
		return;
	if (allowed && downloading_ns <= DOWNLOAD_BUDGET_NS)
		setenv("DEBUGINFOD_URLS", download_urls, 1);
	else
		unsetenv("DEBUGINFOD_URLS");
}

/* $HOME is that of the user who we no longer are.  A folder that others could have made might
 * hold anything: then no server is asked. */
static bool has_cache(void)
{
	char path[64];
	struct stat status;

	if (!sandbox_has_other_user() || getenv("DEBUGINFOD_CACHE_PATH"))
		return true;
	snprintf(path, sizeof(path), "/var/tmp/memtrace-debuginfod-%u", getuid());
	if (mkdir(path, 0700) && errno != EEXIST)
		return false;
	return !lstat(path, &status) && S_ISDIR(status.st_mode) && status.st_uid == getuid() &&
	       !(status.st_mode & 022) && !setenv("DEBUGINFOD_CACHE_PATH", path, 1);
}

static int limit_downloads(void)
{
	const char *urls = getenv("DEBUGINFOD_URLS");

	if (urls && *urls && has_cache()) {
		download_urls = strdup(urls);
		if (!download_urls)
			return -ENOMEM;
	}
	unsetenv("DEBUGINFOD_PROGRESS");
	unsetenv("DEBUGINFOD_VERBOSE");
	setenv("DEBUGINFOD_TIMEOUT", "5", 0);
	setenv("DEBUGINFOD_MAXTIME", "15", 0);
	unsetenv("DEBUGINFOD_URLS");
	return 0;
}

/* libdwfl searches build ids below absolute directories only. */
int modules_init(const char *const *debug_dirs, size_t nr_debug_dirs)
{
	char absolute[PATH_MAX], *longer;

	debug_path = strdup(":.debug:/usr/lib/debug");
	for (size_t i = 0; debug_path && i < nr_debug_dirs; i++) {
		if (!realpath(debug_dirs[i], absolute))
			continue;
		if (asprintf(&longer, "%s:%s", debug_path, absolute) < 0)
			return -ENOMEM;
		free(debug_path);
		debug_path = longer;
	}
	return debug_path ? limit_downloads() : -ENOMEM;
}

/* A module without a file is all that libdwfl needs to ask for one. */
static Dwfl_Module *report_build_id(Dwfl *session, const uint8_t *build_id, size_t bytes)
{
	Dwfl_Module *module;

	dwfl_report_begin(session);
	module = dwfl_report_module(session, "module", 0, 1);
	if (!module || dwfl_module_report_build_id(module, build_id, bytes, 0) ||
	    dwfl_report_end(session, NULL, NULL))
		return NULL;
	return module;
}

int module_download(const uint8_t *build_id, size_t bytes)
{
	Dwfl *session = modules_never_download() ? NULL : dwfl_begin(&callbacks);
	Dwfl_Module *module = session ? report_build_id(session, build_id, bytes) : NULL;
	void *unused = NULL;
	char *found = NULL;
	int fd = -1;

	if (module)
		fd = find_debug_file(module, &unused, "module", 0, NULL, NULL, 0, &found);
	free(found);
	dwfl_end(session);
	return fd < 0 ? -ENOENT : fd;
}

static bool is_supported(Elf *elf)
{
	GElf_Ehdr header;

	return gelf_getehdr(elf, &header) && header.e_machine == EM_X86_64 &&
	       header.e_ident[EI_CLASS] == ELFCLASS64 && header.e_ident[EI_DATA] == ELFDATA2LSB &&
	       (header.e_type == ET_EXEC || header.e_type == ET_DYN);
}

/* add_p_vaddr with a base of 0: the bias is 0 whatever the first segment's address. */
static int report(struct module *module, int fd, const char *path)
{
	GElf_Addr bias;

	dwfl_report_begin(module->session);
	module->dwfl = dwfl_report_elf(module->session, path, path, fd, 0, true);
	if (!module->dwfl) {
		close(fd);
		return -ENOEXEC;
	}
	if (dwfl_report_end(module->session, NULL, NULL))
		return -ENOEXEC;
	module->elf = dwfl_module_getelf(module->dwfl, &bias);
	return module->elf && !bias && is_supported(module->elf) ? 0 : -ENOEXEC;
}

static bool is_regular_file(int fd)
{
	struct stat status;

	return !fstat(fd, &status) && S_ISREG(status.st_mode);
}

int module_open(int fd, const char *path, struct module **out)
{
	struct module *module = calloc(1, sizeof(*module));
	int ret = -ENOMEM;

	if (!module || !is_regular_file(fd)) {
		ret = module ? -ENOEXEC : -ENOMEM;
		goto out_fd;
	}
	module->session = dwfl_begin(&callbacks);
	if (!module->session)
		goto out_fd;
	ret = report(module, fd, path);
	if (ret)
		module_close(module);
	else
		*out = module;
	return ret;
out_fd:
	close(fd);
	free(module);
	return ret;
}

void module_close(struct module *module)
{
	frames_forget(module);
	variables_forget(module);
	dwfl_end(module->session);
	free(module);
}

static void note_header(const GElf_Phdr *header, struct wire_module *out)
{
	if (header->p_type == PT_INTERP)
		out->has_interpreter = 1;
	if (header->p_type == PT_DYNAMIC)
		out->has_dynamic = 1;
}

static int add_segment(struct segments *segments, const GElf_Phdr *header)
{
	if (ARRAY_GROW(segments))
		return -ENOMEM;
	segments->items[segments->nr++] = (struct elf_segment){
		.vaddr = header->p_vaddr,
		.offset = header->p_offset,
		.file_bytes = header->p_filesz,
		.memory_bytes = header->p_memsz,
		.flags = header->p_flags,
	};
	return 0;
}

static int read_headers(Elf *elf, struct wire_module *out, struct segments *segments)
{
	size_t nr_headers;
	GElf_Phdr header;

	if (elf_getphdrnum(elf, &nr_headers))
		return -ENOEXEC;
	for (size_t i = 0; i < nr_headers && i < SEGMENTS_MAX; i++) {
		if (!gelf_getphdr(elf, (int)i, &header))
			continue;
		note_header(&header, out);
		if (header.p_type == PT_LOAD && add_segment(segments, &header))
			return -ENOMEM;
	}
	return 0;
}

int module_describe(const struct module *module, struct wire_module *out,
		    struct segments *segments)
{
	const unsigned char *id;
	GElf_Addr id_vaddr;
	GElf_Ehdr header;
	int ret, nr_id;

	ret = read_headers(module->elf, out, segments);
	if (ret)
		return ret;
	out->position_independent = gelf_getehdr(module->elf, &header) && header.e_type == ET_DYN;
	nr_id = dwfl_module_build_id(module->dwfl, &id, &id_vaddr);
	if (nr_id > 0 && nr_id <= BUILD_ID_MAX) {
		out->build_id_bytes = (uint32_t)nr_id;
		memcpy(out->build_id, id, (size_t)nr_id);
	}
	libc_version(module->elf, !out->has_interpreter, out->version, sizeof(out->version));
	return 0;
}
