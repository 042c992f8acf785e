<?php
/*
 * Enqueues what it is told to, a line of JSON each on stdin, with Laravel's own push, later
 * and bulk:
 *   {"op":"push","queue":"high","job":"task","data":{"sleep":1}}
 *   {"op":"push","queue":"low","parcel":{"name":"App\\Parcel","tries":3}}
 *   {"op":"later","delay":2,"queue":"high", ...}
 *   {"op":"bulk","queue":"high","jobs":["task",{"name":"App\\Parcel"},"Nothing"],"data":{}}
 *   {"op":"bulk","queue":"high","jobs":["task"],"times":1000}
 *   {"op":"raw","queue":"high","payload":"{...}"}
 *   {"op":"pause","seconds":0.1}
 *   {"op":"cache","key":"illuminate:queue:restart","value":7}: for ever; null: forgotten
 * and, in place of "job" or "parcel", "deed": a job of deeds.php, of which one with "unique"
 * is pushed only if no other has its lock. "plain", an object, is added to the payload by a
 * hook, as an application would do it. {"act":{..},"queue":".."} is one of acts.php, which
 * needs --acts=CONNINFO, the PostgreSQL for batches.
 * Prints a line for each job that Laravel made a payload for, in that order: its uuid,
 * when that was, in ms, and the queue.
 */

namespace Drover\Tests;

use Illuminate\Queue\Queue;

require __DIR__.'/bootstrap.php';
require __DIR__.'/deeds.php';

/** The name of a string job or a class of jobs.php, or a parcel's settings. */
function bulk_item($job)
{
    if (is_array($job)) {
        return new Parcel($job);
    }

    return $job === 'Nothing' ? new Nothing : $job;
}

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
        for ($i = 0; $i < ($order['times'] ?? 1); $i++) {
            $queue->bulk(array_map('Drover\Tests\bulk_item', $order['jobs']), $data, $order['queue']);
        }
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

$options = options(['acts' => '']);
$app = application($options);
share_cache($app);
if ($options['acts']) {
    require __DIR__.'/acts.php';
    prepare_acts($app, $options['acts']);
}
$queue = $app->make('queue')->connection();
$plain = [];
Queue::createPayloadUsing(function ($connection, $queue, array $payload) use (&$plain) {
    echo $payload['uuid'], ' ', (int) (microtime(true) * 1000), "\n";
    $added = [];
    foreach ($plain as $name) {
        $added['plain'][$name] = $payload['data']['command']->$name;
    }

    return $added;
});
while (($line = fgets(STDIN)) !== false) {
    $order = json_decode($line, true, 512, JSON_THROW_ON_ERROR);
    $plain = $order['plain'] ?? [];
    isset($order['act']) ? stage_act($app, $order) : enqueue($queue, $order);
}
