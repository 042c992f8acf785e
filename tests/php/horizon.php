<?php
/*
 * As much of Laravel Horizon as drover's bridge looks at: three of its events, by its names.
 */

namespace Laravel\Horizon\Events;

class RedisEvent
{
    public $connectionName;

    public $queue;

    public $payload;

    public function __construct($payload)
    {
        $this->payload = $payload;
    }

    public function connection($name)
    {
        $this->connectionName = $name;

        return $this;
    }

    public function queue($queue)
    {
        $this->queue = $queue;

        return $this;
    }
}

class JobReserved extends RedisEvent
{
}

class JobReleased extends RedisEvent
{
}

class JobDeleted extends RedisEvent
{
    public $job;

    public function __construct($job, $payload)
    {
        $this->job = $job;
        parent::__construct($payload);
    }
}

namespace Drover\Tests;

/** A line of the ledger for each: its name, connection, queue, and whether the payload is a job's. */
function note_horizon($app): void
{
    foreach (['JobReserved', 'JobReleased', 'JobDeleted'] as $name) {
        $app->make('events')->listen("Laravel\\Horizon\\Events\\$name", function ($e) use ($app, $name) {
            $uuid = json_decode($e->payload, true)['uuid'];
            $app->make(Ledger::class)->write("horizon-$name-$e->connectionName-$e->queue", $uuid, 0);
        });
    }
}
