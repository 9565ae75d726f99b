# SPDX-License-Identifier: GPL-2.0-or-later
#
# make            builds build/memtrace
# make deps       installs what is missing (Debian, Ubuntu) or names the packages
# make demo       shows the tool on a bundled leaking program
# make check      builds and runs all tests       make bench   measures, never judges
# make install    PREFIX, DESTDIR
# SAN=address,undefined   V=1   WERROR=1   CC=...

VERSION := 0.1.0
PREFIX ?= /usr/local
BUILD ?= build$(if $(SAN),-$(subst $(comma),-,$(SAN)))
comma := ,
Q := $(if $(V),,@)

CC ?= cc
OBJCOPY ?= objcopy
PKGS := libdw libelf libunwind-generic jansson inih
CFLAGS ?= -O2 -g
CPPFLAGS += -D_GNU_SOURCE -DMEMTRACE_VERSION='"$(VERSION)"' -MMD -MP
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wvla \
	-Wpointer-arith -Wno-unused-parameter $(if $(WERROR),-Werror)
ALL_CFLAGS = -std=gnu11 $(WARN) $(CFLAGS) $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer) \
	$(shell pkg-config --cflags $(PKGS) 2>/dev/null)
LIBS = $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lZydis -liberty -lpthread -lm

ifeq ($(filter deps bench-deps clean uninstall,$(MAKECMDGOALS)),)
ifneq ($(shell pkg-config --exists $(PKGS) && echo there),there)
$(error libraries are missing ($(PKGS)): run `make deps')
endif
endif

AGENT := tracer/agent
SOURCES := $(shell find tracer symbolizer -path $(AGENT) -prune -o -name '*.c' -print | sort)
OBJECTS := $(SOURCES:%.c=$(BUILD)/%.o) $(BUILD)/$(AGENT)/blob.o
LIBRARY := $(BUILD)/libmemtrace.a
PROGRAM := $(BUILD)/memtrace

all: $(PROGRAM)

$(PROGRAM): $(BUILD)/tracer/main.o $(LIBRARY)
	@echo "  LINK    $@"
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

$(LIBRARY): $(filter-out $(BUILD)/tracer/main.o,$(OBJECTS))
	@echo "  AR      $@"
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -c -o $@ $<

# What is copied into the target: no libc, no sanitizer, no vector register, one flat image.
AGENT_OBJECTS := $(patsubst %,$(BUILD)/%.o,$(basename $(sort $(wildcard $(AGENT)/*.c)))) \
	$(BUILD)/$(AGENT)/entry.o
AGENT_IMAGE := $(BUILD)/$(AGENT)/agent
AGENT_CFLAGS = -std=gnu11 $(WARN) -O2 -g -ffreestanding -fno-builtin -mgeneral-regs-only -fpie \
	-fvisibility=hidden -fno-stack-protector -fcf-protection=none \
	-fno-tree-loop-distribute-patterns -fasynchronous-unwind-tables

$(BUILD)/$(AGENT)/%.o: $(AGENT)/%.c Makefile
	@mkdir -p $(@D)
	@echo "  AGENT   $<"
	$(Q)$(CC) -MMD -MP $(AGENT_CFLAGS) -c -o $@ $<

$(BUILD)/$(AGENT)/%.o: $(AGENT)/%.S
	@mkdir -p $(@D)
	@echo "  AGENT   $<"
	$(Q)$(CC) -MMD -MP -DAGENT_BLOB='"$(AGENT_IMAGE).bin"' \
		-DAGENT_RULES='"$(AGENT_IMAGE).rules"' -c -o $@ $<

$(AGENT_IMAGE).elf: $(AGENT)/agent.lds $(BUILD)/$(AGENT)/header.o $(AGENT_OBJECTS)
	$(Q)$(LD) -pie --no-dynamic-linker -z defs --no-warn-rwx-segments \
		--orphan-handling=error -T $< -o $@ $(filter %.o,$^)

$(AGENT_IMAGE).bin: $(AGENT_IMAGE).elf
	$(Q)$(OBJCOPY) -O binary -j .image $< $@

# Its unwind data stays here, as rules for who meets a handler that interrupted it.
AGENT_RULES := $(BUILD)/$(AGENT)/tools/rules

$(AGENT_RULES): $(AGENT)/tools/rules.c $(patsubst %,$(BUILD)/symbolizer/%.o,rules cfi cfa row sections)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

$(AGENT_IMAGE).rules: $(AGENT_IMAGE).elf $(AGENT_RULES)
	$(Q)$(AGENT_RULES) $< $@

$(BUILD)/$(AGENT)/blob.o: $(AGENT_IMAGE).bin $(AGENT_IMAGE).rules

-include $(OBJECTS:.o=.d) $(AGENT_OBJECTS:.o=.d) $(BUILD)/$(AGENT)/header.d $(AGENT_RULES).d

include tests/tests.mk
include tests/fuzz/fuzz.mk

clean:
	rm -rf build build-*

.PHONY: all clean
