// Session affinity by cookie, as ingress-nginx has it: "<key>|<hash of the backend>". The key
// picks the pod; a cookie of another backend counts for nothing.

import crypto from 'crypto';

function hashOf(backend) {
    return crypto.createHash('md5').update(backend).digest('hex');
}

// The key of the request's cookie for that backend, or ''.
function keyOf(r, cookie, backend) {
    const parts = decodeURIComponent(r.variables[`cookie_${cookie}`] || '').split('|');
    return parts.length === 2 && parts[1] === hashOf(backend) ? parts[0] : '';
}

// Ties the request to a pod of the backend, and the client by a new cookie if it has none.
function tie(r, cookie, backend) {
    const key = keyOf(r, cookie, backend);
    r.variables.rollouts_key = key || r.variables.request_id;
    if (!key) {
        r.variables.rollouts_cookie = `${cookie}=${r.variables.rollouts_key}|${hashOf(backend)}; Path=/; HttpOnly`;
    }
}

function pick(key, peers) {
    return peers[parseInt(hashOf(key).slice(0, 8), 16) % peers.length];
}

export default {keyOf, pick, tie};
