<?php

declare(strict_types=1);

namespace Sock;

/** In non-blocking mode the call is not ready. */
final class NotReadyException extends SocketException
{
}
