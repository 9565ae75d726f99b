/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libFuzzer on the tracer's end: what comes off the socket is what code that has taken over the
 * process that reads files could send.  An input is a sequence of answers:
 *
 *     flags | nr of bytes (2 bytes) | bytes
 *
 * Each answers the request that is due; what is wrong with it is up to flags and bytes.
 */
#include "../../symbolizer/client.c"

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "../../tracer/unwind/map.h"

#define NR_NAMES 8
#define NR_ADDRESSES 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

enum flags {
	RAW = 1,		/* the bytes are the message, header and all */
	AS_IS = 2,		/* counts are what they are */
	FAILED = 4,		/* the result is not 0 */
	WITH_FILE = 8,		/* a memory file of the bytes comes with it */
	UNSEALED = 16,
};

static volatile uint64_t seen;	/* whatever was handed out is read */

static const enum wire_type due[] = {
	WIRE_OPEN_MODULE, WIRE_RULES, WIRE_FRAMES, WIRE_SOURCE_LINE, WIRE_OPEN_MODULE, WIRE_RULES,
};

static int memory_file(const uint8_t *data, size_t bytes, bool sealed)
{
	int fd = memfd_create("fuzzed", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || write(fd, data, bytes) != (ssize_t)bytes)
		abort();
	if (sealed && fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW))
		abort();
	return fd;
}

/* Counts that go with the length, so that what is behind the first check is reached, too. */
static size_t mend_module(char *body, size_t bytes)
{
	struct wire_module *module = (void *)body;
	size_t rest = bytes - sizeof(*module);

	if (bytes < sizeof(*module))
		return bytes;
	module->build_id_bytes %= BUILD_ID_MAX + 2;
	module->nr_segments = (uint32_t)(rest / 2 / sizeof(struct elf_segment));
	rest -= module->nr_segments * sizeof(struct elf_segment);
	module->nr_symbols = (uint32_t)(rest / sizeof(struct elf_symbol));
	return sizeof(*module) + module->nr_segments * sizeof(struct elf_segment) +
	       module->nr_symbols * sizeof(struct elf_symbol);
}

static size_t mend_frames(char *body, size_t bytes)
{
	struct wire_frames_reply *header = (void *)body;
	uint32_t *counts = (uint32_t *)(header + 1), left;
	size_t rest = bytes - sizeof(*header) - NR_ADDRESSES * sizeof(*counts);

	if (bytes < sizeof(*header) + NR_ADDRESSES * sizeof(*counts))
		return bytes;
	header->nr_vaddrs = NR_ADDRESSES;
	header->nr_frames = left = (uint32_t)(rest / 2 / sizeof(struct wire_frame));
	header->strings_bytes = (uint32_t)(rest - left * sizeof(struct wire_frame));
	for (int i = 0; i < NR_ADDRESSES; left -= counts[i++])
		counts[i] = i == NR_ADDRESSES - 1 ? left : left ? counts[i] % (left + 1) : 0;
	return bytes;
}

static size_t mend(enum wire_type type, char *body, size_t bytes)
{
	if (type == WIRE_OPEN_MODULE)
		return mend_module(body, bytes);
	return type == WIRE_FRAMES ? mend_frames(body, bytes) : bytes;
}

static void send_answer(int socket, enum wire_type type, const uint8_t *data, size_t bytes,
			uint8_t flags)
{
	int fd = flags & WITH_FILE ? memory_file(data, bytes, !(flags & UNSEALED)) : -1;
	struct wire_buffer buffer = { 0 };

	if (flags & RAW) {
		if (send(socket, data, bytes, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && bytes)
			abort();
	} else {
		if (type == WIRE_RULES && !(flags & AS_IS))
			bytes = 0;
		if (wire_append(&buffer, data, bytes))
			abort();
		if (!(flags & AS_IS))
			buffer.nr = sizeof(struct wire_header) +
				    mend(type, buffer.items + sizeof(struct wire_header), bytes);
		(void)wire_send(socket, &buffer, type, flags & FAILED ? -ENOEXEC : 0, fd,
				&(struct wire_patience){ 0 });
	}
	wire_buffer_release(&buffer);
	if (fd >= 0)
		close(fd);
}

static void send_answers(int socket, const uint8_t *data, size_t bytes)
{
	for (size_t i = 0; i < sizeof(due) / sizeof(due[0]) && bytes >= 3; i++) {
		size_t length = data[1] | (size_t)data[2] << 8;

		length = length < bytes - 3 ? length : bytes - 3;
		send_answer(socket, due[i], data + 3, length, data[0]);
		data += 3 + length;
		bytes -= 3 + length;
	}
	shutdown(socket, SHUT_WR);
}

static void use_rules(int fd)
{
	struct unwind_range range = { .end = UINT64_MAX };
	struct stat status;
	taddr_t start, end;
	void *rules;

	if (fstat(fd, &status))
		abort();
	rules = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (rules == MAP_FAILED)
		abort();
	range.rules = rules;
	for (uint64_t i = 0; i < 64; i++) {
		(void)unwind_rule_at(&range, range.rules->base_vaddr + i * 5);
		(void)unwind_function_at(&range, range.rules->base_vaddr + i * 5, &start, &end);
	}
	munmap(rules, (size_t)status.st_size);
}

static void open_one(struct symbolizer *symbolizer)
{
	struct elf_module module;
	uint64_t sum = 0;

	if (symbolizer_open_module(symbolizer, 2, "fuzzed", &module))
		return;
	for (size_t i = 0; i < module.nr_segments; i++)
		sum += module.segments[i].vaddr;
	for (size_t i = 0; i < module.nr_symbols; i++)
		if (module.symbols[i].name >= NR_NAMES)
			abort();
	seen = sum + strlen(module.version) + module.build_id[module.build_id_bytes / 2];
	if (module.rules_fd >= 0)
		use_rules(module.rules_fd);
	elf_module_release(&module);
}

static void look_up(struct symbolizer *symbolizer)
{
	const uint64_t vaddrs[NR_ADDRESSES] = { 1, 2, 3, 4 };
	struct symbol_frames frames[NR_ADDRESSES];
	struct symbol_table *table;
	size_t sum = 0;

	if (symbolizer_frames(symbolizer, 0, vaddrs, NR_ADDRESSES, frames, &table))
		return;
	for (size_t i = 0; i < NR_ADDRESSES; i++)
		for (size_t f = 0; f < frames[i].nr; f++)
			sum += (frames[i].frames[f].function ? strlen(frames[i].frames[f].function) : 0) +
			       (frames[i].frames[f].file ? strlen(frames[i].frames[f].file) : 0);
	seen = sum;
	symbol_table_release(table);
}

static struct symbolizer *connect_to(int socket)
{
	struct symbolizer *symbolizer = calloc(1, sizeof(*symbolizer));
	int control[2];

	if (!symbolizer || socketpair(AF_UNIX, SOCK_STREAM, 0, control))
		abort();
	close(control[1]);
	symbolizer->nr_names = NR_NAMES;
	symbolizer->connection = (struct connection){
		.pid = getpid(),	/* no child: not ended */
		.socket = socket, .control = control[0], .nr_servers = 1,
	};
	return symbolizer;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct symbolizer *symbolizer;
	int sockets[2];
	char line[16];

	message_set_level(MESSAGE_QUIET);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sockets))
		abort();
	symbolizer = connect_to(sockets[0]);
	send_answers(sockets[1], data, bytes);
	open_one(symbolizer);
	look_up(symbolizer);
	(void)symbolizer_source_line(symbolizer, "/x", 1, line, sizeof(line));
	open_one(symbolizer);
	symbolizer_stop(symbolizer);
	close(sockets[1]);
	return 0;
}
