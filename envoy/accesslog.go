package envoy

import (
	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	filelogv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/file/v3"
	streamlogv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/stream/v3"
	"google.golang.org/protobuf/types/known/structpb"
)

// accessLog writes one JSON object a request. The path goes without its query,
// which is where callers put secrets; names the metadata keys it prints, so
// that nothing else certbearer may set there shows; holds no header but the
// request id.
func accessLog(path string) []*accesslogv3.AccessLog {
	switch path {
	case "":
		return nil
	case "/dev/stdout":
		// Opened as a file it fails where standard output is a socket, as under systemd.
		return []*accesslogv3.AccessLog{{
			Name: "envoy.access_loggers.stdout",
			ConfigType: &accesslogv3.AccessLog_TypedConfig{TypedConfig: pack(&streamlogv3.StdoutAccessLog{
				AccessLogFormat: &streamlogv3.StdoutAccessLog_LogFormat{LogFormat: logFormat()},
			})},
		}}
	default:
		return []*accesslogv3.AccessLog{{
			Name: "envoy.access_loggers.file",
			ConfigType: &accesslogv3.AccessLog_TypedConfig{TypedConfig: pack(&filelogv3.FileAccessLog{
				Path:            path,
				AccessLogFormat: &filelogv3.FileAccessLog_LogFormat{LogFormat: logFormat()},
			})},
		}}
	}
}

func logFormat() *corev3.SubstitutionFormatString {
	fields := map[string]string{
		"time":        "%START_TIME(%Y-%m-%dT%H:%M:%S.%3fZ)%",
		"request_id":  "%REQ(X-REQUEST-ID):64%",
		"method":      "%REQ(:METHOD):32%",
		"authority":   "%REQ(:AUTHORITY):256%",
		"path":        "%PATH(NQ:PATH):2048%",
		"route":       "%ROUTE_NAME%",
		"protocol":    "%PROTOCOL%",
		"status":      "%RESPONSE_CODE%",
		"details":     "%RESPONSE_CODE_DETAILS%",
		"flags":       "%RESPONSE_FLAGS%",
		"client":      "%DYNAMIC_METADATA(" + extAuthzFilter + ":client)%",
		"mode":        "%DYNAMIC_METADATA(" + extAuthzFilter + ":mode)%",
		"reason":      "%DYNAMIC_METADATA(" + extAuthzFilter + ":reason)%",
		"duration_ms": "%DURATION%",
		"received":    "%BYTES_RECEIVED%",
		"sent":        "%BYTES_SENT%",
		"source":      "%DOWNSTREAM_REMOTE_ADDRESS%",
		"upstream":    "%UPSTREAM_HOST%",
	}
	format := &structpb.Struct{Fields: make(map[string]*structpb.Value, len(fields))}
	for key, operator := range fields {
		format.Fields[key] = structpb.NewStringValue(operator)
	}
	return &corev3.SubstitutionFormatString{Format: &corev3.SubstitutionFormatString_JsonFormat{JsonFormat: format}}
}
