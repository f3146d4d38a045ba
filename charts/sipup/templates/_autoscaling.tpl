{{/*
Who says how many pods a service has.
*/}}

{{/*
Where a service's autoscaling gets its numbers: users, keda or cpu; none when it is off.
`auto` takes the users if nobody else owns custom.metrics.k8s.io. Argument: (dict "root" $ "service" "orders").
*/}}
{{- define "sipup.autoscaling.source" -}}
{{- $values := include "sipup.service" . | fromYaml -}}
{{- if not $values.autoscaling.enabled }}none
{{- else if ne $values.autoscaling.source "auto" }}{{ $values.autoscaling.source -}}
{{- else if eq .root.Values.autoscaler.customMetrics.register "never" }}cpu
{{- else if include "sipup.customMetrics.foreignOwner" .root }}cpu
{{- else }}users{{ end -}}
{{- end }}

{{/* Who else owns the custom metrics API, as far as a live cluster tells; empty when nobody does. Argument: the root. */}}
{{- define "sipup.customMetrics.foreignOwner" -}}
{{- $release := printf "%s/%s" .Release.Namespace .Release.Name -}}
{{- range $version := list "v1beta1" "v1beta2" -}}
{{- $service := lookup "apiregistration.k8s.io/v1" "APIService" "" (printf "%s.custom.metrics.k8s.io" $version) -}}
{{- if $service -}}
{{- $notes := $service.metadata.annotations | default dict -}}
{{- $owner := printf "%s/%s" (index $notes "meta.helm.sh/release-namespace" | default "") (index $notes "meta.helm.sh/release-name" | default "") -}}
{{- if ne $owner $release -}}
{{- $target := $service.spec.service | default dict -}}
{{ printf "%s (Service %s/%s) " $service.metadata.name ($target.namespace | default "-") ($target.name | default "-") }}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Whether this release registers the custom metrics API. Argument: the root. */}}
{{- define "sipup.customMetrics.enabled" -}}
{{- $root := . -}}
{{- $wanted := false -}}
{{- range $service := keys .Values.services -}}
{{- if eq (include "sipup.autoscaling.source" (dict "root" $root "service" $service)) "users" }}{{ $wanted = true }}{{ end -}}
{{- end -}}
{{- if $wanted }}true{{ end -}}
{{- end }}

{{/* Empty where a live cluster has no metrics-server: an HPA with a metric that always fails never scales down. Argument: the root. */}}
{{- define "sipup.cpuMetrics.enabled" -}}
{{- if not (lookup "apiregistration.k8s.io/v1" "APIService" "" "v1.apps") }}true
{{- else if lookup "apiregistration.k8s.io/v1" "APIService" "" "v1beta1.metrics.k8s.io" }}true
{{- end -}}
{{- end }}

{{/* Fast up, slowly down. Argument: the service's values. */}}
{{- define "sipup.autoscaling.behavior" -}}
{{- if .autoscaling.behavior }}{{ toYaml .autoscaling.behavior }}{{ else -}}
scaleDown:
  policies:
    - periodSeconds: 60
      type: Percent
      value: 10
  selectPolicy: Max
  stabilizationWindowSeconds: 300
scaleUp:
  policies:
    - periodSeconds: 15
      type: Percent
      value: 100
    - periodSeconds: 15
      type: Pods
      value: 10
  selectPolicy: Max
  stabilizationWindowSeconds: 0
{{- end -}}
{{- end }}

{{/* The HPA or ScaledObject of a service. Argument: (dict "root" $ "service" "orders" "values" <its values>). */}}
{{- define "sipup.autoscaling" -}}
{{- $source := include "sipup.autoscaling.source" . -}}
{{- $name := include "sipup.fullname" .root -}}
{{- $full := printf "%s-%s" $name .service -}}
{{- $scaling := .values.autoscaling -}}
{{- $users := index .root.Values.capacity.usersPerPod .service -}}
{{- if eq $source "keda" -}}
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  {{- include "sipup.metadata" (dict "root" .root "component" .service "name" $full) | nindent 2 }}
spec:
  scaleTargetRef:
    name: {{ $full }}
  pollingInterval: 15
  minReplicaCount: {{ include "sipup.capacity.minReplicas" . }}
  maxReplicaCount: {{ include "sipup.capacity.maxReplicas" . }}
  # No fallback: while the count of users is unknown, the size stays.
  advanced:
    horizontalPodAutoscalerConfig:
      name: {{ $full }}
      behavior:
        {{- include "sipup.autoscaling.behavior" .values | nindent 8 }}
  triggers:
    - type: external
      name: active-users
      metricType: AverageValue
      metadata:
        scalerAddress: {{ include "sipup.host" (dict "root" .root "host" (printf "%s-autoscaler" $name)) }}:8080
        metricName: active_users
        usersPerPod: {{ $users | quote }}
    - type: cpu
      metricType: Utilization
      metadata:
        value: {{ $scaling.cpuPercent | quote }}
{{- else -}}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  {{- include "sipup.metadata" (dict "root" .root "component" .service "name" $full) | nindent 2 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ $full }}
  minReplicas: {{ include "sipup.capacity.minReplicas" . }}
  maxReplicas: {{ include "sipup.capacity.maxReplicas" . }}
  behavior:
    {{- include "sipup.autoscaling.behavior" .values | nindent 4 }}
  metrics:
    {{- if eq $source "users" }}
    - type: Object
      object:
        describedObject:
          apiVersion: v1
          kind: Service
          name: {{ $name }}-envoy
        metric:
          name: active_users
        target:
          type: AverageValue
          averageValue: {{ include "sipup.quantity" $users }}
    {{- end }}
    {{- if or (eq $source "cpu") (include "sipup.cpuMetrics.enabled" .root) }}
    - type: Resource
      resource:
        name: cpu
        target:
          type: Utilization
          averageUtilization: {{ $scaling.cpuPercent }}
    {{- end }}
    {{- with $scaling.metrics }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}
{{- end }}

{{/* Whether anything asks for the autoscaler, i.e. whether it runs. Argument: the root. */}}
{{- define "sipup.autoscaler.enabled" -}}
{{- $root := . -}}
{{- $wanted := false -}}
{{- range $service := keys .Values.services -}}
{{- if has (include "sipup.autoscaling.source" (dict "root" $root "service" $service)) (list "users" "keda") }}{{ $wanted = true }}{{ end -}}
{{- end -}}
{{- if $wanted }}true{{ end -}}
{{- end }}

{{/* A whole number as the API server writes it, so that nobody sees a difference. Argument: the number. */}}
{{- define "sipup.quantity" -}}
{{- $number := int64 . -}}
{{- if eq (mod $number 1000000) 0 }}{{ div $number 1000000 }}M
{{- else if eq (mod $number 1000) 0 }}{{ div $number 1000 }}k
{{- else }}{{ $number | toString | quote }}{{ end -}}
{{- end }}
