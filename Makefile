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
CFLAGS_ALL := -std=gnu17 -g $(WARN) $(WERROR) -ftrivial-auto-var-init=zero -MMD -MP $(CFLAGS)
LIBS := -luring -ljansson

ifeq ($(VARIANT),release)
CFLAGS_ALL += -O2 -fPIE -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection \
	-fcf-protection
LDFLAGS_ALL := -static-pie -Wl,-z,relro,-z,now,-z,noexecstack $(LDFLAGS)
else
# asan, asan-clang: the unit tests' build
CFLAGS_ALL += -O1 -fPIE -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer
LDFLAGS_ALL := -pie $(LDFLAGS)
endif

SRCS := $(wildcard vmm/*/*.c devices/*.c devices/*/*.c arch/x86_64/*.c)
ASM := $(wildcard vmm/*/*.S)
OBJS := $(SRCS:%.c=$(B)/%.o) $(ASM:%.S=$(B)/%.o)
GUEST_PURE := $(wildcard guest-kernel-config/init/params.c guest-kernel-config/init/stream.c)
TEST_SUPPORT := $(wildcard tests/unit/support/*.c)
TESTS := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_*.c))

.PHONY: all
all: build/release/bulkhead

# --- the program ---
# bulkhead is one static binary; the guest's init is inside it.
build/release/bulkhead: $(B)/vmm/main.o $(B)/libbulkhead.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS_LINK) $(LDFLAGS_ALL) $< $(B)/libbulkhead.a $(LIBS) -o $@

# --- what is generated ---
# The seccomp filters, computed by libseccomp now so that they cost nothing
# at start.
$(B)/gen/filters.h: build/host/filters
	$(call say,GEN,$@)
	@mkdir -p $(@D)
	$(Q)$< > $@.tmp && mv $@.tmp $@
build/host/filters: vmm/jail/generate/filters.c
	$(call say,HOSTCC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 -D_GNU_SOURCE $(WARN) -O1 $< -lseccomp -o $@
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

# --- unit tests: `make VARIANT=asan unit` or `make VARIANT=asan unit-test_bus` ---
$(B)/tests/%: $(B)/tests/unit/%.o $(B)/libbulkhead.a
	$(call say,LD,$@)
	$(Q)$(CC) -fsanitize=address,undefined $(LDFLAGS_ALL) $< $(B)/libbulkhead.a $(LIBS) -lcmocka -lpthread -o $@

.PHONY: unit
unit: $(TESTS:%=unit-%)
unit-%: $(B)/tests/%
	$(call say,TEST,$*)
	$(Q)$<

.SECONDARY:
-include $(shell find $(B) -name '*.d' 2>/dev/null)
