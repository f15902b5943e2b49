package main

import _ "github.com/posthog/posthog-go"

func main() {}
