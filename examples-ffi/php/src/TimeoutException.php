<?php

declare(strict_types=1);

namespace Sock;

/** The timeout, or the time of Socket::within(), ran out. */
final class TimeoutException extends SocketException
{
}
