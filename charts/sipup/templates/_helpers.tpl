{{/*
Names, labels, images and numbers that more than one template needs.
*/}}

{{- define "sipup.fullname" -}}
{{- if contains "sipup" .Release.Name }}{{ .Release.Name }}{{ else }}{{ printf "%s-sipup" .Release.Name }}{{ end -}}
{{- end }}

{{/* What every object of the release carries. Argument: (dict "root" $ "component" "orders"). */}}
{{- define "sipup.labels" -}}
{{ include "sipup.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.global.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* What selectors use; it never changes over the life of a release. */}}
{{- define "sipup.selectorLabels" -}}
app.kubernetes.io/name: sipup
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* Name, namespace and labels of an object. Argument: (dict "root" $ "component" "orders" "name" "x"). */}}
{{- define "sipup.metadata" -}}
name: {{ .name }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "sipup.labels" . | nindent 2 }}
{{- end }}

{{/* An image. Argument: (dict "root" $ "image" .Values.image). A digest wins over a tag. */}}
{{- define "sipup.image" -}}
{{- $registry := .root.Values.global.imageRegistry | default .image.registry -}}
{{- $name := .image.repository -}}
{{- if $registry }}{{ $name = printf "%s/%s" $registry .image.repository }}{{ end -}}
{{- if .image.digest }}{{ printf "%s@%s" $name .image.digest -}}
{{- else }}{{ printf "%s:%s" $name (.image.tag | default .root.Chart.AppVersion) }}{{ end -}}
{{- end }}

{{- define "sipup.imagePullSecrets" -}}
{{- with .Values.global.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{/* The values of one service: the defaults, overridden key by key. Argument: (dict "root" $ "service" "orders"); result: YAML. */}}
{{- define "sipup.service" -}}
{{- $measured := dict "resources" (index .root.Values.capacity.resources .service) -}}
{{- toYaml (mergeOverwrite (deepCopy $measured) (deepCopy .root.Values.defaults) (deepCopy (index .root.Values.services .service))) -}}
{{- end }}

{{/* The name of a pod inside the cluster. Argument: (dict "root" $ "host" "x"). */}}
{{- define "sipup.host" -}}
{{ .host }}.{{ .root.Release.Namespace }}.svc.{{ .root.Values.global.clusterDomain }}
{{- end }}

{{/* Names of Secrets: an existing one, or that which `sipup secrets init` makes. */}}
{{- define "sipup.secret.postgres" -}}
{{ .Values.secrets.existing.postgres | default (printf "%s-postgres" (include "sipup.fullname" .)) }}
{{- end }}
{{- define "sipup.secret.valkey" -}}
{{- if eq .Values.redis.mode "external" -}}
{{ .Values.redis.external.existingSecret }}
{{- else -}}
{{ .Values.secrets.existing.valkey | default (printf "%s-valkey" (include "sipup.fullname" .)) }}
{{- end -}}
{{- end }}
{{- define "sipup.secret.auth" -}}
{{ .Values.secrets.existing.auth | default (printf "%s-auth" (include "sipup.fullname" .)) }}
{{- end }}
{{- define "sipup.secret.pageTokens" -}}
{{ .Values.secrets.existing.pageTokens | default (printf "%s-page-tokens" (include "sipup.fullname" .)) }}
{{- end }}
{{- define "sipup.secret.operator" -}}
{{ .Values.secrets.existing.operator | default (printf "%s-operator" (include "sipup.fullname" .)) }}
{{- end }}

{{/* Hosts of the database, primary first. */}}
{{- define "sipup.postgres.hosts" -}}
{{- if eq .Values.postgres.mode "bundled" -}}
{{- $name := include "sipup.fullname" . -}}
{{ printf "%s-postgres-rw:5432" $name }}{{ if .Values.postgres.bundled.replica.enabled }}{{ printf ",%s-postgres-ro:5432" $name }}{{ end }}
{{- else -}}
{{ .Values.postgres.external.primary }}{{ with .Values.postgres.external.replica }},{{ . }}{{ end }}
{{- end -}}
{{- end }}

{{- define "sipup.postgres.database" -}}
{{- if eq .Values.postgres.mode "bundled" }}sipup{{ else }}{{ .Values.postgres.external.database }}{{ end -}}
{{- end }}

{{- define "sipup.postgres.parameters" -}}
{{- if eq .Values.postgres.mode "external" }}?sslmode={{ .Values.postgres.external.sslMode }}{{ end -}}
{{- end }}

{{/* Nodes of the Valkey or Redis cluster, `host:port,…`. */}}
{{- define "sipup.redis.nodes" -}}
{{- if eq .Values.redis.mode "bundled" -}}
{{- $name := printf "%s-valkey" (include "sipup.fullname" .) -}}
{{- $nodes := list -}}
{{- range $i := until (int .Values.redis.bundled.nodes) -}}
{{- $nodes = append $nodes (printf "%s:6379" (include "sipup.host" (dict "root" $ "host" (printf "%s-%d.%s" $name $i $name)))) -}}
{{- end -}}
{{ join "," $nodes }}
{{- else -}}
{{ join "," .Values.redis.external.nodes }}
{{- end -}}
{{- end }}

{{- define "sipup.otlpUrl" -}}
{{- if .Values.tracing.enabled -}}
{{- if .Values.tracing.otlpEndpoint }}{{ .Values.tracing.otlpEndpoint -}}
{{- else if .Values.tracing.bundledUi.enabled }}{{ printf "http://%s-tracing:4317" (include "sipup.fullname" .) }}{{ end -}}
{{- end -}}
{{- end }}

