package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/schollz/progressbar/v3"
)

// progress shows on a terminal how far an import is; elsewhere it shows nothing.
type progress struct {
	bar    *progressbar.ProgressBar
	start  time.Time
	events int64
}

// newProgress counts bytes up to size, or without an end when size is 0.
func newProgress(c *console, size int64) *progress {
	p := &progress{start: time.Now()}
	if c.errWidth() == 0 {
		return p
	}
	if size == 0 {
		size = -1
	}
	p.bar = progressbar.NewOptions64(size,
		progressbar.OptionSetWriter(c.err),
		progressbar.OptionShowBytes(true),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionSetWidth(30),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(),
		progressbar.OptionSetTheme(progressbar.Theme{Saucer: "█", SaucerPadding: "░", BarStart: "", BarEnd: ""}),
	)
	return p
}

// at tells that bytes of the files and events in all are done.
func (p *progress) at(bytes, events int64) {
	p.events = events
	if p.bar == nil {
		return
	}
	rate := float64(events) / max(time.Since(p.start).Seconds(), 0.001)
	p.bar.Describe(fmt.Sprintf("%s events, %s/s", thousands(events), thousands(int64(rate))))
	_ = p.bar.Set64(bytes)
}

func (p *progress) close() {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
}

// thousands writes 1234567 as 1,234,567.
func thousands(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// plural is "1 event" or "2,000 events".
func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return thousands(n) + " " + noun + "s"
}

// sizeText writes bytes for people: 17.3 MB.
func sizeText(n int64) string {
	const unit = 1000
	if n < unit {
		return strconv.FormatInt(n, 10) + " B"
	}
	value, exponent := float64(n)/unit, 0
	for value >= 999.95 && exponent < 4 {
		value /= unit
		exponent++
	}
	return fmt.Sprintf("%.1f %cB", value, "kMGTP"[exponent])
}
