{{/* Name of everything that belongs to this release alone. */}}
{{- define "service.name" -}}
{{ .Release.Name }}
{{- end }}

{{/* Name of the application: one for all its releases. */}}
{{- define "service.app" -}}
{{ .Values.app | default .Release.Name }}
{{- end }}

{{- define "service.tag" -}}
{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "service.image" -}}
{{ .Values.image.repository }}:{{ include "service.tag" . }}{{ with .Values.image.digest }}@{{ . }}{{ end }}
{{- end }}

{{/* The pods of this release; a Deployment's selector cannot be changed later. */}}
{{- define "service.selectorLabels" -}}
app: {{ include "service.app" . | quote }}
track: {{ .Values.track | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{/* Labels of every object but the test pod, which must not be selected by the Service. */}}
{{- define "service.labels" -}}
{{ include "service.selectorLabels" . }}
{{ include "service.commonLabels" . }}
{{- end }}

{{- define "service.commonLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name | quote }}
app.kubernetes.io/version: {{ include "service.tag" . | quote }}
app.kubernetes.io/part-of: {{ include "service.app" . | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | quote }}
{{- end }}

{{/* What the restricted Pod Security Standard asks of a pod. */}}
{{- define "service.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "service.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* What the schema cannot say. */}}
{{- define "service.validate" -}}
{{- if eq .Values.track "canary" }}
{{- range $part := list "autoscaling" "podDisruptionBudget" "service" }}
{{- if (index $.Values $part).enabled }}
{{- fail (printf "a canary release has no %s of its own: add --set %s.enabled=false" $part $part) }}
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.autoscaling }}
{{- if and .enabled (lt (int .maxReplicas) (int .minReplicas)) }}
{{- fail (printf "autoscaling.maxReplicas (%d) is less than autoscaling.minReplicas (%d)" (int .maxReplicas) (int .minReplicas)) }}
{{- end }}
{{- end }}
{{- if and .Values.serviceMonitor.enabled (not .Values.service.enabled) }}
{{- fail "serviceMonitor.enabled needs service.enabled: it is the Service that a ServiceMonitor selects" }}
{{- end }}
{{- end }}
