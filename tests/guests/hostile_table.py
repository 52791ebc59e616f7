"""hostile_table - what hostile guests do, and what state that leaves the device in.

tests/guests/hostile runs every row and makes the table of
docs/hostile-guests.md from it.
"""
from dataclasses import dataclass, field

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
    options: list = field(default_factory=list)
    long: bool = False  # only with --long


ROWS = []
CHAPTERS = []  # (title, first row's index)


def chapter(title):
    CHAPTERS.append((title, len(ROWS)))


def words(states):
    return tuple(states.split())


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
ring("indirect-misaligned", "a table at an odd multiple of 8")
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
