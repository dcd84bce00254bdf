package libsock;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Ends waits, from any thread, for good: {@code Sock.within(token, () -> ...)} in one thread, {@code token.cancel()} in
 * another. What waits throws a {@link CancelledException}. It holds nothing of the system's.
 */
public final class Token {
    private final Set<Wait> waits = ConcurrentHashMap.newKeySet();
    private volatile boolean cancelled;

    /** Makes one that is not cancelled. */
    public Token() {
    }

    /** Ends all that waits with it, and all that will. */
    public void cancel() {
        cancelled = true;
        waits.forEach(Wait::cancel);
    }

    /**
     * Whether it was cancelled.
     *
     * @return whether it was
     */
    public boolean isCancelled() {
        return cancelled;
    }

    void add(Wait wait) {
        waits.add(wait);
    }

    void remove(Wait wait) {
        waits.remove(wait);
    }
}
