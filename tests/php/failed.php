<?php
/*
 * Laravel's own store of failed jobs, DatabaseUuidFailedJobProvider, on a PostgreSQL that
 * drover writes to as well. From Debian's php-illuminate-* packages.
 *
 *   php failed.php CONNINFO SOCKET COMMAND [ARGUMENT ..]
 *
 *   log QUEUE PAYLOAD   a job of that payload failed, as queue:work writes it down
 *   all                 uuid, connection, queue and class of each, as queue:failed lists them
 *   find ID             the payload of one
 *   retry ID            as queue:retry does: attempts 0, back on its queue, forgotten
 */

use Illuminate\Container\Container;
use Illuminate\Queue\Failed\DatabaseUuidFailedJobProvider;
use Illuminate\Queue\RedisQueue;
use Illuminate\Redis\RedisManager;

error_reporting(E_ALL & ~E_DEPRECATED); // Laravel 8 is older than PHP 8.2
ini_set('display_errors', 'stderr');
date_default_timezone_set('UTC');

foreach (['Queue', 'Redis'] as $package) {
    require_once "Illuminate/$package/autoload.php";
}
require_once __DIR__.'/database.php';

function provider(string $conninfo): DatabaseUuidFailedJobProvider
{
    $database = Drover\Tests\database($conninfo);

    return new DatabaseUuidFailedJobProvider($database->getDatabaseManager(), 'pgsql', 'failed_jobs');
}

function queue(string $socket): RedisQueue
{
    $app = new Container;
    $redis = new RedisManager($app, 'phpredis', [
        'options' => ['prefix' => ''],
        'default' => ['host' => $socket, 'port' => 0, 'database' => 0],
    ]);
    $queue = new RedisQueue($redis);
    $queue->setContainer($app);

    return $queue;
}

/** What queue:retry does to a payload (RetryCommand::resetAttempts). */
function again(string $payload): string
{
    $payload = json_decode($payload, true);
    if (isset($payload['attempts'])) {
        $payload['attempts'] = 0;
    }

    return json_encode($payload);
}

function classOf(string $payload): string
{
    $decoded = json_decode($payload, true);

    return $decoded['displayName'] ?? $decoded['job'] ?? '-';
}

[, $conninfo, $socket, $command] = $argv;
$failed = provider($conninfo);
switch ($command) {
    case 'log':
        echo $failed->log('redis', $argv[4], $argv[5], new RuntimeException("no luck\nat all")), "\n";
        break;
    case 'all':
        foreach ($failed->all() as $job) {
            echo "$job->id $job->connection $job->queue ", classOf($job->payload), "\n";
        }
        break;
    case 'find':
        echo $failed->find($argv[4])->payload, "\n";
        break;
    case 'retry':
        $job = $failed->find($argv[4]);
        queue($socket)->pushRaw(again($job->payload), $job->queue);
        echo $failed->forget($job->id) ? "retried\n" : "gone\n";
        break;
    default:
        exit(2);
}
