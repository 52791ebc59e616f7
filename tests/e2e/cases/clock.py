"""How far a guest's clock is from ours: for the cases of other files."""
import time


def tell_time(m, wanted=0.02, tries=40):
    """How far the guest's clock is ahead lies between the two numbers returned,
    in seconds.  tell-time.c runs in the guest: it reads its clock after we have
    written a line and before we read its answer."""
    low, high = -1e9, 1e9
    for _ in range(tries):
        before = time.time()
        m.send(b'\n')
        there = float(m.expect(rb'time (\d+\.\d+)\r?\n')[0])
        after = time.time()
        low, high = max(low, there - after), min(high, there - before)
        if high - low < wanted:
            break
    return low, high


def check_time(t, m, what='the guest\'s clock'):
    """Within 50 ms, and measured well enough to say so."""
    low, high = tell_time(m)
    ahead = f'{what} is ahead by {low * 1000:.1f} to {high * 1000:.1f} ms'
    t.check('the clock is wrong by 50 ms or more', low < 0.05 and high > -0.05, ahead)
    t.check('the clock could not be measured', high - low < 0.1, ahead)
    t.note(ahead)
