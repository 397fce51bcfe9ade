// Orders pairs `A B` with node-semver (`NODE_SEMVER`, a folder); prints `A OP B`, with `!` where it
// refuses. With `--ranges` it reads `VERSION RANGE` and prints `VERSION OP RANGE`, OP one of `in`,
// `out`, `!`; `--loose` and `--prereleases` are node-semver's options of these names.
'use strict'
const semver = require(process.env.NODE_SEMVER || 'semver')
const options = {
  loose: process.argv.includes('--loose'),
  includePrerelease: process.argv.includes('--prereleases'),
}
const compare = (left, right) => {
  try {
    return { '-1': '<', 0: '=', 1: '>' }[semver.compare(left, right, options)]
  } catch {
    return '!'
  }
}
const contains = (version, text) => {
  if (semver.valid(version, options) === null) return '!'
  try {
    return new semver.Range(text, options).test(version) ? 'in' : 'out'
  } catch {
    return '!'
  }
}
const judge = process.argv.includes('--ranges') ? contains : compare
const lines = require('fs').readFileSync(0, 'utf8').split('\n')
const rows = []
for (const line of lines) {
  const space = line.indexOf(' ')
  if (space < 0) continue
  const [left, right] = [line.slice(0, space), line.slice(space + 1)]
  rows.push(`${left} ${judge(left, right)} ${right}\n`)
}
process.stdout.write(rows.join(''))
