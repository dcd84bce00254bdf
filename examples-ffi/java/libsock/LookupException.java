package libsock;

import java.net.UnknownHostException;

/** A host or a service was not found. */
public final class LookupException extends UnknownHostException {
    /** Why a lookup failed. */
    public enum Reason {
        /** There is no such host. */
        NO_HOST,
        /** No name server answered, or not in time. */
        TRY_AGAIN,
        /** The host exists, but has no address. */
        NO_ADDRESS,
        /** There is no such service, no port of that number, or no such protocol. */
        NO_SERVICE,
        /** Another one. */
        FAILED
    }

    private static final long serialVersionUID = 1;

    private final Reason reason;

    LookupException(Reason reason, String words) {
        super(words);
        this.reason = reason;
    }

    static LookupException of(int code, String words) {
        return new LookupException(switch (code) {
            case 5002 -> Reason.NO_HOST;
            case 5003 -> Reason.TRY_AGAIN;
            case 5005 -> Reason.NO_ADDRESS;
            case 5008 -> Reason.NO_SERVICE;
            default -> Reason.FAILED;
        }, words);
    }

    /**
     * Why.
     *
     * @return the reason
     */
    public Reason reason() {
        return reason;
    }
}
