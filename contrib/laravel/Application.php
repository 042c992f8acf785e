<?php
/*
 * The application: booted from its directory as artisan does, or from a file that returns
 * its container.
 */

namespace Drover\Laravel;

class Application
{
    public $container;

    private $kernel;

    public function __construct(array $hello)
    {
        chdir($hello['app']);
        if (isset($hello['bootstrap'])) {
            $this->container = require $hello['bootstrap'];
        } else {
            require $hello['app'].'/vendor/autoload.php';
            $this->container = require $hello['app'].'/bootstrap/app.php';
        }
        if (interface_exists(\Illuminate\Contracts\Console\Kernel::class) &&
            $this->container->bound(\Illuminate\Contracts\Console\Kernel::class)) {
            $this->kernel = $this->container->make(\Illuminate\Contracts\Console\Kernel::class);
            $this->kernel->bootstrap();
        }
    }

    /** What drover may want to know of it; no reason not to run jobs, where that cannot be told. */
    public function describe(): array
    {
        try {
            require_once __DIR__.'/Description.php';

            return (new Description($this->container))->all();
        } catch (\Throwable $e) {
            return ['trouble' => get_class($e).': '.strtok($e->getMessage(), "\n")];
        }
    }

    public function terminate(): void
    {
        if ($this->kernel !== null) {
            $this->kernel->terminate(new \Symfony\Component\Console\Input\ArrayInput([]), 0);
        }
    }
}
