<?php

declare(strict_types=1);

namespace Sock;

/** A token was cancelled. */
final class CancelledException extends SocketException
{
}
