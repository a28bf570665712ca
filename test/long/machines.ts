// Machines that are nobody's yet, as far as one machine can play several: each has namespaces of its own for mounts,
// processes and the network, with its own /etc, /opt, /root, /run, /tmp, /usr/local and /var, and all hang on one switch
// that leads nowhere else. systemd is no process 1 here; in its place stands a script that starts what a unit says, as the
// user and with the capabilities that it says, and starts it again when it ends.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Of the first machine, which has the names. */
export const ADDRESS = '10.77.0.1';

const SWITCH = 'ip link add br0 type bridge && ip link set br0 up && echo ready && exec sleep 3600';

/** $1: the machine's folder. What a fresh Debian has stays: /bin, /usr and the names of its users. */
const MACHINE = `set -e
cp -a /etc/passwd /etc/group /etc/shadow /etc/nsswitch.conf /etc/ssl /etc/ld.so.* /etc/alternatives "$1/etc/" 2>/dev/null || true
cp "$1/hosts" "$1/etc/hosts"
# The last hides the folders of all others, which lie below it.
for place in etc opt root usr/local var/lib var/log var/backups home tmp; do
  mkdir -p "$1/$place" "/$place"
  mount --bind "$1/$place" "/$place"
done
mount -t tmpfs none /run
chmod 1777 /tmp
mkdir -p /usr/local/bin /usr/local/sbin /run/systemd/system /etc/systemd/system
echo ready
exec sleep 3600
`;

/** Reads units as they were installed; what it does not know of systemd it leaves out. */
const SYSTEMCTL = `#!/bin/bash
set -u
state=/run/stand-in; mkdir -p $state
fileOf() { for at in /etc/systemd/system /usr/local/lib/systemd/system /usr/lib/systemd/system; do [ -f "$at/$1" ] && echo "$at/$1" && return; done; }
get() { sed -n "s/^$2=//p" "$(fileOf "$1")" | tail -n 1; }
all() { sed -n "s/^$2=//p" "$(fileOf "$1")" | tr '\\n' ' '; }
folders() { # unit kind place
  local mode name; mode=$(get "$1" "$2Mode")
  for name in $(all "$1" "$2"); do
    mkdir -p "$3/$name"; chmod "\${mode:-755}" "$3/$name"
    [ -n "$(get "$1" User)" ] && chown "$(get "$1" User):$(get "$1" Group)" "$3/$name"
  done
}
run() {
  local unit=$1 user caps; user=$(get "$unit" User); caps=$(all "$unit" AmbientCapabilities)
  folders "$unit" RuntimeDirectory /run; folders "$unit" StateDirectory /var/lib
  local as=()
  if [ -n "$user" ]; then
    as=(setpriv --reuid "$user" --regid "$(id -g "$user")" --init-groups)
    if [ -n "\${caps// /}" ]; then
      local list; list=$(echo $caps | tr ' ' '\\n' | sed 's/^CAP_/+/' | tr 'A-Z\\n' 'a-z,'); list=\${list%,}
      as+=(--inh-caps "$list" --ambient-caps "$list")
    fi
  fi
  local notify=$state/$unit.notify
  if [ "$(get "$unit" Type)" = notify ]; then
    rm -f "$notify"
    socat -u UNIX-RECV:"$notify",mode=666 STDOUT | while read -r line; do
      case $line in *READY=1*) touch "$state/$unit.ready" ;; esac
    done &
  fi
  while :; do
    env -i PATH="$PATH" HOME=/ NOTIFY_SOCKET="$notify" "\${as[@]}" $(get "$unit" ExecStart) < /dev/null >> "/var/log/$unit.log" 2>&1 &
    echo $! > $state/$unit.main
    wait $!
    sleep 1
  done
}
unit() { case $1 in *.*) echo "$1" ;; *) echo "$1.service" ;; esac; }
ready() { # as systemctl, which comes back when what it started says so
  [ "$(get "$1" Type)" = notify ] || return 0
  for _ in $(seq 300); do [ -e "$state/$1.ready" ] && return; sleep 0.1; done
}
isUp() { [ -e "$state/$1.loop" ] && kill -0 "$(cat $state/$1.loop)" 2> /dev/null; }
start() {
  [ -n "$(fileOf "$1")" ] || { echo "Unit $1 not found." >&2; exit 5; }
  isUp "$1" && return
  case $1 in *.service) ;; *) return ;; esac
  rm -f "$state/$1.ready"
  run "$1" < /dev/null > /dev/null 2>&1 & echo $! > $state/$1.loop; disown
  ready "$1"
}
stop() {
  isUp "$1" || return 0
  kill "$(cat $state/$1.loop)"; kill "$(cat $state/$1.main)" 2> /dev/null
  for _ in $(seq 100); do kill -0 "$(cat $state/$1.main)" 2> /dev/null || break; sleep 0.1; done
  rm -f $state/$1.loop
}
now=; quiet=; words=()
for word in "$@"; do case $word in --now) now=1 ;; --quiet|-q) quiet=1 ;; --*) ;; *) words+=("$word") ;; esac; done
verb=\${words[0]:-}
for name in "\${words[@]:1}"; do
  name=$(unit "$name")
  case $verb in
    enable) [ -z "$now" ] || start "$name" ;;
    disable) [ -z "$now" ] || stop "$name" ;;
    start) start "$name" ;;
    stop) stop "$name" ;;
    restart | try-restart)
      if isUp "$name"; then rm -f "$state/$name.ready"; kill "$(cat $state/$name.main)"; ready "$name"; elif [ "$verb" = restart ]; then start "$name"; fi ;;
    is-active) if isUp "$name"; then [ -n "$quiet" ] || echo active; else [ -n "$quiet" ] || echo inactive; exit 3; fi ;;
  esac
done
exit 0
`;

export type Ran = { readonly code: number | null; readonly out: string };
/** What a person types when this is asked. */
export type Answer = (question: string) => string;
export type Machine = {
  readonly name: string;
  /** Its folder as seen from outside: /etc of it is here + /etc. */
  readonly folder: string;
  /** Runs a block of shell as root in /root. `answer`: on a terminal, to each question. */
  readonly run: (block: string, answer?: Answer) => Promise<Ran>;
  readonly write: (path: string, text: string, mode?: number) => void;
  readonly read: (path: string) => string;
  /** Gives it one more address. */
  readonly address: (address: string) => void;
  /** The power goes. */
  readonly cut: () => void;
};

async function ready(child: ChildProcess): Promise<void> {
  let told = '';
  child.stderr?.on('data', (data) => {
    told += data;
  });
  await new Promise<void>((resolve, reject) => {
    child.stdout?.once('data', () => resolve());
    child.once('exit', () => reject(new Error(`a machine did not come up: ${told}`)));
  });
}

const isThere = (pid: number): boolean => existsSync(`/proc/${pid}/ns/net`);

const firstChildOf = (pid: number): number =>
  Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ')[0]);

/** A question ends without a new line. */
const QUESTION = /[:\]] $/;

function collect(child: ChildProcess, answer?: Answer): Promise<Ran> {
  let out = '';
  child.stdout?.on('data', (data) => {
    out += data;
    if (answer === undefined || !QUESTION.test(out)) return;
    child.stdin?.write(`${answer(out.split('\n').at(-1) ?? '')}\n`);
  });
  child.stderr?.on('data', (data) => {
    out += data;
  });
  return new Promise((resolve) => {
    child.once('close', (code) => resolve({ code, out }));
  });
}

/** @param folder for everything that the machines write; @param hosts names beside their address. */
export async function openMachines(folder: string, hosts: readonly string[]) {
  const children: ChildProcess[] = [];
  const hub = spawn('unshare', ['--net', '--fork', '--kill-child', 'sh', '-c', SWITCH]);
  children.push(hub);
  await ready(hub);
  const switchPid = firstChildOf(hub.pid ?? 0);
  const inNet = (pid: number, ...command: string[]) =>
    execFileSync('nsenter', ['-t', String(pid), '-n', ...command], { stdio: 'pipe' });

  /** A cable from its eth0 to the switch. */
  function plug(init: number, number: number): void {
    const end = `port${number}`;
    const cable = ['ip', 'link', 'add', end, 'type', 'veth', 'peer', 'name', 'eth0'];
    inNet(switchPid, ...cable, 'netns', String(init));
    inNet(switchPid, 'ip', 'link', 'set', end, 'master', 'br0', 'up');
    inNet(init, 'ip', 'addr', 'add', `10.77.0.${number}/24`, 'dev', 'eth0');
    for (const name of ['lo', 'eth0']) inNet(init, 'ip', 'link', 'set', name, 'up');
    if (number > 1) inNet(init, 'ip', 'route', 'add', 'default', 'via', ADDRESS);
  }

  const inits: number[] = [];
  async function machine(name: string): Promise<Machine> {
    const home = join(folder, name);
    for (const part of ['etc', 'usr/local/sbin']) mkdirSync(join(home, part), { recursive: true });
    const names = ['127.0.0.1 localhost', `127.0.1.1 ${name}`, `${ADDRESS} ${hosts.join(' ')}`];
    writeFileSync(join(home, 'hosts'), `${names.join('\n')}\n`);
    writeFileSync(join(home, 'usr/local/sbin/systemctl'), SYSTEMCTL);
    chmodSync(join(home, 'usr/local/sbin/systemctl'), 0o755);
    const own = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
    const isolated = [...own, '--propagation', 'private'];
    const child = spawn('unshare', [...isolated, 'sh', '-c', MACHINE, 'sh', home]);
    children.push(child);
    await ready(child);
    const init = firstChildOf(child.pid ?? 0);
    inits.push(init);
    plug(init, inits.length);
    const enter = ['-t', String(init), '-m', '-p', '-n'];
    const env = {
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      ...{ HOME: '/root', LANG: 'C.UTF-8', TERM: 'dumb', COLUMNS: '120' },
    };
    return {
      ...{ name, folder: home },
      run: (block, answer) => {
        const shell = ['bash', '-c', `cd /root; set -e\n${block}`];
        const command =
          answer === undefined ? shell : ['script', '-qfec', `bash -ec "$BLOCK"`, '/dev/null'];
        const one = spawn('nsenter', [...enter, ...command], {
          env: { ...env, BLOCK: `cd /root; ${block}` },
        });
        if (answer === undefined) one.stdin?.end();
        return collect(one, answer);
      },
      write: (path, text, mode = 0o600) => {
        writeFileSync(join(home, path), text, { mode });
      },
      read: (path) => readFileSync(join(home, path), 'utf8'),
      address: (address) => {
        inNet(init, 'ip', 'addr', 'add', `${address}/24`, 'dev', 'eth0');
        // A system tells its neighbours when it takes an address over.
        for (const one of inits.filter(isThere)) inNet(one, 'ip', 'neigh', 'flush', 'dev', 'eth0');
      },
      cut: () => void child.kill('SIGKILL'),
    };
  }

  return {
    machine,
    close: (): void => {
      for (const child of children.reverse()) child.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
