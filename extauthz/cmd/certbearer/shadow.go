package main

import (
	"fmt"
	"strings"

	"github.com/certbearer/certbearer/extauthz/audit"
	"github.com/certbearer/certbearer/extauthz/config"
	"github.com/certbearer/certbearer/policies"
)

// inShadow is what is in shadow. Its JSON is an interface.
type inShadow struct {
	Global bool `json:"global"`
	// Routes are the names of those in shadow, by the global mode or their own.
	Routes []string `json:"routes"`
	// Clients is the number of those whose own documents say so.
	Clients int `json:"clients"`
}

// clientModes reports that the modes of client documents count: under a profile
// that allows no shadow they do not.
func clientModes(c *config.Config) bool { return c.Profile != config.ProfileFAPI2 }

func shadowOf(c *config.Config, clients *policies.Snapshot) inShadow {
	shadow := inShadow{Global: c.Mode == config.ModeShadow, Routes: []string{}}
	for _, route := range c.Routes {
		if route.Mode == config.ModeShadow {
			shadow.Routes = append(shadow.Routes, route.Name)
		}
	}
	if clients != nil && clientModes(c) {
		shadow.Clients = clients.InShadow()
	}
	return shadow
}

// shadowWarnings are of what the configuration puts in shadow.
func shadowWarnings(c *config.Config) []string {
	var warnings []string
	shadow := shadowOf(c, nil)
	if shadow.Global {
		warnings = append(warnings, "mode: shadow: whatever no route or client takes out of it passes as it came, refused or not")
	}
	if len(shadow.Routes) > 0 {
		const most = 10
		named := strings.Join(shadow.Routes[:min(len(shadow.Routes), most)], ", ")
		if len(shadow.Routes) > most {
			named += ", …"
		}
		warnings = append(warnings, fmt.Sprintf("routes: %s in shadow, whose requests pass as they came: %s", counted(len(shadow.Routes), "route"), named))
	}
	if legacy := legacyWarning(c); legacy != "" {
		warnings = append(warnings, legacy)
	}
	return warnings
}

// legacyWarning is of the way past us, "" where there is none.
func legacyWarning(c *config.Config) string {
	if c.Envoy.WithoutCertificate != config.WithoutCertificateLegacy {
		return ""
	}
	return "envoy.withoutCertificate: legacy: whoever presents no certificate goes past certbearer, as it comes and without a record; set deny when everybody has one"
}

// clientShadowWarnings are of what the client documents put in shadow.
func clientShadowWarnings(c *config.Config, clients int) []string {
	switch {
	case clients == 0:
		return nil
	case c.Envoy.JWTAuthn:
		return []string{fmt.Sprintf("clients: %s in shadow, which get no token, and with envoy.jwtAuthn Envoy refuses every request without", counted(clients, "client"))}
	}
	return []string{fmt.Sprintf("clients: %s in shadow, whose requests pass as they came", counted(clients, "client"))}
}

// tellShadow shows what is in shadow once the clients are known.
func (g *gateway) tellShadow(clients *policies.Snapshot) {
	shadow := shadowOf(g.config, clients)
	g.metrics.SetShadow(audit.Shadow{Global: shadow.Global, Routes: len(shadow.Routes), Clients: shadow.Clients})
	for _, warning := range clientShadowWarnings(g.config, shadow.Clients) {
		g.log.Warn(warning)
	}
	if ignored := clients.InShadow(); ignored > 0 && !clientModes(g.config) {
		g.log.Warn("clients: documents have mode: shadow, and profile fapi2 enforces all the same", "clients", ignored)
	}
}
