{{- define "rollouts.name" -}}
{{ .Values.fullnameOverride | default .Release.Name | trunc 52 | trimSuffix "-" }}
{{- end }}

{{- define "rollouts.selector" -}}
app.kubernetes.io/name: rollouts
app.kubernetes.io/instance: {{ include "rollouts.name" . | quote }}
{{- end }}

{{- define "rollouts.labels" -}}
{{ include "rollouts.selector" . }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "rollouts.serviceAccount" -}}
{{ .Values.serviceAccount.name | default (include "rollouts.name" .) }}
{{- end }}

{{- define "rollouts.image" -}}
{{ .Values.image.repository }}{{ with .Values.image.digest }}@{{ . }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{- /* The options of the files that a key of Prometheus' Secret is mounted as. */}}
{{- define "rollouts.prometheusArgs" -}}
{{- with .Values.prometheus }}
{{- with .username }}
- {{ printf "--prometheus-username=%s" . | quote }}
{{- end }}
{{- range $option, $key := dict "token" .tokenKey "password" .passwordKey "ca" .caKey "cert" .certKey "key" .keyKey }}
{{- with $key }}
{{- if not $.Values.prometheus.secretName }}
{{- fail (printf "prometheus.%sKey names a key of a Secret: say which in prometheus.secretName" $option) }}
{{- end }}
- {{ printf "--prometheus-%s-file=/etc/rollouts/prometheus/%s" $option . | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
