# What every product's script needs: the run's certificate, a free port, and a word when somebody listens there.

while [ $# -gt 0 ]; do
  case "$1" in
    --cert) cert="$2" ;;
    --key) key="$2" ;;
    *) echo "unknown: $1" >&2; exit 2 ;;
  esac
  shift 2
done
port="$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')"

# Prints `listening PORT` beside the server that this shell becomes.
tell() {
  (
    for _ in $(seq 200); do
      if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
        echo "listening $port"
        exit
      fi
      sleep 0.05
    done
  ) &
}
