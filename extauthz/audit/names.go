package audit

import "slices"

// The names of all metrics. Each begins with certbearer_.
const (
	nameDecisions       = "certbearer_decisions_total"
	nameShadowDecisions = "certbearer_shadow_decisions_total"
	nameShadow          = "certbearer_shadow"
	nameDuration        = "certbearer_check_duration_seconds"
	nameClients         = "certbearer_clients"
	nameFaulty          = "certbearer_client_documents_faulty"
	nameReloads         = "certbearer_reloads_total"
	nameGeneration      = "certbearer_generation"
	nameCacheEntries    = "certbearer_token_cache_entries"
	nameMinted          = "certbearer_tokens_minted_total"
	nameReused          = "certbearer_tokens_reused_total"
	nameVerdicts        = "certbearer_verdicts_total"
	nameUnknown         = "certbearer_revocation_unknown_total"
	nameRecords         = "certbearer_audit_records_total"
	nameDropped         = "certbearer_audit_dropped_total"
	nameWriteErrors     = "certbearer_audit_write_errors_total"
	nameUnauthenticated = "certbearer_callers_unauthenticated"
	namePanics          = "certbearer_panics_total"
	nameProxyRefused    = "certbearer_proxy_connections_refused_total"
	nameCertificates    = "certbearer_client_certificates"
	nameExpiry          = "certbearer_client_certificate_expiry_timestamp_seconds"
	nameBuild           = "certbearer_build_info"
	nameCRLAge          = "certbearer_crl_age_seconds"
	nameCRLNext         = "certbearer_crl_next_update_seconds"
	nameCRLsLeftOut     = "certbearer_crls_left_out"
	nameSources         = "certbearer_revocation_sources"
	nameFetches         = "certbearer_revocation_fetches_total"
)

// Names returns the names of all metrics, sorted.
func Names() []string {
	names := []string{
		nameDecisions, nameShadowDecisions, nameShadow, nameDuration, nameClients, nameFaulty, nameReloads,
		nameGeneration, nameCacheEntries, nameMinted, nameReused, nameVerdicts, nameUnknown, nameRecords,
		nameDropped, nameWriteErrors, nameUnauthenticated, namePanics, nameProxyRefused, nameCertificates, nameExpiry, nameBuild,
		nameCRLAge, nameCRLNext, nameCRLsLeftOut, nameSources, nameFetches,
	}
	slices.Sort(names)
	return names
}
