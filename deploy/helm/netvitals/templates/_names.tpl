{{/* What objects are called, and the labels that they have. */}}

{{- define "netvitals.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := .Values.nameOverride | default .Chart.Name -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "netvitals.namespace" -}}
{{- .Values.namespaceOverride | default .Release.Namespace -}}
{{- end -}}

{{/* Objects without a namespace: two releases in two namespaces must not meet; no name has a colon in it. */}}
{{- define "netvitals.clusterwide" -}}
{{- printf "%s:%s" (include "netvitals.namespace" .) (include "netvitals.fullname" .) -}}
{{- end -}}

{{/* The name label is not to be chosen: by it the program knows its own pods and policies. */}}
{{- define "netvitals.selector" -}}
app.kubernetes.io/name: netvitals
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "netvitals.labels" -}}
{{ include "netvitals.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Called with a component and the root. */}}
{{- define "netvitals.serviceAccountName" -}}
{{- $account := .values.serviceAccount -}}
{{- if $account.create -}}
{{- $account.name | default (printf "%s-%s" (include "netvitals.fullname" .root) .component) -}}
{{- else -}}
{{- $account.name | default "default" -}}
{{- end -}}
{{- end -}}

{{/* The ConfigMap with the configuration file; nothing where the program has its defaults. */}}
{{- define "netvitals.configMap" -}}
{{- if and .Values.config .Values.existingConfigMap -}}
{{- fail "config and existingConfigMap are two configuration files, and the program reads one: leave one of them out" -}}
{{- end -}}
{{- if .Values.config -}}
{{- printf "%s-config" (include "netvitals.fullname" .) -}}
{{- else -}}
{{- .Values.existingConfigMap -}}
{{- end -}}
{{- end -}}

{{- define "netvitals.image" -}}
{{- $registry := .Values.image.registry | default .Values.global.imageRegistry -}}
{{- $name := .Values.image.repository -}}
{{- if $registry -}}{{- $name = printf "%s/%s" (trimSuffix "/" $registry) $name -}}{{- end -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $name .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* A map without its nulls: a null in the values is how a key of the chart is taken away, whatever Helm makes of it. */}}
{{- define "netvitals.withoutNulls" -}}
{{- $kept := dict -}}
{{- range $key, $value := . -}}
{{- if not (kindIs "invalid" $value) -}}{{- $_ := set $kept $key $value -}}{{- end -}}
{{- end -}}
{{- toYaml $kept -}}
{{- end -}}

{{/* The same where a name may have no colon; a name of a namespace has no dot. */}}
{{- define "netvitals.clusterwideDNS" -}}
{{- printf "%s.%s" (include "netvitals.namespace" .) (include "netvitals.fullname" .) -}}
{{- end -}}
