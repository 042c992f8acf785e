<?php
/*
 * Who did what to which job: one line an event, `event uuid attempt who ms`, in a file that
 * several processes write to. Each line is one write(2) to a file opened for appending, so
 * lines stay whole and a killed process leaves no half of one.
 */

namespace Drover\Tests;

use Illuminate\Contracts\Queue\Job;

class Ledger
{
    private $file;

    private $who;

    public function __construct(string $path, string $who)
    {
        $this->file = fopen($path, 'a');
        $this->who = $who;
    }

    public function note(string $event, Job $job): void
    {
        $this->write($event, (string) $job->uuid(), $job->attempts());
    }

    public function write(string $event, string $what, int $attempt): void
    {
        $ms = (int) (microtime(true) * 1000);
        fwrite($this->file, "$event $what $attempt {$this->who} $ms\n");
    }
}
