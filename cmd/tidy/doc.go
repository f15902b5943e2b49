// Package tidy checks the repository itself: run `go test ./cmd/tidy`.
//
//	imports   point one way, and the library pulls in no server or console
//	docs      every package and every exported name says what it is
//	layout    the folders and files are those that the documentation names
//
// It holds no code of its own, only tests. A finding names the file and line and what to do.
package tidy
