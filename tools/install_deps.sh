# Sourced by server/run and tests/run: install_deps PACKAGE... installs the Debian packages that are missing, and says what to do where it
# cannot. Quick when there is nothing to do. Run by itself (bash tools/install_deps.sh [--tests]) it installs those that are listed below.
install_deps() {
  command -v dpkg-query >/dev/null 2>&1 || {
    echo "This script installs its dependencies with apt, and this is no Debian or Ubuntu. Install the equivalents of: $*" >&2
    echo "then build with: cmake --preset release && cmake --build --preset release" >&2
    return 1
  }
  local missing=() package
  for package in "$@"; do
    # "a|b": either will do; the first that exists is installed.
    local found= alternative
    for alternative in ${package//|/ }; do
      [ "$(dpkg-query -W -f '${db:Status-Status}' "$alternative" 2>/dev/null)" = installed ] && found=1 && break
    done
    [ -n "$found" ] || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  if [ "$(id -u)" != 0 ]; then
    echo "Missing packages: ${missing[*]//|*/}" >&2
    echo "Not root: install them first, for example with: sudo apt-get install ${missing[*]//|*/}" >&2
    return 1
  fi
  echo "Installing: ${missing[*]//|*/}" >&2
  apt-get update -q >&2 || {
    echo "apt-get update failed: is there a network? The packages above have to be installed before this can go on." >&2
    return 1
  }
  local chosen=()
  for package in "${missing[@]}"; do
    local pick= alternative
    for alternative in ${package//|/ }; do
      apt-cache show "$alternative" >/dev/null 2>&1 && pick=$alternative && break
    done
    [ -n "$pick" ] || { echo "No package of this distribution provides any of: ${package//|/, }" >&2; return 1; }
    chosen+=("$pick")
  done
  DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${chosen[@]}" >&2 || {
    echo "apt-get install failed; see its words above." >&2
    return 1
  }
}

# What building the library and the server takes. Debian 12 names first; newer releases' names after the bar.
BUILD_DEPS=(g++ cmake ninja-build ccache pkg-config libcurl4-openssl-dev libssl-dev libsqlite3-dev libyaml-cpp-dev libre2-dev ca-certificates
  "libboost1.81-dev|libboost-dev")
# What the tests take besides.
TEST_DEPS=(catch2 clang "libclang-rt-14-dev|libclang-rt-dev" libsimdjson-dev python3 python3-venv curl openssl)

# Run and not sourced: what the build takes; with --tests, what the tests take besides.
if [ "${BASH_SOURCE[0]}" = "$0" ]; then
  case "${1-}" in
    "") install_deps "${BUILD_DEPS[@]}" || exit 1 ;;
    --tests) install_deps "${BUILD_DEPS[@]}" "${TEST_DEPS[@]}" || exit 1 ;;
    *) echo "usage: bash tools/install_deps.sh [--tests]" >&2; exit 2 ;;
  esac
  echo "All packages are there." >&2
fi
