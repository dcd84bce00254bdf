<?php

declare(strict_types=1);

// For programs without Composer: loads the classes of src/ when they are used.
spl_autoload_register(static function (string $class): void {
    if (str_starts_with($class, 'Sock\\')) {
        require __DIR__ . '/src/' . substr($class, 5) . '.php';
    }
});
