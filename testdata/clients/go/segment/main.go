package main

import _ "github.com/segmentio/analytics-go/v3"

func main() {}
