<?php

declare(strict_types=1);

namespace Sock;

/** Owns a descriptor, and closes it: there is never a second object that would close a number which is another's by then. */
trait OneOwner
{
    private int $fd = -1;

    private function own(int $fd): void
    {
        $this->fd < 0 || throw new \LogicException('it has a descriptor already');
        $this->fd = $fd;
    }

    public function __destruct()
    {
        $this->close();
    }

    private function __clone()
    {
    }

    public function __serialize(): array
    {
        throw new \LogicException('a descriptor cannot be serialized');
    }

    public function __unserialize(array $data): void
    {
        throw new \LogicException('a descriptor cannot be unserialized');
    }

    /** -1 once it is closed. */
    public function descriptor(): int
    {
        return $this->fd;
    }

    public function close(): void
    {
        [$fd, $this->fd] = [$this->fd, -1];
        if ($fd >= 0) {
            Library::ffi()->close($fd);
        }
    }
}
