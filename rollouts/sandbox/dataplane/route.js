// Chooses, for each request, the pod that answers it; and takes new routes without a reload.

import affinity from 'affinity.js';
import gateway from 'gateway.js';
import ingress from 'ingress.js';
import lookup from 'lookup.js';
import mirroring from 'mirroring.js';

const ATTEMPTS = 3;
// As nginx: what is not idempotent is sent to one pod only, unless no connection was made.
const SENT_ONCE = ['POST', 'LOCK', 'PATCH'];
const OWN_HEADERS = /^(host|connection|upgrade|content-length|transfer-encoding|keep-alive|te|expect|x-request-id|x-real-ip|x-forwarded-(for|host|port|proto|scheme)|x-scheme)$/i;
const REASONS = {404: 'Not Found', 500: 'Internal Server Error', 502: 'Bad Gateway', 503: 'Service Temporarily Unavailable', 504: 'Gateway Time-out'};

function answer(r, status) {
    r.headersOut['Content-Type'] = 'text/plain';
    r.return(status, `${status} ${REASONS[status] || 'Error'} (nginx)\n`);
}

function nextPeer(r, backend, tried) {
    const all = lookup.endpointsOf(backend);
    const fresh = all.filter((peer) => !tried.includes(peer));
    const choice = fresh.length ? fresh : all;
    if (r.variables.rollouts_key && choice.length) {
        return affinity.pick(r.variables.rollouts_key, choice);
    }
    // A second attempt takes no turn: with a dead pod of two, every request would meet it first.
    const turn = tried.length ? ngx.shared.turns.get(backend) || 0 : ngx.shared.turns.incr(backend, 1, 0);
    return choice.length ? choice[turn % choice.length] : '';
}

function pass(r, tried) {
    const peer = nextPeer(r, r.variables.rollouts_backend, tried);
    if (!peer) {
        return answer(r, 503);
    }
    r.variables.rollouts_peer = peer;
    r.variables.rollouts_tried = tried.concat(peer).join(' ');
    if ((r.headersIn['Content-Type'] || '').startsWith('application/grpc')) {
        return r.internalRedirect('@grpc');
    }
    return r.internalRedirect(r.variables.rollouts_headers ? '@changed' : '@pod');
}

// Who has the most specific name of the host goes first; of two, the Ingress. An Ingress's host
// stands, as nginx's server_name, for all of its paths; after it, routes are asked all the same.
// The Gateway's own port knows no Ingresses.
function ruleFor(r) {
    const names = lookup.namesOf(r.variables.host);
    const server = r.variables.rollouts_gateway_only ? undefined : names.find((each) => ngx.shared.routes.has(`host:${each}`));
    let found;
    names.some((name) => {
        const path = name === server ? lookup.read(`host:${name}`).find((each) => ingress.matches(each, r.uri)) : undefined;
        const match = path ? undefined : gateway.find(r, name);
        found = path ? ingress.chosen(r, path) : match && gateway.chosen(r, match);
        return found;
    });
    return found;
}

function route(r) {
    r.variables.rollouts_uri = r.variables.request_uri;
    r.variables.rollouts_authority = r.variables.http_host || '';
    const found = ruleFor(r);
    if (!found) {
        return answer(r, 404);
    }
    if (found.location) {
        return r.return(found.status, found.location);
    }
    if (found.status) {
        return answer(r, found.status);
    }
    found.mirrors.forEach((each) => mirroring.send(r, each));
    r.variables.rollouts_backend = lookup.leafOf(r, found.backend);
    if (found.affinity) {
        affinity.tie(r, found.affinity, found.backend);
    }
    r.variables.rollouts_response = found.response && found.response.length ? JSON.stringify(found.response) : '';
    if (found.request && found.request.length) {
        r.variables.rollouts_headers = block(r, found.request);
    }
    return pass(r, []);
}

// The client's headers after the modifiers, as raw text: nginx can't change a header that is
// known by name only when the request is there. What nginx itself sends on is left to it.
function block(r, modifiers) {
    const others = r.rawHeadersIn.filter((each) => !OWN_HEADERS.test(each[0]));
    return modifiers.reduce(gateway.modified, others).map((each) => `\r\n${each[0]}: ${each[1]}`).join('');
}

function respond(r) {
    if (r.variables.rollouts_cookie) {
        r.headersOut['Set-Cookie'] = [].concat(r.headersOut['Set-Cookie'] || [], r.variables.rollouts_cookie);
    }
    if (!r.variables.rollouts_response) {
        return;
    }
    JSON.parse(r.variables.rollouts_response).forEach((modifier) => {
        (modifier.remove || []).forEach((name) => {
            delete r.headersOut[name];
        });
        (modifier.set || []).forEach((header) => {
            r.headersOut[header.name] = header.value;
        });
        (modifier.add || []).forEach((header) => {
            const before = r.headersOut[header.name];
            r.headersOut[header.name] = before === undefined ? header.value : [].concat(before, header.value);
        });
    });
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

export default {respond, retry, route, take: mirroring.take, update};
