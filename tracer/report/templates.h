/* SPDX-License-Identifier: GPL-2.0-or-later */
/* C++ names of a readable length: std::map<int, std::string>::at becomes std::map<...>::at. */
#ifndef MEMTRACE_REPORT_TEMPLATES_H
#define MEMTRACE_REPORT_TEMPLATES_H

/* In place; arguments shorter than their replacement stay. */
void templates_fold(char *name);

#endif
