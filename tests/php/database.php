<?php
/* A connection to PostgreSQL, by the words of libpq's connection string. */

namespace Drover\Tests;

use Illuminate\Database\Capsule\Manager;

require_once 'Illuminate/Database/autoload.php';

function database(string $conninfo): Manager
{
    preg_match_all('/(\w+)=\'?([^\s\']+)\'?/', $conninfo, $parts, PREG_SET_ORDER);
    $given = array_column($parts, 2, 1);
    $database = new Manager;
    $database->addConnection([
        'driver' => 'pgsql', 'host' => $given['host'], 'port' => $given['port'] ?? 5432,
        'database' => $given['dbname'], 'username' => $given['user'], 'password' => '',
        'charset' => 'utf8', 'prefix' => '', 'schema' => 'public',
    ], 'pgsql');
    $database->getDatabaseManager()->setDefaultConnection('pgsql');

    return $database;
}
