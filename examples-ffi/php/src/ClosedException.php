<?php

declare(strict_types=1);

namespace Sock;

/** The peer closed the connection, perhaps in the middle of what was to come. */
final class ClosedException extends SocketException
{
}
