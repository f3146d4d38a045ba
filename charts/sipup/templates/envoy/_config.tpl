{{/* What the files under files/envoy read, as YAML. Argument: the root. */}}
{{- define "sipup.envoy.variables" -}}
{{- $name := include "sipup.fullname" . -}}
{{- $envoy := .Values.ingress.envoy -}}
backends:
  {{- range list "catalog" "orders" "auth" "jobs" "ratelimit" }}
  {{ . }}:
    host: {{ include "sipup.host" (dict "root" $ "host" (printf "%s-%s" $name .)) }}
    port: 8080
  {{- end }}
jwks:
  host: {{ include "sipup.host" (dict "root" . "host" (printf "%s-auth" $name)) }}
  port: 8081
issuer: {{ .Values.auth.tokenIssuer | quote }}
audience: sipup
corsOrigins: {{ toJson $envoy.corsOrigins }}
tls: {{ ne $envoy.tls.existingSecret "" }}
trustedHops: {{ $envoy.trustedHops }}
maxConnections: {{ include "sipup.capacity.envoyConnections" . }}
maxRequestsPerBackend: {{ $envoy.maxRequestsPerBackend | int64 }}
heapBytes: {{ mul $envoy.maxHeapMiB 1048576 }}
timeout: {{ printf "%vs" $envoy.timeoutSeconds }}
longTimeout: {{ printf "%vs" $envoy.longTimeoutSeconds }}
streamTimeout: {{ printf "%vs" $envoy.streamTimeoutSeconds }}
healthInterval: {{ printf "%vs" $envoy.healthIntervalSeconds }}
{{- if $envoy.localLimit.enabled }}
localLimit:
  perSecond: {{ $envoy.localLimit.perSecond }}
  burst: {{ $envoy.localLimit.burst }}
  addresses: {{ $envoy.localLimit.addresses }}
{{- end }}
limiter:
  host: {{ include "sipup.host" (dict "root" . "host" (printf "%s-ratelimit" $name)) }}
  port: 8080
  timeout: 0.1s
{{- with include "sipup.otlpUrl" . }}
{{- $address := trimPrefix "http://" . | trimSuffix "/" }}
{{- $host := splitList ":" $address | first }}
otlp:
  # Envoy knows no search domains.
  host: {{ if contains "." $host }}{{ $host }}{{ else }}{{ include "sipup.host" (dict "root" $ "host" $host) }}{{ end }}
  port: {{ splitList ":" $address | last }}
  perMillion: {{ mulf (float64 $.Values.tracing.ratio) 1000000 | int64 }}
{{- end }}
{{- end }}

{{/* One of those files. Argument: (dict "root" $ "file" "rds.yaml"). */}}
{{- define "sipup.envoy.file" -}}
{{- tpl (.root.Files.Get (printf "files/envoy/%s" .file)) (dict "envoy" (include "sipup.envoy.variables" .root | fromYaml) "Template" .root.Template) -}}
{{- end }}

{{/* Where the release's own pods reach Envoy. Argument: the root. */}}
{{- define "sipup.envoy.url" -}}
{{- $service := .Values.ingress.envoy.service -}}
{{- $host := printf "%s-envoy" (include "sipup.fullname" .) -}}
{{- if $service.port }}{{ printf "http://%s:%d" $host (int $service.port) }}{{ else }}{{ printf "https://%s:%d" $host (int $service.httpsPort) }}{{ end -}}
{{- end }}
