package syntax

// Trend is `trend SPAN` behind a funnel: conversion by the time at which attempts start. Rows: the
// groups, then TrendColumns.
type Trend struct {
	Pos
	Every Span
}

// TrendColumns are the columns of a Trend behind those of groups.
var TrendColumns = [...]string{ColumnTime, "entered", "converted", "rate"}
