#!/bin/sh
# Installs, upgrades, takes back and removes Tillwatch from an unpacked archive, without a network and with nothing but
# a POSIX sh and what busybox has. Every step looks first whether it is done already, a release is complete before a
# name leads to it, and that name is changed by one rename: killed at any moment and run again, it ends well. Components
# are never touched: they outlive the agent that is replaced. Help: install.sh --help

set -u
umask 022

usage() {
  cat <<'END'
Usage: ./install.sh [install|upgrade|rollback|uninstall] [options]

  install            this archive's release, started as systemd has it (what is said without a verb)
  upgrade            the same over an older one; the agent begins anew, components run on
  rollback           the release before, or --to VERSION; components run on here, too
  uninstall          programs and units; /etc/tillwatch, /var/lib/tillwatch and the user stay
  uninstall --purge  those, too: nothing is left

  --agent            this is a till (if not said)
  --broker           this is the centre
  --user NAME        as which user the agent runs (tillwatch)
  --root DIR         install below DIR, such as a mounted image; nothing is started
  --no-start         start and restart nothing

Examples: ./install.sh --agent
          /opt/tillwatch/current/install.sh rollback
END
}

say() { echo "tillwatch: $*"; }
die() { code=$1; shift; echo "tillwatch: $*" >&2; exit "$code"; }

verb=install root='' role='' user='' to='' start=yes purge=no
case ${1:-} in
  install | upgrade | rollback | uninstall) verb=$1; shift ;;
  -*) ;;
  '') ;;
  *) usage >&2; die 64 "there is no verb $1" ;;
esac
while [ $# -gt 0 ]; do
  case $1 in
    --help | -h) usage; exit 0 ;;
    --agent | --broker) role=${1#--} ;;
    --no-start) start=no ;;
    --purge) purge=yes ;;
    --root | --user | --to)
      [ $# -ge 2 ] || die 64 "$1 needs a value"
      case $1 in --root) root=$2 ;; --user) user=$2 ;; --to) to=$2 ;; esac
      shift
      ;;
    *) usage >&2; die 64 "there is no option $1" ;;
  esac
  shift
done

case $user in '') ;; *[!A-Za-z0-9_.-]* | [!A-Za-z_]*) die 64 "$user is not a name for a user" ;; esac
case $to in *[!A-Za-z0-9.+-]* | .*) die 64 "$to is not a version" ;; esac
[ -z "$root" ] || { root=$(cd "$root" 2>/dev/null && pwd) || die 66 'the folder of --root does not exist'; }
[ "$root" != / ] || root=
[ "$(id -u)" = 0 ] || die 77 'this needs root: try sudo ./install.sh'

here=$(cd "$(dirname "$0")" && pwd -P)
base=$root/opt/tillwatch
etc=$root/etc/tillwatch
units=$root/etc/systemd/system
UNITS='tillwatch-agent.service tillwatch-broker.service tillwatch-helper.socket tillwatch-helper@.service'

# What an earlier run noted: role, user, and whether we made that user. Kept beside the data when only programs go.
notes=$base/installed
[ -r "$notes" ] || notes=$etc/.installed
noted() {
  [ -r "$notes" ] || return 0
  while IFS== read -r key value; do [ "$key" = "$1" ] && echo "$value"; done <"$notes"
  return 0
}
[ -n "$role" ] || role=$(noted role)
[ -n "$user" ] || user=$(noted user)
: "${role:=agent}" "${user:=tillwatch}"
made_user=$(noted made_user)

has_systemd() { [ -z "$root" ] && [ -d /run/systemd/system ]; }
# A system with systemd that does not run now: an image, or a chroot.
knows_systemd() { [ -d "$root/usr/lib/systemd/system" ] || [ -d "$root/lib/systemd/system" ]; }
release_of() { basename "$(readlink "$base/$1" 2>/dev/null)" 2>/dev/null; }

# One at a time; whoever was killed left a lock that nobody holds.
lock() {
  mkdir -p "$base/releases" || die 73 "$base cannot be made"
  while ! (set -C; echo $$ >"$base/.lock") 2>/dev/null; do
    { read -r holder <"$base/.lock"; } 2>/dev/null || holder=
    if [ -n "$holder" ] && [ -d "/proc/$holder" ] && grep -q install.sh "/proc/$holder/cmdline"; then
      die 75 "another install.sh runs (process $holder)"
    fi
    rm -f "$base/.lock"
  done
  trap 'rm -f "$base/.lock"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
}

# The new name is there or the old one: rename(2), which `ln -sf` is not.
link_to() {
  rm -f "$2.new"
  ln -s "$1" "$2.new" && mv -T "$2.new" "$2" || die 74 "the link $2 cannot be changed"
}

is_whole() { (cd "$1" && sha256sum -c SHA256SUMS >/dev/null 2>&1); }

check_archive() {
  [ -f "$here/VERSION" ] && [ -f "$here/SHA256SUMS" ] ||
    die 66 'this is not an unpacked archive: VERSION or SHA256SUMS is missing beside install.sh'
  version=$(cat "$here/VERSION")
  is_whole "$here" || die 65 'a file of the archive is damaged or missing: its sums differ (sha256sum -c SHA256SUMS)'
  case $(uname -m) in x86_64) machine=linux-x64 ;; aarch64) machine=linux-arm64 ;; *) machine=$(uname -m) ;; esac
  platform=$(cat "$here/PLATFORM")
  [ -n "$root" ] || [ "$platform" = "$machine" ] || die 65 "this archive is for $platform, the machine is $machine"
}

place_release() {
  target=$base/releases/$version
  rm -rf "$base"/releases/.new-*
  if [ -d "$target" ] && is_whole "$target"; then
    say "release $version is there already"
    return
  fi
  [ "$here" != "$target" ] || die 65 "release $version is damaged: unpack its archive again and run that install.sh"
  new=$base/releases/.new-$version
  mkdir -p "$new"
  # The files that the sums name and no others.
  { cut -c 67- "$here/SHA256SUMS" && echo SHA256SUMS; } | while read -r name; do
    mkdir -p "$new/$(dirname "$name")" && cp -p "$here/$name" "$new/$name" || exit 1
  done ||
    { rm -rf "$new"; die 74 "release $version cannot be copied to $base: is the disk full?"; }
  is_whole "$new" || { rm -rf "$new"; die 74 "release $version arrived damaged in $base: is the disk full or failing?"; }
  chown -R 0:0 "$new" && chmod -R go-w,a+rX "$new"
  # On the disk before a name leads to it, whenever the power goes.
  sync
  rm -rf "$target"
  mv "$new" "$target" || die 74 "release $version cannot be put in its place"
  say "release $version is in $target"
}

in_file() { grep -q "^$2:" "$root/etc/$1" 2>/dev/null; }
# Files below --root, where nobody can be asked to run a program.
free_number() {
  number=999
  while grep -q "^[^:]*:[^:]*:$number:" "$root/etc/passwd" "$root/etc/group" 2>/dev/null; do
    number=$((number - 1))
  done
  echo "$number"
}

make_user_by_hand() {
  mkdir -p "$root/etc"
  number=$(free_number)
  in_file group "$user" || echo "$user:x:$number:" >>"$root/etc/group"
  gid=$(sed -n "s/^$user:[^:]*:\([0-9]*\):.*/\1/p" "$root/etc/group")
  in_file passwd "$user" ||
    echo "$user:x:$number:$gid:Tillwatch:/var/lib/tillwatch:/bin/false" >>"$root/etc/passwd"
  [ ! -f "$root/etc/shadow" ] || in_file shadow "$user" || echo "$user:!:19000::::::" >>"$root/etc/shadow"
}

make_user() {
  [ "$role" = agent ] || return 0
  [ "$user" != root ] || { uid=0 gid=0; return 0; }
  if ! { [ -z "$root" ] && id "$user" >/dev/null 2>&1; } && ! in_file passwd "$user"; then
    made_user=yes
    note
    if [ -n "$root" ]; then
      make_user_by_hand
    elif command -v useradd >/dev/null; then
      useradd --system --user-group --home-dir /var/lib/tillwatch --no-create-home --shell /bin/false "$user" ||
        die 71 "the user $user cannot be made (useradd)"
    elif command -v adduser >/dev/null && command -v addgroup >/dev/null; then
      in_file group "$user" || addgroup -S "$user" || die 71 "the group $user cannot be made (addgroup)"
      adduser -S -D -H -h /var/lib/tillwatch -s /bin/false -G "$user" "$user" ||
        die 71 "the user $user cannot be made (adduser)"
    else
      make_user_by_hand
    fi
    say "user $user is made"
  fi
  line=$(grep "^$user:" "$root/etc/passwd") || line="x:x:$(id -u "$user"):$(id -g "$user")"
  uid=$(echo "$line" | cut -d: -f3) gid=$(echo "$line" | cut -d: -f4)
}

note() {
  mkdir -p "$base"
  printf 'role=%s\nuser=%s\nmade_user=%s\n' "$role" "$user" "${made_user:-no}" >"$base/installed.new" &&
    mv "$base/installed.new" "$base/installed" && rm -f "$etc/.installed"
}

# An example and no configuration: that is written by `tillwatch join`, `tillwatch broker init` or a person.
place_folders() {
  mkdir -p "$etc" "$root/usr/local/bin"
  if [ ! -e "$etc/$role.yaml.example" ]; then
    cp "$base/releases/$version/deploy/examples/$role.yaml" "$etc/$role.yaml.example.new" &&
      mv "$etc/$role.yaml.example.new" "$etc/$role.yaml.example"
  fi
  if [ "$role" = agent ]; then
    mkdir -p "$root/var/lib/tillwatch" && chmod 700 "$root/var/lib/tillwatch"
    # Also what an agent that still ran as root has left.
    [ "$(stat -c %u "$root/var/lib/tillwatch")" = "$uid" ] || chown -hR "$uid:$gid" "$root/var/lib/tillwatch"
  fi
  link_to /opt/tillwatch/current/bin/tillwatch "$root/usr/local/bin/tillwatch"
}

units_of_role() {
  case $role in
    agent) echo 'tillwatch-agent.service tillwatch-helper.socket tillwatch-helper@.service' ;;
    broker) echo tillwatch-broker.service ;;
  esac
}

# From the release that `current` leads to: after a rollback they are the older ones again.
place_units() {
  has_systemd || knows_systemd || return 0
  mkdir -p "$units"
  for unit in $(units_of_role); do
    sed -e "s/^\(User\|Group\|SocketUser\)=tillwatch$/\1=$user/" "$base/current/deploy/systemd/$unit" >"$units/.$unit.new" &&
      mv "$units/.$unit.new" "$units/$unit" || die 74 "$units/$unit cannot be written"
  done
  if has_systemd; then
    systemctl daemon-reload
  else
    mkdir -p "$units/multi-user.target.wants" "$units/sockets.target.wants"
    ln -sf "../tillwatch-$role.service" "$units/multi-user.target.wants/tillwatch-$role.service"
    [ "$role" != agent ] ||
      ln -sf ../tillwatch-helper.socket "$units/sockets.target.wants/tillwatch-helper.socket"
  fi
}

# A minute in small steps, where sleep(1) knows them.
step=0.2 steps_max=300
sleep 0.01 2>/dev/null || { step=1 steps_max=60; }

# The agent's own pid stands in the file that it writes after each sweep (tillwatch-respawn reads it, too).
agent_pid() {
  [ -f "${TILLWATCH_RUN:-/run/tillwatch}/sweep" ] || return 0
  { read -r pid _ <"${TILLWATCH_RUN:-/run/tillwatch}/sweep"; } 2>/dev/null || return 0
  pid=$(echo "$pid" | sed 's/^0*//')
  case $pid in '' | *[!0-9]*) return 0 ;; esac
  grep -q agent.mjs "/proc/$pid/cmdline" 2>/dev/null && echo "$pid"
  return 0
}

# What a person does next, where nothing is configured yet.
next_step() {
  case $role in
    agent) echo "tillwatch join < token.txt (or write $etc/agent.yaml after $etc/agent.yaml.example)" ;;
    broker) echo "tillwatch broker init --name NAME (or write $etc/broker.yaml after $etc/broker.yaml.example)" ;;
  esac
}

start_all() {
  [ "$start" = yes ] && [ -z "$root" ] || return 0
  if has_systemd; then
    [ "$role" != agent ] || systemctl enable --now tillwatch-helper.socket >/dev/null 2>&1
    if [ ! -e "$etc/$role.yaml" ]; then
      say "next: $(next_step), then: systemctl enable --now tillwatch-$role"
      return 0
    fi
    systemctl enable "tillwatch-$role" >/dev/null 2>&1
    # KillMode=process: components run on.
    systemctl restart "tillwatch-$role" || die 69 "it does not start: systemctl status tillwatch-$role; go back with: $base/current/install.sh rollback"
    say "tillwatch-$role runs release $(release_of current)"
    return 0
  fi
  old=$(agent_pid)
  if [ -z "$old" ]; then
    [ "$role" = broker ] && start_with="$base/current/node_modules/node/bin/node $base/current/dist/broker.mjs --config $etc/broker.yaml" ||
      start_with=$base/current/deploy/tillwatch-start
    [ -e "$etc/$role.yaml" ] || say "next: $(next_step)"
    say "no systemd here; start it with: $start_with"
    return 0
  fi
  # It ends alone, its components run on, and tillwatch-respawn starts the one that `current` leads to.
  kill -TERM "$old" 2>/dev/null
  waited=0
  while running=$(agent_pid); [ -z "$running" ] || [ "$running" = "$old" ]; do
    waited=$((waited + 1))
    [ "$waited" -le "$steps_max" ] || die 69 "the agent has not come back within a minute; go back with: $base/current/install.sh rollback"
    sleep "$step"
  done
  say "the agent runs release $(release_of current), its components ran on"
}

# The one that runs and the one before.
prune() {
  for release in "$base"/releases/*; do
    case $(basename "$release") in
      "$(release_of current)" | "$(release_of previous)") ;;
      *) rm -rf "$release" ;;
    esac
  done
}

switch_to() {
  before=$(release_of current)
  if [ -n "$before" ] && [ "$before" != "$1" ]; then link_to "releases/$before" "$base/previous"; fi
  [ "$before" = "$1" ] || link_to "releases/$1" "$base/current"
  sync
}

install_release() {
  if [ "$verb" = upgrade ] && [ -z "$(release_of current)" ]; then
    die 66 "there is nothing to upgrade in $base: ./install.sh"
  fi
  check_archive
  lock
  place_release
  make_user
  note
  place_folders
  before=$(release_of current)
  switch_to "$version"
  place_units
  start_all
  prune
  if [ -n "$before" ] && [ "$before" != "$version" ]; then
    say "was $before, is $version; back with: $base/current/install.sh rollback"
  else
    say "release $version is installed"
  fi
}

rollback() {
  now=$(release_of current)
  [ -n "$now" ] || die 66 "nothing is installed in $base"
  : "${to:=$(release_of previous)}"
  if [ -z "$to" ] || [ "$to" = "$now" ]; then die 66 "there is no release before $now"; fi
  [ -d "$base/releases/$to" ] || die 66 "release $to is not in $base/releases; there: $(ls "$base/releases" | tr '\n' ' ')"
  is_whole "$base/releases/$to" || die 65 "release $to is damaged, it is not used"
  lock
  switch_to "$to"
  place_units
  start_all
  say "was $now, is $to"
}

remove_user() {
  if [ "$made_user" != yes ] || [ "$user" = root ]; then return 0; fi
  if [ -z "$root" ] && command -v userdel >/dev/null; then
    userdel "$user" 2>/dev/null
    ! in_file group "$user" || groupdel "$user" 2>/dev/null
  elif [ -z "$root" ] && command -v deluser >/dev/null; then
    deluser "$user" 2>/dev/null
    ! in_file group "$user" || delgroup "$user" 2>/dev/null
  fi
  for file in passwd group shadow; do
    in_file "$file" "$user" || continue
    # In place: its owner and mode are the system's.
    sed "/^$user:/d" "$root/etc/$file" >"$base/.$file" && cat "$base/.$file" >"$root/etc/$file"
  done
}

# Components run on, as nobody's: their data is not ours, and an update may be what follows.
stop_all() {
  [ -z "$root" ] || return 0
  if has_systemd; then
    for unit in tillwatch-agent.service tillwatch-helper.socket tillwatch-broker.service; do
      systemctl disable --now "$unit" >/dev/null 2>&1
    done
    return 0
  fi
  # First what would start it again.
  for process in /proc/[0-9]*; do
    { tr '\0' ' ' <"$process/cmdline"; } 2>/dev/null | grep -Eq "/deploy/tillwatch-respawn |UNIX-LISTEN:/run/tillwatch-helper.sock" &&
      kill -TERM "${process#/proc/}" 2>/dev/null
  done
  waited=0
  while [ -n "$(agent_pid)" ] && [ "$waited" -lt "$steps_max" ]; do
    waited=$((waited + 1))
    sleep "$step"
  done
  [ -z "$(agent_pid)" ] || die 69 'the agent does not end: end it, then try again'
}

# By another name first: a component that runs on, or has just ended, writes into it by the old one.
remove_folder() {
  gone=$(dirname "$1")/.gone-$(basename "$1")
  rm -rf "$gone"
  [ -e "$1" ] || [ -L "$1" ] || return 0
  mv -T "$1" "$gone" 2>/dev/null || gone=$1 # a mount
  rm -rf "$gone" || die 74 "$1 cannot be removed as a whole: try again"
}

uninstall() {
  [ -d "$base" ] || [ "$purge" = yes ] || { say 'nothing is installed'; exit 0; }
  lock
  stop_all
  for unit in $UNITS; do
    rm -f "$units/$unit" "$units/multi-user.target.wants/$unit" "$units/sockets.target.wants/$unit"
  done
  ! has_systemd || systemctl daemon-reload
  rm -f "$root/usr/local/bin/tillwatch" "$root/run/tillwatch-helper.sock" "$root/run/tillwatch-helper.sock.pid"
  if [ "$purge" = yes ]; then
    for place in etc/tillwatch run/tillwatch var/lib/tillwatch var/lib/tillwatch-broker \
      var/lib/tillwatch-broker-keys var/lib/private/tillwatch-broker var/lib/private/tillwatch-broker-keys; do
      remove_folder "$root/$place"
    done
    # Who has no files any more; without --purge they stay somebody's.
    remove_user
  elif [ -f "$base/installed" ] && [ -d "$etc" ]; then
    mv "$base/installed" "$etc/.installed"
  fi
  rm -rf "$base"
  if [ "$purge" = yes ]; then say 'nothing of it is left'
  else say "it is removed; $etc and $root/var/lib/tillwatch are kept (uninstall --purge removes them)"; fi
}

case $verb in
  install | upgrade) install_release ;;
  rollback) rollback ;;
  uninstall) uninstall ;;
esac
