# Does what each line of the input says, with glusterd on HOST and bricks in BRICKS. An answer is a line with the
# exit code and the length of what was said, and then that. It ends with the input.
# usage: sh -c SCRIPT sh HOST BRICKS
host=$1 bricks=$2
said=/run/quorate-said.$$

gluster() { command timeout 60 gluster --mode=script "$@"; }

# wait_for TRIES COMMAND...: waits until the command succeeds, for at least 20 ms a try.
wait_for() {
  tries=$1
  shift
  until "$@" >/dev/null 2>&1; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || { "$@"; return; }
    sleep 0.02
  done
}

# ready TRIES: whether glusterd takes commands, and where.
ready() {
  wait_for "$1" gluster volume list || { cat /run/quorate-glusterd.out; return 1; }
  echo "$host"
}

# make VOLUME BYTES [OPTION VALUE]...: a volume of one brick, with so much space of its own unless that is 0.
make() {
  name=$1 space=$2
  shift 2
  mkdir "$bricks/$name"
  [ "$space" = 0 ] || mount -t tmpfs -o "size=$space" tmpfs "$bricks/$name"
  gluster volume create "$name" "$host:$bricks/$name/brick" force
  [ $# = 0 ] || gluster volume set "$name" "$@"
  gluster volume start "$name"
}

# remove VOLUME: without its definition, which goes with glusterd.
remove() {
  [ ! -e "$bricks/$1" ] || { kill_brick "$1"; umount "$bricks/$1" 2>/dev/null || true; rm -r "$bricks/$1"; }
}

# options VOLUME [OPTION VALUE]...: these, and no others.
options() {
  name=$1
  shift
  gluster volume reset "$name"
  [ $# = 0 ] || gluster volume set "$name" "$@"
}

# restore VOLUME: as it was made, but for its options. The files that are left take no space.
restore() {
  rm -f "$bricks/$1/filler"
  if brick=$(brick_of "$1"); then kill -CONT "$brick"; else start "$1"; fi
  find "$bricks/$1/brick" -name .glusterfs -prune -o -type f -exec truncate --size 0 {} +
}

set_option() { gluster volume set "$1" "$2" "$3"; }

reset_option() { gluster volume reset "$1" "$2"; }

brick_of() {
  brick=$(cat /run/gluster/vols/"$1"/*.pid) && [ -d "/proc/$brick" ] && echo "$brick"
}

kill_brick() {
  brick=$(brick_of "$1") || return 0
  kill -KILL "$brick"
  wait_for 250 [ ! -d "/proc/$brick" ]
}

# A glusterd that has not yet noticed that the brick is dead says that it started it.
start() {
  for _ in 1 2 3 4 5; do
    gluster volume start "$1" force
    if wait_for 50 listening "$1"; then return; fi
  done
  echo 'the brick does not come up'
  return 1
}

pause() {
  brick=$(brick_of "$1") || { echo 'the brick is not running'; return 1; }
  kill -STOP "$brick"
  # The signal is taken by one of its threads, when that has its turn; until then others may still answer.
  wait_for 250 stopped "$brick"
}

stopped() { ! grep -hv ') [Tt] ' "/proc/$1"/task/*/stat | grep -q .; }

resume() {
  brick=$(brick_of "$1") || { echo 'the brick is not running'; return 1; }
  kill -CONT "$brick"
}

port() {
  brick=$(brick_of "$1") || { echo 'the brick is not running'; return 1; }
  tr '\0' '\n' <"/proc/$brick/cmdline" | sed -n '/^--brick-port$/{n;p;}'
}

listening() { port=$(port "$1") && ss -Htln "sport = :$port" | grep -q .; }

connections() { ss -Htn state established "sport = :$port"; }

# Aborts every connection of the brick with its clients.
cut() {
  port=$(port "$1") || { echo "$port"; return 1; }
  [ -n "$(connections)" ] || { echo 'nobody is connected to the brick'; return 1; }
  ss -HKtn state established "sport = :$port"
  # Clients take three seconds to connect again.
  [ -z "$(connections)" ] || { echo 'this kernel aborts no connections (CONFIG_INET_DIAG_DESTROY)'; return 1; }
}

fill() { cat /dev/zero >"$bricks/$1/filler" 2>/dev/null || true; }

free() { rm -f "$bricks/$1/filler"; }

while IFS= read -r line; do
  (
    set -e
    eval "$line"
  ) </dev/null >"$said" 2>&1
  code=$?
  printf '%s %s\n' "$code" "$(wc -c <"$said")"
  cat "$said"
done
