package protocol

// Limits bound requests and events; they are the tenant's. 0 means the default.
type Limits struct {
	Events      int // of a request; 20,000
	EventBytes  int // of an event's JSON; 1 MiB
	Fields      int // of an event; 1,024
	NameBytes   int // of a field's dotted name; 256
	StringBytes int // of a string; 64 KiB
	Depth       int // objects and lists inside each other; 16
	EventName   int // bytes of an event's name; 256
	UserBytes   int // 512
	IDBytes     int // 256
}

// EnsureDefaults fills what is zero.
func (l *Limits) EnsureDefaults() {
	set := func(v *int, value int) {
		if *v == 0 {
			*v = value
		}
	}
	set(&l.Events, 20_000)
	set(&l.EventBytes, 1<<20)
	set(&l.Fields, 1024)
	set(&l.NameBytes, 256)
	set(&l.StringBytes, 64<<10)
	set(&l.Depth, 16)
	set(&l.EventName, 256)
	set(&l.UserBytes, 512)
	set(&l.IDBytes, 256)
}
