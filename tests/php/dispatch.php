<?php
/* The framework's helper, by which a chain goes on to its next job. */

if (! function_exists('dispatch')) {
    function dispatch($job)
    {
        $bus = \Illuminate\Container\Container::getInstance()->make(\Illuminate\Contracts\Bus\Dispatcher::class);

        return $bus->dispatch($job);
    }
}
