# The first process of private network, mount and process namespaces: glusterd with the volumes v0, v1
# and full, whose brick has 16 MiB, and then COMMAND. When it ends, so does everything here.
# usage: unshare --net --mount --pid --fork --kill-child sh -c SCRIPT sh DIRECTORY COMMAND...
set -e
directory=$1
shift
mount -t proc proc /proc
ip link set lo up
for private in /var/lib/glusterd /var/log/glusterfs /run; do
  mount -t tmpfs tmpfs "$private"
done
glusterd -N --xlator-option management.transport.socket.bind-address=127.1.1.1 \
  >"$directory/glusterd.out" 2>&1 &
tries=0
until gluster --mode=script volume list >/dev/null 2>&1; do
  tries=$((tries + 1))
  [ "$tries" -lt 600 ] || { echo 'glusterd does not come up:' >&2; cat "$directory/glusterd.out" >&2; exit 1; }
  sleep 0.05
done
mkdir "$directory/small"
mount -t tmpfs -o size=16m tmpfs "$directory/small"
for brick in v0 v1 small/full; do
  volume=${brick##*/}
  gluster --mode=script volume create "$volume" "127.1.1.1:$directory/$brick" force >/dev/null
  gluster --mode=script volume start "$volume" >/dev/null
done
# Not exec: a killed brick must be reaped before it can be started again, which is the first process's to do.
timeout --kill-after 1 300 "$@"
