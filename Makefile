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
OBJS := $(SRCS:%.c=$(B)/%.o)
GUEST_PURE := $(wildcard guest-kernel-config/init/params.c guest-kernel-config/init/stream.c)
TEST_SUPPORT := $(wildcard tests/unit/support/*.c)
TESTS := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_*.c))
-include Makefile.local

.PHONY: all
all: build/release/bulkhead

$(B)/%.o: %.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -c $< -o $@

$(B)/libbulkhead.a: $(OBJS) $(GUEST_PURE:%.c=$(B)/%.o) $(TEST_SUPPORT:%.c=$(B)/%.o)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

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
