<?php
/*
 * The jobs. What one has to do stands in its data, in the words of drover's noop handler,
 * so that the same payload means the same to both:
 *   sleep       seconds
 *   fail        throws on every attempt, with this text
 *   fail_times  throws on so many attempts, then works
 *   fatal       fails for good on the first, with this text
 */

namespace Drover\Tests;

use Illuminate\Bus\Queueable;
use Illuminate\Container\Container;
use Illuminate\Contracts\Queue\Job;
use Illuminate\Contracts\Queue\ShouldQueue;
use Illuminate\Queue\InteractsWithQueue;

/** The job was told to fail: nothing that would be a finding of a test. */
class ToldToFail extends \RuntimeException
{
}

/** Runs a job by its data, between two lines of the ledger. */
function perform(Job $job, array $data): void
{
    $ledger = Container::getInstance()->make(Ledger::class);
    $ledger->note('start', $job);
    usleep((int) (($data['sleep'] ?? 0) * 1e6));
    $throws = isset($data['fail_times']) ? $job->attempts() <= $data['fail_times'] : isset($data['fail']);
    if ($throws || isset($data['fatal'])) {
        $ledger->note('throw', $job);
        $error = new ToldToFail($data['fatal'] ?? $data['fail'] ?? 'told to fail');
        if (! isset($data['fatal'])) {
            throw $error;
        }
        $job->fail($error);
    } else {
        $ledger->note('end', $job);
    }
}

/** A job that was pushed as a string, `task` or `task@fire`, with its data in the payload. */
class Task
{
    public function fire(Job $job, $data): void
    {
        perform($job, is_array($data) ? $data : []);
        if (! $job->isDeletedOrReleased()) {
            $job->delete(); // nobody else does that for a job of this kind
        }
    }
}

/** Copies the payload as it was taken, in hexadecimal, to the ledger; then works, or throws. */
class Mirror
{
    public function run(Job $job): void
    {
        $this->copy($job);
        $job->delete();
    }

    public function refuse(Job $job): void
    {
        $this->copy($job);
        throw new ToldToFail('refused');
    }

    private function copy(Job $job): void
    {
        $ledger = Container::getInstance()->make(Ledger::class);
        $ledger->note('start', $job);
        $ledger->note('raw/'.bin2hex($job->getRawBody()), $job);
    }
}

/** A job that was pushed as an object, which runs through CallQueuedHandler. */
class Parcel implements ShouldQueue
{
    use InteractsWithQueue, Queueable;

    public $tries;

    public $backoff;

    public $timeout;

    public $retryUntil;

    private $name; // private: the payload then holds NUL bytes, as \u0000

    private $data;

    /** $settings: name, data, and any of tries, backoff, timeout, retryUntil. */
    public function __construct(array $settings)
    {
        $this->name = $settings['name'] ?? self::class;
        $this->data = $settings['data'] ?? [];
        foreach (['tries', 'backoff', 'timeout', 'retryUntil'] as $setting) {
            $this->$setting = $settings[$setting] ?? null;
        }
    }

    public function displayName(): string
    {
        return $this->name;
    }

    public function handle(): void
    {
        perform($this->job, $this->data);
    }
}

/** Does nothing: what is left is what a worker does around it. */
class Nothing implements ShouldQueue
{
    use InteractsWithQueue, Queueable;

    public function handle(): void
    {
    }
}
