# What the other scripts need of a Debian machine: packages that are missing, and a throw-away Postgres. To be sourced.

install_packages() {
    if ! command -v apt-get >/dev/null; then
        echo "Please install: $* (this script can do it on Debian only)" >&2
        exit 2
    fi
    local as_root=()
    [[ $(id -u) -eq 0 ]] || as_root=(sudo)
    # A fresh machine is often still installing its own updates.
    local patiently=(apt-get -o DPkg::Lock::Timeout=300)
    "${as_root[@]}" "${patiently[@]}" update --quiet >&2
    "${as_root[@]}" "${patiently[@]}" install --quiet --yes --no-install-recommends "$@" >&2
}

# For the SQLite that is built in.
need_c_compiler() {
    command -v cc >/dev/null || install_packages gcc libc6-dev
}

need_postgres() {
    [[ -n $(postgres_programs) ]] || install_packages postgresql
}

# Debian keeps the programs of each version in a folder of its own, outside of the path.
postgres_programs() {
    local newest
    newest=$(find /usr/lib/postgresql -path '*/bin/initdb' 2>/dev/null | sort --version-sort | tail -n 1)
    [[ -z $newest ]] || dirname "$newest"
}

# Postgres refuses to run as root.
as_postgres() {
    if [[ $(id -u) -eq 0 ]]; then runuser -u postgres -- "$@"; else "$@"; fi
}

# Makes a cluster in the folder $1, which exists, with the options of initdb in $2 and of the server in $3, and starts it;
# `port` is then its port.
start_cluster() {
    local folder=$1 of_initdb=$2 options=$3 programs attempt
    programs=$(postgres_programs)
    [[ $(id -u) -ne 0 ]] || chown postgres "$folder"
    # shellcheck disable=SC2086 # They are words.
    (cd "$folder" && as_postgres "$programs/initdb" --pgdata "$folder/data" --username postgres --auth trust \
        --encoding UTF8 --locale C.UTF-8 $of_initdb >"$folder.log")
    for attempt in 1 2 3 4 5; do
        port=$((20000 + RANDOM % 12000))
        if (cd "$folder" && as_postgres "$programs/pg_ctl" --pgdata "$folder/data" --wait --silent --log "$folder/log" \
            start --options "-p $port -k $folder -c listen_addresses=127.0.0.1 $options" >>"$folder.log"); then
            return
        fi
        echo "Postgres did not start on port $port (attempt $attempt)" >&2
    done
    cat "$folder/log" >&2
    exit 2
}

# Stops the cluster in the folder $1 at once; what it held is of no use any more.
stop_cluster() {
    as_postgres "$(postgres_programs)/pg_ctl" --pgdata "$1/data" --mode immediate --silent stop || true
    rm --recursive --force "$1" "$1.log"
}
