// Orders pairs `A B` with golang.org/x/mod/semver and go/version; prints `A OP B`, with `!` where
// they refuse. Versions without a `v` get one, as OSV leaves it out; if both begin with `go` they
// are releases of Go, if only one does neither tool can tell and the answer is `?`.
package main

import (
	"bufio"
	"fmt"
	"go/version"
	"os"
	"regexp"
	"strings"

	"golang.org/x/mod/semver"
)

// A release of Go written as OSV's users do, which the project takes and the tools do not.
var prerelease = regexp.MustCompile(`^[0-9]+\.[0-9]+(beta|rc)[0-9]*$`)

func compare(left, right string) string {
	var order int
	leftIsRelease, rightIsRelease := strings.HasPrefix(left, "go"), strings.HasPrefix(right, "go")
	if leftIsRelease != rightIsRelease || prerelease.MatchString(left) || prerelease.MatchString(right) {
		return "?"
	}
	if leftIsRelease {
		if !version.IsValid(left) || !version.IsValid(right) {
			return "!"
		}
		order = version.Compare(left, right)
	} else {
		left, right = withV(left), withV(right)
		if !semver.IsValid(left) || !semver.IsValid(right) {
			return "!"
		}
		order = semver.Compare(left, right)
	}
	return []string{"<", "=", ">"}[order+1]
}

func withV(text string) string {
	if strings.HasPrefix(text, "v") {
		return text
	}
	return "v" + text
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for lines.Scan() {
		left, right, found := strings.Cut(lines.Text(), " ")
		if found {
			fmt.Fprintln(out, left, compare(left, right), right)
		}
	}
}
