# SPDX-License-Identifier: GPL-2.0-or-later
#
# make fuzz VARIANTS=10000 FIRST=1     broken files through the symbolizer, as the tracer asks it,
#                                      and broken reports through what --resolve does
# make fuzz-guided SECONDS=600         libFuzzer, if clang is there, on both ends of the socket,
#                                      and on reports

VARIANTS ?= 10000
FIRST ?= 1
SECONDS ?= 600
CLANG ?= clang
FUZZ := $(BUILD)/fuzz
BASES := $(addprefix $(FUZZ)/base/,c5 c4 compressed tables library split cpp mini)

REPORTS := $(addprefix $(FUZZ)/report/,plain lines sampled)

fuzz: $(FUZZ)/variants $(BASES) fuzz-reports
	$(Q)$< $(VARIANTS) $(FIRST) $(BASES)

fuzz-reports: $(FUZZ)/reports $(REPORTS)
	$(Q)$< $(VARIANTS) $(FIRST) $(REPORTS)

# The symbolizer's functions are the program's own.
$(FUZZ)/reports: tests/fuzz/reports.c tests/fuzz/mutate.c tests/fuzz/report_check.h tests/fuzz/report_variants.h $(LIBRARY)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(LDFLAGS) -MF $@.d -o $@ $(filter %.c,$^) $(LIBRARY) $(LIBS)

$(FUZZ)/report/plain: REPORT_FLAGS := -d 1m
$(FUZZ)/report/lines: REPORT_FLAGS := -f
$(FUZZ)/report/sampled: REPORT_FLAGS := --sample 1K
$(FUZZ)/report/%: $(PROGRAM)
	@mkdir -p $(@D)
	$(Q)$(PROGRAM) -q $(REPORT_FLAGS) -o $@.out --format json -- \
		env PYTHONMALLOC=malloc $(PYTHON) -S -c 'import time; time.sleep(1.2)'
	$(Q)cat $@.out* >$@ && rm -f $@.out*

$(FUZZ)/variants: tests/fuzz/variants.c tests/fuzz/mutate.c $(LIBRARY)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(LDFLAGS) -MF $@.d -o $@ $(filter %.c,$^) $(LIBRARY) $(LIBS)

$(FUZZ)/base/c5: BASE_FLAGS := -gdwarf-5 -O2
$(FUZZ)/base/c4: BASE_FLAGS := -gdwarf-4 -O1
$(FUZZ)/base/compressed: BASE_FLAGS := -g -gz -O2
$(FUZZ)/base/tables: BASE_FLAGS := -g -O2 -fno-asynchronous-unwind-tables -no-pie -fno-pie
$(FUZZ)/base/library: BASE_FLAGS := -g -O2 -shared -fPIC
$(FUZZ)/base/split: BASE_FLAGS := -gsplit-dwarf -O2
$(FUZZ)/base/%: tests/fuzz/base.c
	@mkdir -p $(@D)
	$(Q)cc $(BASE_FLAGS) -o $@ $<

$(FUZZ)/base/cpp: tests/fuzz/base.cc
	@mkdir -p $(@D)
	$(Q)c++ -g -O1 -o $@ $<

$(FUZZ)/base/mini: $(FUZZ)/base/c5
	$(Q)objcopy --only-keep-debug $< $@.symbols && strip --strip-debug $@.symbols && \
		rm -f $@.symbols.xz && xz $@.symbols && \
		objcopy -S --add-section .gnu_debugdata=$@.symbols.xz $< $@

GUIDED_CFLAGS = -std=gnu11 -g -O1 -D_GNU_SOURCE -fsanitize=fuzzer,address,undefined \
	-fno-sanitize-recover=all -fno-omit-frame-pointer
GUIDED_SOURCES := $(wildcard symbolizer/*.c) tracer/base/inert.c tracer/base/utf8.c \
	tracer/base/message.c tracer/unwind/map.c tests/fuzz/mutate.c

# Each includes one of the sources, to reach what is static there.
$(FUZZ)/guided_%: tests/fuzz/guided_%.c $(GUIDED_SOURCES)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(GUIDED_CFLAGS) -o $@ $(filter-out symbolizer/$*.c,$^) -ldw -lelf -liberty \
		-lpthread

$(FUZZ)/guided_report: tests/fuzz/guided_report.c tests/fuzz/report_check.h \
		$(wildcard tracer/report/*.c tracer/heap/*.c tracer/base/*.c)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(GUIDED_CFLAGS) $(CPPFLAGS) -MF $@.d -o $@ $(filter %.c,$^) -ljansson -lm

fuzz-guided: $(FUZZ)/guided_server $(FUZZ)/guided_client $(FUZZ)/guided_report $(BASES) $(REPORTS)
	$(Q)sh tests/fuzz/guided.sh $(FUZZ) $(SECONDS) $(BASES)

.PHONY: fuzz fuzz-guided fuzz-reports
