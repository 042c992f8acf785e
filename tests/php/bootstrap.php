<?php
/*
 * Laravel's queue without the framework around it, from Debian's php-illuminate-*
 * packages: a container with all that the queue's classes ask one for, on the Redis behind
 * a unix socket. The scripts beside this file begin with it.
 *
 * Options are `--name=value`; these every script takes:
 *   --socket=PATH      the Redis
 *   --database=N       of it (default: 0)
 *   --prefix=TEXT      of its keys, as database.redis.options.prefix (default: none)
 *   --retry-after=S    how long a job is reserved (default: 90)
 *   --block-for=S      how long a pop waits for a token (default: it does not)
 *   --ledger=FILE      where jobs write down what they do (see ledger.php)
 *   --who=NAME         the name they use there (default: the process)
 */

namespace Drover\Tests;

use Illuminate\Bus\Dispatcher as Bus;
use Illuminate\Cache\ArrayStore;
use Illuminate\Cache\RedisStore;
use Illuminate\Cache\Repository as Cache;
use Illuminate\Container\Container;
use Illuminate\Contracts\Debug\ExceptionHandler;
use Illuminate\Events\Dispatcher as Events;
use Illuminate\Queue\Connectors\RedisConnector;
use Illuminate\Queue\QueueManager;
use Illuminate\Redis\RedisManager;

error_reporting(E_ALL & ~E_DEPRECATED); // Laravel 8 is older than PHP 8.2
ini_set('display_errors', 'stderr');

foreach (['Queue', 'Redis', 'Bus', 'Events', 'Cache'] as $package) {
    require_once "Illuminate/$package/autoload.php";
}

require_once __DIR__.'/ledger.php';
require_once __DIR__.'/jobs.php';

/** Tells stderr of all but what is expected. */
class Reporter implements ExceptionHandler
{
    private $expected;

    /** Names of classes. */
    public function __construct(array $expected = [])
    {
        $this->expected = $expected;
    }

    public function report(\Throwable $e)
    {
        if ($this->shouldReport($e)) {
            fwrite(STDERR, "$e\n");
        }
    }

    public function shouldReport(\Throwable $e)
    {
        foreach ($this->expected as $class) {
            if ($e instanceof $class) {
                return false;
            }
        }

        return true;
    }

    public function render($request, \Throwable $e)
    {
        throw $e;
    }

    public function renderForConsole($output, \Throwable $e)
    {
        throw $e;
    }
}

/** The options of the command line over the given defaults; an unknown one ends the script. */
function options(array $defaults): array
{
    $options = $defaults + [
        'socket' => '', 'database' => 0, 'prefix' => '', 'retry-after' => 90, 'block-for' => null,
        'ledger' => '/dev/null', 'who' => 'php/'.getmypid(),
    ];
    foreach (array_slice($_SERVER['argv'], 1) as $argument) {
        if (! preg_match('/^--([a-z-]+)=(.*)$/s', $argument, $m) || ! array_key_exists($m[1], $options)) {
            fwrite(STDERR, "unknown option: $argument\n");
            exit(2);
        }
        $options[$m[1]] = $m[2];
    }

    return $options;
}

/** config/database.php and config/queue.php, as far as the queue reads them. */
function config(array $options): array
{
    return [
        'database.redis' => [
            'options' => ['prefix' => $options['prefix']],
            'default' => ['host' => $options['socket'], 'port' => 0, 'database' => (int) $options['database']],
        ],
        'queue.default' => 'redis',
        'queue.connections.redis' => [
            'driver' => 'redis',
            'connection' => 'default',
            'queue' => 'default',
            'retry_after' => (int) $options['retry-after'],
            'block_for' => $options['block-for'] === null ? null : (int) $options['block-for'],
        ],
    ];
}

/** What the service providers of a whole application would have registered. */
function application(array $options): Container
{
    $app = new Container;
    Container::setInstance($app);
    $config = config($options);
    $events = new Events($app);
    $redis = new RedisManager($app, 'phpredis', $config['database.redis']);
    $queue = new QueueManager($app);
    $queue->addConnector('redis', function () use ($redis) {
        return new RedisConnector($redis);
    });

    $app->instance('config', $config);
    $app->instance('events', $events);
    $app->instance('redis', $redis);
    $app->instance('queue', $queue);
    $app->instance(Ledger::class, new Ledger($options['ledger'], $options['who']));
    $app->instance(\Illuminate\Contracts\Container\Container::class, $app);
    $app->instance(\Illuminate\Contracts\Events\Dispatcher::class, $events);
    $app->instance(\Illuminate\Contracts\Bus\Dispatcher::class, new Bus($app));
    $app->instance(\Illuminate\Contracts\Cache\Repository::class, new Cache(new ArrayStore));
    // The classes of string jobs; drover knows them by these names.
    $app->bind('task', Task::class);
    $app->bind('errand', Task::class);
    $app->bind('stuck', Task::class);
    $app->bind('mirror', Mirror::class);

    return $app;
}

/** The cache in Redis, which all processes share, instead of one of its own. */
function share_cache(Container $app): void
{
    $store = new RedisStore($app->make('redis'), 'cache');
    $app->instance(\Illuminate\Contracts\Cache\Repository::class, new Cache($store));
}
