package syntax

func (*Funnel) Keyword() string     { return "funnel" }
func (*Match) Keyword() string      { return "match" }
func (*Retention) Keyword() string  { return "retention" }
func (*Lifecycle) Keyword() string  { return "lifecycle" }
func (*Stickiness) Keyword() string { return "stickiness" }
func (*Paths) Keyword() string      { return "paths" }
func (*Session) Keyword() string    { return "session" }
func (*Gap) Keyword() string        { return "gap" }
func (*Trend) Keyword() string      { return "trend" }
func (*Times) Keyword() string      { return "times" }
func (*Converted) Keyword() string  { return "converted" }
func (*Dropped) Keyword() string    { return "dropped" }
func (*Pending) Keyword() string    { return "pending" }

func (*Funnel) print(*printer)     {}
func (*Match) print(*printer)      {}
func (*Retention) print(*printer)  {}
func (*Lifecycle) print(*printer)  {}
func (*Stickiness) print(*printer) {}
func (*Paths) print(*printer)      {}
func (*Session) print(*printer)    {}
func (*Gap) print(*printer)        {}
func (*Trend) print(*printer)      {}
func (*Times) print(*printer)      {}
func (*Converted) print(*printer)  {}
func (*Dropped) print(*printer)    {}
func (*Pending) print(*printer)    {}

func (*Funnel) exprs(func(Expr))     {}
func (*Match) exprs(func(Expr))      {}
func (*Retention) exprs(func(Expr))  {}
func (*Lifecycle) exprs(func(Expr))  {}
func (*Stickiness) exprs(func(Expr)) {}
func (*Paths) exprs(func(Expr))      {}
func (*Session) exprs(func(Expr))    {}
func (*Gap) exprs(func(Expr))        {}
func (*Trend) exprs(func(Expr))      {}
func (*Times) exprs(func(Expr))      {}
func (*Converted) exprs(func(Expr))  {}
func (*Dropped) exprs(func(Expr))    {}
func (*Pending) exprs(func(Expr))    {}

func (*Funnel) columns(*scope) error     { return nil }
func (*Match) columns(*scope) error      { return nil }
func (*Retention) columns(*scope) error  { return nil }
func (*Lifecycle) columns(*scope) error  { return nil }
func (*Stickiness) columns(*scope) error { return nil }
func (*Paths) columns(*scope) error      { return nil }
func (*Session) columns(*scope) error    { return nil }
func (*Gap) columns(*scope) error        { return nil }
func (*Trend) columns(*scope) error      { return nil }
func (*Times) columns(*scope) error      { return nil }
func (*Converted) columns(*scope) error  { return nil }
func (*Dropped) columns(*scope) error    { return nil }
func (*Pending) columns(*scope) error    { return nil }
