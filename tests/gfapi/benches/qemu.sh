#!/bin/sh
# Debian 12's QEMU 7.2 with its gluster driver, unpacked into DIRECTORY beside whatever is installed; nothing
# is installed. Debian only; later ones have no such driver.
# usage: qemu.sh DIRECTORY
set -eu
directory=$1
version=$(apt-cache madison qemu-block-extra | awk '$3 ~ /^1:7\.2/ { print $3; exit }')
[ -n "$version" ] || { echo 'apt knows no qemu-block-extra 7.2: this needs the lists of Debian 12' >&2; exit 2; }
mkdir -p "$directory/archives/partial"
directory=$(cd "$directory" && pwd)
# With the libraries that are missing here.
apt-get install --download-only -qq -y --allow-downgrades --no-install-recommends \
  -o "Dir::Cache::archives=$directory/archives" \
  "qemu-utils=$version" "qemu-block-extra=$version"
for archive in "$directory"/archives/*.deb; do
  dpkg-deb --extract "$archive" "$directory"
done
rm -r "$directory/archives"
