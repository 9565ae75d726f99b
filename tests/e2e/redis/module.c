/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A module for redis with one command that leaks.  Of the server's interface it declares the
 * few functions that it asks for by name.
 */
#include <stdlib.h>

#define OK 0

static int (*create_command)(void *context, const char *name, int (*run)(void *, void **, int),
			     const char *flags, int first_key, int last_key, int step);
static int (*set_attributes)(void *context, const char *name, int version, int api_version);
static int (*reply)(void *context, long long number);

static int leak_command(void *context, void **argv, int argc)
{
	char *block = malloc(777);	/* LEAK */

	block[0] = argc;
	return reply(context, block[0]);
}

int RedisModule_OnLoad(void *context, void **argv, int argc)
{
	int (*get_api)(const char *, void *) = ((void **)context)[0];

	if (get_api("RedisModule_SetModuleAttribs", &set_attributes) != OK ||
	    get_api("RedisModule_CreateCommand", &create_command) != OK ||
	    get_api("RedisModule_ReplyWithLongLong", &reply) != OK)
		return 1;
	set_attributes(context, "leaky", 1, 1);
	return create_command(context, "leaky.leak", leak_command, "readonly", 0, 0, 0);
}
