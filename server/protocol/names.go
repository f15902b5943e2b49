package protocol

import "slices"

// Names returns the names of all protocols, sorted, as tokens have them.
func Names() []string {
	var out []string
	for _, v := range vendors {
		if name := v.protocol.Name(); !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}
