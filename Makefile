# Bulkhead: a KVM micro-VM monitor.  `make help` lists the targets.

VERSION := 0.1.0
PREFIX ?= /usr/local
DESTDIR ?=
CC ?= gcc
V ?= 0
VARIANT ?= release
ifeq ($(origin CC),default)
CC := gcc
endif

Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),@:,@printf '  %-8s %s\n' '$(1)' '$(2)')

B := build/$(VARIANT)
WARN := -Wall -Wextra -Wshadow -Wvla -Wundef -Wconversion -Wcast-qual -Wwrite-strings \
	-Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wimplicit-fallthrough
WERROR ?= -Werror
CPPFLAGS_ALL := -I. -I$(B)/gen -D_GNU_SOURCE -DBULKHEAD_VERSION='"$(VERSION)"' \
	-DBULKHEAD_DATADIR='"$(PREFIX)/share/bulkhead"' $(CPPFLAGS)
# Where the compiler takes it (clang 14 wants a longer incantation).
AUTO_INIT := $(shell echo | $(CC) -Werror -ftrivial-auto-var-init=zero -x c -fsyntax-only - \
	2>/dev/null && echo -ftrivial-auto-var-init=zero)
CFLAGS_ALL := -std=gnu17 -g $(WARN) $(WERROR) $(AUTO_INIT) -MMD -MP $(CFLAGS)
LIBS := -luring -ljansson -lseccomp -lm

ifeq ($(VARIANT),release)
CFLAGS_ALL += -O2 -fPIE -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection \
	-fcf-protection -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables
# Relocations packed: 37 KB less.
LDFLAGS_ALL := -static-pie -Wl,--gc-sections,-z,pack-relative-relocs -Wl,-z,relro,-z,now,-z,noexecstack $(LDFLAGS)
else
# asan, asan-clang: the unit tests' build; cov: what they and the fuzz corpus
# reach (tests/coverage)
INSTRUMENT := $(if $(filter cov,$(VARIANT)),-fprofile-instr-generate -fcoverage-mapping, \
	-fsanitize=address,undefined)
CFLAGS_ALL += -O1 -fPIE $(INSTRUMENT) $(if $(filter cov,$(VARIANT)),,-fno-sanitize-recover=all) \
	-fno-omit-frame-pointer
LDFLAGS_ALL := -pie $(LDFLAGS)
endif

# What a guest's init and the walls without a guest share.
SHARED := guest-kernel-config/init/exec.c
SRCS := $(wildcard vmm/*/*.c devices/*.c devices/*/*.c arch/x86_64/*.c) $(SHARED)
ASM := $(wildcard vmm/*/*.S)
OBJS := $(SRCS:%.c=$(B)/%.o) $(ASM:%.S=$(B)/%.o)
GUEST_PURE := $(wildcard guest-kernel-config/init/params.c guest-kernel-config/init/stream.c \
	guest-kernel-config/init/oom.c)
TEST_SUPPORT := $(wildcard tests/unit/support/*.c)
TESTS := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_*.c))

PROGRAMS := bulkhead bulkhead-seccomp bulkhead-compare bulkhead-workload bulkhead-attempt

.PHONY: all
all: $(PROGRAMS:%=build/release/%)

# --- the program ---
# bulkhead is one static binary; the guest's init is inside it.
build/release/bulkhead: $(B)/vmm/main.o $(B)/libbulkhead.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS_LINK) $(LDFLAGS_ALL) $< $(B)/libbulkhead.a $(LIBS) -o $@

# `bulkhead compare` is a program of its own: what measures and draws is not in
# what runs guests.
build/release/bulkhead-compare: $(B)/vmm/compare_main.o $(B)/libbulkhead.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS_LINK) $(LDFLAGS_ALL) $< $(B)/libbulkhead.a $(LIBS) -o $@

# What compiles a filter for one command (--seccomp-profile, --cap-add), likewise.
build/release/bulkhead-seccomp: $(B)/vmm/seccomp_main.o $(B)/libbulkhead.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS_LINK) $(LDFLAGS_ALL) $< $(B)/libbulkhead.a $(LIBS) -o $@

# The same with sanitizers, for tests/guests/hostile --sanitized.
ifneq ($(VARIANT),release)
$(B)/bulkhead: $(B)/vmm/main.o $(B)/libbulkhead.a
	$(call say,LD,$@)
	$(Q)$(CC) $(INSTRUMENT) $(LDFLAGS_ALL) $< $(B)/libbulkhead.a $(LIBS) -lpthread -o $@
endif

# --- what is generated ---
# The seccomp filters, computed by libseccomp now so that they cost nothing
# at start.
$(B)/gen/filters.h: build/host/filters
	$(call say,GEN,$@)
	@mkdir -p $(@D)
	$(Q)$< > $@.tmp && mv $@.tmp $@
build/host/filters: vmm/jail/generate/filters.c vmm/jail/command_filter.c vmm/jail/command_filter.h \
		vmm/jail/command_calls.h
	$(call say,HOSTCC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 -D_GNU_SOURCE $(WARN) -O1 -I. $(filter %.c,$^) -lseccomp -o $@
$(B)/vmm/jail/filter.o: $(B)/gen/filters.h

# The guest's init: static and small, so musl.
INIT_SRCS := $(wildcard guest-kernel-config/init/*.c)
INIT_HDRS := $(wildcard guest-kernel-config/init/*.h) guest-kernel-config/guest_abi.h
INIT_CFLAGS := -static -Os -std=gnu17 $(filter-out -Wundef,$(WARN)) -I. -D_GNU_SOURCE \
	-ffunction-sections -fdata-sections -Wl,--gc-sections -s \
	-idirafter /usr/include -idirafter /usr/include/x86_64-linux-gnu
$(B)/gen/guest-init: $(INIT_SRCS) $(INIT_HDRS)
	$(call say,MUSLCC,$@)
	@mkdir -p $(@D)
	$(Q)musl-gcc $(INIT_CFLAGS) $(INIT_SRCS) -o $@

# The program that `bulkhead compare` runs behind every wall, likewise.
WORKLOAD_SRCS := $(wildcard vmm/compare/workloads/*.c) vmm/compare/beats.c vmm/image/sha256.c
build/release/bulkhead-workload: $(WORKLOAD_SRCS) vmm/compare/workloads/workloads.h vmm/compare/beats.h \
		vmm/compare/disk_file.h
	$(call say,MUSLCC,$@)
	@mkdir -p $(@D)
	$(Q)musl-gcc $(INIT_CFLAGS) -O2 $(WORKLOAD_SRCS) -o $@
# What tries to get through the walls, likewise.
ATTEMPT_SRCS := $(wildcard vmm/compare/attempts/*.c) vmm/compare/attempt_list.c
build/release/bulkhead-attempt: $(ATTEMPT_SRCS) vmm/compare/attempts/attempts.h vmm/compare/attempt_list.h
	$(call say,MUSLCC,$@)
	@mkdir -p $(@D)
	$(Q)musl-gcc $(INIT_CFLAGS) $(ATTEMPT_SRCS) -o $@
$(B)/%.o: %.S
	$(call say,AS,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) -g -MMD -MP -c $< -o $@
$(B)/vmm/image/guest_init.o: $(B)/gen/guest-init

$(B)/%.o: %.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -c $< -o $@

$(B)/libbulkhead.a: $(OBJS) $(if $(filter release,$(VARIANT)),,$(GUEST_PURE:%.c=$(B)/%.o)) $(if $(filter release,$(VARIANT)),,$(TEST_SUPPORT:%.c=$(B)/%.o))
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

-include tests/guests/guests.mk
-include tests/bench/bench.mk
-include tests/fuzz/fuzz.mk

# --- unit tests: `make VARIANT=asan unit` or `make VARIANT=asan unit-test_bus` ---
$(B)/tests/%: $(B)/tests/unit/%.o $(B)/libbulkhead.a
	$(call say,LD,$@)
	$(Q)$(CC) $(INSTRUMENT) $(LDFLAGS_ALL) $< $(B)/libbulkhead.a $(LIBS) -lcmocka -lpthread -o $@

.PHONY: unit
unit: $(TESTS:%=unit-%)
unit-%: $(B)/tests/%
	$(call say,TEST,$*)
	$(Q)$<

# --- the guest's kernel ---
.PHONY: guest-kernel
guest-kernel:
	@tests/install-packages demo
	@guest-kernel-config/build-kernel
.PHONY: kernel-options
kernel-options: guest-kernel all
	@tests/bench/kernel-options $(if $(GROUP),'$(GROUP)')

# --- the two commands of a newcomer ---
.PHONY: demo check check-long
demo:
	@tests/install-packages demo
	@$(MAKE) --no-print-directory -j2 all
	@tests/demo
check:
	@tests/install-packages check
	@tests/check
check-long: check
	@tests/check linux-guests-long foreign-guests-long hostile-long mutants-all

# --- the lab, the benchmark ---
.PHONY: lab bench
lab:
	@tests/install-packages demo
	@tests/lab/lab --shell
bench: all guests
	@tests/install-packages bench
	@tests/bench/bench $(PART)

# --- installing ---
.PHONY: install uninstall
install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1 \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions $(DESTDIR)$(PREFIX)/share/bulkhead
	install -s -m 755 build/release/bulkhead $(DESTDIR)$(PREFIX)/bin/bulkhead
	install -d $(DESTDIR)$(PREFIX)/libexec/bulkhead
	install -s -m 755 $(patsubst %,build/release/%,$(filter-out bulkhead,$(PROGRAMS))) \
		$(DESTDIR)$(PREFIX)/libexec/bulkhead/
	install -m 644 docs/*.1 $(DESTDIR)$(PREFIX)/share/man/man1/
	install -m 644 docs/completion/bulkhead.bash \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/bulkhead
	if [ -f build/guest-kernel/x86_64/vmlinux ]; then \
		install -m 644 build/guest-kernel/x86_64/vmlinux \
			$(DESTDIR)$(PREFIX)/share/bulkhead/vmlinux-x86_64; fi
uninstall:
	rm -rf $(DESTDIR)$(PREFIX)/bin/bulkhead $(DESTDIR)$(PREFIX)/share/bulkhead \
		$(DESTDIR)$(PREFIX)/libexec/bulkhead $(DESTDIR)$(PREFIX)/share/man/man1/bulkhead*.1 \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/bulkhead

.PHONY: format clean help
format:
	clang-format -i $$(git ls-files '*.c' '*.h')
clean:
	rm -rf build

help:
	@echo 'make               build/release/bulkhead'
	@echo 'make demo          install what is needed, build, boot a guest, show it working'
	@echo 'make check         the tests (of the Linux guests a sample); make check-long: all of them'
	@echo 'make guest-kernel  the kernel that guests boot (minutes the first time)'
	@echo 'make kernel-options [GROUP=ext4]   what its options cost, a group at a time (hours in all)'
	@echo 'make guests        the tiny bare-metal guests of the tests'
	@echo 'make fuzz T=60 [TARGET=blk], fuzz-replay    the fuzz targets'
	@echo 'make coverage      lines that unit tests and fuzz corpus reach; LINES=1 lists the others'
	@echo 'make check-mutants planted bugs: does a test notice?'
	@echo 'make unit VARIANT=asan [CC=clang]    the unit tests'
	@echo 'make lab           a shell on an emulated host whose KVM runs Linux guests'
	@echo 'make bench [PART=launch]   what it costs beside its peers (tests/bench/bench -l)'
	@echo 'make install       to DESTDIR and PREFIX ($(PREFIX))'
	@echo 'make format, make clean'
	@echo 'V=1 shows the commands.'

.SECONDARY:
-include $(shell find $(B) -name '*.d' 2>/dev/null)
