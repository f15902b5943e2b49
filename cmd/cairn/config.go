package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"
)

// configFile gives the flags of a command from a YAML file: each key is the name of a flag. A flag on
// the command line and one in the environment go first.
type configFile struct {
	name         string
	keys, values map[string]*yaml.Node
}

// readConfig reads a configuration file. Keys are looked at by Validate, when the command is known.
func readConfig(name string) (*configFile, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	c := &configFile{name: name, keys: make(map[string]*yaml.Node), values: make(map[string]*yaml.Node)}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("configuration %s: %s", name, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if document.Kind == 0 { // nothing but comments
		return c, nil
	}
	root := document.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, c.errorf(root, "expected lines such as \"listen: 127.0.0.1:8080\"")
	}
	for i := 0; i < len(root.Content); i += 2 {
		key := root.Content[i]
		if c.values[key.Value] != nil {
			return nil, c.errorf(key, "%s is given twice", key.Value)
		}
		c.keys[key.Value], c.values[key.Value] = key, root.Content[i+1]
	}
	return c, nil
}

func (c *configFile) errorf(at *yaml.Node, format string, args ...any) error {
	return fmt.Errorf("configuration %s, line %d: %s", c.name, at.Line, fmt.Sprintf(format, args...))
}

// check refuses keys that are no flags, and values that are none of theirs.
func (c *configFile) check(flags []*kong.Flag) error {
	known := make(map[string]*kong.Flag)
	for _, f := range flags {
		known[f.Name] = f
	}
	delete(known, "config")
	delete(known, "help")
	for _, key := range slices.Sorted(maps.Keys(c.values)) {
		if known[key] == nil {
			return c.errorf(c.keys[key], "there is no setting %q; there are %s", key, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		}
		text, err := flagText(c.values[key])
		if err == nil {
			err = takes(known[key], text)
		}
		if err != nil {
			return c.errorf(c.keys[key], "%s: %v", key, err)
		}
	}
	return nil
}

// takes reports why a flag cannot have a value, so that the line can be told; it does not set the flag.
func takes(flag *kong.Flag, text string) error {
	scan := kong.ScanFromTokens(kong.Token{Type: kong.FlagValueToken, Value: text})
	if err := flag.Mapper.Decode(&kong.DecodeContext{Value: flag.Value, Scan: scan}, reflect.New(flag.Target.Type()).Elem()); err != nil {
		return err
	}
	if allowed := flag.EnumSlice(); flag.Enum != "" && !slices.Contains(allowed, text) {
		return fmt.Errorf("%q is not one of %s", text, strings.Join(allowed, ", "))
	}
	return nil
}

// flagText is a value as it would be written behind a flag.
func flagText(at *yaml.Node) (string, error) {
	switch at.Kind {
	case yaml.ScalarNode:
		return at.Value, nil
	case yaml.SequenceNode:
		var parts []string
		for _, one := range at.Content {
			if one.Kind != yaml.ScalarNode {
				return "", fmt.Errorf("line %d: expected a plain value", one.Line)
			}
			parts = append(parts, one.Value)
		}
		return strings.Join(parts, ","), nil
	case yaml.MappingNode:
		var parts []string
		for i := 0; i < len(at.Content); i += 2 {
			if at.Content[i+1].Kind != yaml.ScalarNode {
				return "", fmt.Errorf("line %d: expected a plain value", at.Content[i+1].Line)
			}
			parts = append(parts, at.Content[i].Value+"="+at.Content[i+1].Value)
		}
		return strings.Join(parts, ";"), nil
	}
	return "", fmt.Errorf("expected a value")
}

// Validate is part of kong.Resolver; check needs to know the command, so Resolve has it done.
func (c *configFile) Validate(*kong.Application) error { return nil }

// Resolve returns the value of a flag, nil if the file has none or the environment goes first.
func (c *configFile) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, name := range flag.Envs {
		if _, set := os.LookupEnv(name); set {
			return nil, nil
		}
	}
	at := c.values[flag.Name]
	if at == nil || flag.Name == "config" {
		return nil, nil
	}
	text, err := flagText(at)
	if err != nil {
		return nil, c.errorf(at, "%s: %v", flag.Name, err)
	}
	return text, nil
}

// configFlag is a flag that names a configuration file for the command that it stands behind.
type configFlag string

// BeforeResolve reads the file before kong asks for the values of flags.
func (f configFlag) BeforeResolve(ctx *kong.Context, trace *kong.Path) error {
	name := string(ctx.FlagValue(trace.Flag).(configFlag))
	if name == "" {
		return nil
	}
	c, err := readConfig(name)
	if err != nil {
		return err
	}
	if err := c.check(ctx.Selected().Flags); err != nil {
		return err
	}
	ctx.AddResolver(c)
	return nil
}
