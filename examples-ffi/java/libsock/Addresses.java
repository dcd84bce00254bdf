package libsock;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.UnresolvedAddressException;
import java.nio.channels.UnsupportedAddressTypeException;
import java.nio.charset.StandardCharsets;

/** Java's addresses, and C's. */
final class Addresses {
    private static final int AF_UNIX = 1;

    private Addresses() {
    }

    /** Puts one where C can get at it, and gives its length. */
    static int pack(SocketAddress address, Memory memory) throws IOException {
        int code;
        if (address instanceof InetSocketAddress inet) {
            if (inet.isUnresolved()) {
                throw new UnresolvedAddressException();
            }
            code = Library.sock_address(text(inet.getAddress().getHostAddress()), text(Integer.toString(inet.getPort())),
                memory.address, memory.length);
        } else if (address instanceof UnixDomainSocketAddress unix) {
            code = Library.sock_address(text(unix.getPath().toString()), null, memory.address, memory.length);
        } else {
            throw new UnsupportedAddressTypeException();
        }
        Failure.check(code);
        return memory.length.getInt(0);
    }

    /** What C put there. It never fails, for what came with the address would be lost: a name without words is an empty one. */
    static SocketAddress unpack(Memory memory) throws IOException {
        int port = Library.sock_name(memory.address, memory.length.getInt(0), memory.name, memory.nameSize());
        String host = port < 0 ? "" : memory.name.getString(0, StandardCharsets.UTF_8.name());
        return port < 0 || memory.address.getShort(0) == AF_UNIX
            ? UnixDomainSocketAddress.of(host)
            : new InetSocketAddress(InetAddress.getByName(host), port);
    }

    /** A string of C's, which would cut it at a NUL. */
    static byte[] text(String text) {
        if (text == null) {
            return null;
        }
        if (text.indexOf('\0') >= 0) {
            throw new IllegalArgumentException("a string with a NUL");
        }
        return (text + '\0').getBytes(StandardCharsets.UTF_8);
    }
}
