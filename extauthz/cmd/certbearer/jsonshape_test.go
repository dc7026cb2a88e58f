package main

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The JSON of commands is an interface: docs/verify.md has each member, and no other.
func TestTheMembersOfPrintedJSONAreThoseOfThePage(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "verify.md"))
	if err != nil {
		t.Fatal(err)
	}
	for heading, value := range map[string]any{"verify": judgement{}, "explain": explanation{}} {
		_, section, found := strings.Cut(string(page), "\n### "+heading+"\n")
		if !found {
			t.Fatalf("no part is called %s", heading)
		}
		section, _, _ = strings.Cut(section, "\n##")
		var told []string
		for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| (always)?").FindAllStringSubmatch(section, -1) {
			told = append(told, row[1]+" "+row[2])
		}
		if diff := cmp.Diff(membersOf(reflect.TypeOf(value), ""), told); diff != "" {
			t.Errorf("%s (-printed +told)\n%s", heading, diff)
		}
	}
}

// membersOf lists the members of a printed type, as a[].b, in their order, each with
// "always" if it is there whatever its value. A certificate is told once.
func membersOf(kind reflect.Type, within string) []string {
	var all []string
	for i := range kind.NumField() {
		field := kind.Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case field.Anonymous:
			all = append(all, membersOf(field.Type, within)...)
			continue
		case name == "":
			continue
		}
		always := "always"
		if strings.HasPrefix(options, "omit") {
			always = ""
		}
		all = append(all, within+name+" "+always)
		inner, path := field.Type, within+name
		for inner.Kind() == reflect.Slice || inner.Kind() == reflect.Pointer {
			if inner.Kind() == reflect.Slice {
				path += "[]"
			}
			inner = inner.Elem()
		}
		if inner.Kind() == reflect.Struct && inner.PkgPath() == kind.PkgPath() && inner != reflect.TypeFor[pathCertificate]() {
			all = append(all, membersOf(inner, path+".")...)
		}
	}
	return all
}
