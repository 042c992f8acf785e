<?php
/* Debian's components, in the place of Composer's packages. */
require_once __DIR__.'/../../bootstrap.php';
require_once __DIR__.'/../../deeds.php';
