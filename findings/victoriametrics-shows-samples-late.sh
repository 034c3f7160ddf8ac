#!/bin/sh
# VictoriaMetrics shows what it has scraped up to 4 s later, also with nocache=1 and latencyOffset=0s.
#
# Versions: VictoriaMetrics 1.151.0, single node, built from its Go module (needs Go 1.26.6).
#
# Expected: recent samples are held back by -search.latencyOffset (30 s), and nocache=1 or
# -search.latencyOffset=0s turns that off ("when data points become visible"): an instant query then sees
# the last scrape, as Prometheus' does.
# Behaviour: with both, the newest sample of a target that is scraped every 200 ms is 2 s old on average
# and 4 s at most: samples wait in buffers that can't be searched until they are 2 s old, which is looked
# at every 2 s. So what is said of a moment changes for 4 s after it, and an `increase(…[1m])` is of 56 to
# 60 seconds. Nothing in the answer tells. VictoriaMetrics 1.79 needed 1 s at most.
# Way out: allow for it; or /internal/force_flush before the query, which costs it dearly.
#
# Output seen:
#   age of the newest sample in 100 queries: 0.2 to 4.1 s, 2.2 s on average
#   after /internal/force_flush: 0.2 s at most
set -eu
there=$(mktemp -d)
pids=
trap 'kill $pids 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$there"' EXIT
GOBIN="$there" GOFLAGS=-mod=mod go install \
    github.com/VictoriaMetrics/VictoriaMetrics/app/victoria-metrics@v1.151.0

cat > "$there/target.py" <<'TARGET'
import http.server, time

class Metrics(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"clock {time.time()}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Metrics)
print(server.server_port, flush=True)
server.serve_forever()
TARGET
python3 "$there/target.py" > "$there/port" &
pids="$pids $!"
while [ ! -s "$there/port" ]; do sleep 0.1; done
cat > "$there/scrape.yml" <<CONFIGURATION
global: {scrape_interval: 200ms, scrape_timeout: 200ms}
scrape_configs: [{job_name: clock, static_configs: [{targets: ["127.0.0.1:$(cat "$there/port")"]}]}]
CONFIGURATION
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$there/victoria-metrics" -promscrape.config="$there/scrape.yml" -storageDataPath="$there/data" \
    -httpListenAddr="127.0.0.1:$port" -search.latencyOffset=0s -loggerLevel=ERROR &
pids="$pids $!"

cat > "$there/ask.py" <<'ASK'
import json, sys, time, urllib.error, urllib.parse, urllib.request

base = f"http://127.0.0.1:{sys.argv[1]}"

def age():
    """Return how old the newest sample is, in seconds; None if there is none."""
    now = time.time()
    asked = urllib.parse.urlencode({"query": "clock[20s]", "time": f"{now:.3f}", "nocache": "1"})
    with urllib.request.urlopen(f"{base}/api/v1/query?{asked}", timeout=5) as response:
        result = json.load(response)["data"]["result"]
    return now - float(result[0]["values"][-1][0]) if result else None

until = time.monotonic() + 60
while True:
    try:
        if age() is not None:
            break
    except (urllib.error.URLError, ConnectionError):
        pass
    assert time.monotonic() < until, "VictoriaMetrics does not answer"
    time.sleep(0.2)

ages = []
for _ in range(100):
    time.sleep(0.13)
    ages.append(age())
mean = sum(ages) / len(ages)
print(f"age of the newest sample in 100 queries: {min(ages):.1f} to {max(ages):.1f} s, {mean:.1f} s on average")
flushed = []
for _ in range(10):
    time.sleep(0.7)
    urllib.request.urlopen(f"{base}/internal/force_flush", timeout=5).read()
    flushed.append(age())
print(f"after /internal/force_flush: {max(flushed):.1f} s at most")
raise SystemExit(not (max(ages) > 2.5 and max(flushed) < 1))
ASK
python3 "$there/ask.py" "$port"
