/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * leaky SECONDS: a small service.  Each request makes a session and a reply; the reply is freed,
 * the session too, but not the name in it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct session {
	char *name;
	int number;
};

static struct session *session_open(int number)
{
	struct session *session = malloc(sizeof(*session));
	char name[64];

	snprintf(name, sizeof(name), "session number %d", number);
	session->number = number;
	session->name = strdup(name);	/* never freed: this is the leak */
	return session;
}

static void session_close(struct session *session)
{
	free(session);			/* without session->name */
}

static void handle_request(int number)
{
	struct session *session = session_open(number);
	char *reply = calloc(1, 256);

	snprintf(reply, 256, "hello, %s", session->name);
	free(reply);
	session_close(session);
}

int main(int argc, char **argv)
{
	int requests = (argc > 1 ? atoi(argv[1]) : 10) * 200;

	for (int number = 0; number < requests; number++) {
		handle_request(number);
		usleep(5000);
	}
	return 0;
}
