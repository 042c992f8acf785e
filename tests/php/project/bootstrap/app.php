<?php
/*
 * A project as small as can be: bootstrap/app.php as a Laravel project has one, on Debian's
 * components, with a configuration read from the environment and, below it, from `.env`.
 * TEST_DIR is the scene's directory, with the Redis and the ledger in it; while there is a
 * file "break" in it the application does not boot, with "down" it is down for maintenance.
 */

namespace Drover\Tests;

use Illuminate\Contracts\Debug\ExceptionHandler;
use Illuminate\Queue\Worker;
use Illuminate\Redis\RedisManager;
use Illuminate\Support\Arr;

if (! class_exists(Quiet::class, false)) {
    class Quiet extends Reporter
    {
        public function report(\Throwable $e)
        {
        }
    }
}

/** config(), by dotted names as the framework's repository. */
class Settings implements \ArrayAccess
{
    private $all;

    public function __construct(array $all)
    {
        $this->all = $all;
    }

    public function offsetExists($name): bool
    {
        return Arr::has($this->all, $name);
    }

    #[\ReturnTypeWillChange]
    public function offsetGet($name)
    {
        return Arr::get($this->all, $name);
    }

    public function offsetSet($name, $value): void
    {
        Arr::set($this->all, $name, $value);
    }

    public function offsetUnset($name): void
    {
        Arr::forget($this->all, $name);
    }
}

/** The variable, else what `.env` says, else $default. */
function setting(string $name, $default = null)
{
    static $file;
    $file = $file ?? parse_ini_file(dirname(__DIR__).'/.env', false, INI_SCANNER_RAW);
    $value = getenv($name);
    $value = $value === false ? $file[$name] ?? $default : $value;

    return $value === 'null' ? null : $value;
}

$dir = setting('TEST_DIR', '/nonexistent');
if (file_exists("$dir/break")) {
    throw new \LogicException('the application is broken');
}
$redis = [
    'url' => setting('REDIS_URL'),
    'host' => setting('REDIS_HOST', "$dir/redis.sock"),
    'port' => setting('REDIS_PORT', 0),
    'username' => setting('REDIS_USERNAME'),
    'password' => setting('REDIS_PASSWORD'),
    'database' => setting('REDIS_DB', '0'),
];
$connection = [
    'driver' => 'redis', 'connection' => 'default', 'queue' => setting('REDIS_QUEUE', 'default'),
    'retry_after' => 90, 'block_for' => null,
];
$settings = new Settings([
    'app' => ['name' => setting('APP_NAME'), 'env' => setting('APP_ENV'), 'timezone' => 'UTC'],
    'cache' => ['default' => 'redis', 'stores' => ['redis' => ['driver' => 'redis']]],
    'queue' => [
        'default' => setting('QUEUE_CONNECTION', 'sync'),
        'connections' => [
            'sync' => ['driver' => 'sync'],
            'database' => ['driver' => 'database', 'table' => 'jobs', 'queue' => 'default', 'retry_after' => 90],
            'redis' => $connection,
            'other' => ['connection' => 'other', 'queue' => 'slow', 'retry_after' => 600] + $connection,
            'packed' => ['connection' => 'packed'] + $connection,
            'cluster' => ['connection' => 'many'] + $connection,
            'lost' => ['connection' => 'nowhere'] + $connection,
        ],
        'failed' => [
            'driver' => setting('QUEUE_FAILED_DRIVER'), 'database' => setting('DB_CONNECTION'),
            'table' => setting('QUEUE_FAILED_TABLE', 'failed_jobs'),
        ],
    ],
    'database' => [
        'default' => setting('DB_CONNECTION'),
        'connections' => [
            'pgsql' => [
                'driver' => 'pgsql', 'url' => setting('DB_URL'), 'host' => setting('DB_HOST', '127.0.0.1'),
                'port' => setting('DB_PORT', '5432'), 'database' => setting('DB_DATABASE', 'postgres'),
                'username' => setting('DB_USERNAME', 'postgres'), 'password' => setting('DB_PASSWORD'),
                'search_path' => setting('DB_SEARCH_PATH', 'public'), 'sslmode' => 'prefer',
            ],
            'mysql' => ['driver' => 'mysql', 'host' => 'db', 'database' => 'shop'],
        ],
        'redis' => [
            'client' => 'phpredis',
            'options' => ['cluster' => 'redis', 'prefix' => setting('REDIS_PREFIX')],
            'default' => $redis,
            'other' => ['url' => 'redis://worker:secret@redis.example:6380/3', 'options' => ['prefix' => 'other:']],
            'packed' => ['options' => ['serializer' => 2]] + $redis,
            'clusters' => ['many' => [$redis]],
        ],
    ],
]);
$app = application([
    'socket' => "$dir/redis.sock", 'database' => 0, 'prefix' => setting('REDIS_PREFIX'), 'retry-after' => 90,
    'block-for' => null, 'ledger' => getenv('TEST_DIR') === false ? '/dev/null' : "$dir/ledger", 'who' => 'runner/'.getmypid(),
]);
$app->instance('config', $settings);
$app->instance('redis', new RedisManager($app, 'phpredis', Arr::except($settings['database.redis'], 'client')));
$app->instance(ExceptionHandler::class, new Quiet);
prepare_deeds($app);
$app->instance('queue.worker', new Worker(
    $app->make('queue'), $app->make('events'), $app->make(ExceptionHandler::class), function () use ($dir) {
        return file_exists("$dir/down");
    }
));

return $app;
