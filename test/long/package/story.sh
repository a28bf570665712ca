# What a till lives through, in an empty root without a network: installed, started, upgraded, taken back, removed and
# purged. Prints what there is to see as lines `name: value`; package.test.ts says what they must be.
PATH=/bin:/usr/bin:/usr/local/bin
export PATH
first=$1 second=$2
log=/var/lib/tillwatch/agent.log

see() { echo "$1: $2"; }
until_true() {
  tries=0
  until "$@" >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ "$tries" -lt 200 ] || { see gave-up "$*"; tail -n 5 "$log"; return 1; }
    sleep 0.1
  done
}
files() { find / -xdev -path /proc -prune -o -path /dev -prune -o -path /tmp -prune -o -print | sort; }
agent() { sed 's/^0*\([1-9][0-9]*\) .*/\1/' /run/tillwatch/sweep; }
ready() { [ "$(grep -c 'front: .* -> ready' "$log")" -ge "$1" ]; }
front() { cat /tmp/front.pid; }
# The shell has gone through its arguments once, NULs and all.
release() { tr '\0' '\n' <"/proc/$(agent)/cmdline" | sed -n 's,.*/releases/\([^/]*\)/.*,\1,p' | sort -u; }

files >/tmp/before
see network "$(ip -o link | grep -vc ' lo:')"
"$first/install.sh" --agent | sed 's/^/install: /'
see configured "$(ls /etc/tillwatch)"

cat >/etc/tillwatch/agent.yaml <<'END'
terminal: lane-1
dataDir: /var/lib/tillwatch
runDir: /run/tillwatch
components:
  - name: front
    user: pos
    command: [/opt/tillwatch/current/bin/node, /tmp/front.mjs]
END
chmod 600 /etc/tillwatch/agent.yaml
cat >/tmp/front.mjs <<'END'
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
const { TILLWATCH_SOCKET, TILLWATCH_COMPONENT: component, TILLWATCH_INSTANCE: instance } = process.env;
const { TILLWATCH_TOKEN: token, HOME } = process.env;
const attempt = (path) => { try { readFileSync(path); return 'open'; } catch (error) { return error.code; } };
writeFileSync('/tmp/front.pid', `${process.pid}`);
writeFileSync('/tmp/front.seen', [
  `who: ${process.getuid()} ${process.getgid()} ${process.getgroups().join(',')} ${HOME}`,
  ...readFileSync('/proc/self/status', 'utf8').match(/^Cap(Inh|Prm|Eff|Amb).*$/gm),
  `config: ${attempt('/etc/tillwatch/agent.yaml')}`,
  `data: ${attempt('/var/lib/tillwatch/agent.log')}`,
  `control: ${attempt('/run/tillwatch/control.sock')}`,
].join('\n'));
const open = () => {
  const socket = connect(TILLWATCH_SOCKET, () => {
    const say = (words) => socket.write(`${JSON.stringify(words)}\n`);
    say({ kind: 'hello', v: 1, role: 'main', component, instance, token, pid: process.pid });
    say({ kind: 'ready' });
    const beat = setInterval(() => say({ kind: 'beat', loopDelayMsMax: 1 }), 200);
    socket.once('close', () => { clearInterval(beat); setTimeout(open, 100); });
  });
  socket.on('error', () => setTimeout(open, 100));
};
open();
END
chmod 644 /tmp/front.mjs
tillwatch check-config /etc/tillwatch/agent.yaml 2>&1 | sed 's/^/check: /'

# Without a terminal that sends it what we get.
setsid /opt/tillwatch/current/deploy/tillwatch-start </dev/null >/tmp/start.out 2>&1 &
until_true ready 1
until_true test -s /tmp/front.seen
until_true test -s /run/tillwatch/sweep
sed 's/^/front-/' /tmp/front.seen
echo
see agent-user "$(stat -c '%u' "/proc/$(agent)")"
see agent-capabilities "$(grep CapEff "/proc/$(agent)/status" | cut -f 2)"
see release "$(release)"
pid=$(front)

# It hangs, and is healed, as another user's process.
kill -STOP "$pid"
until_true ready 2
see healed "$(grep -c 'front: incident_recovered' "$log")"
pid=$(front)

"$second/install.sh" upgrade | sed 's/^/upgrade: /'
see upgraded "$(release) $([ "$(front)" = "$pid" ] && [ -d "/proc/$pid" ] && echo same pid)"
until_true grep -q 'front runs on' "$log"
/opt/tillwatch/current/install.sh rollback | sed 's/^/rollback: /'
see back "$(release) $([ "$(front)" = "$pid" ] && [ -d "/proc/$pid" ] && echo same pid)"
see releases "$(ls /opt/tillwatch/releases | tr '\n' ' ')"

/opt/tillwatch/current/install.sh uninstall | sed 's/^/uninstall: /'
see runs-on "$([ -d "/proc/$pid" ] && echo yes)"
see kept "$([ -f "$log" ] && [ -f /etc/tillwatch/agent.yaml ] && [ ! -e /opt/tillwatch ] && echo data)"
kill -KILL "$pid"
"$second/install.sh" uninstall --purge | sed 's/^/purge: /'
files >/tmp/after
# The folders that a usual system has are nobody's to remove.
see left "$(diff /tmp/before /tmp/after | grep '^[-+]/' | tr '\n' ' ')"
