{{- define "pqlstream.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 52 | trimSuffix "-" }}
{{- end }}

{{- define "pqlstream.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else if contains (include "pqlstream.name" .) .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "pqlstream.name" .) | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "pqlstream.selector" -}}
app.kubernetes.io/name: {{ include "pqlstream.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "pqlstream.labels" -}}
{{ include "pqlstream.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "pqlstream.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "pqlstream.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "pqlstream.hasChecklist" -}}
{{- if or .Values.checklist .Values.existingChecklist.configMap }}yes{{ end }}
{{- end }}

{{/* The settings file: what the values say, and what the chart knows itself. */}}
{{- define "pqlstream.settings" -}}
{{- $own := dict "http" (dict "address" (printf "0.0.0.0:%v" .Values.metrics.port)) "api" (dict "address" "") }}
{{- if .Values.api.enabled }}
{{- $_ := required "api.enabled needs secrets.apiToken.secret: the API is reached from other pods" .Values.secrets.apiToken.secret }}
{{- $_ := set $own "api" (dict "address" (printf "0.0.0.0:%v" .Values.api.port) "token_file" "/etc/pqlstream/secrets/api-token") }}
{{- end }}
{{- if include "pqlstream.hasChecklist" . }}
{{- $_ := set $own "checklist" "/etc/pqlstream/checklist/checklist.yaml" }}
{{- else if has "activation" .Values.settings.stages }}
{{- fail "the stage activation needs a checklist: --set-file checklist=FILE, or existingChecklist.configMap" }}
{{- end }}
{{- if .Values.secrets.kafkaPassword.secret }}
{{- $_ := set $own "kafka" (dict "sasl" (dict "password_file" "/etc/pqlstream/secrets/kafka-password")) }}
{{- end }}
{{- if .Values.secrets.redisPassword.secret }}
{{- $_ := set $own "redis" (dict "password_file" "/etc/pqlstream/secrets/redis-password") }}
{{- end }}
{{- if .Values.secrets.registryPassword.secret }}
{{- $_ := set $own "registry" (dict "password_file" "/etc/pqlstream/secrets/registry-password") }}
{{- end }}
{{- if .Values.secrets.tracingHeaders.secret }}
{{- $_ := set $own "tracing" (dict "headers_file" "/etc/pqlstream/secrets/tracing-headers") }}
{{- end }}
{{- mustMergeOverwrite (deepCopy .Values.settings) $own | toYaml }}
{{- end }}

{{/* The files of the secrets, as sources of a projected volume. */}}
{{- define "pqlstream.secretSources" -}}
{{- range $value, $path := dict "kafkaPassword" "kafka-password" "redisPassword" "redis-password" "registryPassword" "registry-password" "apiToken" "api-token" "tracingHeaders" "tracing-headers" }}
{{- $s := get $.Values.secrets $value }}
{{- if $s.secret }}
- secret:
    name: {{ $s.secret }}
    items: [{key: {{ $s.key | quote }}, path: {{ $path }}}]
{{- end }}
{{- end }}
{{- end }}

{{/* The ports that the settings have the process connect to, and those that are given beside them, with commas between. */}}
{{- define "pqlstream.egressPorts" -}}
{{- $settings := .Values.settings }}
{{- $ports := list }}
{{- range concat (dig "kafka" "brokers" (list) $settings) (dig "redis" "addresses" (list) $settings) }}
{{- $ports = append $ports (regexFind "[0-9]+$" .) }}
{{- end }}
{{- range list (dig "registry" "url" "" $settings) (dig "tracing" "endpoint" "" $settings) }}
{{- if . }}
{{- $url := urlParse . }}
{{- $ports = append $ports (regexFind ":[0-9]+$" $url.host | trimPrefix ":" | default (eq $url.scheme "http" | ternary "80" "443")) }}
{{- end }}
{{- end }}
{{- range .Values.networkPolicy.extraPorts }}
{{- $ports = append $ports (int . | toString) }}
{{- end }}
{{- $ports | uniq | join "," }}
{{- end }}

{{/* How long a stop may take that ends before the pod is killed, in seconds. What is no duration is left to pqlstream, which refuses it in words. */}}
{{- define "pqlstream.gracePeriod" -}}
{{- $stop := dig "runtime" "shutdown_timeout" "10s" .Values.settings }}
{{- $from := toDate "2006-01-02" "2000-01-01" }}
{{- $takes := sub ($from | dateModify $stop | unixEpoch) ($from | unixEpoch) }}
{{- if ge (int64 $takes) (int64 .Values.terminationGracePeriodSeconds) }}
{{- fail (printf "terminationGracePeriodSeconds is %v: pods would be killed while they stop, which may take %v (settings.runtime.shutdown_timeout)" .Values.terminationGracePeriodSeconds $stop) }}
{{- end }}
{{- .Values.terminationGracePeriodSeconds }}
{{- end }}

{{/* Over which nodes and zones pods are spread where the values say nothing. */}}
{{- define "pqlstream.spread" -}}
{{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
- maxSkew: 1
  topologyKey: {{ . }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "pqlstream.selector" $ | nindent 6 }}
{{- end }}
{{- end }}
