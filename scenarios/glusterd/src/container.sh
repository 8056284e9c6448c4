# The first process of a container, in which a glusterd runs, and SCRIPT, which is asked through standard input.
# When that ends, as when whoever asks is gone, the container does.
# usage: sh -c THIS sh SCRIPT
glusterd -N </dev/null >/run/quorate-glusterd.out 2>&1 &
addresses=$(hostname -i)
# Not exec, for the same reason as in a namespace: somebody must reap killed bricks.
sh -c "$1" sh "${addresses%% *}" /bricks
exit "$?"
