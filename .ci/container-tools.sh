#!/usr/bin/env bash
# Debian's programs of containers, of S3 and of the web that tests drive; absent ones are installed where that is possible.
set -euo pipefail
declare -A packages=(
  [skopeo]=skopeo [podman]=podman [buildah]=buildah [crun]=crun [runc]=runc [containerd]=containerd
  [dockerd]=docker.io [docker-registry]=docker-registry [busybox]=busybox-static
  [aws]=awscli [rclone]=rclone [s3cmd]=s3cmd [s3fs]=s3fs [nginx]=nginx-light
)
missing=()
for program in "${!packages[@]}"; do
  [ -x "/usr/bin/$program" ] || [ -x "/usr/sbin/$program" ] || [ -x "/bin/$program" ] || missing+=("${packages[$program]}")
done
[ ${#missing[@]} -eq 0 ] && exit 0
# none of them is to run by itself: tests start their own and stop them
blocked=
if [ ! -e /usr/sbin/policy-rc.d ]; then
  printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
  chmod +x /usr/sbin/policy-rc.d
  blocked=1
fi
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
[ -z "$blocked" ] || rm -f /usr/sbin/policy-rc.d
