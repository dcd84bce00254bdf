package libsock;

import java.net.UnknownHostException;

/** A host or a service was not found. */
public final class LookupException extends UnknownHostException {
    /** There is no such host. */
    public static final int NO_HOST = 5002;
    /** No name server answered, or not in time. */
    public static final int TRY_AGAIN = 5003;
    /** It failed for another reason. */
    public static final int FAILED = 5004;
    /** The host exists, but has no address. */
    public static final int NO_ADDRESS = 5005;
    /** There is no such service, no port of that number, or no such protocol. */
    public static final int NO_SERVICE = 5008;

    private static final long serialVersionUID = 1;

    private final int code;

    LookupException(int code, String words) {
        super(words);
        this.code = code;
    }

    /**
     * Why.
     *
     * @return one of the constants
     */
    public int code() {
        return code;
    }
}
