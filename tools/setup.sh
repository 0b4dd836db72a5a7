#!/bin/sh
# Make .venv hold exactly what requirements.lock says, and this project in it; when it does, answer at once.
# Needs python3 with venv; pip installs the locked uv, and uv the rest. Their own words are kept in .venv/setup.log.
set -u
cd "$(dirname "$0")/.." || exit 1
bin=.venv/bin log=.venv/setup.log stamp=.venv/made-from needed=1800000     # kB: 1.3 GB, and wheels being unpacked

fail() { echo "set-up failed: $*" >&2; exit 1; }
made_from() { pwd; cat pyproject.toml requirements.lock; }      # pwd: scripts of a moved checkout point to the old place
ready() { [ -x $bin/python ] && made_from | cmp -s - $stamp; }

explain() {     # what a tool said, in one line
    if grep -qiE 'no space left|disk quota' $log; then
        echo "the disk is full: $((needed / 1000)) MB are needed here"
    elif grep -qiE 'permission denied|read-only file' $log; then
        echo "cannot write: $(grep -iE 'permission denied|read-only file' $log | tail -n 1)"
    elif found=$(grep -ioE -m 1 'hash mismatch for [^ ]*|^ *[a-z0-9._-]+==[^ ]* from' $log); then
        echo "a file of the index or of a proxy is not the one that requirements.lock names: $found"
    elif grep -qiE 'certificate' $log; then
        echo "the package index's certificate is not accepted: set PIP_CERT to your organisation's bundle"
    elif grep -qiE 'dns error|resol(ve|ution)|refused|unreachable|timed? ?out|error sending|versions: none' $log; then
        echo "the package index cannot be reached, or has no such package: check the network or proxy, or set PIP_INDEX_URL to a mirror"
    else echo "$(grep -iE 'error|because|no solution' $log | tail -n 1 | cut -c 1-250)"
    fi
}

run() {
    "$@" >>$log 2>&1 </dev/null || fail "$(explain | sed 's/^ *//') (all of it: $log)"
}

ready && exit 0
if command -v flock >/dev/null; then        # two makes in one checkout: the second waits, then finds nothing to do
    exec 9<pyproject.toml
    flock -n 9 || { echo "another set-up of this folder is running: waiting for it ..."; flock 9; }
    ready && exit 0
fi

# Settings of the caller's shell that would send packages elsewhere or mix another Python's in.
unset PYTHONPATH PYTHONHOME PIP_TARGET PIP_PREFIX PIP_ROOT PIP_USER PIP_NO_BINARY PIP_PYTHON VIRTUAL_ENV
range=$(sed -n 's/^requires-python *= *">=3\.\([0-9]*\), *<3\.\([0-9]*\)".*/\1 \2/p' pyproject.toml)
low=${range% *} end=${range#* }
fits="import sys; sys.exit(not (3, $low) <= sys.version_info[:2] < (3, $end))"

if ! { [ -f $stamp ] && [ "$(head -n 1 $stamp)" = "$(pwd)" ] && $bin/python -c "$fits" 2>/dev/null; }; then
    python='' unsuited='' unable=''
    for name in ${1:-python3 python3.14 python3.13 python3.12 python3.11}; do
        version=$("$name" -c 'import platform; print(platform.python_version())' 2>/dev/null) || continue
        if ! "$name" -c "$fits"; then unsuited="$unsuited${unsuited:+, }$name is $version"
        elif ! "$name" -c 'import venv, ensurepip' 2>/dev/null; then unable="$name"
        else python=$name; break
        fi
    done
    if [ -z "$python" ]; then
        [ -z "$unable" ] || fail "$unable cannot create environments; on Debian or Ubuntu: apt install python3-venv"
        wanted="needs Python 3.$low to 3.$((end - 1))"
        [ -z "$unsuited" ] || fail "$wanted, but $unsuited; name another with \`make PYTHON=...\`"
        fail "no ${1:-python3} on PATH: $wanted"
    fi
    # Half an installation is not worth mending.
    if [ -e .venv ] && [ ! -e .venv/pyvenv.cfg ] && [ -n "$(ls -A .venv)" ]; then
        fail ".venv exists and is not a virtual environment: move it away"
    fi
    free=$(df -Pk . | awk 'NR == 2 {print $4}')
    [ "$free" -ge $needed ] || fail "the disk is nearly full: $((free / 1000)) MB free, $((needed / 1000)) MB needed"
    echo "[1/3] creating .venv with Python $version"
    { rm -rf .venv && mkdir .venv; } 2>/dev/null || fail "cannot write here: $(pwd)"
    run "$python" -P -m venv .venv
    awk '/^uv==/ {mine = 1} mine {print} mine && !/\\$/ {exit}' requirements.lock >.venv/uv.txt
    run $bin/python -P -m pip install --no-input --require-hashes --only-binary :all: --no-deps -r .venv/uv.txt
fi
rm -f $stamp        # whatever happens from here on, .venv counts as unfinished

# uv reads none of pip's settings; what pip is told on this machine holds for uv too, unless uv is told otherwise.
told=$($bin/python -P -m pip config list 2>/dev/null)
pip_says() { printf '%s\n' "$told" | sed -n "s/^[a-z:]*\.$1='\(.*\)'\$/\1/p" | head -n 1; }
while read -r variable setting; do
    value=$(pip_says "$setting")
    [ -z "$value" ] || eval "export $variable=\"\${$variable:-\$value}\""
done <<'END'
UV_DEFAULT_INDEX index-url
UV_INDEX extra-index-url
UV_FIND_LINKS find-links
UV_INSECURE_HOST trusted-host
SSL_CERT_FILE cert
ALL_PROXY proxy
END
[ -w "${HOME:-/nowhere}" ] || export UV_NO_CACHE=1

echo "[2/3] installing $(grep -c '^[a-z0-9._-]*==' requirements.lock) packages"
# Wheels only: what a source archive would fetch to build itself is neither pinned nor hashed.
run $bin/uv pip sync --python $bin/python --require-hashes --only-binary :all: --index-strategy unsafe-best-match \
    --compile-bytecode requirements.lock
echo "[3/3] linking this project into .venv"
run $bin/uv pip install --python $bin/python --no-deps --no-build-isolation --editable .
made_from >$stamp
