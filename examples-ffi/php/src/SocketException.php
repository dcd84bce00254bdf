<?php

declare(strict_types=1);

namespace Sock;

/** What every failure throws; its code is the errno. */
class SocketException extends \RuntimeException
{
    /** What recvAll() received all the same. */
    public string $data = '';

    public function __construct(int $errno, public readonly int $transferred = 0)
    {
        parent::__construct(Library::ffi()->sock_strerror(-$errno), $errno);
    }
}
