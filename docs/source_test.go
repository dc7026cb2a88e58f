package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"testing"
)

// source parses a Go file of the checkout.
func source(t *testing.T, path string) *ast.File {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, filepath.FromSlash(path)), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// function returns a function or method by its name, nil if there is none.
func function(file *ast.File, name string) *ast.FuncDecl {
	for _, declared := range file.Decls {
		if f, ok := declared.(*ast.FuncDecl); ok && f.Name.Name == name {
			return f
		}
	}
	return nil
}

// values returns the initial values of constants and variables.
func values(file *ast.File) map[string]ast.Expr {
	out := make(map[string]ast.Expr)
	for _, declared := range file.Decls {
		group, ok := declared.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range group.Specs {
			value, ok := spec.(*ast.ValueSpec)
			if !ok || len(value.Values) != len(value.Names) {
				continue // a type, or a constant that repeats the one above
			}
			for i, name := range value.Names {
				out[name.Name] = value.Values[i]
			}
		}
	}
	return out
}

// caseTexts returns the texts of all cases in a function.
func caseTexts(f *ast.FuncDecl) []string {
	var out []string
	ast.Inspect(f, func(node ast.Node) bool {
		clause, ok := node.(*ast.CaseClause)
		if !ok {
			return true
		}
		for _, expression := range clause.List {
			if text, ok := literal(expression); ok {
				out = append(out, text)
			}
		}
		return true
	})
	return out
}

func literal(expression ast.Expr) (string, bool) {
	basic, ok := expression.(*ast.BasicLit)
	if !ok || basic.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(basic.Value)
	return text, err == nil
}
