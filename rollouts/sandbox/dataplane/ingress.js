// What Ingresses say of a request: its path, and whether the canary gets it.

import lookup from 'lookup.js';

function matches(route, uri) {
    if (route.type === 'Exact') {
        return uri === route.path;
    }
    if (route.type === 'Prefix') {
        const stem = route.path.endsWith('/') ? route.path.slice(0, -1) : route.path;
        return uri === stem || uri.startsWith(`${stem}/`);
    }
    return uri.startsWith(route.path);
}

function wantsCanary(r, canary) {
    const header = canary.header ? r.headersIn[canary.header] : undefined;
    if (header !== undefined) {
        if (canary.headerValue) {
            if (header === canary.headerValue) {
                return true;
            }
        } else if (canary.headerPattern) {
            try {
                if (new RegExp(canary.headerPattern).test(header)) {
                    return true;
                }
            } catch (e) {
                return false;
            }
        } else if (header === 'always' || header === 'never') {
            return header === 'always';
        }
    }
    const cookie = canary.cookie ? r.variables[`cookie_${canary.cookie}`] : undefined;
    if (cookie === 'always' || cookie === 'never') {
        return cookie === 'always';
    }
    return lookup.draw(r, lookup.LOTS.canary, canary.total) < canary.weight;
}

// A canary without endpoints gets nothing, and a backend without endpoints none by its canary.
function canaryOf(r, backend) {
    const canary = lookup.read(`canary:${backend}`);
    const possible = canary && lookup.isServed(backend) && lookup.isServed(canary.backend);
    return possible && wantsCanary(r, canary) ? canary.backend : '';
}

// Returns {backend, mirrors}, and says in the log's variables whose request it is.
function chosen(r, hit) {
    const canary = canaryOf(r, hit.backend);
    r.variables.rollouts_namespace = hit.namespace;
    r.variables.rollouts_ingress = hit.ingress;
    r.variables.rollouts_service = hit.service;
    r.variables.rollouts_path = hit.path;
    r.variables.rollouts_host = hit.host;
    r.variables.rollouts_canary = canary;
    return {backend: canary || hit.backend, mirrors: hit.mirror ? [hit.mirror] : []};
}

export default {chosen, matches};
