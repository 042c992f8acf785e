<?php
/*
 * One job after the other, each through the application's own Worker. Its protected methods
 * are called in its own scope: they are what queue:work itself is made of, and have kept
 * their names from Laravel 8 to 13.
 */

namespace Drover\Laravel;

use Illuminate\Contracts\Debug\ExceptionHandler;
use Illuminate\Queue\Events\JobExceptionOccurred;
use Illuminate\Queue\Events\Looping;
use Illuminate\Queue\Events\WorkerStopping;
use Illuminate\Queue\Jobs\RedisJob;
use Illuminate\Queue\MaxAttemptsExceededException;
use Illuminate\Queue\TimeoutExceededException;
use Illuminate\Queue\Worker;
use Illuminate\Queue\WorkerOptions;
use Illuminate\Support\Facades\Facade;

/** The process that ran a job ended in the middle of it. */
class RunnerDied extends \RuntimeException
{
}

class Runner
{
    private $app;

    private $channel;

    private $lastWords;

    private $worker;

    private $state;

    private $horizon;

    private $queues = []; // by the name of their connection

    private $id; // of the job that runs

    private $thrown; // the last exception of it

    private $timed; // it and its options

    private $alarm; // SIGALRM's handler; null: there is none to be had

    private $memory = 0; // bytes held after the last

    public function __construct($app, Channel $channel, LastWords $lastWords)
    {
        $this->app = $app;
        $this->channel = $channel;
        $this->lastWords = $lastWords;
        $this->worker = $this->makeWorker();
        $this->state = new State($app, $this->worker);
        $this->horizon = new Horizon($app);
        $events = $app['events'];
        $events->listen(JobExceptionOccurred::class, function ($event) {
            $this->thrown = $event->exception;
        });
        if (extension_loaded('pcntl')) {
            pcntl_async_signals(true);
            pcntl_signal(SIGTERM, function () {
                $this->worker->shouldQuit = true; // drover waits for the job, then kills
            });
            $this->alarm = function (...$arguments) {
                $this->timeOver($arguments);
            };
        }
    }

    public function run(): void
    {
        while (! $this->worker->shouldQuit && ($frame = $this->channel->read()) !== null) {
            if ($frame['type'] === 'state') {
                $this->channel->write($this->state->answer($frame));

                continue;
            }
            $this->id = $frame['id'];
            $this->thrown = null;
            $this->lastWords->watch($this->id);
            $this->resetScope();
            $frame['type'] === 'after' ? $this->decideAfter($frame) : $this->runJob($frame);
            $this->rollBack();
            $this->lastWords->watch(null);
            $this->channel->write([
                'type' => 'done', 'id' => $this->id, 'memory' => $this->tidyMemory(),
                'leave' => $this->wantsToLeave(),
            ]);
        }
        if ($this->id !== null) { // one that has run no job was perhaps only asked what it is
            $this->app['events']->dispatch(new WorkerStopping(0));
        }
    }

    private function makeWorker(): Worker
    {
        $app = $this->app;
        $worker = $app->bound('queue.worker') ? $app->make('queue.worker') : new Worker(
            $app['queue'], $app['events'], $app->make(ExceptionHandler::class), function () {
                return false;
            }
        );
        $worker->setCache($app->bound('cache.store')
            ? $app->make('cache.store') : $app->make(\Illuminate\Contracts\Cache\Repository::class));
        $worker->setName('default');

        return $worker;
    }

    private function makeOptions(array $frame): WorkerOptions
    {
        return new WorkerOptions(
            'default', implode(',', $frame['backoff'] ?: [0]), 0, $frame['timeout'], 3, $frame['tries']
        );
    }

    private function queueOf(string $connection): RecordingQueue
    {
        return $this->queues[$connection] ??
            $this->queues[$connection] = new RecordingQueue(function (string $verdict, int $delay, ?\Throwable $error) {
                $this->tell($verdict, $delay, $error ?? $this->thrown);
            }, $this->app, $connection, $this->horizon);
    }

    /** Attempts are counted when a job is released: what drover holds is one behind, as Laravel wants it. */
    private function makeJob(array $frame): RedisJob
    {
        return new RecordedJob(
            $this->app, $this->queueOf($frame['connection']), $frame['body'], $frame['body'],
            $frame['connection'], $frame['queue']
        );
    }

    private function runJob(array $frame): void
    {
        $options = $this->makeOptions($frame);
        $this->app['events']->until(new Looping($frame['connection'], $frame['queue']));
        $job = $this->makeJob($frame);
        $this->horizon->reserved($job);
        $this->setAlarm($job, $options);
        $this->inWorker(function ($job, $connection, $options) {
            $this->runJob($job, $connection, $options);
        }, $job, $frame['connection'], $options);
        $this->clearAlarm();
    }

    /** Another process died running it. It fails now if it would have failed by an exception. */
    private function decideAfter(array $frame): void
    {
        $job = $this->makeJob($frame);
        $error = $this->makeError($job, $frame);
        $this->thrown = $error;
        $this->inWorker(function ($job, $options, $error, $timedOut) {
            $this->markJobAsFailedIfWillExceedMaxAttempts(
                $job->getConnectionName(), $job, (int) $options->maxTries, $error
            );
            $this->markJobAsFailedIfWillExceedMaxExceptions($job->getConnectionName(), $job, $error);
            if ($timedOut) {
                $this->markJobAsFailedIfItShouldFailOnTimeout($job->getConnectionName(), $job, $error);
            }
            if (! $job->isDeleted()) {
                $job->release($this->calculateBackoff($job, $options));
            }
        }, $job, $this->makeOptions($frame), $error, $frame['timed_out']);
    }

    private function makeError(RedisJob $job, array $frame): \Throwable
    {
        if (! $frame['timed_out']) {
            return new RunnerDied($frame['reason']);
        }
        if (! class_exists(TimeoutExceededException::class)) {
            return new MaxAttemptsExceededException($job->resolveName().' has timed out.');
        }

        return method_exists(TimeoutExceededException::class, 'forJob')
            ? TimeoutExceededException::forJob($job)
            : new TimeoutExceededException($job->resolveName().' has timed out.');
    }

    /** Calls $call with $this being the worker; what it throws is reported. */
    private function inWorker(\Closure $call, ...$arguments)
    {
        try {
            return \Closure::bind($call, $this->worker, Worker::class)(...$arguments);
        } catch (\Throwable $e) {
            $this->thrown = $e;
            $this->app->make(ExceptionHandler::class)->report($e);
        }
    }

    /** A job that is deleted may still die; one that has failed or was released stays that, so it is told at once. */
    private function tell(string $verdict, int $delay, ?\Throwable $error): void
    {
        $header = [
            'type' => 'verdict', 'id' => $this->id, 'verdict' => $verdict, 'delay' => $delay,
            'reason' => $error === null ? '' : get_class($error).': '.strtok($error->getMessage(), "\n"),
        ];
        if ($verdict === 'delete') {
            $this->channel->hold($header);
        } else {
            $this->channel->write($header, $verdict === 'fail' ? (string) $error : '');
        }
    }

    /** In place of Worker's registerTimeoutHandler(), which is called when it is needed. */
    private function setAlarm(RedisJob $job, WorkerOptions $options): void
    {
        if ($this->alarm === null) {
            return;
        }
        $this->timed = [$job, $options];
        if (pcntl_signal_get_handler(SIGALRM) !== $this->alarm) {
            pcntl_signal(SIGALRM, $this->alarm);
        }
        pcntl_alarm(max(0, $this->inWorker(function ($job, $options) {
            return $this->timeoutForJob($job, $options);
        }, $job, $options)));
    }

    /** Laravel's own handler ends in killing this process; drover is told before. */
    private function timeOver(array $arguments): void
    {
        $this->channel->write(['type' => 'timeout', 'id' => $this->id]);
        $this->inWorker(function ($job, $options) {
            $this->registerTimeoutHandler($job, $options);
        }, ...$this->timed);
        pcntl_signal_get_handler(SIGALRM)(...$arguments);
    }

    private function clearAlarm(): void
    {
        if ($this->alarm !== null) {
            pcntl_alarm(0);
        }
    }

    /** What is held, in bytes. Cycles are looked for where it has become more. */
    private function tidyMemory(): int
    {
        if (memory_get_usage(true) > $this->memory) {
            gc_collect_cycles();
        }

        return $this->memory = memory_get_usage(true);
    }

    /** As QueueServiceProvider has it in the worker's $resetScope, which only the daemon loop calls. */
    private function resetScope(): void
    {
        $app = $this->app;
        if ($app->bound('log')) {
            $log = $app['log'];
            foreach (['flushSharedContext', 'withoutContext'] as $method) {
                if (method_exists($log, $method)) {
                    $log->$method();
                }
            }
        }
        foreach ($this->connections() as $connection) {
            foreach (['resetTotalQueryDuration', 'allowQueryDurationHandlersToRunAgain'] as $method) {
                if (method_exists($connection, $method)) {
                    $connection->$method();
                }
            }
        }
        if (method_exists($app, 'forgetScopedInstances')) {
            $app->forgetScopedInstances();
        }
        Facade::clearResolvedInstances();
    }

    private function connections(): array
    {
        return $this->app->resolved('db') ? $this->app['db']->getConnections() : [];
    }

    /** A transaction that a job left open is not the next one's. */
    private function rollBack(): void
    {
        try {
            foreach ($this->connections() as $connection) {
                if ($connection->transactionLevel() > 0) {
                    $connection->rollBack(0);
                }
            }
        } catch (\Throwable $e) { // the job's verdict stands; the next one gets another process
            $this->worker->shouldQuit = true;
            $this->app->make(ExceptionHandler::class)->report($e);
        }
    }

    /** The worker wants to: a database connection was lost, or a job said so. */
    private function wantsToLeave(): bool
    {
        return (bool) $this->inWorker(function () {
            return $this->shouldQuit || ($this->lostConnection ?? false);
        });
    }
}
