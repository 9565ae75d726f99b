/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The symbolizer through its public functions, on small programs compiled here, on libc and on
 * files made to be wrong.  Addresses come from labels in the programs, so that no test depends on
 * what the compiler makes of them.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../symbolizer/demangle.h"
#include "../../symbolizer/rules.h"
#include "../../symbolizer/symbolizer.h"
#include "../../symbolizer/wire.h"
#include "folder.h"

enum { MALLOC, MAIN, MARK_PLAIN, MARK_INLINED, MARK_CPP };

static const char *const names[] = { "malloc", "main", "mark_plain", "mark_inlined", "mark_cpp" };

static const char c_program[] =
	"#include <stdlib.h>\n"
	"#define MARK(name) __asm__ volatile(\".globl \" #name \"\\n.type \" #name\\\n"
	"	\",@function\\n\" #name \":\")\n"
	"static inline __attribute__((always_inline)) int twice(int x)\n"
	"{\n"
	"	MARK(mark_inlined); __asm__ volatile(\"nop\");\n"		/* line 6 */
	"	return 2 * x;\n"
	"}\n"
	"__attribute__((noinline)) int plain(int x)\n"
	"{\n"
	"  \t MARK(mark_plain); __asm__ volatile(\"nop\");  \n"		/* line 11 */
	"	return twice(x);\n"						/* line 12 */
	"}\n"
	"int main(int argc, char **argv)\n"
	"{\n"
	"	return plain(argc);\n"
	"}\n";

static const char cpp_program[] =
	"namespace shop { struct Order { int id; int total(int x); }; }\n"
	"__attribute__((noinline)) int shop::Order::total(int x)\n"
	"{\n"
	"	__asm__ volatile(\".globl mark_cpp\\n.type mark_cpp,@function\\nmark_cpp:nop\");\n"
	"	return x + id;\n"
	"}\n"
	"int main(int argc, char **) { shop::Order o{1}; return o.total(argc); }\n";

static int set_up(void **state)
{
	assert_int_equal(make_folder(state), 0);
	assert_int_equal(chmod(folder, 0755), 0);	/* the process may not be root */
	write_file("c.c", c_program);
	write_file("cpp.cc", cpp_program);
	run("gcc -O2 -g c.c -o c");
	return 0;
}

static struct symbolizer *start(void)
{
	const char *const dirs[] = { in_folder("debug") };
	struct symbolizer_config config = {
		.names = names, .nr_names = sizeof(names) / sizeof(names[0]),
		.debug_dirs = dirs, .nr_debug_dirs = 1,
	};
	struct symbolizer *symbolizer;

	assert_int_equal(symbolizer_start(&config, &symbolizer), 0);
	return symbolizer;
}

static int open_path(struct symbolizer *symbolizer, const char *path, struct elf_module *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), ret;

	assert_true(fd >= 0);
	ret = symbolizer_open_module(symbolizer, fd, path, out);
	close(fd);
	return ret;
}

static const struct elf_symbol *symbol(const struct elf_module *module, uint32_t name)
{
	for (size_t i = 0; i < module->nr_symbols; i++)
		if (module->symbols[i].name == name)
			return &module->symbols[i];
	return NULL;
}

/* The program in the folder, and the frames at one of its marks. */
struct lookup {
	struct symbolizer *symbolizer;
	struct elf_module module;
	struct symbol_frames frames;
	struct symbol_table *table;
};

static void look_up(struct lookup *lookup, const char *program, uint64_t vaddr)
{
	lookup->symbolizer = start();
	assert_int_equal(open_path(lookup->symbolizer, in_folder(program), &lookup->module), 0);
	assert_int_equal(symbolizer_frames(lookup->symbolizer, lookup->module.id, &vaddr, 1,
					   &lookup->frames, &lookup->table), 0);
}

static uint64_t vaddr_of(const char *program, uint32_t name)
{
	struct symbolizer *symbolizer = start();
	struct elf_module module;
	uint64_t vaddr;

	assert_int_equal(open_path(symbolizer, in_folder(program), &module), 0);
	assert_non_null(symbol(&module, name));
	vaddr = symbol(&module, name)->vaddr;
	elf_module_release(&module);
	symbolizer_stop(symbolizer);
	return vaddr;
}

static void look_down(struct lookup *lookup)
{
	symbol_table_release(lookup->table);
	elf_module_release(&lookup->module);
	symbolizer_stop(lookup->symbolizer);
}

static void is_frame(const struct symbol_frame *frame, const char *function, const char *file,
		     uint32_t line, bool inlined)
{
	assert_string_equal(frame->function, function);
	assert_string_equal(frame->file, in_folder(file));
	assert_int_equal(frame->line, line);
	assert_int_equal(frame->inlined, inlined);
}

static void test_libc(void **state)
{
	struct symbolizer *symbolizer = start();
	struct elf_module module;

	assert_int_equal(open_path(symbolizer, "/lib/x86_64-linux-gnu/libc.so.6", &module), 0);
	assert_true(module.position_independent && module.has_dynamic);
	assert_int_equal(strncmp(module.version, "glibc 2.", 8), 0);
	assert_true(module.build_id_bytes > 0 && module.nr_segments >= 2);
	assert_non_null(symbol(&module, MALLOC));
	assert_true(symbol(&module, MALLOC)->size_bytes > 0);
	assert_null(symbol(&module, MAIN));
	assert_true(module.rules_fd >= 0);
	elf_module_release(&module);
	symbolizer_stop(symbolizer);
}

static void test_program(void **state)
{
	struct symbolizer *symbolizer = start();
	struct elf_module module, fixed;

	run("gcc -no-pie -O2 c.c -o fixed");
	assert_int_equal(open_path(symbolizer, in_folder("c"), &module), 0);
	assert_int_equal(open_path(symbolizer, in_folder("fixed"), &fixed), 0);
	assert_true(module.position_independent && module.has_interpreter);
	assert_false(fixed.position_independent);
	assert_int_not_equal(module.id, fixed.id);
	assert_string_equal(module.version, "");
	assert_true(symbol(&fixed, MAIN)->vaddr >= fixed.segments[0].vaddr);
	elf_module_release(&module);
	elf_module_release(&fixed);
	symbolizer_stop(symbolizer);
}

static void test_plain_frame(void **state)
{
	struct lookup lookup;

	look_up(&lookup, "c", vaddr_of("c", MARK_PLAIN));
	assert_int_equal(lookup.frames.nr, 1);
	is_frame(&lookup.frames.frames[0], "plain", "c.c", 11, false);
	assert_false(symbolizer_lacks_debug_info(lookup.symbolizer, lookup.module.id));
	look_down(&lookup);
}

static void check_inlined(const char *program)
{
	struct lookup lookup;

	look_up(&lookup, program, vaddr_of("c", MARK_INLINED));
	assert_int_equal(lookup.frames.nr, 2);
	is_frame(&lookup.frames.frames[0], "twice", "c.c", 6, true);
	is_frame(&lookup.frames.frames[1], "plain", "c.c", 12, false);
	look_down(&lookup);
}

static void test_inlined_frame(void **state)
{
	check_inlined("c");
}

/* Names made ready while the next modules are opened are those that are made when asked for. */
static void test_prepared(void **state)
{
	static const char *const libraries[] = {
		"/lib/x86_64-linux-gnu/libc.so.6", "/lib/x86_64-linux-gnu/libm.so.6",
		"/lib64/ld-linux-x86-64.so.2",
	};
	uint64_t vaddr = vaddr_of("c", MARK_INLINED);
	struct lookup lookup = { .symbolizer = start() };
	struct elf_module others[3];

	assert_int_equal(open_path(lookup.symbolizer, in_folder("c"), &lookup.module), 0);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(symbolizer_prepare(lookup.symbolizer), 0);
		assert_int_equal(open_path(lookup.symbolizer, libraries[i], &others[i]), 0);
		assert_true(others[i].rules_fd >= 0);
	}
	assert_int_equal(symbolizer_prepare(lookup.symbolizer), 0);
	assert_int_equal(symbolizer_prepare(lookup.symbolizer), 0);
	assert_int_equal(symbolizer_frames(lookup.symbolizer, lookup.module.id, &vaddr, 1,
					   &lookup.frames, &lookup.table), 0);
	assert_int_equal(lookup.frames.nr, 2);
	is_frame(&lookup.frames.frames[0], "twice", "c.c", 6, true);
	is_frame(&lookup.frames.frames[1], "plain", "c.c", 12, false);
	for (unsigned i = 0; i < 3; i++)
		elf_module_release(&others[i]);
	look_down(&lookup);
}

static void test_dwarf_variants(void **state)
{
	static const char *const flags[] = { "-gdwarf-4", "-gz", "-gsplit-dwarf", "-flto" };
	char command[200];

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		struct lookup lookup;

		snprintf(command, sizeof(command), "gcc -O2 -g %s c.c -o variant", flags[i]);
		run(command);
		look_up(&lookup, "variant", vaddr_of("variant", MARK_INLINED));
		assert_true(lookup.frames.nr >= 2);
		is_frame(&lookup.frames.frames[0], "twice", "c.c", 6, true);
		look_down(&lookup);
	}
}

static void test_split_dwarf_lost(void **state)
{
	struct lookup lookup;

	run("gcc -O2 -gsplit-dwarf c.c -o split && rm -f *.dwo");
	look_up(&lookup, "split", vaddr_of("split", MARK_PLAIN) + 1);
	assert_int_equal(lookup.frames.nr, 1);
	look_down(&lookup);
}

static void test_cpp_name(void **state)
{
	struct lookup lookup;

	run("g++ -O2 -g cpp.cc -o cpp");
	look_up(&lookup, "cpp", vaddr_of("cpp", MARK_CPP));
	assert_int_equal(lookup.frames.nr, 1);
	is_frame(&lookup.frames.frames[0], "shop::Order::total(int)", "cpp.cc", 4, false);
	look_down(&lookup);
}

static void test_debug_link(void **state)
{
	run("gcc -O2 -g -Wl,--build-id=none c.c -o c && cp c linked && mkdir -p .debug && "
	    "objcopy --only-keep-debug c .debug/linked.debug && strip linked && "
	    "objcopy --add-gnu-debuglink=.debug/linked.debug linked");
	check_inlined("linked");
}

static void test_debug_directory(void **state)
{
	run("gcc -O2 -g -Wl,--build-id=0x1234567890abcdef c.c -o c && cp c bare && strip bare && "
	    "mkdir -p debug/.build-id/12 && "
	    "objcopy --only-keep-debug c debug/.build-id/12/34567890abcdef.debug");
	check_inlined("bare");
}

static void test_symbol_table_only(void **state)
{
	struct lookup lookup;

	run("gcc -O2 c.c -o nodebug && objcopy -N mark_plain -N mark_inlined nodebug");
	look_up(&lookup, "nodebug", vaddr_of("nodebug", MAIN));
	assert_int_equal(lookup.frames.nr, 1);
	assert_string_equal(lookup.frames.frames[0].function, "main");
	assert_null(lookup.frames.frames[0].file);
	assert_true(symbolizer_lacks_debug_info(lookup.symbolizer, lookup.module.id));
	look_down(&lookup);
}

static void test_nothing_known(void **state)
{
	struct lookup lookup;

	look_up(&lookup, "c", 0x7fffffff0000);
	assert_int_equal(lookup.frames.nr, 0);
	look_down(&lookup);
	look_up(&lookup, "c", 0);
	assert_int_equal(lookup.frames.nr, 0);
	look_down(&lookup);
}

static void test_no_addresses(void **state)
{
	struct symbolizer *symbolizer = start();
	struct elf_module module;
	struct symbol_table *table;

	assert_int_equal(open_path(symbolizer, in_folder("c"), &module), 0);
	assert_int_equal(symbolizer_frames(symbolizer, module.id, NULL, 0, NULL, &table), 0);
	assert_int_equal(symbolizer_frames(symbolizer, 77, NULL, 0, NULL, &table), -EINVAL);
	symbol_table_release(table);
	elf_module_release(&module);
	symbolizer_stop(symbolizer);
}

static void test_deleted_file(void **state)
{
	struct symbolizer *symbolizer = start();
	struct elf_module module;
	int fd;

	run("cp c gone");
	fd = open(in_folder("gone"), O_RDONLY | O_CLOEXEC);
	run("rm gone");
	assert_int_equal(symbolizer_open_module(symbolizer, fd, "/gone (deleted)", &module), 0);
	assert_non_null(symbol(&module, MAIN));
	elf_module_release(&module);
	symbolizer_stop(symbolizer);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
}

static void test_no_elf(void **state)
{
	struct symbolizer *symbolizer = start();
	struct elf_module module;
	int pipes[2];

	assert_int_equal(open_path(symbolizer, in_folder("c.c"), &module), -ENOEXEC);
	assert_int_equal(open_path(symbolizer, "/dev/null", &module), -ENOEXEC);
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(symbolizer_open_module(symbolizer, pipes[0], "pipe", &module), -ENOEXEC);
	assert_int_equal(open_path(symbolizer, in_folder("c"), &module), 0);
	elf_module_release(&module);
	close(pipes[0]);
	close(pipes[1]);
	symbolizer_stop(symbolizer);
}

/* What is damaged may cost names, or the process, but never this one. */
static void try_damaged(struct symbolizer **symbolizer, int fd, unsigned int seed)
{
	uint64_t vaddrs[64];
	struct symbol_frames frames[64];
	struct symbol_table *table;
	struct elf_module module;
	int ret = symbolizer_open_module(*symbolizer, fd, "damaged", &module);

	for (size_t i = 0; i < 64; i++)
		vaddrs[i] = 0x1000 + i * 8;
	if (!ret) {
		if (seed % 2)
			(void)symbolizer_prepare(*symbolizer);
		ret = symbolizer_frames(*symbolizer, module.id, vaddrs, 64, frames, &table);
		if (!ret)
			symbol_table_release(table);
		elf_module_release(&module);
	}
	if (ret == -EPIPE) {
		print_message("the process ended on seed %u\n", seed);
		symbolizer_stop(*symbolizer);
		*symbolizer = start();
	}
}

static void test_damaged_files(void **state)
{
	struct symbolizer *symbolizer = start();
	int in = open(in_folder("c"), O_RDONLY | O_CLOEXEC);
	static char bytes[65536];
	ssize_t nr = read(in, bytes, sizeof(bytes));

	assert_true(nr > 1000);
	for (unsigned int seed = 1; seed <= 200; seed++) {
		int fd = memfd_create("damaged", MFD_CLOEXEC);

		srandom(seed);
		assert_int_equal(write(fd, bytes, (size_t)nr), nr);
		for (int i = 0; i < 20; i++) {
			char byte = (char)random();

			assert_int_equal(pwrite(fd, &byte, 1, random() % nr), 1);
		}
		try_damaged(&symbolizer, fd, seed);
		close(fd);
	}
	close(in);
	symbolizer_stop(symbolizer);
}

static void test_source_line(void **state)
{
	struct symbolizer *symbolizer = start();
	char line[64], shorter[5];

	assert_int_equal(symbolizer_source_line(symbolizer, in_folder("c.c"), 11, line,
						sizeof(line)), 0);
	assert_string_equal(line, "MARK(mark_plain); __asm__ volatile(\"nop\");");
	assert_int_equal(symbolizer_source_line(symbolizer, in_folder("c.c"), 11, shorter,
						sizeof(shorter)), 0);
	assert_string_equal(shorter, "MARK");
	assert_int_equal(symbolizer_source_line(symbolizer, in_folder("c.c"), 17, line,
						sizeof(line)), 0);
	assert_string_equal(line, "}");
	assert_int_equal(symbolizer_source_line(symbolizer, in_folder("c.c"), 18, line,
						sizeof(line)), -ENOENT);
	assert_int_equal(symbolizer_source_line(symbolizer, in_folder("c.c"), 0, line,
						sizeof(line)), -ENOENT);
	assert_int_equal(symbolizer_source_line(symbolizer, in_folder("none"), 1, line,
						sizeof(line)), -ENOENT);
	symbolizer_stop(symbolizer);
}

static void test_source_no_file(void **state)
{
	struct symbolizer *symbolizer = start();
	char line[64];

	run("mkfifo fifo");
	assert_int_equal(symbolizer_source_line(symbolizer, in_folder("fifo"), 1, line,
						sizeof(line)), -ENOENT);
	assert_int_equal(symbolizer_source_line(symbolizer, folder, 1, line, sizeof(line)),
			 -ENOENT);
	symbolizer_stop(symbolizer);
}

static void expect_dead(struct symbolizer *symbolizer)
{
	struct elf_module module;
	char line[8];

	assert_int_equal(open_path(symbolizer, in_folder("c"), &module), -EPIPE);
	assert_int_equal(open_path(symbolizer, in_folder("c"), &module), -EPIPE);
	assert_int_equal(symbolizer_source_line(symbolizer, "/x", 1, line, sizeof(line)), -EPIPE);
}

/* The process that answers: the only child of the one that is ours. */
static pid_t server_of(const struct symbolizer *symbolizer)
{
	pid_t guardian = symbolizer_pid(symbolizer);
	char path[64];
	FILE *file;
	int pid = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", guardian, guardian);
	for (int i = 0; !pid && i < 1000; i++, usleep(10000)) {
		file = fopen(path, "re");
		assert_non_null(file);
		if (fscanf(file, "%d", &pid) != 1)
			pid = 0;
		fclose(file);
	}
	assert_true(pid > 0);
	return pid;
}

static void await_end(pid_t pid)
{
	for (int i = 0; i < 1000 && !kill(pid, 0); i++)
		usleep(10000);
	assert_int_equal(kill(pid, 0), -1);
}

static void test_killed(void **state)
{
	struct symbolizer *symbolizer = start();
	pid_t server = server_of(symbolizer);

	kill(symbolizer_pid(symbolizer), SIGKILL);
	await_end(server);
	expect_dead(symbolizer);
	assert_int_equal(waitpid(symbolizer_pid(symbolizer), NULL, WNOHANG), -1);
	symbolizer_stop(symbolizer);
}

/* Whatever was asked for next is answered by another one, which opens again what it needs. */
static void test_server_replaced(void **state)
{
	uint64_t vaddr = vaddr_of("c", MARK_PLAIN);
	struct lookup lookup = { .symbolizer = start() };
	struct elf_module other;
	char line[64];

	assert_int_equal(open_path(lookup.symbolizer, "/lib64/ld-linux-x86-64.so.2", &other), 0);
	kill(server_of(lookup.symbolizer), SIGKILL);
	assert_int_equal(open_path(lookup.symbolizer, in_folder("c"), &lookup.module), 0);
	assert_true(lookup.module.rules_fd >= 0);
	kill(server_of(lookup.symbolizer), SIGKILL);
	assert_int_equal(symbolizer_source_line(lookup.symbolizer, in_folder("c.c"), 17, line,
						sizeof(line)), 0);
	kill(server_of(lookup.symbolizer), SIGSEGV);
	assert_int_equal(symbolizer_prepare(lookup.symbolizer), 0);
	assert_int_equal(symbolizer_frames(lookup.symbolizer, lookup.module.id, &vaddr, 1,
					   &lookup.frames, &lookup.table), 0);
	assert_int_equal(lookup.frames.nr, 1);
	is_frame(&lookup.frames.frames[0], "plain", "c.c", 11, false);
	elf_module_release(&other);
	look_down(&lookup);
}

static void test_server_stopped(void **state)
{
	struct symbolizer *symbolizer = start();
	struct elf_module module;
	char line[64];

	kill(server_of(symbolizer), SIGSTOP);
	assert_int_equal(symbolizer_source_line(symbolizer, in_folder("c.c"), 17, line,
						sizeof(line)), -ETIMEDOUT);
	assert_int_equal(open_path(symbolizer, in_folder("c"), &module), 0);
	elf_module_release(&module);
	symbolizer_stop(symbolizer);
}

/* No file may keep us busy with starting one after the other. */
static void test_servers_bounded(void **state)
{
	struct symbolizer *symbolizer = start();
	struct elf_module module;
	int nr;

	for (nr = 0; nr < 1000; nr++) {
		if (open_path(symbolizer, in_folder("c"), &module))
			break;
		elf_module_release(&module);
		kill(server_of(symbolizer), SIGKILL);
	}
	assert_true(nr > 10 && nr < 100);
	expect_dead(symbolizer);
	symbolizer_stop(symbolizer);
}

/* Neither of the two outlives us. */
static void test_ends_with_its_parent(void **state)
{
	struct symbolizer *symbolizer = start();
	struct elf_module module;
	pid_t server;

	assert_int_equal(open_path(symbolizer, in_folder("c"), &module), 0);
	elf_module_release(&module);
	server = server_of(symbolizer);
	kill(symbolizer_pid(symbolizer), SIGKILL);
	await_end(server);
	symbolizer_stop(symbolizer);
}

static void test_reaped_by_another(void **state)
{
	struct symbolizer *symbolizer = start();
	pid_t pid = symbolizer_pid(symbolizer), server = server_of(symbolizer);

	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	await_end(server);
	expect_dead(symbolizer);
	symbolizer_stop(symbolizer);
}

static void test_terminal_signals(void **state)
{
	static const int signals[] = { SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGALRM };
	struct symbolizer *symbolizer = start();
	struct elf_module module;

	assert_int_equal(open_path(symbolizer, in_folder("c"), &module), 0);
	elf_module_release(&module);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		kill(symbolizer_pid(symbolizer), signals[i]);
	assert_int_equal(open_path(symbolizer, in_folder("c"), &module), 0);
	elf_module_release(&module);
	symbolizer_stop(symbolizer);
}

static void test_ends_with_its_socket(void **state)
{
	struct symbolizer *symbolizer = start();
	pid_t pid = symbolizer_pid(symbolizer);

	symbolizer_stop(symbolizer);
	symbolizer_stop(NULL);
	assert_int_equal(kill(pid, 0), -1);
}

static void test_demangle(void **state)
{
	assert_string_equal(demangle("_ZN4shop5Order5totalEi"), "shop::Order::total(int)");
	assert_string_equal(demangle("_RNvCs1234_7mycrate3foo"), "mycrate::foo");
	assert_string_equal(demangle("_ZN4core3ptr9drop_once17h0123456789abcdefE"),
			    "core::ptr::drop_once");
	assert_string_equal(demangle("plain"), "plain");
	assert_string_equal(demangle("_Zzz"), "_Zzz");
}

/* pair<X, X> of the pair before it, 30 times: some 10^10 characters. */
static void test_demangle_bounded(void **state)
{
	char name[1024] = "_Z1fSt4pairIiiE", part[32];

	for (int i = 0; i < 30; i++) {
		char before = (char)(i < 10 ? '0' + i : 'A' + i - 10);

		snprintf(part, sizeof(part), "S_IS%c_S%c_E", before, before);
		strcat(name, part);
	}
	assert_string_equal(demangle(name), name);
	memset(name, '1', sizeof(name) - 1);
	memcpy(name, "_Z", 2);
	assert_string_equal(demangle(name), name);
}

static void test_wire(void **state)
{
	struct wire_buffer buffer = { 0 };
	struct wire_message message;
	int sockets[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
	assert_int_equal(wire_append(&buffer, "hello", 5), 0);
	assert_int_equal(wire_send(sockets[0], &buffer, 7, -3, 0, WIRE_FOREVER), 0);
	assert_int_equal(wire_receive(sockets[1], 100, WIRE_FOREVER, &message), 0);
	assert_string_equal(message.body, "hello");
	assert_true(message.fd > 2 && message.header.type == 7 && message.header.result == -3);
	wire_message_release(&message);
	assert_int_equal(wire_send(sockets[0], &buffer, 7, 0, -1, WIRE_FOREVER), 0);
	assert_int_equal(wire_receive(sockets[1], 4, WIRE_FOREVER, &message), -EPROTO);
	close(sockets[1]);
	assert_int_equal(wire_send(sockets[0], &buffer, 7, 0, -1, WIRE_FOREVER), -EPIPE);
	assert_int_equal(wire_receive(sockets[0], 4, WIRE_FOREVER, &message), -EPIPE);
	wire_buffer_release(&buffer);
	close(sockets[0]);
}

static void test_wire_time_limit(void **state)
{
	const struct wire_patience none = { .deadline_ns = 0 };
	struct wire_message message;
	int sockets[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
	assert_int_equal(wire_receive(sockets[1], 4, &none, &message), -ETIMEDOUT);
	close(sockets[0]);
	close(sockets[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_libc),
		cmocka_unit_test(test_program),
		cmocka_unit_test(test_plain_frame),
		cmocka_unit_test(test_inlined_frame),
		cmocka_unit_test(test_prepared),
		cmocka_unit_test(test_dwarf_variants),
		cmocka_unit_test(test_split_dwarf_lost),
		cmocka_unit_test(test_cpp_name),
		cmocka_unit_test(test_symbol_table_only),
		cmocka_unit_test(test_nothing_known),
		cmocka_unit_test(test_no_addresses),
		cmocka_unit_test(test_deleted_file),
		cmocka_unit_test(test_no_elf),
		cmocka_unit_test(test_damaged_files),
		cmocka_unit_test(test_source_line),
		cmocka_unit_test(test_source_no_file),
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_server_replaced),
		cmocka_unit_test(test_server_stopped),
		cmocka_unit_test(test_servers_bounded),
		cmocka_unit_test(test_ends_with_its_parent),
		cmocka_unit_test(test_reaped_by_another),
		cmocka_unit_test(test_terminal_signals),
		cmocka_unit_test(test_ends_with_its_socket),
		cmocka_unit_test(test_demangle),
		cmocka_unit_test(test_demangle_bounded),
		cmocka_unit_test(test_wire),
		cmocka_unit_test(test_wire_time_limit),
		cmocka_unit_test(test_debug_link),
		cmocka_unit_test(test_debug_directory),
	};

	return cmocka_run_group_tests(tests, set_up, remove_folder);
}
