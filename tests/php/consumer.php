<?php
/*
 * A worker as `artisan queue:work redis` is one: Laravel's own Worker on its RedisQueue,
 * until SIGTERM. The jobs write starts and ends to the ledger, this script what failed for
 * good. Any exception goes to stderr, but for those that a job was told to throw and the one
 * that says that its tries are used up.
 *
 * Options besides those of bootstrap.php:
 *   --queues=a,b     in this order (default: high,default,low)
 *   --mode=daemon    Worker::daemon, or `next`: runNextJob over and over
 *   --deeds=1        is ready for the jobs of deeds.php, and notes their events
 *   --acts=CONNINFO  also for those of acts.php, with this PostgreSQL for what has failed
 *   --tries=N        --backoff=1,5,10  --timeout=S  --sleep=S  --max-jobs=N
 *   --stop-when-empty=1: as queue:work's
 */

namespace Drover\Tests;

use Illuminate\Contracts\Debug\ExceptionHandler;
use Illuminate\Queue\Events\JobFailed;
use Illuminate\Queue\MaxAttemptsExceededException;
use Illuminate\Queue\Worker;
use Illuminate\Queue\WorkerOptions;

require __DIR__.'/bootstrap.php';

/** runNextJob() minds no signals and no number of jobs: those are whose who calls it. */
function work_one_by_one(Worker $worker, string $queues, WorkerOptions $options): int
{
    pcntl_async_signals(true);
    pcntl_signal(SIGTERM, function () use ($worker) {
        $worker->shouldQuit = true;
    });
    while (! $worker->shouldQuit) {
        $worker->runNextJob('redis', $queues, $options);
    }

    return 0;
}

$options = options([
    'queues' => 'high,default,low', 'mode' => 'daemon', 'tries' => 3, 'backoff' => '0',
    'timeout' => 60, 'sleep' => 0.05, 'max-jobs' => 0, 'stop-when-empty' => 0,
    'deeds' => '', 'acts' => '',
]);
$app = application($options);
if ($options['deeds'] || $options['acts']) {
    require_once __DIR__.'/deeds.php';
    prepare_deeds($app);
}
if ($options['acts']) {
    require_once __DIR__.'/acts.php';
    prepare_acts($app, $options['acts']);
    record_failures($app);
}
$app->make('events')->listen(JobFailed::class, function (JobFailed $event) use ($app) {
    $app->make(Ledger::class)->note('failed', $event->job);
});
$worker = new Worker($app->make('queue'), $app->make('events'), new Reporter([ToldToFail::class, MaxAttemptsExceededException::class]), function () {
    return false; // never down for maintenance
});
$worker->setCache($app->make(\Illuminate\Contracts\Cache\Repository::class));
$work = new WorkerOptions(
    'default', $options['backoff'], 128, (int) $options['timeout'], (float) $options['sleep'],
    (int) $options['tries'], false, (bool) $options['stop-when-empty'], (int) $options['max-jobs']
);
exit($options['mode'] === 'next'
    ? work_one_by_one($worker, $options['queues'], $work)
    : $worker->daemon('redis', $options['queues'], $work));
