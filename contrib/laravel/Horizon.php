<?php
/*
 * What Horizon's own queue would tell its listeners of a job, where Horizon is installed, so
 * that its dashboard knows of the jobs that drover runs: Horizon's queue is not the one they
 * come from here.
 */

namespace Drover\Laravel;

use Illuminate\Contracts\Debug\ExceptionHandler;

class Horizon
{
    private const EVENTS = 'Laravel\Horizon\Events\\';

    private $app;

    private $isThere;

    public function __construct($app)
    {
        $this->app = $app;
        $this->isThere = class_exists(self::EVENTS.'JobReserved');
    }

    public function reserved($job): void
    {
        $this->fire($job, 'JobReserved', $job->getReservedJob());
    }

    public function deleted($job): void
    {
        $this->fire($job, 'JobDeleted', $job, $job->getReservedJob());
    }

    public function released($job, $delay): void
    {
        $this->fire($job, 'JobReleased', $job->getReservedJob(), $delay);
    }

    /** Its own trouble (its Redis is away) is reported, and is none of the job's. */
    private function fire($job, string $event, ...$arguments): void
    {
        if (! $this->isThere) {
            return;
        }
        $class = self::EVENTS.$event;
        try {
            $this->app['events']->dispatch(
                (new $class(...$arguments))->connection($job->getConnectionName())->queue($job->getQueue())
            );
        } catch (\Throwable $e) {
            $this->app->make(ExceptionHandler::class)->report($e);
        }
    }
}
