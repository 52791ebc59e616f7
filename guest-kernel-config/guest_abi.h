/*
 * guest_abi.h - what Bulkhead and the init that it puts into its guests
 * agree on.  Constants only: the file is compiled into the monitor (glibc),
 * into the guest's init (musl) and into bare-metal test guests.
 *
 * 1. The exit device, eight bytes of port space.  All accesses are 32 bits
 *    wide; others are ignored (reads give all ones).
 *      +0  read   BH_EXIT_MAGIC
 *          write  the end of the run, (kind << 8) | code; ends the VM
 *      +4  read   what the host wants of init, which the power button tells it of:
 *                 BH_WANT_STOP, or BH_WANT_PIDS | N (at most N processes and
 *                 threads from now on, 0: any number), which is read once; 0 when
 *                 there is nothing (more)
 *          write  with BH_EXIT_OP_PHASE in the top byte: a phase was reached
 *                 with BH_EXIT_OP_TEXT in the top byte: append the low byte
 *                 to the message that explains BH_EXIT_FAILED or
 *                 BH_EXIT_OUT_OF_MEMORY (bounded by
 *                 the monitor: what is over BH_EXIT_TEXT_MAX is dropped)
 *
 * 2. The run's parameters: the file BH_PARAMS_PATH of the initramfs, a
 *    sequence of "key=value" records, each ended by a NUL byte.  Keys come
 *    once unless marked (repeated).  Unknown keys are an error of init.
 *      version=1          always first
 *      console=terminal   the console is the user's terminal: cooked mode,
 *                         controlling terminal of CMD
 *      console=stream     raw both ways; what arrives is the stream below
 *      input=none         (console=stream only) the command's standard input is
 *                         at its end, and nothing comes from the host
 *      verbose=1          init may tell what it does
 *      rows=N cols=N term=NAME      (console=terminal only)
 *      hostname=NAME
 *      root=overlay       /dev/vda read-only under an overlay in memory
 *      root=rw | ro       /dev/vda mounted as it is
 *      root=none          the initramfs itself is the root
 *      disk=NAME,MODE,DIR (repeated) /dev/NAME (vda to vdz) is mounted on DIR,
 *                         an absolute path, made if it is missing; MODE is rw
 *                         or ro; with rw ext4 only can be written to
 *      init=image         run the image's own init instead of a command
 *      arg=TEXT           (repeated) the command and its arguments
 *      env=NAME=VALUE     (repeated) added to a minimal environment
 *      workdir=PATH       made if it is missing; default /
 *      net=MAC,CIDR,GW    (repeated) an interface by its MAC; CIDR and GW
 *                         may be empty (the link is then only set up)
 *      dns=IP             (repeated) for /etc/resolv.conf
 *      pids=N[,best-effort]  at most N processes and threads, init among them;
 *                         with best-effort a kernel that cannot count them is
 *                         told of with BH_PHASE_UNBOUNDED, not an error
 *
 * 3. The stream of console=stream, host to guest: every byte stands for
 *    itself but BH_DLE, which starts an escape:
 *      BH_DLE BH_DLE            the byte BH_DLE
 *      BH_DLE BH_STREAM_EOF     end of the command's standard input
 *      BH_DLE BH_STREAM_SIGNAL N   send signal N to the command's process
 *                               group (1 <= N <= 31)
 *    Guest to host there is no escape: every byte is the command's output.
 *    The host sends nothing before BH_PHASE_INIT.
 */
#ifndef GUEST_ABI_H
#define GUEST_ABI_H

#define BH_EXIT_PORT	 0x5b0
#define BH_EXIT_PORT_LEN 8
#define BH_EXIT_MAGIC	 0x31584842u /* "BHX1" */

/* How the run ended; the low byte of a status word is `code`. */
#define BH_EXIT_EXITED		   0 /* the command exited with `code` */
#define BH_EXIT_SIGNALED	   1 /* the command was ended by signal `code` */
#define BH_EXIT_NOT_FOUND	   2 /* the command could not be found; code is errno */
#define BH_EXIT_NOT_EXEC	   3 /* ... or not executed; code is errno */
#define BH_EXIT_FAILED		   4 /* init could not set the guest up; see the text */
#define BH_EXIT_OUT_OF_MEMORY	   5 /* the guest's kernel killed the command; see the text */
#define BH_EXIT_STATUS(kind, code) (((kind) << 8) | ((code)&0xff))

#define BH_EXIT_OP_PHASE (1u << 24)
#define BH_EXIT_OP_TEXT	 (2u << 24)
#define BH_EXIT_TEXT_MAX 512

#define BH_WANT_STOP 1u
#define BH_WANT_PIDS (1u << 31)
#define BH_PIDS_MAX  (1u << 22) /* as the kernel has it */

#define BH_PHASE_INIT	   1 /* init runs, the console is set up for input */
#define BH_PHASE_COMMAND   2 /* the command is about to be executed */
#define BH_PHASE_UNBOUNDED 3 /* nothing keeps to what pids= or BH_WANT_PIDS says */

#define BH_PARAMS_PATH "/bulkhead.params"
#define BH_PARAMS_MAX  (1u << 20)

#define BH_DLE		 0x10
#define BH_STREAM_EOF	 'E'
#define BH_STREAM_SIGNAL 'S'

#define BH_SERIAL_PORT	0x3f8
#define BH_PVPANIC_PORT 0x505

#endif
