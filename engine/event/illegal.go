package event

import "strings"

// illegalIDs are what programs send that have no id to send, in lower case. The last is what phones give
// whose owners do not want to be tracked.
var illegalIDs = map[string]bool{
	"": true, "anonymous": true, "anon": true, "guest": true, "null": true, "nil": true, "undefined": true, "none": true, "0": true,
	"nan": true, "n/a": true, "[object object]": true, "00000000-0000-0000-0000-000000000000": true,
}

// IllegalID reports whether an id of a user is one that stands for nobody, so that linking it would make one
// user of many: a placeholder such as "null" in any case, or blanks.
func IllegalID(id string) bool { return illegalIDs[strings.ToLower(strings.TrimSpace(id))] }
