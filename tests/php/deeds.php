<?php
/*
 * Jobs that do one thing each, as a class of an application would: for drover to run in PHP.
 * What each does stands in `does`; the ledger gets a line when one starts ("start"), when
 * its failed() hook is called ("hook") and for what is worth noting in between.
 */

namespace Drover\Tests;

require_once __DIR__.'/dispatch.php';

use Illuminate\Bus\Dispatcher as Bus;
use Illuminate\Bus\Queueable;
use Illuminate\Bus\UniqueLock;
use Illuminate\Container\Container;
use Illuminate\Contracts\Cache\Repository;
use Illuminate\Contracts\Queue\ShouldBeUnique;
use Illuminate\Contracts\Queue\ShouldQueue;
use Illuminate\Queue\Events\JobExceptionOccurred;
use Illuminate\Queue\Events\JobFailed;
use Illuminate\Queue\Events\JobProcessed;
use Illuminate\Queue\Events\JobProcessing;
use Illuminate\Queue\Events\WorkerStopping;
use Illuminate\Queue\InteractsWithQueue;
use Illuminate\Queue\Middleware\WithoutOverlapping;

class Deed implements ShouldQueue
{
    use InteractsWithQueue, Queueable;

    public $does;

    public $tries;

    public $backoff;

    public $timeout;

    public $failOnTimeout;

    public $maxExceptions;

    public $retryUntil;

    public static $kept = []; // what a leaking job leaves behind

    public function __construct(array $settings)
    {
        foreach ($settings as $name => $value) {
            if (property_exists($this, $name) && $name !== 'chain') {
                $this->$name = $value;
            }
        }
        $this->chain(array_map(function ($does) {
            return new self(['does' => $does]);
        }, $settings['chain'] ?? []));
    }

    public function middleware(): array
    {
        return $this->does === 'overlap' ? [(new WithoutOverlapping('deed'))->releaseAfter(7)] : [];
    }

    public function handle(): void
    {
        self::ledger()->note("start-{$this->does}", $this->job);
        switch ($this->does) {
        case 'throw':
            throw new ToldToFail("told to\nfail");
        case 'release':
            $this->release(7);
            break;
        case 'fail':
            $this->fail(new ToldToFail('told so'));
            break;
        case 'delete':
            $this->delete();
            break;
        case 'exit':
            echo "these are its last words\n";
            exit(3);
        case 'speak':
            echo "said on stdout\n";
            fwrite(STDERR, "said on stderr\n");
            break;
        case 'exhaust':
            ini_set('memory_limit', '32M');
            str_repeat('x', 1 << 26);
            break;
        case 'leak':
            self::$kept[] = str_repeat('x', 1 << 26);
            break;
        case 'segv':
            fwrite(STDERR, "about to fall\n");
            posix_kill(getmypid(), SIGSEGV);
            break;
        case 'hang':
            while (true) {
                usleep(10000);
            }
            // no break
        case 'freeze': // deaf to the alarm, as a blocking call is
            pcntl_sigprocmask(SIG_BLOCK, [SIGALRM, SIGTERM]);
            while (true) {
                usleep(10000);
            }
            // no break
        case 'wait': // for the file "go"
            while (! file_exists(getenv('TEST_DIR').'/go')) {
                usleep(10000);
                clearstatcache();
            }
            break;
        case 'nap':
            usleep(500000);
            break;
        case 'flood': // more than any pipe or record holds, on both
            for ($i = 0; $i < 200; $i++) {
                echo str_repeat('out ', 1 << 13);
                fwrite(STDERR, str_repeat('err ', 1 << 13));
            }
            throw new ToldToFail('enough said');
        case 'garble': // as a library might that takes 4 for its own
            fwrite(fopen('php://fd/4', 'w'), "Warning: this is no frame\n");
            usleep(60000000);
            break;
        case 'half': // of a frame
            fwrite(fopen('php://fd/4', 'w'), pack('NN', 100, 0).'{"type":"ver');
            posix_kill(getmypid(), SIGKILL);
            break;
        case 'pid':
            self::ledger()->note('pid-'.getmypid(), $this->job);
            break;
        }
    }

    public function failed($e): void
    {
        self::ledger()->write('hook', str_replace(' ', '_', get_class($e)), 0);
    }

    protected static function ledger(): Ledger
    {
        return Container::getInstance()->make(Ledger::class);
    }
}

class UniqueDeed extends Deed implements ShouldBeUnique
{
    public function uniqueId(): string
    {
        return 'one';
    }
}

function make_deed(array $settings): Deed
{
    return empty($settings['unique']) ? new Deed($settings) : new UniqueDeed($settings);
}

/** What PendingDispatch, of the framework, would do. */
function take_lock(UniqueDeed $deed): bool
{
    return (new UniqueLock(Container::getInstance()->make(Repository::class)))->acquire($deed);
}

/** What runs deeds besides what application() has; events go to the ledger. */
function prepare_deeds(Container $app): void
{
    share_cache($app);
    $app->instance(\Illuminate\Contracts\Bus\Dispatcher::class, new Bus($app, function ($connection = null) use ($app) {
        return $app->make('queue')->connection($connection);
    }));
    $app->make('events')->listen(WorkerStopping::class, function () use ($app) {
        $app->make(Ledger::class)->write('stopping', '-', 0);
    });
    foreach ([JobProcessing::class, JobProcessed::class, JobExceptionOccurred::class, JobFailed::class] as $event) {
        $app->make('events')->listen($event, function ($e) use ($app) {
            $app->make(Ledger::class)->note('event-'.(new \ReflectionClass($e))->getShortName(), $e->job);
        });
    }
}
