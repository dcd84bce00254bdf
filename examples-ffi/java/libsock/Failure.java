package libsock;

import com.sun.jna.NativeLong;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.BindException;
import java.net.ConnectException;
import java.net.NoRouteToHostException;
import java.net.SocketException;
import java.net.SocketTimeoutException;

/** The exceptions for what the library returns. */
final class Failure {
    private Failure() {
    }

    static int check(int code) throws IOException {
        if (code < 0) {
            throw of(code, 0);
        }
        return code;
    }

    static IOException of(long code, int transferred) {
        String words = words(code);
        if (-code > Library.LAST_ERRNO) {
            return LookupException.of((int) -code, words);
        }
        return switch ((int) -code) {
            case Library.ETIMEDOUT -> told(new SocketTimeoutException(words), transferred);
            case Library.ECANCELED -> told(new CancelledException(words), transferred);
            case Library.ECONNREFUSED -> new ConnectException(words);
            case Library.ENETUNREACH, Library.EHOSTUNREACH -> new NoRouteToHostException(words);
            case Library.EADDRINUSE, Library.EADDRNOTAVAIL -> new BindException(words);
            default -> new SocketException(words);
        };
    }

    static InterruptedIOException interrupted(int transferred) {
        return told(new InterruptedIOException("Interrupted"), transferred);
    }

    static String words(long code) {
        return Library.sock_strerror(new NativeLong(code));
    }

    private static <E extends InterruptedIOException> E told(E exception, int transferred) {
        exception.bytesTransferred = transferred;
        return exception;
    }
}
