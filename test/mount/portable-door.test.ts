/** What programs see through the portable door. */
import t from 'tap'
import { driveOf, shell } from './vfs-mount.js'

t.setTimeout(180_000)

t.test('S-3 a file that is unlinked while open keeps its bytes; its directory is there until then', async (t) => {
  const { mount } = await driveOf(t, 'fuse-native')
  const out = await shell(
    mount,
    `mkdir d && echo content > d/f && exec 3<> d/f && rm d/f && ls -A d && ! rmdir d 2>/dev/null && cat <&3 && echo more >&3 && stat -L -c %h /proc/self/fd/3
     exec 3<&- && rmdir d
     echo old > x && exec 4< x && echo new > y && mv y x && cat <&4 && cat x`,
  )
  t.equal(out, 'content\n0\nold\nnew\n')
})
