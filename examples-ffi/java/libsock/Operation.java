package libsock;

import static libsock.Library.EAGAIN;
import static libsock.Library.ECANCELED;
import static libsock.Library.ETIMEDOUT;

import java.io.IOException;
import java.lang.ref.Reference;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.ClosedChannelException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;

/** One operation on a socket: an attempt of the library that does not wait, and only then what it takes to wait. */
final class Operation implements AutoCloseable {
    private static final long LOOK = TimeUnit.MILLISECONDS.toNanos(20); // How often a token is looked at, behind a lock.

    final int fd;
    private final Object owner;
    private final Descriptor descriptor;
    private final Limits limits = Limits.current();
    private ReentrantLock lock;
    private double deadline = limits.deadline();
    private boolean known;
    private boolean waits;

    /** Of the library's: it gives -ECANCELED if it had to wait and the token is cancelled. */
    interface Call {
        long call(int fd, double deadline, int token);
    }

    /** The owner closes the descriptor when it is collected, and so must not be meanwhile. */
    Operation(Object owner, Descriptor descriptor) throws ClosedChannelException {
        this.owner = owner;
        this.descriptor = descriptor;
        fd = descriptor.enter();
    }

    @Override
    public void close() {
        if (lock != null) {
            lock.unlock();
        }
        descriptor.leave();
        Reference.reachabilityFence(owner);
    }

    /** What the call gives; -EAGAIN if it would have to wait in non-blocking mode. */
    long run(Call call) throws IOException {
        if (descriptor.isClosed()) {
            return -ECANCELED;
        }
        long code = call.call(fd, deadline, Library.NOW);
        if (code != -ECANCELED) {
            return code;
        }
        return mayWait() ? Wait.run(descriptor, limits, deadline, (until, token) -> call.call(fd, until, token)) : -EAGAIN;
    }

    /** The same until so many seconds from now, whatever the mode. */
    long run(double seconds, Call call) {
        double until = Math.min(deadline, Library.sock_deadline(seconds));
        return Wait.run(descriptor, limits, token -> call.call(fd, until, token));
    }

    /** Whether the mode lets it wait. From then on its deadline holds, for all that the operation does. */
    boolean mayWait() throws IOException {
        if (!known) {
            double seconds = timeout();
            waits = seconds > 0;
            if (waits) {
                deadline = Math.min(deadline, Library.sock_deadline(seconds));
            }
            known = true;
        }
        return waits;
    }

    double timeout() throws IOException {
        try (Memory memory = Memory.take()) {
            Failure.check(Library.sock_gettimeout(fd, memory.number));
            return memory.number.getDouble(0);
        }
    }

    /** Gives 0 once no other operation has the lock, which is kept until the end. */
    long lock(ReentrantLock wanted) throws IOException {
        if (!wanted.tryLock()) {
            if (!mayWait()) {
                return -EAGAIN;
            }
            try {
                while (!wanted.tryLock(LOOK, TimeUnit.NANOSECONDS)) {
                    if (limits.cancelled() || descriptor.isClosed()) {
                        return -ECANCELED;
                    }
                    if (Library.sock_deadline(0) >= deadline) {
                        return -ETIMEDOUT;
                    }
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return -ECANCELED;
            }
        }
        lock = wanted;
        return 0;
    }

    IOException failure(long code, int transferred) {
        if (code != -ECANCELED) {
            return Failure.of(code, transferred);
        }
        if (descriptor.isClosed()) {
            return new AsynchronousCloseException();
        }
        return limits.cancelled() ? Failure.of(code, transferred) : Failure.interrupted(transferred);
    }
}
