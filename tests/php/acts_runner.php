<?php
/* The application of runner.php for the jobs of acts.php; ACTS is PostgreSQL's conninfo. */

$app = require __DIR__.'/runner.php';
require_once __DIR__.'/acts.php';
Drover\Tests\prepare_acts($app, getenv('ACTS'));

return $app;
