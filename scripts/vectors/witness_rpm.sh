#!/bin/sh
# Orders pairs `A B` with rpm itself; prints `A OP B`.
set -eu
pairs=$(mktemp)
trap 'rm -f "$pairs"' EXIT
cat >"$pairs"
rpm --eval "%{lua:
for line in io.lines('$pairs') do
  local left, right = string.match(line, '^(.-) (.*)$')
  local ok, order = pcall(rpm.vercmp, left, right)
  local operator = not ok and '!' or order < 0 and '<' or order > 0 and '>' or '='
  print(left .. ' ' .. operator .. ' ' .. right .. '\n')
end}" | sed '/^$/d'
