"""What a call may come to when one of its system calls is tampered with, by sock.h's documentation."""

import errno
from math import inf

MODES = {"blocking": inf, "non-blocking": 0.0, "timeout": 0.3, "short": 0.01}
ERRORS = {"EINTR": errno.EINTR, "interrupted": errno.EINTR, "undone": errno.EINTR, "EAGAIN": errno.EAGAIN,
          "ENOMEM": errno.ENOMEM, "ENOBUFS": errno.ENOBUFS, "ECONNRESET": errno.ECONNRESET,
          "ECONNABORTED": errno.ECONNABORTED,
          "always": errno.EINTR, "refused": errno.EPERM}
# What a signal does to a wait, and to nothing that is ready.
SIGNALS = ("always", "interrupted")
TIMED_OUT, CANCELLED, SUCCESS, UNTOUCHED = -errno.ETIMEDOUT, -errno.ECANCELED, 0, 4321
DELAY = 0.05  # As trace.c has it, and peer.c for what comes late.
BEYOND = 32   # As subject.c has it.
LATENESS = 1.0
MARGIN = 0.1  # How long before its deadline a call must have been ready to be blamed for missing it.
TICK = 0.01   # The slowest of the kernel's.
# The system calls that make sockets, and those that move data or wait. Others ask about a socket or set it.
OPENING = {"socket", "bind", "listen", "timerfd_create"}
MOVING = {"send", "recv", "sendmsg", "recvmsg", "connect", "accept"}


class Late(AssertionError):
    """It took too long, which a busy machine may have done."""


def judge(scene, found):
    """Raises what is wrong with what was found, which has the fields of stage.c's line."""
    assert not found.died, f"the call {found.died}"
    assert found.error == max(0, -found.code), f"errno is {found.error} for {found.code}"
    assert found.leaked == 0, f"{found.leaked} descriptors leaked"
    if scene.is_about_mode:
        return judge_mode(scene, found)
    expected = expect(scene, found)
    code = min(found.code, SUCCESS)
    assert code in expected, f"the code is {name(found.code)}, not {' or '.join(sorted(map(name, expected)))}"
    judge_time(scene, found)
    judge_data(scene, found)
    # Where the rest of the timeout cannot be read, only what the kernel's ticks tell is known.
    refined = hit(found) not in ("getsockopt", "readword") and scene.fault != "wordless" or scene.fault not in ERRORS
    # What a deadline was for is blocking.
    mode = inf if scene.function == "dial_until" and found.code >= 0 else scene.mode
    # What would clear O_NONBLOCK again may be refused only where setting it was.
    if scene.base == "connect" and hit(found) == "ioctl" and scene.fault in ERRORS and found.timeout == 0:
        return
    assert near(found.timeout, mode, refined) and found.interrupt == scene.interrupt, \
        f"the mode has become {found.timeout}, interrupt {found.interrupt}"


def name(code):
    return "-" + errno.errorcode.get(-code, str(-code)) if code < 0 else "success"


def hit(found):
    """The system call that was tampered with first, if any was."""
    return found.calls[found.at] if found.hits and found.at < len(found.calls) else None


def undisturbed(scene):
    """What the call may come to without a fault."""
    seconds = scene.seconds
    if scene.until and seconds == 0:
        return {TIMED_OUT}
    if seconds == 0:
        refused = -errno.EINPROGRESS if (scene.base, scene.kind) == ("connect", "tcp") else -errno.EAGAIN
        if scene.when == "ready":
            # There may be less room or less to receive than all of it, and TCP never connects at once.
            partial = scene.base.endswith("all") or scene.base in ("recvdelim", "connect", "dial")
            return {SUCCESS, refused} if partial else {SUCCESS}
        return {refused, SUCCESS} if scene.when == "late" else {refused}
    if scene.when == "cancelled":
        return {CANCELLED, TIMED_OUT} if seconds != inf else {CANCELLED}
    if seconds == inf:
        return {SUCCESS}
    # Whether it was right to time out is a question of when, and judged there.
    return {TIMED_OUT} if scene.when == "never" else {SUCCESS, TIMED_OUT}


def expect(scene, found):
    """The codes that are right, 0 for every success."""
    clean, call = undisturbed(scene), hit(found)
    error = ERRORS.get(scene.fault)
    if call is not None and scene.fault in ("shorter", "one") and scene.base.endswith("all") and scene.interrupt:
        return clean | {-errno.EINTR}  # A wait for all that ends short was interrupted, as far as anyone can tell.
    if call is None or error is None:
        return clean
    code, seconds = -error, scene.seconds
    part = {SUCCESS} if scene.base in ("send", "sendto", "sendmsg") and found.count > 0 else set()
    if call in OPENING and error not in (errno.EINTR, errno.EAGAIN):
        return {code}
    # The kernel never fails so where it is only asked, nor where sock_dial's connect does not wait. The call may pass
    # that on, or do without.
    if call not in MOVING | {"ppoll", "nap"} or scene.base == "dial" and call == "connect" and error in (errno.EINTR, errno.EAGAIN):
        return clean | {code}
    if error == errno.EINTR:
        if not scene.interrupt:
            if seconds == 0 and scene.fault == "undone":
                return clean | {-errno.EALREADY, SUCCESS}  # The attempt was made all the same.
            # The kernel does not interrupt what does not wait; not ready is then as good a word.
            looks = scene.base == "wait" or not found.could_wait
            return clean | {-errno.EAGAIN} if seconds == 0 and looks else clean
        # Interruption ends a wait. What could not wait is not interrupted by the kernel either.
        # One that comes in the last moment may find the time over, or the socket ready.
        waits = seconds not in (0, MODES["short"]) and found.could_wait and (found.at == 0 or call == "ppoll") and \
            scene.fault not in SIGNALS
        # Between two steps the token and the socket are only looked at.
        waits = waits and not (call == "ppoll" and scene.base in ("sendall", "recvall", "recvdelim", "connect"))
        return {code} | part if waits else clean | {code, -errno.EAGAIN} if seconds == 0 else clean | {code}
    if call in ("ppoll", "nap"):
        return clean | {code}
    if error == errno.EAGAIN:
        # In blocking mode the kernel says so of what no wait helps against, such as no local port.
        return clean if 0 < seconds < inf else clean | {code}
    if scene.base == "accept" and error == errno.ECONNABORTED:
        return clean
    return {code} | part


def judge_time(scene, found):
    seconds, elapsed = scene.seconds, found.elapsed / 1e9
    # In a storm of signals each wait is a part of the whole. In others a delay prolongs the call.
    delays = DELAY * (found.hits if seconds in (0, inf) else 1) if scene.fault in ("delayed", "interrupted") else 0
    ready_after = max(found.ready_after, 0) / 1e9 if scene.when in ("ready", "late") else inf
    cancelled_after = found.cancelled_after / 1e9 if found.cancelled_after >= 0 else inf
    # A SYN that finds the queue full is sent again after a second, and two seconds after that.
    again = 3 if scene.base in ("connect", "dial") and (scene.kind, scene.when) == ("tcp", "late") else 0
    if found.code == TIMED_OUT:
        assert elapsed >= seconds, f"early: timed out after {elapsed:.6f} s of {seconds}"
        tampered = DELAY * found.hits if scene.fault in ("delayed", "interrupted") else 0
        # TCP takes its time to move a lot through small buffers.
        slow = (scene.base, scene.kind) == ("sendall", "tcp")
        if not slow and min(ready_after, cancelled_after) + tampered + again <= seconds - MARGIN:
            raise Late(f"timed out, but was ready or cancelled after {min(ready_after, cancelled_after):.3f} s of {seconds}")
    if found.code == CANCELLED:
        assert elapsed >= DELAY / 2, f"cancelled after {elapsed:.6f} s, before anybody did"
    latest = min(seconds, ready_after + again, cancelled_after) + delays + LATENESS
    if elapsed > latest:
        raise Late(f"late: {elapsed:.3f} s, not {latest:.3f}")


def judge_data(scene, found):
    assert found.intact, "bytes were changed"
    length, moved = scene.argument, found.count
    if scene.sends:
        assert found.arrived == found.filled + moved, \
            f"{moved} bytes were sent by its count, and {found.arrived - found.filled} arrived"
        assert moved <= length and (not scene.has_messages or moved in (0, length)), f"{moved} bytes sent of {length}"
        if scene.base == "sendmsg" and scene.kind == "unix":
            assert found.passed == (moved > 0), f"a descriptor was passed {found.passed} times"
    elif scene.base == "accept":
        assert found.given == moved + found.rest, f"of {found.given} connections {moved + found.rest} were accepted"
        # A TCP connection whose inherited timeouts cannot be taken away is better than none.
        assert found.made_well or hit(found) == "setsockopt", "the connection is not blocking and close-on-exec"
    elif scene.base in ("connect", "listen", "dial", "token", "cancel"):
        connected = scene.fault == "undone" or hit(found) == "ioctl" and scene.fault in ERRORS
        allowed = {0, -errno.EISCONN} if connected else {0}
        if found.again == TIMED_OUT:
            raise Late("taken up again, it took too long")
        assert found.again in allowed, f"taken up again, it failed with {name(found.again)}"
        assert found.arrived == 1, "what was made does not work"
        assert found.made_well, "the descriptor's mode is wrong, or it is not close-on-exec"
    else:
        assert found.given == moved + found.rest, f"of {found.given} bytes {moved} + {found.rest} were received"
        assert moved <= length + (BEYOND if scene.base == "recvdelim" else 0), f"{moved} bytes received of {length}"
    if found.code >= 0:
        if scene.base == "recvdelim":
            assert found.code == length <= moved, f"{found.code} for a line of {length}, with {moved} bytes in the buffer"
        elif scene.base.endswith("all"):
            assert moved == length, f"success after {moved} of {length} bytes"
        elif scene.sends or scene.function.startswith("recv"):
            assert found.code == moved > 0, f"success with {found.code}"


def judge_mode(scene, found):
    """A setter that fails leaves the mode as it was; one that succeeds has set it."""
    error = ERRORS.get(scene.fault)
    allowed = {SUCCESS, -error} if found.hits and error else {SUCCESS}
    code = found.code if found.code < 0 else SUCCESS
    assert code in allowed, f"the code is {name(code)}"
    mode, interrupt, value = scene.mode, scene.interrupt, UNTOUCHED
    if code == SUCCESS:
        if scene.function == "setblocking":
            mode = inf if scene.argument else 0.0
        elif scene.function == "settimeout":
            mode = scene.argument
        elif scene.function == "setinterrupt":
            interrupt = int(scene.argument)
        elif scene.function == "gettimeout":
            value = mode
        elif scene.function == "getblocking":
            assert found.code == (mode != 0), f"the result is {found.code}"
        elif scene.function == "getinterrupt":
            assert found.code == interrupt, f"the result is {found.code}"
    refined = hit(found) not in ("getsockopt", "readword") or not error
    for seconds, when in (found.timeout, "after the call"), (found.later_timeout, "later"):
        assert near(seconds, mode, refined), f"the timeout is {seconds} {when}, not {mode}"
    assert near(found.value, value, refined), f"it told {found.value}, not {value}"
    assert found.interrupt == found.later_interrupt == interrupt, \
        f"interrupt is {found.interrupt}, later {found.later_interrupt}, not {interrupt}"


def near(found, wanted, exact):
    return found == wanted or not exact and 0 < wanted < inf and wanted < found <= wanted + 2 * TICK
