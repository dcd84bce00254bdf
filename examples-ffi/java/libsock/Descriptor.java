package libsock;

import java.nio.channels.ClosedChannelException;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/** A descriptor that is closed once, when nobody uses it any more: a number is never used when it may be another's. */
final class Descriptor {
    /** Of what waits before there is a descriptor. */
    static final Descriptor NONE = new Descriptor(-1);

    private final int fd;
    private final Set<Wait> waits = ConcurrentHashMap.newKeySet();
    private final ReentrantReadWriteLock users = new ReentrantReadWriteLock();
    private volatile boolean closed;

    Descriptor(int fd) {
        this.fd = fd;
    }

    boolean isClosed() {
        return closed;
    }

    /** Gives the number, which stays what it is until the same thread leaves. */
    int enter() throws ClosedChannelException {
        users.readLock().lock();
        if (closed) {
            users.readLock().unlock();
            throw new ClosedChannelException();
        }
        return fd;
    }

    void leave() {
        users.readLock().unlock();
    }

    void add(Wait wait) {
        waits.add(wait);
    }

    void remove(Wait wait) {
        waits.remove(wait);
    }

    /** Ends what waits, and closes when that has left. Only once. */
    void close() {
        closed = true;
        waits.forEach(Wait::cancel);
        users.writeLock().lock();
        try {
            Library.C.close(fd);
        } finally {
            users.writeLock().unlock();
        }
    }

    @Override
    public String toString() {
        return closed ? "closed" : "fd " + fd;
    }
}
