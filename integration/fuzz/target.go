package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// target is one fuzz function.
type target struct {
	pkg, dir string // the import path, and where it lies
	name     string
	binary   string // of the package's tests, with the coverage that the fuzzer steers by
}

func (t target) String() string { return t.pkg + " " + t.name }

// corpus is where go test has the target's seeds, and puts what it found.
func (t target) corpus() string { return filepath.Join(t.dir, "testdata", "fuzz", t.name) }

// list finds the fuzz targets in the test files of packages.
func list(ctx context.Context, packages []string) ([]target, error) {
	out, err := goCommand(ctx, append([]string{"list", "-json=ImportPath,Dir,TestGoFiles,XTestGoFiles"}, packages...)...)
	if err != nil {
		return nil, err
	}
	var targets []target
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath, Dir           string
			TestGoFiles, XTestGoFiles []string
		}
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return targets, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		for _, file := range slices.Concat(p.TestGoFiles, p.XTestGoFiles) {
			names, err := declared(filepath.Join(p.Dir, file))
			if err != nil {
				return nil, err
			}
			for _, name := range names {
				targets = append(targets, target{pkg: p.ImportPath, dir: p.Dir, name: name})
			}
		}
	}
}

// declared names the fuzz targets of a file. One in the text of a string is none.
func declared(path string) ([]string, error) {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, declaration := range file.Decls {
		if f, ok := declaration.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Fuzz") && isTarget(f.Type) {
			names = append(names, f.Name.Name)
		}
	}
	return names, nil
}

// isTarget reports whether the one parameter is a *testing.F.
func isTarget(f *ast.FuncType) bool {
	if f.Params.NumFields() != 1 || f.Results != nil {
		return false
	}
	pointer, ok := f.Params.List[0].Type.(*ast.StarExpr)
	if !ok {
		return false
	}
	of, ok := pointer.X.(*ast.SelectorExpr)
	return ok && of.Sel.Name == "F"
}

func build(ctx context.Context, pkg, binary string) error {
	_, err := goCommand(ctx, "test", "-c", "-fuzz", ".", "-o", binary, pkg)
	return err
}

// cacheDir is where go test keeps the inputs of earlier runs too.
func cacheDir(ctx context.Context) (string, error) {
	out, err := goCommand(ctx, "env", "GOCACHE")
	return filepath.Join(strings.TrimSpace(string(out)), "fuzz"), err
}

func goCommand(ctx context.Context, args ...string) ([]byte, error) {
	command := exec.CommandContext(ctx, "go", args...)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("go %s: %w\n%s%s", args[0], err, out, stderr.Bytes())
	}
	return out, nil
}

// run runs the target. The minimizer would spend a short run on one input.
func (t target) run(ctx context.Context, r *runner) result {
	limit := r.patience
	if most, err := time.ParseDuration(r.fuzzTime); err == nil {
		limit += most
	}
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	command := exec.CommandContext(limited, t.binary, "-test.run=^$", "-test.fuzz=^"+t.name+"$", "-test.fuzztime="+r.fuzzTime,
		"-test.fuzzminimizetime=1x", "-test.parallel=1", "-test.fuzzcachedir="+filepath.Join(r.cache, filepath.FromSlash(t.pkg)))
	var output bytes.Buffer
	command.Dir, command.Stdout, command.Stderr = t.dir, &output, &output
	// A worker that hangs holds the output open after its parent has ended.
	command.WaitDelay = 5 * time.Second
	before, begun := t.seeds(), time.Now()
	err := command.Run()
	if limited.Err() != nil && ctx.Err() == nil {
		err = fmt.Errorf("hangs: it did not end within %s", limit)
	}
	return judge(output.String(), err, t.newSince(before), time.Since(begun))
}

func (t target) seeds() []string {
	found, _ := filepath.Glob(filepath.Join(t.corpus(), "*"))
	return found
}

func (t target) newSince(before []string) []string {
	return slices.DeleteFunc(t.seeds(), func(path string) bool { return slices.Contains(before, path) })
}
