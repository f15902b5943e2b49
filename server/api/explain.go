package api

// ExplainAnswer answers /v1/query/explain: what a query would do and read. Nothing was executed but the
// look-up of its conditions in dictionaries, indexes and directories.
type ExplainAnswer struct {
	Plan   []ExplainStep  `json:"plan"` // named results first, the query itself last
	Reads  ExplainReads   `json:"reads"`
	Index  []ExplainIndex `json:"index"`
	Memory int64          `json:"memory"` // bytes that the query may hold
}

// ExplainStep is what is done for one pipeline of the query.
type ExplainStep struct {
	Name     string   `json:"name,omitempty"`   // of a named result
	Operator string   `json:"operator"`         // what is done with the events that pass
	Stages   []string `json:"stages,omitempty"` // on its rows
	Filter   string   `json:"filter,omitempty"`
	Columns  []string `json:"columns"`
}

// ExplainReads adds up what the steps would read; rows are those that pass what indexes can tell.
type ExplainReads struct {
	Partitions int `json:"partitions"`
	Segments   int `json:"segments"`
	Blocks     int `json:"blocks"`
	Rows       int `json:"rows"`
	Bytes      int `json:"bytes"`
}

// ExplainIndex says what answers a condition, in so many segments.
type ExplainIndex struct {
	Condition string `json:"condition"`
	By        string `json:"by"` // directory, index, dictionary, zone map, scan or rows
	Segments  int    `json:"segments"`
}
