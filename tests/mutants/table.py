"""table.py - the bugs that tests/check-mutants plants.

Each row: name, file, the exact text (once in the file), what it becomes, the
property that breaks, and the tests that have to notice: names of unit tests
without "test_", or "fuzz:TARGET" for its seeds and regressions, "guest:CASE" for
what tests/guests/run has of that name.  One of them
is enough.
"""

VQ = "devices/virtio/virtqueue.c"
BACK = "devices/virtio/vhost_user_backend.c"
RING = "devices/virtio/vhost_user_ring.c"
MEM = "devices/virtio/vhost_user_memory.c"
BLK = "devices/virtio/blk.c"
NET = "devices/virtio/net.c"
MMIO = "devices/platform/virtio_mmio.c"
SERIAL = "devices/platform/serial.c"
DIALOGUE = "vmm/monitor/vhost_user_dialogue.c"
QUEUE = ["virtqueue", "fuzz:blk", "fuzz:backend"]
BACKEND = ["vhost_user_backend", "fuzz:backend"]
DISK = ["blk", "fuzz:blk"]
NIC = ["net", "fuzz:net"]
TRANSPORT = ["virtio_mmio", "virtio_mmio_life", "fuzz:mmio"]
LOADER = ["arch_loader", "fuzz:kernel"]
UART = ["serial", "serial_linux", "fuzz:serial"]
FRONT = ["vhost_user_frontend_lies", "vhost_user_frontend", "fuzz:frontend"]
USER = ["config", "options", "fuzz:cli"]
INIT = ["guest_params", "fuzz:params"]

MUTANTS = [
    # --- guest memory, bus ---
    ("memory-end", "devices/guest_memory.c",
     "addr.addr - r->gpa >= r->size", "addr.addr - r->gpa > r->size",
     "an address one past a region is in no region", ["guest_memory"]),
    ("memory-partial", "devices/guest_memory.c",
     "return got == len ? p : NULL;", "return got ? p : NULL;",
     "a range is wholly inside one region", ["guest_memory", "virtqueue"]),
    ("bus-straddle", "devices/bus.c",
     "addr < r->base || len > r->len - (addr - r->base)", "addr < r->base",
     "an access over a device's end belongs to nobody", ["bus"]),

    # --- virtqueue ---
    ("ring-head-bound", VQ, "if (chain.head >= vq->size)", "if (chain.head > vq->size)",
     "a head lies inside the queue", QUEUE),
    ("ring-same-head", VQ, "if (head_is_out(vq, chain.head))", "if (0)",
     "no head is served twice at a time", QUEUE),
    ("ring-next-bound", VQ, "if (index >= w->vq->size)", "if (index > w->vq->size)",
     "a chain stays inside the descriptor table", QUEUE),
    ("ring-loop", VQ, "steps < w->vq->size", "steps < 65536",
     "a chain is no longer than the queue", QUEUE),
    ("ring-iov-room", VQ, "if (n == w->max)", "if (n == w->max + 1)",
     "no more iovecs than there is room for", QUEUE),
    ("ring-sum", VQ, "if (__builtin_add_overflow(*sum, d->len, sum))", "if (*sum += d->len, 0)",
     "the bytes of a chain fit 32 bits", QUEUE),
    ("ring-order", VQ, "if (!write && w->chain->nwrite)", "if (0)",
     "readable buffers come before writable ones", QUEUE),
    ("ring-avail-jump", VQ, "(uint16_t)(vq->seen_avail - vq->next_avail) > vq->size ||",
     "0 ||", "the available index does not jump", QUEUE),
    ("ring-avail-behind-used", VQ, "(uint16_t)(vq->seen_avail - vq->published) > vq->size)", "0)",
     "no more chains than the driver can own", QUEUE),
    ("indirect-nested", VQ,
     "if (d.flags & VRING_DESC_F_INDIRECT)\n\t\t\treturn virtqueue_break",
     "if (0)\n\t\t\treturn virtqueue_break", "no table inside a table", QUEUE),
    ("indirect-bound", VQ, "if (index >= count)", "if (index > count)",
     "a chain stays inside an indirect table", QUEUE),
    ("indirect-unnegotiated", VQ, "if (!w->vq->indirect)", "if (0)",
     "no indirect descriptors that were not negotiated", QUEUE),
    ("ring-alignment", VQ, "g->desc.addr % 16 ||", "g->desc.addr % 8 ||",
     "rings are aligned", QUEUE),
    ("publish-order", VQ, "ring_release_u16(&used->idx, vq->next_used);\n", "",
     "what was pushed is shown to the driver", QUEUE),
    ("notify-recheck", VQ, "ring_acquire_u16(&avail->idx) != vq->next_avail", "0",
     "a chain that comes in before the driver knows is not forgotten",
     ["virtqueue", "fuzz:rng", "fuzz:blk"]),
    ("interrupt-first", VQ, "vring_need_event(ring_fetch(used_event(vq)), vq->next_used, old)",
     "vring_need_event(ring_fetch(used_event(vq)), old, vq->next_used)",
     "the driver is interrupted where it asked for it", QUEUE),

    # --- in-flight record, back end ---
    ("inflight-batch", "devices/virtio/inflight.c",
     "if (head >= queue_size)", "if (head > queue_size)",
     "a record's links stay inside it", ["virtqueue", "fuzz:backend", "vhost_user_backend"]),
    ("inflight-size", "devices/virtio/inflight.c",
     "|| load(&q->desc_num) != queue_size)", ")",
     "a record of another size is refused", ["virtqueue", "vhost_user_backend", "fuzz:backend"]),
    ("backend-frozen", BACK,
     "if (r->started)\n\t\treturn r->num == msg->payload.state.num ? DONE : REFUSED;\n", "",
     "a queue's size is frozen while it runs", BACKEND),
    ("backend-index", BACK, "index >= b->dev.nqueues", "index > b->dev.nqueues",
     "no message names a queue that is not there", BACKEND),
    ("backend-config-range", BACK, "c->offset > VHOST_USER_CONFIG_MAX - c->size ||", "",
     "config space is read inside its bounds", BACKEND),
    ("backend-payload-size", BACK, "if (msg->hdr.size < q->size_min)", "if (0)",
     "a message has the payload that its request needs", BACKEND),
    ("backend-features", BACK, "if (f & ~b->dev.features ||", "if (",
     "no feature that was not offered", BACKEND),
    ("backend-fds-returned", BACK,
     "vhost_user_msg_release(msg);\n\tvhost_user_ring_stop(b, s->index);",
     "vhost_user_ring_stop(b, s->index);",
     "an answer carries no fds of the request", ["fuzz:backend"]),
    ("region-end", MEM, "size > (uint64_t)st.st_size - offset", "size > (uint64_t)st.st_size",
     "a memory region lies inside its file", ["vhost_user", "vhost_user_backend"]),
    ("region-alignment", MEM, "if ((r->guest_phys_addr ^ r->mmap_offset) & 15)", "if (0)",
     "addresses are aligned as guest addresses are", ["fuzz:backend"]),
    ("ring-pause", RING, "b->dev.quiesce(b->dev.ctx, q);\n", "",
     "a stopped queue has no chain out", ["net", "fuzz:net", "vhost_user_backend"]),
    ("message-fds", "devices/virtio/vhost_user.c",
     "if (msg->nfds < VHOST_USER_MAX_FDS)\n\t\t\t\tmsg->fds",
     "if (msg->nfds <= VHOST_USER_MAX_FDS)\n\t\t\t\tmsg->fds",
     "a message has a bounded number of fds", ["vhost_user", "fuzz:backend"]),

    # --- blk ---
    ("blk-sector", BLK, "len / SECTOR > capacity - sector", "len / SECTOR > capacity - sector + 1",
     "a request lies on the disk", DISK),
    ("blk-sector-wrap", BLK, "sector > capacity ||", "",
     "a sector beyond the disk's end is refused", DISK),
    ("blk-read-only", BLK, "if (op == DISK_WRITE && blk->params->read_only)", "if (0)",
     "a read-only disk is not written", DISK),
    ("blk-status", BLK, "*r->status = status;\n", "",
     "every request gets its status", DISK),
    ("blk-leak", BLK,
     "virtqueue_push(vhost_user_queue(blk->backend, r->queue), r->head, written);\n", "",
     "every chain is returned", DISK),
    ("blk-len", BLK, "r->data_len + 1 : 0", "r->data_len : 0",
     "the used length counts the status byte", DISK),
    ("blk-flags", BLK, "if (range.flags & ~known)", "if (0)",
     "unknown flags of a range are refused", DISK),
    ("blk-no-status", BLK, "if (!chain->nwrite) {", "if (0) {",
     "a request without a status byte breaks the ring", DISK),

    # --- net ---
    ("net-buffers", NET,
     "window_write(w, offsetof(struct virtio_net_hdr_v1, num_buffers), &n, sizeof(n));\n", "",
     "the header says how many buffers a frame has", NIC),
    ("net-unpop", NET, "virtqueue_unpop(vq, c.head);\n\t\t\tnet->tx_blocked = true;",
     "net->tx_blocked = true;", "a frame that the tap does not take is not lost", NIC),
    ("net-short", NET, "if (c->read_bytes <= TAP_HEADER_LEN ||", "if (",
     "a frame of a header alone is dropped", NIC),
    ("net-spill", NET, "net->held_in_window = room;", "net->held_in_window = 0;",
     "a frame that waits for buffers stays whole", NIC),
    ("net-readable", NET, "if (c.nread || !c.nwrite) {", "if (!c.nwrite) {",
     "a receive buffer that is not writable breaks the ring", NIC),
    ("net-gone", NET, "if (n < 0 && errno == EAGAIN)\n\t\treturn false;",
     "if (n < 0)\n\t\treturn false;", "a tap that is gone does not keep the driver's buffers", NIC),
    ("net-offload", NET, "strerror(-r));\n\treturn r;", "strerror(-r));\n\treturn 0;",
     "features whose offloads the tap refuses are refused", NIC),

    # --- transport, serial, control ports ---
    ("mmio-frozen", MMIO, "if (t->queues[t->queue_sel].ready || !status_is(t, FEATURES_OK, "
     "DRIVER_OK | FAILED))\n\t\treturn;\n\tswitch", "switch",
     "a queue's set-up is frozen once it is ready", TRANSPORT),
    ("mmio-ready-late", MMIO, "if (value != 1 || c->ready || !status_is(t, FEATURES_OK, "
     "DRIVER_OK | FAILED))", "if (value != 1 || c->ready)",
     "no queue becomes ready after DRIVER_OK", TRANSPORT),
    ("mmio-unready", MMIO, "if (!status_is(t, DRIVER_OK, 0))\n\t\t\t*c", "*c",
     "a queue in use stays ready", TRANSPORT),
    ("mmio-queue-size", MMIO, "n <= max && (n & (n - 1)) == 0", "(n & (n - 1)) == 0",
     "a queue is no larger than was offered", TRANSPORT),
    ("mmio-config", MMIO, "at < t->info.config_len && len <= t->info.config_len - at",
     "at < t->info.config_len", "config space is accessed inside its bounds", TRANSPORT),
    ("mmio-features", MMIO, "return !(t->driver_features & ~t->info.features) &&", "return",
     "no feature that was not offered", TRANSPORT),
    ("mmio-notify", MMIO, "if (queue < t->info.nqueues && t->queues[queue].ready &&",
     "if (queue < t->info.nqueues &&", "only a queue that is ready is notified", TRANSPORT),
    ("mmio-lost", MMIO, "} else if (!atomic_load(&t->lost)) {", "} else {",
     "no reset brings a lost device back", TRANSPORT),
    ("serial-fifo", SERIAL, "if (s->tx.count < FIFO_LEN)\n\t\tring_put", "ring_put",
     "the transmit FIFO has a bound", UART),
    ("serial-rx", SERIAL, "s->input.count && s->rx.count < rx_capacity(s)", "s->input.count",
     "the receive FIFO has a bound", UART),
    ("serial-burst", SERIAL, "while (s->burst && s->input.count", "while (s->input.count",
     "no interrupt handler is fed without end", UART),
    ("serial-thre", SERIAL, "if (!s->tx.count)\n\t\tv |= UART_LSR_THRE",
     "if (s->tx.count < FIFO_LEN)\n\t\tv |= UART_LSR_THRE",
     "the transmitter is empty only when it is", UART),
    ("i8042-mask", "devices/platform/control_ports.c", "& 0xf1) == 0xf0", "& 0xf0) == 0xf0",
     "only the reset line's pulse resets", ["control_ports"]),

    # --- arch ---
    ("load-overlap", "arch/x86_64/load.c",
     "return a < b ? b - a < a_len : a - b < b_len;", "return a < b ? 0 : a - b < b_len;",
     "nothing is loaded over our own structures", LOADER),
    ("load-entry", "arch/x86_64/load.c", "image->boot.entry - s->addr < s->file_len",
     "image->boot.entry - s->addr <= s->file_len", "the entry is in what was loaded", LOADER),
    ("load-initrd", "arch/x86_64/load.c", "size > end - start)", "size > end)",
     "the initrd lies behind the kernel", LOADER),
    ("elf-file-end", "arch/x86_64/elf.c", "ph->p_offset > size || ph->p_filesz > size - "
     "ph->p_offset))\n\t\treturn err_set(e, ENOEXEC,\n\t\t\t       \"the file is truncated: the",
     "0))\n\t\treturn err_set(e, ENOEXEC,\n\t\t\t       \"the file is truncated: the",
     "a segment lies inside its file", LOADER),
    ("elf-note", "arch/x86_64/elf.c", "if (desc > len || n.n_descsz > len - desc)",
     "if (desc > len)", "a note lies inside its segment", LOADER),
    ("bzimage-header", "arch/x86_64/bzimage.c", "MIN(end - SETUP_AT, sizeof(*ret))",
     "end - SETUP_AT", "no more than the header is copied", LOADER),
    ("bzimage-setup-data", "arch/x86_64/bzimage.c", "\ts->setup_data = 0;\n", "",
     "what a boot loader says is not the file's to say", LOADER),

    # --- monitor: the dialogue ---
    ("dialogue-size", DIALOGUE, "return size == want;", "return size <= want;",
     "an answer has the size of its kind", FRONT),
    ("dialogue-queues", DIALOGUE, "(unsigned int)MIN(num, d->terms.max_queues / each)",
     "(unsigned int)num", "no more queues than were configured", FRONT),
    ("dialogue-config", DIALOGUE, "if (c->offset != 0 || c->size != d->terms.config_len)",
     "if (0)", "the answer is the config space that was asked for", FRONT),
    ("dialogue-unasked", DIALOGUE, "if (hdr->request != x->request)", "if (0)",
     "answers come in the order of the questions", FRONT),
    ("dialogue-fds", DIALOGUE, "if (m->nfds != nfds)", "if (0)",
     "an answer has the fds of its kind", FRONT),
    ("gate-count", "vmm/monitor/vcpu_gate.c",
     "g->state == VCPU_GATE_CLOSING && g->nparked == g->nvcpus", "g->state == VCPU_GATE_CLOSING",
     "vCPUs are held when all of them are", ["vcpu_gate"]),

    # --- a reset waits, whatever it takes ---
    ("reset-wait", "vmm/monitor/vhost_user_frontend.c",
     "begin(fe, STOPPING, VHOST_USER_STOP, fe->reset_ms);",
     "begin(fe, STOPPING, VHOST_USER_STOP, fe->reset_ms), finish_op(fe, 0);",
     "a reset ends when the back end has let go of the rings", ["guest:reset-slow-backend"]),
    ("reset-lost-wait", "vmm/monitor/vhost_user_frontend.c",
     "return fe->pidfd >= 0 ? fe->exited : !fe->d.running;", "return true;",
     "a reset ends when a killed process is gone", ["guest:reset-past-deadline"]),
    ("reset-foreign-unsafe", "vmm/monitor/vhost_user_frontend.c",
     "unsafe = !kill_process(fe) && fe->d.running;", "unsafe = false;",
     "a machine ends when nobody can stop a back end", ["guest:reset-foreign-past-deadline"]),
    ("blk-drain", BLK, "disk_drain(blk->disk);\n", "",
     "a stopped disk has nothing under way", ["guest:reset-slow-disk"]),
    ("uring-drain", "devices/backend/disk_uring.c", "while (d->uring->inflight) {", "while (0) {",
     "draining waits for what the kernel has", ["guest:reset-slow-disk"]),

    # --- configuration, options, init ---
    ("config-cpus", "vmm/config/run_config.c", "parse_u64(value, 1, RUN_CPUS_MAX, &n)",
     "parse_u64(value, 0, RUN_CPUS_MAX, &n)", "a guest has a CPU", USER),
    ("config-memory", "vmm/config/run_config.c", "if (bytes % 4096)", "if (0)",
     "memory is made of pages", USER),
    ("config-disks", "vmm/config/run_config.c",
     "(cfg->root.path != NULL) + cfg->ndisks + cfg->nnets", "cfg->ndisks + cfg->nnets",
     "there are no more devices than interrupts", USER),
    ("config-twice", "vmm/cli/options.c", "if ((*seen & bit) && !opt->repeated)", "if (0)",
     "an option is given once", USER),
    ("config-mac", "vmm/config/values.c", "if (mac[0] & 1)", "if (0)",
     "no interface has a multicast address", USER),
    ("size-overflow", "vmm/base/util.c", "if (r < 0 || v > UINT64_MAX >> shift)", "if (r < 0)",
     "a size that does not fit is refused", ["base", "config"]),
    ("text-printable", "vmm/base/util.c", "text[i] < 0x7f ? text[i] : '?'", "1 ? text[i] : '?'",
     "messages are printable", ["base", "options", "fuzz:cli"]),
    ("params-once", "guest-kernel-config/init/params.c",
     "if (ps->p->console != PARAMS_CONSOLE_UNSET)", "if (0)",
     "a parameter comes once", INIT),
    ("params-cut", "guest-kernel-config/init/params.c",
     "if (record == left)", "if (record > left)", "a parameter that is cut off is refused", INIT),
    ("params-dns", "guest-kernel-config/init/params.c",
     "if (ps->p->dns_count == PARAMS_DNS_MAX)", "if (0)", "the name servers have a bound", INIT),
    ("stream-escape", "guest-kernel-config/init/stream.c",
     "d->state == STREAM_STATE_ESCAPE && byte != BH_DLE", "d->state == STREAM_STATE_ESCAPE",
     "an escaped escape is data", ["guest_stream", "fuzz:stream"]),
    ("stream-signal", "guest-kernel-config/init/stream.c",
     "if (byte < 1 || byte > 31)", "if (byte > 31)", "signal 0 is no signal",
     ["guest_stream", "fuzz:stream"]),
]
