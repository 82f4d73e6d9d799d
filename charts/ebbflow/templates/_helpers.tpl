{{/* Short name of the chart. */}}
{{- define "ebbflow.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{/* Name of every object of the release. */}}
{{- define "ebbflow.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride }}
{{- else if contains (include "ebbflow.name" .) .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "ebbflow.name" .) | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* Labels by which the operator's pod is found; they never change. */}}
{{- define "ebbflow.selectorLabels" -}}
app.kubernetes.io/name: {{ include "ebbflow.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end }}

{{- define "ebbflow.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "ebbflow.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "ebbflow.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "ebbflow.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "ebbflow.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{/* The Service of the worker API. Its name is also the name in the certificate. */}}
{{- define "ebbflow.workerService" -}}
{{- printf "%s-worker" (include "ebbflow.fullname" .) }}
{{- end }}

{{- define "ebbflow.workerServerName" -}}
{{- printf "%s.%s.svc" (include "ebbflow.workerService" .) .Release.Namespace }}
{{- end }}

{{/* The address that workers dial: by default what the kubelet puts into the environment for the Service. */}}
{{- define "ebbflow.workerHost" -}}
{{- if .Values.workerApi.host }}
{{- .Values.workerApi.host }}
{{- else }}
{{- printf "$(%s_SERVICE_HOST)" (include "ebbflow.workerService" . | upper | replace "-" "_") }}
{{- end }}
{{- end }}

{{- define "ebbflow.tlsSecret" -}}
{{- default (printf "%s-worker-tls" (include "ebbflow.fullname" .)) .Values.workerApi.tls.existingSecret }}
{{- end }}
