<?php
/*
 * Runs the jobs of a Laravel application for drover: started by it, told of jobs on
 * descriptor 3, answering on descriptor 4 (docs/coprocess.md). The application is booted
 * once; then each job goes through Laravel's own Worker, so that its events, middleware,
 * chains, batches, unique locks and failed() hooks work as under queue:work. What drover
 * does itself: reserving, leases, the limit on time as a backstop, and the record of failed
 * jobs. Nothing here writes that: it is queue:work's own listener that would.
 *
 * Plain PHP for Laravel 8 to 13, nothing to install in the application.
 */

namespace Drover\Laravel;

// Not stdout: php.ini may send errors there, among what jobs print.
ini_set('display_errors', 'stderr');

require __DIR__.'/Channel.php';
require __DIR__.'/Application.php';

if (PHP_SAPI !== 'cli') {
    exit(2);
}
$channel = new Channel('php://fd/3', 'php://fd/4');
$hello = $channel->read();
if ($hello === null) {
    exit(0);
}
$lastWords = new LastWords($channel);
register_shutdown_function([$lastWords, 'speak']);
try {
    $application = new Application($hello);
    require __DIR__.'/Recording.php'; // extends classes of Laravel's: not before they are there
    require __DIR__.'/Horizon.php';
    require __DIR__.'/State.php';
    require __DIR__.'/Runner.php';
    $runner = new Runner($application->container, $channel, $lastWords);
} catch (\Throwable $e) {
    $lastWords->say(get_class($e).': '.strtok($e->getMessage(), "\n")." in {$e->getFile()}:{$e->getLine()}");
    fwrite(STDERR, "$e\n");
    exit(1);
}
$lastWords->watch(null);
$channel->write(['type' => 'hello', 'protocol' => 1, 'state' => true], json_encode($application->describe(), JSON_INVALID_UTF8_SUBSTITUTE) ?: '{}');
$runner->run();
$application->terminate();
