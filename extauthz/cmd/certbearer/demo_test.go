package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certbearer/certbearer/envoy/envoytest"
)

// Here a caller's own Authorization is overwritten where the story has it
// refused.
func TestTheDemoSaysNoWhereAnAnswerIsAnother(t *testing.T) {
	binary := envoytest.Binary(t)
	stage, err := openStage(t.Context(), binary, func(folder string) error {
		file, err := os.OpenFile(filepath.Join(folder, configFile), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = file.WriteString("\nroutes: [{name: token_endpoint, match: {pathPrefix: /oauth2/token}, access: endpoint}, {name: default, inboundAuthorization: replace}]\n")
		return errors.Join(err, file.Close())
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stage.close()
	var out strings.Builder
	c := &console{ctx: t.Context(), stdout: &out, stderr: &out}
	if code := c.fail(demoCommand{Once: true}.play(c, stage)); code != exitNo {
		t.Errorf("exit code %d, want %d", code, exitNo)
	}
	for _, want := range []string{
		"! NOT AS EXPECTED: expected 401 for the reason token_malformed\n",
		"! NOT AS EXPECTED: the service received the request\n",
		"Not all was as expected: see the 5 lines that say so.\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}
