/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All that the tracer may ask about files.  The tracer never parses a file that the target
 * can influence: a process of its own, forked from memtrace, does so with libelf, libdw and
 * libdwfl.  Descriptors of modules go in; segments, symbols, unwind rules and frames come out.
 * A hostile or broken file can cost names, never the target.  That process has given up root and
 * most else (sandbox.h), and one that dies or hangs is replaced by the next.
 *
 * Thread state: one thread, which need not be the one that called symbolizer_start().
 * Ownership: what an `out` parameter receives belongs to the caller and is given back with the
 * _release function named beside it; outputs are untouched on failure.
 * Addresses: "vaddr" is an address as the file has it (load bias not added).
 * Failure: -errno.  -EPIPE or -ETIMEDOUT: the process has died of what was asked, twice, or has
 * hung (it was killed).  The user has been warned; the caller goes on without the answer, and may
 * ask other things.  Once too many processes were lost, or three have hung, or the user has given
 * up, every further call returns -EPIPE at once.
 */
#ifndef MEMTRACE_SYMBOLIZER_H
#define MEMTRACE_SYMBOLIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct symbolizer;

struct symbolizer_config {
	/* Functions to look for in each module; symbol.name is an index into it.  Both arrays
	 * must stay valid until symbolizer_start() has returned. */
	const char *const *names;
	size_t nr_names;
	/* Further directories of separate debug files (--debug-dir). */
	const char *const *debug_dirs;
	size_t nr_debug_dirs;
	/* Asked while an answer is waited for, after each signal; true ends the process for
	 * good, and names with it.  NULL: never. */
	bool (*give_up)(void);
};

/* Forks the process.  Call before the first thread and before the first attach, so that it
 * inherits no descriptor of a target. */
int symbolizer_start(const struct symbolizer_config *config, struct symbolizer **out);

/* Ends the process and frees the handle; NULL is allowed. */
void symbolizer_stop(struct symbolizer *symbolizer);

/* Of the process's parent, which is a child of ours like any other, and may show in waitpid(-1).
 * Its end is the end of all names. */
pid_t symbolizer_pid(const struct symbolizer *symbolizer);

struct elf_segment {		/* one PT_LOAD */
	uint64_t vaddr, offset, file_bytes, memory_bytes;
	uint32_t flags;		/* PF_R, PF_W, PF_X */
	uint32_t unused;	/* no padding: sent as it is */
};

enum elf_symbol_kind {
	SYMBOL_GLOBAL,		/* a function, global or weak */
	SYMBOL_LOCAL,		/* a function of one source file's */
	SYMBOL_INDIRECT,	/* chosen at run time (ifunc): not its code's address */
	SYMBOL_DATA,		/* no function */
};

struct elf_symbol {
	uint32_t name;		/* index into config.names */
	uint32_t kind;		/* enum elf_symbol_kind */
	uint64_t vaddr;
	uint64_t size_bytes;	/* 0 where the file does not say */
};

#define BUILD_ID_MAX 32

/* Runtimes with an allocator of their own.  Each is one bit: a file may have several. */
enum elf_runtime {
	RUNTIME_GO = 1,
	RUNTIME_JAVA = 2,
	RUNTIME_V8 = 4,			/* node */
	RUNTIME_PYTHON = 8,		/* with pymalloc built in */
	RUNTIME_ASAN = 16,		/* these also of a file that was compiled for it */
	RUNTIME_TSAN = 32,
	RUNTIME_MSAN = 64,
	RUNTIME_LSAN = 128,		/* without AddressSanitizer, which has it too */
};

/* What is known of one file.  `id` is the handle for symbolizer_frames(). */
struct elf_module {
	uint32_t id;
	bool position_independent;	/* ET_DYN */
	bool has_interpreter;		/* PT_INTERP: a dynamically linked program */
	bool has_dynamic;		/* PT_DYNAMIC */
	bool has_exceptions;		/* it refers to what throws or catches them */
	uint32_t runtimes;		/* enum elf_runtime */
	uint8_t build_id[BUILD_ID_MAX];
	size_t build_id_bytes;		/* 0: none */
	char version[32];		/* of a C library: "glibc 2.36", "musl"; else empty */
	struct elf_segment *segments;	/* in file order */
	size_t nr_segments;
	struct elf_symbol *symbols;	/* of config.names, as far as the file defines them
					 * (.dynsym, .symtab); the same vaddr may come under
					 * several names, a pair only once */
	size_t nr_symbols;
	int rules_fd;			/* sealed memory file in the form of rules.h; -1: none,
					 * or making them has failed */
};

/* `fd` is duplicated and stays the caller's; one of ours and one of the process's stay open.  `path` names the file in
 * messages and for its separate debug file; it need not exist (a deleted file, the vdso). */
int symbolizer_open_module(struct symbolizer *symbolizer, int fd, const char *path,
			   struct elf_module *out);
void elf_module_release(struct elf_module *module);

/* A file's separate debug file, for who has only its build id (BUILD_ID_MAX bytes at most): from
 * debuginfod servers, if any may be asked.  A descriptor, which is the caller's and may be opened
 * as a module, or -ENOENT. */
int symbolizer_find_file(struct symbolizer *symbolizer, const uint8_t *build_id, size_t bytes);

/* The target runs for a while: programs and C libraries that are open by now are made ready for
 * symbolizer_frames() meanwhile, since nearly every stack leads through both. */
int symbolizer_prepare(struct symbolizer *symbolizer);

struct symbol_frame {
	const char *function;	/* demangled, with parameters where C++ has them; or NULL */
	const char *file;	/* as the debug information has it, absolute if it says; or NULL */
	uint32_t line;		/* 0: not known */
	bool inlined;		/* inlined into the next frame */
	uint32_t offset;	/* of a variable: where in it the address lies; 0 of a function */
};

/* The frames of one address, innermost first; the last one is not inlined.  nr == 0: nothing
 * is known, not even a symbol. */
struct symbol_frames {
	const struct symbol_frame *frames;
	size_t nr;
};

struct symbol_table;	/* owns the memory of the frames */

/* `vaddrs` are looked up as they are: the caller has taken 1 off a return address.
 * out_frames has room for nr entries and points into *out. */
int symbolizer_frames(struct symbolizer *symbolizer, uint32_t module, const uint64_t *vaddrs,
		      size_t nr, struct symbol_frames *out_frames, struct symbol_table **out);

/* The same of data: each address has the variable that it lies in, at most, in `function`, and the
 * line that declares it.  Thread-local and automatic variables have no address. */
int symbolizer_variables(struct symbolizer *symbolizer, uint32_t module, const uint64_t *vaddrs,
			 size_t nr, struct symbol_frames *out_variables,
			 struct symbol_table **out);
void symbol_table_release(struct symbol_table *table);

/* True once frames were looked up in the module and no DWARF was found for it. */
bool symbolizer_lacks_debug_info(const struct symbolizer *symbolizer, uint32_t module);

/* One line of a source file, without its end and leading blanks; -ENOENT where there is none,
 * -EACCES where the process's user may not read it. */
int symbolizer_source_line(struct symbolizer *symbolizer, const char *path, uint32_t line,
			   char *buffer, size_t bytes);

#endif
