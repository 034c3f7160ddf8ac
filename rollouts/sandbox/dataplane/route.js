// Chooses, for each request, the pod that answers it; and takes new routes without a reload.
//
// The shared dictionary `routes` is written only by `update` and holds
//   host:<host>          paths of that host, most specific first, as JSON
//   canary:<backend>     the canary of a backend and its traffic policy, as JSON
//   endpoints:<backend>  "address:port address:port …"; absent when there are none
// `turns` counts requests per backend, for round robin.

const ATTEMPTS = 3;
// As nginx: what is not idempotent is sent to one pod only, unless no connection was made.
const SENT_ONCE = ['POST', 'LOCK', 'PATCH'];
const REASONS = {404: 'Not Found', 502: 'Bad Gateway', 503: 'Service Temporarily Unavailable', 504: 'Gateway Time-out'};

function answer(r, status) {
    r.headersOut['Content-Type'] = 'text/plain';
    r.return(status, `${status} ${REASONS[status] || 'Error'} (nginx)\n`);
}

function read(key) {
    const text = ngx.shared.routes.get(key);
    return text ? JSON.parse(text) : null;
}

function pathsOf(host) {
    const exact = read(`host:${host}`);
    if (exact) {
        return exact;
    }
    // As nginx's server_name: the longest wildcard wins, and it spans several labels.
    for (let dot = host.indexOf('.'); dot !== -1; dot = host.indexOf('.', dot + 1)) {
        const wildcard = read(`host:*${host.slice(dot)}`);
        if (wildcard) {
            return wildcard;
        }
    }
    return read('host:');
}

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
    // $request_id is random; Math.random() may start alike in every request's own VM.
    return parseInt(r.variables.request_id.slice(0, 8), 16) % canary.total < canary.weight;
}

function endpointsOf(backend) {
    const text = ngx.shared.routes.get(`endpoints:${backend}`);
    return text ? text.split(' ') : [];
}

function nextPeer(backend, tried) {
    const all = endpointsOf(backend);
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

function route(r) {
    const hit = (pathsOf(r.variables.host) || []).find((each) => matches(each, r.uri));
    if (!hit) {
        return answer(r, 404);
    }
    r.variables.rollouts_namespace = hit.namespace;
    r.variables.rollouts_ingress = hit.ingress;
    r.variables.rollouts_service = hit.service;
    r.variables.rollouts_path = hit.path;
    r.variables.rollouts_host = hit.host;
    let backend = hit.backend;
    const canary = read(`canary:${backend}`);
    // A canary without endpoints gets nothing, and a backend without endpoints none by its canary.
    if (canary && endpointsOf(backend).length && endpointsOf(canary.backend).length && wantsCanary(r, canary)) {
        backend = canary.backend;
        r.variables.rollouts_canary = backend;
    }
    r.variables.rollouts_backend = backend;
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
