<?php
/*
 * Laravel's database queue, which drover import takes over from: its own producer and its own
 * worker on a table of jobs in PostgreSQL.
 *
 * Options besides those of bootstrap.php:
 *   --database=DIR   where PostgreSQL's socket is
 *   --mode=produce   jobs by push, bulk and later over the queues high, default and low; a line
 *                    for each, its uuid
 *   --mode=work      as `artisan queue:work database`, until SIGTERM
 *   --ct=N           how many jobs
 */

namespace Drover\Tests;

use Illuminate\Contracts\Debug\ExceptionHandler;
use Illuminate\Database\Capsule\Manager as Database;
use Illuminate\Queue\Connectors\DatabaseConnector;
use Illuminate\Queue\Queue;
use Illuminate\Queue\Worker;
use Illuminate\Queue\WorkerOptions;

require __DIR__.'/bootstrap.php';
require_once 'Illuminate/Database/autoload.php';

function connect(\Illuminate\Container\Container $app, string $dir): void
{
    $database = new Database;
    $database->addConnection([
        'driver' => 'pgsql', 'host' => $dir, 'port' => 5432, 'database' => 'postgres',
        'username' => 'postgres', 'password' => '', 'charset' => 'utf8', 'prefix' => '',
        'schema' => 'public',
    ]);
    $config = $app->make('config');
    $config['queue.connections.database'] = [
        'driver' => 'database', 'table' => 'jobs', 'queue' => 'default', 'retry_after' => 90,
    ];
    $app->instance('config', $config);
    $app->make('queue')->addConnector('database', function () use ($database) {
        return new DatabaseConnector($database->getDatabaseManager());
    });
}

function produce(Queue $queue, int $ct): void
{
    $names = ['high', 'default', 'low'];
    for ($i = 0; $i < $ct; $i++) {
        $name = $names[$i % 3];
        $data = ['sleep' => 0.004] + ($i % 10 === 7 ? ['fail_times' => 1] : []);
        if ($i % 20 === 3) {
            $queue->bulk(['task'], $data, $name);
        } elseif ($i % 20 === 4) {
            $queue->later(2, 'task', $data, $name);
        } elseif ($i % 2 === 0) {
            $queue->push(new Parcel(['name' => 'task', 'data' => $data]), '', $name);
        } else {
            $queue->push('task', $data, $name);
        }
    }
}

$options = options(['database' => '', 'mode' => 'work', 'ct' => 0]);
$app = application($options);
connect($app, $options['database']);
if ($options['mode'] === 'produce') {
    Queue::createPayloadUsing(function ($connection, $queue, array $payload) {
        echo $payload['uuid'], "\n";

        return [];
    });
    produce($app->make('queue')->connection('database'), (int) $options['ct']);
    exit(0);
}
$worker = new Worker($app->make('queue'), $app->make('events'), new Reporter([ToldToFail::class]), function () {
    return false; // never down for maintenance
});
$worker->setCache($app->make(\Illuminate\Contracts\Cache\Repository::class));
exit($worker->daemon('database', 'high,default,low', new WorkerOptions(
    'default', '0', 128, 60, 0.05, 3
)));
