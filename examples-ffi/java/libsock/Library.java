package libsock;

import com.sun.jna.Native;
import com.sun.jna.NativeLong;
import com.sun.jna.Pointer;

/** The functions of libsock. */
final class Library {
    // As on x86, Arm, RISC-V, POWER and s390; MIPS has other numbers.
    static final int EAGAIN = 11, EPIPE = 32, EMSGSIZE = 90, EADDRINUSE = 98, EADDRNOTAVAIL = 99, ENETUNREACH = 101,
        ETIMEDOUT = 110, ECONNREFUSED = 111, EHOSTUNREACH = 113, EALREADY = 114, EINPROGRESS = 115, ECANCELED = 125;
    static final int LAST_ERRNO = 4095; // The highest number that an error of Linux can have.

    /** A token that is cancelled already: a call with it is an attempt, which does not wait and says ECANCELED if it had to. */
    static final int NOW;

    private Library() {
    }

    static native int sock_settimeout(int fd, double seconds);

    static native int sock_gettimeout(int fd, Pointer seconds);

    static native double sock_deadline(double seconds);

    static native int sock_token();

    static native int sock_cancel(int token);

    static native int sock_dial(byte[] host, byte[] service, double seconds);

    static native int sock_dial_until(byte[] host, byte[] service, double deadline, int token);

    static native int sock_listen(byte[] host, byte[] service, int backlog);

    static native int sock_connect_until(int fd, Pointer address, int length, double deadline, int token);

    static native int sock_accept_until(int fd, Pointer address, Pointer length, double deadline, int token);

    static native NativeLong sock_recv_until(int fd, Pointer data, NativeLong size, int flags, double deadline, int token);

    static native NativeLong sock_recvfrom_until(int fd, Pointer data, NativeLong size, int flags, Pointer address, Pointer length,
        double deadline, int token);

    static native NativeLong sock_sendto_until(int fd, Pointer data, NativeLong size, int flags, Pointer address, int length,
        double deadline, int token);

    static native int sock_recvall_until(int fd, Pointer data, NativeLong size, int flags, Pointer count, double deadline, int token);

    static native int sock_sendall_until(int fd, Pointer data, NativeLong size, int flags, Pointer count, double deadline, int token);

    static native NativeLong sock_recvdelim_until(int fd, Pointer data, NativeLong size, Pointer have, byte[] delimiter,
        NativeLong length, double deadline, int token);

    static native int sock_address(byte[] host, byte[] service, Pointer address, Pointer length);

    static native int sock_name(Pointer address, int length, Pointer host, NativeLong size);

    static native String sock_strerror(NativeLong code);

    static {
        Native.register("libsock.so.0");
        NOW = sock_token();
        if (NOW < 0) {
            throw new IllegalStateException(sock_strerror(new NativeLong(NOW)));
        }
        sock_cancel(NOW);
    }

    /** The functions of the C library. */
    static final class C {
        static final int SOL_SOCKET = 1, SO_TYPE = 3, SOCK_STREAM = 1, SHUT_RD = 0, SHUT_WR = 1;

        private C() {
        }

        static native int getsockname(int fd, Pointer address, Pointer length);

        static native int getpeername(int fd, Pointer address, Pointer length);

        static native int getsockopt(int fd, int level, int option, Pointer value, Pointer length);

        static native int shutdown(int fd, int how);

        static native int close(int fd);

        static {
            Native.register("c");
        }
    }
}
