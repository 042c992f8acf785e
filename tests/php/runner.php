<?php
/*
 * The application that drover's bridge boots in the tests: returns the container. TEST_DIR
 * is the scene's directory; while there is a file "break" in it the application does not boot.
 */

namespace Drover\Tests;

use Illuminate\Contracts\Debug\ExceptionHandler;

require_once __DIR__.'/bootstrap.php';
require_once __DIR__.'/deeds.php';

class Quiet implements ExceptionHandler
{
    public function report(\Throwable $e)
    {
        file_put_contents(getenv('TEST_DIR').'/reported', get_class($e)."\n", FILE_APPEND);
    }

    public function shouldReport(\Throwable $e)
    {
        return true;
    }

    public function render($request, \Throwable $e)
    {
        throw $e;
    }

    public function renderForConsole($output, \Throwable $e)
    {
        throw $e;
    }
}

$dir = getenv('TEST_DIR');
if (file_exists("$dir/break")) {
    throw new \LogicException('the application is broken');
}
$app = application([
    'socket' => "$dir/redis.sock", 'database' => 0, 'prefix' => '', 'retry-after' => 90,
    'block-for' => null, 'ledger' => "$dir/ledger", 'who' => 'runner/'.getmypid(),
]);
$app->instance(ExceptionHandler::class, new Quiet);
prepare_deeds($app);

return $app;
