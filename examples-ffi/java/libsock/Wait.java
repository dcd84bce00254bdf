package libsock;

import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.spi.AbstractInterruptibleChannel;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.function.IntToLongFunction;
import java.util.function.ToLongFunction;

/**
 * One wait in the library, with a token of its own that Thread.interrupt, Sock.close and the tokens of the program cancel.
 *
 * <p>It is a channel because only those are told of an interrupt at once. What the interrupt closes is the wait, and not
 * the socket.
 */
final class Wait extends AbstractInterruptibleChannel {
    /** Library's tokens that nobody has cancelled yet. */
    private static final BlockingQueue<Integer> UNUSED = new ArrayBlockingQueue<>(64);

    /**
     * Seconds, after which it looks whether its thread is interrupted. JDK 17 tells a channel nothing of an interrupt that comes in
     * the instant in which the wait begins: it looks for the channel first, and makes a note of the interrupt then.
     */
    private static final double[] LOOKS = {0.02, 0.2, 2};

    private final int token;
    private boolean cancelled;
    private boolean over;

    /** A call of the library's, until a moment and with a token. */
    interface UntilToLong {
        long applyAsLong(double until, int token);
    }

    private Wait(int token) {
        this.token = token;
    }

    /**
     * Gives what the call gave with the token. At -ECANCELED the caller finds out why: none of what cancels is ever undone.
     */
    static long run(Descriptor descriptor, Limits limits, IntToLongFunction call) {
        return begun(descriptor, limits, wait -> call.applyAsLong(wait.token));
    }

    /** The same for what goes on, and does not begin anew, when it is called again. */
    static long run(Descriptor descriptor, Limits limits, double deadline, UntilToLong call) {
        return begun(descriptor, limits, wait -> {
            for (double seconds : LOOKS) {
                double look = Library.sock_deadline(seconds);
                if (look >= deadline) {
                    break;
                }
                long code = call.applyAsLong(look, wait.token);
                if (code != -Library.ETIMEDOUT || Library.sock_deadline(0) < look) { // a connect that the network gave up
                    return code;
                }
                if (Thread.currentThread().isInterrupted()) {
                    wait.cancel();
                }
            }
            return call.applyAsLong(deadline, wait.token);
        });
    }

    private static long begun(Descriptor descriptor, Limits limits, ToLongFunction<Wait> call) {
        Integer unused = UNUSED.poll();
        int token = unused == null ? Library.sock_token() : unused;
        if (token < 0) {
            return token;
        }
        Wait wait = new Wait(token);
        try {
            descriptor.add(wait);
            limits.tokens().forEach(one -> one.add(wait));
            wait.begin();
            if (descriptor.isClosed() || limits.cancelled()) {
                wait.cancel();
            }
            return call.applyAsLong(wait);
        } finally {
            try {
                wait.end(true);
            } catch (AsynchronousCloseException e) {
                // It was interrupted, and that is kept by the thread.
            }
            limits.tokens().forEach(one -> one.remove(wait));
            descriptor.remove(wait);
            wait.recycle();
        }
    }

    /** From any thread; it may have ended by then, and its token be another's. */
    synchronized void cancel() {
        if (!over) {
            cancelled = true;
            Library.sock_cancel(token);
        }
    }

    @Override
    protected void implCloseChannel() {
        cancel();
    }

    private void recycle() {
        boolean used;
        synchronized (this) {
            over = true;
            used = cancelled;
        }
        if (used || !UNUSED.offer(token)) {
            Library.C.close(token);
        }
    }
}
