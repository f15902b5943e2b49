package ingest

func knownTimeFormat(format string) bool {
	switch format {
	case "", "auto", "unix", "unix_ms", "unix_us", "unix_ns":
		return true
	}
	return false
}
