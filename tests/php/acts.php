<?php
/*
 * Jobs for a comparison of who runs them: all that Laravel keeps about a job is in them, on
 * queues of their own. Each is staged by an order, the `act` of a line for producer.php:
 *   class     Act, or one of its kin below
 *   does, tries, backoff ..   as a deed's, and `through`: its middleware
 *   chain     what the others do; a chain that is caught
 *   batch     what each of a batch does; "allows": failures do not end it
 *   taken     the lock of its overlap is another's
 *   string    a string job of that name, instead
 *   attempts  that it has behind it
 * The ledger gets "same:EVENT QUEUE ATTEMPT".
 */

namespace Drover\Tests;

use Illuminate\Bus\Batchable;
use Illuminate\Bus\BatchFactory;
use Illuminate\Bus\BatchRepository;
use Illuminate\Bus\DatabaseBatchRepository;
use Illuminate\Bus\PendingBatch;
use Illuminate\Bus\UniqueLock;
use Illuminate\Cache\RateLimiter;
use Illuminate\Container\Container;
use Illuminate\Contracts\Cache\Repository;
use Illuminate\Contracts\Encryption\Encrypter as EncrypterContract;
use Illuminate\Contracts\Queue\Job;
use Illuminate\Contracts\Queue\ShouldBeEncrypted;
use Illuminate\Contracts\Queue\ShouldBeUnique;
use Illuminate\Contracts\Queue\ShouldBeUniqueUntilProcessing;
use Illuminate\Encryption\Encrypter;
use Illuminate\Queue\Events\JobExceptionOccurred;
use Illuminate\Queue\Events\JobFailed;
use Illuminate\Queue\Events\JobProcessed;
use Illuminate\Queue\Events\JobProcessing;
use Illuminate\Queue\Events\Looping;
use Illuminate\Queue\Failed\DatabaseUuidFailedJobProvider;
use Illuminate\Queue\Middleware\ThrottlesExceptions;
use Illuminate\Queue\Middleware\WithoutOverlapping;

require_once __DIR__.'/deeds.php';
require_once __DIR__.'/database.php';
require_once 'Illuminate/Encryption/autoload.php';

function note_act(string $event, string $queue, int $attempt = 0): void
{
    Container::getInstance()->make(Ledger::class)->write("same:$event", $queue, $attempt);
}

class Act extends Deed
{
    use Batchable;

    public $through;

    public function middleware(): array
    {
        switch ($this->through) {
        case 'overlap':
            return [(new WithoutOverlapping($this->queue))->releaseAfter(700)];
        case 'overlap-or-drop':
            return [(new WithoutOverlapping($this->queue))->dontRelease()];
        case 'throttle':
            return [(new ThrottlesExceptions(1, 10))->by($this->queue)->backoff(5)];
        case 'release':
        case 'fail':
            return [new Gate($this->through)];
        }

        return [];
    }

    public function handle(): void
    {
        note_act('handle', $this->job->getQueue(), $this->attempts());
        switch ($this->does) {
        case 'release':
            $this->release(700);
            break;
        case 'release-throw':
            $this->release(700);
            throw new ToldToFail('told to');
        case 'delete-throw':
            $this->delete();
            throw new ToldToFail('told to');
        case 'fail-throw':
            $this->fail(new ToldToFail('told so'));
            throw new ToldToFail('told to');
        case 'throw-once':
            if ($this->attempts() === 1) {
                throw new ToldToFail('told to');
            }
            break;
        default:
            parent::handle();
        }
    }

    public function failed($e): void
    {
        note_act('hook', $this->queue);
    }
}

class Gate
{
    private $verdict;

    public function __construct(string $verdict)
    {
        $this->verdict = $verdict;
    }

    public function handle($job, $next)
    {
        $this->verdict === 'release' ? $job->release(700) : $job->fail(new ToldToFail('not through here'));
    }
}

class UniqueAct extends Act implements ShouldBeUnique
{
    public function uniqueId(): string
    {
        return $this->queue;
    }
}

class UntilAct extends Act implements ShouldBeUniqueUntilProcessing
{
    public function uniqueId(): string
    {
        return $this->queue;
    }
}

class SecretAct extends Act implements ShouldBeEncrypted
{
}

/** A string job that does not delete itself. */
class Forgetful
{
    public function fire(Job $job, $data): void
    {
        note_act('handle', $job->getQueue(), $job->attempts());
    }
}

/** What a batch or a chain calls in the end. */
class Note
{
    private $event;

    private $queue;

    public function __construct(string $event, string $queue)
    {
        $this->event = $event;
        $this->queue = $queue;
    }

    public function __invoke(): void
    {
        note_act($this->event, $this->queue);
    }
}

function prepare_acts(Container $app, string $conninfo): void
{
    $database = database($conninfo)->getDatabaseManager();
    $app->instance('db', $database);
    $app->instance(BatchRepository::class, new DatabaseBatchRepository(
        new BatchFactory($app->make('queue')), $database->connection(), 'job_batches'
    ));
    $app->instance(EncrypterContract::class, new Encrypter(str_repeat('k', 32), 'AES-256-CBC'));
    $app->instance(RateLimiter::class, new RateLimiter($app->make(Repository::class)));
    $app->bind('forgetful', Forgetful::class);
    foreach ([JobProcessing::class, JobProcessed::class, JobExceptionOccurred::class, JobFailed::class] as $event) {
        $app->make('events')->listen($event, function ($e) {
            note_act((new \ReflectionClass($e))->getShortName(), $e->job->getQueue(), $e->job->attempts());
        });
    }
    $app->make('events')->listen(Looping::class, function () {
        note_act('Looping', '-');
    });
}

/** As queue:work does, which is the only one to do so. */
function record_failures(Container $app): void
{
    $failer = new DatabaseUuidFailedJobProvider($app->make('db'), 'pgsql', 'failed_jobs');
    $app->make('events')->listen(JobFailed::class, function (JobFailed $event) use ($failer) {
        $failer->log($event->connectionName, $event->job->getQueue(), $event->job->getRawBody(), $event->exception);
    });
}

function make_act(array $settings, string $queue): Act
{
    $class = __NAMESPACE__.'\\'.($settings['class'] ?? 'Act');

    return (new $class(array_diff_key($settings, ['chain' => 0])))->onQueue($queue);
}

function stage_batch(Container $app, array $act, string $queue): void
{
    $jobs = array_map(function ($settings) use ($queue) {
        return make_act($settings, $queue);
    }, $act['batch']);
    $batch = (new PendingBatch($app, collect($jobs)))->name($queue)->onQueue($queue);
    foreach (['then', 'catch', 'finally'] as $event) {
        $batch->$event(new Note($event, $queue));
    }
    $batch->allowFailures(! empty($act['allows']))->dispatch();
}

function stage_act(Container $app, array $order): void
{
    ['act' => $act, 'queue' => $queue] = $order;
    $connection = $app->make('queue')->connection();
    $cache = $app->make(Repository::class);
    if (isset($act['batch'])) {
        stage_batch($app, $act, $queue);

        return;
    }
    if (isset($act['string'])) {
        $connection->push($act['string'], '', $queue);

        return;
    }
    $job = make_act($act, $queue);
    if (isset($act['chain'])) {
        $job->chain(array_map(function ($settings) use ($queue) {
            return make_act($settings, $queue);
        }, $act['chain']))->allOnQueue($queue);
        $job->chainCatchCallbacks = [new Note('caught', $queue)];
    }
    if ($job instanceof ShouldBeUnique) {
        (new UniqueLock($cache))->acquire($job);
    }
    if (isset($act['taken'])) {
        $cache->lock((new WithoutOverlapping($queue))->getLockKey($job))->get();
    }
    $connection->push($job, '', $queue);
    if (isset($act['attempts'])) {
        $redis = $app->make('redis')->connection();
        $redis->lset("queues:$queue", 0, str_replace(
            '"attempts":0', '"attempts":'.$act['attempts'], $redis->lindex("queues:$queue", 0)
        ));
    }
}
