{{/* What ServiceMonitor and PodMonitor share: the endpoint. Called with root, values and relabelings of its own. */}}
{{- define "netvitals.endpoint" -}}
- port: http
  {{- with .values.interval }}
  interval: {{ . }}
  {{- end }}
  {{- with .values.scrapeTimeout }}
  scrapeTimeout: {{ . }}
  {{- end }}
  honorLabels: {{ .values.honorLabels }}
  relabelings:
    - sourceLabels: [__meta_kubernetes_pod_label_app_kubernetes_io_component]
      targetLabel: job
      replacement: {{ include "netvitals.fullname" .root }}-$1
    {{- with .relabelings }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- with .values.relabelings }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with .values.metricRelabelings }}
  metricRelabelings:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* The metadata of an object that an operator selects by labels. Called with root, values and name. */}}
{{- define "netvitals.selectedMetadata" -}}
name: {{ .name }}
namespace: {{ .values.namespace | default (include "netvitals.namespace" .root) }}
labels:
  {{- include "netvitals.labels" .root | nindent 2 }}
  {{- with .values.additionalLabels | default .values.labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .values.annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The limits of a scrape. */}}
{{- define "netvitals.scrapeLimits" -}}
{{- with .sampleLimit }}
sampleLimit: {{ int64 . }}
{{- end }}
{{- with .labelValueLengthLimit }}
labelValueLengthLimit: {{ int64 . }}
{{- end }}
{{- end -}}
