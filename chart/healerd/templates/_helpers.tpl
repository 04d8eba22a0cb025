{{- define "healerd.tag" -}}
{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "healerd.image" -}}
{{ .Values.image.repository }}:{{ include "healerd.tag" . }}{{ with .Values.image.digest }}@{{ . }}{{ end }}
{{- end }}

{{/* Name of cluster-wide objects: two releases in two namespaces must not share one. */}}
{{- define "healerd.clusterName" -}}
{{ printf "%s:%s" .Release.Namespace .Release.Name }}
{{- end }}

{{- define "healerd.selectorLabels" -}}
app: {{ .Release.Name | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "healerd.labels" -}}
{{ include "healerd.selectorLabels" . }}
{{ include "healerd.commonLabels" . }}
app.kubernetes.io/component: controller
{{- end }}

{{/* Also for what the Service must not select. */}}
{{- define "healerd.commonLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name | quote }}
app.kubernetes.io/version: {{ include "healerd.tag" . | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | quote }}
{{- end }}

{{/* The configuration file: the values of the same names. */}}
{{- define "healerd.config" -}}
{{- pick .Values "policy" "namespaces" "dryRun" "knownGood" | toYaml }}
{{- end }}

{{- define "healerd.probe" -}}
httpGet:
  path: /healthz
  port: http
  scheme: HTTP
timeoutSeconds: 3
successThreshold: 1
{{- end }}
