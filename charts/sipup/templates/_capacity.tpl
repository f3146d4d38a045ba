{{/*
capacity.targetUsers and what follows from it. `sipup verify capacity` computes the same from the same numbers.
*/}}

{{/* Pods of a service at the target: ceil(users / usersPerPod), at least two. Argument: (dict "root" $ "service" "orders"). */}}
{{- define "sipup.capacity.maxReplicas" -}}
{{- $values := include "sipup.service" . | fromYaml -}}
{{- if eq (toString $values.autoscaling.maxReplicas) "auto" -}}
{{- $per := index .root.Values.capacity.usersPerPod .service -}}
{{- $max := divf .root.Values.capacity.targetUsers $per | ceil | int -}}
{{- max 2 $max -}}
{{- else }}{{ $values.autoscaling.maxReplicas | int }}{{ end -}}
{{- end }}

{{/* A quarter of that, at least two. */}}
{{- define "sipup.capacity.minReplicas" -}}
{{- $values := include "sipup.service" . | fromYaml -}}
{{- if eq (toString $values.autoscaling.minReplicas) "auto" -}}
{{- $max := include "sipup.capacity.maxReplicas" . | int -}}
{{- max 2 (divf $max 4 | ceil | int) -}}
{{- else }}{{ $values.autoscaling.minReplicas | int }}{{ end -}}
{{- end }}

{{/* Connections that all pods of a service together may have to one server: 4 for each, surge included; 20 to 100. */}}
{{- define "sipup.capacity.poolBudget" -}}
{{- $values := include "sipup.service" . | fromYaml -}}
{{- if eq (toString $values.config.poolBudget) "auto" -}}
{{- max 20 (min 100 (include "sipup.capacity.connections" . | int)) -}}
{{- else }}{{ $values.config.poolBudget | int }}{{ end -}}
{{- end }}

{{/* The least that a service's pods need: 4 each, with those that a rolling update adds. */}}
{{- define "sipup.capacity.connections" -}}
{{- $max := include "sipup.capacity.maxReplicas" . | int -}}
{{- mul 4 (add $max (max 1 (divf $max 4 | ceil | int))) -}}
{{- end }}

{{/* Client connections of one Envoy: one and a half for each user, so that one pod may be away. Argument: the root. */}}
{{- define "sipup.capacity.envoyConnections" -}}
{{- $envoy := .Values.ingress.envoy -}}
{{- if eq (toString $envoy.maxConnections) "auto" -}}
{{- $replicas := ternary 1 $envoy.replicas (eq (toString $envoy.replicas) "omit") | int -}}
{{- divf (mulf 1.5 .Values.capacity.targetUsers) $replicas | ceil | int64 -}}
{{- else }}{{ $envoy.maxConnections | int64 }}{{ end -}}
{{- end }}

{{/* What the servers allow: a quarter more than all budgets, and 20 for migrations, replicas and people. Argument: the root. */}}
{{- define "sipup.capacity.maxConnections" -}}
{{- if eq (toString .Values.postgres.bundled.maxConnections) "auto" -}}
{{- $sum := 0 -}}
{{- range $service := list "catalog" "orders" "auth" "jobs" -}}
{{- $sum = add $sum (include "sipup.capacity.poolBudget" (dict "root" $ "service" $service)) -}}
{{- end -}}
{{ add 20 (mulf 1.25 $sum | ceil | int) }}
{{- else }}{{ .Values.postgres.bundled.maxConnections | int }}{{ end -}}
{{- end }}

{{/* The limit of each role: the largest budget and 20 %. Argument: the root. */}}
{{- define "sipup.capacity.connectionLimit" -}}
{{- $largest := 0 -}}
{{- range $service := list "catalog" "orders" "auth" "jobs" -}}
{{- $largest = max $largest (include "sipup.capacity.poolBudget" (dict "root" $ "service" $service) | int) -}}
{{- end -}}
{{ mulf 1.2 $largest | ceil | int }}
{{- end }}

{{/* The fewest pods of a service: the HPA's minimum, or the number asked for. Argument: (dict "root" $ "service" "orders"). */}}
{{- define "sipup.minimum" -}}
{{- $values := include "sipup.service" . | fromYaml -}}
{{- if $values.autoscaling.enabled }}{{ include "sipup.capacity.minReplicas" . -}}
{{- else if eq (toString $values.replicas) "omit" }}1{{ else }}{{ $values.replicas | int }}{{ end -}}
{{- end }}
