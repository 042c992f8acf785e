<?php
/*
 * Enqueues what it is told to, a line of JSON each on stdin, with Laravel's own push, later
 * and bulk:
 *   {"op":"push","queue":"high","job":"task","data":{"sleep":1}}
 *   {"op":"push","queue":"low","parcel":{"name":"App\\Parcel","tries":3}}
 *   {"op":"later","delay":2,"queue":"high", ...}
 *   {"op":"bulk","queue":"high","jobs":["task",{"name":"App\\Parcel"}],"data":{}}
 *   {"op":"raw","queue":"high","payload":"{...}"}
 *   {"op":"pause","seconds":0.1}
 *   {"op":"cache","key":"illuminate:queue:restart","value":7}: for ever; null: forgotten
 * and, in place of "job" or "parcel", "deed": a job of deeds.php, of which one with "unique"
 * is pushed only if no other has its lock.
 * Prints a line for each job that Laravel made a payload for, in that order: its uuid, and
 * when that was, in ms.
 *
 * No options but those of bootstrap.php.
 */

namespace Drover\Tests;

use Illuminate\Queue\Queue;

require __DIR__.'/bootstrap.php';
require __DIR__.'/deeds.php';

function enqueue(Queue $queue, array $order): void
{
    $job = isset($order['parcel']) ? new Parcel($order['parcel']) : $order['job'] ?? null;
    if (isset($order['deed'])) {
        $job = make_deed($order['deed']);
        if ($job instanceof UniqueDeed && ! take_lock($job)) {
            return;
        }
    }
    $data = $order['data'] ?? '';
    switch ($order['op']) {
    case 'push':
        $queue->push($job, $data, $order['queue']);
        break;
    case 'later':
        $queue->later($order['delay'], $job, $data, $order['queue']);
        break;
    case 'bulk':
        $jobs = array_map(function ($job) {
            return is_array($job) ? new Parcel($job) : $job;
        }, $order['jobs']);
        $queue->bulk($jobs, $data, $order['queue']);
        break;
    case 'raw':
        $queue->pushRaw($order['payload'], $order['queue']);
        break;
    case 'cache':
        $cache = \Illuminate\Container\Container::getInstance()->make(\Illuminate\Contracts\Cache\Repository::class);
        $order['value'] === null ? $cache->forget($order['key']) : $cache->forever($order['key'], $order['value']);
        break;
    case 'pause':
        usleep((int) ($order['seconds'] * 1e6));
        break;
    default:
        throw new \InvalidArgumentException("no such op: {$order['op']}");
    }
}

$app = application(options([]));
share_cache($app);
$queue = $app->make('queue')->connection();
Queue::createPayloadUsing(function ($connection, $queue, array $payload) {
    echo $payload['uuid'], ' ', (int) (microtime(true) * 1000), "\n";

    return [];
});
while (($line = fgets(STDIN)) !== false) {
    enqueue($queue, json_decode($line, true, 512, JSON_THROW_ON_ERROR));
}
