/** A desktop for a test: X server, session bus, window manager, thumbnailer and file manager, each real, and keys pressed in it. */
import fs from 'node:fs'
import type { Lab } from './drive-process.js'

/** Commands that it needs, each with the Debian package that has it. */
export const DESKTOP_NEEDS: Readonly<Record<string, string>> = {
  'xvfb-run': 'xvfb',
  'dbus-run-session': 'dbus',
  openbox: 'openbox',
  thunar: 'thunar',
  '/usr/lib/x86_64-linux-gnu/tumbler-1/tumblerd': 'tumbler',
  gio: 'libglib2.0-bin',
  gvfsd: 'gvfs',
  xdotool: 'xdotool',
  import: 'imagemagick',
  ffmpeg: 'ffmpeg',
}

const SCREEN = '1100x700x24'
const SESSION_MS = 180_000
/** Waits until a command succeeds, half a minute at most. */
const WAIT = `wait_for() { for _ in $(seq 150); do if "$@" >/dev/null 2>&1; then return 0; fi; sleep 0.2; done; echo "in vain: $*" >&2; return 1; }
window() { wait_for xdotool search --onlyvisible --name "$1"; xdotool search --onlyvisible --name "$1" windowactivate --sync; sleep 1; }
shot() { sleep 1; import -window root "$1"; }`

/** A bash script inside the session, with `wait_for COMMAND`, `window TITLE` (to the front) and `shot FILE`; what it printed. */
export async function inDesktop(lab: Lab, script: string): Promise<string> {
  const file = lab.path('desktop.sh')
  const run = lab.made('desktop-run')
  fs.chmodSync(run, 0o700)
  fs.writeFileSync(
    file,
    `set -euo pipefail
    export XDG_RUNTIME_DIR=${run} NO_AT_BRIDGE=1 GSK_RENDERER=cairo LC_ALL=C.UTF-8
    ${WAIT}
    openbox >/dev/null 2>&1 & wait_for xdotool getmouselocation
    /usr/lib/x86_64-linux-gnu/tumbler-1/tumblerd >/dev/null 2>&1 &
    ${script}
    thunar --quit >/dev/null 2>&1 || true`,
  )
  return lab.sh(`xvfb-run -a -s '-screen 0 ${SCREEN}' dbus-run-session -- bash ${file}`, { timeoutMs: SESSION_MS })
}
