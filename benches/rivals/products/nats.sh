#!/usr/bin/env bash
# nats-server's WebSocket listener.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
. "$here/started.sh"

settings="$(dirname "$cert")/nats.conf"
cat >"$settings" <<END
listen: "127.0.0.1:-1"
websocket {
  listen: "127.0.0.1:$port"
  compression: false
  tls { cert_file: "$cert", key_file: "$key", min_version: "1.3" }
}
END
tell
exec "$here/nats/bin/nats-server" --config "$settings" >/dev/null
