// What HTTPRoutes and GRPCRoutes say of a request.
//
// Under `gateway:<host>` is a list of matches, the most specific first, each
//   {type, path, method, headers, query: [[name, value, "~" for a pattern]], rule}
// and a rule is {route, shares: [[{backend, request, response}, weight]], mirrors, request,
// response, redirect, rewrite}; backend is "" when it can't be resolved.

import lookup from 'lookup.js';

const DEFAULT_PORTS = {http: 80, https: 443};

// As Envoy, a pattern has to match the whole value.
function fits(value, wanted, pattern) {
    if (!pattern) {
        return value === wanted;
    }
    try {
        return new RegExp(`^(?:${wanted})$`).test(value);
    } catch (e) {
        return false;
    }
}

function pathFits(match, uri) {
    if (match.type === 'PathPrefix') {
        const stem = match.path.endsWith('/') ? match.path.slice(0, -1) : match.path;
        return uri === stem || uri.startsWith(`${stem}/`);
    }
    return fits(uri, match.path, match.type === 'RegularExpression');
}

function all(wanted, given) {
    return wanted.every((each) => {
        const value = given(each[0]);
        return value !== undefined && fits(Array.isArray(value) ? value[0] : value, each[1], each[2]);
    });
}

function matches(r, match) {
    return pathFits(match, r.uri) && (!match.method || match.method === r.method)
        && all(match.headers, (name) => r.headersIn[name]) && all(match.query, (name) => r.args[name]);
}

function find(r, host) {
    const listed = lookup.read(`gateway:${host}`);
    return listed ? listed.find((each) => matches(r, each)) : undefined;
}

// The path after a ReplaceFullPath or a ReplacePrefixMatch, as it is to be sent.
function newPath(path, match, sent) {
    if (!path) {
        return sent;
    }
    if (path.type === 'ReplaceFullPath') {
        return path.replaceFullPath || '/';
    }
    const stem = match.path.endsWith('/') ? match.path.slice(0, -1) : match.path;
    const rest = sent.slice(stem.length).replace(/^\/+/, '');
    const start = (path.replacePrefixMatch || '').replace(/\/+$/, '');
    return rest ? `${start}/${rest}` : start || '/';
}

function splitUri(r) {
    const uri = r.variables.request_uri;
    const at = uri.indexOf('?');
    return at === -1 ? [uri, ''] : [uri.slice(0, at), uri.slice(at)];
}

function redirection(r, match) {
    const wanted = match.rule.redirect;
    const scheme = wanted.scheme || r.variables.scheme;
    const own = wanted.scheme ? DEFAULT_PORTS[scheme] : Number(r.variables.server_port);
    const port = wanted.port || own;
    const uri = splitUri(r);
    const authority = (wanted.hostname || r.variables.host) + (port === DEFAULT_PORTS[scheme] ? '' : `:${port}`);
    const path = newPath(wanted.path, match, uri[0]) + uri[1];
    return {status: wanted.statusCode || 302, location: `${scheme}://${authority}${path}`};
}

function clean(text) {
    return String(text).replace(/[\r\n]/g, ' ');
}

// Applies {set, add, remove} to [[name, value], …].
function modified(headers, modifier) {
    const named = (name) => (each) => each[0].toLowerCase() === name.toLowerCase();
    let found = headers;
    (modifier.remove || []).forEach((name) => {
        found = found.filter((each) => !named(name)(each));
    });
    (modifier.set || []).forEach((header) => {
        found = found.filter((each) => !named(header.name)(each)).concat([[header.name, clean(header.value)]]);
    });
    (modifier.add || []).forEach((header) => {
        found = found.concat([[header.name, clean(header.value)]]);
    });
    return found;
}

// Returns {backend, mirrors}, or {status, location}; and says in the log's variables whose request it is.
function chosen(r, match) {
    const rule = match.rule;
    r.variables.rollouts_route = rule.route;
    if (rule.redirect) {
        return redirection(r, match);
    }
    const share = lookup.weighted(r, lookup.LOTS.route, rule.shares);
    if (!share || !share.backend) {
        return {status: 500};
    }
    if (rule.rewrite) {
        const uri = splitUri(r);
        r.variables.rollouts_uri = newPath(rule.rewrite.path, match, uri[0]) + uri[1];
        r.variables.rollouts_authority = rule.rewrite.hostname || r.variables.http_host;
    }
    const of = (side) => [rule[side], share[side]].filter((each) => each);
    return {backend: share.backend, mirrors: rule.mirrors, request: of('request'), response: of('response')};
}

export default {chosen, find, modified};
