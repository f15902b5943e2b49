package protocol

import (
	"encoding/json"
	"net/http"
)

// posthogNoFlags answers clients that ask for feature flags: there are none. Older ones ask by /decide and
// want the older names too.
func posthogNoFlags(decide bool) Response {
	body := map[string]any{"flags": map[string]any{}, "errorsWhileComputingFlags": false}
	if decide {
		body["featureFlags"] = map[string]any{}
		body["featureFlagPayloads"] = map[string]any{}
		body["sessionRecording"] = false
		body["supportedCompression"] = []string{"gzip", "gzip-js"}
	}
	return jsonResponse(http.StatusOK, body)
}

// posthogConfiguration answers the browser client, which asks for its configuration as JSON or as a script:
// nothing is switched on but the capture of events, compressed.
func posthogConfiguration(r *Request) Response {
	config := map[string]any{
		"token":                 r.URLToken,
		"supportedCompression":  []string{"gzip", "gzip-js"},
		"analytics":             map[string]any{"endpoint": "/i/v0/e/"},
		"elementsChainAsString": true,
		"hasFeatureFlags":       false,
		"autocapture_opt_out":   false,
		"autocaptureExceptions": false,
		"captureDeadClicks":     false,
		"capturePerformance":    false,
		"defaultIdentifiedOnly": true,
		"heatmaps":              false,
		"sessionRecording":      false,
		"surveys":               false,
		"siteApps":              []any{},
	}
	if r.Path == posthogConfig {
		return jsonResponse(http.StatusOK, config)
	}
	// Marshal escapes <, > and &, and U+2028, so that a key from the path is only ever a string here.
	script := []byte("(function() {\n  window._POSTHOG_REMOTE_CONFIG = window._POSTHOG_REMOTE_CONFIG || {};\n  window._POSTHOG_REMOTE_CONFIG[")
	for i, part := range []any{r.URLToken, map[string]any{"config": config, "siteApps": []any{}}} {
		text, err := json.Marshal(part)
		if err != nil {
			panic(err) // strings and constants
		}
		script = append(script, text...)
		script = append(script, [...]string{"] = ", ";\n})();\n"}[i]...)
	}
	return Response{Status: http.StatusOK, ContentType: "application/javascript; charset=utf-8", Body: script}
}
