// Sends a copy of a request elsewhere. Its answer is thrown away, and nobody waits for it.
//
// A detached subrequest alone would keep the client's connection from its next request until
// the copy is answered. So it ends at our own control port, which takes the copy and answers
// at once (`take`), and sends it on after that: nginx's post_action.

import lookup from 'lookup.js';

// $request_uri and the like, as nginx fills them in.
function filled(r, text) {
    return text.replace(/\$\{?(\w+)\}?/g, (all, name) => r.variables[name] || '');
}

// {backend or peer, uri, host, body, numerator, denominator}; what is left out is the request's own.
function send(r, mirror) {
    if (mirror.denominator && lookup.draw(r, lookup.LOTS.mirror, mirror.denominator) >= mirror.numerator) {
        return;
    }
    const peers = mirror.peer ? [mirror.peer] : lookup.endpointsOf(lookup.leafOf(r, mirror.backend));
    if (!peers.length) {
        return;
    }
    const turn = ngx.shared.turns.incr('mirror', 1, 0);
    const copy = {
        peer: peers[turn % peers.length],
        uri: mirror.uri ? filled(r, mirror.uri) : r.variables.rollouts_uri,
        host: mirror.host || r.variables.http_host || '',
        method: r.method,
    };
    const args = Object.keys(copy).map((name) => `${name}=${encodeURIComponent(copy[name])}`);
    const options = {method: r.method, args: args.join('&'), detached: true};
    r.subrequest('/.sandbox/mirror', mirror.body === false ? Object.assign({body: ''}, options) : options);
}

function take(r) {
    r.variables.rollouts_peer = r.args.peer;
    r.variables.rollouts_uri = r.args.uri;
    r.variables.rollouts_authority = r.args.host;
    r.variables.rollouts_method = r.args.method;
    r.return(204);
}

export default {send, take};
