/**
 * A drive in a file manager (Thunar): it stands in the sidebar, a folder of pictures gets its thumbnails, a folder of films too and
 * without downloading the films, and what is deleted lies in the trash and comes back. Pictures of the screen: bench/results/desktop-*.png.
 */
import fs from 'node:fs'
import path from 'node:path'
import t, { type Test } from 'tap'
import { DESKTOP_NEEDS, inDesktop } from '../support/desktop-session.js'
import { Lab } from '../support/drive-process.js'

t.setTimeout(600_000)

const PICTURES = 12
const FILMS = 3
const SHOTS = path.resolve('bench/results')
/** Head, tail and a frame in the middle of each: GStreamer's thumbnailer alone reads 22 MB of 161. */
const FILM_BYTES_MAX = 30_000_000

const MAKE = `for i in $(seq ${PICTURES}); do convert -size 1600x1200 plasma:fractal -swirl $((i * 30)) -quality 92 Pictures/photo-$i.jpg; done
  ffmpeg -v error -f lavfi -i testsrc2=duration=6:size=1280x720:rate=25 -vf noise=alls=50:allf=t -c:v mpeg4 -q:v 2 one.mp4
  for i in $(seq ${FILMS}); do cp one.mp4 Films/film-$i.mp4; done; rm one.mp4`

async function missingPackages(): Promise<string[]> {
  const folders = (process.env.PATH ?? '').split(':').concat('/usr/libexec', '/usr/lib/gvfs')
  const isHere = (name: string) => fs.existsSync(name) || folders.some((one) => fs.existsSync(path.join(one, name)))
  return Object.entries(DESKTOP_NEEDS).flatMap(([command, name]) => (isHere(command) ? [] : [name]))
}

async function fetchedBytes(lab: Lab, state: string): Promise<number> {
  const { cache } = (await lab.status(state)) as { cache: { usedBytes: number } }
  return cache.usedBytes
}

const lacking = await missingPackages()
t.test('the drive in a file manager', { skip: lacking.length > 0 && `install ${lacking.join(' ')}` }, async (t) => {
  const lab = new Lab(t)
  const { facts: network } = await lab.up()
  const mount = lab.made('home', 'Shardrive')
  const first = await lab.mount({ mount, state: network.state })
  await lab.sh(`mkdir Pictures Films; ${MAKE}`, { cwd: mount })
  const filmBytes = fs.statSync(path.join(mount, 'Films/film-1.mp4')).size * FILMS
  const pictureBytes = Number(await lab.sh(`cat ${mount}/Pictures/* | wc -c`))
  await lab.facts('sync', '--complete', '--state', network.state)
  t.equal(await first.stop(), 0)

  const state = lab.path('cold')
  const drive = await lab.mount({ mount, state, network })
  fs.mkdirSync(SHOTS, { recursive: true })
  const thumbnails = `ls $HOME/.cache/thumbnails/*/*.png`
  const count = (folder: string, wanted: number, title: string) =>
    `thunar ${mount}/${folder} >/dev/null 2>&1 & window '${title}'; wait_for eval 'test $(${thumbnails} | wc -l) -ge ${wanted}'; sleep 2; shot ${SHOTS}/desktop-${folder.toLowerCase()}.png`
  const atFirst = await fetchedBytes(lab, state)
  const listed = await inDesktop(lab, `gio mount -l; ${count('Pictures', PICTURES, 'Pictures - Thunar')}`)
  t.match(listed, /Mount\(\d+\): Shardrive -> file:\/\/\//, 'it is a mount of the desktop')
  const afterPictures = await fetchedBytes(lab, state)
  t.comment(`${PICTURES} pictures of ${pictureBytes} bytes shown cold: ${afterPictures - atFirst} bytes fetched`)
  t.ok(afterPictures - atFirst < 1.2 * pictureBytes)
  await inDesktop(lab, count('Films', PICTURES + FILMS, 'Films - Thunar'))
  const films = (await fetchedBytes(lab, state)) - afterPictures
  t.comment(
    `${FILMS} films of ${filmBytes} bytes shown cold: ${films} bytes fetched, ${((films / filmBytes) * 100).toFixed(1)} %`,
  )
  t.ok(films < FILMS * FILM_BYTES_MAX)

  await withEmblems(t, lab, mount)

  const gone = path.join(mount, 'Pictures/photo-7.jpg')
  const trashed = `${mount}/.Trash-$(id -u)/files/photo-7.jpg`
  const told = await inDesktop(
    lab,
    `thunar ${mount}/Pictures >/dev/null 2>&1 & window 'Pictures - Thunar'; xdotool type --delay 60 photo-7; sleep 1; xdotool key Escape; sleep 1; xdotool key Delete
    wait_for test -f ${trashed}; test ! -e ${gone}; thunar trash:/// >/dev/null 2>&1 & window 'Trash - Thunar'; shot ${SHOTS}/desktop-trash.png
    gio trash --list; gio trash --restore "$(gio trash --list | head -1 | cut -f1)"; wait_for test -f ${gone}`,
  )
  t.match(told, /photo-7\.jpg\s+\/.*Shardrive\/Pictures\/photo-7\.jpg/, 'it lay in the trash, and says where it was')
  t.ok(fs.existsSync(gone), 'and came back')
  t.same(await lab.findings(state), [])
  t.equal(await drive.stop(), 0)
})

/** Beyond the clock, the cursor and where the pointer is. */
const EMBLEM_PIXELS_MIN = 200

/** Nautilus with the extension of scripts/desktop and without: the icons differ. */
async function withEmblems(t: Test, lab: Lab, mount: string): Promise<void> {
  if (!fs.existsSync('/usr/lib/x86_64-linux-gnu/nautilus/extensions-4/libnautilus-python.so')) {
    t.comment('emblems were not looked at: install nautilus python3-nautilus')
    return
  }
  const look = (name: string) =>
    `nautilus --new-window ${mount}/Films >/dev/null 2>&1 & window Films; sleep 6; shot ${SHOTS}/desktop-${name}.png; nautilus -q || true`
  await inDesktop(lab, look('plain'))
  await lab.sh(`setfattr -n user.shardrive.pinned -v yes ${mount}/Films/film-2.mp4; touch ${mount}/Films/film-3.mp4
    mkdir -p $HOME/.local/share/nautilus-python/extensions; cp ${path.resolve('scripts/desktop/shardrive.py')} $HOME/.local/share/nautilus-python/extensions`)
  await inDesktop(lab, look('emblems'))
  const compared = await lab.sh(
    `compare -metric AE ${SHOTS}/desktop-plain.png ${SHOTS}/desktop-emblems.png null: 2>&1 || true`,
  )
  t.comment(`${compared} pixels differ with emblems`)
  t.ok(Number.parseFloat(compared) > EMBLEM_PIXELS_MIN)
}
