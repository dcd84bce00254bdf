<?php

declare(strict_types=1);

namespace Sock;

/** Ends what waits with it, for good: in a signal handler, a fiber or another process. */
final class Token
{
    use OneOwner;

    public function __construct()
    {
        $this->own(Library::check(Library::ffi()->sock_token()));
    }

    public function cancel(): void
    {
        Library::check(Library::ffi()->sock_cancel($this->open()));
    }

    public function isCancelled(): bool
    {
        return Library::ffi()->sock_wait_until(-1, 0, -1, $this->open()) === -Library::ECANCELED;
    }

    /** The descriptor; a token that is closed would be none. */
    public function open(): int
    {
        return $this->fd >= 0 ? $this->fd : throw new \ValueError('a token that is closed');
    }
}
