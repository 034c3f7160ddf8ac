#!/bin/sh
# Prometheus' answer leaves out empty buckets of a native histogram, and with them where they would end.
#
# Versions: Prometheus 3.16.0, built from its Go module (needs Go 1.26.7).
#
# Expected: a classic histogram with the bounds 0.1, 0.5 and 1 that Prometheus converts
# (convert_classic_histograms_to_nhcb) has these bounds, and the HTTP API answers with its buckets: the page
# of the API lists bounds and counts, and leaves nothing out.
# Behaviour: buckets that have counted nothing are not in the answer. So what the bounds are can't be read
# from it, and differs from sample to sample: 0.5 and 1 are nowhere until somebody waits so long. Who
# chooses "the next bound at or above 400 ms", as one does with `le`, finds none at first, and another one
# later. No label and no other endpoint has the bounds: `_bucket` is gone with the conversion.
# Way out: choose the bound in question beforehand. Up to it the count is exact, or lies inside a bucket
# that is not empty, whose end the answer tells.
#
# Output seen:
#   all within 0.1: bounds in the answer: 0.1
#   some took 0.3:  bounds in the answer: 0.1 0.5
set -eu
there=$(mktemp -d)
pids=
trap 'kill $pids 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$there"' EXIT
GOBIN="$there" GOFLAGS=-mod=mod go install -tags remove_all_sd \
    github.com/prometheus/prometheus/cmd/prometheus@v0.316.0

cat > "$there/target.py" <<'TARGET'
import http.server, pathlib, sys

there = pathlib.Path(sys.argv[1])

class Metrics(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        took = [0.05] * 10 + [0.3] * (there / "slower").exists()
        buckets = [("0.1", 0.1), ("0.5", 0.5), ("1", 1), ("+Inf", float("inf"))]
        lines = ["# TYPE d histogram"]
        lines += [f'd_bucket{{le="{le}"}} {sum(t <= bound for t in took)}' for le, bound in buckets]
        lines += [f"d_count {len(took)}", f"d_sum {sum(took)}", ""]
        body = "\n".join(lines).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Metrics)
print(server.server_port, flush=True)
server.serve_forever()
TARGET
python3 "$there/target.py" "$there" > "$there/port" &
pids="$pids $!"
while [ ! -s "$there/port" ]; do sleep 0.1; done
cat > "$there/prometheus.yml" <<CONFIGURATION
global: {scrape_interval: 500ms, scrape_timeout: 500ms, convert_classic_histograms_to_nhcb: true}
scrape_configs: [{job_name: app, static_configs: [{targets: ["127.0.0.1:$(cat "$there/port")"]}]}]
CONFIGURATION
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$there/prometheus" --config.file="$there/prometheus.yml" --storage.tsdb.path="$there/data" \
    --web.listen-address="127.0.0.1:$port" --log.level=error &
pids="$pids $!"

cat > "$there/ask.py" <<'ASK'
import json, pathlib, sys, time, urllib.error, urllib.request

there, port = pathlib.Path(sys.argv[1]), sys.argv[2]

def bounds(count):
    """Return the upper bounds in the answer, once so many have been counted."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/query?query=d", timeout=5) as answer:
                result = json.load(answer)["data"]["result"]
        except (urllib.error.URLError, ConnectionError):
            result = []
        if result and result[0]["histogram"][1]["count"] == str(count):
            return [bucket[2] for bucket in result[0]["histogram"][1]["buckets"]]
        time.sleep(0.2)
    raise SystemExit("Prometheus does not answer")

first = bounds(10)
print("all within 0.1: bounds in the answer:", *first)
(there / "slower").touch()
second = bounds(11)
print("some took 0.3:  bounds in the answer:", *second)
raise SystemExit(not (first == ["0.1"] and second == ["0.1", "0.5"]))
ASK
python3 "$there/ask.py" "$there" "$port"
