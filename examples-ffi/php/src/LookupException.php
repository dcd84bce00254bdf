<?php

declare(strict_types=1);

namespace Sock;

/** A lookup failed: its code is one of these. */
final class LookupException extends SocketException
{
    public const NO_HOST = 5002;
    public const TRY_AGAIN = 5003;
    public const FAILED = 5004;
    public const NO_ADDRESS = 5005;
    public const NO_SERVICE = 5008;
}
