/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keys are the long options' names, and memleak. */
#include "option_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/inert.h"
#include "config.h"
#include "option_values.h"

struct taker {
	struct options *options;
	uint64_t given;
	bool right;
};

static void complain(struct taker *taker, unsigned line, const char *key, const char *wrong)
{
	char shown[256];

	taker->right = false;
	message_error("%s:%u: %s%s%s", taker->options->config, line,
		      inert(shown, sizeof(shown), key), *key ? ": " : "", wrong);
}

/* The file's text is gone after it was read. */
static const char *own(struct options *options, const char *value)
{
	char *copy = strdup(value);

	if (!copy || ARRAY_GROW(&options->owned)) {
		free(copy);
		return NULL;
	}
	options->owned.items[options->owned.nr++] = copy;
	return copy;
}

static const char *set_flag(struct options *options, int option, const char *value)
{
	if (strcmp(value, "0") && strcmp(value, "1"))
		return "0 or 1 is needed";
	return option_set_flag(options, option, *value == '1');
}

/* Those that only the command line can want. */
static bool is_key(const struct option *option)
{
	if (option->val >= OPTION_FORMAT)
		return option->val != OPTION_RESOLVE;
	return !strchr("hVc", option->val);
}

static const char *set_key(struct taker *taker, const char *key, const char *value)
{
	const struct option *option = option_table;

	if (!strcmp(key, "memleak"))
		return option_set_memleak(taker->options, value);
	while (option->name && (strcmp(option->name, key) || !is_key(option)))
		option++;
	if (!option->name)
		return "no such key; memleak and the long options are (see memtrace --help)";
	if (taker->given >> (option - option_table) & 1)
		return NULL;
	if (option->has_arg == no_argument)
		return set_flag(taker->options, option->val, value);
	value = own(taker->options, value);
	return value ? option_set(taker->options, option->val, value) : "no memory";
}

static void take(void *owner, unsigned line, const char *key, const char *value)
{
	struct taker *taker = owner;
	const char *wrong = set_key(taker, key, value);
	char words[512];

	if (!wrong)
		return;
	snprintf(words, sizeof(words), "%s = %s", key, value);
	complain(taker, line, words, wrong);
}

bool options_read_text(struct options *options, const char *text, uint64_t given)
{
	struct taker taker = { .options = options, .given = given, .right = true };
	unsigned wrong = config_parse(text, take, &taker);
	char words[64];

	snprintf(words, sizeof(words), "a line is KEY = VALUE, at most %d bytes long",
		 CONFIG_LINE_MAX);
	if (wrong)
		complain(&taker, wrong, "", words);
	return taker.right;
}

static bool cannot_read(const struct options *options, int error)
{
	message_error("-c %s: %s", options->config, strerror(-error));
	return false;
}

bool options_read_file(struct options *options, uint64_t given)
{
	bool asked_for = options->config;
	int error;

	if (!asked_for) {
		char *path = config_default_path();

		options->config = path ? own(options, path) : NULL;
		free(path);
	}
	if (!options->config)
		return true;
	/* Nobody says that there is one, or a home. */
	if (!asked_for && access(options->config, F_OK))
		return true;
	error = config_read(options->config, &options->config_text);
	if (error)
		return cannot_read(options, error);
	return options_read_text(options, options->config_text, given);
}

void options_release(struct options *options)
{
	while (options->owned.nr)
		free(options->owned.items[--options->owned.nr]);
	free(options->owned.items);
	free(options->config_text);
	*options = (struct options){ .config = NULL };
}
