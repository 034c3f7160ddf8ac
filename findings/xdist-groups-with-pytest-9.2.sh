#!/bin/sh
# pytest-xdist's groups do nothing with pytest 9.2, and nobody says so.
#
# Versions: pytest-xdist 3.8.0 with pytest 9.2.0, and beside it with pytest 8.4.2.
#
# Expected: with `-n 2 --dist loadgroup` all tests that are marked `xdist_group("one")` run in one
# worker, one after the other, as pytest-xdist documents it. Suites hold on to that: the group shares
# a database, a port, a cluster.
# Behaviour: with pytest 9.2.0 the tests of a group are dealt to both workers, and run at the same
# time. There is no warning, and the marker is still accepted. xdist's worker appends the group's
# name to `item._nodeid`, an attribute that pytest 9.2's `Item.nodeid` does not read any more, so
# that the scheduler sees no group. With pytest 8.4.2 they stay in one worker.
# Way out: a scheduler of one's own (`pytest_xdist_make_scheduler`, a `LoadScopeScheduling` whose
# `_split_scope` tells the group from the node's id), or one module a group and `--dist loadscope`.
#
# Output seen:
#   pytest 8.4.2: workers of the group: 1
#   pytest 9.2.0: workers of the group: 2
set -eu
there=$(mktemp -d)
trap 'rm -rf "$there"' EXIT
mkdir "$there/suite"
cat > "$there/suite/test_group.py" <<'TEST'
import os, time, pytest

@pytest.mark.xdist_group("one")
@pytest.mark.parametrize("number", range(12))
def test_of_the_group(number, tmp_path_factory):
    time.sleep(0.2)
    with open(os.environ["SEEN"], "a") as seen:
        seen.write(os.environ["PYTEST_XDIST_WORKER"] + "\n")
TEST

workers() {
    python3 -m venv "$there/$1"
    "$there/$1/bin/pip" --quiet --disable-pip-version-check install "pytest==$1" pytest-xdist==3.8.0
    SEEN="$there/$1.seen" "$there/$1/bin/pytest" -q -p no:cacheprovider -n 2 --dist loadgroup \
        --rootdir "$there/suite" "$there/suite" >/dev/null
    sort -u "$there/$1.seen" | wc -l
}

failed=0
for expected in "8.4.2 1" "9.2.0 2"; do
    version=${expected% *}
    found=$(workers "$version" | tr -d ' ')
    echo "pytest $version: workers of the group: $found"
    [ "$found" = "${expected#* }" ] || failed=1
done
exit "$failed"
