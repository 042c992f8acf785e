<?php
/*
 * How the application is, between two jobs: what Laravel's own worker looks at before it takes
 * one. Drover asks every few seconds and acts on it: restart (queue:restart), paused queues
 * (queue:pause), maintenance mode (down), listeners to Looping.
 */

namespace Drover\Laravel;

use Illuminate\Queue\Events\Looping;
use Illuminate\Queue\Worker;

class State
{
    private const RESTART = 'illuminate:queue:restart';

    private const ALL_PAUSED = 'illuminate:queues:paused';

    private $app;

    private $worker;

    private $trouble;

    public function __construct($app, Worker $worker)
    {
        $this->app = $app;
        $this->worker = $worker;
    }

    /** The answer to a `state` frame. What cannot be told is left out, with the reason. */
    public function answer(array $frame): array
    {
        $this->trouble = '';
        $answer = ['type' => 'state'];
        $this->tell($answer, function () use ($frame) {
            return $this->readCache($frame['connection'], $frame['queues']);
        });
        $this->tell($answer, function () {
            return ['down' => (bool) $this->ofWorker(function () {
                return ($this->isDownForMaintenance)();
            })];
        });
        $this->tell($answer, function () use ($frame) {
            $looping = new Looping($frame['connection'], implode(',', $frame['queues']));

            return ['hold' => $this->app['events']->until($looping) === false];
        });

        return $answer + ['reason' => $this->trouble];
    }

    /** Adds what $ask returns; an application that is in trouble is asked the rest all the same. */
    private function tell(array &$answer, callable $ask): void
    {
        try {
            $answer += $ask();
        } catch (\Throwable $e) {
            $this->trouble = get_class($e).': '.strtok($e->getMessage(), "\n");
        }
    }

    private function readCache(string $connection, array $queues): array
    {
        $cache = $this->ofWorker(function () {
            return $this->cache;
        });
        if ($cache === null) {
            return [];
        }
        $keys = [];
        foreach ($queues as $queue) {
            $keys[$queue] = "illuminate:queue:paused:$connection:$queue";
        }
        $told = $cache->getMultiple(array_merge([self::RESTART, self::ALL_PAUSED], array_values($keys)));
        $told = is_array($told) ? $told : iterator_to_array($told);

        return ['restart' => $this->asText($told[self::RESTART] ?? null)] + ['paused' => $this->isPausable()
            ? array_values(array_filter(array_map('strval', $queues), function ($queue) use ($told, $keys) {
                return ! empty($told[self::ALL_PAUSED]) || ! empty($told[$keys[$queue]]);
            })) : []];
    }

    /** An application may switch it off, since Laravel 12.40. */
    private function isPausable(): bool
    {
        return ! property_exists(Worker::class, 'pausable') || Worker::$pausable;
    }

    /** Only whether it is another one matters. */
    private function asText($value): string
    {
        return $value === null || is_scalar($value) ? (string) $value : md5(serialize($value));
    }

    private function ofWorker(\Closure $get)
    {
        return \Closure::bind($get, $this->worker, Worker::class)();
    }
}
