"""The machine that a guest sees: processors, memory, clock, random numbers."""
import json
import os
import re
import subprocess
import time

from harness import case

from cases.clock import check_time

TOPOLOGY = r'''
echo nproc $(nproc)
cd /sys/devices/system/cpu
echo online $(cat online)
for c in cpu[0-9]*; do
    echo topology $c $(cat $c/topology/physical_package_id $c/topology/core_id \
        $c/topology/core_cpus_list $c/topology/package_cpus_list)
done
grep -E '^(processor|siblings|cpu cores|apicid|core id)' /proc/cpuinfo | tr -s '\t ' ' '
for n in $(seq 0 $(($(nproc) - 1))); do
    taskset -c $n sh -c 'i=0; while [ $i -lt 300 ]; do i=$((i + 1)); done; echo worked on $(cut -d" " -f39 /proc/self/stat)'
done
'''


@case(table=[('1', 1), ('4', 4)])
def cpus(t, n):
    r = t.guest(TOPOLOGY, '--cpus', str(n))
    t.ended(r, 0)
    text = r.out.decode()
    lines = text.splitlines()
    t.check('nproc', f'nproc {n}' in lines, text)
    t.check('online', f'online {"0" if n == 1 else f"0-{n - 1}"}' in lines, text)
    everyone = '0' if n == 1 else f'0-{n - 1}'
    for i in range(n):
        t.check(f'topology of cpu{i}', f'topology cpu{i} 0 {i} {i} {everyone}' in lines, text)
        t.check(f'work on cpu{i}', f'worked on {i}' in lines, text)
        t.check(f'core id of cpu{i}', f'core id : {i}' in lines, text)
    t.same('cpu cores', len(re.findall(rf'^cpu cores : {n}$', text, re.M)), n)
    t.same('siblings', len(re.findall(rf'^siblings : {n}$', text, re.M)), n)


@case(long=True, limit=600, table=[('16', 16), ('64', 64)])
def many_cpus(t, n):
    r = t.guest('nproc; cat /sys/devices/system/cpu/online', '--cpus', str(n), seconds=500)
    t.ended(r, 0, out=f'{n}\n0-{n - 1}\n'.encode())


@case(table=[('48M', '48M', 48), ('64M', '64M', 64), ('4G', '4G', 4096)])
def memory(t, size, mib):
    """What is missing is the kernel itself and its table of pages (1/64)."""
    r = t.guest('awk \'/MemTotal/ { print $2 }\' /proc/meminfo', '--memory', size)
    t.ended(r, 0)
    seen = int(r.out) / 1024
    low = mib * 0.94 - 32 if mib > 64 else mib - 24
    t.check('MemTotal', low < seen <= mib, f'{seen:.0f} of {mib} MiB')


@case()
def memory_too_small_for_the_kernel(t):
    """The least there is: the kernel runs in it, or is refused with the reason."""
    r = t.guest('exit 3', '--memory', '32M')
    if r.status != 3:
        t.ended(r, 125, err=r'^bulkhead: [^\n]*needs memory up to [0-9]+ MiB, the guest has 32 MiB: raise --memory\n$')


@case()
def memory_above_4g_can_be_used(t):
    """A file in the guest's memory on both sides of the hole below 4 GiB."""
    r = t.guest('grep -c "System RAM" /proc/iomem; grep "System RAM" /proc/iomem', '--memory', '4G')
    t.ended(r, 0)
    ranges = [tuple(int(x, 16) for x in m) for m in
              re.findall(r'([0-9a-f]+)-([0-9a-f]+) : System RAM', r.out.decode())]
    total = sum(b - a + 1 for a, b in ranges)
    t.check('all of it is mapped', 4090 << 20 < total <= 4096 << 20, ranges)
    t.check('some of it above 4 GiB', any(a >= 1 << 32 for a, _ in ranges), ranges)


@case(table=[('auto', 'auto'), ('off', 'off')])
def huge_pages(t, wish):
    """A guest's memory is mapped huge, and hardly ever faulted in, wherever the host can."""
    r = t.guest('head -c 16777216 /dev/zero > /run/x; wc -c < /run/x', '--memory', '256M',
                '--hugepages', wish, '--report', 'report.json')
    t.ended(r, 0)
    t.same('written', r.out, b'16777216\n')
    memory = t.report()['memory']
    if wish == 'off':
        t.same('backing', memory['backing'], 'memfd')
        t.check('small pages', memory['pages_4k'] > 4096 and not memory['pages_2m'], memory)
        t.check('a fault for each', memory['faults'] >= memory['pages_4k'], memory)
        return
    t.same('backing', memory['backing'], 'thp')
    t.check('huge pages', memory['pages_2m'] >= 16 and memory['pages_4k'] <= 64, memory)
    t.check('faults', 16 <= memory['faults'] <= 100, memory)


@case()
def clock_is_right(t):
    m = t.start_guest('cat /sys/devices/system/clocksource/clocksource0/current_clocksource; '
                      'date +%Z; exec tell-time', '--cpus', '2')
    source, zone = m.expect(rb'^(\S+)\n(\S+)\n')
    t.same('clock source', source, b'kvm-clock')
    t.same('zone', zone, b'UTC')
    check_time(t, m)
    time.sleep(3)   # time has to pass: the clock's rate is what is tested
    check_time(t, m)
    m.close_stdin()
    t.ended(m.wait(), 0)


@case()
def random_numbers(t):
    r = t.guest('cat /sys/class/misc/hw_random/rng_current; '
                'for i in 1 2; do dd if=/dev/hwrng bs=32 count=1 2>/dev/null | od -An -tx1 | tr -d " \n"; '
                'echo; done; dmesg | grep -c "crng init done"')
    t.ended(r, 0)
    lines = r.out.decode().split()
    t.same('source', lines[0], 'virtio_rng.0')
    t.check('two different numbers', len(lines) == 4 and len(lines[1]) == 64 and
            lines[1] != lines[2], lines)
    t.same('the kernel\'s generator is seeded', lines[-1], '1')


@case()
def kernel_log_is_clean(t):
    """Warnings and worse of a kernel that meets our machine."""
    r = t.guest('dmesg -r', '--cpus', '2', '--disk', t.disk('d', 1 << 20))
    t.ended(r, 0)
    text = r.out.decode(errors='replace')
    if 'LAB' in os.environ:
        # The emulated processor does not intercept XSETBV, so the lab's KVM
        # reports a wrong size of the state; under QEMU it is the same.
        text = re.sub(r'<4>[^\n]*WARNING: [^\n]*fpu__init_system_xstate.*?end trace[^\n]*\n', '',
                      text, flags=re.S)
    bad = [line for line in text.splitlines()
           if re.search(r'BUG|WARNING|Oops|Call Trace|ACPI.*[Ee]rror|ACPI.*[Ww]arn|firmware bug|'
                        r'FW_BUG|not found|nobody cared|unstable', line)]
    t.same('what the kernel complains about', bad, [])
    # The kernel calls it an error that there is no PCI.
    worse = [line for line in text.splitlines()
             if re.match(r'<[0-3]>', line) and 'PCI: Fatal: No config space access' not in line]
    t.same('what the kernel calls an error', worse, [])


@case()
def doctor_says_yes(t):
    r = subprocess.run([t.bulkhead, 'doctor'], capture_output=True, env=t.env, check=False)
    t.same('status', r.returncode, 0)
    t.check('last line', re.search(rb'This host can run Linux guests', r.stdout), r.stdout)
    r = subprocess.run([t.bulkhead, 'doctor', '--json'], capture_output=True, env=t.env, check=False)
    t.same('status of --json', r.returncode, 0)
    t.check('JSON', isinstance(json.loads(r.stdout), dict))
