set -u
export LC_ALL=C
trap '' PIPE

fail() {
    echo "cannot be tried: $*" >&2
    exit 2
}

for tool in qemu-storage-daemon qemu-io base64 cat cmp cut dd fold head mkfifo mktemp od rm sleep sort stat tail tr \
    uniq; do
    command -v "$tool" >/dev/null || fail "there is no $tool (Debian has QEMU's tools in qemu-utils and" \
        "qemu-system-common, all others in coreutils and diffutils)"
done
qemu-io -c quit --image-opts driver=quorum,vote-threshold=1,children.0.driver=null-co >/dev/null 2>&1 ||
    fail "this qemu-io opens no quorum: QEMU has to be built with it, as Debian's is"

dir=$(mktemp -d) || fail "there is no room for files: set TMPDIR to a directory that has some"
daemon= client=

# Ends QEMU's processes. What they wrote is in the files, and to be asked to quit would make them flush.
stop() {
    local process
    for process in $client $daemon; do
        { kill -KILL "$process" && wait "$process"; } 2>/dev/null
    done
    daemon= client=
    exec 3>&- 4<&- 5>&-
}

trap 'stop; rm -rf "$dir"' EXIT
trap 'exit 2' HUP INT TERM
cd "$dir" || fail "$dir is gone"

# cN is the file of child N in QEMU's hands, eN what it holds after the same requests to quorate.
length=() node=() own=()
inner=()
differences=()

# rep BYTE COUNT: so many bytes of this value.
rep() {
    head -c "$2" /dev/zero | tr '\0' "\\$(printf %03o "0x$1")"
}

# disk N LENGTH BYTE [ITS OPTIONS [THOSE OF THE FILE BELOW]]: a child that holds this byte everywhere.
disk() {
    rep "$3" "$2" >"c$1"
    cat "c$1" >"e$1"
    length[$1]=$2 node[$1]=${4-} own[$1]=${5-}
}

# place FILE OFFSET BYTES: puts what the third file has into the first.
place() {
    dd if="$3" of="$1" bs=64K oflag=seek_bytes seek="$2" conv=notrunc status=none || exit 2
}

# holds N OFFSET BYTES: from now on the child holds these, whoever asks it.
holds() {
    place "c$1" "$2" "$3"
    place "e$1" "$2" "$3"
}

# gets N OFFSET BYTES: quorate has these written to the child.
gets() {
    place "e$1" "$2" "$3"
}

# request NAME WORDS: begins a request.
request() {
    name=$1 faults=() expected=() unordered='' wanted=ok bytes=
    echo "$1: $2"
}

# fails N KIND ERRNO WORDS [SECTOR]: the child fails what it is asked of this kind, at this sector.
fails() {
    local at=${5+,\"sector\":$5}
    faults[$1]=${faults[$1]+${faults[$1]},}"{\"event\":\"none\",\"iotype\":\"$2\",\"errno\":$3,\"immediately\":true$at}"
    echo "    c$1 fails the $2${5+ at sector $5}: $4"
}

# answers WORDS [BYTES]: what quorate answers.
answers() {
    wanted=$1 bytes=${2-}
}

# reports EVENT...: what quorate reports.
reports() {
    expected=("$@")
}

# field LINE KEY: the value of a key in a line of the monitor.
field() {
    [[ $1 =~ \"$2\":\ *\"([^\"]*)\" || $1 =~ \"$2\":\ *([0-9]+) ]] && printf %s "${BASH_REMATCH[1]}"
}

# Notes an event of the monitor.
note() {
    local where error
    where="$(field "$1" sector-num)+$(field "$1" sectors-count)"
    case $1 in
    *'"QUORUM_REPORT_BAD"'*)
        error=$(field "$1" error)
        reported+=("bad $(field "$1" node-name) $(field "$1" type) $where${error:+ $error}") ;;
    *) reported+=("failure $(field "$1" reference) $where") ;;
    esac
}

# monitor COMMAND: has the monitor obey, and notes what it reports before it answers. Fails if the daemon is gone.
monitor() {
    local line
    echo "{\"execute\":\"$1\"}" 2>/dev/null >&3
    while IFS= read -r -t 30 -u 4 line; do
        case $line in
        *'"QUORUM_'*) note "$line" ;;
        '{"return"'*) return 0 ;;
        esac
    done
    # That is how a read says that its time is up.
    (($? > 128))
}

# Waits until qemu-io, which has said so many bytes by then, is ready.
prompt() {
    local turn
    for ((turn = 0; turn < 1500; turn++)); do
        sleep 0.02
        (($(stat -c %s told) > $1)) && [[ $(tail -c 9 told) == 'qemu-io> ' ]] && return 0
        kill -0 "$client" 2>/dev/null || return 1
    done
    return 1
}

# Starts a daemon, as none has yet held back reports: of each kind it passes one a second.
start() {
    local n list nodes=() nested
    for n in "${!node[@]}"; do
        list=${faults[n]+,\"inject-error\":[${faults[n]}]}
        nodes+=(--blockdev "{\"driver\":\"file\",\"node-name\":\"f$n\",\"filename\":\"c$n\"${own[n]}}")
        nodes+=(--blockdev "{\"driver\":\"blkdebug\",\"node-name\":\"c$n\",\"image\":\"f$n\"${node[n]}$list}")
    done
    for nested in "${inner[@]}"; do
        nodes+=(--blockdev "$nested")
    done
    rm -f asked orders log export
    mkfifo asked orders log || exit 2
    qemu-storage-daemon --chardev stdio,id=m,signal=off --monitor m "${nodes[@]}" --blockdev "$array" \
        --nbd-server addr.type=unix,addr.path=export --export "nbd,id=x,node-name=q,name=q,writable=$writable" \
        <orders >log 2>last &
    daemon=$!
    exec 3>orders 4<log
    monitor qmp_capabilities
}

# What the daemon said last, on its way out.
last_words() {
    local status said
    wait "$daemon" 2>/dev/null
    status=$? daemon=
    said=$(tr '\n' ' ' <last)
    if [[ $said =~ offset=([0-9]+)\ bytes=([0-9]+)\ contents\ mismatch\ at\ offset\ ([0-9]+) ]]; then
        reported+=("mismatch ${BASH_REMATCH[1]}+${BASH_REMATCH[2]} at ${BASH_REMATCH[3]}")
    fi
    said=${said##*\}: }
    answer="the daemon ends ($status): ${said% }"
}

# ask COMMAND: has qemu-io do this.
ask() {
    local reading=() before said
    reported=() answer=
    if ! start; then
        last_words
        stop
        return
    fi
    [[ $writable == on ]] || reading=(-r)
    : >told
    qemu-io "${reading[@]}" -t writeback --image-opts driver=nbd,server.type=unix,server.path=export,export=q \
        <asked >told 2>&1 3>&- 4<&- &
    client=$!
    exec 5>asked
    if prompt 0 && before=$(stat -c %s told) && echo "$1" >&5 && prompt "$before"; then
        said=$(tail -c "+$((before + 1))" told | tail -n 3)
        case $said in
        *' bytes at offset '*) answer=ok ;;
        *'failed: '*) answer=${said##*failed: } answer=${answer%%$'\n'*} ;;
        'qemu-io> ') answer=ok ;;
        *) answer="qemu-io says: ${said//$'\n'/ }" ;;
        esac
        # Of a read that fails the client learns nothing but that it is cut off.
        [[ $(<last) =~ 'reading from file failed: '([^$'\n']*) ]] && answer=${BASH_REMATCH[1]}
        if [[ $1 == read* && $answer == ok ]]; then
            # The dump has 16 bytes in a line, the last of which may be shorter and ends with their letters.
            tail -c "+$((before + 1))" told | head -n -3 | cut -c12-58 | tr -d ' \n' 2>/dev/null |
                head -c $((2 * ${1##* })) >read
            answer+=,$(runs read)
        fi
    else
        answer="none within 30 s"
    fi
    if monitor query-version; then
        if ((${#reported[@]})); then
            # Whatever the monitor held back it lets pass after a second.
            sleep 1.2
            monitor query-version
        fi
    else
        last_words
    fi
    stop
}

# Flushes. Of a failure qemu-io says nothing but after a write, and what saw no write is not flushed: so it flushes
# after a write of one byte, which is taken back.
flush() {
    local n
    ask 'write -f -P 0 0 1'
    for n in "${!length[@]}"; do
        cat "e$n" >"c$n"
    done
}

# The bytes of a file of hexadecimal digits, equal ones counted.
runs() {
    fold -w 2 "$1" 2>/dev/null | uniq -c 2>/dev/null | head -n 7 | {
        local text= count byte n=0
        while read -r count byte; do
            ((n++ < 6)) && text+=" $count x $byte" || text+=" ..."
        done
        echo "$text"
    }
}

# compare WHAT QEMU QUORATE: says both, and whether they are the same.
compare() {
    if [[ $2 == "$3" ]]; then
        echo "    $1: QEMU and quorate: $2"
    else
        echo "    $1: QEMU:    $2"
        echo "    $1: quorate: $3"
        differences+=("$1 of $name")
    fi
}

# Compares the children, and has QEMU's go on as those of quorate.
media() {
    local n at ours theirs
    for n in "${!length[@]}"; do
        if ! cmp -s -n "${length[n]}" "c$n" "e$n"; then
            read -r at theirs ours < <(cmp -l -n "${length[n]}" "c$n" "e$n" 2>/dev/null)
            printf '    c%s at %s: QEMU: %02x, quorate: %02x\n' "$n" $((at - 1)) "0$theirs" "0$ours"
            differences+=("c$n after $name")
        fi
        # Written anew, also so that no zeroes are holes, which are not read.
        cat "e$n" >"c$n"
    done
}

# Says what it came to.
came() {
    if [[ -n $bytes ]]; then
        od -An -v -tx1 "$bytes" | tr -d ' \n' >wanted
        wanted+=,$(runs wanted)
        # Where only the first runs are said.
        [[ $answer != "$wanted" ]] || cmp -s read wanted || answer+=" (other bytes further on)"
    fi
    compare answer "$answer" "$wanted"
    if [[ -n $unordered ]]; then
        echo "    $unordered"
        mapfile -t reported < <(printf '%s\n' "${reported[@]-none}" | sort)
        mapfile -t expected < <(printf '%s\n' "${expected[@]-none}" | sort)
    fi
    local theirs ours
    printf -v theirs '%s; ' "${reported[@]-none}"
    printf -v ours '%s; ' "${expected[@]-none}"
    compare events "${theirs%; }" "${ours%; }"
    media
}

# refused WORDS: why quorate does not open the array.
refused() {
    name=opening faults=() reported=()
    if start; then
        answer='the array opens'
        differences+=("$name")
    else
        last_words
    fi
    stop
    echo "    QEMU:    $answer"
    echo "    quorate: $1"
}

# The verdict.
finish() {
    local list
    if ((${#differences[@]})); then
        printf -v list '%s, ' "${differences[@]}"
        echo "differs from quorate in: ${list%, }"
        exit 0
    fi
    echo "no difference"
    exit 1
}
