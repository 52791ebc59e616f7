# Tiny bare-metal guests, for tests/guests/run: build/guests/NAME.elf (Linux
# 64-bit protocol), NAME-pvh.elf (PVH entry), hello.bzimage.  Included by the
# top Makefile; `make guests` builds them, tests/guests/run runs them.

GUEST_B := build/guests
GUEST_NAMES := hello memory exits echo rng blk net smp reset
HOSTILE_NAMES := $(addprefix hostile_,ring request registers race platform)
GUEST_LIB := guest irq virtio start
GUEST_CFLAGS := -std=gnu17 -Os -g0 -ffreestanding -fno-pic -fno-pie -fno-stack-protector \
	-fcf-protection=none -fno-asynchronous-unwind-tables -fno-builtin -mno-red-zone \
	-mgeneral-regs-only -mcmodel=small -I. -MMD -MP $(WARN) $(WERROR)
GUEST_LDFLAGS := -nostdlib -static -Wl,--build-id=none -Wl,-z,noexecstack \
	-Wl,-z,max-page-size=4096 -Wl,-z,norelro
GUEST_FILES := $(GUEST_NAMES:%=$(GUEST_B)/%.elf) $(GUEST_NAMES:%=$(GUEST_B)/%-pvh.elf) \
	$(HOSTILE_NAMES:%=$(GUEST_B)/%.elf) $(GUEST_B)/tiny.elf $(GUEST_B)/hello.bzimage

.PHONY: guests
guests: $(GUEST_FILES)

$(GUEST_B)/obj/%.o: tests/guests/%.c
	$(call say,GUEST,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(GUEST_CFLAGS) -c $< -o $@

$(GUEST_B)/obj/%.o: tests/guests/%.S
	$(call say,GUEST,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) -I. -MMD -MP -c $< -o $@

$(GUEST_B)/link.lds: tests/guests/lib/link.lds.S
	@mkdir -p $(@D)
	$(Q)$(CC) -E -P -x c $< -o $@

$(GUEST_B)/link-pvh.lds: tests/guests/lib/link.lds.S
	@mkdir -p $(@D)
	$(Q)$(CC) -E -P -x c -DPVH $< -o $@

$(GUEST_B)/tiny.elf: $(GUEST_B)/link.lds $(GUEST_B)/obj/tiny.o
	$(Q)$(CC) $(GUEST_LDFLAGS) -Wl,-T,$< $(filter %.o,$^) -o $@

GUEST_LIB_O := $(GUEST_LIB:%=$(GUEST_B)/obj/lib/%.o)

$(GUEST_B)/%-pvh.elf: $(GUEST_B)/link-pvh.lds $(GUEST_B)/obj/%.o $(GUEST_LIB_O) \
		$(GUEST_B)/obj/lib/pvh.o
	$(call say,LD,$@)
	$(Q)$(CC) $(GUEST_LDFLAGS) -Wl,-T,$< $(filter %.o,$^) -o $@

$(GUEST_B)/%.elf: $(GUEST_B)/link.lds $(GUEST_B)/obj/%.o $(GUEST_LIB_O)
	$(call say,LD,$@)
	$(Q)$(CC) $(GUEST_LDFLAGS) -Wl,-T,$< $(filter %.o,$^) -o $@

# What only some need.
$(HOSTILE_NAMES:%=$(GUEST_B)/%.elf): $(GUEST_B)/obj/lib/hostile.o $(GUEST_B)/obj/lib/smp.o
$(foreach g,smp reset,$(GUEST_B)/$(g).elf $(GUEST_B)/$(g)-pvh.elf): $(GUEST_B)/obj/lib/smp.o

# The bytes from 2 MiB on, behind a kernel header.
$(GUEST_B)/%.bzimage: $(GUEST_B)/%.elf tests/guests/lib/bzimage.S
	$(call say,BZIMAGE,$@)
	$(Q)objcopy -O binary $< $(GUEST_B)/$*.bin
	$(Q)$(CC) -c -DPAYLOAD='"$(GUEST_B)/$*.bin"' tests/guests/lib/bzimage.S -o $(GUEST_B)/$*.bz.o
	$(Q)objcopy -O binary -j .text $(GUEST_B)/$*.bz.o $@

-include $(wildcard $(GUEST_B)/obj/*.d $(GUEST_B)/obj/lib/*.d)
