<?php
/*
 * For laravel.sh: the application that drover's bridge boots, on the Redis BENCH_SOCKET;
 * and as a script of its own, one of Laravel's own workers on the same. Its cache is in
 * that Redis too: queue:restart needs one that all processes share.
 */

namespace Drover\Bench;

use Illuminate\Contracts\Cache\Repository;
use Illuminate\Contracts\Debug\ExceptionHandler;
use Illuminate\Queue\Worker;
use Illuminate\Queue\WorkerOptions;

require __DIR__.'/../tests/php/bootstrap.php';

$app = \Drover\Tests\application([
    'socket' => getenv('BENCH_SOCKET'), 'database' => 0, 'prefix' => '', 'retry-after' => 90,
    'block-for' => null, 'ledger' => getenv('BENCH_LEDGER'), 'who' => (string) getmypid(),
]);
\Drover\Tests\share_cache($app);
$app->instance(ExceptionHandler::class, new \Drover\Tests\Reporter);
if (realpath($_SERVER['SCRIPT_FILENAME']) !== __FILE__) {
    return $app;
}
$worker = new Worker($app['queue'], $app['events'], $app->make(ExceptionHandler::class), function () {
    return false;
});
$worker->setCache($app->make(Repository::class));
exit($worker->daemon('redis', 'bench', new WorkerOptions('default', 0, 128, 60, 1, 3)));
