// What every request asks of the routing table, and how it draws lots.
//
// The shared dictionary `routes` is written only by route.update and holds
//   host:<host>          an Ingress host's paths, most specific first, as JSON
//   gateway:<host>       what HTTPRoutes and GRPCRoutes say of a host, see gateway.js
//   canary:<backend>     the canary of an Ingress's backend and its traffic policy, as JSON
//   split:<backend>      a TrafficSplit's shares, as JSON: [[backend, weight], …]
//   endpoints:<backend>  "address:port address:port …"; absent when there are none
// `turns` counts requests per backend, for round robin.

function read(key) {
    const text = ngx.shared.routes.get(key);
    return text ? JSON.parse(text) : null;
}

// The names under which a host may be listed: itself, then wildcards, the longest first, then any.
function namesOf(host) {
    const names = [host];
    for (let dot = host.indexOf('.'); dot !== -1; dot = host.indexOf('.', dot + 1)) {
        names.push(`*${host.slice(dot)}`);
    }
    return names.concat('');
}

function endpointsOf(backend) {
    const text = ngx.shared.routes.get(`endpoints:${backend}`);
    return text ? text.split(' ') : [];
}

// $request_id is random (Math.random() may start alike in every request's own VM), and long
// enough for four draws that do not depend on each other.
function draw(r, lot, total) {
    return parseInt(r.variables.request_id.slice(lot * 8, lot * 8 + 8), 16) % total;
}

const LOTS = {canary: 0, route: 1, split: 2, mirror: 3};

// One of [[what, weight], …], by weight; undefined when no weight is above 0.
function weighted(r, lot, shares) {
    const total = shares.reduce((sum, share) => sum + share[1], 0);
    let left = total ? draw(r, lot, total) : -1;
    const found = total ? shares.find((share) => (left -= share[1]) < 0) : undefined;
    return found && found[0];
}

function leafOf(r, backend) {
    const shares = read(`split:${backend}`);
    return shares ? weighted(r, LOTS.split, shares) : backend;
}

function isServed(backend) {
    return endpointsOf(backend).length > 0 || ngx.shared.routes.has(`split:${backend}`);
}

export default {LOTS, draw, endpointsOf, isServed, leafOf, namesOf, read, weighted};
