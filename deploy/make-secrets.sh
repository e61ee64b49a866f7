#!/bin/sh
# Write compose/secrets or kubernetes/secrets from the examples beside it, with random passwords.
# What exists already is left alone. Usage: deploy/make-secrets.sh compose|kubernetes
set -eu

case "${1:-}" in
  compose) app=yizhan nats=nats ;;
  kubernetes) app=. nats=. ;;
  *) echo "usage: $0 compose|kubernetes" >&2; exit 2 ;;
esac
cd "$(dirname "$0")/$1"
if [ -e secrets ]; then
  echo "$1/secrets exists: remove it first, or change it by hand" >&2
  exit 1
fi

random() { openssl rand -hex 24; }
script="s/CHANGE-ME-YIZHAN/$(random)/g
s/CHANGE-ME-SUBSCRIBER/$(random)/g
s/CHANGE-ME-ADMIN/$(random)/g
s/CHANGE-ME-ROUTE/$(random)/g
s/CHANGE-ME-METRICS/$(random)/g
s/CHANGE-ME-GRAFANA/$(random)/g
s/CHANGE-ME-SECRET/$(random)/g
s/CHANGE-ME-PATH-TOKEN/$(random)/g"

# Containers read these files as another user: the outer directory keeps everybody else out.
umask 077
mkdir secrets
umask 022
mkdir -p "secrets/$app" "secrets/$nats"

fill() { printf '%s\n' "$script" | sed -f /dev/stdin "$1"; }
fill secrets.example/yizhan.toml > "secrets/$app/yizhan.toml"
fill secrets.example/credentials.conf > "secrets/$nats/credentials.conf"
if [ "$1" = compose ]; then
  mkdir secrets/prometheus secrets/grafana
  fill secrets.example/metrics-token > secrets/prometheus/token
  fill secrets.example/grafana-password > secrets/grafana/password
fi
echo "$1/secrets is made. Now write your sources into its yizhan.toml."
