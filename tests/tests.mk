# SPDX-License-Identifier: GPL-2.0-or-later
#
# Everything but the build: deps, check, demo, bench, install.
# make check CASE=name runs one e2e case or unit program, MEMTRACE=path another memtrace.

PYTHON ?= /usr/bin/python3
# What is tested and measured: perhaps another one, which is not made here.
MEMTRACE = $(PROGRAM)
UNIT := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/test_*.c))
BENCH := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(wildcard tests/bench/*.c))
BIN_DIR = $(DESTDIR)$(PREFIX)/bin
MAN_DIR = $(DESTDIR)$(PREFIX)/share/man/man1
COMPLETION_DIR = $(DESTDIR)$(PREFIX)/share/bash-completion/completions

deps:
	$(Q)sh tests/deps.sh

bench-deps:
	$(Q)sh tests/deps.sh --bench

check: $(PROGRAM) $(UNIT)
	$(Q)BUILD='$(BUILD)' MEMTRACE='$(MEMTRACE)' SAN='$(SAN)' $(PYTHON) tests/run $(CASE)

demo: $(PROGRAM) $(BUILD)/demo/leaky
	$(Q)sh tests/demo/run.sh $(MEMTRACE) $(BUILD)/demo/leaky

bench: $(PROGRAM) $(BENCH)
	$(Q)sh tests/bench/run.sh $(MEMTRACE) $(BUILD)/bench

$(BUILD)/unit/%: tests/unit/%.c $(LIBRARY)
	@mkdir -p $(@D)
	@echo "  TEST    $@"
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -I. $(LDFLAGS) -o $@ $< $(filter %.o,$^) $(LIBRARY) \
		$(LIBS) -lcmocka -lm

$(BUILD)/bench/%: tests/bench/%.c $(LIBRARY)
	@mkdir -p $(@D)
	@echo "  BENCH   $@"
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -I. $(LDFLAGS) -o $@ $< $(filter %.o,$^) $(LIBRARY) \
		$(LIBS)

# These run the agent in their own process.
$(filter $(BUILD)/unit/test_agent%,$(UNIT)) $(BUILD)/bench/agent_bench: $(AGENT_OBJECTS)

# The demonstration is compiled as its user would: it is the target, never sanitized.
$(BUILD)/demo/leaky: tests/demo/leaky.c
	@mkdir -p $(@D)
	$(Q)$(CC) -g -O1 -o $@ $<

install: $(PROGRAM)
	install -D -m 755 $(PROGRAM) $(BIN_DIR)/memtrace
	install -D -m 644 man/memtrace.1 $(MAN_DIR)/memtrace.1
	install -D -m 644 man/memtrace.bash $(COMPLETION_DIR)/memtrace

uninstall:
	rm -f $(BIN_DIR)/memtrace $(MAN_DIR)/memtrace.1 $(COMPLETION_DIR)/memtrace

# What deps installs must be there before anything is compiled, also under -j.
ifneq ($(filter deps bench-deps,$(MAKECMDGOALS)),)
.NOTPARALLEL:
endif

-include $(UNIT:=.d) $(BENCH:=.d)

.PHONY: deps bench-deps check demo bench install uninstall
