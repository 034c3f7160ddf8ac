// Chooses, for each request, the pod that answers it; and takes new routes without a reload.

import ingress from 'ingress.js';
import lookup from 'lookup.js';

const ATTEMPTS = 3;
// As nginx: what is not idempotent is sent to one pod only, unless no connection was made.
const SENT_ONCE = ['POST', 'LOCK', 'PATCH'];
const REASONS = {404: 'Not Found', 500: 'Internal Server Error', 502: 'Bad Gateway', 503: 'Service Temporarily Unavailable', 504: 'Gateway Time-out'};

function answer(r, status) {
    r.headersOut['Content-Type'] = 'text/plain';
    r.return(status, `${status} ${REASONS[status] || 'Error'} (nginx)\n`);
}

function nextPeer(backend, tried) {
    const all = lookup.endpointsOf(backend);
    const fresh = all.filter((peer) => !tried.includes(peer));
    const choice = fresh.length ? fresh : all;
    // A second attempt takes no turn: with a dead pod of two, every request would meet it first.
    const turn = tried.length ? ngx.shared.turns.get(backend) || 0 : ngx.shared.turns.incr(backend, 1, 0);
    return choice.length ? choice[turn % choice.length] : '';
}

function pass(r, tried) {
    const peer = nextPeer(r.variables.rollouts_backend, tried);
    if (!peer) {
        return answer(r, 503);
    }
    r.variables.rollouts_peer = peer;
    r.variables.rollouts_tried = tried.concat(peer).join(' ');
    return r.internalRedirect('@pod');
}

// As nginx, the most specific server_name decides, whether it has the path or not.
function ingressRule(r) {
    const name = lookup.namesOf(r.variables.host).find((each) => ngx.shared.routes.has(`host:${each}`));
    return name === undefined ? undefined : lookup.read(`host:${name}`).find((each) => ingress.matches(each, r.uri));
}

function route(r) {
    const hit = ingressRule(r);
    if (!hit) {
        return answer(r, 404);
    }
    r.variables.rollouts_backend = lookup.leafOf(r, ingress.chosen(r, hit).backend);
    return pass(r, []);
}

// After nginx could not connect, or got no answer.
function retry(r) {
    const tried = r.variables.rollouts_tried.split(' ');
    const times = (r.variables.upstream_connect_time || '-').split(/[,:] /);
    const connected = times[times.length - 1].trim() !== '-';
    if (tried.length >= ATTEMPTS || (connected && SENT_ONCE.includes(r.method))) {
        return answer(r, Number(r.variables.status) || 502);
    }
    return pass(r, tried);
}

// {"set": {key: text}, "delete": [key]}, applied between two requests.
function update(r) {
    const change = JSON.parse(r.requestText);
    change['delete'].forEach((key) => {
        ngx.shared.routes.delete(key);
        if (key.startsWith('endpoints:')) {
            ngx.shared.turns.delete(key.slice('endpoints:'.length));
        }
    });
    Object.keys(change.set).forEach((key) => ngx.shared.routes.set(key, change.set[key]));
    r.return(204);
}

export default {route, retry, update};
