/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text itself is compared: times of files are too coarse, and a file system may have none. */
#include "switch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "option_file.h"
#include "option_values.h"

void switch_init(struct memleak_switch *memleak, const struct options *options)
{
	*memleak = (struct memleak_switch){
		.options = options, .on = options->memleak && !options->scan,
		.text = options->config_text ? strdup(options->config_text) : NULL,
	};
}

void switch_deinit(struct memleak_switch *memleak)
{
	free(memleak->text);
	memleak->text = NULL;
}

/* Once, until it changes.  An editor may have taken the file away for a moment. */
static void tell_unreadable(struct memleak_switch *memleak, int error)
{
	if (error && error != -ENOENT && error != memleak->error)
		message_warn("%s: %s; memleak stays %d", memleak->options->config,
			     strerror(-error), memleak->on);
	memleak->error = error;
}

static bool has_changed(struct memleak_switch *memleak)
{
	char *text;
	int error;

	if (!memleak->options->config)
		return false;
	error = config_read(memleak->options->config, &text);
	tell_unreadable(memleak, error);
	if (error)
		return false;
	if (memleak->text && !strcmp(memleak->text, text)) {
		free(text);
		return false;
	}
	free(memleak->text);
	memleak->text = text;
	return true;
}

bool switch_look(struct memleak_switch *memleak)
{
	struct options now = { .config = memleak->options->config, .memleak = memleak->on };
	bool turned;

	if (!has_changed(memleak))
		return false;
	/* The processes are chosen; that some have ended meanwhile is no mistake in the file. */
	(void)options_read_text(&now, memleak->text, option_mark('p'));
	turned = now.memleak != memleak->on;
	memleak->on = now.memleak;
	options_release(&now);
	return turned;
}
