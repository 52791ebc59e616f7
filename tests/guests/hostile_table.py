"""hostile_table - what hostile guests do, and what state that leaves the device in.

tests/guests/hostile runs every row and makes the table of
docs/hostile-guests.md from it.
"""
from dataclasses import dataclass

RING = ("blk", "tx", "rx", "rng")


@dataclass
class Row:
    name: str  # the guest's case, with - for _
    what: str
    states: dict  # target -> the states that it may show, the usual one first
    guest: str
    cve: str = ""
    memory: str = "64M"
    cpus: int = 1
    options: tuple = ()  # of the target's --disk
    special: str = ""  # what the runner does besides


ROWS = []
CHAPTERS = []  # (title, first row's index)


def chapter(title):
    CHAPTERS.append((title, len(ROWS)))


def words(states):
    return tuple(states.split())


def add(guest, cpus=1):
    """A function like ring() for another guest."""
    def row(name, what, states="served", targets=("blk", "tx", "rng"), cve="", options=(),
            special="", **others):
        by_target = {t: words(others.get(t, states)) for t in targets}
        ROWS.append(Row(name, what, by_target, guest, cve, cpus=cpus, options=options,
                        special=special))
    return row


def ring(name, what, states="needs-reset", targets=RING, cve="", memory="64M", **special):
    """`special`: targets that show another state than the others."""
    by_target = {t: words(special.get(t, states)) for t in targets}
    ROWS.append(Row(name, what, by_target, "hostile_ring.elf", cve, memory))


def big(name, what, states="needs-reset", **kw):
    """Needs RAM on both sides of the hole below 4 GiB."""
    ring(name, what, states, memory="5G", **kw)


chapter("Descriptor chains")
ring("loop", "the last descriptor points back at the first", cve="CVE-2020-16843")
ring("loop-self", "a descriptor points at itself")
ring("loop-whole-ring", "a circle through every descriptor of the ring")
ring("next-outside", "a next index one past the table")
ring("next-far-outside", "next index 0xffff")
ring("addr-wild", "a buffer where no machine has memory", cve="CVE-2019-18960")
ring("addr-hole", "a buffer in the hole below 4 GiB")
ring("addr-device", "a buffer in the device's own registers")
ring("addr-lapic", "a buffer in the local APIC")
ring("addr-wraps", "a buffer around the end of the address space")
ring("addr-last", "the last byte of the address space")
ring("first-wild", "the first descriptor of a chain is nowhere")
ring("last-in-hole", "the last descriptor of a chain is in the hole")
big("into-hole", "a buffer that begins in RAM and ends in the hole", cve="CVE-2019-18960")
big("across-hole", "a buffer from RAM below the hole to RAM behind it")
big("out-of-hole", "a buffer that begins in the hole and ends in RAM")
big("over-end", "a buffer over the end of RAM", cve="CVE-2019-18960")
big("behind-end", "a buffer that begins at the end of RAM")
big("before-hole", "the last bytes before the hole: lawful", "served", tx="served")
big("after-hole", "the first bytes behind the hole: lawful", "served", tx="served")
big("before-end", "the last bytes of RAM: lawful", "served", tx="served")
ring("length-zero", "a buffer of no bytes", cve="CVE-2016-6490")
ring("length-max", "a buffer of 2^32 - 1 bytes")
ring("length-sector-max", "a buffer of 2^32 - 512 bytes")
big("sum-wraps", "two buffers of 2 GiB: their sum is 2^32")
big("sum-wraps-to-little", "five buffers of 1 GiB: their sum wraps to 1 GiB")
big("sum-just-fits", "four buffers, 1 KiB less than 2^32", "served", blk="refused", tx="dropped")
ring("wrong-direction", "the body is readable where it is to be written, or the reverse",
     blk="refused", tx="dropped")
ring("all-wrong-direction", "every descriptor has the wrong direction", "needs-reset",
     tx="dropped", rng="refused")
ring("readable-last", "readable behind writable")
ring("unknown-flags", "every unknown flag of a descriptor is set", "served")
ring("short-alone", "a chain of one byte", blk="refused", tx="dropped", rx="runs",
     rng="served")

chapter("Indirect tables")
ring("indirect-odd", "a table's length is no multiple of 16")
ring("indirect-empty", "a table of no bytes")
ring("indirect-huge", "a table of 2^32 - 16 bytes")
ring("indirect-long", "4096 entries, all of them memory")
ring("indirect-wild", "a table where no machine has memory")
big("indirect-into-hole", "a table whose second entry is in the hole")
ring("indirect-misaligned", "a table at an odd address: lawful", "served")
ring("indirect-next", "INDIRECT and NEXT together")
ring("indirect-nested", "a table in a table")
ring("indirect-self", "a table whose entry is the table")
ring("indirect-is-ring", "the ring's own table as the indirect table")
ring("indirect-loop", "an entry that points at itself")
ring("indirect-outside", "a next index one past the table")
ring("indirect-far-outside", "next index 0xffff")
ring("indirect-unnegotiated", "a table without VIRTIO_F_INDIRECT_DESC")
ring("indirect-after-plain", "a plain descriptor, then a table: lawful", "served")

chapter("Available ring")
ring("head-outside", "a head one past the table")
ring("head-far-outside", "head 0xffff")
ring("avail-jump", "the index jumps one past the ring's size", cve="CVE-2016-5403")
ring("avail-half-way", "the index jumps by 2^15")
ring("avail-back", "the index goes back")
ring("head-repeated", "one head in every entry, all at once", "served", blk="needs-reset")
ring("avail-flags", "all flags of the ring are set", "served")

chapter("Buffers over the rings, rings over each other")
OVERLAP = "runs needs-reset"
ring("over-desc", "the body is the descriptor table", OVERLAP)
ring("over-avail", "the body is the available ring", OVERLAP)
ring("over-used", "the body is the used ring", OVERLAP)
ring("used-is-avail", "used and available ring at one address", OVERLAP)
ring("used-is-desc", "used ring and descriptor table at one address", OVERLAP)
ring("avail-is-desc", "available ring and descriptor table at one address", OVERLAP)
ring("avail-is-used", "the available ring is where the used ring is", OVERLAP)
ring("used-index-dirty", "the used index of a fresh ring is 5")

chapter("Rings that are nowhere")
ring("desc-wild", "descriptor table where no machine has memory")
ring("avail-wild", "available ring where no machine has memory")
ring("used-wild", "used ring where no machine has memory")
ring("desc-device", "descriptor table in the device's registers")
ring("used-device", "used ring in the device's registers")
ring("desc-misaligned", "descriptor table at an odd multiple of 8", "not-ready")
ring("avail-misaligned", "available ring at an odd address", "not-ready")
ring("used-misaligned", "used ring at an odd multiple of 2", "not-ready")
ring("desc-wraps", "descriptor table around the end of the address space", "not-ready")
ring("used-wraps", "used ring around the end of the address space", "not-ready")
big("desc-into-hole", "descriptor table from RAM into the hole")
big("used-into-hole", "used ring from RAM into the hole")
big("avail-over-end", "available ring over the end of RAM")
big("used-over-end", "used ring over the end of RAM")


chapter("Requests")
request = add("hostile_request.elf")
BLK, TX, RX, RNG = ("blk",), ("tx",), ("rx",), ("rng",)
request("blk-short-header", "a header of 15 bytes", "refused", BLK)
request("blk-no-header", "nothing to read in the request", "refused", BLK)
request("blk-no-status", "nowhere to write the status to", "needs-reset", BLK)
request("blk-status-in-data", "data and status in one buffer: lawful", "served", BLK)
request("blk-status-over-header", "the status byte is the header's first", "runs", BLK)
request("blk-header-in-pieces", "a header of six buffers: lawful", "served", BLK)
request("blk-odd-length", "511 bytes of data", "refused", BLK)
request("blk-behind-end", "a read behind the disk's end", "refused", BLK)
request("blk-over-end", "a read over the disk's end", "refused", BLK)
request("blk-sector-max", "a read at sector 2^64 - 1", "refused", BLK)
request("blk-sector-wraps", "a read at sector 2^55, whose byte offset is 0 in 64 bits", "refused",
        BLK)
request("blk-write-over-end", "a write over the disk's end", "refused", BLK)
request("blk-types", "eight types that there are not", "refused", BLK)
request("blk-ranges", "DISCARD and WRITE_ZEROES of ten ranges off the disk or malformed",
        "refused", BLK)
request("blk-read-only", "writes to a read-only disk", "refused", BLK, options=("ro",))
request("blk-segments", "as many segments as are offered", "served", BLK)
request("blk-segments-too-many", "twice as many", "needs-reset", BLK)
request("blk-one-buffer", "eight reads at once into one buffer", "served", BLK)
MANY = ("queues=16",)
request("blk-queues-full", "4096 requests at once over 16 queues of 256", "served", BLK,
        options=MANY)
request("blk-queues-reset", "the same, reset at once, eight times", "runs", BLK, options=MANY,
        cve="CVE-2026-45782")
request("blk-queues-share-rings", "16 queues over the same three rings", "runs", BLK,
        options=MANY)
request("blk-queues-differ", "queues of 1 to 256 entries over one ring", "served", BLK,
        options=MANY)
request("net-queues-share-rings", "both queues over the same three rings", "runs needs-reset", TX + RX)
request("tx-headers", "each byte of the network header in turn, eight values", "dropped served",
        TX)
request("tx-too-long", "a frame of 64 KiB and more", "dropped", TX)
request("tx-far-too-long", "a frame of 16 MiB", "dropped", TX)
request("tx-one-byte", "a frame of one byte", "dropped", TX)
request("tx-header-alone", "a header without a frame", "dropped", TX)
request("tx-pieces", "a frame in 255 pieces", "served", TX)
request("tx-pieces-too-many", "a frame in 256 pieces and a header", "needs-reset", TX)
request("rx-one-byte", "eight receive buffers of a byte, frames come in", "runs", RX,
        cve="CVE-2020-16843")
request("rx-few-bytes", "eight receive buffers of five pieces of a byte", "runs", RX,
        cve="CVE-2020-16843")
request("rx-pieces", "a receive buffer of 128 pieces of a byte", "served", RX)
request("rx-pieces-too-many", "a receive buffer of 129 pieces", "needs-reset", RX)
request("rx-no-buffers", "300 frames come in before there is a buffer", "served", RX)
request("rng-all-memory", "48 MiB of randomness in one buffer", "served", RNG)
request("rng-pieces", "a request in 64 pieces", "served", RNG)
request("rng-pieces-too-many", "a request in 65 pieces", "needs-reset", RNG)

chapter("Features and status")
registers = add("hostile_registers.elf")
registers("features-none", "FEATURES_OK without VERSION_1", "ignored")
registers("features-not-offered", "FEATURES_OK with a feature that was not offered", "ignored")
registers("features-all", "FEATURES_OK with all 64 features", "ignored")
registers("features-after-ok", "features added after FEATURES_OK and after DRIVER_OK, then used",
          "needs-reset")
registers("features-of-last-time", "a feature of the activation before, used", "needs-reset")
registers("features-selector", "feature words beyond the second", "ignored")
registers("status-from-0", "each of 256 values written to Status, from 0", "ignored")
registers("status-from-acknowledge", "the same, from ACKNOWLEDGE", "ignored")
registers("status-from-driver", "the same, from DRIVER", "ignored")
registers("status-from-features-ok", "the same, from FEATURES_OK", "ignored")
registers("status-from-driver-ok", "the same, from DRIVER_OK", "ignored")
registers("driver-ok-first", "DRIVER_OK before anything else, then a request", "ignored")
registers("failed-in-use", "FAILED in use, then a request")

chapter("Queue registers")
registers("size-bad", "sizes 0, 3, 9, 512, 2^15, 2^16, 2^16 + 8, 2^32 - 1", "not-ready")
registers("ready-wild", "QueueReady 2, 2^31, 2^31 + 1, 2^32 - 1", "not-ready")
registers("ready-early", "QueueReady before FEATURES_OK", "not-ready")
registers("ready-late", "QueueReady after DRIVER_OK", "not-ready")
registers("frozen-size", "a size of 2^15 after DRIVER_OK", cve="CVE-2026-5747")
registers("frozen-address", "addresses after DRIVER_OK", cve="CVE-2026-5747")
registers("frozen-while-ready", "size and addresses between QueueReady and DRIVER_OK")
registers("unready-in-use", "QueueReady 0 after DRIVER_OK")
registers("queue-outside", "queues that are not there: selected, made ready, notified")
registers("no-queue", "DRIVER_OK without any queue, then a notification", "runs")
registers("notify-early", "a request and its notification before DRIVER_OK")
registers("notify-storm", "5000 notifications without a request")
registers("reset-storm", "50 resets, each with a request on its way")

chapter("Accesses")
registers("widths", "each offset with 1, 2 and 8 bytes, and misaligned with 4")
registers("borders", "accesses across the borders of the device's page")
registers("config-written", "config space and what is behind it, all widths")
registers("acknowledge-storm", "2000 writes of all ones to InterruptACK")
registers("registers", "every register of every device and of an empty slot, 21 boundary values",
          "runs")
two = add("hostile_registers.elf", cpus=2)
two("registers-two-cpus", "the same from two CPUs at once, from both ends", "runs")

chapter("A second CPU changes what the device reads")
race = add("hostile_race.elf", cpus=2)
EITHER = "runs needs-reset"
race("race-addr", "addresses of descriptors", EITHER, RING)
race("race-len", "lengths of descriptors", EITHER, RING)
race("race-flags", "flags of descriptors", EITHER, RING)
race("race-next", "next indices", EITHER, RING)
race("race-heads", "entries of the available ring", EITHER, RING)
race("race-index", "the available index", EITHER, RING)
race("race-used", "the used ring and its index", EITHER, RING)
race("race-events", "event indices and flags of both rings", EITHER, RING)
race("race-table", "an indirect table: its length and its entries", EITHER, RING)
race("race-header", "the request's header (blk: type and sector; tx: the network header)", EITHER,
     ("blk", "tx"))
race("race-everything", "all of these at random", EITHER, RING)
race("storm", "a notification storm beside requests", EITHER, RING)
race("race-queue", "the queue's registers, while it is in use")
race("race-reset", "resets, while the first CPU starts the device and offers requests", "runs",
     RING)
race("race-status", "any value in Status, while the first CPU does the same", "runs", RING)

chapter("The machine")
platform = add("hostile_platform.elf")
ALL = ("machine",)
platform("serial-flood", "90000 bytes of output at once, and nobody reads", "runs", ALL,
         special="slow-reader")
platform("serial-input-flood", "input without end, and the guest does not read", "runs", ALL,
         special="input-flood", cve="CVE-2020-27174")
platform("serial-loop", "4000 bytes round the serial port's loop, FIFO cleared now and then",
         "runs", ALL)
platform("serial-interrupts", "interrupt causes switched 3000 times", "runs", ALL)
platform("serial-registers", "every value in every register, wide accesses", "runs", ALL)
platform("i8042-flood", "5000 commands and bytes to the keyboard controller", "runs", ALL)
platform("acpi-flood", "every value in the sleep registers but power-off", "runs", ALL)
platform("exit-text-flood", "5000 characters of init's last words", "runs", ALL)
platform("exit-phase-flood", "3000 phases, every other operation, odd widths", "runs", ALL)
platform("crash-loaded-flood", "3000 events of pvpanic that are no panic", "runs", ALL)
add("hostile_platform.elf", cpus=2)(
    "ports-two-cpus", "all of these ports from two CPUs, the second to the machine's end", "runs",
    ALL)
platform("ports-read", "every port is read: unclaimed ones are all ones", "ignored", ALL)
platform("ports-written", "unclaimed ports are written, all widths", "ignored", ALL)
platform("floppy", "commands to a floppy controller, which is not there", "ignored", ALL,
         cve="CVE-2015-3456")
platform("addresses", "unclaimed addresses behind memory and in the hole", "ignored", ALL)
platform("memory-end", "accesses across the end of memory", "ignored", ALL)
platform("ioapic-registers", "every register of the I/O APIC, masked", "runs", ALL)
platform("ioapic-routes", "every pin opened, sent elsewhere and masked, 256 times", "runs", ALL)
add("hostile_platform.elf", cpus=2)(
    "ioapic-two-cpus", "the same from two CPUs, the second to the machine's end", "runs", ALL)
platform("lapic-registers", "every register of the local APIC but commands", "runs", ALL)
