{{/*
Parts of pods. Every pod of the release meets the Pod Security Standard `restricted`.
*/}}

{{/* Argument: (dict "own" <values>): the pod's security context, with what the values add. */}}
{{- define "sipup.podSecurityContext" -}}
{{- $required := dict "runAsNonRoot" true "seccompProfile" (dict "type" "RuntimeDefault") -}}
{{- toYaml (mergeOverwrite $required (deepCopy (.own | default dict))) -}}
{{- end }}

{{- define "sipup.containerSecurityContext" -}}
{{- $required := dict "allowPrivilegeEscalation" false "readOnlyRootFilesystem" true "runAsNonRoot" true "capabilities" (dict "drop" (list "ALL")) "seccompProfile" (dict "type" "RuntimeDefault") -}}
{{- toYaml (mergeOverwrite $required (deepCopy (.own | default dict))) -}}
{{- end }}

{{/* One variable from a Secret. Argument: (dict "name" "X" "secret" "s" "key" "k"). */}}
{{- define "sipup.secretEnv" -}}
- name: {{ .name }}
  valueFrom:
    secretKeyRef:
      name: {{ .secret }}
      key: {{ .key }}
{{- end }}

{{/* Where pods go. Argument: (dict "root" $ "values" <workload values> "component" "x" "revisions" true). */}}
{{- define "sipup.placement" -}}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- if .values.topologySpread.enabled }}
topologySpreadConstraints:
  {{- $context := . }}
  {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "sipup.selectorLabels" $context | nindent 8 }}
    {{- if $context.revisions }}
    # Each revision spreads by itself.
    matchLabelKeys: [pod-template-hash]
    {{- end }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Probes of our processes, on the admin port. Argument: the values' probes. */}}
{{- define "sipup.probes" -}}
startupProbe:
  {{- toYaml (mergeOverwrite (dict "httpGet" (dict "path" "/livez" "port" "admin") "periodSeconds" 1 "timeoutSeconds" 2 "failureThreshold" 120) (deepCopy .startup)) | nindent 2 }}
readinessProbe:
  {{- toYaml (mergeOverwrite (dict "httpGet" (dict "path" "/readyz" "port" "admin") "periodSeconds" 2 "timeoutSeconds" 3 "failureThreshold" 3) (deepCopy .readiness)) | nindent 2 }}
livenessProbe:
  {{- toYaml (mergeOverwrite (dict "httpGet" (dict "path" "/livez" "port" "admin") "periodSeconds" 10 "timeoutSeconds" 5 "failureThreshold" 6) (deepCopy .liveness)) | nindent 2 }}
{{- end }}

{{/* Variables that every process of ours has. Argument: (dict "root" $ "values" <workload values>). */}}
{{- define "sipup.env.process" -}}
- name: SIPUP_LISTEN
  value: 0.0.0.0:8080
- name: SIPUP_ADMIN_LISTEN
  value: 0.0.0.0:9090
- name: SIPUP_READINESS_DELAY
  value: {{ printf "%vs" .values.readinessDelaySeconds }}
- name: SIPUP_DRAIN_TIMEOUT
  value: {{ printf "%vs" .values.drainSeconds }}
- name: SIPUP_MAX_CONNECTION_AGE
  value: {{ printf "%vs" .values.maxConnectionAgeSeconds }}
- name: SIPUP_LOG
  value: {{ .values.config.log | quote }}
{{- with include "sipup.otlpUrl" .root }}
- name: SIPUP_OTLP_URL
  value: {{ . }}
- name: SIPUP_TRACE_RATIO
  value: {{ $.root.Values.tracing.ratio | quote }}
{{- end }}
{{- end }}

{{- define "sipup.env.podName" -}}
- name: SIPUP_POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
{{- end }}

{{/* Where Valkey or Redis is. Argument: the root. */}}
{{- define "sipup.env.redis" -}}
- name: SIPUP_REDIS_NODES
  value: {{ include "sipup.redis.nodes" . }}
{{- with include "sipup.secret.valkey" . }}
{{ include "sipup.secretEnv" (dict "name" "SIPUP_REDIS_PASSWORD" "secret" . "key" "password") }}
{{- end }}
{{- if eq .Values.redis.mode "external" }}
{{- with .Values.redis.external.username }}
- name: SIPUP_REDIS_USERNAME
  value: {{ . | quote }}
{{- end }}
{{- if .Values.redis.external.tls }}
- name: SIPUP_REDIS_TLS
  value: "true"
{{- end }}
{{- if .Values.redis.external.caSecret.name }}
- name: SIPUP_REDIS_CA_FILE
  value: /etc/sipup/redis-ca/{{ .Values.redis.external.caSecret.key }}
{{- end }}
{{- end }}
{{- end }}

{{/* Which tokens are believed. Argument: the root. */}}
{{- define "sipup.env.tokens" -}}
- name: SIPUP_JWKS_URL
  value: http://{{ include "sipup.fullname" . }}-auth:8081/jwks.json
- name: SIPUP_TOKEN_ISSUER
  value: {{ .Values.auth.tokenIssuer | quote }}
{{- end }}

{{/* All variables of a service. Argument: (dict "root" $ "service" "orders" "values" <its values>). */}}
{{- define "sipup.env.service" -}}
{{- $root := .root -}}
{{- $name := include "sipup.fullname" $root -}}
{{- $config := .values.config -}}
{{ include "sipup.env.process" . }}
- name: SIPUP_MAX_CALLS
  value: {{ $config.maxCalls | quote }}
- name: SIPUP_MAX_CALL_TIME
  value: {{ printf "%vs" $config.maxCallSeconds }}
- name: SIPUP_MAX_LONG_CALL_TIME
  value: {{ printf "%vs" $config.maxLongCallSeconds }}
- name: SIPUP_MAX_REQUEST_BYTES
  value: {{ $config.maxRequestBytes | int64 | quote }}
{{- if has .service (list "catalog" "orders" "jobs") }}
{{ include "sipup.secretEnv" (dict "name" "SIPUP_PAGE_TOKEN_KEY" "secret" (include "sipup.secret.pageTokens" $root) "key" "key") }}
{{- end }}
{{ include "sipup.env.redis" $root }}
{{- if ne .service "ratelimit" }}
- name: SIPUP_DATABASE_URL
  value: postgres://svc_{{ .service }}@{{ include "sipup.postgres.hosts" $root }}/{{ include "sipup.postgres.database" $root }}{{ include "sipup.postgres.parameters" $root }}
{{ include "sipup.secretEnv" (dict "name" "SIPUP_DATABASE_PASSWORD" "secret" (include "sipup.secret.postgres" $root) "key" (printf "%s-password" .service)) }}
- name: SIPUP_DATABASE_POOL_BUDGET
  value: {{ include "sipup.capacity.poolBudget" (dict "root" $root "service" .service) | quote }}
- name: SIPUP_DATABASE_POOL_WARM
  value: {{ $config.poolWarm | quote }}
# Counts the pods that share the budget.
- name: SIPUP_DATABASE_OWN_NAME
  value: {{ include "sipup.host" (dict "root" $root "host" (printf "%s-%s" $name .service)) }}
{{- if eq $root.Values.postgres.mode "external" }}
{{- if $root.Values.postgres.external.caSecret.name }}
- name: SIPUP_DATABASE_CA_FILE
  value: /etc/sipup/postgres-ca/{{ $root.Values.postgres.external.caSecret.key }}
{{- end }}
{{- end }}
{{- if ne .service "auth" }}
{{ include "sipup.env.tokens" $root }}
{{- end }}
{{- end }}
{{- if eq .service "orders" }}
- name: SIPUP_CATALOG_URL
  value: http://{{ $name }}-catalog:8080
{{- else if eq .service "auth" }}
- name: SIPUP_JWKS_LISTEN
  value: 0.0.0.0:8081
- name: SIPUP_TOKEN_ISSUER
  value: {{ $root.Values.auth.tokenIssuer | quote }}
- name: SIPUP_ACCESS_TOKEN_LIFE
  value: {{ printf "%vs" $root.Values.auth.accessTokenSeconds }}
- name: SIPUP_SIGNING_KEYS
  value: /etc/sipup/signing-keys
- name: SIPUP_LIMITER_URL
  value: http://{{ $name }}-ratelimit:8080
- name: SIPUP_PASSWORD_THREADS
  value: {{ $root.Values.auth.passwordThreads | quote }}
{{ include "sipup.secretEnv" (dict "name" "SIPUP_REFRESH_KEY" "secret" (include "sipup.secret.auth" $root) "key" "refresh-key") }}
{{- else if eq .service "jobs" }}
{{- if $root.Values.mail.existingSecret.name }}
{{ include "sipup.secretEnv" (dict "name" "SIPUP_SMTP_URL" "secret" $root.Values.mail.existingSecret.name "key" $root.Values.mail.existingSecret.key) }}
{{- else }}
- name: SIPUP_SMTP_URL
  value: {{ $root.Values.mail.smtpUrl | quote }}
{{- end }}
- name: SIPUP_MAIL_FROM
  value: {{ $root.Values.mail.from | quote }}
{{ include "sipup.env.reports" $root }}
- name: SIPUP_JOB_SLOTS
  value: {{ $config.slots | quote }}
- name: SIPUP_LEASE
  value: {{ $name }}-jobs
{{ include "sipup.env.podName" . }}
{{- else if eq .service "ratelimit" }}
- name: SIPUP_RATELIMIT_RULES
  value: /etc/sipup/rules/rules.yaml
- name: SIPUP_RATELIMIT_ACTIVE_WINDOW
  value: {{ $root.Values.ratelimit.activeWindow }}
- name: SIPUP_RATELIMIT_PODS
  value: {{ include "sipup.minimum" (dict "root" $root "service" "ratelimit") | quote }}
{{- end }}
{{- with .values.env }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Where reports lie, and how that is reached. Argument: the root. */}}
{{- define "sipup.env.reports" -}}
{{- $s3 := .Values.reports.s3 -}}
- name: SIPUP_OBJECTS_URL
  value: {{ .Values.reports.objectsUrl | quote }}
- name: SIPUP_REPORT_MAX_BYTES
  value: {{ .Values.reports.maxBytes | int64 | quote }}
{{- if hasPrefix "s3:" .Values.reports.objectsUrl }}
- name: AWS_REGION
  value: {{ $s3.region | quote }}
{{- with $s3.endpoint }}
- name: AWS_ENDPOINT
  value: {{ . | quote }}
- name: AWS_ALLOW_HTTP
  value: {{ hasPrefix "http:" . | quote }}
{{- end }}
{{- with $s3.existingSecret.name }}
{{ include "sipup.secretEnv" (dict "name" "AWS_ACCESS_KEY_ID" "secret" . "key" $s3.existingSecret.idKey) }}
{{ include "sipup.secretEnv" (dict "name" "AWS_SECRET_ACCESS_KEY" "secret" . "key" $s3.existingSecret.secretKey) }}
{{- end }}
{{- end }}
{{- end }}

{{/* Volumes of a service and where they are mounted. Argument: as above. */}}
{{- define "sipup.volumes" -}}
{{- if eq .service "auth" }}
- name: signing-keys
  secret:
    secretName: {{ include "sipup.secret.auth" .root }}
    defaultMode: 0440
{{- else if eq .service "ratelimit" }}
- name: rules
  configMap:
    name: {{ include "sipup.fullname" .root }}-ratelimit-rules
{{- else if eq .service "jobs" }}
- name: mail
  emptyDir:
    sizeLimit: 64Mi
{{- end }}
{{ include "sipup.caVolumes" .root }}
{{- with .values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "sipup.volumeMounts" -}}
{{- if eq .service "auth" }}
- name: signing-keys
  mountPath: /etc/sipup/signing-keys
  readOnly: true
{{- else if eq .service "ratelimit" }}
# The whole folder: a file mounted by subPath would never change.
- name: rules
  mountPath: /etc/sipup/rules
  readOnly: true
{{- else if eq .service "jobs" }}
- name: mail
  mountPath: /var/mail
{{- end }}
{{ include "sipup.caVolumeMounts" .root }}
{{- with .values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Certificates of authorities that signed those of an external database or Redis. Argument: the root. */}}
{{- define "sipup.caVolumes" -}}
{{- if eq .Values.postgres.mode "external" }}
{{- with .Values.postgres.external.caSecret.name }}
- name: postgres-ca
  secret:
    secretName: {{ . }}
{{- end }}
{{- end }}
{{- if eq .Values.redis.mode "external" }}
{{- with .Values.redis.external.caSecret.name }}
- name: redis-ca
  secret:
    secretName: {{ . }}
{{- end }}
{{- end }}
{{- end }}

{{- define "sipup.caVolumeMounts" -}}
{{- if eq .Values.postgres.mode "external" }}
{{- if .Values.postgres.external.caSecret.name }}
- name: postgres-ca
  mountPath: /etc/sipup/postgres-ca
  readOnly: true
{{- end }}
{{- end }}
{{- if eq .Values.redis.mode "external" }}
{{- if .Values.redis.external.caSecret.name }}
- name: redis-ca
  mountPath: /etc/sipup/redis-ca
  readOnly: true
{{- end }}
{{- end }}
{{- end }}

{{/* Variables of the autoscaler. Argument: the root. */}}
{{- define "sipup.env.autoscaler" -}}
{{- $name := include "sipup.fullname" . -}}
- name: SIPUP_LIMITER_URL
  value: http://{{ $name }}-ratelimit:8080
{{- if include "sipup.customMetrics.enabled" . }}
- name: SIPUP_TLS_LISTEN
  value: 0.0.0.0:{{ .Values.autoscaler.port }}
- name: SIPUP_SERVICE_NAME
  value: {{ $name }}-envoy
- name: SIPUP_OWN_SERVICE
  value: {{ $name }}-autoscaler
- name: SIPUP_CLUSTER_DOMAIN
  value: {{ .Values.global.clusterDomain }}
- name: SIPUP_CERTIFICATE_LIFETIME
  value: {{ .Values.autoscaler.certificateLifetime }}
{{ include "sipup.env.podName" . }}
{{- else }}
- name: SIPUP_CUSTOM_METRICS
  value: "off"
{{- end }}
{{- end }}
