"""
The protobuf messages that kubectl sends: field number → `name:type`.

No type is a string; `[]` a repeated field, `{}` a map from strings, `!` a field in which zero
is not the same as absent. Source: generated.proto of k8s.io/api and k8s.io/apimachinery.
"""

KINDS = (
    "ClusterRole", "ClusterRoleBinding", "ConfigMap", "DeleteOptions", "Deployment",
    "Eviction", "HorizontalPodAutoscaler", "Ingress", "Namespace", "Pod", "PodDisruptionBudget", "Role", "RoleBinding", "Secret", "SelfSubjectAccessReview",
    "SelfSubjectReview", "SelfSubjectRulesReview", "Service", "ServiceAccount",
    "SubjectAccessReview",
)  # fmt: skip

_META = {1: "metadata:ObjectMeta"}
_ROLE = {**_META, 2: "rules:[]PolicyRule"}
_BINDING = {**_META, 2: "subjects:[]Subject", 3: "roleRef:RoleRef"}

MESSAGES: dict[str, dict[int, str]] = {
    "Unknown": {1: "typeMeta:TypeMeta", 2: "raw:bytes", 3: "contentEncoding", 4: "contentType"},
    "TypeMeta": {1: "apiVersion", 2: "kind"},
    "ObjectMeta": {
        1: "name", 2: "generateName", 3: "namespace", 4: "selfLink", 5: "uid",
        6: "resourceVersion", 7: "generation:int", 8: "creationTimestamp:Time",
        11: "labels:{}", 12: "annotations:{}", 13: "ownerReferences:[]OwnerReference",
        14: "finalizers:[]",
    },
    "OwnerReference": {
        1: "kind", 3: "name", 4: "uid", 5: "apiVersion", 6: "controller:bool!",
        7: "blockOwnerDeletion:bool!",
    },
    "Time": {},
    "Quantity": {1: "string"},
    "IntOrString": {1: "isString:int", 2: "number:int", 3: "string"},
    "DeleteOptions": {
        1: "gracePeriodSeconds:int!", 2: "preconditions:Preconditions",
        3: "orphanDependents:bool!", 4: "propagationPolicy", 5: "dryRun:[]",
    },
    "Preconditions": {1: "uid", 2: "resourceVersion"},
    "Namespace": {**_META, 2: "spec:NamespaceSpec", 3: "status:NamespaceStatus"},
    "NamespaceSpec": {1: "finalizers:[]"},
    "NamespaceStatus": {1: "phase"},
    "ConfigMap": {**_META, 2: "data:{}", 3: "binaryData:{}bytes", 4: "immutable:bool!"},
    "Secret": {**_META, 2: "data:{}bytes", 3: "type", 4: "stringData:{}", 5: "immutable:bool!"},
    "ServiceAccount": {
        **_META, 3: "imagePullSecrets:[]LocalObjectReference",
        4: "automountServiceAccountToken:bool!",
    },
    "LocalObjectReference": {1: "name"},
    "Pod": {**_META, 2: "spec:PodSpec", 3: "status:PodStatus"},
    "PodStatus": {},
    "PodTemplateSpec": {**_META, 2: "spec:PodSpec"},
    "PodSpec": {
        2: "containers:[]Container", 3: "restartPolicy", 4: "terminationGracePeriodSeconds:int!",
        5: "activeDeadlineSeconds:int!", 6: "dnsPolicy", 7: "nodeSelector:{}",
        8: "serviceAccountName", 9: "serviceAccount", 10: "nodeName", 11: "hostNetwork:bool",
        12: "hostPID:bool", 13: "hostIPC:bool", 14: "securityContext:Empty",
        15: "imagePullSecrets:[]LocalObjectReference", 16: "hostname", 17: "subdomain",
        19: "schedulerName", 20: "initContainers:[]Container", 24: "priorityClassName",
    },
    "Empty": {},
    "Container": {
        1: "name", 2: "image", 3: "command:[]", 4: "args:[]", 5: "workingDir",
        6: "ports:[]ContainerPort", 7: "env:[]EnvVar", 8: "resources:ResourceRequirements",
        9: "volumeMounts:[]VolumeMount", 13: "terminationMessagePath", 14: "imagePullPolicy",
        16: "stdin:bool", 17: "stdinOnce:bool", 18: "tty:bool", 20: "terminationMessagePolicy",
    },
    "ContainerPort": {1: "name", 2: "hostPort:int", 3: "containerPort:int", 4: "protocol", 5: "hostIP"},
    "EnvVar": {1: "name", 2: "value"},
    "ResourceRequirements": {1: "limits:{}Quantity", 2: "requests:{}Quantity"},
    "VolumeMount": {1: "name", 2: "readOnly:bool", 3: "mountPath", 4: "subPath"},
    "Deployment": {**_META, 2: "spec:DeploymentSpec", 3: "status:Empty"},
    "DeploymentSpec": {
        1: "replicas:int!", 2: "selector:LabelSelector", 3: "template:PodTemplateSpec",
        4: "strategy:DeploymentStrategy", 5: "minReadySeconds:int", 6: "revisionHistoryLimit:int!",
        7: "paused:bool", 9: "progressDeadlineSeconds:int!",
    },
    "DeploymentStrategy": {1: "type", 2: "rollingUpdate:RollingUpdateDeployment"},
    "RollingUpdateDeployment": {1: "maxUnavailable:IntOrString!", 2: "maxSurge:IntOrString!"},
    "Eviction": {**_META, 2: "deleteOptions:DeleteOptions"},
    "PodDisruptionBudget": {**_META, 2: "spec:PodDisruptionBudgetSpec", 3: "status:Empty"},
    "PodDisruptionBudgetSpec": {
        1: "minAvailable:IntOrString", 2: "selector:LabelSelector", 3: "maxUnavailable:IntOrString",
        4: "unhealthyPodEvictionPolicy",
    },
    "HorizontalPodAutoscaler": {**_META, 2: "spec:HorizontalPodAutoscalerSpec", 3: "status:Empty"},
    "HorizontalPodAutoscalerSpec": {
        1: "scaleTargetRef:CrossVersionObjectReference", 2: "minReplicas:int", 3: "maxReplicas:int",
        4: "metrics:[]MetricSpec",
    },
    "CrossVersionObjectReference": {1: "kind", 2: "name", 3: "apiVersion"},
    "MetricSpec": {1: "type", 4: "resource:ResourceMetricSource"},
    "ResourceMetricSource": {1: "name", 2: "target:MetricTarget"},
    "MetricTarget": {
        1: "type", 2: "value:Quantity", 3: "averageValue:Quantity", 4: "averageUtilization:int",
    },
    "LabelSelector": {1: "matchLabels:{}", 2: "matchExpressions:[]LabelSelectorRequirement"},
    "LabelSelectorRequirement": {1: "key", 2: "operator", 3: "values:[]"},
    "Service": {**_META, 2: "spec:ServiceSpec", 3: "status:ServiceStatus"},
    "ServiceStatus": {1: "loadBalancer:Empty"},
    "ServiceSpec": {
        1: "ports:[]ServicePort", 2: "selector:{}", 3: "clusterIP", 4: "type", 5: "externalIPs:[]",
        7: "sessionAffinity", 8: "loadBalancerIP", 10: "externalName", 11: "externalTrafficPolicy",
    },
    "ServicePort": {
        1: "name", 2: "protocol", 3: "port:int", 4: "targetPort:IntOrString", 5: "nodePort:int",
        6: "appProtocol",
    },
    "Ingress": {**_META, 2: "spec:IngressSpec", 3: "status:IngressStatus"},
    "IngressStatus": {1: "loadBalancer:Empty"},
    "IngressSpec": {
        1: "defaultBackend:IngressBackend", 2: "tls:[]IngressTLS", 3: "rules:[]IngressRule",
        4: "ingressClassName",
    },
    "IngressTLS": {1: "hosts:[]", 2: "secretName"},
    "IngressRule": {1: "host", 2: "IngressRuleValue:inline"},
    "IngressRuleValue": {1: "http:HTTPIngressRuleValue"},
    "HTTPIngressRuleValue": {1: "paths:[]HTTPIngressPath"},
    "HTTPIngressPath": {1: "path", 2: "backend:IngressBackend", 3: "pathType"},
    "IngressBackend": {4: "service:IngressServiceBackend"},
    "IngressServiceBackend": {1: "name", 2: "port:ServiceBackendPort"},
    "ServiceBackendPort": {1: "name", 2: "number:int"},
    "Role": _ROLE,
    "ClusterRole": _ROLE,
    "RoleBinding": _BINDING,
    "ClusterRoleBinding": _BINDING,
    "PolicyRule": {
        1: "verbs:[]", 2: "apiGroups:[]", 3: "resources:[]", 4: "resourceNames:[]",
        5: "nonResourceURLs:[]",
    },
    "Subject": {1: "kind", 2: "apiGroup", 3: "name", 4: "namespace"},
    "RoleRef": {1: "apiGroup", 2: "kind", 3: "name"},
    "SelfSubjectAccessReview": {**_META, 2: "spec:AccessReviewSpec", 3: "status:AccessReviewStatus"},
    "SubjectAccessReview": {**_META, 2: "spec:UserAccessReviewSpec", 3: "status:AccessReviewStatus"},
    "AccessReviewSpec": {
        1: "resourceAttributes:ResourceAttributes", 2: "nonResourceAttributes:NonResourceAttributes",
    },
    "UserAccessReviewSpec": {
        1: "resourceAttributes:ResourceAttributes", 2: "nonResourceAttributes:NonResourceAttributes",
        3: "user", 4: "groups:[]",
    },
    "AccessReviewStatus": {1: "allowed:bool", 2: "reason", 3: "evaluationError", 4: "denied:bool"},
    "ResourceAttributes": {
        1: "namespace", 2: "verb", 3: "group", 4: "version", 5: "resource", 6: "subresource",
        7: "name",
    },
    "NonResourceAttributes": {1: "path", 2: "verb"},
    "SelfSubjectRulesReview": {**_META, 2: "spec:RulesReviewSpec", 3: "status:RulesReviewStatus"},
    "RulesReviewSpec": {1: "namespace"},
    "RulesReviewStatus": {3: "incomplete:bool"},
    "SelfSubjectReview": {**_META, 2: "status:SelfReviewStatus"},
    "SelfReviewStatus": {1: "userInfo:Empty"},
}  # fmt: skip
