/**
 * fuse-native 2.2.6 comes without types. These are the parts that the portable door uses: what its README names, and what
 * library.ts reaches inside for.
 */
declare module 'fuse-native' {
  namespace Fuse {
    /** `thread`: the memory of the libfuse thread that asks, the same object each time. */
    type Handler = (thread: Buffer, opcode: number, ...args: unknown[]) => void
    type Done = (error: Error | null) => void
    interface Options {
      readonly timeout?: false
      readonly defaultPermissions?: boolean
      readonly allowOther?: boolean
      readonly subtype?: string
      readonly fsname?: string
      readonly modules?: string
      /** Strings: a zero would be left out. */
      readonly entryTimeout?: string
      readonly attrTimeout?: string
    }
  }
  class Fuse {
    static unmount(place: string, done: Fuse.Done): void
    constructor(place: string, operations: Readonly<Record<string, true>>, options: Fuse.Options)
    /** By opcode, with holes. */
    readonly _handlers: (Fuse.Handler | undefined)[]
    mount(done: Fuse.Done): void
    _close(done: Fuse.Done): void
  }
  export = Fuse
}
