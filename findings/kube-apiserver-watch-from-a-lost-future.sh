#!/bin/sh
# A watch from a resourceVersion that a restored kube-apiserver has not reached is answered with 200 and silence.
#
# Versions: kube-apiserver 1.36.3, etcd 3.6.8, built from their Go modules (needs Go 1.26; ten minutes on two
# cores with nothing built before).
#
# Expected: etcd comes back from an older backup, and a client goes on with the watch that it had. Its
# resourceVersion is no part of the history any more, so that it is refused as one that is too old is (410), or as
# a list that is not to be older than it is (504, ResourceVersionTooLarge): then it lists anew.
# Behaviour: the list is refused after 3 s, and the watch is not: it begins (200), and tells of nothing below its
# resourceVersion. What was created, changed or deleted meanwhile is never told, nor that the objects of
# the lost future are gone. When the new history has passed it, events come again, as if nothing had been.
# (A watch from a time at which the restarted server had no cache yet is mostly answered with 410.)
# Way out: list before a watch that could not begin where it broke, and compare the list's resourceVersion with
# the newest that was known: where it is less, the history went backwards, for all kinds.
#
# Output seen:
#   known before the restore: kept, lost; a list not older than that: 504 ResourceVersionTooLarge
#   watch from there: 200, told in 5 s: nothing
#   while it watched: other was created, which a list shows: kept, other
#   when the new history has passed it: told: late-… alone; never that lost is gone, never other
set -eu
there=$(mktemp -d)
pids=
trap 'kill $pids 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$there"' EXIT
mkdir -p "$there/module/etcd" "$there/module/kube-apiserver"
cat > "$there/module/etcd/main.go" <<'GO'
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() { etcdmain.Main(os.Args) }
GO
cat > "$there/module/kube-apiserver/main.go" <<'GO'
package main

import (
	"os"

	"k8s.io/component-base/cli"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

func main() { os.Exit(cli.Run(app.NewAPIServerCommand())) }
GO
cat > "$there/build.py" <<'BUILD'
import json, pathlib, subprocess

VERSION = "1.36.3"

def go(*arguments):
    return subprocess.run(["go", *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout

release = json.loads(go("mod", "download", "-json", f"k8s.io/kubernetes@v{VERSION}"))
theirs = json.loads(go("mod", "edit", "-json", release["GoMod"]))
staging = [each["Old"]["Path"] for each in theirs["Replace"] if each["New"]["Path"].startswith("./")]
replaced = "".join(f"\t{name} => {name} v0{VERSION[1:]}\n" for name in staging)
pathlib.Path("go.mod").write_text(
    f"module there\n\ngo {theirs['Go']}\n\nrequire k8s.io/kubernetes v{VERSION}\n\nreplace (\n{replaced})\n"
)
go("mod", "tidy")
stamp = f"-s -w -X k8s.io/component-base/version.gitVersion=v{VERSION}"
go("build", "-o", "../", "-ldflags", stamp, "./...")
BUILD
(cd "$there/module" && GOFLAGS=-mod=mod GOWORK=off python3 "$there/build.py" 2> "$there/build.log") ||
    { cat "$there/build.log"; exit 2; }

cd "$there"
openssl ecparam -name prime256v1 -genkey -noout -out accounts.key
chmod 600 accounts.key
echo 'letmein,ann,1,"system:masters"' > tokens.csv
ports=$(python3 -c '
import socket
held = [socket.socket() for _ in range(3)]
for each in held:
    each.bind(("127.0.0.1", 0))
print(*(each.getsockname()[1] for each in held))')
set -- $ports
etcd_url=http://127.0.0.1:$1 peer_url=http://127.0.0.1:$2 secure_port=$3

start() {
    ./etcd --data-dir=data --listen-client-urls=$etcd_url --advertise-client-urls=$etcd_url \
        --listen-peer-urls=$peer_url --initial-advertise-peer-urls=$peer_url \
        --initial-cluster=default=$peer_url --unsafe-no-fsync --log-level=error > etcd.log 2>&1 &
    etcd=$!
    ./kube-apiserver --etcd-servers=$etcd_url --bind-address=127.0.0.1 --advertise-address=127.0.0.1 \
        --secure-port=$secure_port --cert-dir=certificates --endpoint-reconciler-type=none \
        --authorization-mode=RBAC --token-auth-file=tokens.csv \
        --service-account-issuer=https://kubernetes.default.svc --service-account-key-file=accounts.key \
        --service-account-signing-key-file=accounts.key --service-cluster-ip-range=10.96.0.0/16 \
        > server.log 2>&1 &
    server=$!
    pids="$etcd $server"
    python3 ask.py $secure_port ready
}

stop() { # the API server first: without its etcd it takes a minute to end
    kill -9 $server; wait $server 2>/dev/null || true
    kill $etcd; wait $etcd 2>/dev/null || true
    pids=
}

cat > ask.py <<'ASK'
import json, socket, ssl, sys, threading, time, urllib.error, urllib.request

base = f"https://127.0.0.1:{sys.argv[1]}"
trust = ssl._create_unverified_context()
maps = "/api/v1/namespaces/default/configmaps"

def ask(method, path, body=None, timeout=20):
    request = urllib.request.Request(base + path, method=method)
    request.add_header("Authorization", "Bearer letmein")
    request.add_header("Content-Type", "application/json")
    data = None if body is None else json.dumps(body).encode()
    try:
        return 200, urllib.request.urlopen(request, data, timeout, context=trust)
    except urllib.error.HTTPError as error:
        return error.code, error

def create(name):
    status, answer = ask("POST", maps, {"metadata": {"name": name}})
    assert status == 200, answer.read()
    return json.load(answer)["metadata"]["resourceVersion"]

def names():
    found = json.load(ask("GET", maps)[1])
    return sorted(each["metadata"]["name"] for each in found["items"] if each["metadata"]["name"] != "kube-root-ca.crt")

def told(version, seconds):
    """Return the status of a watch, and what it tells within the seconds; it goes on in the background."""
    status, stream = ask("GET", f"{maps}?watch=1&resourceVersion={version}&timeoutSeconds=60")
    heard = []
    def listen():
        for line in stream:
            event = json.loads(line)
            heard.append((event["type"], event["object"]["metadata"].get("name", "")))
    threading.Thread(target=listen, daemon=True).start()
    time.sleep(seconds)
    return status, heard

if sys.argv[2] == "ready":
    until = time.monotonic() + 90
    while True:
        try:
            if ask("GET", "/readyz", timeout=5)[0] == 200 and ask("GET", "/api/v1/namespaces/default", timeout=5)[0] == 200:
                break
        except OSError:
            pass
        assert time.monotonic() < until, "the API server does not get ready"
        time.sleep(0.2)
elif sys.argv[2] == "create":
    for name in sys.argv[3:]:
        print(create(name))
else:
    future = int(sys.argv[3])
    status, answer = ask("GET", f"{maps}?resourceVersion={future}&resourceVersionMatch=NotOlderThan")
    causes = [each["reason"] for each in json.load(answer)["details"]["causes"]]
    print(f"known before the restore: kept, lost; a list not older than that: {status} {', '.join(causes)}")
    began, heard = told(future, 5)
    print(f"watch from there: {began}, told in 5 s: {heard or 'nothing'}")
    create("other")
    time.sleep(2)
    quiet = not heard
    shown = names()
    print(f"while it watched: other was created, which a list shows: {', '.join(shown)}")
    number, newest = 0, 0
    while newest <= future + 3:
        newest = int(create(f"late-{number}"))
        number += 1
    time.sleep(2)
    late = heard and all(kind == "ADDED" and name.startswith("late-") for kind, name in heard)
    print(f"when the new history has passed it: told: {'late-… alone' if late else heard};"
          " never that lost is gone, never other")
    raise SystemExit(not (status == 504 and causes == ["ResourceVersionTooLarge"] and began == 200
                          and quiet and shown == ["kept", "other"] and late))
ASK

start
python3 ask.py $secure_port create kept > /dev/null
stop
cp -r data backup
start
python3 ask.py $secure_port create $(seq -f 'filler-%g' 300) > /dev/null
future=$(python3 ask.py $secure_port create lost)
stop
rm -rf data && mv backup data
start
python3 ask.py $secure_port restored "$future"
