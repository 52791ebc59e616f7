/*
 * layout.h - the guest physical address space of an x86-64 guest.
 *
 *   00006000  boot GDT; PVH start info, its memory map and module list
 *   00007000  zero page (struct boot_params)
 *   00008000  command line
 *   00009000  page tables of the 64-bit entry, six pages, to 0000f000
 *   000a0000  end of the conventional memory that we tell of
 *   000e0000  RSDP, then the other ACPI tables, where firmware has them, so
 *             that a kernel that is told no address finds them
 *   000f0000  MP tables, likewise, to 00100000
 *   00100000  RAM, up to 3 GiB; kernels are loaded here, the initrd at its end
 *   c0000000  the hole: nothing but
 *     d0000000  virtio-mmio, one page per device
 *     fec00000  I/O APIC
 *     fee00000  local APICs
 *     fffbc000  KVM's identity map page (its default place) and TSS: used by
 *               VT-x that cannot run real mode itself
 *   100000000 the rest of RAM
 *
 * Interrupts: the I/O APIC's pins are GSI 0 to 23 at most; it has none beyond
 * the last device, as kernels look at each. There is no 8259 and no PIT. The
 * serial port keeps its usual 4, the power button has 3 (there is no second
 * serial port), virtio devices have 5 to 23.
 */
#ifndef X86_LAYOUT_H
#define X86_LAYOUT_H

#define PAGE_SIZE 0x1000ULL

#define BOOT_AREA_START	 0x6000ULL
#define BOOT_GDT	 0x6000ULL
#define PVH_START_INFO	 0x6100ULL
#define PVH_MODLIST	 0x6180ULL
#define PVH_MEMMAP	 0x6200ULL
#define ZERO_PAGE	 0x7000ULL
#define CMDLINE_ADDR	 0x8000ULL
#define PAGE_TABLES	 0x9000ULL
#define PAGE_TABLE_PAGES 6 /* PML4, PDPT, and a PD for each of 4 GiB */
#define BOOT_AREA_END	 0xf000ULL

#define CONVENTIONAL_END 0xa0000ULL
#define FIRMWARE_START	 0xe0000ULL
#define ACPI_START	 0xe0000ULL
#define MP_START	 0xf0000ULL
#define FIRMWARE_END	 0x100000ULL
#define HIGH_RAM_START	 0x100000ULL

#define HOLE_START 0xc0000000ULL
#define HOLE_END   0x100000000ULL

#define VIRTIO_BASE	0xd0000000ULL
#define VIRTIO_STRIDE	0x1000ULL
#define IOAPIC_ADDR	0xfec00000U
#define LOCAL_APIC_ADDR 0xfee00000U
#define KVM_TSS_ADDR	0xfffbd000UL /* three pages, after the identity map page */

#define GSI_POWER_BUTTON 3
#define GSI_SERIAL	 4
#define GSI_VIRTIO	 5
#define IOAPIC_PINS_MAX	 24

/* Selectors in the boot GDT: the 64-bit protocol asks for 0x10 and 0x18. */
#define SEL_CODE32 0x08
#define SEL_CODE64 0x10
#define SEL_DATA   0x18
#define SEL_TSS	   0x20

#endif
