"""--net: a tap in a network namespace of the case's own."""
import fcntl
import hashlib
import json
import os
import random
import socket
import struct
import threading

from harness import case, wait_until

TUNSETIFF = 0x400454ca
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x0002, 0x1000, 0x4000
OURS = '10.9.0.1'
NET = 'ip=10.9.0.2/24,gw=10.9.0.1'


def open_tap(name):
    fd = os.open('/dev/net/tun', os.O_RDWR | os.O_NONBLOCK)
    try:
        fcntl.ioctl(fd, TUNSETIFF,
                    struct.pack('16sH22x', name.encode(), IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
    except OSError:
        os.close(fd)
        raise
    return fd


def tap_is_free(t, name='tap0'):
    try:
        os.close(open_tap(name))
    except OSError as e:
        t.check('the tap is not free', False, e)


@case(net=True)
def net_ping_both_ways(t):
    tap = t.tap()
    m = t.start_guest(f'ping -c 3 -W 5 {OURS} | tail -n 2; ip -o route | sort; cat /etc/resolv.conf; '
                      'cat /sys/class/net/eth0/address /sys/class/net/eth0/mtu; ip -o -4 addr show eth0; '
                      'echo up; cat', '--net',
                      f'tap={tap},{NET},dns=9.9.9.9,mac=02:00:00:aa:bb:01,mtu=1400')
    text = m.expect(rb'(.*)up\n')[0].decode()
    t.check('ping out of the guest', '3 packets transmitted, 3 packets received' in text, text)
    t.check('gateway', 'default via 10.9.0.1 dev eth0' in text, text)
    t.check('name server', 'nameserver 9.9.9.9\n' in text, text)
    t.check('mac', '\n02:00:00:aa:bb:01\n' in text, text)
    t.check('mtu', '\n1400\n' in text, text)
    t.check('address', '10.9.0.2/24' in text, text)
    out = t.host('ping', '-c', '3', '-W', '5', '10.9.0.2')
    t.check('ping into the guest', ' 3 received' in out, out)
    m.close_stdin()
    t.ended(m.wait(), 0)
    tap_is_free(t)


@case(net=True)
def net_has_its_taps_mtu(t):
    """Here, and in another network namespace; 1500 is left to the guest."""
    tap = t.tap()
    t.host('ip', 'link', 'set', tap, 'mtu', '1400')
    t.ended(t.guest('cat /sys/class/net/eth0/mtu', '--net', f'tap={tap},{NET}'), 0, out=b'1400\n')
    other = t.helper('unshare', '-n', 'sh', '-c', 'echo up; exec sleep 1000')
    wait_until('the namespace', lambda: b'up' in other.stdout.readline())
    there = f'/proc/{other.pid}/ns/net'
    t.host('ip', 'link', 'set', tap, 'netns', str(other.pid))
    t.host('nsenter', f'--net={there}', 'ip', 'link', 'set', tap, 'mtu', '2000', 'up')
    t.ended(t.guest('cat /sys/class/net/eth0/mtu', '--net', f'tap={tap},netns={there},{NET}'), 0, out=b'2000\n')


@case(net=True)
def net_ipv6(t):
    tap = t.tap()
    t.host('ip', 'addr', 'add', 'fd00:9::1/64', 'dev', tap, 'nodad')
    r = t.guest('ping -6 -c 2 -W 5 fd00:9::1 | tail -n 2; ip -6 -o route show default',
                '--net', f'tap={tap},ip=fd00:9::2/64,gw=fd00:9::1')
    t.same('status', r.status, 0)
    t.check('ping', b'2 packets received' in r.out, r.out)
    t.check('gateway', b'via fd00:9::1' in r.out, r.out)


@case(net=True, limit=180)
def net_iperf3_both_ways(t):
    """The figures are for people; that data flows both ways is the test."""
    tap = t.tap()
    server = t.helper('iperf3', '-s', '--forceflush')
    wait_until('iperf3', lambda: b'listening' in server.stdout.readline())
    r = t.guest(f'for how in "" -R; do iperf3 -c {OURS} -t 3 $how --json; echo; done',
                '--net', f'tap={tap},{NET}', seconds=120)
    t.ended(r, 0)
    at, text = 0, r.out.decode()
    for how in ('out of the guest', 'into the guest'):
        try:
            result, end = json.JSONDecoder().raw_decode(text[at:].lstrip())
        except ValueError:
            t.fail(f'{how}: no result of iperf3')
        at += end + len(text[at:]) - len(text[at:].lstrip())
        speed = result['end']['sum_received']['bits_per_second']
        t.check(f'data {how}', speed > 1e6, speed)
        t.note(f'TCP {how}: {speed / 1e6:.0f} Mbit/s')


def serve(port, handle):
    """One connection, served by a thread; the thread to join."""
    listener = socket.create_server((OURS, port))

    def work():
        connection, _ = listener.accept()
        with listener, connection:
            handle(connection)
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


@case(net=True)
def net_data_is_exact(t):
    """4 MiB by TCP each way: large segments are cut and checksums made on the
    way, by whoever took it over."""
    tap = t.tap()
    data, back = random.Random(7).randbytes(4 << 20), bytearray()

    def take(connection):
        while chunk := connection.recv(65536):
            back.extend(chunk)
    serve(5001, lambda connection: connection.sendall(data))
    taker = serve(5002, take)
    r = t.guest(f'nc {OURS} 5001 </dev/null >/tmp/in; sha256sum /tmp/in | cut -c1-64; '
                f'nc {OURS} 5002 </tmp/in', '--net', f'tap={tap},{NET}', seconds=100)
    t.ended(r, 0, out=hashlib.sha256(data).hexdigest().encode() + b'\n')
    taker.join(10)
    t.check('what came back', back == data, len(back))


@case(net=True)
def net_fd(t):
    """A tap that somebody else has opened."""
    t.tap()
    fd = open_tap('tap0')
    r = t.guest(f'ping -c 1 -W 5 {OURS} >/dev/null && echo pong', '--net', f'fd={fd},{NET}',
                pass_fds=(fd,))
    os.close(fd)
    t.ended(r, 0, out=b'pong\n')
    tap_is_free(t)


@case(net=True)
def net_two_interfaces(t):
    t.tap('tap0', '10.9.0.1/24')
    t.tap('tap1', '10.9.1.1/24')
    r = t.guest('ping -c 1 -W 5 10.9.0.1 >/dev/null && ping -c 1 -W 5 10.9.1.1 >/dev/null && echo both',
                '--net', 'tap=tap0,ip=10.9.0.2/24', '--net', 'tap=tap1,ip=10.9.1.2/24')
    t.ended(r, 0, out=b'both\n')


@case(net=True)
def net_tap_in_use(t):
    tap = t.tap()
    fd = open_tap(tap)
    t.ended(t.guest('true', '--net', f'tap={tap}'), 125, err=r'^bulkhead: [^\n]*tap0[^\n]*\n$')
    os.close(fd)
    t.ended(t.guest('true', '--net', f'tap={tap}'), 0)


@case()
def net_none(t):
    t.ended(t.guest('ls /sys/class/net', '--net', 'none'), 0, out=b'lo\n')
