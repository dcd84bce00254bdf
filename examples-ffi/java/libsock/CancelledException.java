package libsock;

import java.io.InterruptedIOException;

/** A {@link Token} was cancelled. The socket is as good as before, and {@code bytesTransferred} tells what was moved. */
public final class CancelledException extends InterruptedIOException {
    private static final long serialVersionUID = 1;

    CancelledException(String words) {
        super(words);
    }
}
