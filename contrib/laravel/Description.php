<?php
/*
 * What drover has to know of an application in order to work in its place: where its queues
 * and failed jobs are, as the booted application itself understands its configuration. It
 * connects to nothing. docs/coprocess.md lists the members.
 */

namespace Drover\Laravel;

use Illuminate\Redis\Connectors\PhpRedisConnector;
use Illuminate\Redis\RedisManager;
use Illuminate\Support\Arr;
use Illuminate\Support\ConfigurationUrlParser;

/** Ends a connector's work before it connects, and takes its settings along. */
class Settings extends \Exception
{
    public $settings;

    public function __construct(array $settings)
    {
        $this->settings = $settings;
    }
}

class Description
{
    private const SERIALIZERS = [1 => 'php', 'igbinary', 'msgpack', 'json'];

    private const COMPRESSIONS = [1 => 'lzf', 'zstd', 'lz4'];

    private $container;

    public function __construct($container)
    {
        $this->container = $container;
    }

    public function all(): array
    {
        return [
            'php' => PHP_VERSION,
            'laravel' => method_exists($this->container, 'version') ? $this->container->version() : null,
            'pcntl' => extension_loaded('pcntl'),
            'phpredis' => extension_loaded('redis'),
            'horizon' => class_exists(\Laravel\Horizon\Horizon::class),
            'down' => $this->isDown(),
            'environment' => $this->environment(),
            'timezone' => $this->text($this->config('app.timezone')),
            'cache' => $this->text($this->config('cache.stores.'.$this->config('cache.default').'.driver')),
            'default' => $this->text($this->config('queue.default')),
            'connections' => $this->connections(),
            'failed' => $this->guard(function () {
                return $this->failed();
            }),
        ];
    }

    /** Of the application's repository, or of an array with such names, whole or nested. */
    private function config(string $name)
    {
        return $this->container->bound('config') ? Arr::get($this->container['config'], $name) : null;
    }

    private function environment(): ?string
    {
        return $this->text(method_exists($this->container, 'environment')
            ? $this->container->environment() : $this->config('app.env'));
    }

    /** Null where only a server could tell. */
    private function isDown(): ?bool
    {
        if ($this->config('app.maintenance.driver') === 'cache' ||
            ! method_exists($this->container, 'isDownForMaintenance')) {
            return null;
        }

        return $this->container->isDownForMaintenance();
    }

    private function text($value): ?string
    {
        return is_scalar($value) && ! is_bool($value) ? (string) $value : null;
    }

    private function number($value): ?int
    {
        return is_numeric($value) ? (int) $value : null;
    }

    /** What $describe says, or why it could not. */
    private function guard(callable $describe): array
    {
        try {
            return $describe();
        } catch (\Throwable $e) {
            return ['trouble' => get_class($e).': '.strtok($e->getMessage(), "\n")];
        }
    }

    private function connections(): array
    {
        $all = $this->config('queue.connections');
        if (! is_array($all)) {
            $name = (string) $this->config('queue.default');
            $all = [$name => $this->config("queue.connections.$name")];
        }
        $told = [];
        foreach ($all as $name => $settings) {
            if (is_array($settings)) {
                $told[] = ['name' => (string) $name] + $this->connection($settings);
            }
        }

        return $told;
    }

    private function connection(array $settings): array
    {
        $told = [
            'driver' => $this->text($settings['driver'] ?? null),
            'queue' => $this->text($settings['queue'] ?? null),
            'table' => $this->text($settings['table'] ?? null),
            'retry_after' => $this->number($settings['retry_after'] ?? null),
            'block_for' => $this->number($settings['block_for'] ?? null),
            'migration_batch_size' => $this->number($settings['migration_batch_size'] ?? null),
            'connection' => $this->text($settings['connection'] ?? null),
        ];
        if ($told['driver'] === 'redis') {
            $name = $told['connection'] = $told['connection'] ?? 'default';
            $told['redis'] = $this->guard(function () use ($name) {
                return $this->redis($name);
            });
        }

        return $told;
    }

    private function redis(string $name): array
    {
        $manager = $this->container->make('redis');
        if (! $manager instanceof RedisManager) {
            throw new \LogicException('the application has a Redis manager of its own');
        }
        [$client, $all, $parse] = \Closure::bind(function () {
            return [$this->driver, $this->config, function ($settings) {
                return $this->parseConnectionConfiguration($settings);
            }];
        }, $manager, RedisManager::class)();
        if (! isset($all[$name]) && isset($all['clusters'][$name])) {
            return ['client' => $client, 'cluster' => true];
        }
        if (! isset($all[$name])) {
            throw new \LogicException("there is no database.redis.$name");
        }

        return ['client' => $client, 'cluster' => false] +
            $this->server($this->effective($client, $parse($all[$name]), $all['options'] ?? []));
    }

    /** The settings that a client of the connection would be made with. */
    private function effective(string $client, array $settings, array $options): array
    {
        if ($client !== 'phpredis') { // Predis has neither serializer nor compression
            $own = Arr::pull($settings, 'options', []);

            return array_merge($settings, ['prefix' => $settings['prefix'] ?? $own['prefix'] ?? $options['prefix'] ?? '']);
        }
        $connector = new class extends PhpRedisConnector {
            protected function createClient(array $config)
            {
                throw new Settings($config);
            }
        };
        try {
            $connector->connect($settings, $options);
        } catch (Settings $caught) {
            return $caught->settings;
        }
        throw new \LogicException('its Redis client is not made as Laravel makes one');
    }

    private function server(array $settings): array
    {
        $password = $settings['password'] ?? null;
        $username = $settings['username'] ?? null;
        if (is_array($password)) { // phpredis takes both there
            [$username, $password] = count($password) > 1 ? $password : [$username, reset($password)];
        }

        return [
            'scheme' => $this->text($settings['scheme'] ?? null),
            'host' => $this->text($settings['host'] ?? null),
            'path' => $this->text($settings['path'] ?? null), // Predis' unix socket
            'port' => $this->number($settings['port'] ?? null),
            'db' => $this->number($settings['database'] ?? null),
            'username' => $this->text($username),
            'password' => $this->text($password),
            'prefix' => $this->text($settings['prefix'] ?? null),
            'serializer' => $this->packing(self::SERIALIZERS, $settings['serializer'] ?? null),
            'compression' => $this->packing(self::COMPRESSIONS, $settings['compression'] ?? null),
        ];
    }

    /** Its name; null: there is none. */
    private function packing(array $names, $value): ?string
    {
        if (! $value || $value === 'none') {
            return null;
        }

        return $names[$value] ?? (string) $value;
    }

    private function failed(): array
    {
        $settings = $this->config('queue.failed');
        $settings = is_array($settings) ? $settings : [];
        $driver = array_key_exists('driver', $settings)
            ? $settings['driver'] ?? 'null' : (isset($settings['table']) ? 'database' : 'null');
        $told = ['driver' => $this->text($driver)];
        if (strncmp((string) $driver, 'database', 8) !== 0) {
            return $told;
        }
        $name = $settings['database'] ?? $this->config('database.default');

        return $told + [
            'table' => $this->text($settings['table'] ?? 'failed_jobs'),
            'connection' => $this->text($name),
            'database' => $this->database((string) $name),
        ];
    }

    /** As Laravel connects to it for writing. */
    private function database(string $name): array
    {
        $settings = $this->config("database.connections.$name");
        if ($settings === null) {
            throw new \LogicException("there is no database.connections.$name");
        }
        $settings = (new ConfigurationUrlParser)->parseConfiguration($settings);
        $write = $settings['write'] ?? [];
        $settings = array_merge($settings, isset($write[0]) ? $write[0] : $write);
        $path = $settings['search_path'] ?? $settings['schema'] ?? null;
        $told = [
            'host' => $this->listed($settings['host'] ?? null),
            'port' => $this->number($settings['port'] ?? null),
            'search_path' => $this->listed($path),
        ];
        foreach (['driver', 'database', 'username', 'password', 'sslmode', 'sslcert', 'sslkey', 'sslrootcert'] as $key) {
            $told[$key] = $this->text($settings[$key] ?? null);
        }

        return $told;
    }

    private function listed($value): ?string
    {
        return is_array($value) ? implode(',', array_filter($value, 'is_string')) : $this->text($value);
    }
}
