/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libFuzzer on the process that reads files, in one process with it: an input is some requests as
 * they come off the socket, and the file that they are about.
 *
 *     nr_bytes of requests (1 byte) | requests: type, nr of bytes (1 byte each), bytes | file
 *
 * After them the requests that the tracer makes of every file.
 */
#include "../../symbolizer/server.c"

#include <sys/mman.h>

#include "mutate.h"

#define NR_ADDRESSES 32

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
size_t LLVMFuzzerMutate(uint8_t *data, size_t bytes, size_t most);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t bytes, size_t most, unsigned int seed);

static const char *const names[] = { "malloc", "main", "sum" };
static struct wanted wanted;

static int memory_file(const uint8_t *data, size_t bytes)
{
	int fd = memfd_create("fuzzed", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, bytes) != (ssize_t)bytes)
		abort();
	return fd;
}

/* As serve_one() does it. */
static void ask(struct server *server, uint32_t type, const void *body, size_t bytes, int fd)
{
	struct wire_message request = {
		.header = { .type = type, .bytes = (uint32_t)bytes },
		.body = malloc(bytes + 1), .fd = fd >= 0 ? dup(fd) : -1,
	};
	struct reply reply = { .fd = -1 };

	if (!request.body)
		abort();
	if (bytes)
		memcpy(request.body, body, bytes);
	request.body[bytes] = '\0';
	(void)dispatch(server, &request, &reply);
	if (reply.fd >= 0)
		close(reply.fd);
	wire_buffer_release(&reply.body);
	wire_message_release(&request);
}

static void ask_as_told(struct server *server, const uint8_t *data, size_t bytes, int fd)
{
	while (bytes >= 2) {
		size_t length = data[1] < bytes - 2 ? data[1] : bytes - 2;
		uint32_t type = data[0] % (WIRE_SERVER + 1);

		ask(server, type, data + 2, length, type <= WIRE_REOPEN_MODULE ? fd : -1);
		data += 2 + length;
		bytes -= 2 + length;
	}
}

static void ask_for_frames(struct server *server, uint32_t id)
{
	struct {
		struct wire_frames_request header;
		uint64_t vaddrs[NR_ADDRESSES];
	} request = { { id, NR_ADDRESSES }, { 0 } };
	size_t nr_headers, nr = 0;
	GElf_Phdr header;
	Elf *elf = server->items[id]->elf;

	if (elf_getphdrnum(elf, &nr_headers))
		return;
	for (size_t i = 0; i < nr_headers && gelf_getphdr(elf, (int)i, &header); i++)
		for (uint64_t at = 0; header.p_flags & PF_X && at < 16 && nr < NR_ADDRESSES; at++)
			request.vaddrs[nr++] = header.p_vaddr + at * header.p_memsz / 16;
	ask(server, WIRE_FRAMES, &request, sizeof(request), -1);
}

static void ask_as_tracer(struct server *server, int fd)
{
	uint32_t id = (uint32_t)server->nr;

	ask(server, WIRE_OPEN_MODULE, "/none/fuzzed", 13, fd);
	if (server->nr == id)
		return;
	ask(server, WIRE_RULES, &id, sizeof(id), -1);
	ask_for_frames(server, id);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct server server = { .wanted = &wanted };
	size_t script;
	int fd;

	if (!wanted.items && (wanted_init(&wanted, names, 3) || modules_init(NULL, 0)))
		abort();
	if (!bytes)
		return 0;
	script = *data < bytes - 1 ? *data : bytes - 1;
	fd = memory_file(data + 1 + script, bytes - 1 - script);
	ask_as_told(&server, data + 1, script, fd);
	ask_as_tracer(&server, fd);
	background_wait();
	for (size_t i = 0; i < server.nr; i++)
		module_close(server.items[i]);
	free(server.items);
	close(fd);
	return 0;
}

/* Half of them by what is known of the format. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t bytes, size_t most, unsigned int seed)
{
	size_t before = bytes ? 1 + (size_t)*data : 0;
	struct bytes file = { data + before, bytes > before ? bytes - before : 0 };

	if (seed % 2 || file.nr < 64)
		return LLVMFuzzerMutate(data, bytes, most);
	mutate(&file, seed);
	return before + file.nr;
}
