<?php
/*
 * The job that Laravel's worker is given, and the queue that it believes it came from. They
 * send nothing to Redis, where drover holds the job, but tell what is to become of it.
 */

namespace Drover\Laravel;

use Illuminate\Queue\Jobs\RedisJob;
use Illuminate\Queue\ManuallyFailedException;
use Illuminate\Queue\RedisQueue;

class RecordingQueue extends RedisQueue
{
    private $record;

    private $horizon;

    /** $record is called with 'delete', 'release' or 'fail'; the delay in seconds; the exception. */
    public function __construct(callable $record, $container, string $connection, Horizon $horizon)
    {
        $this->record = $record;
        $this->horizon = $horizon;
        $this->default = 'default';
        $this->setContainer($container);
        $this->setConnectionName($connection);
        if ($container->bound('redis')) {
            $this->redis = $container->make('redis'); // for a job that asks how long its queue is
        }
    }

    public function deleteReserved($queue, $job)
    {
        ($this->record)('delete', 0, null);
        $this->horizon->deleted($job);
    }

    public function deleteAndRelease($queue, $job, $delay)
    {
        $seconds = max(0, $this->secondsUntil($delay));
        ($this->record)('release', $seconds, null);
        $this->horizon->released($job, $seconds);
    }

    public function fails(\Throwable $error): void
    {
        ($this->record)('fail', 0, $error);
    }
}

class RecordedJob extends RedisJob
{
    /** Told at once: failed() hooks and listeners, which come next, may not return. */
    public function fail($e = null)
    {
        if (! $this->isDeleted()) {
            $this->getRedisQueue()->fails($e instanceof \Throwable ? $e : new ManuallyFailedException((string) $e));
        }
        parent::fail($e);
    }
}
