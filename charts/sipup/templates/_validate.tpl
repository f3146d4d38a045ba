{{/*
What no schema can say. Each refusal names the key and the reason. Argument of all: the root.
*/}}

{{- define "sipup.validate" -}}
{{- $name := include "sipup.fullname" . -}}
{{- if gt (len $name) 40 -}}
{{- fail (printf "the release's name makes %q, which is longer than the 40 characters that leave room for the names of pods" $name) -}}
{{- end -}}
{{- range $service := keys .Values.services | sortAlpha -}}
{{- include "sipup.validate.service" (dict "root" $ "service" $service "values" (include "sipup.service" (dict "root" $ "service" $service) | fromYaml)) -}}
{{- end -}}
{{- include "sipup.validate.autoscaler" . -}}
{{- include "sipup.validate.ingress" . -}}
{{- include "sipup.validate.postgres" . -}}
{{- include "sipup.validate.redis" . -}}
{{- include "sipup.validate.rest" . -}}
{{- end }}

{{- define "sipup.validate.service" -}}
{{- $key := printf "services.%s" .service -}}
{{- $values := .values -}}
{{- $needed := add $values.readinessDelaySeconds $values.drainSeconds 5 -}}
{{- if gt (int $needed) (int $values.terminationGracePeriodSeconds) -}}
{{- fail (printf "%s.terminationGracePeriodSeconds: %d s would cut off calls: readinessDelaySeconds, drainSeconds and 5 s make %d s" $key (int $values.terminationGracePeriodSeconds) (int $needed)) -}}
{{- end -}}
{{- if and (eq .root.Values.ingress.mode "envoy") (lt (int $values.readinessDelaySeconds) 10) -}}
{{- fail (printf "%s.readinessDelaySeconds: %d s is less than the 10 s until Envoy has stopped sending calls (DNS every 5 s, cached for 5 s)" $key (int $values.readinessDelaySeconds)) -}}
{{- end -}}
{{- if $values.autoscaling.enabled -}}
{{- $min := include "sipup.capacity.minReplicas" . | int -}}
{{- $max := include "sipup.capacity.maxReplicas" . | int -}}
{{- if gt $min $max -}}
{{- fail (printf "%s.autoscaling: minReplicas %d is more than maxReplicas %d" $key $min $max) -}}
{{- end -}}
{{- if ne (toString $values.replicas) "omit" -}}
{{- fail (printf "%s.replicas: with autoscaling the number of pods is the autoscaler's; set autoscaling.enabled=false, or replicas=omit" $key) -}}
{{- end -}}
{{- if not (index ($values.resources.requests | default dict) "cpu") -}}
{{- fail (printf "%s.resources.requests.cpu: autoscaling by CPU is in percent of it, so it can't be absent" $key) -}}
{{- end -}}
{{- end -}}
{{- if and (ne .service "ratelimit") (eq (toString $values.config.poolBudget) "auto") (gt (include "sipup.capacity.connections" . | int) 100) -}}
{{- fail (printf "capacity.usersPerPod.%s is too small for capacity.targetUsers: %s pods at 4 connections each pass the budget of 100" .service (include "sipup.capacity.maxReplicas" .)) -}}
{{- end -}}
{{- if gt (int $values.config.poolWarm) (int (include "sipup.capacity.poolBudget" .)) -}}
{{- fail (printf "%s.config.poolWarm: %d is more than the budget of %s" $key (int $values.config.poolWarm) (include "sipup.capacity.poolBudget" .)) -}}
{{- end -}}
{{- end }}

{{- define "sipup.validate.autoscaler" -}}
{{- $root := . -}}
{{- $name := include "sipup.fullname" . -}}
{{- range $service := keys .Values.services | sortAlpha -}}
{{- $source := include "sipup.autoscaling.source" (dict "root" $root "service" $service) -}}
{{- $key := printf "services.%s.autoscaling.source" $service -}}
{{- if eq $source "keda" -}}
{{- if not ($root.Capabilities.APIVersions.Has "keda.sh/v1alpha1") -}}
{{- fail (printf "%s: keda needs KEDA, and the cluster has no keda.sh/v1alpha1" $key) -}}
{{- end -}}
{{- $hpa := lookup "autoscaling/v2" "HorizontalPodAutoscaler" $root.Release.Namespace (printf "%s-%s" $name $service) -}}
{{- if $hpa -}}
{{- $owned := false -}}
{{- range $hpa.metadata.ownerReferences -}}
{{- if eq .kind "ScaledObject" }}{{ $owned = true }}{{ end -}}
{{- end -}}
{{- if not $owned -}}
{{- fail (printf "%s: KEDA does not take over the HPA %s-%s; upgrade with autoscaling.enabled=false first (the number of pods stays), then with keda" $key $name $service) -}}
{{- end -}}
{{- end -}}
{{- else if eq $source "users" -}}
{{- if ne $root.Values.ingress.mode "envoy" -}}
{{- fail (printf "%s: active users are counted at Envoy, and ingress.mode is %s; use cpu" $key $root.Values.ingress.mode) -}}
{{- end -}}
{{- if eq $root.Values.autoscaler.customMetrics.register "never" -}}
{{- fail (printf "%s: users needs autoscaler.customMetrics.register=auto; use auto, keda or cpu" $key) -}}
{{- end -}}
{{- with include "sipup.customMetrics.foreignOwner" $root -}}
{{- fail (printf "%s: the custom metrics API is taken by %s; a cluster has one. Use auto, keda or cpu" $key (trim .)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and (include "sipup.customMetrics.enabled" .) (lt (int .Values.autoscaler.replicas) 2) -}}
{{- fail "autoscaler.replicas: at least 2 with custom metrics: while the only pod is away, no namespace of the cluster can be deleted. Use autoscaling.source=cpu for a small release" -}}
{{- end -}}
{{- end }}

{{- define "sipup.validate.ingress" -}}
{{- $envoy := .Values.ingress.envoy -}}
{{- if eq .Values.ingress.mode "envoy" -}}
{{- $needed := add $envoy.lbWaitSeconds $envoy.drainSeconds 5 -}}
{{- if gt (int $needed) (int $envoy.terminationGracePeriodSeconds) -}}
{{- fail (printf "ingress.envoy.terminationGracePeriodSeconds: %d s would cut off calls: lbWaitSeconds, drainSeconds and 5 s make %d s" (int $envoy.terminationGracePeriodSeconds) (int $needed)) -}}
{{- end -}}
{{- if and (not $envoy.service.port) (not $envoy.tls.existingSecret) -}}
{{- fail "ingress.envoy.service.port: 0 leaves no port at all without ingress.envoy.tls.existingSecret" -}}
{{- end -}}
{{- $limit := include "sipup.mebibytes" (index ($envoy.resources.limits | default dict) "memory" | default "") | trim -}}
{{- if and $limit (gt (mulf 1.11 $envoy.maxHeapMiB) (float64 $limit)) -}}
{{- fail (printf "ingress.envoy.maxHeapMiB: %d MiB do not fit into the memory limit of %s MiB with a tenth to spare" (int $envoy.maxHeapMiB) $limit) -}}
{{- end -}}
{{- if hasPrefix "distroless" $envoy.image.tag -}}
{{- fail "ingress.envoy.image.tag: a distroless image has no shell, which the drain before the end of a pod needs" -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "sipup.validate.postgres" -}}
{{- if eq .Values.postgres.mode "external" -}}
{{- $external := .Values.postgres.external -}}
{{- if not $external.primary -}}
{{- fail "postgres.external.primary: required with postgres.mode=external" -}}
{{- end -}}
{{- if and (eq .Values.migrations.mode "job") (not $external.adminSecret.name) -}}
{{- fail "postgres.external.adminSecret.name: the migrate Job needs a role that owns the database; or set migrations.mode=disabled and run `sipup migrate` yourself" -}}
{{- end -}}
{{- if and (not .Values.secrets.init) (not .Values.secrets.existing.postgres) -}}
{{- fail "secrets.existing.postgres: required with postgres.mode=external and secrets.init=false" -}}
{{- end -}}
{{- else -}}
{{- $bundled := .Values.postgres.bundled -}}
{{- if and (eq $bundled.primary "postgres-replica") (not $bundled.replica.enabled) -}}
{{- fail "postgres.bundled.primary: postgres-replica is the primary only if postgres.bundled.replica.enabled" -}}
{{- end -}}
{{- if and $bundled.synchronous (not $bundled.replica.enabled) -}}
{{- fail "postgres.bundled.synchronous: without a replica no commit would ever end" -}}
{{- end -}}
{{- $sum := 20 -}}
{{- range $service := list "catalog" "orders" "auth" "jobs" -}}
{{- $sum = add $sum (include "sipup.capacity.poolBudget" (dict "root" $ "service" $service) | int) -}}
{{- end -}}
{{- $allowed := include "sipup.capacity.maxConnections" . | int -}}
{{- if gt (int $sum) $allowed -}}
{{- fail (printf "postgres.bundled.maxConnections: %d is less than the services' pool budgets and 20 for migrations, the replica and people: %d" $allowed (int $sum)) -}}
{{- end -}}
{{- range list "max_connections" "max_wal_senders" "max_worker_processes" "max_locks_per_transaction" "synchronous_standby_names" -}}
{{- if hasKey $bundled.settings . -}}
{{- fail (printf "postgres.bundled.settings.%s: is set by the chart, because the replica must agree with it" .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "sipup.validate.redis" -}}
{{- if eq .Values.redis.mode "external" -}}
{{- if not .Values.redis.external.nodes -}}
{{- fail "redis.external.nodes: required with redis.mode=external" -}}
{{- end -}}
{{- else if mod .Values.redis.bundled.nodes 2 -}}
{{- fail "redis.bundled.nodes: must be even: every primary has one replica" -}}
{{- end -}}
{{- end }}

{{- define "sipup.validate.rest" -}}
{{- if and .Values.tracing.enabled .Values.tracing.otlpEndpoint .Values.tracing.bundledUi.enabled -}}
{{- fail "tracing.bundledUi.enabled: no span would arrive there, because tracing.otlpEndpoint sends them elsewhere" -}}
{{- end -}}
{{- if and .Values.metrics.serviceMonitor.enabled (not (.Capabilities.APIVersions.Has "monitoring.coreos.com/v1")) -}}
{{- fail "metrics.serviceMonitor.enabled: the cluster has no monitoring.coreos.com/v1 (the Prometheus operator)" -}}
{{- end -}}
{{- if and .Values.metrics.prometheusRule.enabled (not (.Capabilities.APIVersions.Has "monitoring.coreos.com/v1")) -}}
{{- fail "metrics.prometheusRule.enabled: the cluster has no monitoring.coreos.com/v1 (the Prometheus operator)" -}}
{{- end -}}
{{- $jobs := include "sipup.service" (dict "root" . "service" "jobs") | fromYaml -}}
{{- if and (hasPrefix "file:" .Values.reports.objectsUrl) (not $jobs.extraVolumeMounts) -}}
{{- fail "reports.objectsUrl: a folder must be a volume that all pods of jobs mount, and services.jobs.extraVolumeMounts has none" -}}
{{- end -}}
{{- if and .Values.demoData.enabled (ne .Values.migrations.mode "job") -}}
{{- fail "demoData.enabled: the migrate Job fills the database, and migrations.mode is not job" -}}
{{- end -}}
{{- end }}

{{/* A quantity of memory in MiB; nothing if it is written in any unusual unit. Argument: the quantity. */}}
{{- define "sipup.mebibytes" -}}
{{- $text := toString . -}}
{{- if hasSuffix "Gi" $text }}{{ mulf 1024 (trimSuffix "Gi" $text | float64) }}
{{- else if hasSuffix "Mi" $text }}{{ trimSuffix "Mi" $text | float64 }}{{ end -}}
{{- end }}
