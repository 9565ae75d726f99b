/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A leak in a process that has, by its looks, the runtime of some language. */
#include "truth.h"

#ifdef GO
__attribute__((section(".go.buildinfo"), used)) static char build_info[] = "\xff Go buildinf:";
#endif
#ifdef JAVA
__attribute__((visibility("default"))) int JNI_CreateJavaVM(void) { return -1; }
#endif
#ifdef V8
__attribute__((visibility("default"))) void _ZN2v87Isolate3NewERKNS0_12CreateParamsE(void) { }
#endif
#ifdef PYTHON
__attribute__((visibility("default"))) const char *Py_BytesMain(void) { return PYTHON; }
#endif

#ifndef LIBRARY
int main(void)
{
	stage("ready");
	MUST(T_MALLOC(77));
	tell_truth();
	stage("done");
	return correct();
}
#endif
