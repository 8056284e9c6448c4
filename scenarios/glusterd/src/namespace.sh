# The first process of private network, mount and process namespaces, in which a glusterd runs, and COMMAND.
# When it ends, so does everything here.
# usage: unshare --net --mount --pid --fork --kill-child sh -c SCRIPT sh DIRECTORY COMMAND...
set -e
directory=$1
shift
mount -t proc proc /proc
ip link set lo up
for private in /var/lib/glusterd /var/log/glusterfs /run; do
  mount -t tmpfs tmpfs "$private"
done
# It may have been below /run.
mkdir -p "$directory"
printf %s "$directory" >/run/quorate-bricks
# In a session of its own: Ctrl-C is for the program to hear.
setsid glusterd -N --xlator-option management.transport.socket.bind-address=127.1.1.1 \
  </dev/null >/run/quorate-glusterd.out 2>&1 &
# Not exec: a killed brick must be reaped before it can be started again, which is the first process's to do.
set +e
"$@"
exit "$?"
