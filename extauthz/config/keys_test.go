package config_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/certbearer/certbearer/extauthz/config"
)

// The table and the values must name the same keys: a field of Config without
// a row would be undocumented, a row without a field would do nothing.
func TestKeysAreTheFieldsOfConfig(t *testing.T) {
	want := fieldPaths(reflect.TypeFor[config.Config](), "")
	// callers is a word as well as a mapping, and the proof follows from it.
	want = append(want, "callers")
	want = slices.DeleteFunc(want, func(path string) bool { return path == "callers.proof" })
	var got []string
	for _, key := range config.Keys() {
		got = append(got, key.Path)
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("keys (-fields +table):\n%s", diff)
	}
}

func fieldPaths(in reflect.Type, path string) []string {
	var paths []string
	for field := range in.Fields() {
		name := path + keyName(field.Name)
		switch element := field.Type; {
		case element == reflect.TypeFor[config.Upstream]():
			paths = append(paths, name)
		case element.Kind() == reflect.Struct:
			paths = append(paths, fieldPaths(element, name+".")...)
		case element.Kind() == reflect.Slice && element.Elem().Kind() == reflect.Struct:
			paths = append(paths, fieldPaths(element.Elem(), name+"[].")...)
		default:
			paths = append(paths, name)
		}
	}
	return paths
}

// keyName is a field's name as a key: GRPC is grpc, JWTAuthn is jwtAuthn.
func keyName(field string) string {
	special := map[string]string{"SANs": "sans", "JWTAuthn": "jwtAuthn", "TrustedCA": "trustedCA", "ClientID": "clientId",
		"GRPCAddress": "grpcAddress", "HTTPAddress": "httpAddress"}
	if name, ok := special[field]; ok {
		return name
	}
	if strings.ToUpper(field) == field {
		return strings.ToLower(field)
	}
	if rest, found := strings.CutPrefix(field, "MTLS"); found {
		return "mtls" + rest
	}
	return string(unicode.ToLower(rune(field[0]))) + field[1:]
}

// A list within a list suits no key, so each must be refused at its own path.
// A row that the reader does not know would be an unknown key.
func TestEveryKeyIsRead(t *testing.T) {
	for _, key := range config.Keys() {
		t.Run(key.Path, func(t *testing.T) {
			_, err := config.Parse("c.yaml", []byte(nested(key.Path, "[[]]")), baseDir)
			var all config.Errors
			if !errors.As(err, &all) {
				t.Fatalf("got %v", err)
			}
			path := strings.ReplaceAll(key.Path, "[]", "[0]")
			if !slices.ContainsFunc(all, func(e *config.Error) bool {
				return (e.Field == path || e.Field == path+"[0]") && strings.HasPrefix(e.Problem, "want ")
			}) {
				t.Errorf("no fault of type at %s in:\n%v", path, err)
			}
		})
	}
}

// nested writes one key in flow style: "a[].b" with x is {a: [{b: x}]}.
func nested(path, value string) string {
	names := strings.Split(path, ".")
	for _, name := range slices.Backward(names) {
		list := strings.HasSuffix(name, "[]")
		if list {
			value = "[" + value + "]"
		}
		value = "{" + strings.TrimSuffix(name, "[]") + ": " + value + "}"
	}
	return value
}

// A default in the table, written out, must change nothing.
func TestDefaultsOfTheTableAreInForce(t *testing.T) {
	for _, key := range config.Keys() {
		if key.Default == "" || key.Default == config.Required {
			continue
		}
		t.Run(key.Path, func(t *testing.T) {
			without, with := withRoute(""), withKey(key)
			if diff := cmp.Diff(parse(t, without), parse(t, with)); diff != "" {
				t.Errorf("%s: %s changes the configuration:\n%s", key.Path, key.Default, diff)
			}
		})
	}
}

func withKey(key config.Key) string {
	inner, route := strings.CutPrefix(key.Path, "routes[].")
	if route {
		return withRoute(", " + strings.TrimSuffix(strings.TrimPrefix(nested(inner, key.Default), "{"), "}"))
	}
	text := withRoute("")
	if name, found := strings.CutPrefix(key.Path, "listen."); found {
		return strings.Replace(text, "{grpc", "{"+name+": "+key.Default+", grpc", 1)
	}
	flow := nested(key.Path, key.Default)
	return text + flow[1:len(flow)-1] + "\n"
}

func withRoute(fields string) string { return minimal + "routes: [{name: a" + fields + "}]\n" }

func parse(t *testing.T, text string) *config.Config {
	t.Helper()
	got, err := config.Parse("c.yaml", []byte(text), baseDir)
	if err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	return got
}

func TestKeysAreFitForATable(t *testing.T) {
	seen := map[string]bool{}
	for _, key := range config.Keys() {
		if seen[key.Path] {
			t.Errorf("%s stands twice", key.Path)
		}
		seen[key.Path] = true
		if key.Meaning == "" || strings.ContainsAny(key.Meaning, "\n|") || strings.HasSuffix(key.Meaning, ".") {
			t.Errorf("the meaning of %s is no single line without a full stop: %q", key.Path, key.Meaning)
		}
	}
}

func TestRequiredKeysAreRequired(t *testing.T) {
	complete := map[string]string{
		"issuer":              "https://gateway.example.com",
		"listen.grpc":         "127.0.0.1:9191",
		"callers.certificate": "a", "callers.key": "b", "callers.trustedCA": "c", "callers.sans": "[d]",
		"routes[].name":  "e",
		"proxies[].name": "f", "proxies[].format": "alb",
		"revocation.allow[].addresses": "[10.0.0.1]",
	}
	document := func(without string) string {
		value := func(path string) string {
			if path == without {
				return ""
			}
			return path[strings.LastIndex(path, ".")+1:] + ": " + complete[path]
		}
		list := func(paths ...string) string {
			var values []string
			for _, path := range paths {
				if text := value(path); text != "" {
					values = append(values, text)
				}
			}
			return strings.Join(values, ", ")
		}
		return value("issuer") + "\naudience: https://api.example.com\nlisten: {" + value("listen.grpc") + "}\n" +
			"callers: {" + list("callers.certificate", "callers.key", "callers.trustedCA", "callers.sans") + "}\n" +
			"revocation: {allow: [{" + list("revocation.allow[].addresses") + "}]}\n" +
			"proxies: [{" + list("proxies[].name", "proxies[].format") + ", socket: \"unix:/run/f.sock\"}]\n" +
			"routes: [{" + value("routes[].name") + "}]\n"
	}
	parse(t, document(""))
	for _, key := range config.Keys() {
		if key.Default != config.Required {
			continue
		}
		_, err := config.Parse("c.yaml", []byte(document(key.Path)), baseDir)
		want := strings.ReplaceAll(key.Path, "[]", "[0]") + ": required"
		if err == nil || !strings.HasSuffix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("without %s: got %v, want %s", key.Path, err, want)
		}
	}
}

func TestEveryDurationOfTheTableReadsBack(t *testing.T) {
	for path, want := range map[string]time.Duration{
		"keys.publishAhead": time.Hour, "keys.rotateEvery": 2160 * time.Hour, "injectedTokenLifetime": 5 * time.Minute, "envoy.timeout": 500 * time.Millisecond,
		"revocation.refresh": time.Hour, "revocation.wait": 200 * time.Millisecond,
	} {
		i := slices.IndexFunc(config.Keys(), func(k config.Key) bool { return k.Path == path })
		if got, err := time.ParseDuration(config.Keys()[i].Default); err != nil || got != want {
			t.Errorf("%s: %v, %v; want %v", path, got, err, want)
		}
	}
}
