// What Ingresses say of a request: its path, and whether the canary gets it.

import affinity from 'affinity.js';
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
// Who has a cookie of one of the two stays there, whatever header, cookie and weight say.
function canaryOf(r, hit) {
    const canary = lookup.read(`canary:${hit.backend}`);
    if (!canary || !lookup.isServed(hit.backend) || !lookup.isServed(canary.backend)) {
        return '';
    }
    const pinned = hit.pins ? [hit.backend, canary.backend].find((each) => affinity.keyOf(r, hit.affinity, each)) : undefined;
    const wanted = pinned ? pinned === canary.backend : wantsCanary(r, canary);
    return wanted ? canary.backend : '';
}

// Returns {backend, mirrors, affinity}, and says in the log's variables whose request it is.
function chosen(r, hit) {
    const canary = canaryOf(r, hit);
    r.variables.rollouts_namespace = hit.namespace;
    r.variables.rollouts_ingress = hit.ingress;
    r.variables.rollouts_service = hit.service;
    r.variables.rollouts_path = hit.path;
    r.variables.rollouts_host = hit.host;
    r.variables.rollouts_canary = canary;
    return {backend: canary || hit.backend, mirrors: hit.mirror ? [hit.mirror] : [], affinity: hit.affinity};
}

export default {chosen, matches};
