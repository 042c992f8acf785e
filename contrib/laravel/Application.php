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

    /** What drover may want to know of it. */
    public function describe(): array
    {
        $config = $this->container->bound('config') ? $this->container['config'] : [];
        $told = ['php' => PHP_VERSION];
        if (method_exists($this->container, 'version')) {
            $told['laravel'] = $this->container->version();
        }
        foreach (['queue.default', 'queue.connections.redis', 'queue.failed', 'app.timezone'] as $name) {
            $told[$name] = $config[$name] ?? null;
        }
        $told['database.redis.options.prefix'] = $config['database.redis.options.prefix'] ?? null;

        return $told;
    }

    public function terminate(): void
    {
        if ($this->kernel !== null) {
            $this->kernel->terminate(new \Symfony\Component\Console\Input\ArrayInput([]), 0);
        }
    }
}
