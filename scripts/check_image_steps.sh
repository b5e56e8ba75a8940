#!/usr/bin/env bash
# Run what deploy/Dockerfile and docker-compose.yml would run, without a container engine: the RUN lines of the build stage on the
# build context, then the migration and each service on a PostgreSQL, each asked for its health. Ends with 0 if all of it works.
#
#     PYTHON=python3.12 scripts/check_image_steps.sh
set -euo pipefail
repository=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-python3}
root=$(mktemp -d -t leadpact-image-XXXXXX)
chmod 711 "$root"  # passable: PostgreSQL started by root runs as another account
children=()

finish() {
    for child in "${children[@]}"; do kill "$child" 2>/dev/null || true; done
    wait
    rm -rf "$root"
}
trap finish EXIT

say() { printf '\n== %s\n' "$*"; }

say "The build context, as .dockerignore leaves it"
context=$root/context
mkdir -p "$context" "$root/src" "$root/bin"
sed -n 's/^!//p' "$repository/.dockerignore" | tar -C "$repository" --exclude=__pycache__ -cf - -T - | tar -C "$context" -xf -
# The image has a `python`; not every host does.
printf '#!/bin/sh\nexec %q "$@"\n' "$(command -v "$python")" > "$root/bin/python"
chmod +x "$root/bin/python"

say "The build stage: its COPY and RUN lines, with the image's folders under $root"
stage=$(sed -n '/ AS build$/,/^FROM [^ ]*$/p' "$repository/deploy/Dockerfile" | sed -e ':join' -e '/\\$/{N;s/\\\n//;b join' -e '}')
while read -r word rest; do
    case $word in
    COPY)
        read -ra parts <<<"$rest"
        target=$root/src/${parts[-1]#./}
        for source in "${parts[@]:0:${#parts[@]}-1}"; do
            # A folder's content is copied into the target, a file into the folder or to the name.
            if [ -d "$context/$source" ]; then
                mkdir -p "$target" && cp -R "$context/$source/." "$target"
            else
                cp "$context/$source" "$target"
            fi
        done
        ;;
    RUN)
        step=$(sed -E "s#(^| )(/opt|/wheels)#\1$root\2#g" <<<"$rest")
        echo "$step"
        (cd "$root/src" && PATH=$root/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_QUIET=1 bash -euc "$step")
        ;;
    esac
done <<<"$stage"

# From here on as in the image: its own folder as home, nothing of the checkout in reach, no settings but those given.
cd "$root"
mkdir -p home
image=(env -i HOME="$root/home" PATH="$root/opt/leadpact/bin:/usr/bin:/bin")
leadpact() { "${image[@]}" leadpact "$@"; }

say "leadpact --version"
leadpact --version

say "A PostgreSQL for the services"
"${image[@]}" python -c '
import signal, sys
from pathlib import Path
from leadpact.storage.embedded import EmbeddedPostgres
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
with EmbeddedPostgres.start(Path("data")) as server:
    Path("url.part").write_text(server.url)
    Path("url.part").rename("url")
    signal.pause()
' >postgres.log &
children+=($!)
for _ in $(seq 60); do [ -s url ] && break || sleep 1; done
image+=(LEADPACT_DATABASE_URL="$(cat url)")

say "leadpact migrate"
leadpact migrate
leadpact tokens create "image check" --scope admin >token
leadpact pact apply opt/leadpact/lib/python3*/site-packages/leadpact/examples/acme/pact.yaml

services=$(sed -nE 's/^ +command: \[(.*)\]$/\1/p' "$repository/docker-compose.yml" | grep -v migrate)
for service in $services; do
    say "leadpact $service"
    port=$("${image[@]}" python -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])')
    "${image[@]}" leadpact "$service" --port "$port" >"$service.log" 2>&1 &
    child=$!
    children+=("$child")
    for _ in $(seq 60); do
        leadpact healthcheck --ready --url "http://127.0.0.1:$port" 2>/dev/null && break
        kill -0 "$child" || break
        sleep 1
    done
    leadpact healthcheck --ready --url "http://127.0.0.1:$port" >/dev/null || { cat "$service.log"; exit 1; }
    kill "$child"
    wait "$child" || { echo "$service ended with $?"; cat "$service.log"; exit 1; }
done

say "All steps work"
