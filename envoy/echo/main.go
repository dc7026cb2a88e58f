// Command echo is the service behind Envoy in envoy/compose.yaml. It answers with
// the method, the path and the headers that it received, the injected token among
// them: it is for trying certbearer out, and for nothing else.
package main

import (
	"encoding/json"
	"log"
	"net/http"
	"os"
	"time"
)

func main() {
	address := ":8080"
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	server := &http.Server{
		Addr:              address,
		Handler:           http.HandlerFunc(echo),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		WriteTimeout:      time.Minute,
		MaxHeaderBytes:    128 << 10,
	}
	log.Fatal(server.ListenAndServe())
}

func echo(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	// The caller may have gone.
	_ = json.NewEncoder(w).Encode(struct {
		Method  string      `json:"method"`
		Path    string      `json:"path"`
		Headers http.Header `json:"headers"`
	}{r.Method, r.URL.Path, r.Header})
}
