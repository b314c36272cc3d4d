#!/usr/bin/env bash
# Sockudo, which speaks the Pusher protocol: one application, whose clients may publish, the local adapter, no metrics
# and no rate limits. It closes a connection after each request of its HTTP API, which would be part of every publication.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
. "$here/started.sh"

cd "$(dirname "$cert")"
tell
export HOST=127.0.0.1 PORT="$port"
export SSL_ENABLED=true SSL_CERT_PATH="$cert" SSL_KEY_PATH="$key"
export SOCKUDO_DEFAULT_APP_ENABLED=true SOCKUDO_DEFAULT_APP_ID=load SOCKUDO_DEFAULT_APP_KEY=key SOCKUDO_DEFAULT_APP_SECRET=secret
export SOCKUDO_DEFAULT_APP_MAX_CONNECTIONS=100000 SOCKUDO_DEFAULT_APP_ENABLE_CLIENT_MESSAGES=true \
  SOCKUDO_DEFAULT_APP_MAX_CLIENT_EVENTS_PER_SECOND=1000000
export ADAPTER_DRIVER=local APP_MANAGER_DRIVER=memory METRICS_ENABLED=false RATE_LIMITER_ENABLED=false
exec "$here/sockudo/bin/sockudo" >/dev/null
