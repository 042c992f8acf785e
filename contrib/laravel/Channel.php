<?php
/*
 * Frames: two lengths of 4 bytes, the most significant first; a header of the first length,
 * a JSON object; a body of the second, any bytes.
 */

namespace Drover\Laravel;

class Channel
{
    private const BODY_MAX = 1000000; // drover takes 1 MiB

    private const PIECE = 65536; // what a pipe holds

    private $in;

    private $out;

    private $ahead = ''; // read, and not yet asked for

    private $held = ''; // frames that go with the next

    public function __construct(string $in, string $out)
    {
        $this->in = fopen($in, 'rb');
        $this->out = fopen($out, 'wb');
        stream_set_read_buffer($this->in, 0);
        stream_set_write_buffer($this->out, 0);
    }

    /** The next frame, its body under 'body'; null: drover wants this process to end. */
    public function read(): ?array
    {
        $prefix = $this->take(8);
        if ($prefix === null) {
            return null;
        }
        [, $headerBytes, $bodyBytes] = unpack('N2', $prefix) + [0, 0, 0];
        $header = $this->take($headerBytes);
        $body = $this->take($bodyBytes);

        return $body === null ? null : ['body' => $body] + json_decode($header, true, 512, JSON_THROW_ON_ERROR);
    }

    /** To be told before anything else is, but not at once. */
    public function hold(array $header): void
    {
        $this->held .= $this->frame($header, '');
    }

    public function write(array $header, string $body = ''): void
    {
        $signals = extension_loaded('pcntl') && pcntl_async_signals(false); // no frame within another
        $left = $this->held.$this->frame($header, substr($body, 0, self::BODY_MAX));
        $this->held = '';
        while ($left !== '') {
            $n = @fwrite($this->out, $left);
            if ($n === false) {
                exit(1); // drover is gone
            }
            $left = substr($left, $n);
        }
        if ($signals) {
            pcntl_async_signals(true);
            pcntl_signal_dispatch();
        }
    }

    private function frame(array $header, string $body): string
    {
        $text = json_encode($header, JSON_INVALID_UTF8_SUBSTITUTE | JSON_UNESCAPED_SLASHES);

        return pack('NN', strlen($text), strlen($body)).$text.$body;
    }

    /** So many bytes, also where a signal comes in between; null at the end. */
    private function take(int $bytes): ?string
    {
        while (strlen($this->ahead) < $bytes) {
            $piece = @fread($this->in, self::PIECE);
            if (($piece === '' || $piece === false) && feof($this->in)) {
                return null;
            }
            $this->ahead .= $piece;
        }
        $taken = substr($this->ahead, 0, $bytes);
        $this->ahead = (string) substr($this->ahead, $bytes);

        return $taken;
    }
}

/** Tells drover why the process ends in the middle of a job or of the boot: a fatal error, exit(). */
class LastWords
{
    private const FATAL = E_ERROR | E_PARSE | E_CORE_ERROR | E_COMPILE_ERROR | E_RECOVERABLE_ERROR;

    private $channel;

    private $doing = 'boot'; // id of the job that runs; null: nothing

    private $reserve;

    public function __construct(Channel $channel)
    {
        $this->channel = $channel;
        $this->reserve = str_repeat('x', 64 * 1024); // for when memory is what has run out
    }

    public function watch(?int $job): void
    {
        $this->doing = $job;
    }

    public function say(string $reason): void
    {
        $this->channel->write(['type' => 'dying', 'reason' => $reason]);
        $this->doing = null;
    }

    public function speak(): void
    {
        $this->reserve = null;
        if ($this->doing === null) {
            return;
        }
        $error = error_get_last();
        if ($error !== null && $error['type'] & self::FATAL) {
            $this->say('PHP Fatal error: '.strtok($error['message'], "\n")." in {$error['file']}:{$error['line']}");
        } else {
            $this->say($this->doing === 'boot'
                ? 'the application ended its process while it booted: exit() was called'
                : 'the job ended its process: exit() was called');
        }
    }
}
