/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SLOW_H
#define SLOW_H

#include <semaphore.h>

#define SLOW_BYTES 4242

/* A call for so many bytes posts `entered` and waits for `gate`. */
extern sem_t entered, gate;

#endif
