# Fuzz targets: build/fuzz/NAME, one per tests/fuzz/NAME.c below.  Included by
# the top Makefile; tests/fuzz/README.md says how they are used.

FUZZ_B := build/fuzz
FUZZ_CC ?= clang
FUZZ_DEVICES := blk net rng backend
FUZZ_TARGETS := $(FUZZ_DEVICES) frontend mmio ioapic serial kernel cli params stream profile
FUZZ_CFLAGS := -std=gnu17 -g -O1 $(WARN) $(WERROR) -fno-omit-frame-pointer \
	-fsanitize=address,undefined -fno-sanitize-recover=all -MMD -MP -I. -D_GNU_SOURCE
# The program's own files are instrumented for coverage, the targets are not:
# a new path of the harness is no discovery.
FUZZ_SRCS := $(wildcard vmm/base/*.c vmm/config/*.c devices/*.c devices/*/*.c arch/x86_64/*.c) \
	vmm/cli/options.c vmm/cli/options_print.c vmm/cli/run_options.c \
	$(patsubst %,vmm/jail/%.c,command_filter seccomp_code seccomp_compile seccomp_profile) \
	vmm/monitor/vhost_user_channel.c vmm/monitor/vhost_user_dialogue.c \
	guest-kernel-config/init/params.c guest-kernel-config/init/stream.c
FUZZ_SUPPORT := $(patsubst %,tests/unit/support/%.c,mock_driver mock_transport arch_image)
FUZZ_OBJS := $(FUZZ_SRCS:%.c=$(FUZZ_B)/obj/%.o) $(FUZZ_SUPPORT:%.c=$(FUZZ_B)/obj/%.o)
FUZZ_WRAP := -Wl,--wrap=epoll_pwait,--wrap=ppoll,--wrap=getrandom

.PHONY: fuzz fuzz-replay fuzz-build cov-build coverage check-mutants
fuzz-build: $(FUZZ_TARGETS:%=$(FUZZ_B)/%)
fuzz:
	$(Q)tests/fuzz/run fuzz "$(or $(T),60)" $(TARGET)
fuzz-replay:
	$(Q)tests/fuzz/run replay $(TARGET)
coverage:
	$(Q)tests/coverage $(if $(LINES),--lines)
check-mutants:
	$(Q)tests/check-mutants --sample 8

$(FUZZ_B)/obj/tests/%.o: tests/%.c
	$(call say,FUZZCC,$<)
	@mkdir -p $(@D)
	$(Q)$(FUZZ_CC) $(FUZZ_CFLAGS) -c $< -o $@
$(FUZZ_B)/obj/%.o: %.c
	$(call say,FUZZCC,$<)
	@mkdir -p $(@D)
	$(Q)$(FUZZ_CC) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link -c $< -o $@
# Of this file too: nothing else tells make that a source was added.
$(FUZZ_B)/libfuzz.a: $(FUZZ_OBJS) tests/fuzz/fuzz.mk
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $(filter %.o,$^)

FUZZ_LINK = $(FUZZ_CC) -g -fsanitize=fuzzer,address,undefined
$(FUZZ_DEVICES:%=$(FUZZ_B)/%): $(FUZZ_B)/%: $(FUZZ_B)/obj/tests/fuzz/%.o \
		$(FUZZ_B)/obj/tests/fuzz/device.o $(FUZZ_B)/libfuzz.a
	$(call say,LD,$@)
	$(Q)$(FUZZ_LINK) $(FUZZ_WRAP) $^ -luring -lcmocka -lpthread -o $@
$(FUZZ_B)/%: $(FUZZ_B)/obj/tests/fuzz/%.o $(FUZZ_B)/libfuzz.a
	$(call say,LD,$@)
	$(Q)$(FUZZ_LINK) $^ -luring -ljansson -lseccomp -lcmocka -lpthread -o $@

# For tests/coverage (VARIANT=cov): the unit tests, and the targets over the same objects.
cov-build: $(TESTS:%=$(B)/tests/%) $(FUZZ_TARGETS:%=$(B)/fuzz/%)
COV_LINK = $(CC) -g -fsanitize=fuzzer $(INSTRUMENT)
$(FUZZ_DEVICES:%=$(B)/fuzz/%): $(B)/fuzz/%: $(B)/tests/fuzz/%.o $(B)/tests/fuzz/device.o \
		$(B)/libbulkhead.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(COV_LINK) $(FUZZ_WRAP) $^ $(LIBS) -lcmocka -lpthread -o $@
$(B)/fuzz/%: $(B)/tests/fuzz/%.o $(B)/libbulkhead.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(COV_LINK) $^ $(LIBS) -lcmocka -lpthread -o $@

-include $(shell find $(FUZZ_B)/obj -name '*.d' 2>/dev/null)
