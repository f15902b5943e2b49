// Package syntax reads and writes query texts: lexer, tree, parser, printer and errors with
// positions. It knows what can be written, not what it means on events; query/reference is the
// executable meaning.
package syntax
