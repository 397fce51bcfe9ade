# Orders pairs `A B` with Gem::Version; prints `A OP B`, with `!` where it refuses. With `--ranges`
# it reads `VERSION REQUIREMENTS` (separated by commas) and prints `VERSION OP REQUIREMENTS`, OP one
# of `in`, `out`, `!`.
require "rubygems"

def compare(left, right)
  return "!" unless Gem::Version.correct?(left) && Gem::Version.correct?(right)
  { -1 => "<", 0 => "=", 1 => ">" }[Gem::Version.new(left) <=> Gem::Version.new(right)]
end

def contains(version, text)
  return "!" unless Gem::Version.correct?(version)
  requirement = Gem::Requirement.new(text.split(",").map(&:strip))
  requirement.satisfied_by?(Gem::Version.new(version)) ? "in" : "out"
rescue Gem::Requirement::BadRequirementError
  "!"
end

judge = ARGV.include?("--ranges") ? :contains : :compare
ARGV.clear
$stdin.each_line do |line|
  left, right = line.chomp.split(" ", 2)
  puts "#{left} #{send(judge, left, right)} #{right}"
end
