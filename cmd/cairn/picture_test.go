package main

import (
	"bytes"
	"strings"
	"testing"

	"cairn/engine/event"
	"cairn/query/result"
)

// TestPictureOnTerminalOnly draws where a terminal is and no format was asked for, and nowhere else.
func TestPictureOnTerminalOnly(t *testing.T) {
	table := &result.Table{
		Columns: []result.Column{{Name: "periods"}, {Name: "users"}},
		Rows:    [][]event.Value{{event.Int(1), event.Int(2)}, {event.Int(2), event.Int(1)}},
		Shape:   result.Shape{Kind: result.ShapeStickiness},
	}
	table.Infer()
	plain := string(result.AppendText(nil, table, result.TextOptions{}))
	for _, c := range []struct {
		format      string
		screen      result.TextOptions
		bar, colour bool
	}{
		{textOrPicture, result.TextOptions{}, false, false},
		{textOrPicture, result.TextOptions{Width: 40}, true, false},
		{textOrPicture, result.TextOptions{Width: 40, Colour: true}, true, true},
		{"text", result.TextOptions{Width: 40, Colour: true}, false, false},
		{"csv", result.TextOptions{Width: 40, Colour: true}, false, false},
	} {
		got := string(appendTable(table, c.format, c.screen))
		if strings.Contains(got, "█") != c.bar || strings.Contains(got, "\x1b") != c.colour {
			t.Errorf("%s, %+v:\n%s", c.format, c.screen, got)
		}
		if !c.bar && c.format != "csv" && got != plain {
			t.Errorf("%s, %+v: not the plain table:\n%s", c.format, c.screen, got)
		}
	}
}

func TestColoursWanted(t *testing.T) {
	for _, c := range []struct {
		noColor, term string
		want          bool
	}{
		{"", "xterm-256color", true},
		{"", "", true},
		{"1", "xterm-256color", false},
		{"", "dumb", false},
	} {
		t.Setenv("NO_COLOR", c.noColor)
		t.Setenv("TERM", c.term)
		if got := coloursWanted(); got != c.want {
			t.Errorf("%+v: %t", c, got)
		}
	}
	if s := (&console{out: new(bytes.Buffer)}).screen(); s != (result.TextOptions{}) {
		t.Errorf("a buffer is no screen: %+v", s)
	}
}
