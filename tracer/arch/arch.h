/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a processor must provide; also the check-list for a port:
 *
 *   registers.h   the register set, arguments and result of a call
 *   displaced.h   the instruction under a breakpoint: what it does, how to run it elsewhere
 *   flow.h        a function followed from its entry: returns, calls, tail jumps
 *   prologue.h    a function's first instructions moved, and a jump in their place
 *   agent/entry.S the stubs that such jumps lead to
 *
 * Only x86-64 with the System V calling convention is there.
 */
#ifndef MEMTRACE_ARCH_H
#define MEMTRACE_ARCH_H

#if !defined(__x86_64__)
#error "memtrace knows x86-64 only; see arch/arch.h for what a port needs"
#endif

#include "x86_64/displaced.h"
#include "x86_64/flow.h"
#include "x86_64/prologue.h"
#include "x86_64/registers.h"

#endif
