<?php
// Orders pairs `A B` with composer/semver (`COMPOSER_SEMVER`, its autoload.php); prints `A OP B`,
// with `!` where it refuses and `?` where it leaves two branches unordered. With `--ranges` it reads
// `VERSION CONSTRAINT` and prints `VERSION OP CONSTRAINT`, OP one of `in`, `out`, `!`.
require getenv('COMPOSER_SEMVER') ?: '/usr/share/php/Composer/Semver/autoload.php';

use Composer\Semver\Constraint\Constraint;
use Composer\Semver\VersionParser;

function holds(string $left, string $operator, string $right): bool
{
    return (new Constraint($operator, $right))->matchSpecific(new Constraint('==', $left));
}

function compareVersions(VersionParser $parser, string $left, string $right): string
{
    $left = $parser->normalize($left);
    $right = $parser->normalize($right);
    foreach (['<' => '<', '>' => '>', '==' => '='] as $operator => $printed) {
        if (holds($left, $operator, $right)) {
            return $printed;
        }
    }
    return '?';
}

function contains(VersionParser $parser, string $version, string $text): string
{
    $constraint = $parser->parseConstraints($text);
    return $constraint->matches(new Constraint('==', $parser->normalize($version))) ? 'in' : 'out';
}

$parser = new VersionParser();
$judge = in_array('--ranges', $argv, true) ? 'contains' : 'compareVersions';
while (($line = fgets(STDIN)) !== false) {
    [$left, $right] = explode(' ', rtrim($line, "\n"), 2);
    try {
        $answer = $judge($parser, $left, $right);
    } catch (UnexpectedValueException $refused) {
        $answer = '!';
    }
    echo "$left $answer $right\n";
}
