# What `make bench` runs: the launcher that measures, and the payloads.

BENCH_B := build/bench
.PHONY: bench-files
bench-files: $(BENCH_B)/true $(BENCH_B)/empty $(BENCH_B)/launch $(BENCH_B)/crowd $(BENCH_B)/payload.elf $(BENCH_B)/idle.elf

$(BENCH_B)/launch $(BENCH_B)/crowd: $(BENCH_B)/%: tests/bench/%.c
	$(call say,HOSTCC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 $(WARN) $(WERROR) -O1 $< -o $@

# As the program itself is linked.
$(BENCH_B)/empty: tests/bench/empty.c
	$(call say,HOSTCC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 $(WARN) $(WERROR) -O2 -static-pie -fPIE $< -o $@

$(BENCH_B)/true: tests/bench/true.c
	$(call say,HOSTCC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 $(WARN) $(WERROR) -O1 -static -nostdlib -fno-stack-protector $< -o $@

BENCH_PAYLOAD := -I. -nostdlib -static -no-pie -Wl,--build-id=none,-z,noexecstack,-Ttext=0x200000
$(BENCH_B)/payload.elf: tests/bench/payload.S guest-kernel-config/guest_abi.h
	$(call say,GUEST,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(BENCH_PAYLOAD) $< -o $@
$(BENCH_B)/idle.elf: tests/bench/payload.S guest-kernel-config/guest_abi.h
	$(call say,GUEST,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(BENCH_PAYLOAD) -DIDLE $< -o $@

# The initrd of the Linux guests that boot in the lab (boot.py).
.PHONY: bench-lab-files
bench-lab-files: $(BENCH_B)/launch $(BENCH_B)/first-line.cpio
$(BENCH_B)/first-line: tests/bench/first-line.c
	$(call say,MUSLCC,$@)
	@mkdir -p $(@D)
	$(Q)musl-gcc -static -Os -std=gnu17 $(filter-out -Wundef,$(WARN)) $(WERROR) -s $< -o $@
$(BENCH_B)/first-line.cpio: $(BENCH_B)/first-line
	$(call say,CPIO,$@)
	$(Q)rm -rf $(BENCH_B)/initrd.d && mkdir -p $(BENCH_B)/initrd.d
	$(Q)cp $< $(BENCH_B)/initrd.d/init
	$(Q)cd $(BENCH_B)/initrd.d && echo init | cpio -o -H newc --quiet --owner=0:0 > $(abspath $@)

# The root file system of the Linux guests that work in the lab (lab_guest.py).
bench-lab-files: $(BENCH_B)/work.erofs $(BENCH_B)/pingpong
$(BENCH_B)/pingpong: tests/bench/pingpong.c
	$(call say,MUSLCC,$@)
	@mkdir -p $(@D)
	$(Q)musl-gcc -static -O2 -std=gnu17 $(filter-out -Wundef,$(WARN)) $(WERROR) -s $< -o $@
$(BENCH_B)/work.erofs: tests/bench/guest-init tests/make-rootfs $(BENCH_B)/pingpong
	$(call say,EROFS,$@)
	$(Q)tests/make-rootfs $(BENCH_B)/work.d fio iperf3 ping ip
	$(Q)cp tests/bench/guest-init $(BENCH_B)/pingpong $(BENCH_B)/work.d/bin/
	$(Q)rm -f $@ && mkfs.erofs --quiet -zlz4 $@ $(BENCH_B)/work.d >/dev/null
