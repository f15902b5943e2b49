package main

import (
	"fmt"
	"strconv"
	"strings"
)

// byteSize is a number of bytes that is written as 512MiB, 2GB or 1048576.
type byteSize int64

// UnmarshalText reads the size; kong calls it.
func (b *byteSize) UnmarshalText(text []byte) error {
	s := strings.TrimSpace(string(text))
	digits := strings.TrimRight(s, "KMGTkmgtiBb ")
	value, err := strconv.ParseFloat(digits, 64)
	unit := map[string]float64{
		"": 1, "b": 1,
		"k": 1 << 10, "kib": 1 << 10, "kb": 1e3,
		"m": 1 << 20, "mib": 1 << 20, "mb": 1e6,
		"g": 1 << 30, "gib": 1 << 30, "gb": 1e9,
		"t": 1 << 40, "tib": 1 << 40, "tb": 1e12,
	}[strings.ToLower(strings.TrimSpace(s[len(digits):]))]
	if err != nil || unit == 0 || value <= 0 || value*unit >= 1<<62 {
		return fmt.Errorf("%q is not a size: expected a number and a unit, such as 512MiB", s)
	}
	*b = byteSize(value * unit)
	return nil
}
