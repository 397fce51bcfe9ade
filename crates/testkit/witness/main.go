// Witness reads one exposition on standard input with the parsers of Prometheus itself and says
// what it found there.
//
// Usage: witness text|openmetrics|profile. It prints `N families, N series` and ends with 0, or says
// what is wrong and ends with 1. Of a profile, as `go tool pprof` reads it, it prints `N samples, N
// functions`. Beyond what the parsers refuse, these are wrong: a series or a family
// that is there twice, and a sample that does not stand below its family's TYPE.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/google/pprof/profile"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: witness text|openmetrics|profile")
		os.Exit(2)
	}
	body, err := io.ReadAll(os.Stdin)
	if err == nil {
		err = judge(os.Args[1], body)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// judge reads a body as a scrape would, and a body in the text format as exporters' own tools do.
func judge(format string, body []byte) error {
	var parser textparse.Parser
	switch format {
	case "text":
		families := expfmt.NewTextParser(model.LegacyValidation)
		if _, err := families.TextToMetricFamilies(bytes.NewReader(body)); err != nil {
			return fmt.Errorf("expfmt: %w", err)
		}
		parser = textparse.NewPromParser(body, labels.NewSymbolTable(), false)
	case "openmetrics":
		parser = textparse.NewOpenMetricsParser(body, labels.NewSymbolTable())
	case "profile":
		found, err := profile.ParseData(body)
		if err == nil {
			err = found.CheckValid()
		}
		if err == nil {
			fmt.Printf("%d samples, %d functions\n", len(found.Sample), len(found.Function))
		}
		return err
	default:
		return fmt.Errorf("unknown format %q", format)
	}
	return count(parser)
}

func count(parser textparse.Parser) error {
	family := ""
	families := map[string]bool{}
	series := map[string]bool{}
	for {
		entry, err := parser.Next()
		if errors.Is(err, io.EOF) {
			fmt.Printf("%d families, %d series\n", len(families), len(series))
			return nil
		}
		if err != nil {
			return fmt.Errorf("textparse: after %d series: %w", len(series), err)
		}
		switch entry {
		case textparse.EntryType:
			name, _ := parser.Type()
			family = string(name)
			if families[family] {
				return fmt.Errorf("family %q is there twice", family)
			}
			families[family] = true
		case textparse.EntrySeries:
			var found labels.Labels
			parser.Labels(&found)
			text := found.String()
			if name := found.Get("__name__"); family == "" || !strings.HasPrefix(name, family) {
				return fmt.Errorf("series %s stands below family %q", text, family)
			}
			if series[text] {
				return fmt.Errorf("series %s is there twice", text)
			}
			series[text] = true
		}
	}
}
