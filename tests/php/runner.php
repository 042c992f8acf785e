<?php
/*
 * The application that drover's bridge boots in the tests: returns the container. TEST_DIR
 * is the scene's directory; while there is a file "break" in it the application does not
 * boot, and while there is one "stall-boot", or "stall-" and the name of an event of the
 * queue, it comes no further than that; the ledger tells where it stalls. While there is
 * "down" it is down for maintenance, while there is "hold" a listener lets nobody take jobs,
 * while there is "nocache" its cache cannot be asked. With a file "horizon" Horizon's events
 * are there, and noted in the ledger.
 */

namespace Drover\Tests;

use Illuminate\Cache\RedisStore;
use Illuminate\Cache\Repository as Cache;
use Illuminate\Contracts\Debug\ExceptionHandler;
use Illuminate\Queue\Events\JobFailed;
use Illuminate\Queue\Events\JobProcessed;
use Illuminate\Queue\Events\JobProcessing;
use Illuminate\Queue\Events\Looping;
use Illuminate\Queue\Worker;

require_once __DIR__.'/bootstrap.php';
require_once __DIR__.'/deeds.php';

class Quiet extends Reporter
{
    public function report(\Throwable $e)
    {
        file_put_contents(getenv('TEST_DIR').'/reported', get_class($e)."\n", FILE_APPEND);
    }
}

function stall(string $where, Ledger $ledger): void
{
    $file = getenv('TEST_DIR')."/stall-$where";
    if (file_exists($file)) {
        $ledger->write("stalled-$where", '-', 0);
    }
    while (file_exists($file)) {
        usleep(2000);
        clearstatcache();
    }
}

$dir = getenv('TEST_DIR');
if (file_exists("$dir/break")) {
    throw new \LogicException('the application is broken');
}
$app = application([
    'socket' => "$dir/redis.sock", 'database' => 0, 'prefix' => '', 'retry-after' => 90,
    'block-for' => null, 'ledger' => "$dir/ledger", 'who' => 'runner/'.getmypid(),
]);
$app->instance(ExceptionHandler::class, new Quiet);
prepare_deeds($app);
if (file_exists("$dir/horizon")) {
    require_once __DIR__.'/horizon.php';
    note_horizon($app);
}
$app->make('events')->listen(Looping::class, function () use ($dir) {
    return file_exists("$dir/hold") ? false : null;
});

/** The cache in Redis, as long as nobody breaks it. */
class BrittleStore extends RedisStore
{
    public static $dir;

    public function many(array $keys)
    {
        if (file_exists(self::$dir.'/nocache')) {
            throw new \RuntimeException('the cache is away');
        }

        return parent::many($keys);
    }
}

BrittleStore::$dir = $dir;
$app->instance('cache.store', new Cache(new BrittleStore($app->make('redis'), 'cache')));
$app->instance('queue.worker', new Worker(
    $app->make('queue'), $app->make('events'), $app->make(ExceptionHandler::class), function () use ($dir) {
        return file_exists("$dir/down");
    }
));
$ledger = $app->make(Ledger::class);
foreach ([JobProcessing::class, JobProcessed::class, JobFailed::class] as $event) {
    $app->make('events')->listen($event, function ($e) use ($ledger) {
        static $loops = 0;
        if ($e instanceof Looping && $loops++ === 0) {
            return; // not a job's: drover asks first how the application is
        }
        stall((new \ReflectionClass($e))->getShortName(), $ledger);
    });
}
stall('boot', $ledger);

return $app;
