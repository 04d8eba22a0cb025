{{/* Environment of the container. The address to listen on is the image's business. */}}
{{- define "service.environment" -}}
- name: SELFHEAL_SERVICE_NAME
  value: {{ include "service.app" . | quote }}
- name: SELFHEAL_SERVICE_VERSION
  value: {{ include "service.tag" . | quote }}
- name: SELFHEAL_SERVICE_PORT
  value: "8080"
- name: SELFHEAL_SERVICE_LOG_LEVEL
  value: {{ .Values.logLevel | quote }}
- name: SELFHEAL_SERVICE_PRACTICE
  value: {{ .Values.practice | quote }}
- name: SELFHEAL_SERVICE_DRAIN_SECONDS
  value: {{ .Values.shutdown.drainSeconds | quote }}
- name: SELFHEAL_SERVICE_LINGER_SECONDS
  value: {{ .Values.shutdown.lingerSeconds | quote }}
- name: SELFHEAL_SERVICE_FINISH_SECONDS
  value: {{ .Values.shutdown.finishSeconds | quote }}
{{- with .Values.tracing.endpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ . | quote }}
# The stable names of HTTP attributes.
- name: OTEL_SEMCONV_STABILITY_OPT_IN
  value: http
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: OTEL_RESOURCE_ATTRIBUTES
  value: k8s.namespace.name={{ $.Release.Namespace }},k8s.pod.name=$(POD_NAME),selfheal.track={{ $.Values.track }}
{{- end }}
{{- range .Values.extraEnv }}
- name: {{ .name | quote }}
  value: {{ .value | quote }}
{{- end }}
{{- end }}

{{- define "service.probes" -}}
startupProbe:
  {{- include "service.probe" (dict "path" "/health" "numbers" .Values.probes.startup) | nindent 2 }}
  initialDelaySeconds: {{ .Values.probes.startup.initialDelaySeconds }}
livenessProbe:
  {{- include "service.probe" (dict "path" "/health" "numbers" .Values.probes.liveness) | nindent 2 }}
  terminationGracePeriodSeconds: {{ .Values.probes.liveness.graceSeconds }}
readinessProbe:
  {{- include "service.probe" (dict "path" "/ready" "numbers" .Values.probes.readiness) | nindent 2 }}
{{- end }}

{{- define "service.probe" -}}
httpGet:
  path: {{ .path }}
  port: http
  scheme: HTTP
periodSeconds: {{ .numbers.periodSeconds }}
timeoutSeconds: {{ .numbers.timeoutSeconds }}
failureThreshold: {{ .numbers.failureThreshold }}
successThreshold: 1
{{- end }}
