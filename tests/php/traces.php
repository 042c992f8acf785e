<?php
/*
 * What the jobs of acts.php left behind, a line for each thing, `QUEUE<tab>THING`: which
 * events there were, in order; what Redis holds, drover's own keys aside; failed jobs;
 * batches. Two workers that do the same with the same jobs leave the same lines: times are
 * told to the nearest 100 s from now, and what only chance decides, as the uuids of jobs
 * that other jobs pushed, not at all.
 *
 * Options besides those of bootstrap.php:
 *   --acts=CONNINFO  the PostgreSQL
 *   --made=FILE      what producer.php said: the jobs that are known by their uuids
 * On stdin: the queues' names, a JSON array.
 */

namespace Drover\Tests;

require __DIR__.'/bootstrap.php';
require __DIR__.'/database.php';

function say(string $queue, string $line): void
{
    echo "$queue\t$line\n";
}

/** In words: never, or about so long from now. */
function about(float $at): string
{
    return 'in '.(round(($at - time()) / 100) * 100).' s';
}

function normal(string $payload, array $made): string
{
    $fields = json_decode($payload, true);
    if (! isset($made[$fields['uuid'] ?? ''])) {
        $fields['uuid'] = $fields['id'] = '*';
    }
    ksort($fields);
    if (is_array($fields['data'])) {
        ksort($fields['data']);
    }

    return json_encode($fields, JSON_UNESCAPED_SLASHES);
}

/** A Looping is told with the job that follows it. */
function say_events(string $ledger): void
{
    $events = [];
    $looped = '';
    foreach (file($ledger, FILE_IGNORE_NEW_LINES) as $line) {
        [$event, $queue, $attempt] = explode(' ', $line);
        if ($event === 'same:Looping') {
            $looped = 'Looping ';
        } elseif (strncmp($event, 'same:', 5) === 0) {
            $events[$queue][] = $looped.substr($event, 5)."/$attempt";
            $looped = '';
        }
    }
    foreach ($events as $queue => $all) {
        say($queue, 'events '.implode(' ', $all));
    }
}

function say_members(\Redis $redis, string $queue, string $kind, array $made): void
{
    $key = "queues:$queue:$kind";
    $lines = [];
    foreach ($redis->zRange($key, 0, -1, true) as $payload => $score) {
        $when = $kind === 'delayed' ? about($score).' ' : ''; // the other is a lease's end
        $lines[] = "$kind $when".normal($payload, $made);
    }
    sort($lines);
    foreach ($lines as $line) {
        say($queue, $line);
    }
}

function say_queue_key(\Redis $redis, string $key, array $made): void
{
    [, $queue, $kind] = explode(':', "$key:ready");
    if ($kind === 'notify') {
        say($queue, 'notify '.$redis->lLen($key));
    } elseif ($kind === 'ready') {
        foreach ($redis->lRange($key, 0, -1) as $payload) {
            say($queue, 'ready '.normal($payload, $made));
        }
    } else {
        say_members($redis, $queue, $kind, $made);
    }
}

/** A cache key belongs to the queue in its name, or to the job whose uuid is in it. */
function say_cache_key(\Redis $redis, string $key, array $made, array $queues): void
{
    $owner = '-';
    foreach (array_merge(array_keys($made), $queues) as $name) {
        $owner = preg_match('/[:a-z]'.preg_quote($name, '/').'(:timer)?$/', $key) ? $made[$name] ?? $name : $owner;
    }
    $value = $redis->get($key);
    $ends = $redis->ttl($key) < 0 ? 'never ends' : 'ends '.about(time() + $redis->ttl($key));
    $shown = preg_match('/^\d{10}$/', $value) ? 'at '.about((float) $value) : // a time
        (preg_match('/^\w{16}$/', $value) ? 'owned' : $value); // a lock
    say($owner, "key $key $shown $ends");
}

$options = options(['acts' => '', 'made' => '']);
$app = application($options);
$redis = $app->make('redis')->connection()->client();
$database = database($options['acts'])->getDatabaseManager()->connection();
$made = [];
foreach (file($options['made'], FILE_IGNORE_NEW_LINES) as $line) {
    [$uuid, , $queue] = explode(' ', $line);
    $made[$uuid] = $queue;
}
$queues = json_decode(stream_get_contents(STDIN), true);

say_events($options['ledger']);
$keys = $redis->keys('*');
sort($keys);
foreach ($keys as $key) {
    if (strncmp($key, 'queues:', 7) === 0) {
        say_queue_key($redis, $key, $made);
    } elseif (strncmp($key, 'drover:', 7) !== 0) {
        say_cache_key($redis, $key, $made, $queues);
    }
}
foreach ($database->table('failed_jobs')->orderBy('queue')->orderBy('id')->get() as $row) {
    $whose = $row->uuid === json_decode($row->payload)->uuid ? '' : " $row->uuid";
    say($row->queue, "failed$whose $row->connection ".strtok($row->exception, ":\n").' '.normal($row->payload, $made));
}
foreach ($database->table('job_batches')->orderBy('id')->get() as $row) {
    say($row->name, "batch total $row->total_jobs pending $row->pending_jobs failed $row->failed_jobs ".
        "$row->failed_job_ids".($row->cancelled_at ? ' cancelled' : '').($row->finished_at ? ' finished' : ''));
}
