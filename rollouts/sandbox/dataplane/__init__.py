"""
The sandbox's ingress: real nginx that behaves as ingress-nginx does, and its metrics.

nginx is configured once and never reloaded: routes, weights and endpoints are in a shared
dictionary that njs reads for each request (`route.js`) and the `Configurator` keeps equal
to the Ingresses, Services and EndpointSlices of a cluster. So a change closes no connection
and loses no request. The `Exporter` turns nginx's access log into ingress-nginx's metrics.
"""
