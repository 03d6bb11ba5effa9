{{/* The pods of all roles. Called with a dict: root, component, values, args, port, and what only one role has. */}}

{{- define "netvitals.podTemplate" -}}
{{- $root := .root -}}
metadata:
  labels:
    {{- include "netvitals.selector" $root | nindent 4 }}
    app.kubernetes.io/component: {{ .component }}
    {{- with $root.Values.commonLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- if $root.Values.serviceMesh.optOut }}
    sidecar.istio.io/inject: "false"
    istio.io/dataplane-mode: none
    kuma.io/sidecar-injection: disabled
    {{- end }}
    {{- with .values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- $annotations := dict -}}
  {{- if $root.Values.serviceMesh.optOut -}}
  {{- $_ := set $annotations "linkerd.io/inject" "disabled" -}}
  {{- end -}}
  {{- if $root.Values.config -}}
  {{- $_ := set $annotations "checksum/config" (toYaml $root.Values.config | sha256sum) -}}
  {{- end -}}
  {{- with mustMergeOverwrite $annotations .values.podAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "netvitals.serviceAccountName" . }}
  automountServiceAccountToken: {{ .token | default false }}
  {{- if .hostNetwork }}
  hostNetwork: true
  {{- end }}
  {{- if not (kindIs "invalid" .values.hostUsers) }}
  hostUsers: {{ .values.hostUsers }}
  {{- end }}
  dnsPolicy: {{ .values.dnsPolicy }}
  {{- with .values.dnsConfig }}
  dnsConfig:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with concat $root.Values.global.imagePullSecrets $root.Values.imagePullSecrets }}
  imagePullSecrets:
    {{- range uniq . }}
    - name: {{ . }}
    {{- end }}
  {{- end }}
  {{- $priority := .values.priorityClassName -}}
  {{- if and (not $priority) $root.Values.priorityClass.create -}}
  {{- $priority = include "netvitals.clusterwideDNS" $root -}}
  {{- end -}}
  {{- with $priority }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with .values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  affinity:
    {{- .values.affinity | default .affinity | toYaml | nindent 4 }}
  {{- with .values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    {{- include "netvitals.withoutNulls" $root.Values.podSecurityContext | nindent 4 }}
    {{- with .pingGroupRange }}
    # Echo requests without a capability; a safe sysctl of the pod's own network namespace.
    sysctls:
      - name: net.ipv4.ping_group_range
        value: {{ . | quote }}
    {{- end }}
  terminationGracePeriodSeconds: {{ .values.terminationGracePeriodSeconds }}
  {{- with .values.initContainers }}
  initContainers:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- $configMap := include "netvitals.configMap" $root }}
  containers:
    - name: netvitals
      image: {{ include "netvitals.image" $root }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      args:
        {{- range .args }}
        - {{ . | quote }}
        {{- end }}
        {{- if $configMap }}
        - "--config.file=/etc/netvitals/config.yaml"
        {{- end }}
        {{- range .values.extraArgs }}
        - {{ . | quote }}
        {{- end }}
      env:
        {{- if ne .component "cluster" }}
        - name: NETVITALS_NODE_NAME
          valueFrom:
            fieldRef:
              fieldPath: spec.nodeName
        {{- end }}
        - name: NETVITALS_NAMESPACE
          valueFrom:
            fieldRef:
              fieldPath: metadata.namespace
        {{- with .values.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- with .values.extraEnvFrom }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        - name: http
          containerPort: {{ .port }}
      livenessProbe:
        {{- toYaml .values.livenessProbe | nindent 8 }}
      readinessProbe:
        {{- toYaml .values.readinessProbe | nindent 8 }}
      {{- with .values.startupProbe }}
      startupProbe:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .values.resources }}
      resources:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      securityContext:
        {{- include "netvitals.withoutNulls" $root.Values.securityContext | nindent 8 }}
      {{- $mounts := .mounts | default list -}}
      {{- $volumes := .volumes | default list -}}
      {{- if $configMap -}}
      {{- $mounts = append $mounts (dict "name" "config" "mountPath" "/etc/netvitals" "readOnly" true) -}}
      {{- $volumes = append $volumes (dict "name" "config" "configMap" (dict "name" $configMap)) -}}
      {{- end -}}
      {{- with concat $mounts .values.extraVolumeMounts }}
      volumeMounts:
        {{- toYaml . | nindent 8 }}
      {{- end }}
    {{- with .values.extraContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with concat $volumes .values.extraVolumes }}
  volumes:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* A DaemonSet of agents; called as the pods are. */}}
{{- define "netvitals.daemonSet" -}}
{{- $root := .root -}}
apiVersion: apps/v1
kind: DaemonSet
metadata:
  name: {{ include "netvitals.fullname" $root }}-{{ .component }}
  namespace: {{ include "netvitals.namespace" $root }}
  labels:
    {{- include "netvitals.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ .component }}
spec:
  selector:
    matchLabels:
      {{- include "netvitals.selector" $root | nindent 6 }}
      app.kubernetes.io/component: {{ .component }}
  updateStrategy:
    {{- include "netvitals.strategy" .values.updateStrategy | nindent 4 }}
  revisionHistoryLimit: {{ .values.revisionHistoryLimit }}
  template:
    {{- include "netvitals.podTemplate" . | nindent 4 }}
{{- end -}}

{{/* Linux nodes with a kubelet of their own; `Node::runs_agents` says the same. */}}
{{- define "netvitals.agentAffinity" -}}
nodeAffinity:
  requiredDuringSchedulingIgnoredDuringExecution:
    nodeSelectorTerms:
      {{- range list (dict "operator" "In" "values" (list "linux")) (dict "operator" "DoesNotExist") }}
      - matchExpressions:
          - {{ merge (dict "key" "kubernetes.io/os") . | toJson }}
          - {key: type, operator: NotIn, values: [virtual-kubelet]}
          - {key: eks.amazonaws.com/compute-type, operator: NotIn, values: [fargate]}
          - {key: liqo.io/type, operator: NotIn, values: [virtual-node]}
      {{- end }}
{{- end -}}

{{/* Linux nodes, and replicas on different ones where that can be. */}}
{{- define "netvitals.clusterAffinity" -}}
nodeAffinity:
  requiredDuringSchedulingIgnoredDuringExecution:
    nodeSelectorTerms:
      - matchExpressions:
          - {key: kubernetes.io/os, operator: In, values: [linux]}
podAntiAffinity:
  preferredDuringSchedulingIgnoredDuringExecution:
    - weight: 100
      podAffinityTerm:
        topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels:
            {{- include "netvitals.selector" . | nindent 12 }}
            app.kubernetes.io/component: cluster
{{- end -}}

{{- /* How pods are replaced: the API server refuses `rollingUpdate` beside another type, and the default has one. */ -}}
{{- define "netvitals.strategy" -}}
{{- if eq (.type | default "RollingUpdate") "RollingUpdate" -}}
{{- toYaml . -}}
{{- else -}}
type: {{ .type }}
{{- end -}}
{{- end -}}
